#!/usr/bin/python3
"""Every kind of pod is found, captured and let go.
usage: pods_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import calendar
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import shop
from shop import CAPTURED, PASSED, SHOP, URL, bash, container, curl, kubectl, pod, pod_spec, wait_for

TOOLS = os.path.join(shop.HERE, "..", "..", "build", "tools", "usr", "sbin")  # where .ci/install-packages puts them
GUARANTEED = {"limits": {"cpu": "100m", "memory": "64Mi"}}
BURSTABLE = {"requests": {"cpu": "10m"}}


class Pods(shop.Shop):

    def test_policies_hold_and_rows_name_the_pod(self):
        status, body = self.ask("/slow")
        self.assertEqual((status, body), (504, "upstream request timeout"))
        status, body = self.ask()
        self.assertEqual(status, 200)
        self.assertRegex(body, r"^v1 greeter-v1-")
        page = wait_for("rows", lambda: page if 'response_code="504"' in (page := shop.metrics()) else None)
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

    def test_pods_of_every_class_are_captured_before_their_first_connection(self):
        """And how long before: from the agent's log and the time at which the pod's program began."""
        script = bash(f'echo "$EPOCHREALTIME"; {" ".join(curl())}')
        classes = {"best-effort": {}, "burstable": {"resources": BURSTABLE}, "guaranteed": {"resources": GUARANTEED}}
        written = self.run_to_end(*(pod("hasty-" + name, pod_spec(container(command=script, **more)))
                                    for name, more in classes.items()))
        margins = []
        for name, text in zip(classes, written):
            began, status = text.split()
            self.assertEqual(status, CAPTURED, name)
            found = shop.get("pod", "hasty-" + name)
            self.assertEqual(found["status"]["qosClass"].lower(), name.replace("-", ""))
            margins.append(float(began) - self.captured_at(found["metadata"]["uid"]))
        self.assertGreater(min(margins), 0)
        print("captured", " ".join(f"{margin * 1000:.0f}" for margin in margins),
              "ms before the pod's program began", file=sys.stderr)

    @staticmethod
    def captured_at(uid):
        """Seconds since 1970, by the agent's log."""
        line = next(each for each in shop.agent_log().splitlines() if uid in each and "is redirected" in each)
        moment, fraction = re.match(r"(\S+)\.(\d+)Z", line).groups()
        parsed = time.strptime(moment + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
        return calendar.timegm(parsed) + float("0." + fraction)

    def test_every_container_of_a_pod_is_captured(self):
        """Init containers, native sidecars, several containers that see each other's processes, one that comes later."""
        once = bash(f"{' '.join(curl())}; echo")
        forever = bash(f"{' '.join(curl())}; echo; exec sleep infinity")
        spec = pod_spec(container("one", command=forever), container("two", command=forever),
                        initContainers=[container("init", command=once),
                                        container("sidecar", command=forever, restartPolicy="Always")],
                        shareProcessNamespace=True)
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", "many", "--wait=false")
        shop.apply(pod("many", spec))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/many")
        kubectl("-n", SHOP, "debug", "many", "--image", shop.TOOLS, "--image-pull-policy", "Never", "-c", "later",
                "--target", "one", "--profile", "general", "--", *once)
        for name in ("init", "sidecar", "one", "two", "later"):
            with self.subTest(name):
                self.assertEqual(wait_for("answer", lambda name=name: kubectl(
                    "-n", SHOP, "logs", "many", "-c", name, check=False).strip()), CAPTURED)

    def test_a_pod_whose_sandbox_is_made_again_is_captured_in_its_new_network(self):
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", "phoenix", "--wait=false")
        shop.apply(pod("phoenix", pod_spec()))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/phoenix")
        before = shop.get("pod", "phoenix")
        self.assertEqual(shop.answer("phoenix"), CAPTURED)
        listeners = self.captured_networks()
        os.kill(shop.processes_of(before["metadata"]["uid"], "pause")[0], 9)

        def is_back():
            now = shop.get("pod", "phoenix")["status"]
            return (now.get("podIP") not in (None, before["status"]["podIP"]) and
                    all(each["ready"] for each in now["containerStatuses"]))
        wait_for("new sandbox", is_back, 60)
        wait_for("capture", lambda: shop.answer("phoenix") == CAPTURED, 5)
        self.assertEqual(self.captured_networks(), listeners)

    @staticmethod
    def captured_networks():
        """How many network namespaces of pods the agent holds."""
        agent = shop.fairlead_process("fairlead-agent")
        return len({os.readlink(f"/proc/{agent}/fd/{each}") for each in os.listdir(f"/proc/{agent}/fd")
                    if os.readlink(f"/proc/{agent}/fd/{each}").startswith("net:")})

    def test_pods_that_vanish_leave_nothing(self):
        names = [f"brief-{i}" for i in range(6)]
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod", *names, "--ignore-not-found", "--wait=false", check=False)
        before = self.captured_networks()
        for _ in range(2):
            shop.apply(*(pod(name, pod_spec()) for name in names))
            # Some are running by then, others have hardly begun.
            kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/" + names[0])
            kubectl("-n", SHOP, "delete", "pod", *names, "--force", "--grace-period=0", "--wait")
        wait_for("end of their capture", lambda: 'fairlead_pods{state="redirected"} 4' in shop.metrics())
        self.assertIn('fairlead_pods{state="error"} 0', shop.metrics())
        wait_for("end of their networks", lambda: self.captured_networks() == before)
        links = shop.script("node", *bash("echo /sys/fs/bpf/fairlead/v*/links/*")).split()
        self.assertEqual(len(links), 4)
        self.assertEqual(self.answer(), CAPTURED)

    # --- programs that nobody here wrote ---

    def test_nginx_serves_captured_clients(self):
        files = {"nginx.conf": "daemon off; user root; error_log stderr; pid /tmp/nginx.pid; events {}\n"
                               "http { access_log off; server { listen 8080; return 200 nginx; } }\n"}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for needed in ("var/log/nginx", "var/lib/nginx", "tmp", "etc"):
                os.makedirs(os.path.join(folder, needed))
                with open(os.path.join(folder, needed, ".keep"), "w", encoding="utf-8"):
                    pass
            with open(os.path.join(folder, "etc", "passwd"), "w", encoding="utf-8") as file:
                file.write("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
            with open(os.path.join(folder, "etc", "group"), "w", encoding="utf-8") as file:
                file.write("root:x:0:\nnogroup:x:65534:\n")
            program = shutil.which("nginx", path=f"/usr/sbin:{TOOLS}")
            shop.script("image", "--libraries", "--entrypoint", "/usr/sbin/nginx", "localhost/nginx:test",
                        program + ":/usr/sbin/nginx", f"{folder}:/")
        labels = {"app": "nginx"}
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod/nginx", "service/nginx", "virtualservice/nginx", "--wait=false")
        shop.apply(pod("nginx", pod_spec(container(image="localhost/nginx:test",
                                                   command=["/usr/sbin/nginx", "-c", "/nginx.conf"])), labels=labels),
                   shop.service("nginx", labels, [{"name": "http", "port": 80, "targetPort": 8080}]),
                   shop.virtual_service("nginx", ["nginx"], [shop.marks("nginx", uri={"prefix": "/marked"}),
                                                             {"route": [{"destination": {"host": "nginx"}}]}]))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/nginx")
        wait_for("policy", lambda: self.answer("http://nginx/marked") == CAPTURED)
        self.assertEqual(shop.execute(self.client, "curl", "-s", "-m", "10", "http://nginx/"), "nginx")

    def test_a_go_client_is_captured(self):
        command = ["/greeter", URL + "/marked"]
        self.assertEqual(self.run_to_end(pod("go", pod_spec(container(image=shop.GREETER, command=command))))[0].strip(),
                         CAPTURED)

    def test_grpc_goes_through_as_it_is(self):
        """Clients and server of grpc-go's own test: on a port that says it is gRPC, which passes, and on one that does
        not say what it is, where the proxy has to look and a policy for HTTP does not apply."""
        shop.script("image", "localhost/grpc-server:test", f"{shop.CACHE}/bin/grpc-server:/grpc-server")
        shop.script("image", "--libraries", "--entrypoint", "/bin/bash", "localhost/grpc-client:test", "/bin/bash",
                    "/bin/sleep", f"{shop.CACHE}/bin/grpc-client:/grpc-client")
        server = container(image="localhost/grpc-server:test", command=["/grpc-server", "--port", "10000"],
                           readinessProbe={"tcpSocket": {"port": 10000}, "periodSeconds": 1})
        labels = {"app": "grpc"}
        self.addCleanup(kubectl, "-n", SHOP, "delete", "pod/grpc", "pod/grpc-client", "service/grpc",
                        "virtualservice/grpc", "--wait=false")
        shop.apply(pod("grpc", pod_spec(server), labels=labels),
                   pod("grpc-client", pod_spec(container(image="localhost/grpc-client:test"))),
                   shop.service("grpc", labels, [{"name": "grpc", "port": 10000},
                                                 {"name": "calls", "port": 10001, "targetPort": 10000}]),
                   shop.virtual_service("grpc", ["grpc"], [{"timeout": "1ms", "route": [{"destination": {
                       "host": "grpc"}}]}]))
        kubectl("-n", SHOP, "wait", "--for=condition=Ready", "--timeout=60s", "pod/grpc", "pod/grpc-client")
        cases = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
                 "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "custom_metadata",
                 "status_code_and_message", "special_status_message", "unimplemented_method", "rpc_soak"]

        def passed(port, *cases):
            said = shop.execute("grpc-client", *bash(
                f"for case in {' '.join(cases)}; do /grpc-client -server_host grpc -server_port {port} "
                '-test_case "$case" 2>&1 && echo "passed $case"; done; true'))
            self.assertEqual(re.findall(r"^passed (\S+)$", said, re.M), list(cases), said)
            return True

        def tunnels():
            return sum(int(row.split()[-1]) for row in shop.metrics().splitlines()
                       if row.startswith('istio_tcp_connections_opened_total{reporter="source"')
                       and 'source_workload="grpc-client"' in row and 'destination_service="grpc.shop.' in row)
        passed(10000, *cases)
        self.assertEqual(tunnels(), 0)
        wait_for("first call", lambda: passed(10001, "empty_unary") and tunnels())
        before = tunnels()
        passed(10001, *cases)
        # timeout_on_sleeping_server gives up after a millisecond, connected or not.
        self.assertGreaterEqual(tunnels() - before, len(cases) - 1)

    def test_a_python_client_is_captured(self):
        image, python = shop.python_image()
        text = ("import urllib.request, urllib.error\n"
                "try:\n    print(urllib.request.urlopen('%s/marked').status)\n"
                "except urllib.error.HTTPError as error:\n    print(error.code)\n" % URL)
        written = self.run_to_end(pod("python", pod_spec(container(image=image, command=[python, "-c", text]))))
        self.assertEqual(written[0].strip(), CAPTURED)

    def test_a_jvm_client_is_captured(self):
        """Its sockets are IPv6 ones that connect to mapped addresses; both its clients."""
        java_home = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("javac"))))
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "Client.java"), "w", encoding="utf-8") as file:
                file.write("""
import java.net.*;
import java.net.http.*;
public class Client {
  public static void main(String[] urls) throws Exception {
    URI uri = URI.create(urls[0]);
    System.out.println(((HttpURLConnection) uri.toURL().openConnection()).getResponseCode());
    var request = HttpRequest.newBuilder(uri).version(HttpClient.Version.HTTP_1_1).build();
    System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode());
  }
}
""")
            subprocess.run(["javac", "-d", folder, os.path.join(folder, "Client.java")], check=True)
            runtime = os.path.join(folder, "runtime")
            subprocess.run([os.path.join(java_home, "bin", "jlink"), "--add-modules", "java.base,java.net.http",
                            "--strip-debug", "--no-header-files", "--no-man-pages", "--output", runtime], check=True)
            shop.script("image", "--libraries", "--entrypoint", "/jvm/bin/java", "localhost/jvm:test", f"{runtime}:/jvm",
                        f"{folder}/Client.class:/Client.class")
        command = ["/jvm/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", "/", "Client", URL + "/marked"]
        written = self.run_to_end(pod("jvm", pod_spec(container(image="localhost/jvm:test", command=command))))
        self.assertEqual(written[0].split(), [CAPTURED, CAPTURED])

    def test_a_shell_without_any_library_is_captured(self):
        session = shop.Session(self.client)
        self.addCleanup(session.close)
        self.assertEqual([session.ask(), session.ask("/"), session.ask()], [CAPTURED, PASSED, CAPTURED])


if __name__ == "__main__":
    shop.main()
