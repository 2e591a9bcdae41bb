"""A raw SMTP client that can be as rude as an attacker, and the SASL mechanisms it tries."""

import base64
import hashlib
import hmac
import os
import socket
import ssl

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE

IP_FREEBIND = 15  # linux/in.h; the socket module does not have it


class Closed(Exception):
    """The server hung up."""


class Smtp:
    """One connection. `client` is (address, name, port): who the server shall think that we are.

    Without a name, the connection really comes from that address, one of those that servers.sh put on the loopback.
    """

    def __init__(self, port, tls=None, client=None, helo=b"client.example"):
        self.socket = connect(port, client[0] if client and client[1] is None else "127.0.0.1")
        client = client if client and client[1] is not None else None
        if tls == "wrap":
            self.socket = TLS.wrap_socket(self.socket)
        self.lines = self.socket.makefile("rb")
        self.reply()
        if tls == "starttls" or client:
            self.command(b"EHLO driver.example")
        if tls == "starttls":
            self.command(b"STARTTLS")
            self.socket = TLS.wrap_socket(self.socket)
            self.lines = self.socket.makefile("rb")
            self.command(b"EHLO driver.example")
        if client:
            address, name, source_port = client
            address = "IPV6:" + address if ":" in address else address
            reply = self.command(f"XCLIENT NAME={name} ADDR={address} PORT={source_port}".encode())
            if not reply.startswith(b"220"):
                raise RuntimeError(f"XCLIENT for {client}: {reply!r}")
        if helo is not None:
            self.command(b"EHLO " + helo)

    def send(self, data):
        """Sends bytes as they are."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def reply(self):
        """The last line of the next reply."""
        while True:
            try:
                line = self.lines.readline()
            except OSError:
                line = b""
            if not line:
                raise Closed
            if line[3:4] != b"-":
                return line.rstrip(b"\r\n")

    def command(self, line):
        """Sends one line, returns the last line of the reply."""
        self.send(line + b"\r\n")
        return self.reply()

    def close(self):
        """Hangs up without a word."""
        self.lines.close()
        self.socket.close()


def connect(port, source):
    """A socket from this address of ours to a port of the servers."""
    here = "::1" if ":" in source else "127.0.0.1"
    connection = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    connection.settimeout(60)
    connection.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
    connection.bind((source, 0))
    connection.connect((here, port))
    return connection


def b64(data):
    """Base64 as SASL wants it."""
    return base64.b64encode(data)


def converse(smtp, typed, answers, initial=None):
    """Sends AUTH, then the answer that each challenge asks for, while the server wants one."""
    reply = smtp.command(b"AUTH " + typed + (b" " + initial if initial is not None else b""))
    for answer in answers:
        if not reply.startswith(b"334"):
            break
        challenge = base64.b64decode(reply[4:])
        reply = smtp.command(answer(challenge) if callable(answer) else answer)
    return reply


def plain(smtp, typed, user, password):
    """PLAIN with its answer in the command."""
    return converse(smtp, typed, [], b64(b"\0" + user + b"\0" + password))


def plain_later(smtp, typed, user, password):
    """PLAIN with its answer in a line of its own."""
    return converse(smtp, typed, [b64(b"\0" + user + b"\0" + password)])


def login(smtp, typed, user, password):
    """LOGIN: asked for the name, then for the password."""
    return converse(smtp, typed, [b64(user), b64(password)])


def login_early(smtp, typed, user, password):
    """LOGIN with the name in the command."""
    return converse(smtp, typed, [b64(password)], b64(user))


def cram_md5(smtp, typed, user, password):
    """RFC 2195."""

    def answer(challenge):
        return b64(user + b" " + hmac.new(password, challenge, hashlib.md5).hexdigest().encode())

    return converse(smtp, typed, [answer])


def digest_md5(smtp, typed, user, _password):
    """RFC 2831, with a digest that cannot be right."""

    def answer(challenge):
        nonce = challenge.split(b'nonce="')[1].split(b'"')[0]
        quoted = user.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b64(
            b'username="' + quoted + b'",realm="",nonce="' + nonce + b'",cnonce="c",nc=00000001,qop=auth,'
            b'digest-uri="smtp/mx1",response=' + b"0" * 32 + b",charset=utf-8"
        )

    return converse(smtp, typed, [answer])


def scram(smtp, typed, user, _password):
    """RFC 5802, with a proof that cannot be right."""

    def answer(challenge):
        nonce = challenge.split(b",")[0][2:]
        return b64(b"c=biws,r=" + nonce + b",p=" + b64(bytes(20 if b"256" not in typed else 32)))

    name = user.replace(b"=", b"=3D").replace(b",", b"=2C")
    return converse(smtp, typed, [answer], b64(b"n,,n=" + name + b",r=" + b64(os.urandom(12))))


def xoauth2(smtp, typed, user, token):
    """Google's. The server sends its error as a challenge, which wants an empty answer."""
    return converse(smtp, typed, [b""], b64(b"user=" + user + b"\1auth=Bearer " + token + b"\1\1"))


def oauthbearer(smtp, typed, user, token):
    """RFC 7628. Here the error wants a single ^A as its answer."""
    name = user.replace(b"=", b"=3D").replace(b",", b"=2C")
    return converse(smtp, typed, [b64(b"\1")], b64(b"n,a=" + name + b",\1auth=Bearer " + token + b"\1\1"))


MECHANISMS = {
    "PLAIN": [plain, plain_later],
    "LOGIN": [login, login_early],
    "CRAM-MD5": [cram_md5],
    "DIGEST-MD5": [digest_md5],
    "SCRAM-SHA-1": [scram],
    "SCRAM-SHA-256": [scram],
    "XOAUTH2": [xoauth2],
    "OAUTHBEARER": [oauthbearer],
}
