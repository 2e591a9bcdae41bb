"""What one client does to Dovecot's IMAP server in one session."""

import time

from names import ACCOUNTS
from smtp import Closed, b64, connect


class ImapSession:
    """One IMAP session. A client with a name, being trusted, tells the address it speaks for; see Smtp for others."""

    def __init__(self, notes, _service, client):
        self.notes = notes
        self.service = "imap"
        self.address = client[0]
        self.failures = []
        self.started = time.time()
        self.socket = connect(143, "127.0.0.1" if client[1] else client[0])
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        if client[1]:
            self.command(b'ID ("x-originating-ip" "%s" "x-originating-port" "%d")' % (self.address.encode(), client[2]))

    def command(self, line):
        """Sends one command, returns the line that ends its answer or asks for more."""
        self.socket.sendall(b"a " + line + b"\r\n")
        while True:
            reply = self.lines.readline()
            if not reply:
                raise Closed
            if reply.startswith((b"a ", b"+")):
                return reply

    def fail(self, user, times=1):
        """Logins that are refused. A session is noted when it ends."""
        for _ in range(times):
            reply = self.command(b"AUTHENTICATE PLAIN " + b64(b"\0" + user + b"\0wrong"))
            if not reply.startswith(b"a NO [AUTHENTICATIONFAILED]"):
                raise AssertionError(f"expected a refusal, got {reply!r}")
            self.failures.append(user)

    def login(self, user):
        """A login with the right password."""
        reply = self.command(b"AUTHENTICATE PLAIN " + b64(b"\0" + user + b"\0" + ACCOUNTS[user]))
        if not reply.startswith(b"a OK"):
            raise AssertionError(f"expected OK, got {reply!r}")

    def close(self):
        """Logs out."""
        self.command(b"LOGOUT")
        self.socket.close()
        if self.failures:
            self.notes.imap(self, self.failures[-1], len(self.failures), self.started, time.time())
