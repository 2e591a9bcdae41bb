#!/usr/bin/env python3
"""Follows a log under load: 10,000 lines a second, rotations, kill -9, and other runs beside.

    tests/follow/load.py [--timed] [--seconds 60] [--lines 10000] [--program target/release/maillogsentinel]

Every failed login has a user of its own, so that the CSV tells which were recorded, in which order
and when. Passes if none is lost, none is there twice, and the order is that of the log. With
--timed, for a machine that does nothing else, 99 of 100 rows must also be in the CSV within a second of
their line, rotations and kills included.
"""

import argparse
import datetime
import gzip
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROTATE_SECONDS = 5
KEPT = 6
TICK_SECONDS = 0.01
OTHERS = [
    "postfix/smtpd[{pid}]: connect from mail.example.org[192.0.2.{low}]",
    "postfix/smtpd[{pid}]: 4F{pid:05X}: client=mail.example.org[192.0.2.{low}]",
    "postfix/cleanup[{pid}]: 4F{pid:05X}: message-id=<{n}.{pid}@example.org>",
    "postfix/qmgr[812]: 4F{pid:05X}: from=<anna@example.org>, size={n}, nrcpt=1 (queue active)",
    "postfix/smtp[{pid}]: 4F{pid:05X}: to=<bob@example.net>, relay=mx.example.net[192.0.2.9]:25, "
    "delay=0.3, delays=0.1/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)",
    "postfix/qmgr[812]: 4F{pid:05X}: removed",
    "postfix/smtpd[{pid}]: disconnect from mail.example.org[192.0.2.{low}] ehlo=1 quit=1 commands=2",
    "dovecot: imap(anna)<{pid}><a>: Logged out in=120 out=4711",
]
FAILURE = (
    "postfix/submission/smtpd[{pid}]: warning: unknown[198.18.{high}.{low}]: SASL LOGIN "
    "authentication failed: (reason unavailable), sasl_username=u{n}"
)


