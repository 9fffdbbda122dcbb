#!/usr/bin/python3
"""`kubectl fairlead` against a real cluster.
usage: plugin_test.py FOLDER     with the programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import json
import os
import re
import sys
import tempfile
import unittest

import session
from session import kubectl, run, script
from waiting import wait_for

PROGRAMS = None
POLICIES = os.path.join(session.EXAMPLE, "policies")
HOST = "greeter-service.default.svc.cluster.local"
NODE = "fairlead-node"
WRONG = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wrong, namespace: default}
spec:
  hosts: [greeter-service]
  http: [{retries: {attempts: 2, retryOn: "5xx,sometimes"}, route: [{destination: {host: greeter-service}}]}]
"""


def fairlead(*arguments, code=0, env=None, seconds=90):
    """Its standard output; the way a user calls it: kubectl finds kubectl-fairlead in PATH."""
    patience = ["--request-timeout=60s"] if code != 2 else []  # a busy machine is no failure
    done = run("kubectl", "fairlead", *arguments, *patience, check=False, seconds=seconds,
               env={**session.user_environment(PROGRAMS), **(env or {})})
    if done.returncode != code:
        raise AssertionError(f"kubectl fairlead {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if code == 0 or done.stdout else done.stderr


def rows(table):
    """Cells of each line, without the head."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()[1:]]


class BeforeInstallingTest(unittest.TestCase):
    """The cluster has no Fairlead."""

    @classmethod
    def setUpClass(cls):
        script("crds")
        script("images", PROGRAMS)

    def test_check_looks_at_rights_kinds_other_agents_and_every_node(self):
        text = fairlead("check")
        self.assertRegex(text, r"ok +Kubernetes +v1\.37")
        self.assertRegex(text, r"ok +rights to install +all \d+ that were asked for")
        self.assertRegex(text, r"ok +policies +networking\.istio\.io v1")
        self.assertRegex(text, r"ok +other agents +none found")
        self.assertRegex(text, rf"ok +node {NODE} +kernel \d\S+, all of \d+ checks")
        wait_for("end of the Jobs' namespace", lambda: "fairlead-check" not in kubectl("get", "namespaces", "-o", "name"))

    def test_check_needs_no_job_for_what_the_api_server_knows(self):
        findings = json.loads(fairlead("check", "--skip-nodes", "-o", "json"))["findings"]
        self.assertIn("rights to look", [finding["subject"] for finding in findings])
        self.assertFalse([finding for finding in findings if finding["subject"].startswith("node ")])

    def test_check_says_that_an_image_is_not_there(self):
        text = fairlead("check", "--image", "localhost/fairlead:gone", "--timeout", "20s", code=1)
        self.assertRegex(text, rf"missing +node {NODE} +not looked at: Err\w+.*; do: name an image that the node can get")

    def test_check_says_what_its_user_may_not_do(self):
        env = self.user("somebody")
        text = fairlead("check", "--skip-nodes", code=1, env=env)
        self.assertRegex(text, r"missing +rights to install +you may not create namespaces, create clusterroles\.rbac")
        self.assertRegex(text, r"note +rights to look +you may not list pods, get pods/proxy")

    def test_check_finds_a_node_that_another_agent_serves(self):
        self.addCleanup(kubectl, "delete", "namespace", "istio-system", "--wait")
        kubectl("create", "namespace", "istio-system")
        kubectl("apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "ztunnel", "namespace": "istio-system"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"nodeSelector": {"no": "where"}, "containers": [{"name": "a", "image": "localhost/a:b"}]}}}}))
        self.assertRegex(fairlead("check", "--skip-nodes"), r"note +other agents +Istio's ambient mode \(istio-system/ztunnel\)")

    def test_status_says_that_nothing_is_installed(self):
        self.assertIn("there is no pod of Fairlead in the namespace fairlead-system", fairlead("status", code=1))

    def test_wrong_use_ends_with_2(self):
        self.assertIn("Try: kubectl fairlead get --help", fairlead("get", "things", code=2))
        self.assertIn('there is no context named "far"', fairlead("status", "--context", "far", code=2))

    def test_a_cluster_that_does_not_answer_is_named(self):
        config = self.kubeconfig({"server": "https://127.0.0.1:1"}, {"token": "x"})
        self.assertIn("connect to 127.0.0.1:1: Connection refused", fairlead("status", "--kubeconfig", config, code=1))

    def test_who_logs_in_with_a_program_is_known(self):
        """As managed clusters have it: the kubeconfig names a program that prints a token."""
        kubectl("create", "serviceaccount", "robot")
        self.addCleanup(kubectl, "delete", "serviceaccount", "robot")
        token = kubectl("create", "token", "robot").strip()
        credential = json.dumps({"kind": "ExecCredential", "status": {"token": token}})
        config = self.kubeconfig(self.cluster(), {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential],
            "interactiveMode": "Never"}})
        self.assertIn('User "system:serviceaccount:default:robot" cannot list resource "pods"',
                      fairlead("status", code=1, env={"KUBECONFIG": config}))

    def cluster(self):
        return json.loads(kubectl("config", "view", "--raw", "-o", "json"))["clusters"][0]["cluster"]

    def user(self, name):
        """$KUBECONFIG of a service account that may do nothing."""
        kubectl("create", "serviceaccount", name)
        self.addCleanup(kubectl, "delete", "serviceaccount", name)
        return {"KUBECONFIG": self.kubeconfig(self.cluster(), {"token": kubectl("create", "token", name).strip()})}

    def kubeconfig(self, cluster, user):
        file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
                       "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}, file)
        return file.name


class InstalledTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(session.uninstall)
        session.install(PROGRAMS)
        cls.addClassCleanup(session.uninstall_example)
        session.install_example()
        kubectl("-n", "default", "apply", "-f", os.path.join(POLICIES, "timeout.yaml"))
        cls.addClassCleanup(kubectl, "-n", "default", "delete", "-f", os.path.join(POLICIES, "timeout.yaml"))
        cls.web = kubectl("-n", "default", "get", "pods", "-l", "app=helloweb", "-o",
                          "jsonpath={.items[0].metadata.name}")
        # The first call makes the agent follow the service.
        wait_for("service that is followed", lambda: cls.call() and HOST in fairlead("get", "services", "-A"))

    @classmethod
    def call(cls):
        return kubectl("-n", "default", "exec", cls.web, "--", "python3", "-c",
                       "import urllib.request as r; print(r.urlopen('http://greeter-service:3000/hello').read())")

    def test_status_shows_nodes_and_why_pods_are_not_captured(self):
        text = fairlead("status")
        node = rows(text)[0]
        self.assertEqual(node[:2] + node[3:5], [NODE, "0.1.0", "0.1.0 up", "8"])
        self.assertRegex(node[8], r"^\d+m?\d*s$")
        self.assertRegex(text, rf"kube-system(/\S+| \(\d+ pods\)) +{NODE} +skipped +(its namespace has no label|it uses the node's network)")
        self.assertRegex(text, r"\n2 policies, 2 active\n$")
        page = json.loads(fairlead("status", "-o", "json"))
        self.assertEqual([node["node"] for node in page["nodes"]], [NODE])
        self.assertEqual(page["nodes"][0]["config_dump"]["version"], "0.1.0")

    def test_workloads_name_each_pod_with_its_node(self):
        found = rows(fairlead("get", "workloads", "helloweb"))
        pods = json.loads(kubectl("-n", "default", "get", "pods", "-l", "app=helloweb", "-o", "json"))["items"]
        self.assertEqual(sorted(found), sorted(["default/helloweb", pod["metadata"]["name"], NODE, "redirected"] for pod in pods))
        self.assertIn("No workloads in the namespace kube-public", fairlead("get", "workloads", "-n", "kube-public"))
        everywhere = fairlead("get", "workloads", "-A")
        self.assertRegex(everywhere, r"kube-system/coredns +\S+ +fairlead-node +skipped +its namespace has no label")

    def test_services_endpoints_and_policies_are_listed(self):
        self.assertRegex(fairlead("get", "services"), rf"default +{HOST} +3000/http +10\.96\.\d+\.\d+ +{NODE}")
        endpoints = wait_for("endpoints", lambda: found if len(found := rows(fairlead("get", "endpoints", "greeter"))) >= 2 else None)
        addresses = {pod["status"]["podIP"] for pod in json.loads(
            kubectl("-n", "default", "get", "pods", "-l", "app=greeter-service,version=v3", "-o", "json"))["items"]}
        self.assertLessEqual(addresses, {row[4].rsplit(":", 1)[0] for row in endpoints})
        self.assertEqual({row[6] for row in endpoints}, {"healthy"})
        self.assertEqual(sorted(rows(fairlead("get", "policies"))),
                         [["DestinationRule default/greeter-service", "active", "yes", "-"],
                          ["VirtualService default/greeter-service", "active", "yes", "-"]])
        nodes = json.loads(fairlead("get", "policies", "-o", "json"))["nodes"]
        self.assertLessEqual({"VirtualService", "DestinationRule"}, {policy["kind"] for policy in nodes[0]["policies"]})

    def test_describe_says_what_is_enforced_for_whom_and_from_which_object(self):
        text = fairlead("describe", "service", "greeter-service")
        self.assertRegex(text, r"\nFor .*default/helloweb.*\n  port 3000\n")
        self.assertRegex(text, r"1\. every request\n +timeout 500ms; 2 retries on connect-failure,\S+\n +to subset v3\n"
                               r" +from VirtualService default/greeter-service http\[0\]\n")
        self.assertRegex(text, r"subset v3\n +10\.244\.\d+\.\d+:8080, 10\.244\.\d+\.\d+:8080\n +no limits; balanced by "
                               r"LEAST_REQUEST\n +no ejection\n"
                               r" +from DestinationRule default/greeter-service subsets\[2\]\n")
        self.assertEqual(text, fairlead("describe", "service", HOST, "-n", "kube-system"))
        self.assertIn("no captured pod calls a service nobody", fairlead("describe", "service", "nobody", code=1))

    def test_a_wrong_policy_is_shown_with_its_field_and_makes_status_end_with_1(self):
        self.addCleanup(kubectl, "-n", "default", "delete", "virtualservice", "wrong")
        kubectl("apply", "-f", "-", stdin=WRONG)

        def status():
            done = run("kubectl", "fairlead", "status", check=False, env=session.user_environment(PROGRAMS))
            return done.stdout if done.returncode == 1 else None
        text = wait_for("status that is not good", status)
        self.assertRegex(text, r"VirtualService default/wrong +rejected +no +1\n")
        self.assertRegex(text, r'error VirtualService default/wrong: spec\.http\[0\]\.retries\.retryOn: "sometimes"')

    def test_only_the_right_to_ask_pods_through_the_api_server_is_needed(self):
        """A network policy or firewall may close every port; who may get pods/proxy in one namespace sees all this."""
        kubectl("-n", session.NAMESPACE, "create", "serviceaccount", "viewer")
        kubectl("-n", session.NAMESPACE, "create", "role", "viewer", "--verb=get,list", "--resource=pods,pods/proxy")
        kubectl("-n", session.NAMESPACE, "create", "rolebinding", "viewer", "--role=viewer",
                f"--serviceaccount={session.NAMESPACE}:viewer")
        self.addCleanup(kubectl, "-n", session.NAMESPACE, "delete", "serviceaccount,role,rolebinding", "viewer")
        token = kubectl("-n", session.NAMESPACE, "create", "token", "viewer").strip()
        config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            self.assertEqual(rows(fairlead("status", "--kubeconfig", file.name))[0][0], NODE)
            self.assertIn(HOST, fairlead("get", "services", "-A", "--kubeconfig", file.name))

    def test_check_knows_that_it_is_installed(self):
        self.assertRegex(fairlead("check", "--skip-nodes"), r"ok +fairlead +is installed in fairlead-system")

    def test_an_agent_that_does_not_run_is_named_with_the_reason(self):
        """Another installation, whose image is not there."""
        self.addCleanup(kubectl, "delete", "namespace", "broken", "--wait=false")
        kubectl("create", "namespace", "broken")
        kubectl("-n", "broken", "apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fairlead-x", "labels": {"app": "fairlead"}},
            "spec": {"containers": [{"name": "agent", "image": "localhost/gone:1", "imagePullPolicy": "Never"}]}}))

        def status():
            done = run("kubectl", "fairlead", "status", "--fairlead-namespace", "broken", check=False,
                       env=session.user_environment(PROGRAMS))
            return done.stdout if "ErrImageNeverPull" in done.stdout and done.returncode == 1 else None
        text = wait_for("reason", status)
        self.assertRegex(text, rf"error {NODE}: its agent does not run \(agent: ErrImageNeverPull\): kubectl -n broken describe pod")


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
