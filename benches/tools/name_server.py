"""A name server on loopback: answers each PTR question after DELAY ms with a name, or never.

    name_server.py DELAY|None      prints its port
"""

import asyncio
import sys


class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
        print(transport.get_extra_info("sockname")[1], flush=True)

    def datagram_received(self, question, sender):
        if sys.argv[1] != "None":
            delay = int(sys.argv[1]) / 1000
            asyncio.get_running_loop().call_later(delay, self.answer, question, sender)

    def answer(self, question, sender):
        # Id, "answer, recursion available", one question, one answer; the question; a PTR record.
        name = b"\x04host\x07example\x00"
        record = b"\xc0\x0c\x00\x0c\x00\x01\x00\x00\x0e\x10" + len(name).to_bytes(2, "big") + name
        header = question[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        self.transport.sendto(header + question[12:] + record, sender)


async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    await asyncio.Event().wait()


asyncio.run(main())
