"""What a request costs when the node knows more: services, policies, pods."""
import contextlib
import os
import time

from lib import documents, goals
from lib.cluster import PodFairlead
from lib.load import Load
from lib.machine import PATIENCE, cpu_ns, private_kib
from lib.report import Line
from lib.sampling import ratios
from lib.targets import Fairlead


@contextlib.contextmanager
def started(target):
    try:
        target.start()
        yield target
    finally:
        target.stop()


class Grown(Fairlead):
    """The same node with more services and policies."""

    def __init__(self, *where, name="grown", **size):
        super().__init__(*where)
        self.name, self.size = name, size

    def write_documents(self):
        folder = self.place.path(self.name)
        os.makedirs(folder, exist_ok=True)
        for name, text in documents.grown_node(self.log_path(), self.backend_ports, **self.size).items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        return folder


def services(bench, is_quick):
    rounds, seconds = (3, 1) if is_quick else (9, 2)
    base, *grown = sizes = {"services-10": {"services": 10}, "services-1000": {"services": 1000},
                            "services-10000": {"services": 10000}, "policies-1000": {"services": 1000, "policed": 1000}}
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(started(bench.target(Grown, name=name, **size))) for name, size in sizes.items()]
        found = bench.rounds("growth", targets, Load(), rounds, seconds)
    return [Line(f"growth: {what}", "10 services", ratios(found, name, base), goals.GROWTH)
            for name, what in zip(grown, ("1,000 services", "10,000 services", "1,000 policies"))]


def settle(target):
    """What a change costs is not the requests' to pay."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        before = cpu_ns(target.pids())
        time.sleep(0.3)
        if cpu_ns(target.pids()) - before < 3_000_000:
            return
    raise RuntimeError(f"{target.name} does not come to rest")


def pods(bench, is_quick):
    """Pods with cgroups and network namespaces of their own, listeners in each. One agent at a time can be on a node, so
    they are opted in and out between samples; they run all the time."""
    rounds, seconds, most = (3, 1, 200) if is_quick else (7, 2, 1000)
    sizes = {1: "1 pod", 100: "100 pods", most: f"{most:,} pods"}
    load = Load()
    with started(bench.target(PodFairlead)) as target:
        target.make_pods(most - 1)
        settle(target)
        alone = private_kib(target.proxy_pid())
        began = time.monotonic()
        target.opt_in(most)
        took = time.monotonic() - began
        settle(target)
        each = (private_kib(target.proxy_pid()) - alone) / (most - 1)
        bench.samples.add({"measure": "memory of pods", "kib_each": each, "capture_seconds": took})
        bench.warm_up("growth", target, load)
        found = []
        for number in range(rounds):
            samples = {}
            for count in bench.random.sample(list(sizes), len(sizes)):
                target.opt_in(count)
                settle(target)
                samples[sizes[count]] = bench.sample(f"growth: {sizes[count]}", number, target, load, seconds)
            found.append({name: sample for name, sample in samples.items() if sample})
    return [Line("proxy, each further pod", "KiB", [each], goals.FURTHER_POD_KIB,
                 f"{most - 1} more in network namespaces, captured in {took:.1f} s"),
            *(Line(f"growth: {name}", "1 pod", ratios(found, name, "1 pod"), goals.GROWTH)
              for name in list(sizes.values())[1:])]
