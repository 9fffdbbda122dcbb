"""More processors: what a second worker brings, what uneven connections take of it, and what one connection that is slow
or has very much to say does to the others. Load and backend have as many threads as the proxy, on the same processors."""
import contextlib
import os
import selectors
import socket
import statistics
import threading
import time

from lib.growth import started
from lib.load import HOST, Load
from lib.machine import thread_ns
from lib.report import Line
from lib.sampling import ratios
from lib.targets import Fairlead, Haproxy

SLOW_READERS = 64
HUGE_BYTES_PER_SECOND = "200M"
RATE = 2000
SETTLING_SECONDS = 0.7  # until all buffers on the way are full


def on(kind, workers):
    """The target on so many processors, with a backend on each."""
    class Scaled(kind):
        name = f"{kind.name}-{workers}"

        def __init__(self, place, tools, _cpus, _backend_ports):
            processors = [str(cpu) for cpu in sorted(os.sched_getaffinity(0))[:workers]]
            if len(processors) < workers:
                raise RuntimeError(f"there are not {workers} processors")
            super().__init__(place, tools, ",".join(processors), [place.free_port() for _ in processors])
            self.workers, self.backends = workers, []

        def start(self):
            for port, cpu in zip(self.backend_ports, self.cpus.split(",")):
                process = self.place.start("backend", [self.tools.program("backend"), f"127.0.0.1:{port}"], cpu)
                self.backends.append(process)
                self.place.await_listener(process, "backend", port)
            super().start()

        def stop(self):
            super().stop()
            for process in self.backends:
                self.place.end(process)
    return Scaled


def load(target, **more):
    return Load(threads=target.workers, **more)


def scaling(bench, is_quick):
    rounds, seconds = (2, 1) if is_quick else (7, 2)
    with contextlib.ExitStack() as stack:
        def start(kind, workers):
            return stack.enter_context(started(bench.target(on(kind, workers))))
        one, two = start(Fairlead, 1), start(Fairlead, 2)
        peer, peers = start(Haproxy, 1), start(Haproxy, 2)
        return (throughput(bench, [one, two, peer, peers], rounds, seconds) +
                uneven(bench, one, two, rounds, seconds) +
                disturbed(bench, two, peers, rounds, seconds))


def throughput(bench, targets, rounds, seconds):
    found = []
    for target in targets:
        bench.warm_up("scaling", target, load(target, connections=64))
    for number in range(rounds):
        samples = {}
        for target in bench.random.sample(targets, len(targets)):
            samples[target.name] = bench.sample("scaling c=64", number, target, load(target, connections=64), seconds)
        found.append({name: sample for name, sample in samples.items() if sample})
    lines = []
    for name in ("fairlead", "haproxy"):
        note = "everything else doubled as well" if name == "fairlead" else "the same, for comparison"
        values = ratios(found, f"{name}-2", f"{name}-1", "per_second")
        lines.append(Line(f"2 workers on 2 cores: throughput of {name}", "1 on 1", values, None, note))
    lines.append(Line("2 workers on 2 cores: CPU per request", "1 on 1", ratios(found, "fairlead-2", "fairlead-1")))
    return lines


def uneven(bench, one, two, rounds, seconds):
    """Eight connections that stay: the kernel spreads them over the listeners by chance, and there they remain."""
    found, shares = [], []
    for number in range(rounds + 3):
        samples = {}
        for target in bench.random.sample([one, two], 2):
            before = thread_ns(target.proxy_pid())
            samples[target.name] = bench.sample("scaling c=8", number, target, load(target, connections=8), seconds)
            if target is two:
                spent = [now - before.get(task, 0) for task, now in thread_ns(target.proxy_pid()).items()]
                shares.append(max(spent) / sum(spent))
        found.append({name: sample for name, sample in samples.items() if sample})
    bench.samples.add({"measure": "scaling c=8", "busiest_share": shares})
    what = "8 long connections on 2 workers"
    return [Line(f"{what}: throughput", "1 worker", ratios(found, two.name, one.name, "per_second")),
            Line(f"{what}: p99", "1 worker", ratios(found, two.name, one.name, "p99_us")),
            Line(f"{what}: busiest worker", "share of all", shares, None, "0.50 is even")]


def disturbed(bench, product, peer, rounds, seconds):
    """p99 at a fixed rate beside others that are difficult, as a multiple of the same when it is quiet."""
    cases = {"quiet": nobody, "64 slow readers": slow_readers, "a huge body": huge_body}
    found = {name: [] for name in cases}
    for number in range(rounds):
        for name in bench.random.sample(list(cases), len(cases)):
            samples = {}
            for target in bench.random.sample([product, peer], 2):
                with cases[name](bench, target) as helpers:
                    samples[target.name] = bench.sample(f"p99 beside {name}", number, target,
                                                        load(target, connections=16, rate=RATE), seconds, helpers)
            found[name].append(samples)
    quiet = statistics.median(each[product.name]["p99_us"] for each in found["quiet"] if each[product.name])
    lines = []
    for name in list(cases)[1:]:
        own = [there[product.name]["p99_us"] / here[product.name]["p99_us"] for here, there in
               zip(found["quiet"], found[name]) if here[product.name] and there[product.name]]
        lines.append(Line(f"p99 beside {name}, 2 workers", "quiet", own, None, f"quiet: {quiet:.0f} µs"))
        complete = [{key: sample for key, sample in each.items() if sample} for each in found[name]]
        lines.append(Line(f"p99 beside {name}, 2 workers", "haproxy", ratios(complete, product.name, peer.name, "p99_us")))
    return lines


def nobody(_bench, _target):
    return contextlib.nullcontext(())


@contextlib.contextmanager
def slow_readers(bench, target):
    """Each wants a terabyte and reads 20 KB a second of it, with the smallest window there is."""
    is_over = threading.Event()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(SLOW_READERS):
            with bench.place.entered():
                reader = stack.enter_context(socket.socket())
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.connect((target.address, target.port))
            reader.sendall(f"GET /huge HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            selector.register(reader, selectors.EVENT_READ)

        def read():
            while not is_over.wait(0.1):
                for key, _ in selector.select(0):
                    key.fileobj.recv(2048)
        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(SETTLING_SECONDS)
        try:
            yield ()
        finally:
            is_over.set()
            thread.join()


@contextlib.contextmanager
def huge_body(bench, target):
    words = ["curl", "--silent", "--output", "/dev/null", "--limit-rate", HUGE_BYTES_PER_SECOND, "--header", f"Host: {HOST}",
             f"http://{target.address}:{target.port}/huge"]
    process = bench.place.start("curl", words, target.cpus)
    try:
        time.sleep(SETTLING_SECONDS)
        yield (process,)
        if process.poll() is not None:
            raise RuntimeError(f"{target.name}: the huge body has ended")
    finally:
        bench.place.end(process)
