"""Runs commands in turn and keeps what each run cost.

Commands to be compared take turns (A B A B …): a machine that is busy for a second is then busy
for both, and a ratio of neighbours means something where two separate averages would not.
"""

import dataclasses
import os
import pathlib
import signal
import statistics
import subprocess
import typing

TIMEOUT_SECONDS = 900

# A fixed time zone, because the logs are written in UTC; plain bytes, which is grep at its best.
ENVIRONMENT = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}


class Wrong(Exception):
    """A command did not do its work, so that its time means nothing."""


@dataclasses.dataclass
class Run:
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    status: int
    stdout: pathlib.Path
    stderr: pathlib.Path
    # Of `wall_seconds` and `cpu_seconds`, what a check has taken out: it is told apart.
    judged_seconds: float = 0.0

    def leave_out(self, seconds):
        self.judged_seconds = seconds
        self.wall_seconds -= seconds
        self.cpu_seconds -= seconds

    @property
    def whole_seconds(self):
        return self.wall_seconds + self.judged_seconds


@dataclasses.dataclass
class Command:
    """`prepare` runs before each run and is not timed; `check` raises `Wrong`."""

    name: str
    arguments: list
    prepare: typing.Callable[[], None] = lambda: None
    check: typing.Callable[[Run], None] = lambda run: None


class Series(list):
    """The runs of one command."""

    def values(self, field):
        return [getattr(run, field) for run in self]

    def median(self, field="wall_seconds"):
        return statistics.median(self.values(field))

    def peak_rss_bytes(self):
        return max(self.values("peak_rss_bytes"))

    def numbers(self):
        fields = ("wall_seconds", "cpu_seconds", "whole_seconds", "peak_rss_bytes")
        return {field: self.values(field) for field in fields}


class Stopwatch:
    """Starts commands through `tools/measure.rs`, which says why Python does not do so itself."""

    def __init__(self, measure, scratch):
        self.measure = measure
        self.scratch = scratch

    def run(self, command):
        command.prepare()
        # What earlier runs wrote must not be what this run's fsync waits for.
        os.sync()
        stdout, stderr = self.scratch / "stdout", self.scratch / "stderr"
        arguments = [self.measure, stdout, stderr, *command.arguments]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True,
                              start_new_session=True) as process:
            try:
                output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Wrong(f"{command.name}: not done after {TIMEOUT_SECONDS} s") from None
                raise
        if process.returncode != 0:
            raise Wrong(f"{command.name}: could not be measured")
        wall_ns, user_us, system_us, rss_kib, status = map(int, output.split())
        cpu_seconds = (user_us + system_us) / 1e6
        run = Run(wall_ns / 1e9, cpu_seconds, rss_kib * 1024, status, stdout, stderr)
        try:
            command.check(run)
        except Wrong as error:
            said = stderr.read_text(errors="replace")[-800:]
            raise Wrong(f"{command.name}: {error}\n{said}".rstrip()) from None
        return run

    def in_turn(self, commands, rounds, warm_up=True):
        """One `Series` per command. The warm-up round is checked too, but not kept."""
        if warm_up:
            for command in commands:
                self.run(command)
        series = [Series() for _ in commands]
        for _ in range(rounds):
            for command, kept in zip(commands, series):
                kept.append(self.run(command))
        return series
