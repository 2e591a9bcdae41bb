"""The benchmark behind `benches/run`: what is compared with what, the goals, and the table.

Every run is checked, ours and theirs: the number of rows and lines must be the one that the log
generator counted. A fast program that loses a row ends this benchmark with exit status 1.
"""

import argparse
import dataclasses
import fcntl
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

import databases
import inputs
import judging
import reporting
import timing
import who
from commands import NEEDLE, NOBODY_ASKED, Sentinel, expect_status, rg, same_rows, shell
from inputs import size_text
from table import Row, compared, judged, memory, milliseconds, print_table
from timing import Command, Wrong

HERE = pathlib.Path(__file__).resolve().parent
SCRATCH = pathlib.Path(
    os.environ.get("MAILLOGSENTINEL_BENCH_DIR", "/tmp/maillogsentinel-bench")).absolute()
NEEDED_BYTES = 12 * 10**9
SMALL, LARGE = 200 * 10**6, 10**9
# About a million lines.
JOURNAL = 125 * 10**6

EXIT_WRONG, EXIT_MISSED = 1, 3


class Benchmark:
    """One method per section of the table; each yields its rows."""

    def __init__(self, sentinel, logs, stopwatch, rounds):
        self.sentinel = sentinel
        self.logs = logs
        self.stopwatch = stopwatch
        self.rounds = rounds

    def in_turn(self, *commands):
        return self.stopwatch.in_turn(commands, self.rounds)

    def _against_rg(self, section, failures, logins, goal, linear_goal=None):
        small, large = (self.logs.mixed(size, failures, logins) for size in (SMALL, LARGE))
        small.warm()
        large.warm()
        ours_small, rg_small, ours_large, rg_large = self.in_turn(
            self.sentinel.first_run("small", small), rg(small),
            self.sentinel.first_run("large", large), rg(large))
        what = f"{failures} % failures, {logins} % logins"
        yield compared(section, f"{what}, {size_text(SMALL)}", ours_small, "rg -c", rg_small, goal)
        yield compared(section, f"{what}, {size_text(LARGE)}", ours_large, "rg -c", rg_large, goal)
        yield judged(section, f"{what}, {size_text(LARGE)}", ours_large)
        growth = ours_large.median() / ours_small.median()
        theirs = rg_large.median() / rg_small.median()
        yield Row(section, f"{what}, 1 GB : 200 MB", f"{growth:.2f}", f"rg -c {theirs:.2f}", growth,
                  f"{growth:.2f}", linear_goal)

    def mix(self):
        yield from self._against_rg("mix", 3, 10, goal=6, linear_goal=5.3)
        log = self.logs.mixed(SMALL, 3, 10, "rfc3339")
        log.warm()
        ours, theirs = self.in_turn(self.sentinel.first_run("rfc3339", log), rg(log))
        yield compared("mix", "the same, RFC 3339 stamps, 200 MB", ours, "rg -c", theirs, goal=6)

    def sparse(self):
        yield from self._against_rg("sparse", 0.1, 1, goal=2.5, linear_goal=5.3)
        yield from self._against_rg("sparse", 0.1, 10, goal=None)

    def gz(self):
        log = self.logs.gzipped(self.logs.mixed(SMALL, 3, 10))
        log.warm()
        ours, wc, grep = self.in_turn(
            self.sentinel.first_run("gz", log),
            shell("zcat | wc -l", 'zcat "$@" | wc -l', log, log.lines),
            shell("zcat | grep -c", f'zcat "$@" | grep -c "{NEEDLE}"', log, log.failures))
        yield compared("gz", "3 % failures, 200 MB, .gz", ours, "zcat | wc -l", wc, goal=0.8)
        yield compared("gz", "3 % failures, 200 MB, .gz", ours, "zcat | grep -c", grep)

    def rotation(self):
        log = self.logs.rotations(280 * 10**6)
        log.warm()
        ours, theirs = self.in_turn(
            self.sentinel.first_run("rotation", log),
            shell("zcat -f | wc -l", 'zcat -f "$@" | wc -l', log, log.lines))
        what = "mail.log, .1, .2.gz to .7.gz, 280 MB"
        yield compared("rotation", what, ours, "zcat -f | wc -l", theirs)
        busy = [series.median("cpu_seconds") / series.median() for series in (ours, theirs)]
        cpu = [f"{series.median('cpu_seconds') * 1e3:.0f} ms cpu" for series in (ours, theirs)]
        # Well above one core; two are never reached, as the last file has no neighbour.
        least = 1.2 if os.cpu_count() > 1 else None
        yield Row("rotation", "the same, cores in use", cpu[0], f"{cpu[1]}, {busy[1]:.2f} cores",
                  busy[0], f"{busy[0]:.2f} cores", least=least)

    def journal(self):
        folder, log = self.logs.journal(JOURNAL, 3, 10)
        more = f"{NOBODY_ASKED}[journal]\ndirectory = {folder}\n"
        journalctl = ["journalctl", "-q", "--no-pager", "-D", folder]
        ours, cat, export = self.in_turn(
            self.sentinel.first_run("journal", log, more=more),
            Command("journalctl -o cat", [*journalctl, "-o", "cat"], check=expect_status),
            Command("journalctl -o export", [*journalctl, "-o", "export"], check=expect_status))
        what = f"{log.lines:,} entries, 3 % failures"
        yield compared("journal", what, ours, "journalctl -o cat", cat, goal=1.3)
        yield compared("journal", what, ours, "journalctl -o export", export)
        yield judged("journal", what, ours)
        self.stopwatch.run(self.sentinel.first_run("journal", log, more=more))
        later = self.stopwatch.in_turn([self.sentinel.later_run("journal", log)], self.rounds * 3)[0]
        yield Row("journal", "nothing new in it", milliseconds(later), "", later.median() * 1e3, "")

    def idle(self):
        cases = [("after 1 GB", self.logs.mixed(LARGE, 3, 10)),
                 ("after 8 rotations", self.logs.rotations(280 * 10**6))]
        for case, log in cases:
            folder = case.replace(" ", "-")
            self.stopwatch.run(self.sentinel.first_run(folder, log))
            commands = [self.sentinel.later_run(folder, log), Command("true", ["/bin/true"])]
            # Such short runs need more of them for a steady median.
            ours, floor = self.stopwatch.in_turn(commands, self.rounds * 3)
            yield Row("idle", f"nothing new, {case}", milliseconds(ours),
                      f"true {milliseconds(floor)}", ours.median() * 1e3, "", 10,
                      runs={"maillogsentinel": ours.numbers(), "true": floor.numbers()})
            yield memory("idle", f"nothing new, {case}", ours, 12)

    def memory(self):
        line, logs = self.logs.endless_line, self.logs
        many_failures = b": SASL LOGIN authentication failed: x, sasl_username="
        cases = [
            ("1 GB log", lambda: logs.mixed(LARGE, 3, 10)),
            ("8 rotations, 280 MB", lambda: logs.rotations(280 * 10**6)),
            ("50 MB line", lambda: line("line-50MB", b"x", 50 * 10**6, after=True)),
            ("50 MB line that looks like failures",
             lambda: line("line-50MB-failures", many_failures, 50 * 10**6, after=True)),
            ("1 GB line without newline", lambda: line("line-1GB", b"x", LARGE)),
            ("gz of 1 GB of zeros", lambda: line("bomb-zeros", b"\0", LARGE, zipped=True)),
            ("gz of 1 GB without newline", lambda: line("bomb-text", b"x", LARGE, zipped=True)),
        ]
        for what, make in cases:
            log = make()
            log.warm()
            # A damaged or hostile log may be complained about, as long as its rows are there.
            command = self.sentinel.first_run("memory", log, statuses=(0, 1))
            [ours] = self.stopwatch.in_turn([command], rounds=1, warm_up=False)
            row = memory("memory", what, ours, 64)
            row.other = f"in {milliseconds(ours)}" + (", exit 1" if ours[0].status else "")
            yield row

    def who(self):
        """Country, network and name of each address."""
        real = who.databases() + NOBODY_ASKED
        log = who.log(SCRATCH / "logs" / "addresses-100", 100)
        first = self.sentinel.first_run("new-databases", log, more=real)
        [new] = self.stopwatch.in_turn([first], 1, warm_up=False)
        with_them, without = self.stopwatch.in_turn([
            self.sentinel.first_run("with", log, more=real, compiled="new-databases"),
            self.sentinel.first_run("without", log)], self.rounds * 3)
        more_ms = (with_them.median() - without.median()) * 1e3
        what = "100 new addresses, four real databases"
        yield Row("who", what, milliseconds(with_them), f"without {milliseconds(without)}", more_ms,
                  f"{more_ms:.1f} ms more", 50,
                  runs={"with": with_them.numbers(), "without": without.numbers()})
        yield memory("who", what, with_them, 60)
        yield Row("who", "the same, databases new", milliseconds(new), "", new.median() * 1e3, "")
        yield memory("who", "the same, databases new", new, 60)
        log = who.log(SCRATCH / "logs" / "addresses-2000", 2000)
        for what, delay_ms, goal in [("50 ms each", 50, 3), ("a dead server", None, 30)]:
            with who.name_server(delay_ms) as server:
                command = self.sentinel.first_run("names", log, more=server)
                [names] = self.stopwatch.in_turn([command], 1, warm_up=False)
            yield Row("who", f"2,000 names, {what}", milliseconds(names), "", names.median(),
                      f"{names.median():.2f} s", goal)

    def report(self):
        """The report of one day out of years."""
        log = who.log(SCRATCH / "logs" / "addresses-100", 100)
        for what, events, years in [("10 million in a year", 10**7, 1), ("10 million in 10 years", 10**7, 10)]:
            first = self.sentinel.first_run("report", log)
            self.stopwatch.run(first)
            reporting.fill(self.sentinel.folder("report") / "state" / "maillogsentinel.db", events, years)
            target = self.sentinel.folder("report") / "report.html"
            command = Command("maillogsentinel", [
                *first.arguments, "--report", "--date", "2026-11-20", "--output", target, "--quiet"],
                check=expect_status)
            [ours] = self.stopwatch.in_turn([command], self.rounds)
            row = Row("report", f"5,000 of {what}, as HTML", milliseconds(ours), "", ours.median(),
                      f"{ours.median():.3f} s", 0.3, runs={"maillogsentinel": ours.numbers()})
            yield row
            yield memory("report", f"5,000 of {what}, as HTML", ours, 64)

    def judge(self):
        """What an hour means after a year of 10 million failures, and what is asked then."""
        log, hour = judging.log(built_tool("make_year"), SCRATCH / "logs" / "year")
        more = judging.databases(SCRATCH / "logs" / "places")
        sentinel = Sentinel(self.sentinel.binary, SCRATCH)
        first = sentinel.first_run("judge", log, more=more, until="end")
        [whole] = self.stopwatch.in_turn([first], 1, warm_up=False)
        what = f"{log.failures:,} failures from nothing, with judging"
        yield Row("judge", what, milliseconds(whole), "", whole.median(), f"{whole.median():.0f} s")
        yield memory("judge", what, whole, 100)
        folder, kept = sentinel.folder("judge"), SCRATCH / "run" / "judge.kept"
        progress("making a year of it ...")
        counts = judging.fill(folder / "state" / "maillogsentinel.db")
        progress(", ".join(f"{count:,} rows in {table}" for table, count in counts.items()))
        judging.copied(folder, kept)
        with open(log.path, "ab") as out:
            out.write(hour)
        taken = []

        def check(run):
            expect_status(run)
            taken.append(judging.milliseconds(folder / "working" / "maillogsentinel.log"))

        later = dataclasses.replace(first, prepare=lambda: judging.copied(kept, folder), check=check)
        plain = dataclasses.replace(first, prepare=lambda: judging.without(kept, folder), check=expect_status)
        theirs, ours = self.stopwatch.in_turn([plain, later], self.rounds)
        what = f"the next {judging.HOURLY:,}"
        more = (ours.median() - theirs.median()) * 1e3
        yield Row("judge", f"{what}, beside a run that judges nothing", milliseconds(ours), milliseconds(theirs), more,
                  f"{more:.0f} ms more", 100)
        taken = sorted(taken[-self.rounds:])
        median = taken[len(taken) // 2]
        yield Row("judge", f"{what}: judging alone", f"{median} ms ({taken[0]}-{taken[-1]})", "", median, "")
        yield memory("judge", what, ours, 100)
        account, address = judging.asked(folder / "state" / "maillogsentinel.db")
        for words in [["campaigns"], ["campaigns", "1"], ["account", account], ["findings"],
                      ["why", address]]:
            command = Command("maillogsentinel", [*first.arguments, *words],
                              check=lambda run: expect_status(run, (0, 1)))
            [ours] = self.stopwatch.in_turn([command], self.rounds)
            what = " ".join(words)
            yield Row("judge", what, milliseconds(ours), "", ours.median(), f"{ours.median():.3f} s", 0.2)
            yield memory("judge", what, ours, 100)

    def sql(self):
        """A million rows to a file, and from there into three databases, beside their own clients."""
        folder = SCRATCH / "run" / "sql"
        sqlite = databases.Sqlite(folder)
        sql = databases.Sql(self.sentinel.binary, folder, 10**6)
        [export] = self.in_turn(sql.export(sqlite))
        what = "1,000,000 rows, export"
        yield Row("sql", what, milliseconds(export), "", export.median(), f"{export.median():.2f} s", 2,
                  runs={"maillogsentinel": export.numbers()})
        yield memory("sql", what, export, 64)
        yield from self._loaded(sql, sqlite)
        for action in ["--sql-export", "--sql-import"]:
            command = Command("maillogsentinel", sql.arguments(sqlite, action), check=expect_status)
            [ours] = self.stopwatch.in_turn([command], self.rounds * 3)
            yield Row("sql", f"nothing new, {action}", milliseconds(ours), "", ours.median() * 1e3, "", 20,
                      runs={"maillogsentinel": ours.numbers()})
        for engine in [databases.Postgresql(), databases.Mysql()]:
            with engine.running() as server:
                self.stopwatch.run(sql.export(server))
                yield from self._loaded(sql, server)
                command = Command("maillogsentinel", sql.arguments(server, "--sql-import"), check=expect_status)
                self.stopwatch.run(sql.imports(server))
                [ours] = self.stopwatch.in_turn([command], self.rounds * 3)
                yield Row("sql", f"nothing new, --sql-import into {server.kind}", milliseconds(ours), "",
                          ours.median() * 1e3, "", 20, runs={"maillogsentinel": ours.numbers()})

    def _loaded(self, sql, database):
        """The same file by `--sql-import` and by the native client."""
        native = sql.loads(database.name, database, database.native(sql.file()))
        theirs, ours = self.in_turn(native, sql.imports(database))
        what = f"1,000,000 rows into {database.kind}"
        yield compared("sql", what, ours, database.name, theirs, goal=1)
        rate = sql.rows / ours.median()
        least = 300_000 if database.kind == "sqlite" else None
        yield Row("sql", f"{what}, rows/s", f"{rate:,.0f}", f"{sql.rows / theirs.median():,.0f}", rate, "",
                  least=least)
        yield memory("sql", what, ours, 64)

    def others(self):
        """Once each: they are slow, and nobody doubts the order."""
        log = self.logs.mixed(SMALL, 3, 10)
        log.warm()
        table = SCRATCH / "run" / "python.csv"
        script = Command(
            "Python approach", [sys.executable, HERE / "python_approach.py", log.path, table],
            lambda: table.unlink(missing_ok=True), expect_status)
        report = Command("pflogsumm", ["pflogsumm", log.path], check=expect_status)
        commands = [self.sentinel.first_run("others", log), script, report, rg(log)]
        ours, python, pflogsumm, ripgrep = self.stopwatch.in_turn(commands, rounds=1, warm_up=False)
        same_rows(self.sentinel.csv("others"), table)
        what = "3 % failures, 200 MB"
        yield compared("others", what, ours, "Python approach", python)
        yield compared("others", what, ours, "pflogsumm", pflogsumm)
        factor = python.median() / ripgrep.median()
        yield Row("others", "rg -c and the Python approach", "", f"rg -c {milliseconds(ripgrep)}",
                  factor, f"Python {factor:.0f} x rg")


SECTIONS = ["mix", "sparse", "gz", "rotation", "journal", "idle", "memory", "who", "report", "judge", "sql", "others"]


def options():
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 paired runs instead of 7")
    parser.add_argument("--binary", type=pathlib.Path, help="measure this one, build nothing")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section; repeatable")
    parser.add_argument("--json", type=pathlib.Path, default=SCRATCH / "results.json",
                        help="where the numbers go (%(default)s)")
    return parser.parse_args()


def progress(text):
    print(text, file=sys.stderr, flush=True)


def claim_scratch():
    """The folder under /tmp must be ours, as others could put links into theirs, and ours alone.

    The lock lasts as long as the file that is returned is open.
    """
    SCRATCH.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SCRATCH.lstat().st_uid != os.getuid():
        sys.exit(f"benches/run: {SCRATCH} belongs to somebody else")
    have = shutil.disk_usage(SCRATCH).free + sum(file.stat().st_size for file in SCRATCH.rglob("*"))
    if have < NEEDED_BYTES:
        sys.exit(f"benches/run: {SCRATCH} needs {size_text(NEEDED_BYTES)}; choose another folder "
                 "with MAILLOGSENTINEL_BENCH_DIR")
    lock = open(SCRATCH / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"benches/run: another benchmark is using {SCRATCH}")
    return lock


def built_tool(name):
    """One of the single-file programs in `tools/`."""
    source, target = HERE / "tools" / f"{name}.rs", SCRATCH / name
    subprocess.run(["rustc", "-O", "--edition", "2021", source, "-o", target], check=True)
    return target


def built_sentinel():
    subprocess.run(["cargo", "build", "--release"], cwd=HERE.parent, check=True)
    target = HERE.parent / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / "release" / "maillogsentinel"


def machine(binary):
    """Where the numbers are from."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", cpu, re.MULTILINE)
    model = model[1] if model else platform.machine()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} x {model}, "
            f"Linux {platform.release()}, load {load}\n{version(binary)}; {version('rg')}")


def version(program):
    done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True)
    return done.stdout.partition("\n")[0]


def main():
    chosen = options()
    _lock = claim_scratch()
    binary = (chosen.binary or built_sentinel()).resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"benches/run: cannot run {binary}")
    logs = inputs.Inputs(built_tool("make_log"), HERE / "tools" / "make_log.rs", SCRATCH)
    stopwatch = timing.Stopwatch(built_tool("measure"), SCRATCH)
    rounds = 3 if chosen.quick else 7
    benchmark = Benchmark(Sentinel(binary, SCRATCH), logs, stopwatch, rounds)

    place = machine(binary)
    rows, wrong = [], []
    for section in chosen.only or SECTIONS:
        progress(f"measuring {section} ...")
        try:
            rows.extend(getattr(benchmark, section)())
        except Wrong as error:
            wrong.append(f"{section}: {error}")
            progress(f"WRONG in {section}: {error}")
    shutil.rmtree(SCRATCH / "run", ignore_errors=True)

    print(f"{place}\n{rounds} runs each, in turn; median (least-most)\n")
    print_table(rows)
    for error in wrong:
        print(f"\nWRONG RESULT, its times are void: {error}")
    results = [{**dataclasses.asdict(row), "met": row.met()} for row in rows]
    everything = {"machine": place, "rounds": rounds, "wrong": wrong, "rows": results}
    chosen.json.write_text(json.dumps(everything, indent=1))
    progress(f"numbers: {chosen.json}")
    if wrong:
        sys.exit(EXIT_WRONG)
    if any(row.met() is False for row in rows):
        sys.exit(EXIT_MISSED)


if __name__ == "__main__":
    main()