class Log:
    """Writes like a syslog server, and is rotated like one."""

    def __init__(self, folder, lines_per_second, failure_percent):
        self.path = folder / "mail.log"
        self.file = open(self.path, "ab", buffering=0)
        self.lines_per_second = lines_per_second
        self.failure_percent = failure_percent
        self.written_at = []  # of failure number n
        self.lines = 0
        self.rotations = {"rename": 0, "copytruncate": 0}
        self.reopen_at = None
        self.compressing = None

    def tick(self, count):
        now = datetime.datetime.now().astimezone().isoformat(timespec="microseconds")
        out, failures = [], 0
        for number in range(self.lines, self.lines + count):
            pid = 1000 + number % 9000
            if random.randrange(100) < self.failure_percent:
                n = len(self.written_at) + failures
                failures += 1
                text = FAILURE.format(pid=pid, high=n // 250 % 250, low=n % 250, n=n)
            else:
                text = OTHERS[number % len(OTHERS)].format(pid=pid, low=number % 250, n=number)
            out.append(f"{now} mx1 {text}\n")
        data = "".join(out).encode()
        # As pipes and syslog servers do, lines may reach the file in parts.
        middle = random.randrange(len(data)) if data else 0
        self.file.write(data[:middle])
        self.file.write(data[middle:])
        self.written_at.extend([time.monotonic()] * failures)
        self.lines += count
        if self.reopen_at and time.monotonic() >= self.reopen_at:
            # What logrotate's postrotate brings about: until then lines go to the renamed file.
            self.file.close()
            self.file = open(self.path, "ab", buffering=0)
            self.reopen_at = None

    def rotate(self):
        """logrotate with delaycompress."""
        if self.compressing:
            self.compressing.join()
        named = lambda number, end="": self.path.with_name(f"mail.log.{number}{end}")
        named(KEPT, ".gz").unlink(missing_ok=True)
        for number in range(KEPT - 1, 1, -1):
            if named(number, ".gz").exists():
                named(number, ".gz").rename(named(number + 1, ".gz"))
        if named(1).exists():
            named(1).rename(named(2))
            self.compressing = threading.Thread(target=compress, args=(named(2),))
        how = random.choice(list(self.rotations))
        self.rotations[how] += 1
        if how == "rename":
            self.path.rename(named(1))
            self.reopen_at = time.monotonic() + random.choice([0, 0.05, 0.3])
            if random.random() < 0.5:
                self.path.touch()
        else:
            # Nothing is written meanwhile: what is would be lost by copytruncate itself.
            shutil.copy2(self.path, named(1))
            os.truncate(self.path, 0)
        if self.compressing and not self.compressing.is_alive():
            self.compressing.start()
        return how


def compress(path):
    part = path.with_name(path.name + ".gz")
    with open(path, "rb") as source, gzip.open(part, "wb", 1) as target:
        shutil.copyfileobj(source, target)
    path.unlink()


class Rows(threading.Thread):
    """Reads the CSV as it grows, and notes when a row came."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.ends = path, False
        self.users, self.seen_at = [], []

    def run(self):
        rest, position = b"", 0
        ends = False
        while not ends:
            # What was written until it was told to end is read.
            ends = self.ends
            try:
                with open(self.path, "rb") as file:
                    file.seek(position)
                    fresh = file.read()
            except FileNotFoundError:
                fresh = b""
            now = time.monotonic()
            position += len(fresh)
            *lines, rest = (rest + fresh).split(b"\n")
            for line in lines:
                fields = line.split(b";")
                if len(fields) == 9 and fields[3].startswith(b"u") and fields[3] != b"user":
                    self.users.append(int(fields[3][1:]))
                    self.seen_at.append(now)
            time.sleep(0.005)


def slowest(written_at, rows):
    """The stretches of lines that took longer than 700 ms, each as its first line and its longest time."""
    stretches, last = [], -1
    for user, seen in sorted(zip(rows.users, rows.seen_at)):
        latency = seen - written_at[user]
        if latency < 0.7:
            continue
        if stretches and user == last + 1:
            stretches[-1][1] = max(stretches[-1][1], latency)
        else:
            stretches.append([written_at[user], latency])
        last = user
    return stretches


class Follower:
    def __init__(self, program, folder):
        self.words = [program, "--config", folder / "c.conf", "--follow", "--json"]
        self.out, self.err = open(folder / "out.ndjson", "ab"), open(folder / "err", "ab")
        self.kills, self.ticks, self.rss = 0, 0, 0
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.words, stdout=self.out, stderr=self.err)

    def look(self):
        """Adds what it has used."""
        fields = open(f"/proc/{self.child.pid}/stat").read().rpartition(")")[2].split()
        self.ticks += int(fields[11]) + int(fields[12])
        status = open(f"/proc/{self.child.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0])

    def kill(self):
        self.look()
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.kills += 1
        self.start()


def configure(folder):
    (folder / "countries.csv").write_text("198.18.0.0,198.19.255.255,CH\n")
    (folder / "networks.csv").write_text("198.18.0.0,198.19.255.255,64511,Test Net\n")
    (folder / "c.conf").write_text(
        f"[paths]\nworking_dir = {folder}/work\nstate_dir = {folder}/state\n"
        f"mail_log = {folder}/mail.log\n[general]\nlog_file = {folder}/operational.log\n"
        f"[dns]\nenabled = false\n[User]\nrun_as_user = root\n"
        f"[geolocation]\ncountry_db_path = {folder}/countries.csv\n"
        f"[ASN_ASO]\nasn_db_path = {folder}/networks.csv\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--failure-percent", type=int, default=5)
    parser.add_argument("--program", default=str(ROOT / "target/release/maillogsentinel"))
    parser.add_argument("--timed", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="follow-load-"))
    configure(folder)
    log = Log(folder, options.lines, options.failure_percent)
    rows = Rows(folder / "work/maillogsentinel.csv")
    rows.start()
    follower = Follower(options.program, folder)
    began = time.monotonic()
    rotate_at, kill_at, beside_at = began + ROTATE_SECONDS, began + 3, began + 2
    beside, behind, happened = [], 0, []
    while (now := time.monotonic()) < began + options.seconds:
        due = int((now - began) * options.lines) - log.lines
        log.tick(due)
        behind = max(behind, due / options.lines)
        if now >= rotate_at:
            happened.append((time.monotonic(), f"rotation {log.rotate()}"))
            rotate_at += ROTATE_SECONDS
        if now >= kill_at:
            happened.append((time.monotonic(), "kill"))
            follower.kill()
            kill_at = now + random.uniform(2, 8)
        if now >= beside_at:
            words = [options.program, "--config", folder / "c.conf", "--no-progress"]
            happened.append((time.monotonic(), "plain run"))
            beside.append(subprocess.Popen(words, stdout=-3, stderr=-3))
            beside_at = now + random.uniform(3, 9)
        time.sleep(TICK_SECONDS)
    # One that found no gap in a busy minute says so, by 75; that all of them do is a fault.
    statuses = [child.wait() for child in beside]
    beside_failed = [status for status in statuses if status not in (0, 75)]
    locked_out = bool(statuses) and 0 not in statuses
    patience = time.monotonic() + 60
    while len(rows.users) < len(log.written_at) and time.monotonic() < patience:
        time.sleep(0.1)
    rss = follower.look()
    stopped = time.monotonic()
    follower.child.terminate()
    status = follower.child.wait(timeout=60)
    stopped = time.monotonic() - stopped
    rows.ends = True
    rows.join()
    shown = [line for line in open(folder / "out.ndjson", "rb") if line.endswith(b"}\n")]

    expected = len(log.written_at)
    lost, twice = expected - len(set(rows.users)), len(rows.users) - len(set(rows.users))
    late = sorted(seen - log.written_at[user] for user, seen in zip(rows.users, rows.seen_at))
    at = lambda share: 1000 * late[min(len(late) - 1, int(len(late) * share))]
    cpu = follower.ticks / os.sysconf("SC_CLK_TCK") / options.seconds
    in_order = rows.users == sorted(rows.users)
    print(f"{log.lines} lines in {options.seconds:.0f} s, {expected} failed logins; "
          f"rotations {log.rotations}, kills {follower.kills}, plain runs beside {len(beside)}")
    print(f"lost {lost}, twice {twice}, in order {in_order}; printed {len(shown)}, "
          f"twice {len(shown) - len(set(shown))}")
    print(f"latency ms: p50 {at(.5):.0f}, p90 {at(.9):.0f}, p99 {at(.99):.0f}, most {at(1):.0f}; "
          f"the writer was late by {1000 * behind:.0f} ms at most")
    print(f"processor {100 * cpu:.1f} %, VmRSS {rss} kB; SIGTERM: status {status} "
          f"after {1000 * stopped:.0f} ms; runs beside that failed: {beside_failed}"
          f"{', or were all locked out' * locked_out}")
    for began_at, latency in slowest(log.written_at, rows):
        before = [f"{what} {began_at - at:.1f} s before" for at, what in happened
                  if -0.5 < began_at - at < 1.5]
        print(f"  slow: {1000 * latency:.0f} ms from {began_at - began:.1f} s on; {', '.join(before)}")
    fine = (lost, twice, status, beside_failed) == (0, 0, 0, []) and in_order
    fine = fine and not locked_out and rss < 20_000 and len(shown) == len(set(shown))
    if options.timed:
        fine = fine and at(.99) < 1000 and stopped < 1
    if fine:
        shutil.rmtree(folder)
        return 0
    print(f"FAILED; all of it is kept in {folder}; to repeat: --seed {options.seed}")
    print(open(folder / "err").read()[-3000:])
    return 1


if __name__ == "__main__":
    sys.exit(main())
