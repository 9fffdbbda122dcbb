#!/usr/bin/python3
"""Who is captured, and who is not.
usage: opt_in_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import json

import shop
from shop import CAPTURED, PASSED, SHOP, container, kubectl, pod, pod_spec, wait_for


def label(*arguments):
    kubectl("label", "--overwrite", *arguments)


class OptIn(shop.Shop):
    IN_FORCE = 1  # second, from the API server's answer on

    def setUp(self):
        self.addCleanup(label, "namespace", SHOP, "fairlead.dev/mode=enabled")
        self.addCleanup(label, "-n", SHOP, "pod", self.client, "fairlead.dev/mode-")

    def redirected(self, count):
        wait_for(f"{count} redirected pods",
                 lambda: f'fairlead_pods{{state="redirected"}} {count}' in shop.metrics(), self.IN_FORCE)

    def test_the_namespaces_label_is_in_force_within_a_second_both_ways(self):
        self.redirected(4)
        label("namespace", SHOP, "fairlead.dev/mode-")
        self.redirected(0)
        self.assertEqual(self.answer(), PASSED)
        label("namespace", SHOP, "fairlead.dev/mode=enabled")
        self.redirected(4)
        self.assertEqual(self.answer(), CAPTURED)

    def test_the_pods_label_overrides_its_namespaces_both_ways(self):
        label("-n", SHOP, "pod", self.client, "fairlead.dev/mode=disabled")
        self.redirected(3)
        self.assertEqual(self.answer(), PASSED)
        label("namespace", SHOP, "fairlead.dev/mode=disabled")
        label("-n", SHOP, "pod", self.client, "fairlead.dev/mode=enabled")
        self.redirected(1)
        self.assertEqual(self.answer(), CAPTURED)

    def test_established_connections_are_left_alone(self):
        captured = shop.Session(self.client)
        self.addCleanup(captured.close)
        self.assertEqual(captured.ask(), CAPTURED)
        label("namespace", SHOP, "fairlead.dev/mode-")
        self.redirected(0)
        passed = shop.Session(self.client)
        self.addCleanup(passed.close)
        self.assertEqual((captured.ask(), passed.ask()), (PASSED, PASSED), "nothing is enforced any more")
        label("namespace", SHOP, "fairlead.dev/mode=enabled")
        self.redirected(4)
        self.assertEqual((captured.ask(), passed.ask(), self.answer()), (CAPTURED, PASSED, CAPTURED))

    def test_pods_that_are_not_captured_say_why(self):
        pods = {
            "on-the-node": (pod("on-the-node", pod_spec(hostNetwork=True)), "hostNetwork"),
            "no-mesh": (pod("no-mesh", pod_spec(), labels={"istio.io/dataplane-mode": "none"}),
                        "the label istio.io/dataplane-mode is none"),
            "with-sidecar": (pod("with-sidecar", pod_spec(container(), container("istio-proxy"))),
                             "it has a sidecar, istio-proxy"),
            "native-sidecar": (pod("native-sidecar", pod_spec(initContainers=[container("linkerd-proxy",
                                                                                        restartPolicy="Always")])),
                               "it has a sidecar, linkerd-proxy"),
            "ambient": (pod("ambient", pod_spec(), annotations={"ambient.istio.io/redirection": "enabled"}), "ambient"),
            "mistaken": (pod("mistaken", pod_spec(), labels={"fairlead.dev/mode": "on"}), "write enabled or disabled"),
            "unreadable": (pod("unreadable", pod_spec(), annotations={"fairlead.dev/exclude-ports": "http"}),
                           'has "http"; write ports'),
            "opted-out": (pod("opted-out", pod_spec(), labels={"fairlead.dev/mode": "disabled"}), "is disabled"),
        }
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", *pods, "--wait=false")
        shop.apply(*(each for each, _ in pods.values()))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", *("pod/" + name for name in pods))
        wait_for("all pods", lambda: {f"{SHOP}/{name}" for name in pods} <= shop.states().keys())
        said = shop.states()
        for name, (_, reason) in pods.items():
            with self.subTest(name):
                self.assertEqual(said[f"{SHOP}/{name}"][0], "skipped")
                self.assertIn(reason, said[f"{SHOP}/{name}"][1])
        for name in ("no-mesh", "with-sidecar", "mistaken"):
            self.assertEqual(shop.answer(name), PASSED, name)

        def told():
            events = shop.get("events.events.k8s.io")["items"]
            return {each["regarding"]["name"]: each["note"] for each in events if each["reason"] == "NotCaptured"}
        notes = wait_for("events", lambda: told() if len(told()) >= 2 else None)
        self.assertEqual(set(notes), {"mistaken", "unreadable"}, "nobody is told what he has chosen")
        for name, note in notes.items():
            self.assertIn(said[f"{SHOP}/{name}"][1], note)

    def test_annotations_exclude_ports_and_networks(self):
        address = shop.get("service", "greeter")["spec"]["clusterIP"]

        def answered(expected):
            wait_for("answer " + expected, lambda: self.answer() == expected, 3)
        for name, value in (("exclude-ports", "2990-3000,9"), ("exclude-cidrs", f"192.0.2.0/24,{address}/32")):
            with self.subTest(name):
                self.assertEqual(self.answer(), CAPTURED)
                kubectl("-n", SHOP, "annotate", "pod", self.client, f"fairlead.dev/{name}={value}")
                answered(PASSED)
                self.assertIn('fairlead_redirects_total{verdict="passed",reason="excluded"}', shop.metrics())
                kubectl("-n", SHOP, "annotate", "pod", self.client, f"fairlead.dev/{name}-")
                answered(CAPTURED)

    def test_a_namespace_that_has_not_opted_in_has_nothing_of_fairlead(self):
        kubectl("create", "namespace", "other")
        self.addCleanup(kubectl, "delete", "namespace", "other", "--wait=false")
        shop.apply(pod("client", pod_spec(), namespace="other"))
        kubectl("-n", "other", "wait", "--for=condition=Ready", "--timeout=60s", "pod/client")
        uid = json.loads(kubectl("-n", "other", "get", "pod", "client", "-o", "json"))["metadata"]["uid"]

        def programs(of):
            return set(shop.run("bpftool", "cgroup", "show", shop.pod_cgroup(of), "effective").split())
        ours = programs(shop.get("pod", self.client)["metadata"]["uid"])
        hooks = {"connect4", "connect6", "caller_events"}
        self.assertLessEqual(hooks, ours)
        self.assertEqual(programs(uid) & hooks, set())
        sockets = kubectl("-n", "other", "exec", "client", "--", *shop.bash('echo "$(</proc/net/tcp)$(</proc/net/tcp6)"'))
        self.assertNotRegex(sockets, shop.LISTENER)


if __name__ == "__main__":
    shop.main()
