"""What one client does to Dovecot's own servers in one session: IMAP, POP3, ManageSieve, submission."""

import re
import time

from names import ACCOUNTS
from smtp import Closed, b64, connect

# What a typed password is: Dovecot logs it (auth_verbose_passwords), and we must never. It looks like a login.
SECRET = b"SASL typed-secret, sasl_username=typed-secret imap-login: "


class Protocol:
    """How one of them talks: PLAIN with what is known of the answers."""

    def __init__(self, port, start, plain, refusal, success, end):
        self.port = port
        self.start = start  # a command at the start, or None
        self.plain = plain  # the command of a login; %b is the answer in base64
        self.refusal = refusal
        self.success = success
        self.end = end


PROTOCOLS = {
    "imap": Protocol(143, None, b"a AUTHENTICATE PLAIN %b", b"a NO", b"a OK", b"a LOGOUT"),
    "pop3": Protocol(110, None, b"AUTH PLAIN %b", b"-ERR", b"+OK", b"QUIT"),
    "managesieve": Protocol(4190, None, b'AUTHENTICATE "PLAIN" "%b"', b"NO", b"OK", b"LOGOUT"),
    "submission": Protocol(2587, b"EHLO client.example", b"AUTH PLAIN %b", b"535", b"235", b"QUIT"),
}


class MailboxSession:
    """One session. At IMAP, a client with a name, being trusted, tells the address it speaks for; see Smtp for others."""

    def __init__(self, notes, service, client):
        self.notes = notes
        self.service = service
        self.protocol = PROTOCOLS[service]
        self.address = client[0]
        self.failures = []
        self.started = time.time()
        self.socket = connect(self.protocol.port, "127.0.0.1" if client[1] else client[0])
        self.lines = self.socket.makefile("rb")
        self.answer()
        if self.protocol.start:
            self.command(self.protocol.start)
        if client[1]:
            self.command(b'a ID ("x-originating-ip" "%s" "x-originating-port" "%d")' % (client[0].encode(), client[2]))

    def command(self, line):
        """Sends one command, returns the last line of its answer."""
        self.socket.sendall(line + b"\r\n")
        return self.answer()

    def answer(self):
        """The line that ends an answer; those before it start otherwise."""
        while True:
            reply = self.lines.readline()
            if not reply:
                raise Closed
            if re.match(rb"a |\+|-ERR|NO|OK|BYE|\d{3} |\* OK \[CAPABILITY", reply):
                return reply

    def log_in(self, user, password):
        return self.command(self.protocol.plain % b64(b"\0" + user + b"\0" + password))

    def fail(self, user, times=1):
        """Logins that are refused. A session is noted when it ends."""
        for _ in range(times):
            reply = self.log_in(user, SECRET)
            if not reply.startswith(self.protocol.refusal):
                raise AssertionError(f"expected a refusal, got {reply!r}")
            self.failures.append(user)

    def login(self, user):
        """A login with the right password."""
        reply = self.log_in(user, ACCOUNTS[user])
        if not reply.startswith(self.protocol.success):
            raise AssertionError(f"expected success, got {reply!r}")
        if self.failures:
            raise AssertionError("of failures before a login, the log tells no number")

    def close(self):
        """Logs out."""
        self.command(self.protocol.end)
        self.socket.close()
        if self.failures:
            self.notes.dovecot(self, self.failures[-1], len(self.failures), self.started, time.time())
