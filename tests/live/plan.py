"""The attack, planned: which client takes which steps. All that is random is decided here, before anything runs.

A job is the list of the sessions of one client, one after the other, each of them (service, options, steps). No two
jobs have the same client, so that the order of one client's attempts is known.
"""

import random
from ipaddress import ip_address
from operator import methodcaller as step

from mailbox import PROTOCOLS
from names import ACCOUNTS, FORGED, FORGED_MESSAGE, HOSTILE, HOSTILE_MECHANISMS, ODD_ACCOUNTS, ORDINARY
from session import SERVICES
from smtp import MECHANISMS, b64

USUAL_SERVICES = list(SERVICES)[:5]
WRONG = b"AUTH PLAIN " + b64(b"\0bob\0wrong")
QUIT = step("quit")


def expect(codes, *lines):
    """A step: lines, and the codes that may answer the last one."""
    return step("expect", codes, *lines)


class Plan:
    """Collects jobs."""

    def __init__(self, seed, any_character):
        self.random = random.Random(seed)
        self.any_character = any_character
        self.jobs = []
        self.addresses = [f"{net}.{host}" for net in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)]
        self.addresses += [f"{net}.{host}" for net in ("10.20.30", "172.16.5", "198.18.7") for host in range(1, 100)]
        self.addresses.remove(FORGED.decode())
        self.random.shuffle(self.addresses)
        self.taken = set()

    def everything(self):
        """All jobs, in random order but for the longest."""
        self.every_name()
        self.every_mechanism()
        self.malformed()
        self.limits()
        self.not_failures()
        self.forgeries()
        self.good_logins()
        self.mailboxes()
        for _ in range(120):
            self.anything()
        self.random.shuffle(self.jobs)
        self.jobs.sort(key=lambda job: sum(len(steps) for _, _, steps in job) < 10)  # what takes long comes first
        return self.jobs

    def client(self, kind=None):
        """Address, name and port of a client that no other job has; see Smtp for those without a name."""
        address = self.addresses.pop()
        dashed, last = address.replace(".", "-"), address.split(".")[3]
        names = ["[UNAVAILABLE]"] * 5 + [
            f"{dashed}.cpe.example.net",
            f"{address}.static.isp.example",
            "203.0.113.66.dsl.example.net",
            "mail.example.com",
            "[TEMPUNAVAIL]",
            "sasl.warning.example",
            f"my_host-{last}.example.net",
            "xn--mller-kva.example",
            "10.0.0.1.example",
            ".".join(["a" * 60] * 3 + ["example.net"]),
        ]
        kind = kind or self.random.choices(["4", "6", "mapped"], [75, 22, 3])[0]
        if kind == "6":
            words = ":".join(f"{self.random.randrange(0x10000):x}" for _ in range(4))
            address = self.random.choice(
                [
                    f"2001:db8::{words}",
                    f"2001:DB8:0:0:{words}",
                    f"2001:db8:{words}::",
                    f"2001:0db8::{dashed.replace('-', ':')}",
                    f"fe80::{words}",
                    f"2001:db8:0:1:0:0:0:{words.split(':')[0]}",
                ]
            )
        if kind == "mapped":
            address = f"::ffff:{address}"
        if ip_address(address) in self.taken:
            return self.client(kind)
        self.taken.add(ip_address(address))
        if kind == "4" and address.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) and self.random.random() < 0.3:
            return address, None, None
        return address, self.random.choice(names), self.random.randrange(1024, 65536)

    def add(self, *steps, service=None, kind=None, **options):
        """Adds a job of one session."""
        service = service or self.random.choice(USUAL_SERVICES)
        options.setdefault("variant", self.random.randrange(len(SERVICES[service])))
        self.jobs.append([(service, {"client": self.client(kind), **options}, steps)])

    def one_failure(self, user):
        """A job: one client that tries one name."""
        return [(self.random.choice(USUAL_SERVICES), {"client": self.client()}, [self.fail(user)])]

    def fail(self, user, mech=None):
        """A step: a failed login with this name, with any mechanism, written in any case."""
        mech = mech or self.random.choice(
            ["PLAIN"] * 6 + ["LOGIN"] * 6 + [mech for mech in MECHANISMS if self.fits(user, mech)]
        )
        typed = mech
        if self.random.random() < 0.15:
            typed = "".join(self.random.choice([letter.lower(), letter.upper()]) for letter in mech)
        exchange = self.random.randrange(len(MECHANISMS[mech])) if user else 0  # an empty name cannot come early
        password = self.random.choice([b"wrong", b"123456", b"x, sasl_username=password", b"Passw0rd!"])
        return step("fail", mech, user, typed.encode(), exchange, password)

    def fits(self, user, mech):
        """Whether the mechanism brings this name to Dovecot as it is; it has rules of its own for some."""
        return mech in ("PLAIN", "LOGIN") or (
            user.isascii() and user.decode().isprintable() and user.strip() == user != b""
        )

    def first(self):
        """A failed login or none. Postfix remembers the name of one, and writes it again when it has no other."""
        if self.random.random() < 0.4:
            return [self.fail(self.random.choice([b"victim", b"x, sasl_username=victim"]))]
        return []

    def end(self):
        """Steps that end a session, or none: then the client just hangs up."""
        return [QUIT] if self.random.random() < 0.7 else []

    def every_name(self):
        """Each hostile name with PLAIN and with LOGIN, some with another mechanism as well; each mechanism."""
        steps = [self.fail(user, mech) for user in HOSTILE for mech in ("PLAIN", "LOGIN")]
        others = [mech for mech in MECHANISMS if mech not in ("PLAIN", "LOGIN")]
        steps += [
            self.fail(user, mech)
            for user in HOSTILE
            for mech in others
            if self.fits(user, mech) and self.random.random() < 0.2
        ]
        steps += [self.fail(user, mech) for user in (b"bob", b"nobody", b"Alice@Example.ORG") for mech in MECHANISMS]
        self.random.shuffle(steps)
        while steps:
            count = self.random.randrange(1, 5)
            self.add(*steps[:count], *self.end())
            steps = steps[count:]

    def every_mechanism(self):
        """Mechanisms that Dovecot does not have, with and without an answer in the command."""
        for typed in HOSTILE_MECHANISMS:
            lines = [b"AUTH " + typed, b"AUTH " + typed + b" " + b64(b"\0bob\0wrong")]
            self.add(*self.first(), *[step("malformed", typed, line) for line in lines], *self.end())

    def malformed(self):
        """Answers in which no name or no password can be found."""
        for typed, *lines in [
            (b"PLAIN", b"AUTH PLAIN !!!"),
            (b"PLAIN", b"AUTH PLAIN abc"),
            (b"PLAIN", b"AUTH PLAIN ="),
            (b"PLAIN", b"AUTH PLAIN", b""),
            (b"PLAIN", b"AUTH PLAIN", b"%%%"),
            (b"LOGIN", b"AUTH LOGIN", b"%%%"),
            (b"LOGIN", b"AUTH LOGIN", b64(b"bob"), b"***"),
            (b"LOGIN", b"auth  LOGIN   ???"),
            (b"LOGIN", b"AUTH LOGIN", b64(b"bo\0b")),
            (b"CRAM-MD5", b"AUTH CRAM-MD5", b"!!"),
            (b"CRAM-MD5", b"AUTH CRAM-MD5", b64(b"junk")),
            (b"DIGEST-MD5", b"AUTH DIGEST-MD5", b64(b"junk")),
            (b"SCRAM-SHA-256", b"AUTH SCRAM-SHA-256 " + b64(b"junk")),
            (b"XOAUTH2", b"AUTH XOAUTH2 " + b64(b"junk")),
            (b"OAUTHBEARER", b"AUTH OAUTHBEARER " + b64(b"junk")),
            (b"PLAIN", b"AUTH PLAIN " + b64(b"bob")),
            (b"PLAIN", b"AUTH PLAIN " + b64(b"\0bob")),
            (b"PLAIN", b"AUTH PLAIN " + b64(b"\0a\0b\0c")),
            (b"PLAIN", b"AUTH PLAIN [203.0.113.66]:,sasl_username=forged"),
            (b"PLAIN", b'AUTH PLAIN "' + b64(b"\0bob\0wrong") + b'"'),
            (b"PLAIN", b"AUTH PLAIN " + b"A" * 3000),  # the line is cut at line_length_limit
        ]:
            self.add(*self.first(), step("malformed", typed, *lines), *self.end())
        # Who logs in as somebody else is known by the name that belongs to the password.
        for answer, user in [(b"admin\0bob\0wrong", b"bob"), (b"bob\0alice@example.org\0wrong", b"alice@example.org")]:
            self.add(step("malformed", b"PLAIN", b"AUTH PLAIN " + b64(answer), user=user))

    def limits(self):
        """Attempts that the server puts an end to, and what does not count after that."""
        for _ in range(2):
            twenty = [self.fail(self.random.choice(ORDINARY), "LOGIN") for _ in range(20)]
            self.add(*twenty, step("closed"))
        three = [self.fail(b"bob", "PLAIN") for _ in range(3)]
        self.add(*three, expect(b"450", WRONG), expect(b"450", b"AUTH LOGIN"), QUIT, service="postfix/limited/smtpd")
        self.add(expect(b"334", b"AUTH LOGIN"), step("closed"), service="postfix/impatient/smtpd")
        self.add(expect(b"500", b"AUTH PLAIN", b"A" * 13000), service="postfix/submission/smtpd")
        # Nearly as long as an answer may be.
        self.add(step("malformed", b"LOGIN", b"AUTH LOGIN", b64(b"v" * 9000), b64(b"wrong"), user=b"v" * 9000), QUIT)
        for user in (b"hang-up", b"x, sasl_username=hang-up"):
            self.add(step("fail_and_hang_up", user), service="postfix/smtpd")

    def not_failures(self):
        """What looks like a failure in the log, or has a name in it, and is none."""
        for typed in (b"LOGIN", b"PLAIN", b"CRAM-MD5", b"login", b"DIGEST-MD5"):
            self.add(expect(b"501", b"AUTH " + typed, b"*"), QUIT)
        self.add(expect(b"501", b"AUTH LOGIN", b64(b"victim"), b"*"))
        self.add(expect(b"501", b"AUTH"), expect(b"501", b"AUTH PLAIN a b"), QUIT)
        self.add(expect(b"503", WRONG), helo=None, service="postfix/smtpd")
        self.add(expect(b"503", WRONG), service="postfix/noauth/smtpd")
        self.add(expect(b"503", WRONG), service="postfix/strict/smtpd")
        self.add(step("login", b"bob"), expect(b"503", WRONG), QUIT)
        for lines in ([b"AUTH LOGIN"], [b"AUTH LOGIN", b64(b"victim")], [b"AUTH CRAM-MD5"], [b"NOOP"], [b"RSET"]):
            self.add(expect(b"334 250", *lines))  # and hangs up

    def forgeries(self):
        """The text of a failure in every place where Postfix logs what a client said."""
        forged, quoted = FORGED_MESSAGE, b'"' + FORGED_MESSAGE + b'"'
        for helo in (forged, b"[" + FORGED + b"]", b"x " + forged, "hélo".encode()):
            relay = [
                expect(b"250", b"MAIL FROM:<spam@bad.example>"),
                expect(b"554", b"RCPT TO:<victim@remote.example>"),
            ]
            self.add(*relay, expect(b"250", b"RSET"), self.fail(b"bob"), QUIT, helo=helo, service="postfix/smtpd")
        self.add(
            expect(b"250", b"MAIL FROM:<" + quoted + b"@bad.example>"),
            expect(b"554", b"RCPT TO:<" + quoted + b"@remote.example>"),
            expect(b"554", b"VRFY <" + quoted + b"@remote.example>"),
            expect(b"250", b"RSET"),
            expect(b"501 555", b"MAIL FROM:<a@b.example> " + forged),
            expect(b"501 555", b"MAIL FROM:" + forged),
            expect(b"500 501", b"ETRN " + forged),
            expect(b"500 502", b"HELP " + forged),
            QUIT,
        )
        # What Postfix takes for HTTP or for a header ends the session.
        for line in (
            b"GET /" + forged,
            b"POST " + forged,
            b"CONNECT " + forged,
            b"Subject: " + forged,
            forged,
            b"warning: " + forged,
        ):
            self.add(step("send", line + b"\r\n"), step("closed"), service="postfix/smtpd")
        for noise in (forged, b"warning: " + forged):
            self.add(step("fail_at_once", [b"bob"], noise))
            self.add(step("fail_at_once", [b"bob", b"x, sasl_username=y", b"carol"], noise))
            self.add(step("send", b"EHLO again\r\n" + noise + b"\r\nQUIT\r\n"), step("closed"))
        for header in (b"Subject: ", b"Subject: warning: ", b"Message-ID: ", b"Message-ID: warning: "):
            mail = step("mail", b"bob@example.com", b"x@remote.example", header + forged + b"\r\n")
            self.add(step("login", b"bob"), mail, QUIT)
        self.add(step("mail", b"a@b.example", b"bob@example.org", b"Subject: warning: " + forged + b"\r\n"), QUIT)
        self.add(step("login", b"bob"), step("mail", b"bob@example.com", b"x@hostile.example"), QUIT)
        self.add(step("login", b"bob"), step("mail", quoted + b"@b.example", quoted + b"@r.example"), QUIT)

    def good_logins(self):
        """Logins that are good, with mail and without, after failures and before none."""
        for user in [*ACCOUNTS, *(ODD_ACCOUNTS if self.any_character else [])]:
            for mech in ("PLAIN", "LOGIN", "CRAM-MD5"):
                parameter = self.random.choice(
                    [b"", b" AUTH=<>", b" AUTH=zed@example.com", b" AUTH=x,+20sasl_username=victim"]
                )
                mail = step("mail", b"zed@example.com", b"x@remote.example", parameter=parameter)
                steps = [self.fail(user) for _ in range(self.random.randrange(3))]
                steps += [step("login", user, mech)] + [mail] * self.random.randrange(3)
                self.add(*steps, *self.end())
        refused = [expect(b"250", b"MAIL FROM:<carol@example.org>"), expect(b"553", b"RCPT TO:<x@remote.example>")]
        self.add(step("login", b"bob"), *refused, QUIT)

    def mailboxes(self):
        """Logins at Dovecot itself; Postfix has no part in them."""
        users = [
            b"bob",
            b"nobody",
            b"root",
            b"rip=" + FORGED,
            b"bob, method=PLAIN, rip=" + FORGED + b", lip=127.0.0.1",
            FORGED_MESSAGE,
        ]
        for service in PROTOCOLS:
            for user in users:
                for times in (1, 3):
                    self.jobs.append([(service, {"client": self.mailbox_client(service)}, [step("fail", user, times)])])
            for steps in ([], [step("login", b"bob")], [step("login", b"carol")]):
                self.jobs.append([(service, {"client": self.mailbox_client(service)}, steps)])

    def mailbox_client(self, service):
        """A client of Dovecot's; only IMAP lets one be told, so that others come from where they are."""
        if service == "imap":
            return self.client("4")
        local = next(address for address in self.addresses if address.startswith(("192.", "198.51.", "203.")))
        self.addresses.remove(local)
        self.taken.add(ip_address(local))
        return local, None, None

    def anything(self):
        """One client that comes back up to three times and tries a few names."""
        client, sessions = self.client(), []
        for _ in range(self.random.choice([1, 1, 2, 3])):
            service = self.random.choice(USUAL_SERVICES)
            steps = []
            for _ in range(self.random.choice([1, 1, 2, 3, 4])):
                steps.append(
                    self.fail(
                        self.random.choice(self.random.choices([ORDINARY, list(ACCOUNTS), HOSTILE], [6, 3, 2])[0])
                    )
                )
                if self.random.random() < 0.1:
                    steps.append(expect(b"250", self.random.choice([b"NOOP", b"RSET"])))
            variant = self.random.randrange(len(SERVICES[service]))
            sessions.append((service, {"client": client, "variant": variant}, [*steps, *self.end()]))
        self.jobs.append(sessions)
