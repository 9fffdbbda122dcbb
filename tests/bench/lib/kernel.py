"""The kernel part: what it adds to connections, what its counting costs, how large its maps get."""
import json
import os
import subprocess

from lib import goals
from lib.growth import Grown, started
from lib.load import Load
from lib.report import Line
from lib.sampling import ratios
from lib.targets import Fairlead, RedirectedFairlead

MAPS = "/sys/fs/bpf/fairlead"


def hook(bench, is_quick):
    """Connections from a cgroup with our programs and from one without, in turns."""
    words = ["taskset", "-c", bench.cpu, bench.tools.program("connect_bench"), "15" if is_quick else "60"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError("connect_bench: " + answer.stderr[-500:])
    lines = []
    for text in answer.stdout.splitlines():
        name, unit, *numbers = text.split("\t")
        values = [float(value) for value in numbers]
        bench.samples.add({"measure": "kernel", "case": name, "unit": unit, "values": values})
        lines.append(Line(name, unit, values, goals.KERNEL.get(name)))
    return lines


def host(bench, is_quick):
    """The redirect on a host without pods. One agent at a time can have the kernel part, so it is not among the others."""
    rounds, seconds = (3, 1) if is_quick else (9, 2)
    lines = []
    with started(bench.target(Fairlead)) as plain, started(bench.target(RedirectedFairlead)) as redirected:
        for name, load in (("1 KiB c=16", Load()), ("new connection each c=16", Load(is_new_connection_each=True))):
            found = bench.rounds(f"on a host: {name}", [plain, redirected], load, rounds, seconds)
            lines.append(Line(f"HTTP/1.1 {name}: {redirected.name}", plain.name,
                              ratios(found, redirected.name, plain.name), None, "what the redirect adds to the proxy"))
    return lines


class RedirectedGrown(RedirectedFairlead, Grown):
    """With more services, of which the kernel part knows each address."""

    def __init__(self, *where, name, **size):
        RedirectedFairlead.__init__(self, *where)
        self.name, self.size = name, {"caller_cgroup": self.selector(), **size}

    write_documents = Grown.write_documents


def maps(bench, is_quick):
    """By the kernel's own account, with the addresses of 10,000 services."""
    count = 1000 if is_quick else 10000
    with started(bench.target(RedirectedGrown, name="maps", services=count)) as target:
        entries = {}
        total = 0
        for folder, _, files in os.walk(MAPS):
            for name in files if os.path.basename(folder) == "maps" else ():
                words = ["bpftool", "--json", "map", "show", "pinned", os.path.join(folder, name)]
                shown = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
                total += shown["bytes_memlock"]
                entries[name] = shown["bytes_memlock"]
                bench.samples.add({"measure": "map", "name": name, "type": shown["type"],
                                   "bytes": shown["bytes_memlock"], "max_entries": shown.get("max_entries"),
                                   "entries": target.metric("fairlead_bpf_map_entries", map=name)})
        used = target.metric("fairlead_bpf_map_entries", map="destinations")
        if used < count:
            raise RuntimeError(f"the kernel part knows {used:.0f} addresses of {count} services")
    return [Line(f"map of addresses, {count:,} services", "KiB", [entries["destinations"] / 1024], None,
                 f"{used:.0f} entries"),
            Line(f"all maps, {count:,} services", "KiB", [total / 1024], None,
                 "kept by the kernel as long as Fairlead is on the node")]
