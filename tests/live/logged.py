"""What Postfix 3.7 and Dovecot 2.3 make of the bytes that a client sent, before they stand in the log.

Dovecot: normalize() in auth-request-fields.c lower-cases a name (auth_username_format, %Lu), unless it refused it for a
character that auth_username_chars does not have; str_append_tabescaped() writes it into the answer to Postfix.
Postfix: xsasl_dovecot_server.c takes the escaped name as it is and masks it with printable(); smtpd_sasl_glue.c cuts
it at 100 bytes, like the mechanism; msg_output.c masks the whole message once more.
"""

import re

USUAL_CHARACTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@"
TAB_ESCAPES = {0x00: b"\x010", 0x01: b"\x011", 0x09: b"\x01t", 0x0A: b"\x01n", 0x0D: b"\x01r"}


def printable(text):
    """printable.c: control bytes, DEL and what cannot begin a UTF-8 character become `?`.

    It is lenient: any byte from C2 to FE with any number of continuation bytes behind it passes.
    """
    masked = bytearray()
    inside = False
    for index, byte in enumerate(text):
        continues = 0x80 <= byte < 0xC0
        followed = index + 1 < len(text) and 0x80 <= text[index + 1] < 0xC0
        inside = (inside and continues) or (0xC2 <= byte <= 0xFE and followed)
        masked.append(byte if 0x20 <= byte < 0x7F or inside else ord("?"))
    return bytes(masked)


def known_name(typed, any_character):
    """The name as Dovecot knows it."""
    if not any_character and any(byte not in USUAL_CHARACTERS for byte in typed):
        return typed
    return typed.lower()


def full_user(typed, any_character):
    """What stands after `sasl_username=` when the login was good: never cut."""
    escaped = b"".join(TAB_ESCAPES.get(byte, bytes([byte])) for byte in known_name(typed, any_character))
    return printable(escaped)


def failed_user(typed, any_character):
    """What stands after `sasl_username=` when it was not; None if that says that nobody is known."""
    if typed is None:
        return None
    user = printable(full_user(typed, any_character)[:100])
    return None if user == b"(unavailable)" else user


def has_user(typed_mechanism):
    """Whether the line of a failure tells a user for sure.

    A mechanism stands in the line as the client typed it. If it holds anything but the characters of a mechanism, it
    can itself contain ` authentication failed: ` and a user, so none is taken from such a line.
    """
    return re.fullmatch(rb"[A-Za-z0-9_-]+", printable(typed_mechanism[:100])) is not None
