"""Makes the logs that are measured, once, and knows what is in them.

Each log lies in a folder of its own, because a mail log's neighbours are taken for its rotations.
"""

import dataclasses
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

BLOCK_BYTES = 1 << 20
ROTATIONS = 7
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
TRUTH = re.compile(r"failures (\d+) logins (\d+) lines (\d+)")


@dataclasses.dataclass
class Log:
    """A log file, or the newest of a rotation set; `files` are all of them, oldest first."""

    path: pathlib.Path
    files: list
    failures: int
    lines: int

    def warm(self):
        """Reads it all, so that no command is the first to ask the disk for it."""
        for file in self.files:
            with open(file, "rb") as source:
                while source.read(BLOCK_BYTES):
                    pass


def size_text(size_bytes):
    return f"{size_bytes // 10**9} GB" if size_bytes % 10**9 == 0 else f"{size_bytes // 10**6} MB"


class Inputs:
    def __init__(self, make_log, source, scratch):
        """`source` is the generator's program text: logs of another generator are made anew."""
        self.make_log = make_log
        self.folder = scratch / "logs" / hashlib.sha256(source.read_bytes()).hexdigest()[:12]
        for old in (scratch / "logs").glob("*"):
            if old != self.folder:
                shutil.rmtree(old)

    def mixed(self, size_bytes, failure_percent, login_percent, form="bsd"):
        """What a mail server writes in three weeks."""
        name = f"{size_text(size_bytes)} {failure_percent} {login_percent} {form}".replace(" ", "-")

        def make(folder):
            path = folder / "mail.log"
            return self._generate(path, size_bytes, failure_percent, login_percent, form), [path]

        return self._kept(name, make)

    def gzipped(self, log):
        def make(folder):
            path = folder / "mail.log.gz"
            compress(log.path, path)
            return (log.failures, log.lines), [path]

        return self._kept(f"{log.path.parent.name}-gz", make)

    def rotations(self, size_bytes):
        """`mail.log`, `.1` and `.2.gz` to `.7.gz`, as logrotate leaves them."""

        def make(folder):
            whole = folder / "whole"
            truth = self._generate(whole, size_bytes, 3, 10, "bsd")
            files = []
            with open(whole, "rb") as source:
                for age in range(ROTATIONS, -1, -1):
                    part = folder / (f"mail.log.{age}" if age else "mail.log")
                    with open(part, "wb") as out:
                        part_bytes = size_bytes // (ROTATIONS + 1) if age else size_bytes
                        out.writelines(source.readlines(part_bytes))
                    if age > 1:
                        compress(part, folder / f"{part.name}.gz")
                        part.unlink()
                        part = folder / f"{part.name}.gz"
                    # The order of the files must be plain from their times as well.
                    os.utime(part, (time.time() - 3600 * age,) * 2)
                    files.append(part)
            whole.unlink()
            return truth, files

        return self._kept("rotations", make)

    def journal(self, size_bytes, failure_percent, login_percent):
        """The same as journal files, each entry with the fields that journald adds."""
        log = self.mixed(size_bytes, failure_percent, login_percent, "rfc3339")

        def make(folder):
            with subprocess.Popen([JOURNAL_REMOTE, "--output", folder / "system.journal", "-"],
                                  stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as remote:
                with open(log.path, "rb") as source:
                    for number, line in enumerate(source):
                        remote.stdin.write(entry(number, line))
                remote.stdin.close()
            if remote.returncode != 0:
                raise RuntimeError("systemd-journal-remote failed")
            return (log.failures, log.lines), sorted(folder.glob("*.journal"))

        made = self._kept(f"{log.path.parent.name}-journal", make)
        return made.path.parent, dataclasses.replace(made, path="journal")

    def endless_line(self, name, filling, size_bytes, after=False, zipped=False):
        """Some failures, then a line of `size_bytes` made of `filling`.

        `after`: its newline and the same failures again; else the log ends without a newline.
        """

        def make(folder):
            few = folder / "few"
            failures, lines = self._generate(few, 1500, 100, 0, "bsd")
            path = folder / ("mail.log.gz" if zipped else "mail.log")
            block = filling * (BLOCK_BYTES // len(filling))
            with (gzip.open(path, "wb", 6) if zipped else open(path, "wb")) as out:
                out.write(few.read_bytes())
                for _ in range(size_bytes // len(block)):
                    out.write(block)
                if after:
                    out.write(b"\n" + few.read_bytes())
            few.unlink()
            times = 2 if after else 1
            return (failures * times, lines * times), [path]

        return self._kept(name, make)

    def _generate(self, path, size_bytes, failure_percent, login_percent, form):
        arguments = [self.make_log, size_bytes, failure_percent, login_percent, form]
        with open(path, "wb") as out:
            done = subprocess.run([str(argument) for argument in arguments],
                                  stdout=out, stderr=subprocess.PIPE, check=True)
        failures, _, lines = map(int, TRUTH.search(done.stderr.decode()).groups())
        return failures, lines

    def _kept(self, name, make):
        """What `make` made, now or in an earlier run; `truth.json` says that it was complete."""
        folder = self.folder / name
        truth = folder / "truth.json"
        if not truth.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (failures, lines), files = make(folder)
            names = [file.name for file in files]
            truth.write_text(json.dumps({"failures": failures, "lines": lines, "files": names}))
        known = json.loads(truth.read_text())
        files = [folder / file for file in known["files"]]
        return Log(files[-1], files, known["failures"], known["lines"])


def entry(number, line):
    """A line of syslog in the Journal Export Format."""
    stamp, host, tag, message = line.rstrip(b"\n").split(b" ", 3)
    sent = datetime.datetime.fromisoformat(stamp.decode()).timestamp() * 10**6
    identifier, _, process = tag.rstrip(b":]").partition(b"[")
    fields = {
        "__REALTIME_TIMESTAMP": int(sent) + 50, "__MONOTONIC_TIMESTAMP": 10**9 + number * 1000,
        "_BOOT_ID": "1e54806edaa943cfb6ef5c9f3a635e29", "_SOURCE_REALTIME_TIMESTAMP": int(sent),
        "PRIORITY": 6, "SYSLOG_FACILITY": 2, "_UID": 110, "_GID": 117, "_COMM": "smtpd",
        "_EXE": "/usr/lib/postfix/sbin/smtpd", "_CMDLINE": "smtpd -n submission -t inet -u -o stress=",
        "_CAP_EFFECTIVE": 0, "_TRANSPORT": "syslog", "_SYSTEMD_UNIT": "postfix@-.service",
        "_SYSTEMD_CGROUP": "/system.slice/system-postfix.slice/postfix@-.service",
        "_SYSTEMD_SLICE": "system-postfix.slice", "_MACHINE_ID": "3d1219c7c4c5404aaa1f6d2a48adfda4",
        "_SYSTEMD_INVOCATION_ID": "1a54806edaa943cfb6ef5c9f3a635e29", "_RUNTIME_SCOPE": "system",
    }
    text = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    return (text + b"_HOSTNAME=" + host + b"\nSYSLOG_IDENTIFIER=" + identifier + b"\nSYSLOG_PID="
            + process + b"\n_PID=" + process + b"\nMESSAGE=" + message + b"\n\n")


def compress(source, target):
    """With gzip itself, at its default level, as logrotate does."""
    with open(target, "wb") as out:
        subprocess.run(["gzip", "-c", source], stdout=out, check=True)
