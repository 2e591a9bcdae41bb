"""Lives through the days of a small mail server, one session after the other.   samples.py SEED, started by attack.sh

timeline.jsonl tells restamp.py when each session began and at what time of the story it shall stand in the samples.
"""

import datetime
import json
import random
import subprocess
import sys
import time
from operator import methodcaller as step

from mailbox import MailboxSession
from names import FORGED_MESSAGE
from services import Dovecot, start_hops
from session import Notes, Session
from smtp import b64

UTC = datetime.timezone.utc
STORIES = {"bsd": datetime.datetime(2026, 6, 5, tzinfo=UTC), "rfc3339": datetime.datetime(2026, 6, 12, tzinfo=UTC)}
DAYS = {"bsd": 12, "rfc3339": 8}
HOSTS = {
    "198.51.100.25": "mail.example.com",
    "203.0.113.25": "mx.example.net",
    "2001:db8:25::25": "lists.example.net",
    "198.51.100.70": "198-51-100-70.dsl.example.net",
    "2001:db8:70::a1": "home.example.net",
    "203.0.113.77": "203.0.113.77.static.isp.example",
    "192.0.2.140": "scan-140.example.com",
    "192.0.2.201": "vps-201.example.com",
}
QUIT = step("quit")
SMTP, SUBMISSION, SMTPS = "postfix/smtpd", "postfix/submission/smtpd", "postfix/smtps/smtpd"
SPRAYED = b"admin info test office scanner sales backup postmaster root support billing webmaster".split()


class Story:
    """The sessions of one of the two servers, each at its time: (time, service, client, variant, steps)."""

    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(f"{name} {seed}")
        self.begin = STORIES[name]
        self.days = DAYS[name]
        self.sessions = []
        self.others = [f"{net}.{host}" for net in ("192.0.2", "198.51.100", "203.0.113") for host in range(100, 250)]
        self.others = [address for address in self.others if address not in HOSTS and address != "203.0.113.66"]
        self.others += [
            f"2001:db8:{self.random.randrange(0x10000):x}::{self.random.randrange(0x10000):x}" for _ in range(60)
        ]
        self.random.shuffle(self.others)

    def at(self, day, hour, service, address, *steps, variant=0):
        """Adds a session. The hour may have a fraction."""
        when = self.begin + datetime.timedelta(days=day, hours=hour, seconds=self.random.random() * 600)
        self.sessions.append((when, service, (address, None, None), variant, steps))

    def tell(self):
        """All of it, in the order of time."""
        for day in range(self.days):
            self.ordinary_day(day)
            self.botnet(day)
        self.spray(self.random.randrange(4, self.days - 1))
        self.stale_password()
        self.oddities()
        self.sessions.sort(key=lambda session: session[0])
        return self.sessions

    def ordinary_day(self, day):
        """Mail comes in, a user or two send some, somebody looks into a mailbox."""
        mta = self.random.choice(["198.51.100.25", "203.0.113.25", "2001:db8:25::25"])
        user = self.random.choice([b"bob", b"alice"])
        self.at(
            day, self.random.uniform(6, 9), SMTP, mta, step("mail", b"news@example.net", user + b"@example.org"), QUIT
        )
        if day % 2:
            self.at(
                day,
                self.random.uniform(9, 12),
                SUBMISSION,
                "198.51.100.70",
                step("login", b"bob@example.org"),
                step("mail", b"bob@example.org", b"friend@remote.example"),
                QUIT,
                variant=1,
            )
        else:
            self.at(
                day,
                self.random.uniform(14, 19),
                SMTPS,
                "2001:db8:70::a1",
                step("login", b"alice@example.org", "LOGIN"),
                step("mail", b"alice@example.org", b"aunt@remote.example"),
                QUIT,
            )
        if day % 3 == 0:
            self.at(day, self.random.uniform(19, 22), "imap", "198.51.100.70", step("login", b"bob"))

    def botnet(self, day):
        """One account, tried from another address each time."""
        for _ in range(self.random.choice([3, 4, 4, 5])):
            user = self.random.choices([b"info@example.org", b"sales@example.org", b"bob@example.org"], [6, 2, 1])[0]
            end = self.random.choice([(), (QUIT,)])
            self.at(
                day,
                self.random.uniform(0, 23),
                self.random.choice([SMTP, SUBMISSION]),
                self.others.pop(),
                step("fail", "LOGIN", user),
                *end,
            )

    def spray(self, day):
        """One address, every name that comes to mind, four to a session."""
        for first in range(0, len(SPRAYED), 4):
            self.at(
                day,
                2 + first / 20,
                SMTP,
                "192.0.2.201",
                *[step("fail", "PLAIN", user) for user in SPRAYED[first : first + 4]],
                QUIT,
            )

    def stale_password(self):
        """Bob's telephone does not know his new password."""
        for hour in (12.2, 13.2, 14.2, 15.2):
            self.at(self.days - 3, hour, SUBMISSION, "198.51.100.70", step("fail", "PLAIN", b"bob@example.org"), QUIT)
        self.at(self.days - 3, 14.5, "imap", "198.51.100.70", step("fail", b"bob"))

    def oddities(self):
        """What else comes by, of bad manners or bad will."""

        def other(*steps, service=SMTP):
            self.at(self.random.randrange(self.days), self.random.uniform(0, 23), service, self.others.pop(), *steps)

        other(
            step("fail", "LOGIN", b"x, sasl_username=bob@example.org"),
            step("fail", "PLAIN", b"root]: SASL LOGIN authentication failed"),
        )
        other(step("fail", "PLAIN", b"a: warning: " + FORGED_MESSAGE), service=SUBMISSION)
        other(step("fail", "LOGIN", b"=cmd|' /C calc'!A1"), step("fail", "LOGIN", "müller;büro".encode()), QUIT)
        other(step("fail", "LOGIN", b""), step("fail", "PLAIN", b"admin\tadmin"), QUIT)
        other(step("malformed", b"NTLM", b"AUTH NTLM"), QUIT)
        other(step("malformed", b"PLAIN", b"AUTH PLAIN !!!"))
        other(step("expect", b"501", b"AUTH LOGIN", b"*"), service=SUBMISSION)
        other(step("send", b"GET / HTTP/1.1\r\n"), step("closed"))
        other(step("expect", b"554", b"MAIL FROM:<spam@bad.example>", b"RCPT TO:<victim@remote.example>"), QUIT)
        other(step("expect", b"550", b"MAIL FROM:<spam@bad.example>", b"RCPT TO:<nobody@example.org>"), QUIT)
        other(step("send", b"Subject: " + FORGED_MESSAGE + b"\r\n"), step("closed"))
        self.at(1, 3, SMTP, "203.0.113.77", *[step("fail", "CRAM-MD5", user) for user in (b"backup", b"scanner")])
        self.at(4, 4, SMTP, "192.0.2.140", step("expect", b"334", b"AUTH LOGIN", b64(b"admin")))


