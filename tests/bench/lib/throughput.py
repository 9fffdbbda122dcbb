"""The product against the peers under load: CPU per request, and time."""
from lib import goals
from lib.load import Load
from lib.report import Line
from lib.sampling import ratios
from lib.targets import Fairlead


class Measure:
    def __init__(self, name, load, goal, key="ns_per_request"):
        self.name, self.load, self.goal, self.key = name, load, goal, key

    def run(self, bench, targets, rounds, seconds, with_all=True):
        """A line for each product and peer. A time, and without `with_all` everything, is compared only with those of whom
        a goal speaks."""
        def takes_part(target):
            if not (target.has_tcp if self.load.is_tcp else target.has_http):
                return False
            is_for_all = with_all and self.key == "ns_per_request"
            return is_for_all or isinstance(target, Fairlead) or target.name in self.goal
        targets = [target for target in targets if takes_part(target)]
        found = bench.rounds(self.name, targets, self.load, rounds, seconds)
        products = [target.name for target in targets if isinstance(target, Fairlead)]
        lines = []
        for product in products:
            for peer in [target.name for target in targets if target.name not in products]:
                if values := ratios(found, product, peer, self.key):
                    lines.append(Line(f"{self.name}: {product}", peer, values, self.goal.get(peer)))
        if not lines:
            raise RuntimeError("every sample was dropped, because others used the processor")
        return lines


MEASURES = {
    "1k": [Measure("HTTP/1.1 1 KiB c=16", Load(connections=16), goals.HTTP_SMALL),
           Measure("HTTP/1.1 1 KiB c=64", Load(connections=64), goals.HTTP_SMALL)],
    "64k": [Measure("HTTP/1.1 64 KiB c=16", Load("/64k", 16), goals.HTTP_LARGE)],
    "connections": [Measure("new connection each c=16", Load(connections=16, is_new_connection_each=True),
                            goals.NEW_CONNECTION)],
    "tcp": [Measure("TCP 1 KiB c=16", Load(connections=16, is_tcp=True), goals.TCP),
            Measure("TCP 64 KiB c=16", Load("/64k", 16, is_tcp=True), goals.TCP)],
    "latency": [Measure("p50 c=1", Load(connections=1), goals.MEDIAN_TIME, "p50_us"),
                Measure("p99 at 2,000/s c=16", Load(connections=16, rate=2000), goals.TAIL_TIME, "p99_us")],
}
