"""What tests of Fairlead for pods share: a namespace "shop" with a service and its clients, and Fairlead installed."""
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import unittest

from waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
KUBERNETES = os.path.join(HERE, "..", "..", "deploy", "kubernetes")
CACHE = os.environ.get("FAIRLEAD_CLUSTER_CACHE",
                       os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "fairlead-cluster"))
STATE = os.environ.get("FAIRLEAD_CLUSTER_STATE", "/var/lib/fairlead-cluster")
NAMESPACE = "fairlead-system"
SHOP = "shop"
URL = "http://greeter:3000"
TOOLS = "localhost/tools:test"
GREETER = "localhost/greeter:test"
LISTENER = r":3A99 0+:0000 0A "  # port 15001, listening, as /proc/net/tcp has it
CAPTURED, PASSED = "418", "200"  # what a request for /marked is answered
PROGRAMS = None                  # folder of Fairlead's; main() sets it

DOCUMENTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {fairlead.dev/mode: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: greeter, namespace: shop}
spec: {selector: {app: greeter}, ports: [{name: http, port: 3000, targetPort: 8080}]}
"""
POLICIES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [greeter]
  http:
  - match: [{uri: {prefix: /marked}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    route: [{destination: {host: greeter, subset: v1}}]
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


def apply(*objects):
    kubectl("apply", "-f", "-", stdin="\n---\n".join(each if isinstance(each, str) else json.dumps(each)
                                                     for each in objects))


def get(*arguments):
    return json.loads(kubectl("-n", SHOP, "get", *arguments, "-o", "json"))


def container(name="app", image=TOOLS, command=("/bin/sleep", "infinity"), environment=(), **more):
    made = {"name": name, "image": image, "imagePullPolicy": "Never",
            "env": [{"name": key, "value": value} for key, value in environment], **more}
    if command:
        made["command"] = list(command)
    return made


def bash(text):
    return ["/bin/bash", "-c", text]


def pod_spec(*containers, **more):
    return {"terminationGracePeriodSeconds": 0, "containers": list(containers or [container()]), **more}


def pod(name, spec, labels=None, annotations=None, namespace=SHOP):
    return {"apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": annotations or {}}}


def deployment(name, labels, spec, replicas=1, namespace=SHOP):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": spec}}}


def service(name, selector, ports, namespace=SHOP, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": selector, "ports": ports, **spec}}


def virtual_service(name, hosts, http, namespace=SHOP, version="v1", **spec):
    return {"apiVersion": "networking.istio.io/" + version, "kind": "VirtualService",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"hosts": hosts, "http": http, **spec}}


def marks(host, **match):
    """A rule that answers 418 for the host."""
    rule = {"fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 418}},
            "route": [{"destination": {"host": host}}]}
    return {**rule, "match": [match]} if match else rule


# --- Fairlead ---

def build_images():
    programs = [os.path.join(PROGRAMS, name) for name in ("fairlead-agent", "fairlead-proxy", "fairlead")]
    digest = hashlib.sha256()
    for path in programs:
        with open(path, "rb") as file:
            digest.update(file.read())
    done = os.path.join(STATE, "shop-images")
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            if file.read() == digest.hexdigest():
                return
    in_image = [f"{path}:/usr/bin/{os.path.basename(path)}" for path in programs]
    for tag in ("0.1.0", "next"):
        script("image", "--libraries", f"localhost/fairlead:{tag}", *in_image)
    script("image", GREETER, f"{CACHE}/bin/greeter:/greeter")
    script("image", "--libraries", "--entrypoint", "/bin/bash", TOOLS, "/bin/bash", "/bin/sleep", "/usr/bin/curl",
           in_image[2])
    with open(done, "w", encoding="utf-8") as file:
        file.write(digest.hexdigest())


def install(wait=True):
    kubectl("apply", "-k", KUBERNETES)
    if wait:
        wait_until_installed()


def wait_until_installed():
    kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/fairlead", "--timeout=90s")


def uninstall():
    kubectl("delete", "-k", KUBERNETES, "--ignore-not-found", "--wait")


def fairlead_pods():
    return json.loads(kubectl("-n", NAMESPACE, "get", "pods", "-l", "app=fairlead", "-o", "json"))["items"]


def page(path):
    """Of the one agent that serves."""
    address = [each["status"]["podIP"] for each in fairlead_pods()
               if each["status"].get("podIP") and "deletionTimestamp" not in each["metadata"]][0]
    return script("node", "curl", "-s", "-m", "5", f"http://{address}:15020{path}")


def metrics():
    return page("/metrics")


def states():
    """Of the pods that the agent knows: {namespace/name: (state, reason)}."""
    return {f'{each["namespace"]}/{each["name"]}': (each["state"], each["reason"])
            for each in json.loads(page("/config_dump"))["pods"]}


def agent_log():
    return kubectl("-n", NAMESPACE, "logs", "-l", "app=fairlead", "-c", "agent", "--tail=-1")


# --- on this machine ---

def processes_of(uid, program=None):
    """Numbers on this machine of the processes of a pod, the oldest first."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        folder = os.path.dirname(path)
        try:
            with open(path, encoding="utf-8") as file:
                is_its = uid in file.read()
            with open(os.path.join(folder, "comm"), encoding="utf-8") as file:
                is_meant = program is None or file.read().strip() == program
        except OSError:
            continue
        if is_its and is_meant:
            found.append(int(os.path.basename(folder)))
    return sorted(found)