def live(notes, story, timeline):
    """Runs the sessions of a story one after the other, and notes when each of them began."""
    for when, service, client, variant, steps in story.tell():
        timeline.write(json.dumps({"story": story.name, "began": time.time(), "at": when.timestamp()}) + "\n")
        if service == "imap":
            session = MailboxSession(notes, service, client)
        else:
            session = Session(notes, service, client, variant, HOSTS.get(client[0], "client.example").encode())
        for action in steps:
            action(session)
        session.close()
        time.sleep(0.3)  # for deliveries


def main():
    seed = int(sys.argv[1])
    with open("/run/mail/hosts", "a", encoding="ascii") as hosts:
        hosts.writelines(f"{address} {name}\n" for address, name in HOSTS.items())
    with open("/run/mail/postfix/main.cf", "a", encoding="ascii") as config:
        config.write("max_use = 4\nmax_idle = 5s\n")  # so that no process lives for weeks
    with open("/run/mail/dovecot.conf", "a", encoding="ascii") as config:
        config.write("auth_verbose = no\n")  # as most servers have it
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
        last.write("20000")
    subprocess.run(["postfix", "-c", "/run/mail/postfix", "reload"], check=True, stderr=subprocess.DEVNULL)
    Dovecot().start()
    start_hops()
    notes = Notes(any_character=seed % 2 == 0)
    with open("timeline.jsonl", "w", encoding="ascii") as timeline:
        for name in STORIES:
            live(notes, Story(name, seed), timeline)
        timeline.write(json.dumps({"story": None, "began": time.time(), "at": 0}) + "\n")
    print(f"samples: {notes.count['truth']} failures", file=sys.stderr)


if __name__ == "__main__":
    main()
