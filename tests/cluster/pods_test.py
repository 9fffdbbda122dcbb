#!/usr/bin/python3
"""Fairlead as a DaemonSet on a real node, for pods that know nothing of it.
usage: pods_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
KUBERNETES = os.path.join(HERE, "..", "..", "deploy", "kubernetes")
CACHE = os.environ.get("FAIRLEAD_CLUSTER_CACHE",
                       os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "fairlead-cluster"))
NAMESPACE = "fairlead-system"
SHOP = "shop"
URL = "http://greeter:3000"
LISTENER = r":3A99 0+:0000 0A "  # port 15001, listening, as /proc/net/tcp has it
PROGRAMS = None

DOCUMENTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {fairlead.dev/mode: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: greeter, namespace: shop}
spec: {selector: {app: greeter}, ports: [{name: http, port: 3000, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [greeter]
  http:
  - match: [{uri: {prefix: /slow}}]
    timeout: 300ms
    route: [{destination: {host: greeter, subset: v2}}]
  - route: [{destination: {host: greeter, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter, namespace: shop}
spec:
  host: greeter
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""


def run(*command, stdin=None, check=True, seconds=120):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}{done.stdout}")
    return done.stdout


def script(name, *arguments, **options):
    return run(os.path.join(HERE, name), *arguments, **options)


def kubectl(*arguments, **options):
    return script("kubectl", *arguments, **options)


def wait_for(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds} s")
        time.sleep(0.05)
    return value


def deployment(name, image, labels, replicas=1, command=None, environment=()):
    container = {"name": "app", "image": image, "imagePullPolicy": "Never",
                 "env": [{"name": key, "value": value} for key, value in environment]}
    if command:
        container["command"] = command
    return json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SHOP},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels},
                              "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}}})


def fairlead_pods():
    return json.loads(kubectl("-n", NAMESPACE, "get", "pods", "-l", "app=fairlead", "-o", "json"))["items"]


def metrics():
    """The page of the one agent that serves."""
    address = [pod["status"]["podIP"] for pod in fairlead_pods()
               if pod["status"].get("podIP") and "deletionTimestamp" not in pod["metadata"]][0]
    return script("node", "curl", "-s", "-m", "5", f"http://{address}:15020/metrics")


def process_of(program):
    """Its number on this machine: of the newest process of the pod that serves. The proxy's parent is not it."""
    uid = fairlead_pods()[0]["metadata"]["uid"]
    found = []
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        try:
            with open(path, encoding="utf-8") as file:
                is_ours = uid in file.read()
            with open(os.path.join(os.path.dirname(path), "comm"), encoding="utf-8") as file:
                if is_ours and file.read().strip() == program:
                    found.append(int(path.split("/")[2]))
        except OSError:
            continue
    return max(found)


