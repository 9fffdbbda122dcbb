#!/usr/bin/python3
"""What deploy/ installs: rendered by kustomize and by a real helm, taken by a real API server.
usage: deploy_test.py FAIRLEAD     the program, with the others beside it; in the environment: FAIRLEAD_CLUSTER_STATE of a running control plane"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
DEPLOY = os.path.join(HERE, "..", "..", "deploy")
BASE = os.path.join(DEPLOY, "kubernetes")
CHART = os.path.join(DEPLOY, "helm", "fairlead")
NAMESPACE = "fairlead-system"
AGENT = f"system:serviceaccount:{NAMESPACE}:fairlead-agent"
FAIRLEAD = None


def run(*command, stdin=None, check=True):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}{done.stdout}")
    return done


def kubectl(*arguments, **options):
    return run(os.path.join(HERE, "kubectl"), *arguments, **options)


def helm(*arguments, **options):
    return run(os.path.join(HERE, "helm"), *arguments, **options)


def documents(text):
    """{(kind, name): object}, without the namespaces that an object of no namespace cannot have."""
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text) if each}


def kustomized(folder=BASE):
    return documents(kubectl("kustomize", folder).stdout)


def charted(*arguments):
    return documents(helm("template", "fairlead", CHART, "--namespace", NAMESPACE, "--kube-version", "1.30.0",
                          *arguments).stdout)


def with_settings_read(objects):
    """YAML in a ConfigMap may be written in two ways that mean the same."""
    data = objects["ConfigMap", "fairlead-settings"]["data"]
    data["settings.yaml"] = yaml.safe_load(data["settings.yaml"])
    return objects


def pod_spec(objects):
    return objects["DaemonSet", "fairlead"]["spec"]["template"]["spec"]


class RenderingTest(unittest.TestCase):
    maxDiff = None

    def test_the_chart_gives_the_same_objects_as_kustomize(self):
        base, chart = with_settings_read(kustomized()), with_settings_read(charted())
        del base["Namespace", NAMESPACE]  # Helm wants it first
        self.assertEqual(sorted(chart), sorted(base))
        for key, expected in base.items():
            with self.subTest(key):
                self.assertEqual(chart[key], expected)

    def test_so_does_the_pod_monitor_of_each(self):
        with tempfile.TemporaryDirectory(dir=DEPLOY) as folder:
            with open(os.path.join(folder, "kustomization.yaml"), "w", encoding="utf-8") as file:
                yaml.safe_dump({"resources": ["../kubernetes"],
                                "components": ["../kubernetes/prometheus-operator"]}, file)
            base = kustomized(folder)
        base["PodMonitor", "fairlead"]["metadata"]["namespace"] = NAMESPACE
        self.assertEqual(charted("--set", "podMonitor.enabled=true")["PodMonitor", "fairlead"],
                         base["PodMonitor", "fairlead"])

    def test_values_reach_the_objects(self):
        digest = "sha256:" + "0" * 64
        objects = charted("--set", "image.repository=registry.example/fairlead,image.digest=" + digest,
                          "--set", "settings.admin.address=[::]:9100", "--set", "settings.semantics=legacy",
                          "--set", "proxy.resources.limits.memory=2Gi", "--set", "podLabels.team=net",
                          "--set", "podAnnotations.note=x", "--set", "networkPolicy.enabled=false",
                          "--set", "priorityClassName=", "--set", "imagePullSecrets[0].name=registry")
        template = objects["DaemonSet", "fairlead"]["spec"]["template"]
        agent, proxy = template["spec"]["containers"]
        self.assertEqual({agent["image"], proxy["image"]}, {"registry.example/fairlead@" + digest})
        self.assertEqual(agent["ports"][0]["containerPort"], 9100)
        self.assertEqual(template["metadata"]["annotations"]["prometheus.io/port"], "9100")
        self.assertEqual(template["metadata"]["annotations"]["note"], "x")
        self.assertEqual(template["metadata"]["labels"]["team"], "net")
        self.assertEqual(proxy["resources"]["limits"]["memory"], "2Gi")
        self.assertEqual(template["spec"]["imagePullSecrets"], [{"name": "registry"}])
        self.assertNotIn("priorityClassName", template["spec"])
        self.assertNotIn(("NetworkPolicy", "fairlead"), objects)
        self.assertNotIn(("ResourceQuota", "fairlead-critical-pods"), objects)
        settings = with_settings_read(objects)["ConfigMap", "fairlead-settings"]["data"]["settings.yaml"]
        self.assertEqual(settings["spec"], {"admin": {"address": "[::]:9100"}, "semantics": "legacy"})

    def test_misspelt_values_are_refused(self):
        for value in ("image.repo=x", "tolerations=all", "image.pullPolicy=Sometimes", "podmonitor.enabled=true",
                      "settings.admin.address=everywhere", "networkPolicy.from=null"):
            with self.subTest(value):
                done = helm("template", "fairlead", CHART, "--kube-version", "1.30.0", "--set", value, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("values don't meet the specifications of the schema", done.stderr)

    def test_every_value_is_described_by_the_schema(self):
        with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
            values = yaml.safe_load(file)
        with open(os.path.join(CHART, "values.schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        self.assertEqual(set(values) - set(schema["properties"]), set())

    def test_every_value_is_documented(self):
        with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
            values = yaml.safe_load(file)
        with open(os.path.join(CHART, "README.md"), encoding="utf-8") as file:
            documented = set(re.findall(r"`([\w.]+)`", "".join(line.split("|")[1] for line in file if line.startswith("| `"))))
        names = set()
        for name, value in values.items():
            is_group = isinstance(value, dict) and value and name not in ("settings", "nodeSelector")
            names |= {f"{name}.{below}" for below in value} if is_group else {name}
        self.assertEqual(documented, names)

    def test_helm_lint_finds_nothing(self):
        self.assertIn("0 chart(s) failed", helm("lint", "--strict", CHART).stdout)

    def test_the_settings_are_ones_that_the_agent_takes(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(kustomized()["ConfigMap", "fairlead-settings"]["data"]["settings.yaml"])
            file.flush()
            run(FAIRLEAD, "analyze", "-f", file.name)


class RightsTest(unittest.TestCase):
    """Of the containers, as rendered."""

    def test_the_proxy_has_none(self):
        proxy = pod_spec(kustomized())["containers"][1]
        self.assertEqual(proxy["securityContext"], {
            "runAsUser": 65532, "runAsGroup": 65532, "runAsNonRoot": True, "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "Unconfined"}})  # its own filter is narrower: tests/node/sandbox_test
        self.assertEqual([mount["name"] for mount in proxy["volumeMounts"]], ["runtime"])

    def test_the_agent_has_six_capabilities_and_is_not_privileged(self):
        agent = pod_spec(kustomized())["containers"][0]
        self.assertEqual(agent["securityContext"]["capabilities"],
                         {"drop": ["ALL"], "add": ["BPF", "PERFMON", "NET_ADMIN", "SYS_ADMIN", "DAC_OVERRIDE",
                                                     "SYS_PTRACE"]})
        self.assertFalse(agent["securityContext"]["privileged"])
        self.assertTrue(agent["securityContext"]["readOnlyRootFilesystem"])

    def test_no_namespace_of_the_node_is_shared(self):
        spec = pod_spec(kustomized())
        self.assertEqual({"hostNetwork", "hostPID", "hostIPC"} & set(spec), set())
        self.assertFalse(spec["automountServiceAccountToken"])


class ImageTest(unittest.TestCase):
    """What deploy/image/Dockerfile runs, without a container engine."""
    PROGRAMS = ["usr/bin/fairlead", "usr/bin/fairlead-agent", "usr/bin/fairlead-proxy"]
    MOST_BYTES = 40_000_000

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = folder.name
        os.chmod(cls.root, 0o755)
        run(os.path.join(DEPLOY, "image", "assemble"), os.path.dirname(FAIRLEAD), cls.root)
        cls.files = sorted(os.path.relpath(os.path.join(folder, name), cls.root)
                           for folder, _, names in os.walk(cls.root) for name in names)

    def test_it_has_the_three_programs_and_libraries_alone(self):
        libraries = [file for file in self.files if file not in self.PROGRAMS]
        self.assertEqual([file for file in self.files if file in self.PROGRAMS], self.PROGRAMS)
        self.assertEqual([file for file in libraries if not os.path.basename(file).startswith(("lib", "ld-linux"))], [])
        self.assertFalse([file for file in self.files if os.path.islink(os.path.join(self.root, file))])

    def test_the_programs_run_in_it(self):
        for program, said in zip(self.PROGRAMS, ("Usage: fairlead", "Usage: /usr/bin/fairlead-agent",
                                                 "fairlead-proxy: unknown option --help")):
            with self.subTest(program):
                done = run("chroot", "--userspec=65532:65532", self.root, "/" + program, "--help", check=False)
                self.assertIn(said, done.stdout + done.stderr)

    def test_it_is_small(self):
        size = sum(os.path.getsize(os.path.join(self.root, file)) for file in self.files)
        print(f"the image has {size / 1e6:.1f} MB", file=sys.stderr)
        self.assertLess(size, self.MOST_BYTES)

    def test_the_dockerfile_runs_scripts_that_are_there_and_ends_without_root(self):
        with open(os.path.join(DEPLOY, "image", "Dockerfile"), encoding="utf-8") as file:
            lines = [line.split() for line in file.read().replace("\\\n", " ").splitlines()
                     if line and not line.startswith("#")]
        for words in lines:
            for word in words[1:] if words[0] == "RUN" else []:
                if "/" in word and not word.startswith("/"):
                    self.assertTrue(os.access(os.path.join(DEPLOY, "..", word), os.X_OK), word)
        self.assertEqual([words[1] for words in lines if words[0] == "FROM"], ["${BASE}", "scratch"])
        self.assertIn(["USER", "65532:65532"], lines)


class SystemdTest(unittest.TestCase):
    """The unit for hosts without Kubernetes."""

    def test_systemd_takes_it(self):
        with open(os.path.join(DEPLOY, "systemd", "fairlead.service"), encoding="utf-8") as file:
            unit = file.read()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "fairlead.service")
            with open(path, "w", encoding="utf-8") as file:
                file.write(unit.replace("/usr/bin/fairlead-agent", os.path.join(os.path.dirname(FAIRLEAD), "fairlead-agent")))
            done = run("systemd-analyze", "verify", "--man=no", path)
        self.assertEqual([line for line in (done.stdout + done.stderr).splitlines() if "fairlead" in line], [])


class ApiServerTest(unittest.TestCase):
    """A real API server takes all of it, grants what is needed and no more, and is clean afterwards."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(kubectl, "delete", "-k", BASE, "--ignore-not-found", "--wait")
        kubectl("apply", "--server-side", "--validate=strict", "-k", BASE)

    def reviewed(self, requests):
        """{request: whether the agent's service account may}, for (verb, group, resource, namespace, name)."""
        reviews = []
        for verb, group, resource, namespace, name in requests:
            plural, _, subresource = resource.partition("/")
            attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource,
                          "namespace": namespace, "name": name}
            reviews.append({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                            "spec": {"user": AGENT, "groups": ["system:serviceaccounts", "system:authenticated"],
                                     "resourceAttributes": attributes}})
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
        answers = kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed}{'\\n'}", stdin=listed).stdout.split("\n")
        return {request: answer == "true" for request, answer in zip(requests, answers)}

    def test_the_agent_may_do_what_it_does(self):
        istio = "networking.istio.io"
        policies = ("virtualservices", "destinationrules", "serviceentries")
        requests = [(verb, "", resource, "", "") for verb in ("list", "watch")
                    for resource in ("pods", "services", "namespaces", "nodes")]
        requests += [(verb, "discovery.k8s.io", "endpointslices", "shop", "") for verb in ("list", "watch")]
        requests += [(verb, istio, kind, "", "") for verb in ("list", "watch") for kind in policies]
        requests += [("patch", istio, kind + "/status", "shop", "x") for kind in policies]
        requests += [(verb, "events.k8s.io", "events", "shop", "") for verb in ("create", "patch")]
        requests += [(verb, "coordination.k8s.io", "leases", NAMESPACE, "fairlead-status")
                     for verb in ("get", "create", "update")]
        self.assertEqual(self.reviewed(requests), {request: True for request in requests})

    def test_the_agent_may_do_nothing_else(self):
        istio = "networking.istio.io"
        requests = [(verb, "", resource, namespace, "") for resource in ("secrets", "configmaps")
                    for verb in ("get", "list", "watch") for namespace in ("default", NAMESPACE)]
        requests += [(verb, "", "pods", NAMESPACE, "x") for verb in ("create", "update", "patch", "delete", "get")]
        requests += [("create", "", "pods/exec", NAMESPACE, "x"), ("get", "", "pods/log", NAMESPACE, "x"),
                     ("get", "", "nodes/proxy", "", "x"), ("patch", "", "nodes", "", "x"),
                     ("patch", "", "namespaces", "", "x"), ("create", "", "serviceaccounts/token", NAMESPACE, "x"),
                     ("impersonate", "", "users", "", "x"), ("list", "apps", "daemonsets", NAMESPACE, ""),
                     ("list", "rbac.authorization.k8s.io", "clusterroles", "", ""),
                     ("update", istio, "virtualservices", "shop", "x"), ("patch", istio, "virtualservices", "shop", "x"),
                     ("delete", istio, "virtualservices", "shop", "x"), ("list", istio, "gateways", "", ""),
                     ("get", "coordination.k8s.io", "leases", "kube-system", "fairlead-status"),
                     ("update", "coordination.k8s.io", "leases", NAMESPACE, "other")]
        self.assertEqual(self.reviewed(requests), {request: False for request in requests})

    def test_a_node_that_nobody_may_use_gets_its_pod(self):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "kept-away",
                                                                 "labels": {"kubernetes.io/os": "linux"}},
                "spec": {"taints": [{"key": "dedicated", "value": "x", "effect": "NoExecute"}]}}
        kubectl("apply", "-f", "-", stdin=json.dumps(node))
        self.addCleanup(kubectl, "delete", "node", "kept-away", "--wait=false")

        def pod():
            return json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", "app=fairlead", "-o", "json").stdout)["items"]
        spec = wait_for("pod", pod)[0]["spec"]
        # Admitted by the namespace's pod security level, the quota and the priority class.
        self.assertEqual((spec["priorityClassName"], spec["priority"]), ("system-node-critical", 2000001000))
        self.assertEqual([volume["name"] for volume in spec["volumes"]],
                         ["runtime", "settings", "api-access", "host-cgroup", "host-proc", "host-bpf", "host-run"])

    def test_an_update_starts_the_next_pod_first(self):
        strategy = json.loads(kubectl("get", "daemonset", "fairlead", "-n", NAMESPACE, "-o", "json").stdout)
        self.assertEqual(strategy["spec"]["updateStrategy"],
                         {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})


