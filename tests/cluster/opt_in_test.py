#!/usr/bin/python3
"""Who is captured, and who is not.
usage: opt_in_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster,
and FAIRLEAD_ROUNDS, how often what a namespace that has not opted in pays is measured (1)"""
import os
import statistics
import sys
import unittest

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


class NotOptedIn(unittest.TestCase):
    """A namespace that has not opted in is as if there were no Fairlead: nothing of it runs when its pods connect. How
    long that takes is measured as well, and shown: on a quiet machine, and in several rounds, it means something."""
    NAMESPACE = "other"
    MEASURE = """
import socket, statistics, sys, time
address = (sys.argv[1], 3000)
request = b"GET / HTTP/1.1\\r\\nHost: greeter\\r\\n\\r\\n"
connects = []
sockets = [socket.socket() for _ in range(600)]
used = time.thread_time_ns()
for each in sockets:
    began = time.perf_counter_ns()
    each.connect(address)
    connects.append(time.perf_counter_ns() - began)
used = time.thread_time_ns() - used
for each in sockets:
    each.close()
with socket.create_connection(address) as one:
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    began = time.perf_counter_ns()
    for _ in range(1500):
        one.sendall(request)
        one.recv(65536)
    took = time.perf_counter_ns() - began
print(statistics.median(connects) / 1000, used / 600_000, 1500 * 1e9 / took)
"""

    @classmethod
    def setUpClass(cls):
        shop.build_images()
        image, cls.python = shop.python_image()
        kubectl("create", "namespace", cls.NAMESPACE)
        cls.addClassCleanup(kubectl, "delete", "namespace", cls.NAMESPACE, "--wait")
        labels = {"app": "greeter"}
        shop.apply(pod("greeter", pod_spec(container(image=shop.GREETER, command=None)), labels, namespace=cls.NAMESPACE),
                   pod("client", pod_spec(container(image=image, command=[cls.python, "-c", "import time; time.sleep(1e9)"])),
                       namespace=cls.NAMESPACE),
                   shop.service("greeter", labels, [{"name": "http", "port": 3000, "targetPort": 8080}], cls.NAMESPACE))
        cls.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/greeter", "pod/client")
        cls.address = cls.kubectl("get", "service", "greeter", "-o", "jsonpath={.spec.clusterIP}")
        cls.client = cls.kubectl("get", "pod", "client", "-o", "jsonpath={.metadata.uid}")

    @classmethod
    def kubectl(cls, *arguments):
        return kubectl("-n", cls.NAMESPACE, *arguments)

    def python_says(self, *arguments):
        return self.kubectl("exec", "client", "--", self.python, "-c", *arguments)

    def measure(self):
        """Microseconds that a connect() takes, and of CPU; requests a second on one connection: each the best of some."""
        tries = [[float(each) for each in self.python_says(self.MEASURE, self.address).split()] for _ in range(5)]
        times, used, rates = zip(*tries)
        return min(times), min(used), max(rates)

    def assert_untouched(self):
        self.assertEqual(shop.hooks(self.client), set())
        for table in ("tcp", "tcp6"):
            self.assertNotRegex(self.python_says(f"print(open('/proc/net/{table}').read())"), shop.LISTENER)

    def in_turn(self):
        """Without Fairlead, with it, opted in, opted out again: what was measured of each."""
        self.assert_untouched()
        yield "without", self.measure()
        shop.install()
        try:
            self.assert_untouched()
            yield "installed", self.measure()
            label("namespace", self.NAMESPACE, "fairlead.dev/mode=enabled")
            wait_for("capture", lambda: shop.hooks(self.client))
            yield "opted in", self.measure()
            label("namespace", self.NAMESPACE, "fairlead.dev/mode-")
            wait_for("end of the capture", lambda: not shop.hooks(self.client))
            self.assert_untouched()
            yield "opted out", self.measure()
        finally:
            shop.uninstall()

    def test_nothing_changes_for_it_by_an_installation_nor_by_having_been_opted_in(self):
        rounds = [dict(self.in_turn()) for _ in range(int(os.environ.get("FAIRLEAD_ROUNDS", "1")))]
        print("\n           connect us  of CPU     requests/s   (as multiples of those without Fairlead)", file=sys.stderr)
        for name in rounds[0]:
            cells = []
            for which, width in enumerate((5, 5, 7)):
                value = statistics.median(each[name][which] for each in rounds)
                ratio = statistics.median(each[name][which] / each["without"][which] for each in rounds)
                cells.append(f"{value:{width}.{0 if which == 2 else 1}f} ({ratio:.2f})")
            print(f"{name:9}", *cells, sep="  ", file=sys.stderr)


if __name__ == "__main__":
    shop.main()
