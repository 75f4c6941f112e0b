"""The service of a host in the net world: says whose it is, over TCP and UDP, to whatever address was asked.

Runs as a script of its own, without this package, so that it is up at once and can be killed like a
service. A UDP answer leaves with the address that was asked: a service that leaves the choice to the kernel
answers with the primary address, by the primary link.

    python -I answering.py NAME PORT
"""

from __future__ import annotations

import asyncio
import socket
import sys

_BACKLOG = 256


def main() -> None:
    """Answers until killed."""
    name, port = sys.argv[1].encode(), int(sys.argv[2])
    asyncio.run(_serve(name, port))


async def _serve(name: bytes, port: int) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name + b"\n")
        await writer.drain()
        writer.close()

    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    udp.setblocking(False)
    udp.bind(("::", port))
    asyncio.get_running_loop().add_reader(udp, _answer, udp, name)
    # One socket for both families.
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    async with await asyncio.start_server(greet, sock=tcp):
        await asyncio.Event().wait()


def _answer(udp: socket.socket, name: bytes) -> None:
    question, told, _, asker = udp.recvmsg(256, 256)
    # IPV6_PKTINFO is an address and a link; with link 0 the routing rules choose it by the address.
    info = [
        (level, kind, data[:16] + bytes(4))
        for level, kind, data in told
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
    ]
    udp.sendmsg([question + b" " + name], info, 0, asker)


if __name__ == "__main__":
    main()
