"""What is compared: the product in its two forms, the peers, each configured as its own manual recommends for a reverse
proxy with kept connections, and the floor. All run on the processor given, with one thread that carries traffic."""
import json
import os

from lib import documents
from lib.machine import children


class Target:
    """A proxy in front of the backend. `port` takes HTTP, `tcp_port` bytes."""
    name = ""
    address = "127.0.0.1"
    has_http = True
    has_goal = True
    has_tcp = False
    caller_cgroup = None  # the load has to run there

    def __init__(self, place, tools, cpus, backend_ports):
        self.place, self.tools, self.cpus, self.backend_ports = place, tools, cpus, backend_ports
        self.port = place.free_port()
        self.tcp_port = place.free_port()
        self.process = None

    def start(self):
        self.process = self.place.start(self.name, self.command(), self.cpus)
        self.place.await_listener(self.process, self.name, self.port if self.has_http else self.tcp_port)

    def command(self):
        raise NotImplementedError

    def pids(self):
        return children(self.process.pid)

    def stop(self):
        if self.process:
            self.place.end(self.process)


class Forwarder(Target):
    """l4fwd.cc: looks at nothing."""
    name = "l4fwd"
    has_tcp = True

    def start(self):
        self.tcp_port = self.port
        super().start()

    def command(self):
        return [self.tools.program("l4fwd"), f"127.0.0.1:{self.port}", f"127.0.0.1:{self.backend_ports[0]}"]


class Haproxy(Target):
    name = "haproxy"
    has_tcp = True
    workers = 1

    def command(self):
        def servers(options=""):
            return "\n".join(f"  server s{port} 127.0.0.1:{port}{options}" for port in self.backend_ports)
        path = self.place.write("haproxy.cfg", f"""
global
  nbthread {self.workers}
  maxconn 8000
defaults
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  timeout http-keep-alive 1m
frontend http
  mode http
  bind 127.0.0.1:{self.port}
  default_backend http
backend http
  mode http
  http-reuse always
{servers(" pool-max-conn 2000")}
frontend tcp
  mode tcp
  bind 127.0.0.1:{self.tcp_port}
  default_backend tcp
backend tcp
  mode tcp
{servers()}
""")
        return [self.tools.peer("usr/sbin/haproxy"), "-db", "-f", path]


class Nginx(Target):
    name = "nginx"

    def command(self):
        path = self.place.write("nginx.conf", f"""
daemon off;
worker_processes 1;
pid {self.place.path('nginx.pid')};
error_log stderr error;
events {{ worker_connections 8000; multi_accept on; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_temp_path {self.place.path('nginx-body')};
  proxy_temp_path {self.place.path('nginx-proxy')};
  fastcgi_temp_path {self.place.path('nginx-fastcgi')};
  uwsgi_temp_path {self.place.path('nginx-uwsgi')};
  scgi_temp_path {self.place.path('nginx-scgi')};
  upstream backend {{ server 127.0.0.1:{self.backend_ports[0]}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffers 16 16k;
    }}
  }}
}}
""")
        return [self.tools.peer("usr/sbin/nginx"), "-c", path, "-p", self.place.folder, "-e", "stderr"]


class Nghttpx(Target):
    name = "nghttpx"
    has_goal = False  # but of h2c

    def command(self):
        return [self.tools.peer("usr/sbin/nghttpx"), "--conf=/dev/null", "--workers=1", "--single-process",
                "--log-level=ERROR", "--accesslog-file=/dev/null", "--backend-connections-per-host=512",
                f"--frontend=127.0.0.1,{self.port};no-tls", f"--backend=127.0.0.1,{self.backend_ports[0]}"]


