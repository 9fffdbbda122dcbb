"""Figures of the product's own: memory, allocations, system calls, a policy's way into force, a scrape."""
import contextlib
import os
import re
import resource
import socket
import subprocess
import time

from lib import goals
from lib.growth import Grown, started
from lib.load import HOST, Load
from lib.machine import memory_kib, private_kib
from lib.report import Line
from lib.targets import Fairlead


def get(connection, path="/1k"):
    """One request on a kept connection; the status."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("closed in a response's head")
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    rest = int(re.search(rb"content-length: (\d+)", head).group(1)) - len(body)
    while rest > 0:
        rest -= len(connection.recv(65536))
    return int(head.split()[1])


def connect(bench, target):
    with bench.place.entered():
        return socket.create_connection((target.address, target.port), timeout=10)


def idle_connections(bench, target, count):
    """KiB for each connection that has served a request and waits for the next one. A first batch fills pools and the
    allocator's reserve; what the second adds is each connection's."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.ExitStack() as stack:
        def batch():
            for _ in range(count):
                get(stack.enter_context(connect(bench, target)))
            time.sleep(1.5)
            return private_kib(target.proxy_pid())
        first = batch()
        return (batch() - first) / count


def memory(bench, is_quick):
    count = 500 if is_quick else 2000
    with started(bench.target(Fairlead)) as target:
        time.sleep(1)
        idle = [private_kib(target.proxy_pid())]
        agent = memory_kib(target.process.pid, "VmRSS")
        rss = memory_kib(target.proxy_pid(), "VmRSS")
        each = [idle_connections(bench, target, count)]
    bench.samples.add({"measure": "memory", "connection_kib": each[0], "proxy_private_kib": idle[0],
                       "proxy_rss_kib": rss, "agent_rss_kib": agent})
    return [
        Line("memory of an idle kept connection", "KiB", each, goals.IDLE_CONNECTION_KIB,
             f"{count} more after the first {count}"),
        Line("proxy, idle, 1 pod, private", "KiB", idle, goals.IDLE_PROXY_KIB, f"RSS {rss} KiB, agent's {agent} KiB")]


def allocations(bench, is_quick):
    counted = bench.place.path("allocations")
    target = bench.target(Fairlead)
    target.environment = {"LD_PRELOAD": bench.tools.program("count_allocations.so"),
                          "FAIRLEAD_BENCH_ALLOCATIONS": counted}
    with started(target):
        path = f"{counted}.{target.proxy_pid()}"

        def taken():
            with open(path, "rb") as file:
                return int.from_bytes(file.read(8), "little")
        load = Load(connections=64)
        load.run(bench.place, target, bench.cpu, 2)  # connections of the next run find pools filled
        before = taken()
        requests = load.run(bench.place, target, bench.cpu, 2 if is_quick else 5)["requests"]
        number = taken() - before
    bench.samples.add({"measure": "allocations", "allocations": number, "requests": requests})
    return [Line("heap allocations per request", "count", [number / requests], goals.ALLOCATIONS,
                 f"{number} in {requests} requests, with 64 connections opened")]


def syscalls(bench, is_quick):
    """By the kernel's own count, so that nothing is slowed down while counting."""
    with started(bench.target(Fairlead)) as target:
        load = Load(connections=64)
        load.run(bench.place, target, bench.cpu, 1)
        values = []
        counted = bench.place.path("syscalls")
        prefix = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o", counted, "-p", str(target.proxy_pid()), "--"]
        for _ in range(2 if is_quick else 5):
            requests = load.run(bench.place, target, bench.cpu, 2, prefix)["requests"]
            with open(counted, encoding="utf-8") as file:
                number = next(int(line.split(",")[0]) for line in file if "sys_enter" in line)
            bench.samples.add({"measure": "syscalls", "syscalls": number, "requests": requests})
            values.append(number / requests)
    return [Line("system calls per request, c=64", "count", values, goals.SYSCALLS)]


def policy(bench, is_quick):
    """From the moment one file is written to the first request that sees it, among 1,000 services with policies."""
    fault = "  - name: stable\n    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}\n"
    with started(bench.target(Grown, name="policy", services=1000, policed=1000)) as target:
        path = os.path.join(target.documents, "shop.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        connection = connect(bench, target)
        get(connection)
        times = []
        for i in range(4 if is_quick else 10):
            wanted, shown = (200, text) if i % 2 else (418, text.replace("  - name: stable\n", fault, 1))
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(shown)
            began = time.monotonic()
            os.rename(path + ".new", path)
            while get(connection) != wanted:
                if time.monotonic() - began > 20:
                    raise RuntimeError("a changed policy does not come into force:\n" + bench.place.log_of("policy"))
                time.sleep(0.0005)
            times.append((time.monotonic() - began) * 1000)
            bench.samples.add({"measure": "policy", "ms": times[-1]})
            time.sleep(0.3)
        connection.close()
    return [Line("policy change to effect, 1,000 services", "ms", times, goals.POLICY_MS)]


def microseconds(bench, program, name):
    """A figure of a Google Benchmark program: CPU time of one iteration."""
    answer = subprocess.run(bench.place.command([bench.tools.program(program), f"--benchmark_filter=^{name}$",
                                                 "--benchmark_format=csv"], bench.cpu),
                            capture_output=True, text=True, check=True).stdout
    row = answer.strip().splitlines()[-1].split(",")
    return float(row[3])


def scrape(bench, is_quick):
    values = []
    for _ in range(3 if is_quick else 9):
        ours = microseconds(bench, "scrape_bench", "ours")
        theirs = microseconds(bench, "scrape_bench", "prometheus_cpp")
        bench.samples.add({"measure": "scrape", "ours_us": ours, "prometheus_cpp_us": theirs})
        values.append(ours / theirs)
    return [Line("scrape of 1,000 label sets", "prometheus-cpp", values, goals.SCRAPE, f"ours {ours / 1000:.1f} ms")]
