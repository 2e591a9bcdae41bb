#!/usr/bin/env python3
"""Checks what the program makes of the logs of an attack.   check.py BINARY OUT_DIR [--dovecot] [--nameless]

What is right is what attack.py did. With --dovecot, the failed logins at Dovecot count as well: `services = postfix,
dovecot`. With --nameless, the logs are read as a Postfix before 3.7.8 writes them: users are found or not, but never
those of somebody else. Each of the three logs is extracted at once, then once more (nothing may change), then in pieces as it grows
(the same CSV must come out). Exit status 1 and a list of the differences if anything is wrong.
"""

import argparse
import collections
import csv
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from mailbox import SECRET

FORMS = ["bsd", "rfc3339", "rfc5424"]
HEADER = ["server", "date", "ip", "user", "hostname", "reverse_dns_status", "country_code", "asn", "aso"]
SHOWN = 12  # differences of one kind
FOUND = 0.6  # of the users of a nameless log; most of them are hostile, and part of the log is without auth_verbose
CONFIG = """\
[paths]
working_dir = {scratch}
state_dir = {scratch}/state
mail_log = {scratch}/mail.log
csv_filename = maillogsentinel.csv
[general]
log_file = {scratch}/op.log
[dns]
enabled = false
[detect]
services = {services}
[User]
run_as_user = root
"""

Attempt = collections.namedtuple("Attempt", "ip user service mech first last")


class Failed(Exception):
    """The program did not even give a CSV."""


def attempts(path):
    """What one of the files of attack.py has, each user spelled as in the CSV. A session at Dovecot is several attempts."""
    found = []
    for line in path.read_text("ascii").splitlines():
        truth = json.loads(line)
        user = "null"
        if truth["user_hex"] is not None:
            user = bytes.fromhex(truth["user_hex"]).decode("utf-8", "backslashreplace")
            user = re.sub("[\0-\x1f\x7f]", lambda control: f"\\x{ord(control[0]):02x}", user)
        # Dovecot tells of a session at its end, by way of another process.
        last = truth["t1"] + (1 if "attempts" in truth else 0)
        attempt = Attempt(truth["ip"], user, truth["service"], truth["mech"], truth["t0"], last)
        found += [attempt] * truth.get("attempts", 1)
    return found


