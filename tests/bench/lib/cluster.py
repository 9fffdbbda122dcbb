"""The node of a cluster, as far as an agent sees of it: an API server that knows its pods and policies, and pods with
cgroups and network namespaces of their own. The agent is in another namespace than they are, as on any node."""
import contextlib
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse

import yaml

from lib import documents
from lib.machine import PATIENCE
from lib.targets import Fairlead

NODE = "bench-node"
BATCH = 50  # pods that come at once
LISTED = {"namespaces", "nodes", "pods", "services", "endpointslices", "virtualservices", "destinationrules",
          "serviceentries"}
PLURALS = {"VirtualService": "virtualservices", "DestinationRule": "destinationrules", "ServiceEntry": "serviceentries"}


class ApiServer:
    """Lists and watches of objects in memory, over TLS. Its certificate is made for the run."""

    def __init__(self, place):
        self.place = place
        self.objects = {}  # {plural: {name: object}}
        self.events = []  # (version, plural, type, object)
        self.changed = threading.Condition(threading.RLock())
        self.is_closed = False
        self.certificate, key = place.path("api.crt"), place.path("api.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", self.certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        with place.entered(place.node_netns):
            self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"api": self}))
        self.http.daemon_threads = True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def put(self, plural, thing, what="ADDED"):
        self.objects.setdefault(plural, {})[thing["metadata"]["name"]] = self.note(plural, what, thing)

    def delete(self, plural, name):
        self.note(plural, "DELETED", self.objects[plural].pop(name))

    def note(self, plural, what, thing):
        with self.changed:
            version = len(self.events) + 1
            thing = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(version)}}
            self.events.append((version, plural, what, thing))
            self.changed.notify_all()
        return thing

    def kubeconfig(self):
        where = f"https://127.0.0.1:{self.http.server_address[1]}"
        return self.place.write("kubeconfig", yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": where, "certificate-authority": self.certificate}}],
            "users": [{"name": "agent", "user": {"token": "of-the-benchmark"}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "agent"}}]}))

    def close(self):
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        self.http.shutdown()
        self.http.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None

    def do_GET(self):  # pylint: disable=invalid-name
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        plural = url.path.rsplit("/", 1)[-1]
        if plural not in LISTED:  # one object, such as a lease
            self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
            return
        if "watch" in query:
            self.watch(plural, int(query["resourceVersion"][0]), int(query["timeoutSeconds"][0]))
            return
        with self.api.changed:
            found = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(len(self.api.events) or 1)},
                     "items": list(self.api.objects.get(plural, {}).values())}
        self.answer(200, found)

    def do_PATCH(self):  # pylint: disable=invalid-name
        """A policy's status."""
        patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        plural, name = urllib.parse.urlsplit(self.path).path.removesuffix("/status").split("/")[-2:]
        with self.api.changed:
            self.api.put(plural, {**self.api.objects[plural][name], "status": patch.get("status")}, "MODIFIED")
        self.answer(200, self.api.objects[plural][name])

    def take(self):
        """A lease, an event: it is enough that it was written."""
        self.answer(201, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    do_POST = do_PUT = take

    def answer(self, status, thing):
        body = json.dumps(thing).encode()
        self.begin(("Content-Length", str(len(body))), status)
        self.wfile.write(body)

    def begin(self, framing, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header(*framing)
        self.end_headers()

    def watch(self, plural, version, seconds):
        self.begin(("Transfer-Encoding", "chunked"))
        deadline = time.monotonic() + seconds
        while not self.api.is_closed and time.monotonic() < deadline:
            with self.api.changed:
                news = [each for each in self.api.events[version:] if each[1] == plural]
                version = len(self.api.events)
                if not news:
                    self.api.changed.wait(1)
                    continue
            lines = "".join(json.dumps({"type": what, "object": thing}) + "\n" for _, _, what, thing in news).encode()
            self.wfile.write(f"{len(lines):x}\r\n".encode() + lines + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def uid(number):
    return f"00000000-0000-4000-8000-{number:012x}"


def pod(number):
    """The caller is number 0; each has a workload of its own."""
    name = f"caller-{number}" if number else "caller"
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "uid": uid(number),
                         "labels": {"app": name, "version": "v1", "fairlead.dev/mode": "enabled"}},
            "spec": {"nodeName": NODE, "containers": [{"name": "main"}]},
            "status": {"phase": "Running", "qosClass": "BestEffort", "podIPs": [{"ip": "10.0.0.1"}],
                       "conditions": [{"type": "Ready", "status": "True"}]}}


class PodFairlead(Fairlead):
    """The caller is a pod with its own network namespace, in which the proxy's listeners and the connections to the
    backend are made; agent and proxy are in the node's. Policies come from the API server."""
    name = "fairlead-pod"
    address = documents.VIP

    def __init__(self, place, tools, cpus, backend_ports):
        super().__init__(place, tools, cpus, backend_ports)
        self.port = self.tcp_port = documents.PORT
        self.caller_cgroup = self.container(0)
        self.admin_netns = place.node_netns
        self.holders = []
        self.opted_in = 0

    def container(self, number):
        return self.place.workload(f"kubepods/pod{uid(number)}/main")

    def start(self):
        self.admin_port = self.place.free_port(self.admin_netns)
        # A network namespace is found by a process that is in it.
        self.holders.append(self.place.start("caller", ["sleep", "infinity"], self.cpus, self.caller_cgroup))
        self.api = ApiServer(self.place)
        self.api.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        self.api.put("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        for document in yaml.safe_load_all(documents.service("shop", documents.VIP, self.backend_ports) +
                                           documents.policies("shop")):
            document["metadata"].update(namespace="default", generation=1)
            self.api.put(PLURALS[document["kind"]], document)
        self.documents = self.place.write(f"{self.name}.yaml", documents.settings(self.log_path()))
        self.process = self.place.start(self.name, self.command(), self.cpus, netns=self.place.node_netns)
        self.place.await_ready(self.process, self.name, self.admin_port, self.place.node_netns)
        self.opt_in(1)

    def command(self):
        return [self.tools.program("fairlead"), "run", "-f", self.documents, "--kubernetes", "--kubeconfig",
                self.api.kubeconfig(), "--node", NODE, "--workers", "1", "--admin", f"127.0.0.1:{self.admin_port}",
                "--runtime-dir", self.place.path("run")]

    def make_pods(self, count):
        """Further pods, numbered from 1, that nobody has opted in."""
        for number in range(1, count + 1):
            words = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
            self.holders.append(self.place.start("pods", words, self.cpus, self.container(number)))
        deadline = time.monotonic() + PATIENCE
        while self.place.size_of("pods") < count * len("up\n"):
            if time.monotonic() > deadline:
                raise RuntimeError("pods do not start:\n" + self.place.log_of("pods"))
            time.sleep(0.05)

    def opt_in(self, count):
        """From now on this many pods are captured, the caller among them. They come and go in batches, as on a node that
        starts and stops them."""
        while self.opted_in != count:
            step = max(-BATCH, min(BATCH, count - self.opted_in))
            for number in range(self.opted_in, self.opted_in + step):
                self.api.put("pods", pod(number))
            for number in range(self.opted_in + step, self.opted_in):
                self.api.delete("pods", pod(number)["metadata"]["name"])
            self.opted_in += step
            self.await_redirected(self.opted_in)

    def await_redirected(self, count):
        deadline = time.monotonic() + PATIENCE
        while self.redirected() != count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{count} pods are not redirected:\n" + self.place.log_of(self.name))
            time.sleep(0.02)

    def redirected(self):
        """None while the agent is too busy to say."""
        status, _ = self.place.page(self.admin_port, "/readyz", self.admin_netns)
        with contextlib.suppress(RuntimeError):
            return self.metric("fairlead_pods", state="redirected") if status == 200 else None

    def stop(self):
        super().stop()
        for holder in self.holders:
            self.place.end(holder)
        self.holders.clear()
        with contextlib.suppress(AttributeError, OSError):
            self.api.close()