def fairlead_process(program):
    """The newest one of the pod that serves: the proxy's parent is not it."""
    return processes_of(fairlead_pods()[0]["metadata"]["uid"], program)[-1]


def pod_cgroup(uid):
    """Of the cgroup2 hierarchy."""
    for root in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        for found in glob.glob(f"{root}/kubepods/*/pod{uid}") + glob.glob(f"{root}/kubepods/pod{uid}"):
            if os.path.exists(f"{found}/cgroup.events"):
                return found
    raise AssertionError(f"no cgroup of pod {uid}")


def hooks(uid):
    """Fairlead's programs that a connect() of this pod runs."""
    ours = {"connect4", "connect6", "caller_events"}
    return ours & set(run("bpftool", "cgroup", "show", pod_cgroup(uid), "effective").split())


def python_image():
    """The name of an image with the machine's Python, and its program."""
    python = os.path.realpath("/usr/bin/python3")
    version = os.path.basename(python)
    script("image", "--libraries", "--entrypoint", python, "localhost/python:test", python,
           f"/usr/lib/{version}:/usr/lib/{version}")
    return "localhost/python:test", python


class Session:
    """A shell in a pod that sends one request after the other on one connection of its own."""
    SCRIPT = r"""
exec 3<>/dev/tcp/$0/$1
while read -r path; do
  printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n' "$path" "$0" "$1" >&3
  length=0
  read -r -u 3 _ status _ || exit
  while read -r -u 3 header && [ "$header" != $'\r' ]; do
    case ${header,,} in content-length:*) length=${header#*: }; length=${length%$'\r'};; esac
  done
  [ "$length" = 0 ] || read -r -N "$length" -u 3 _
  echo "$status"
done
"""

    def __init__(self, pod_name, host="greeter", port="3000"):
        self.process = subprocess.Popen([os.path.join(HERE, "kubectl"), "-n", SHOP, "exec", "-i", pod_name, "--", "bash",
                                         "-c", self.SCRIPT, host, port],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, path="/marked"):
        self.process.stdin.write(path + "\n")
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=20)


