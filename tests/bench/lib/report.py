"""One table of all measures, and the page with a plot."""
import dataclasses
import statistics

from lib.goals import Goal


@dataclasses.dataclass
class Line:
    measure: str
    against: str  # a peer, or the unit of a figure of its own
    values: list
    goal: Goal | None = None
    note: str = ""

    def __post_init__(self):
        if not self.values:
            raise RuntimeError(f"{self.measure}, {self.against}: every sample was dropped")

    @property
    def median(self):
        return statistics.median(self.values)

    def cells(self):
        verdict = self.goal.verdict(self.median) if self.goal else "-"
        goal = f"{number(self.goal.must)} / {number(self.goal.stretch)}" if self.goal else "-"
        span = f"{number(min(self.values))} .. {number(max(self.values))}" if len(self.values) > 1 else "-"
        return [self.measure, self.against, number(self.median), span, str(len(self.values)), goal, verdict, self.note]


HEADER = ["measure", "against", "median", "min .. max", "rounds", "goal: must / stretch", "verdict", "note"]


def number(value):
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:.{digits}f}"


def text_table(lines):
    rows = [HEADER] + [line.cells() for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([shown[0], "-" * len(shown[0])] + shown[1:])


def markdown_table(lines):
    rows = [HEADER, ["---"] * len(HEADER)] + [line.cells() for line in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plot(title, bars):
    """Horizontal bars of the product's CPU per request as a multiple of each peer's: [(label, value, goal or None)]."""
    left, width, step = 330, 420, 26
    top = max([value for _, value, _ in bars] + [goal.must for _, _, goal in bars if goal] + [1.0]) * 1.05
    height = 60 + step * len(bars)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="22" font-size="14" font-weight="bold">{title}</text>']
    one = left + width / top
    out.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="36" y2="{height - 10}" stroke="#999" stroke-dasharray="3 3"/>'
               f'<text x="{one:.1f}" y="34" fill="#666" text-anchor="middle" font-size="10">1.0: the same</text>')
    for i, (label, value, goal) in enumerate(bars):
        y = 42 + i * step
        color = "#2b7a4b" if goal is None or value <= goal.must else "#b5482f"
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{label}</text>'
                   f'<rect x="{left}" y="{y}" width="{width * value / top:.1f}" height="17" fill="{color}"/>'
                   f'<text x="{left + width * value / top + 5:.1f}" y="{y + 13}">{number(value)}</text>')
        if goal:
            x = left + width * goal.must / top
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3}" y2="{y + 20}" stroke="#222" stroke-width="2"/>')
    return "\n".join(out + ["</svg>", ""])


def page(lines, machine, command, when, versions, notes):
    return f"""# Performance, as measured

Written by `{command}`; what is measured and how is in [`tests/bench`](../tests/bench/README.md). Every ratio is of one round
in which all took turns; the median of the rounds decides. The product runs with its full policy set (timeout, per-try
timeout, retries, limits, outlier detection, all metric labels, JSON access log to a file, request ids), HAProxy, nginx,
nghttpx and the forwarder with none; Envoy with the same policies. Its agent's CPU counts as its own.

{machine}, {when}. {versions}.

![Cost as a multiple of others'](performance.svg)

{markdown_table(lines)}

{notes}"""
