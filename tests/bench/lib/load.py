"""Load by tools that others wrote: wrk for as much as goes, h2load for a fixed rate. Both hang up when they have what
they wanted, and neither follows a redirect."""
import json
import os
import re
import subprocess

# As a traced program sends them; every target gets the same.
HEADERS = (
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-b3-traceid: 463ac35c9f6413ad48485a3953bb6124", "x-b3-spanid: a2fb4a1d1a96d312", "x-b3-sampled: 1")
HOST = "shop.default.svc.cluster.local"

REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "bytes": %d, "seconds": %.6f, "errors": %d, "p50_us": %.1f, "p99_us": %.1f}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""

# No version that a proxy knows, so it is passed on as bytes; the backend answers all the same.
NOT_HTTP = """
request = function() return "GET PATH HTTP/9.9\\r\\n\\r\\n" end
"""


class Load:
    """`connections` in parallel, each with one request at a time."""

    def __init__(self, path="/1k", connections=16, is_new_connection_each=False, is_tcp=False, rate=None, threads=1):
        self.path, self.connections, self.rate, self.threads = path, connections, rate, threads
        self.is_new_connection_each, self.is_tcp = is_new_connection_each, is_tcp

    def run(self, place, target, cpus, seconds, prefix=()):
        """{requests, bytes, seconds, errors, p50_us, p99_us}. `prefix`: a command that runs the generator."""
        port = target.tcp_port if self.is_tcp else target.port
        url = f"http://{target.address}:{port}{self.path}"
        words = list(prefix) + (self.h2load(place, seconds) if self.rate else self.wrk(place, seconds)) + [url]
        done = subprocess.run(place.command(words, cpus, target.caller_cgroup), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds + 30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return self.h2load_answer(place, done.stdout) if self.rate else json.loads(done.stdout.strip().splitlines()[-1])

    def wrk(self, place, seconds):
        script = place.write("bytes.lua" if self.is_tcp else "http.lua",
                             REPORT + (NOT_HTTP.replace("PATH", self.path) if self.is_tcp else ""))
        words = ["wrk", "-t", str(self.threads), "-c", str(self.connections), "-d", f"{seconds}s", "-s", script]
        for header in (f"Host: {HOST}", *HEADERS) + (("Connection: close",) if self.is_new_connection_each else ()):
            words += ["-H", header]
        return words

    def h2load(self, place, seconds):
        log = place.path("h2load.log")
        if os.path.exists(log):
            os.remove(log)  # it is appended to
        words = ["h2load", "--h1", "-t", str(self.threads), "-c", str(self.connections), "-n", str(self.rate * seconds),
                 "--rps", str(self.rate // self.connections), f"--log-file={log}", "-H", f":authority: {HOST}"]
        for header in HEADERS:
            words += ["-H", header]
        return words

    def h2load_answer(self, place, text):
        with open(place.path("h2load.log"), encoding="ascii") as file:  # start, status, microseconds
            answers = [line.split() for line in file]
        times = sorted(int(time) for _, status, time in answers if status == "200")
        if not times:
            raise RuntimeError(f"h2load has got nothing: {text[-500:]}")
        total, succeeded = map(int, re.search(r"^requests: (\d+) total,.* (\d+) succeeded", text, re.MULTILINE).groups())
        return {"requests": len(times), "bytes": int(re.search(r"\((\d+)\) data", text).group(1)),
                "seconds": len(times) / self.rate, "errors": max(total - succeeded, total - len(times)),
                "p50_us": times[len(times) // 2], "p99_us": times[len(times) * 99 // 100]}