class Shop(unittest.TestCase):
    """Fairlead installed, and in the namespace "shop" the service greeter (v1 twice, v2 slow) and a client of it."""
    maxDiff = None
    HAS_POLICIES = True

    @classmethod
    def setUpClass(cls):
        build_images()
        apply(DOCUMENTS,
              deployment("greeter-v1", {"app": "greeter", "version": "v1"},
                         pod_spec(container(image=GREETER, command=None, environment=[("VERSION", "v1")])), replicas=2),
              deployment("greeter-v2", {"app": "greeter", "version": "v2"},
                         pod_spec(container(image=GREETER, command=None,
                                            environment=[("VERSION", "v2"), ("DELAY", "2s")]))),
              deployment("client", {"app": "client"}, pod_spec()))
        cls.addClassCleanup(kubectl, "delete", "namespace", SHOP, "--wait")
        if cls.HAS_POLICIES:
            script("crds")
            apply(POLICIES)
        install(wait=False)
        cls.addClassCleanup(uninstall)
        for name in ("greeter-v1", "greeter-v2", "client"):
            kubectl("-n", SHOP, "rollout", "status", "deployment/" + name, "--timeout=90s")
        wait_until_installed()
        cls.client = get("pods", "-l", "app=client")["items"][0]["metadata"]["name"]
        if cls.HAS_POLICIES:
            wait_for("captured pods", lambda: answer(cls.client) == CAPTURED)

    def run(self, result=None):
        """What the agent has to say of a test that fails is kept with the logs of the node."""
        failed = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) == failed:
            return
        for name, text in (("log", agent_log), ("json", lambda: page("/config_dump"))):
            with open(os.path.join(STATE, "log", f"{self._testMethodName}.{name}"), "w", encoding="utf-8") as file:
                try:
                    file.write(text())
                except (AssertionError, LookupError) as error:
                    file.write(str(error))

    def answer(self, url=URL + "/marked"):
        return answer(self.client, url)

    def ask(self, path="/"):
        """(status, body) as the client's curl sees it."""
        out = execute(self.client, "curl", "-s", "-m", "10", "-w", "\n%{http_code}", URL + path)
        body, _, status = out.rpartition("\n")
        return int(status), body

    def sockets(self):
        """Of the client's network namespace."""
        return execute(self.client, *bash('echo "$(</proc/net/tcp)"; echo "$(</proc/net/tcp6)"'))

    def under_load(self, action, seconds=6):
        """What `fairlead load`, in a pod of its own, says of the time around `action`."""
        command = ["/usr/bin/fairlead", "load", "-c", "8", "-qps", "200", "-t", f"{seconds}s", URL + "/"]
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", "load", "--wait", "--ignore-not-found")
        kubectl("-n", SHOP, "delete", "pod", "load", "--wait", "--ignore-not-found")
        apply(pod("load", pod_spec(container(command=command), restartPolicy="Never")))
        uid = get("pod", "load")["metadata"]["uid"]

        def connections():
            for process in processes_of(uid, "fairlead"):
                with open(f"/proc/{process}/net/tcp", encoding="utf-8") as file:
                    return len(re.findall(r"^ +\d+: \S+ \S+:3A99 01 ", file.read(), re.M))
            return 0
        wait_for("connections", lambda: connections() >= 8)
        action()
        wait_for("end of the load", lambda: get("pod", "load")["status"]["phase"] in ("Succeeded", "Failed"), 60)
        return re.findall(r"^Code .*", kubectl("-n", SHOP, "logs", "load"), re.M)

    def assert_all_answered(self, codes):
        self.assertEqual(len(codes), 1, codes)
        self.assertRegex(codes[0], r"^Code 200 : \d+ \(100\.0 %\)$")

    def run_to_end(self, *pods, seconds=60):
        """Makes the pods, waits for their end and returns what each has written."""
        for each in pods:
            self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", each["metadata"]["name"], "--wait=false",
                            "--ignore-not-found")
            each["spec"]["restartPolicy"] = "Never"
        apply(*pods)
        names = [each["metadata"]["name"] for each in pods]
        for name in names:
            wait_for("end of " + name, lambda name=name: get("pod", name)["status"]["phase"] in ("Succeeded", "Failed"),
                     seconds)
        return [kubectl("-n", SHOP, "logs", name, "--all-containers", "--prefix=false") for name in names]


def execute(pod_name, *command, **options):
    return kubectl("-n", SHOP, "exec", pod_name, "--", *command, **options)


def curl(url=URL + "/marked"):
    """A command that writes the status of the answer."""
    return ["/usr/bin/curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", url]


def answer(pod_name, url=URL + "/marked"):
    """The status of the answer; "000": there was none."""
    return execute(pod_name, *curl(url), check=False)


def main():
    global PROGRAMS  # pylint: disable=global-statement
    PROGRAMS = sys.argv.pop(1)
    unittest.main(module="__main__", verbosity=2)
