"""Rounds: all targets in random order under the same load, CPU per request of each; ratios are of the same round only."""
import random

from lib.machine import busy_ns, cpu_ns

FOREIGN_LIMIT = 0.06  # of a core; above, a sample is dropped
WARM_UP_SECONDS = 1


class Bench:
    """What the measures share: the place, the tools, the processor and where raw samples go."""

    def __init__(self, place, tools, cpu, backend, samples, accepts_noise, seed=None):
        self.place, self.tools, self.cpu, self.backend, self.samples = place, tools, str(cpu), backend, samples
        self.accepts_noise = accepts_noise
        self.random = random.Random(seed)
        self.dropped = 0

    def sample(self, measure, round_number, target, load, seconds):
        """One target under one load; None when somebody else used the processor too."""
        pids = target.pids()
        ours = pids + [self.backend.pid]
        busy, used, own = busy_ns(self.cpu), cpu_ns(ours), cpu_ns(pids)
        children_before = children_seconds()
        answer = load.run(self.place, target, self.cpu, seconds)
        own = cpu_ns(pids) - own
        used = cpu_ns(ours) - used + int((children_seconds() - children_before) * 1e9)
        foreign = max(0, busy_ns(self.cpu) - busy - used) / (seconds * 1e9)
        requests = answer["requests"]
        sample = {"measure": measure, "round": round_number, "target": target.name, "cpu_ns": own,
                  "foreign": round(foreign, 4), **answer}
        if requests == 0 or answer["errors"] > requests // 100:
            raise RuntimeError(f"{measure}: {target.name} does not answer: {answer}")
        sample["ns_per_request"] = round(own / requests, 1)
        sample["is_dropped"] = foreign > FOREIGN_LIMIT and not self.accepts_noise
        self.samples.add(sample)
        if sample["is_dropped"]:
            self.dropped += 1
            return None
        return sample

    def rounds(self, measure, targets, load, rounds, seconds):
        """[{target name: sample}] of each round."""
        for target in targets:
            load.run(self.place, target, self.cpu, WARM_UP_SECONDS)
        found = []
        for number in range(rounds):
            order = list(targets)
            self.random.shuffle(order)
            samples = {target.name: self.sample(measure, number, target, load, seconds) for target in order}
            found.append({name: sample for name, sample in samples.items() if sample})
        return found


def children_seconds():
    """CPU of the load generators, which have ended."""
    import os
    times = os.times()
    return times.children_user + times.children_system


def ratios(rounds, of, to, key="ns_per_request"):
    return [samples[of][key] / samples[to][key] for samples in rounds if of in samples and to in samples and samples[to][key]]