class Sentinel:
    """The program with a configuration and a log of its own."""

    def __init__(self, binary, services, scratch):
        scratch.mkdir()
        self.binary = binary
        self.config = scratch / "maillogsentinel.conf"
        self.config.write_text(CONFIG.format(scratch=scratch, services=services))
        self.log = scratch / "mail.log"
        self.csv = scratch / "maillogsentinel.csv"

    def extract(self):
        """Runs it, returns the bytes of the CSV."""
        command = [self.binary, "--config", self.config]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
        if done.returncode != 0:
            raise Failed(f"exit status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
        if not self.csv.exists():
            raise Failed(f"no CSV; it said: {done.stderr.decode(errors='replace')[-2000:]}")
        return self.csv.read_bytes()


def minute(timestamp):
    """As in the CSV: local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(timestamp))


def compare(data, expected, log, dovecot, nameless):
    """All that is wrong with a CSV."""
    try:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=";", strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        return [f"not a CSV in UTF-8: {error}"]
    if header != HEADER:
        return [f"wrong header: {header}"]

    # The attempts of one client followed each other, so its n-th row with a name is its n-th attempt with that name.
    waiting = collections.defaultdict(collections.deque)
    for attempt in expected:
        waiting[attempt.ip, attempt.user].append(attempt)
    extra, wrong, disorder, unnamed = [], [], [], 0
    latest = Attempt("", "", "", "", 0, 0)
    for number, row in enumerate(rows, 2):
        what = f"line {number}, {';'.join(row)!r}"
        if len(row) != len(HEADER):
            wrong.append(f"not {len(HEADER)} fields: {what}")
            continue
        queue = waiting[row[2], row[3]]
        if row[3] == "null" and nameless:
            of_client = [queue for (ip, _), queue in waiting.items() if ip == row[2] and queue]
            queue = min(of_client, key=lambda queue: queue[0].first, default=queue)
            unnamed += bool(queue) and queue[0].user != "null"
        if not queue and dovecot:  # it may know a name that Postfix did not
            queue = waiting[row[2], "null"]
        if not queue:
            extra.append((row[2], what))
            continue
        attempt = queue.popleft()
        if not minute(attempt.first) <= row[1] <= minute(attempt.last + 2):
            wrong.append(f"wrong time: {what}, was at {minute(attempt.first)}")
        if [row[0], *row[4:6]] != ["mx1", "null", "Errno 4"]:
            wrong.append(f"wrong server, host name or lookup status: {what}")
        if attempt.last < latest.first:
            disorder.append(f"wrong order: {what} stands behind an attempt that came later, of {latest.ip}")
        latest = max(latest, attempt, key=lambda either: either.first)

    missing = [attempt for queue in waiting.values() for attempt in queue]
    for attempt in list(missing):
        for entry in extra:
            if entry[0] == attempt.ip:
                wrong.append(f"wrong user: {entry[1]}, was {attempt.user!r} ({attempt.service}, {attempt.mech})")
                missing.remove(attempt)
                extra.remove(entry)
                break
    if unnamed > (1 - FOUND) * len(expected):
        wrong.append(f"{unnamed} of {len(expected)} users were not found")
    if not extra and not missing:  # otherwise the n-th row is not the n-th attempt
        wrong += disorder
    problems = shorten(wrong) + shorten([f"extra: {what}" for _, what in extra])
    return problems + shorten(
        [
            f"missing: {attempt.ip} {attempt.user!r} ({attempt.service}, {attempt.mech}); "
            f"the log has of this client:{lines_of(attempt.ip, log)}"
            for attempt in missing
        ]
    )


def shorten(problems):
    """The first few, and how many more."""
    more = [f"... and {len(problems) - SHOWN} more of this kind"] if len(problems) > SHOWN else []
    return problems[:SHOWN] + more


def lines_of(address, log):
    """Some lines to look at; they have no part in what is right."""
    lines = [
        line
        for line in log.splitlines()
        if re.search(rb"[=\[]%b[],]" % re.escape(address).encode(), line) and b"auth" in line
    ]
    return "".join(f"\n    {line.decode('utf-8', 'backslashreplace')}" for line in lines[:4])


def without_names(log):
    """A log as an old Postfix writes it."""
    start = rb"^((?:<\d+>1 )?[^:\n]*(?::\d\d){2}\S* mx1 postfix[^:\n]*(?:\]:| - - ) +warning: \S+: SASL "
    plain = start + rb"[\w-]+ authentication failed: .*?), sasl_username=.*$"
    odd = start + rb".* authentication failed: .*), sasl_username=.*$"
    # With a plain mechanism the user starts at the first key; else it is the last, and none.
    return re.sub(odd, rb"\1", re.sub(plain, rb"\1", log, flags=re.MULTILINE), flags=re.MULTILINE)


def told(binary, folder):
    """Where something of a password stands that a client typed."""
    places = [path for path in folder.rglob("*") if path.is_file() and path.name != "mail.log"]
    texts = {str(path): path.read_bytes() for path in places}
    for command in (["explain"], ["anonymize", "-i"]):
        done = subprocess.run([binary, *command, folder / "mail.log"], capture_output=True, timeout=120, check=True)
        texts[command[0]] = done.stdout + done.stderr
    return [f"a typed password is in {what}" for what, text in texts.items() if b"typed-secret" in text]


def check(binary, services, expected, log, scratch, nameless):
    """All that is wrong with what becomes of one log, and the CSV."""
    whole = Sentinel(binary, services, scratch / "whole")
    whole.log.write_bytes(log)
    first = whole.extract()
    problems = compare(first, expected, log, "dovecot" in services, nameless) + told(binary, scratch / "whole")
    if SECRET not in log:
        problems.append("the log has no typed password in it: nothing is tested by that")
    if whole.extract() != first:
        problems.append("a second run changed the CSV")

    growing = Sentinel(binary, services, scratch / "growing")
    cuts = random.Random(len(log)).sample(range(len(log)), 3)
    # And once between two lines of which the first says that the second is no failure.
    cuts = sorted(cuts + [found.end() for found in re.finditer(rb"SASL: Connect to [^\n]*\n", log)][-1:])
    for begin, end in zip([0, *cuts], [*cuts, len(log)]):
        with open(growing.log, "ab") as file:
            file.write(log[begin:end])
        pieces = growing.extract()
    if pieces != first:
        problems.append(f"extracted in pieces (cut at {cuts}) the CSV is another one")
    return problems, first


def main():
    arguments = argparse.ArgumentParser(description="Checks the program against the logs of an attack.")
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("out_dir", type=pathlib.Path)
    arguments.add_argument("--dovecot", action="store_true", help="failed logins at Dovecot count as well")
    arguments.add_argument("--nameless", action="store_true", help="as an old Postfix writes it")
    given = arguments.parse_args()
    services = "postfix, dovecot" if given.dovecot else "postfix"
    expected = attempts(given.out_dir / "truth.jsonl") + (
        attempts(given.out_dir / "dovecot.jsonl") if given.dovecot else []
    )
    expected.sort(key=lambda attempt: attempt.first)
    if not expected:
        sys.exit(f"check: {given.out_dir} tells of no attempt")

    failed, names = False, []
    for form in FORMS:
        with tempfile.TemporaryDirectory(prefix="maillogsentinel-live-") as scratch:
            log = (given.out_dir / f"mail.{form}.log").read_bytes()
            log = without_names(log) if given.nameless else log
            try:
                problems, data = check(
                    given.binary.resolve(), services, expected, log, pathlib.Path(scratch), given.nameless
                )
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                problems, data = [str(error)], b""
        names.append(
            [row[2:4] for row in csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline=""), delimiter=";")]
        )
        for problem in problems:
            print(f"{form}: {problem}")
        print(
            f"{form}: {len(expected)} attempts, "
            + ("NOT as they were" if problems else "all of them recorded, nothing else")
        )
        failed = failed or bool(problems)
    if not failed and any(of_form != names[0] for of_form in names):
        print("the three logs have the same lines in the same order, but the three CSVs have not")
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
