#!/usr/bin/python3
"""Which services and policies are enforced for whom. On a cluster with both families of addresses.
usage: services_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import shop
from shop import CAPTURED, GREETER, PASSED, SHOP, bash, container, curl, deployment, kubectl, marks, pod, pod_spec
from shop import service, virtual_service, wait_for

NONE = "503"  # no endpoint
GREETERS = {"app": "greeter", "version": "v1"}
HTTP = [{"name": "http", "port": 3000, "targetPort": 8080}]


class WithoutDefinitions(shop.Shop):
    """Istio's resources come after Fairlead."""
    HAS_POLICIES = False

    @classmethod
    def setUpClass(cls):
        kubectl("delete", "crd", "-l", "app=istio-pilot", "--ignore-not-found", "--wait")
        super().setUpClass()

    def test_the_agent_is_ready_without_them_and_picks_them_up(self):
        self.assertNotIn("networking.istio.io", kubectl("api-versions"))
        self.assertEqual(self.answer(), PASSED)
        shop.script("crds")
        shop.apply(shop.POLICIES)
        wait_for("policies in force", lambda: self.answer() == CAPTURED, 25)


class Services(shop.Shop):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.is_dual_stack = len(shop.get("pod", cls.client)["status"]["podIPs"]) == 2

    def make(self, *objects):
        """For the time of a test."""
        kinds = {each["kind"].lower() + "/" + each["metadata"]["name"]: each["metadata"].get("namespace", SHOP)
                 for each in objects}
        for name, namespace in kinds.items():
            self.addCleanup(kubectl, "-n", namespace, "delete", name, "--wait=false", "--ignore-not-found")
        shop.apply(*objects)

    def becomes(self, expected, url, pod_name=None, seconds=5):
        wait_for(f"{expected} from {url}", lambda: shop.answer(pod_name or self.client, url) == expected, seconds)

    def test_cluster_addresses_of_both_families(self):
        self.assertTrue(self.is_dual_stack, "start the cluster with --dual-stack")
        self.make(service("both", GREETERS, HTTP, ipFamilyPolicy="RequireDualStack"),
                  service("six", GREETERS, HTTP, ipFamilies=["IPv6"]),
                  virtual_service("both", ["both", "six"], [marks("both", uri={"prefix": "/marked"}),
                                                            {"route": [{"destination": {"host": "both"}}]}]))
        self.becomes(CAPTURED, "http://six:3000/marked")
        for address in shop.get("service", "both")["spec"]["clusterIPs"]:
            host = f"[{address}]" if ":" in address else address
            with self.subTest(address):
                self.becomes(CAPTURED, f"http://{host}:3000/marked")
                self.assertEqual(self.answer(f"http://{host}:3000/"), PASSED)

    def test_protocols_of_ports(self):
        ports = [{"name": "http-one", "port": 3001}, {"name": "two", "port": 3002, "appProtocol": "http"},
                 {"name": "tcp-three", "port": 3003}, {"name": "http-four", "port": 3004, "appProtocol": "tcp"},
                 {"name": "mysql", "port": 3005}]
        self.make(service("ports", GREETERS, [{**port, "targetPort": 8080} for port in ports]),
                  virtual_service("ports", ["ports"], [marks("ports")]))
        for port, expected in ((3001, CAPTURED), (3002, CAPTURED), (3003, PASSED), (3004, PASSED), (3005, PASSED)):
            with self.subTest(port):
                self.becomes(expected, f"http://ports:{port}/")

    def test_headless_and_external_names_pass(self):
        self.make(service("headless", GREETERS, [{"name": "http", "port": 8080}], clusterIP="None"),
                  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "elsewhere", "namespace": SHOP},
                   "spec": {"type": "ExternalName", "externalName": "headless.shop.svc.cluster.local",
                            "ports": [{"name": "http", "port": 8080}]}})
        for host in ("headless", "elsewhere"):
            with self.subTest(host):
                self.becomes(PASSED, f"http://{host}:8080/marked")

    def test_a_headless_service_passes_until_a_policy_names_it(self):
        self.make(service("named", GREETERS, [{"name": "http", "port": 8080}], clusterIP="None",
                          ipFamilyPolicy="PreferDualStack"))
        self.becomes(PASSED, "http://named:8080/marked")
        self.make(virtual_service("named", ["named"], [marks("named", uri={"prefix": "/marked"}),
                                                       {"route": [{"destination": {"host": "named"}}]}]))
        self.becomes(CAPTURED, "http://named:8080/marked")
        greeters = shop.get("pods", "-l", "app=greeter,version=v1")["items"]
        self.assertEqual(len(greeters), 2)
        for greeter in greeters:
            for address in (each["ip"] for each in greeter["status"]["podIPs"]):
                with self.subTest(address):
                    url = f"http://[{address}]:8080/" if ":" in address else f"http://{address}:8080/"
                    ask = f"curl -s -m 10 -H 'Host: named' {url}"
                    self.assertEqual(shop.execute(self.client, *bash(f"{ask}marked -o /dev/null -w '%{{http_code}}'")),
                                     CAPTURED)
                    said = shop.execute(self.client, *bash(f"for i in {{1..6}}; do {ask}; done"))
                    self.assertEqual(set(said.splitlines()), {f"v1 {greeter['metadata']['name']}"},
                                     "who is dialled is who answers")
        row = 'destination_service="named.shop.svc.cluster.local"'
        wait_for("rows", lambda: any(line.startswith("istio_requests_total") and row in line
                                     for line in shop.metrics().splitlines()))
        kubectl("-n", SHOP, "delete", "virtualservice", "named")
        self.becomes(PASSED, "http://named:8080/marked")

    def test_endpoints_that_are_not_ready(self):
        labels = {"app": "unready"}
        spec = pod_spec(container(image=GREETER, command=None, readinessProbe={
            "httpGet": {"path": "/", "port": 1}, "periodSeconds": 1}))
        self.make(pod("unready", spec, labels=labels), service("unready", labels, HTTP),
                  service("published", labels, HTTP, publishNotReadyAddresses=True))
        wait_for("the pod", lambda: shop.get("pod", "unready")["status"]["phase"] == "Running")
        self.becomes("200", "http://published:3000/")
        self.becomes(NONE, "http://unready:3000/")

    def test_endpoints_that_are_terminating_but_serving(self):
        labels = {"app": "leaving"}
        spec = pod_spec(container(image=GREETER, command=None, lifecycle={"preStop": {"sleep": {"seconds": 60}}}))
        spec["terminationGracePeriodSeconds"] = 70
        self.make(pod("leaving", spec, labels=labels), service("leaving", labels, HTTP))
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", "leaving", "--force", "--grace-period=0",
                        "--ignore-not-found")
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/leaving")
        self.becomes("200", "http://leaving:3000/")
        kubectl("-n", SHOP, "delete", "pod", "leaving", "--wait=false")
        wait_for("terminating endpoint", lambda: any(
            each["conditions"]["terminating"] and each["conditions"]["serving"]
            for each in self.endpoints("leaving")))
        for _ in range(5):
            self.assertEqual(self.answer("http://leaving:3000/"), "200")

    @staticmethod
    def endpoints(name):
        return [each for piece in shop.get("endpointslices", "-l", "kubernetes.io/service-name=" + name)["items"]
                for each in piece.get("endpoints") or []]

    def test_topology_hints(self):
        node = shop.get("pod", self.client)["spec"]["nodeName"]
        kubectl("label", "--overwrite", "node", node, "topology.kubernetes.io/zone=near")
        self.addCleanup(kubectl, "label", "node", node, "topology.kubernetes.io/zone-")
        by_version = {version: shop.get("pods", "-l", f"app=greeter,version={version}")["items"][0]["status"]["podIP"]
                      for version in ("v1", "v2")}
        self.make(service("zoned", None, [{"name": "http", "port": 3000}]),
                  {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                   "metadata": {"name": "zoned-1", "namespace": SHOP, "labels": {"kubernetes.io/service-name": "zoned"}},
                   "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                   "endpoints": [{"addresses": [address], "conditions": {"ready": True}, "zone": zone,
                                  "hints": {"forZones": [{"name": zone}]}}
                                 for address, zone in ((by_version["v1"], "near"), (by_version["v2"], "far"))]},
                  virtual_service("zoned", ["zoned"], [marks("zoned", uri={"prefix": "/marked"}),
                                                       {"route": [{"destination": {"host": "zoned"}}]}]))
        self.becomes(CAPTURED, "http://zoned:3000/marked")
        said = shop.execute(self.client, *bash("for i in {1..10}; do curl -s -m 10 http://zoned:3000/; done"))
        self.assertEqual({line.split()[0] for line in said.splitlines()}, {"v1"})

    def test_each_version_of_the_policy_api(self):
        for version in ("v1", "v1beta1", "v1alpha3"):
            name = "version-" + version
            with self.subTest(version):
                self.make(service(name, {"app": "greeter"}, HTTP),
                          virtual_service(name, [name], [marks(name, uri={"prefix": "/marked"}), {
                              "route": [{"destination": {"host": name, "subset": "v1"}}]}], version=version),
                          {"apiVersion": "networking.istio.io/" + version, "kind": "DestinationRule",
                           "metadata": {"name": name, "namespace": SHOP},
                           "spec": {"host": name, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}})
                self.becomes(CAPTURED, f"http://{name}:3000/marked")
                said = shop.execute(self.client, *bash(f"for i in {{1..8}}; do curl -s -m 10 http://{name}:3000/; done"))
                self.assertEqual({line.split()[0] for line in said.splitlines()}, {"v1"})

    def test_policies_are_those_of_the_callers_namespace_and_labels(self):
        kubectl("create", "namespace", "visitors")
        self.addCleanup(kubectl, "delete", "namespace", "visitors", "--wait=false")
        kubectl("label", "namespace", "visitors", "fairlead.dev/mode=enabled")
        host = "looked-up.shop.svc.cluster.local"
        self.make(service("looked-up", {"app": "greeter"}, HTTP),
                  pod("visitor", pod_spec(), labels={"app": "visitor"}, namespace="visitors"),
                  pod("special", pod_spec(), labels={"app": "special"}),
                  virtual_service("looked-up", [host],
                                  [{**marks(host), "match": [{"sourceLabels": {"app": "special"}}]},
                                   {"route": [{"destination": {"host": host, "subset": "mine"}}]}]),
                  *({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
                     "metadata": {"name": "looked-up", "namespace": namespace},
                     "spec": {"host": host, "subsets": [{"name": "mine", "labels": {"version": version}}]}}
                    for namespace, version in ((SHOP, "v1"), ("visitors", "v2"))),
                  virtual_service("private", [host], [marks(host, uri={"prefix": "/private"})], namespace="visitors",
                                  exportTo=["."]))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/special")
        kubectl("-n", "visitors", "wait", "--for=condition=Ready", "--timeout=60s", "pod/visitor")
        url = f"http://{host}:3000/"
        self.becomes(CAPTURED, url, "special")

        def says(namespace, name):
            return kubectl("-n", namespace, "exec", name, "--", "curl", "-s", "-m", "10", url)
        wait_for("the callers' own rules", lambda: says(SHOP, self.client).startswith("v1"))
        # The oldest VirtualService that a client sees counts; visitors see both, the shop does not see theirs.
        self.assertEqual(self.answer(url + "private"), "200")
        visitors = kubectl("-n", "visitors", "exec", "visitor", "--", *curl(url + "private"))
        self.assertEqual(visitors, CAPTURED, "a policy of the client's own namespace comes first")

    def test_workloads_are_named_after_what_owns_them(self):
        once = pod_spec(container(command=bash(f"{' '.join(curl(shop.URL + '/'))}; exec sleep infinity")))
        ends = pod_spec(container(command=curl(shop.URL + "/")), restartPolicy="Never")

        def controller(kind, name, version="apps/v1", **spec):
            labels = {"app": name}
            return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": SHOP},
                    "spec": {"selector": {"matchLabels": labels},
                             "template": {"metadata": {"labels": labels}, "spec": once}, **spec}}
        job = {"template": {"metadata": {"labels": {"app": "a-job"}}, "spec": ends}}
        canonical = deployment("a-deployment", {"app": "a-deployment"}, once)
        canonical["spec"]["template"]["metadata"]["labels"].update({
            "service.istio.io/canonical-name": "storefront", "service.istio.io/canonical-revision": "blue",
            "app.kubernetes.io/name": "ignored", "version": "v7"})
        self.make(canonical, controller("StatefulSet", "a-stateful-set", serviceName="greeter"),
                  controller("DaemonSet", "a-daemon-set"), controller("ReplicaSet", "a-replica-set"),
                  {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a-job", "namespace": SHOP}, "spec": job},
                  {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a-cron-job", "namespace": SHOP},
                   "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job}}},
                  pod("a-pod", once))
        wanted = {"a-deployment", "a-stateful-set", "a-daemon-set", "a-replica-set", "a-job", "a-cron-job", "a-pod"}

        rows = []  # those of a pod that has ended are told once more

        def named():
            rows.extend(line for line in shop.metrics().splitlines() if line.startswith("istio_requests_total"))
            return {name for name in wanted if any(f'source_workload="{name}"' in row for row in rows)}
        wait_for("all workloads", lambda: named() == wanted, 75)  # a CronJob's minute
        row = next(row for row in rows if 'source_workload="a-deployment"' in row)
        for label in ('source_canonical_service="storefront"', 'source_canonical_revision="blue"', 'source_version="v7"',
                      'source_app="a-deployment"', 'source_workload_namespace="shop"'):
            self.assertIn(label, row)


if __name__ == "__main__":
    shop.main()