class HelmInstallTest(unittest.TestCase):
    def test_helm_installs_upgrades_and_removes(self):
        self.addCleanup(kubectl, "delete", "namespace", "other-place", "--ignore-not-found")
        with open(os.path.join(BASE, "namespace.yaml"), encoding="utf-8") as file:
            namespace = yaml.safe_load(file)
        namespace["metadata"]["name"] = "other-place"
        kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        common = ("--namespace", "other-place")
        helm("install", "fairlead", CHART, *common)
        self.addCleanup(helm, "uninstall", "fairlead", *common, "--ignore-not-found")
        helm("upgrade", "fairlead", CHART, *common, "--set", "image.tag=0.2.0")
        image = kubectl("get", "daemonset", "fairlead", *common, "-o",
                        "jsonpath={.spec.template.spec.containers[0].image}").stdout
        self.assertEqual(image, "localhost/fairlead:0.2.0")
        subject = kubectl("get", "clusterrolebinding", "fairlead-agent", "-o", "jsonpath={.subjects[0].namespace}").stdout
        self.assertEqual(subject, "other-place")
        helm("uninstall", "fairlead", *common)
        left = kubectl("get", "daemonset,configmap,networkpolicy,role,rolebinding,resourcequota", "-l",
                       "app.kubernetes.io/name=fairlead", *common, "-o", "name").stdout
        left += kubectl("get", "clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/name=fairlead", "-o", "name").stdout
        self.assertEqual(left, "")


if __name__ == "__main__":
    FAIRLEAD = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
