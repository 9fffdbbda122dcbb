"""Rounds: all targets in random order under the same load, CPU per request of each; ratios are of the same round only."""
import os
import random

from lib import proof
from lib.machine import busy_ns, cpu_ns

FOREIGN_LIMIT = 0.06  # of a core; above, a sample is dropped
WARM_UP_SECONDS = 1


class Bench:
    """What the measures share: the place, the tools, the processor and where raw samples go."""

    def __init__(self, place, tools, cpu, backends, samples, accepts_noise, seed=None):
        self.place, self.tools, self.cpu, self.samples = place, tools, str(cpu), samples
        self.backends = backends
        self.accepts_noise = accepts_noise
        self.random = random.Random(seed)
        self.dropped = 0

    def sample(self, measure, round_number, target, load, seconds, helpers=()):
        """One target under one load; None when somebody else used its processors too. `helpers`: who belongs to it."""
        pids = target.pids()
        known = pids + [process.pid for process in (*getattr(target, "backends", self.backends), *helpers)]
        busy, used, own = busy_ns(target.cpus), cpu_ns(known), cpu_ns(pids)
        generators = own_seconds()
        answer = load.run(self.place, target, target.cpus, seconds)
        proof.of_answers(f"{measure}: {target.name}", load, answer)
        own = cpu_ns(pids) - own
        proof.empty_log(target)
        used = cpu_ns(known) - used + int((own_seconds() - generators) * 1e9)
        foreign = max(0, busy_ns(target.cpus) - busy - used) / (seconds * 1e9)
        sample = {"measure": measure, "round": round_number, "target": target.name, "cpu_ns": own,
                  "foreign": round(foreign, 4), **answer,
                  "ns_per_request": round(own / answer["requests"], 1),
                  "per_second": round(answer["requests"] / answer["seconds"], 1)}
        sample["is_dropped"] = foreign > FOREIGN_LIMIT * len(target.cpus.split(",")) and not self.accepts_noise
        self.samples.add(sample)
        if sample["is_dropped"]:
            self.dropped += 1
            return None
        return sample

    def warm_up(self, measure, target, load):
        """Fills pools, and shows that the target does what it is measured for."""
        with proof.of_policies(f"{measure}: {target.name}", target, load) as requests:
            requests.append(load.run(self.place, target, target.cpus, WARM_UP_SECONDS)["requests"])

    def rounds(self, measure, targets, load, rounds, seconds):
        """[{target name: sample}] of each round."""
        for target in targets:
            self.warm_up(measure, target, load)
        found = []
        for number in range(rounds):
            order = list(targets)
            self.random.shuffle(order)
            samples = {target.name: self.sample(measure, number, target, load, seconds) for target in order}
            found.append({name: sample for name, sample in samples.items() if sample})
        return found


def own_seconds():
    """CPU of this program and of the load generators, which have ended."""
    return sum(os.times()[:4])


def ratios(rounds, of, to, key="ns_per_request"):
    return [samples[of][key] / samples[to][key] for samples in rounds if of in samples and to in samples and samples[to][key]]
