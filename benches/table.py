"""The rows of the result: numbers, the words for them, and whether they meet their goal."""

import dataclasses
import typing


@dataclasses.dataclass
class Row:
    """One line of the table. `goal` is the most that `value` may be, `least` the least."""

    section: str
    what: str
    ours: str
    other: str
    value: float
    shown: str
    goal: typing.Optional[float] = None
    least: typing.Optional[float] = None
    runs: dict = dataclasses.field(default_factory=dict)

    def met(self):
        if self.goal is not None:
            return self.value <= self.goal
        return self.value >= self.least if self.least is not None else None

    def verdict(self):
        if self.met() is None:
            return ""
        sign, limit = ("<=", self.goal) if self.goal is not None else (">=", self.least)
        return f"{sign} {limit:g} {'met' if self.met() else 'MISSED'}"


def milliseconds(series, field="wall_seconds"):
    """Median, least and most."""
    walls = [wall * 1e3 for wall in series.values(field)]
    digits = 1 if max(walls) < 100 else 0
    text = f"{series.median(field) * 1e3:.{digits}f} ms"
    if len(walls) > 1:
        text += f" ({min(walls):.{digits}f}-{max(walls):.{digits}f})"
    return text


def megabytes(size_bytes):
    return f"{size_bytes / 1e6:.1f} MB"


def compared(section, what, ours, name, theirs, goal=None):
    """The ratio of the medians; in brackets the least and most of the ratios of neighbours."""
    ratio = ours.median() / theirs.median()
    pairs = [a / b for a, b in zip(ours.values("wall_seconds"), theirs.values("wall_seconds"))]
    shown = f"{ratio:.2f}" if ratio > 0.1 else f"1/{1 / ratio:.0f}"
    if len(pairs) > 1:
        shown += f" ({min(pairs):.2f}-{max(pairs):.2f})"
    runs = {"maillogsentinel": ours.numbers(), name: theirs.numbers()}
    return Row(section, what, milliseconds(ours), f"{name} {milliseconds(theirs)}", ratio, shown,
               goal, runs=runs)


def judged(section, what, series):
    """The whole run, with what is judged after the CSV is finished."""
    whole = series.median("whole_seconds")
    return Row(section, f"{what}, judged as well", milliseconds(series, "whole_seconds"), "", whole, f"{whole:.1f} s")


def memory(section, what, run_or_runs, goal):
    """Peak resident memory, in MB of a million bytes."""
    peak = run_or_runs.peak_rss_bytes()
    return Row(section, f"{what}: peak memory", megabytes(peak), "", peak / 1e6, "", goal,
               runs={"maillogsentinel": run_or_runs.numbers()})


def print_table(rows):
    """Wall time as median (least-most); ratios as ours to theirs."""
    header = ["", "what", "maillogsentinel", "compared with", "ratio", "goal"]
    cells = [[row.section, row.what, row.ours, row.other, row.shown, row.verdict()] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells)]
    for line in [header, ["-" * width for width in widths], *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