class Cluster(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        script("crds")
        programs = [f"{PROGRAMS}/{name}:/usr/bin/{name}" for name in ("fairlead-agent", "fairlead-proxy", "fairlead")]
        for tag in ("0.1.0", "next"):
            script("image", "--libraries", f"localhost/fairlead:{tag}", *programs)
        script("image", "localhost/greeter:test", f"{CACHE}/bin/greeter:/greeter")
        script("image", "--libraries", "--entrypoint", "/bin/bash", "localhost/tools:test", "/bin/bash", "/bin/sleep",
               "/usr/bin/curl", programs[2])
        kubectl("apply", "-f", "-", stdin=DOCUMENTS)
        for text in (deployment("greeter-v1", "localhost/greeter:test", {"app": "greeter", "version": "v1"}, replicas=2,
                                environment=[("VERSION", "v1")]),
                     deployment("greeter-v2", "localhost/greeter:test", {"app": "greeter", "version": "v2"},
                                environment=[("VERSION", "v2"), ("DELAY", "2s")]),
                     deployment("client", "localhost/tools:test", {"app": "client"}, command=["/bin/sleep", "infinity"])):
            kubectl("apply", "-f", "-", stdin=text)
        kubectl("apply", "-k", KUBERNETES)
        for name in ("greeter-v1", "greeter-v2", "client"):
            kubectl("-n", SHOP, "rollout", "status", "deployment/" + name, "--timeout=60s")
        kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/fairlead", "--timeout=60s")
        cls.client = kubectl("-n", SHOP, "get", "pods", "-l", "app=client", "-o",
                             "jsonpath={.items[0].metadata.name}")

    @classmethod
    def tearDownClass(cls):
        kubectl("delete", "-k", KUBERNETES, "--ignore-not-found", "--wait", check=False)
        kubectl("delete", "namespace", SHOP, "--wait=false", check=False)

    def ask(self, path="/"):
        """(status, body) as the client's curl sees it."""
        out = kubectl("-n", SHOP, "exec", self.client, "--", "curl", "-s", "-m", "10", "-w", "\n%{http_code}",
                      URL + path)
        body, _, status = out.rpartition("\n")
        return int(status), body

    def sockets(self):
        """Of the client's network namespace."""
        return kubectl("-n", SHOP, "exec", self.client, "--", "bash", "-c", 'echo "$(</proc/net/tcp) $(</proc/net/tcp6)"')

    def is_captured(self):
        return self.ask("/slow")[0] == 504

    def under_load(self, action, seconds=6):
        """What `fairlead load` in the client's pod says of the time around `action`."""
        output = []
        thread = threading.Thread(target=lambda: output.append(
            kubectl("-n", SHOP, "exec", self.client, "--", "fairlead", "load", "-c", "8", "-qps", "200", "-t",
                    f"{seconds}s", URL + "/")))
        before = self.requests()
        thread.start()
        wait_for("requests", lambda: self.requests() > before)
        action()
        thread.join()
        return re.findall(r"^Code .*", output[0], re.M)

    @staticmethod
    def requests():
        return sum(int(value) for value in re.findall(r'^fairlead_pod_requests_total{.*} (\d+)$', metrics(), re.M))

    def assert_all_answered(self, codes):
        self.assertEqual(len(codes), 1, codes)
        self.assertRegex(codes[0], r"^Code 200 : \d+ \(100\.0 %\)$")

    def test_policies_hold_and_rows_name_the_pod(self):
        status, body = self.ask("/slow")
        self.assertEqual((status, body), (504, "upstream request timeout"))
        status, body = self.ask()
        self.assertEqual(status, 200)
        self.assertRegex(body, r"^v1 greeter-v1-")
        page = wait_for("rows", lambda: page if 'response_code="504"' in (page := metrics()) else None)
        self.assertIn(f'fairlead_pod_requests_total{{source_namespace="{SHOP}",source_pod="{self.client}",'
                      'destination_service="greeter.shop.svc.cluster.local",response_code="504",response_flags="UT"}',
                      page)
        row = next(line for line in page.splitlines()
                   if line.startswith('istio_requests_total{reporter="source"') and 'response_code="504"' in line)
        for label in ('source_workload="client"', 'source_workload_namespace="shop"',
                      'destination_workload="greeter-v2"', 'destination_version="v2"',
                      'destination_service="greeter.shop.svc.cluster.local"', 'response_flags="UT"'):
            self.assertIn(label, row)
        self.assertRegex(page, r'fairlead_endpoint_attempts_total{[^}]*destination_pod="greeter-v1-')

    def test_opting_out_and_in_is_in_force_within_a_second(self):
        self.assertTrue(self.is_captured())
        kubectl("label", "namespace", SHOP, "fairlead.dev/mode-")
        wait_for("traffic that passes", lambda: 'fairlead_pods{state="redirected"} 0' in metrics(), 1)
        self.assertEqual(self.ask("/slow")[0], 200)
        kubectl("label", "namespace", SHOP, "fairlead.dev/mode=enabled")
        wait_for("captured pods", lambda: 'fairlead_pods{state="redirected"} 4' in metrics(), 1)
        self.assertTrue(self.is_captured())

    def test_a_pod_is_captured_before_its_first_connection(self):
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", "hasty", "--wait=false")
        container = {"name": "app", "image": "localhost/tools:test", "imagePullPolicy": "Never",
                     "command": ["/usr/bin/curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}",
                                 URL + "/slow"]}
        kubectl("apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hasty", "namespace": SHOP},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}}))
        wait_for("end of the pod", lambda: kubectl("-n", SHOP, "get", "pod", "hasty", "-o",
                                                   "jsonpath={.status.phase}") == "Succeeded")
        self.assertEqual(kubectl("-n", SHOP, "logs", "hasty"), "504")

    def test_no_connection_is_refused_when_the_proxy_is_killed(self):
        codes = self.under_load(lambda: os.kill(process_of("fairlead-proxy"), 9))
        answered = sum(int(count) for count in re.findall(r"Code 200 : (\d+)", " ".join(codes)))
        lost = sum(int(count) for count in re.findall(r"Code +-1 : (\d+)", " ".join(codes)))
        self.assertGreater(answered, 1000)
        self.assertLessEqual(lost, 8, "only what the proxy had in its hands")
        self.assertTrue(self.is_captured())

    def test_requests_go_on_when_the_agent_is_killed(self):
        self.assert_all_answered(self.under_load(lambda: os.kill(process_of("fairlead-agent"), 9)))
        wait_for("ready pod", lambda: all(each["ready"] for each in fairlead_pods()[0]["status"]["containerStatuses"]))
        self.assertTrue(self.is_captured())

    def test_no_request_fails_during_a_rolling_update(self):
        def update():
            kubectl("-n", NAMESPACE, "set", "image", "daemonset/fairlead", "agent=localhost/fairlead:next",
                    "proxy=localhost/fairlead:next")
            kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/fairlead", "--timeout=60s")
        self.assert_all_answered(self.under_load(update, seconds=10))
        wait_for("end of the old pod", lambda: len(fairlead_pods()) == 1)
        self.assertTrue(self.is_captured())

    def test_another_installation_on_the_node_is_refused(self):
        before = fairlead_pods()[0]["metadata"]["uid"]
        self.addCleanup(kubectl, "-n", NAMESPACE, "delete", "daemonset", "other", "--wait")
        other = json.loads(kubectl("-n", NAMESPACE, "get", "daemonset", "fairlead", "-o", "json"))
        other["metadata"] = {"name": "other", "namespace": NAMESPACE}
        other["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
        arguments = other["spec"]["template"]["spec"]["containers"][0]["args"]
        arguments[arguments.index("--owner=$(POD_NAMESPACE)/fairlead")] = "--owner=$(POD_NAMESPACE)/other"
        kubectl("apply", "-f", "-", stdin=json.dumps(other))

        def said():
            return kubectl("-n", NAMESPACE, "logs", "-l", "app=other", "-c", "agent", "--tail=-1", check=False)
        wait_for("refusal", lambda: "this node is served by an agent of fairlead-system/fairlead" in said())
        self.assertEqual(fairlead_pods()[0]["metadata"]["uid"], before)
        self.assertTrue(self.is_captured())

    def test_uninstalling_leaves_nothing_and_fails_nothing(self):
        self.addCleanup(kubectl, "-n", NAMESPACE, "rollout", "status", "daemonset/fairlead", "--timeout=60s")
        self.addCleanup(kubectl, "apply", "-k", KUBERNETES)
        self.assertRegex(self.sockets(), LISTENER)
        codes = self.under_load(lambda: kubectl("-n", NAMESPACE, "delete", "daemonset", "fairlead", "--wait"))
        self.assert_all_answered(codes)
        wait_for("end of the pod", lambda: not fairlead_pods())
        self.assertEqual(self.ask("/slow")[0], 200)
        self.assertNotIn("fairlead", script("node", "ls", "/sys/fs/bpf"))
        self.assertEqual(glob.glob("/sys/fs/cgroup/unified/fairlead") + glob.glob("/sys/fs/cgroup/fairlead"), [])
        self.assertNotRegex(self.sockets(), LISTENER)


if __name__ == "__main__":
    PROGRAMS = sys.argv.pop(1)
    unittest.main(verbosity=2)
