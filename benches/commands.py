"""The commands that are measured, each with a check that it did its work."""

import csv
import dataclasses
import hashlib
import re
import shutil

from timing import Command, Wrong

NEEDLE = "authentication failed"

CONFIGURATION = """\
[paths]
working_dir = {working_dir}
state_dir = {state_dir}
mail_log = {mail_log}
csv_filename = maillogsentinel.csv
[general]
log_file = {working_dir}/maillogsentinel.log
log_level = DEBUG
[User]
run_as_user = root
{more}"""

# Where the time to read a log is measured.
NOBODY_ASKED = "[dns]\nenabled = false\n"


class Sentinel:
    """The program under test; each case has folders of its own."""

    def __init__(self, binary, scratch):
        self.binary = binary
        self.scratch = scratch

    def folder(self, case):
        return self.scratch / "run" / case

    def csv(self, case):
        return self.folder(case) / "working" / "maillogsentinel.csv"

    def first_run(self, case, log, statuses=(0,), more=NOBODY_ASKED, compiled=None, until="csv"):
        """From nothing to the finished CSV; `compiled` is a case whose databases are compiled.

        What it all means is judged after that, one failure after another: the program logs how long that
        took. `until="end"` leaves it in.
        """
        working, state = self.folder(case) / "working", self.folder(case) / "state"
        configuration = self.folder(case) / "maillogsentinel.conf"

        def prepare():
            shutil.rmtree(self.folder(case), ignore_errors=True)
            working.mkdir(parents=True)
            state.mkdir()
            if compiled:
                for ranges in (self.folder(compiled) / "state").glob("*.ranges"):
                    shutil.copy(ranges, state)
            configuration.write_text(CONFIGURATION.format(
                working_dir=working, state_dir=state, mail_log=log.path, more=more))

        def check(run):
            expect_status(run, statuses)
            try:
                rows = self.csv(case).read_bytes().count(b"\n") - 1
            except OSError as error:
                raise Wrong(f"no CSV: {error}") from None
            if rows != log.failures:
                raise Wrong(f"{rows} rows in the CSV, {log.failures} failures in the log")
            if until == "csv":
                said = (working / "maillogsentinel.log").read_text(errors="replace")
                judged = re.findall(r"judged [\d,]+ failures and [\d,]+ logins in (\d+) ms", said)
                run.leave_out(sum(map(int, judged)) / 1e3)

        return Command("maillogsentinel", [self.binary, "--config", configuration], prepare, check)

    def later_run(self, case, log):
        """Nothing new to read: the CSV must stay as the first run, just made, has left it."""
        first = self.first_run(case, log, until="end")
        known = self.digest(case)

        def check(run):
            first.check(run)
            if self.digest(case) != known:
                raise Wrong("a run without anything new changed the CSV")

        return dataclasses.replace(first, prepare=lambda: None, check=check)

    def digest(self, case):
        return hashlib.sha256(self.csv(case).read_bytes()).digest()


def expect_status(run, statuses=(0,)):
    if run.status not in statuses:
        raise Wrong(f"exit status {run.status}")


def counting(name, arguments, expected):
    """A command whose output is one number, which must be `expected`."""

    def check(run):
        expect_status(run)
        count = run.stdout.read_text().strip()
        if count != str(expected):
            raise Wrong(f"counted {count}, expected {expected}")

    return Command(name, arguments, check=check)


def shell(name, script, log, expected):
    """`script` with the log's files as its arguments, newest last."""
    return counting(name, ["sh", "-c", script, "sh", *log.files], expected)


def rg(log):
    return counting("rg -c", ["rg", "-c", NEEDLE, log.path], log.failures)


def same_rows(ours, python):
    """Date, address and user must be those that another program read, row by row."""
    as_text = {"newline": "", "encoding": "utf-8", "errors": "replace"}
    with open(ours, **as_text) as found_rows, open(python, **as_text) as expected_rows:
        rows = csv.DictReader(found_rows, delimiter=";")
        for number, expected in enumerate(csv.reader(expected_rows, delimiter=";"), 1):
            row = next(rows)
            found = [row["date"], row["ip"], row["user"]]
            if found != expected:
                raise Wrong(f"row {number} is {found}, the Python approach has {expected}")
