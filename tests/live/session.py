"""What one client does to Postfix in one session, and the notes taken of it."""

import json
import re
import threading
import time
from ipaddress import ip_address

from logged import failed_user, full_user, has_user
from names import ACCOUNTS, ODD_ACCOUNTS
from smtp import MECHANISMS, Closed, Smtp, b64

SERVICES = {  # tag in the log -> ports, and how TLS begins there (etc/master.cf)
    "postfix/smtpd": [(25, None)],
    "postfix/submission/smtpd": [(587, None), (587, "starttls")],
    "postfix/smtps/smtpd": [(465, "wrap")],
    "postfix-out/submission/smtpd": [(1587, None)],
    "postfix-edge/smtpd": [(1025, None)],
    "postfix/impatient/smtpd": [(2001, None)],
    "postfix/limited/smtpd": [(2002, None)],
    "postfix/noauth/smtpd": [(2003, None)],
    "postfix/strict/smtpd": [(2004, None)],
    "postfix/broken/smtpd": [(2005, None)],
}


class Notes:
    """Three files: truth.jsonl, the attempts that must be recorded; logins.jsonl, the logins that sent mail;
    dovecot.jsonl, sessions of failed logins at Dovecot, which count only if its lines are asked for.
    """

    def __init__(self, any_character):
        self.any_character = any_character
        self.lock = threading.Lock()
        self.files = {kind: open(f"{kind}.jsonl", "w", encoding="ascii") for kind in ("truth", "logins", "dovecot")}
        self.count = dict.fromkeys(self.files, 0)

    def failure(self, session, mech, user, started, ended):
        """An attempt that must be recorded. `user` is what was typed, None if nobody can know it."""
        self._write("truth", session, failed_user(user, self.any_character), mech, started, ended)

    def mail(self, session, mech, user, started, ended):
        """A mail that was sent after a login."""
        self._write("logins", session, full_user(user, self.any_character), mech, started, ended)

    def dovecot(self, session, user, attempts, started, ended):
        """A session that was nothing but failed logins, all of the same user; one that is looked up is in lower case."""
        user = user.lower() if self.any_character else user
        self._write("dovecot", session, user, b"PLAIN", started, ended, attempts=attempts)

    def _write(self, kind, session, user, mech, started, ended, **more):
        entry = {
            "ip": session.address,
            "user": None if user is None else user.decode("utf-8", "backslashreplace"),
            "user_hex": None if user is None else user.hex(),
            "service": session.service,
            "mech": mech.decode("utf-8", "backslashreplace"),
            "t0": round(started, 6),
            "t1": round(ended, 6),
            **more,
        }
        with self.lock:
            self.count[kind] += 1
            self.files[kind].write(json.dumps(entry) + "\n")
            self.files[kind].flush()


class Session:
    """One SMTP session. Each method is a step; one that gets another answer than the right one raises."""

    def __init__(self, notes, service, client, variant=0, helo=b"client.example"):
        port, tls = SERVICES[service][variant]
        address = ip_address(client[0])
        self.notes = notes
        self.service = service
        self.address = str(getattr(address, "ipv4_mapped", None) or address)
        self.account = None
        self.last_user = None  # the one of Dovecot's last answer
        self.smtp = Smtp(port, tls, client, helo)

    def fail(self, mech, user, typed=None, exchange=0, password=b"wrong"):
        """A login that is refused."""
        typed = typed or mech.encode()
        started = time.time()
        reply = MECHANISMS[mech][exchange](self.smtp, typed, user, password)
        self.last_user = user
        self._refused(reply, typed, user, started)

    def malformed(self, typed, *lines, user=None):
        """A login that is refused for its form, so that mostly nobody can know whose it was."""
        started = time.time()
        for line in lines:
            reply = self.smtp.command(line)
        # Postfix asks Dovecot only about a mechanism that it has and a text that could be base64.
        base64_like = re.fullmatch(rb"[A-Za-z0-9+/=]*", lines[-1].split(b" ")[-1])
        if reply.endswith(b": Invalid authentication mechanism") or not base64_like:
            # It then writes the name of Dovecot's last answer in this session, if there was one.
            user = self.last_user if has_user(typed) else None
        else:
            self.last_user = user
        self._refused(reply, typed, user, started)

    def fail_at_once(self, users, noise):
        """Several logins in one packet, and a line that is no command and ends the session."""
        commands = [b"AUTH PLAIN " + b64(b"\0" + user + b"\0wrong") for user in users] + [noise]
        started = time.time()
        self.smtp.send(b"".join(command + b"\r\n" for command in commands))
        for user in users:
            self._refused(self.smtp.reply(), b"PLAIN", user, started)
        self._answer(b"221", self.smtp.reply())

    def fail_and_hang_up(self, user):
        """Nobody is there any more to hear the answer."""
        started = time.time()
        self.smtp.send(b"AUTH PLAIN " + b64(b"\0" + user + b"\0wrong") + b"\r\n")
        self.notes.failure(self, b"PLAIN", user, started, started + 10)
        time.sleep(0.1)
        self.close()

    def login(self, user, mech="PLAIN", exchange=0):
        """A login with the right password."""
        password = {**ACCOUNTS, **ODD_ACCOUNTS}[user]
        self._answer(b"235", MECHANISMS[mech][exchange](self.smtp, mech.encode(), user, password))
        self.account = (mech.encode(), user)

    def mail(self, sender, recipient, headers=b"Subject: hello\r\n", parameter=b""):
        """Sends a mail."""
        started = time.time()
        if b"Message-ID" not in headers:
            headers += b"Message-ID: <%d@client.example>\r\n" % (started * 1000)
        self.expect(b"250", b"MAIL FROM:<" + sender + b">" + parameter)
        self.expect(b"250", b"RCPT TO:<" + recipient + b">")
        self.expect(b"354", b"DATA")
        self.expect(b"250", b"From: <" + sender + b">\r\n" + headers + b"\r\nhello\r\n.")
        if self.account:
            self.notes.mail(self, *self.account, started, time.time())

    def expect(self, codes, *lines):
        """Sends lines, reading each answer; the last must begin with one of the codes."""
        for line in lines:
            reply = self.smtp.command(line)
        self._answer(codes, reply)

    def send(self, data):
        """Sends bytes and reads no answer."""
        self.smtp.send(data)

    def closed(self):
        """Waits until the server hangs up."""
        try:
            while True:
                self.smtp.reply()
        except Closed:
            pass

    def close(self):
        """Hangs up."""
        self.smtp.close()

    def quit(self):
        """Ends the session as one should."""
        self.expect(b"221", b"QUIT")

    def _answer(self, codes, reply):
        if reply[:3] not in codes.split():
            raise AssertionError(f"expected {codes!r}, got {reply!r}")

    def _refused(self, reply, typed, user, started):
        self._answer(b"535", reply)
        self.notes.failure(self, typed, user, started, time.time())
