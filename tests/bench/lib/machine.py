"""What the kernel says of processes and processors, and the place where everything runs: one network namespace with
nothing in it but a loopback device, and cgroups as workloads."""
import contextlib
import http.client
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds for a program to listen (with 10,000 services on a busy machine), or to end


def thread_ns(pid):
    """{thread: what it has run so far}"""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                found[task] = int(file.read().split()[0])
    return found


def cpu_ns(pids):
    """What all threads of these processes have run so far. Threads that ended are not in it: none of ours do."""
    return sum(sum(thread_ns(pid).values()) for pid in pids)


def busy_ns(cpus):
    """How long these processors ("0" or "0,1") were not idle, with what the hypervisor took; in steps of 10 ms."""
    names = {f"cpu{cpu}" for cpu in cpus.split(",")}
    total = 0
    with open("/proc/stat", encoding="ascii") as file:
        for words in map(str.split, file):
            if words[0] in names:
                user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, words[1:9])
                total += user + nice + system + irq + softirq + steal
    return total * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def memory_kib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.MULTILINE).group(1))


def private_kib(pid):
    """Memory that would be free without the process: what it shares with the page cache is not in it."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(number) for number in re.findall(r"^Private_\w+:\s+(\d+) kB", file.read(), re.MULTILINE))


def children(pid):
    """The process and everything below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
    return found


def description():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown processor")
    with open("/proc/meminfo", encoding="ascii") as file:
        gib = round(int(file.readline().split()[1]) / 2**20)
    return f"{model}, {os.cpu_count()} processors, {gib} GiB, Linux {platform.release()}"


class Place:
    """A folder, a cgroup and two network namespaces of this run alone: the one in which load, backend and proxies are,
    and the one that is the node to it when it is a pod. Programs started here are ended with it."""

    def __init__(self, with_cgroups):
        self.folder = tempfile.mkdtemp(prefix="fairlead-bench-")
        self.processes = []
        self.netns = None
        self.node_netns = None
        self.cgroup = None
        if os.geteuid() == 0:
            self.netns = os.path.basename(self.folder)
            self.node_netns = self.netns + "-node"
            for name in (self.netns, self.node_netns):
                subprocess.run(["ip", "netns", "add", name], check=True)
                subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        if with_cgroups:
            self.cgroup = os.path.join(cgroup2_mount(), os.path.basename(self.folder))
            os.mkdir(self.cgroup)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def workload(self, name):
        """A cgroup, as the selector of a Workload document names it."""
        path = os.path.join(self.cgroup, name)
        os.makedirs(path, exist_ok=True)
        return path

    def command(self, words, cpus, cgroup=None, netns=None):
        prefix = ["taskset", "-c", cpus]
        if self.netns:  # not `ip netns exec`: its own /sys would hide cgroups and pins
            prefix = ["nsenter", f"--net=/run/netns/{netns or self.netns}"] + prefix
        if cgroup:
            prefix = ["sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', cgroup] + prefix
        return prefix + words

    def start(self, name, words, cpus, cgroup=None, environment=None, netns=None):
        with open(self.path(f"{name}.log"), "ab") as log:
            process = subprocess.Popen(self.command(words, cpus, cgroup, netns), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, env={**os.environ, **(environment or {})})
        self.processes.append(process)
        return process

    def size_of(self, name):
        return os.path.getsize(self.path(f"{name}.log"))

    def log_of(self, name):
        with open(self.path(f"{name}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        for process in reversed(list(self.processes)):
            self.end(process)
        if self.cgroup:
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                remove_cgroup(folder)
        for name in filter(None, (self.netns, self.node_netns)):
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def entered(self, netns=None):
        """This thread is in the namespace: sockets made here belong to it."""
        if not self.netns:
            yield
            return
        with open("/proc/thread-self/ns/net", encoding="ascii") as home, \
                open(f"/run/netns/{netns or self.netns}", encoding="ascii") as place:
            setns(place.fileno())
            try:
                yield
            finally:
                setns(home.fileno())

    def free_port(self, netns=None):
        with self.entered(netns), socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def await_listener(self, process, name, port, netns=None, address="127.0.0.1"):
        deadline = time.monotonic() + PATIENCE
        with self.entered(netns):
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
                    return
                time.sleep(0.02)
        raise RuntimeError(f"{name} does not listen on port {port}:\n{self.log_of(name)}")

    def page(self, port, path, netns=None):
        """What an agent's admin endpoint answers: status and text."""
        with self.entered(netns), contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as admin:
            admin.request("GET", path)
            answer = admin.getresponse()
            return answer.status, answer.read().decode()

    def await_ready(self, process, name, admin_port, netns=None):
        """Until the agent says that a proxy serves its configuration."""
        self.await_listener(process, name, admin_port, netns)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.page(admin_port, "/readyz", netns)[0] == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{name} does not become ready:\n{self.log_of(name)}")


def setns(descriptor):
    import ctypes  # os.setns came with Python 3.12
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def cgroup2_mount():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                return before.split()[4]
    raise RuntimeError("no cgroup2 hierarchy is mounted")


def remove_cgroup(folder):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.rmdir(folder)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
