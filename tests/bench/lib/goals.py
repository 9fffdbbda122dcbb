"""PERFORMANCE 2: what is to be reached. A goal is a ceiling for a number: a ratio of the same round, or a figure of its
own. `must` decides the verdict."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Goal:
    must: float
    stretch: float

    def verdict(self, value):
        """Of what a table shows: a ratio that reads 1.00 meets a goal of 1.00."""
        value = round(value, 3 if self.must < 0.1 else 2)
        if value <= self.stretch:
            return "stretch"
        return "met" if value <= self.must else "MISSED"


# The kernel's share differs between machines, and with it what a ratio to the bare forwarder can be: `cheap` where a
# system call costs little, `nested` in a virtual machine inside another. The higher one is used where that is unknown.
HTTP_SMALL = {"envoy": Goal(0.22, 0.16), "haproxy": Goal(0.80, 0.60), "nginx": Goal(0.95, 0.75), "l4fwd": Goal(1.9, 1.5)}
HTTP_LARGE = {"haproxy": Goal(0.90, 0.80), "l4fwd": Goal(1.20, 1.08)}
NEW_CONNECTION = {"haproxy": Goal(1.00, 0.90)}
TCP = {"l4fwd": Goal(1.10, 1.03), "haproxy": Goal(1.00, 0.92)}
MEDIAN_TIME = {"haproxy": Goal(1.00, 0.90)}
TAIL_TIME = {"haproxy": Goal(1.00, 0.80)}

IDLE_CONNECTION_KIB = Goal(1.5, 0.9)
IDLE_PROXY_KIB = Goal(12 * 1024, 6 * 1024)
FURTHER_POD_KIB = Goal(64, 16)
ALLOCATIONS = Goal(0.01, 0)
SYSCALLS = Goal(6.1, 4.3)
GROWTH = Goal(1.10, 1.03)
POLICY_MS = Goal(100, 20)
SCRAPE = Goal(0.15, 0.08)
HOOK_NS = Goal(300, 100)
KERNEL = {"connect() not ours, hook alone: added": HOOK_NS, "connect() not ours, refused by the peer: added": HOOK_NS,
          "connection of a pod that has not opted in": Goal(1.00, 1.00)}
