"""What tests must not leave on the machine: processes, cgroups, network namespaces, mounts, pins (no eBPF program of ours
stays without one) and temporary files. A Watch is made before they run and asked afterwards; what was there before is not
theirs."""
import contextlib
import os
import secrets
import signal
import tempfile
import time

MARK = "FAIRLEAD_TEST_RUN"  # in the environment of every process that the tests start
PATIENCE = 5  # seconds in which what is on its way out may go


class Watch:
    def __init__(self, build):
        self.programs = os.path.join(os.path.realpath(build), "bin") + "/"
        self.mark = secrets.token_hex(16)
        os.environ[MARK] = self.mark
        self.processes_before = set(self._processes())
        self.things_before = set(self._things())

    def leftovers(self):
        """What is there now and was not before, in words. The processes among it are ended, or they would hold whoever
        waits for our output."""
        deadline = time.monotonic() + PATIENCE
        while (found := self._new()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid, _ in set(self._processes()) - self.processes_before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found

    def _new(self):
        processes = set(self._processes()) - self.processes_before
        return [f"process {pid}: {command}" for pid, command in sorted(processes)] + sorted(
            set(self._things()) - self.things_before)

    def _processes(self):
        """[(pid, command line)] of what carries our mark, or is a program of this build that lost it."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    is_ours = f"{MARK}={self.mark}".encode() in file.read().split(b"\0")
                is_ours = is_ours or os.readlink(f"/proc/{pid}/exe").startswith(self.programs)
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:  # it ended, or is not ours to look at
                continue
            if is_ours:
                yield int(pid), command

    @staticmethod
    def _things():
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [(line.split()[4], line.split(" - ")[1].split()[0]) for line in file]
        for point, kind in mounts:
            yield f"mount of {kind} on {point}"
            if kind == "cgroup2":
                for folder, _, _ in os.walk(point):
                    if "/fairlead" in folder[len(point):]:
                        yield f"cgroup {folder}"
            if kind == "bpf":
                for folder, folders, files in os.walk(point):
                    for name in folders + files:
                        if "/fairlead" in f"{folder[len(point):]}/{name}":
                            yield f"pin {folder}/{name}"
        for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
            yield f"network namespace {name}"
        for name in os.listdir(tempfile.gettempdir()):
            if name.startswith("fairlead"):
                yield f"{tempfile.gettempdir()}/{name}"
