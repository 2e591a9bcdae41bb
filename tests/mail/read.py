"""Reads a message on stdin as strictly as Python can, and tells as JSON what is in it."""

import email
import email.policy
import json
import sys

raw = sys.stdin.buffer.read()
assert raw.isascii(), "not ASCII"
assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b""), "bare CR or LF"
assert raw.endswith(b"\r\n")
lines = raw.split(b"\r\n")
message = email.message_from_bytes(raw, policy=email.policy.default.clone(raise_on_defect=True))


def part(part):
    for name, value in part.items():
        assert not getattr(value, "defects", ()), (name, value.defects)
    told = {
        "type": part.get_content_type(),
        "disposition": part.get_content_disposition(),
        "file": part.get_filename(),
        "id": part.get("Content-ID"),
    }
    if part.is_multipart():
        told["parts"] = [one(it) for it in part.iter_parts()]
    elif part.get_content_maintype() == "text" and not part.is_attachment():
        told["text"] = part.get_content().replace("\r\n", "\n")
    else:
        told["bytes"] = len(part.get_payload(decode=True))
        told["start"] = part.get_payload(decode=True)[:1000].decode("latin-1")
    return told


one = part
assert not message.defects
head = raw.split(b"\r\n\r\n")[0].split(b"\r\n")
json.dump(
    {
        "headers": [[name, str(value)] for name, value in message.items()],
        "date": message["Date"].datetime.isoformat(),
        "to": [it.addr_spec for it in message["To"].addresses],
        "from": message["From"].addresses[0].addr_spec,
        "longest": max(map(len, lines)),
        "longest_header": max(map(len, head)),
        "body": part(message),
    },
    sys.stdout,
)