class Envoy(Target):
    """With the policies of documents.policies(), as a mesh configures them, and Istio's JSON access log to a file."""
    name = "envoy"

    def log_path(self):
        return self.place.path("envoy-access.log")

    def command(self):
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "outbound", "generate_request_id": True, "use_remote_address": False,
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": self.log_path(),
                "log_format": {"json_format": ISTIO_LOG_FORMAT}}}],
            "route_config": {"name": "route", "virtual_hosts": [{
                "name": "shop", "domains": ["*"], "include_request_attempt_count": True, "routes": [
                    {"name": "canary", "match": {"prefix": "/", "headers": [
                        {"name": "x-canary", "string_match": {"exact": "yes"}}]},
                     "route": {"cluster": "shop", "timeout": "5s"}},
                    {"name": "stable", "match": {"prefix": "/"},
                     "route": {"cluster": "shop", "timeout": "10s", "retry_policy": {
                         "retry_on": "5xx,reset,connect-failure", "num_retries": 2, "per_try_timeout": "5s"}}}]}]}}
        limits = {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 1024, "max_retries": 16,
                  "track_remaining": True}
        bootstrap = {
            "admin": {"address": socket_address(self.tcp_port)},
            "static_resources": {
                "listeners": [{"name": "http", "address": socket_address(self.port), "filter_chains": [{"filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
                "clusters": [{
                    "name": "shop", "connect_timeout": "1s", "type": "STATIC",
                    "circuit_breakers": {"thresholds": [limits]},
                    "outlier_detection": {"consecutive_5xx": 5, "interval": "10s", "base_ejection_time": "30s",
                                          "max_ejection_percent": 50},
                    "load_assignment": {"cluster_name": "shop", "endpoints": [{"lb_endpoints": [
                        {"endpoint": {"address": socket_address(self.backend_ports[0])}}]}]}}]}}
        path = self.place.write("envoy.json", json.dumps(bootstrap))
        return [self.tools.envoy(), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error",
                "--file-flush-interval-msec", "1000"]


def socket_address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


ISTIO_LOG_FORMAT = {name: f"%{command}%" for name, command in (
    ("start_time", "START_TIME"), ("route_name", "ROUTE_NAME"), ("method", "REQ(:METHOD)"),
    ("path", "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)"), ("protocol", "PROTOCOL"), ("response_code", "RESPONSE_CODE"),
    ("response_flags", "RESPONSE_FLAGS"), ("response_code_details", "RESPONSE_CODE_DETAILS"),
    ("connection_termination_details", "CONNECTION_TERMINATION_DETAILS"), ("bytes_received", "BYTES_RECEIVED"),
    ("bytes_sent", "BYTES_SENT"), ("duration", "DURATION"),
    ("upstream_service_time", "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)"), ("x_forwarded_for", "REQ(X-FORWARDED-FOR)"),
    ("user_agent", "REQ(USER-AGENT)"), ("request_id", "REQ(X-REQUEST-ID)"), ("authority", "REQ(:AUTHORITY)"),
    ("upstream_host", "UPSTREAM_HOST"), ("upstream_cluster", "UPSTREAM_CLUSTER"),
    ("upstream_local_address", "UPSTREAM_LOCAL_ADDRESS"),
    ("downstream_local_address", "DOWNSTREAM_LOCAL_ADDRESS"),
    ("downstream_remote_address", "DOWNSTREAM_REMOTE_ADDRESS"),
    ("upstream_transport_failure_reason", "UPSTREAM_TRANSPORT_FAILURE_REASON"))}


class Fairlead(Target):
    """On a plain port, like the peers: without the redirect, with everything else. Both processes count."""
    name = "fairlead"
    has_tcp = True
    environment = None
    workers = 1
    admin_netns = None  # where the agent is, if not where the load is

    def write_documents(self):
        """The path that `fairlead run -f` gets."""
        return self.place.write(f"{self.name}.yaml", documents.node(self.log_path(), self.backend_ports))

    def log_path(self):
        return self.place.path(f"{self.name}-access.log")

    def start(self):
        self.admin_port = self.place.free_port()
        self.tcp_port = self.port  # bytes that are not HTTP go where they were going: to the service's own address
        self.documents = self.write_documents()
        self.process = self.place.start(self.name, self.command(), self.cpus, environment=self.environment)
        self.place.await_ready(self.process, self.name, self.admin_port)

    def command(self):
        return [self.tools.program("fairlead"), "run", "--no-bpf", "-f", self.documents, "--as", "caller.default",
                "--workers", str(self.workers), "--admin", f"127.0.0.1:{self.admin_port}",
                "--listen", f"127.0.0.1:{self.port}={documents.VIP}:{documents.PORT}"]

    def proxy_pid(self):
        return next(pid for pid in self.pids()
                    if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("fairlead-proxy"))

    def metric(self, name, **labels):
        """The sum of all series of this name with these labels on the agent's page."""
        status, text = self.place.page(self.admin_port, "/metrics", self.admin_netns)
        if status != 200:
            raise RuntimeError(f"{self.name}: /metrics answers {status}")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{")
                   and all(f'{label}="{value}"' in line for label, value in labels.items()))


class RedirectedFairlead(Fairlead):
    """As a user runs it on a host: connections of a workload's cgroup to the service's address are redirected."""
    name = "fairlead-host"
    address = documents.VIP

    def __init__(self, place, tools, cpus, backend_ports):
        super().__init__(place, tools, cpus, backend_ports)
        self.port = self.tcp_port = documents.PORT
        self.caller_cgroup = place.workload("caller")

    def selector(self):
        return "/" + os.path.relpath(self.caller_cgroup, os.path.dirname(self.place.cgroup))

    def write_documents(self):
        return self.place.write(f"{self.name}.yaml",
                                documents.node(self.log_path(), self.backend_ports, self.selector()))

    def command(self):
        return [self.tools.program("fairlead"), "run", "-f", self.documents, "--workers", str(self.workers),
                "--admin", f"127.0.0.1:{self.admin_port}", "--runtime-dir", self.place.path("run")]


PEERS = (Forwarder, Haproxy, Nginx, Nghttpx, Envoy)
