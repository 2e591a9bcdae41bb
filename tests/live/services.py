"""What the driver plays besides the clients: it starts Dovecot, and servers that misbehave."""

import base64
import os
import signal
import socket
import subprocess
import threading
import time

from names import FORGED_MESSAGE


class Dovecot:
    """The auth service. It is started here because the attack takes it away for a moment."""

    def start(self, *settings):
        """Starts it with these settings and waits for its socket."""
        with open("/run/mail/dovecot-now.conf", "w", encoding="ascii") as file:
            file.write("!include dovecot.conf\n" + "".join(f"{setting}\n" for setting in settings))
        command = ["dovecot", "-F", "-c", "/run/mail/dovecot-now.conf"]
        self.process = subprocess.Popen(command, start_new_session=True)
        deadline = time.time() + 60
        while not self.answers():
            if time.time() > deadline:
                raise RuntimeError("Dovecot does not start")
            time.sleep(0.05)

    def kill(self):
        """Ends all of its processes: asked kindly, the auth process would go on serving whom it knows."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # A connection that somebody still accepts and nobody answers would be a failure like any other in the log.
        while self.answers():
            time.sleep(0.01)

    def answers(self):
        """Whether anybody listens."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex("/run/mail/auth") == 0


def serve(listener, talk):
    """Lets `talk(connection)` have each connection, in threads that die with the driver."""

    def handle(connection):
        try:
            talk(connection)
        except OSError:
            pass
        connection.close()

    def accept():
        while True:
            threading.Thread(target=handle, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def hostile_hop(connection):
    """A mail server that answers a recipient with a forged log line; Postfix's client logs the answer."""
    connection.sendall(b"220 hop\r\n")
    for line in connection.makefile("rb"):
        verb = line[:4].upper()
        connection.sendall(
            {b"RCPT": b"550 warning: " + FORGED_MESSAGE, b"QUIT": b"221 bye"}.get(verb, b"250 ok") + b"\r\n"
        )


def polite_hop(connection):
    """A mail server that takes all mail."""
    connection.sendall(b"220 relay.example.net\r\n")
    inside = False
    for line in connection.makefile("rb"):
        if not inside or line == b".\r\n":
            inside = line[:4].upper() == b"DATA"
            connection.sendall(
                b"354 go on\r\n" if inside else b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 ok\r\n"
            )


def broken_auth(connection):
    """An auth service that speaks Dovecot's protocol and misbehaves, as the name of the user tells it to."""
    connection.sendall(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")
    for line in connection.makefile("rb"):
        words = line.rstrip(b"\n").split(b"\t")
        if words[0] == b"AUTH":
            response = next(word for word in words if word.startswith(b"resp="))
            user = base64.b64decode(response[5:]).split(b"\0")[1]
            if user == b"close":
                return
            answer = {
                b"temporary": b"code=temp_fail\treason=Temporary authentication failure. [mx1:2026-11-22 10:11:12]",
                b"disabled": b"reason=Account is disabled, ask the postmaster",
            }[user]
            connection.sendall(b"FAIL\t" + words[1] + b"\tuser=" + user + b"\t" + answer + b"\n")


def start_hops():
    """Where etc/main.cf sends mail for other hosts."""
    serve(socket.create_server(("127.0.0.1", 2600)), hostile_hop)
    serve(socket.create_server(("192.0.2.25", 2601)), polite_hop)


def start_broken_auth():
    """The auth service of postfix/broken, in etc/master.cf."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/run/mail/broken-auth")
    os.chmod("/run/mail/broken-auth", 0o666)
    listener.listen()
    serve(listener, broken_auth)
