"""Attacks the servers that servers.sh started, and writes down what it did.   attack.py SEED, in OUT_DIR

truth.jsonl holds every attempt that must be recorded: address, user as it must stand in the log, time. It comes from
what was sent and what the server answered, never from a log. A seed makes the same attack again, except for what
happens at the same time. Any answer that is not the planned one is an error, and then the run fails.
"""

import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from mailbox import PROTOCOLS, MailboxSession
from names import HOSTILE
from plan import USUAL_SERVICES, WRONG, Plan
from services import Dovecot, start_broken_auth, start_hops
from session import Notes, Session
from smtp import Closed, Smtp, b64

# Dovecot answers failures twice a second, all at once: what takes time is to wait for it.
SIMULTANEOUS = 64


class Attack:
    """Runs a plan."""

    def __init__(self, seed):
        any_character = seed % 2 == 0  # servers.sh configures Dovecot by the same rule
        self.seed = seed
        self.plan = Plan(seed, any_character)
        self.notes = Notes(any_character)
        self.errors = []

    def attempt(self, what, action, *arguments):
        """Does something that may go wrong, and keeps the error."""
        try:
            return action(*arguments)
        except Exception:  # whatever it is, the other jobs go on and the run fails
            self.errors.append(f"{what}\n{traceback.format_exc(limit=-2)}")

    def run(self, job):
        """All sessions of one client."""
        for service, options, steps in job:
            kind = MailboxSession if service in PROTOCOLS else Session
            session = self.attempt(f"{service} {options}", lambda: kind(self.notes, service, **options))
            for step in steps if session else []:
                self.attempt(f"{service} {options['client']} {step}", step, session)
            if session:
                session.close()

    def together(self, action, items):
        """Does the same with each item, for many of them at the same time."""
        with ThreadPoolExecutor(SIMULTANEOUS) as pool:
            list(pool.map(lambda item: self.attempt(f"{action.__name__} {item}", action, item), items))

    def from_loopback(self):
        """The servers' own host as the client."""
        for host in ("127.0.0.1", "::1"):
            session = Session(self.notes, "postfix/submission/smtpd", (host, None, None))
            session.fail("PLAIN", b"bob")
            session.fail("LOGIN", b"x, sasl_username=victim")
            session.quit()

    def broken_service(self):
        """An auth service that answers, but not as it should."""
        for user, codes in [(b"close", b"454"), (b"temporary", b"535"), (b"close", b"454")]:
            session = Session(self.notes, "postfix/broken/smtpd", self.plan.client())
            session.expect(codes, b"AUTH PLAIN " + b64(b"\0" + user + b"\0x"))
            session.quit()
        session = Session(self.notes, "postfix/broken/smtpd", self.plan.client())
        session.malformed(b"PLAIN", b"AUTH PLAIN " + b64(b"\0disabled\0x"), user=b"disabled")
        session.quit()
        try:
            Smtp(2006)  # its auth socket is not there: "fatal: no SASL authentication mechanisms"
        except Closed:
            pass

    def without_service(self, dovecot):
        """The auth service goes away and comes back while sessions are open.

        Only open ones can ask: a new smtpd process dies when it finds no service, and Postfix then waits a minute.
        """

        def before(session):
            # What the session has behind it stays in Postfix's memory, and in its lines.
            [
                lambda: session.fail("PLAIN", b"before"),
                lambda: session.malformed(b"PLAIN", b"AUTH PLAIN !!!"),
                lambda: session.expect(b"501", b"AUTH LOGIN", b"*"),
                lambda: session.fail("LOGIN", b"x, sasl_username=before"),
                lambda: None,
            ][sessions.index(session) % 5]()

        def without(session):
            for line in (WRONG, b"AUTH LOGIN", b"AUTH PLAIN " + b64(b"\0bob\0secret-bob")):
                session.expect(b"454", line)
            # Refused before the service is asked: these two count.
            session.malformed(b"FOO", b"AUTH FOO")
            session.malformed(b"PLAIN", b"AUTH PLAIN !!!")

        def after(session):
            session.fail("PLAIN", b"after")
            session.malformed(b"PLAIN", b"AUTH PLAIN =")
            session.quit()

        sessions = [Session(self.notes, USUAL_SERVICES[n % 3], self.plan.client()) for n in range(15)]
        self.together(before, sessions)
        dovecot.kill()
        self.together(without, sessions)
        # From here on the auth service logs nothing, as is its default.
        dovecot.start("auth_verbose=no", "auth_verbose_passwords=no")
        self.together(after, sessions)
        silent = Plan(self.seed + 2, False)
        silent.addresses, silent.taken = self.plan.addresses, self.plan.taken
        silent.mailboxes()
        self.together(self.run, silent.jobs)
        self.together(self.run, [self.plan.one_failure(user) for user in HOSTILE[:20]])


def main():
    started = time.time()
    attack = Attack(int(sys.argv[1]))
    dovecot = Dovecot()
    dovecot.start()
    start_hops()
    start_broken_auth()

    jobs = attack.plan.everything()
    attack.together(attack.run, jobs)
    for phase in (attack.from_loopback, attack.broken_service, lambda: attack.without_service(dovecot)):
        attack.attempt(phase, phase)
    time.sleep(1)  # deliveries that are still under way

    for error in attack.errors:
        print(error, file=sys.stderr)
    count = attack.notes.count
    print(
        f"attack: {count['truth']} failures, {count['logins']} mails and {count['dovecot']} failed sessions at Dovecot "
        f"by {len(jobs)} clients in {time.time() - started:.0f} s, {len(attack.errors)} surprises",
        file=sys.stderr,
    )
    dovecot.kill()
    return 1 if attack.errors else 0


if __name__ == "__main__":
    sys.exit(main())
