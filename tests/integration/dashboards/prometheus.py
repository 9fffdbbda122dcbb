"""A real Prometheus on loopback that scrapes one target as Istio's addon does, and its query API."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

ANCHORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "anchors")


def pod_job():
    """The job of Istio's stock configuration that finds annotated pods."""
    with open(os.path.join(ANCHORS, "istio-addon-prometheus.yml"), encoding="utf-8") as file:
        jobs = yaml.safe_load(file)["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == "kubernetes-pods")


def wait_for(what, condition, seconds):
    """The first true value of condition(); asks often, because the condition is the only signal there is."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := condition():
                return value
        except (OSError, urllib.error.URLError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {seconds} s")
        time.sleep(0.05)


def listening_port(pid):
    """The port a process listens on: Prometheus is asked for port 0 and does not say which it got."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
    return None


class Prometheus:
    """Scrapes host:port while the with block runs. `scrape_seconds` is short so that tests are."""

    def __init__(self, target, scrape_seconds=0.25):
        self.scrape_seconds = scrape_seconds
        address, port = target.rsplit(":", 1)
        job = pod_job()
        # Debian builds without Kubernetes discovery; a static target with the same meta labels is relabelled the same.
        del job["kubernetes_sd_configs"]
        meta = {"pod_annotation_prometheus_io_scrape": "true", "pod_annotation_prometheus_io_port": port,
                "pod_annotation_prometheus_io_path": "/metrics", "pod_ip": address, "pod_label_app": "fairlead",
                "namespace": "fairlead-system", "pod_name": "fairlead-x7x2p", "pod_node_name": "node-1"}
        job["static_configs"] = [{"targets": [target],
                                  "labels": {f"__meta_kubernetes_{key}": value for key, value in meta.items()}}]
        interval = f"{int(scrape_seconds * 1000)}ms"
        self.config = {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [job]}
        self.directory = self.process = None

    def __enter__(self):
        try:
            self._start()
            self.port = wait_for("listening Prometheus", self._running_port, 20)
            wait_for("ready Prometheus", lambda: self._get("/-/ready"), 20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self.directory = tempfile.mkdtemp(prefix="fairlead-prometheus-")
        config_file = os.path.join(self.directory, "prometheus.yml")
        with open(config_file, "w", encoding="utf-8") as file:
            yaml.safe_dump(self.config, file)
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "wb") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=" + config_file, "--web.listen-address=127.0.0.1:0",
                 "--storage.tsdb.path=" + os.path.join(self.directory, "data"), "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory)

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _running_port(self):
        if self.process.poll() is not None:
            raise RuntimeError("Prometheus ended: " + self.log())
        return listening_port(self.process.pid)

    def _get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}{path}"
        if parameters:
            url += "?" + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.read()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def api(self, path, **parameters):
        return json.loads(self._get("/api/v1/" + path, **parameters))["data"]

    def query(self, expression):
        """Result vector of an instant query now; raises with Prometheus' own words when the query is wrong."""
        try:
            return self.api("query", query=expression)["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {json.load(error)['error']}") from error

    def target(self):
        """None until discovery has run."""
        return next(iter(self.api("targets")["activeTargets"]), None)

    def wait_for_scrapes(self, count):
        """Until `count` scrapes of the target are stored. A failed scrape raises with its reason."""
        def enough():
            target = self.target()
            if target and target["health"] == "down":
                raise RuntimeError("scrape failed: " + target["lastError"])
            result = self.query("count_over_time(up[1h])")
            return result and float(result[0]["value"][1]) >= count
        wait_for(f"{count} scrapes", enough, 20 + 4 * count * self.scrape_seconds)


def require_port_free_of_proxy():
    """Queries go to loopback: a proxy set in the environment must not see them."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


require_port_free_of_proxy()
socket.setdefaulttimeout(10)
