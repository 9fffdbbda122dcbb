"""What the product is configured with: the full policy set of PERFORMANCE 2, and the same node grown."""

VIP = "127.30.0.9"
PORT = 80
HOST = "shop.default.svc.cluster.local"


def settings(log_path):
    return f"""apiVersion: fairlead.dev/v1alpha1
kind: Settings
metadata: {{name: bench}}
spec:
  accessLog: {{format: json, path: {log_path}}}
"""


def workload(name, cgroup):
    return f"""---
apiVersion: fairlead.dev/v1alpha1
kind: Workload
metadata: {{name: {name}, namespace: default, labels: {{app: {name}, version: v1}}}}
spec: {{selectors: [{{cgroup: {cgroup}}}]}}
"""


def service(name, address, backend_ports):
    endpoints = "".join(f"""  - address: 127.0.0.1
    ports: {{http: {port}}}
    labels: {{app: {name}, version: v1}}
""" for port in backend_ports)
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{name}.default.svc.cluster.local]
  addresses: [{address}]
  resolution: STATIC
  ports: [{{number: {PORT}, name: http, protocol: HTTP}}]
  endpoints:
{endpoints}"""


def policies(name):
    """Timeout, per-try timeout, retries, limits and outlier detection; a rule before the one that is taken."""
    return f"""---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}]
  http:
  - name: canary
    match: [{{headers: {{x-canary: {{exact: "yes"}}}}}}]
    timeout: 5s
    route: [{{destination: {{host: {name}}}}}]
  - name: stable
    timeout: 10s
    retries: {{attempts: 2, perTryTimeout: 5s, retryOn: "5xx,reset,connect-failure"}}
    route: [{{destination: {{host: {name}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec:
  host: {name}
  trafficPolicy:
    connectionPool:
      tcp: {{maxConnections: 1024, connectTimeout: 1s}}
      http: {{http1MaxPendingRequests: 1024, http2MaxRequests: 1024, maxRetries: 16}}
    outlierDetection: {{consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 50}}
"""


def node(log_path, backend_ports, caller_cgroup="/caller"):
    """One caller, one service, every policy."""
    return (settings(log_path) + workload("caller", caller_cgroup) + service("shop", VIP, backend_ports) +
            policies("shop"))


def grown_node(log_path, backend_ports, caller_cgroup="/caller", services=1, policed=1):
    """{file name: text} of the same with further services, so many of all with policies."""
    files = {"caller.yaml": settings(log_path) + workload("caller", caller_cgroup),
             "shop.yaml": service("shop", VIP, backend_ports) + policies("shop")}
    for i in range(1, services):
        text = service(f"service-{i}", f"127.{40 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", backend_ports)
        files[f"service-{i}.yaml"] = text + (policies(f"service-{i}") if i < policed else "")
    return files
