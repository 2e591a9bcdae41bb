"""What is needed to measure look-ups: real databases, and a name server as slow as one likes."""

import contextlib
import ipaddress
import pathlib
import random
import subprocess
import sys

from inputs import Log

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "target" / "ip-location-db"
COUNTRIES = ["asn-country-ipv4.csv", "asn-country-ipv6.csv"]
NETWORKS = ["asn-ipv4.csv", "asn-ipv6.csv"]


def databases():
    """The configuration for the real databases, which are fetched if they are not there."""
    subprocess.run([HERE.parent / "tests" / "geo-data"], check=True)

    def paths(names):
        return ", ".join(str(DATA / name) for name in names)

    return (f"[geolocation]\ncountry_db_path = {paths(COUNTRIES)}\n"
            f"[ASN_ASO]\nasn_db_path = {paths(NETWORKS)}\n")


def log(folder, count):
    """A failure from each of `count` addresses, one in ten of them IPv6."""
    choose = random.Random(count)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mail.log"
    with open(path, "w") as out:
        for number in range(count):
            address = ipaddress.IPv4Address(choose.randrange(1 << 24, 223 << 24))
            if number % 10 == 0:
                address = ipaddress.IPv6Address((0x2A00 << 112) + choose.getrandbits(100))
            out.write(f"2026-11-22T10:{number // 60 % 60:02}:{number % 60:02}+00:00 mx1 "
                      f"postfix/smtpd[7]: warning: unknown[{address}]: SASL LOGIN authentication "
                      f"failed: x, sasl_username=u{number}\n")
    return Log(path, [path], count, count)


@contextlib.contextmanager
def name_server(delay_ms):
    """The configuration for a server on loopback that answers so late, or never if that is None."""
    arguments = [sys.executable, HERE / "tools" / "name_server.py", str(delay_ms)]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        yield f"[dns]\nnameservers = 127.0.0.1:{port}\n"
    finally:
        server.kill()
        server.wait()
