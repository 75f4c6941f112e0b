"""A client in the net world: asks one address again and again, and writes down each answer.

Runs as a script of its own, without this package. Asks over TCP with a new connection each time, and over
UDP; a question is never held up by an earlier one that has no answer.

    python -I asking.py ADDRESS PORT INTERVAL

Writes a line for each answer: `T PROTOCOL NUMBER ASKED NAME`. Questions are numbered from 0; T and ASKED
are seconds of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from typing import Final

_GIVE_UP: Final = 0.5


def main() -> None:
    """Asks until killed."""
    address, port, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    asyncio.run(_ask(address, port, interval))


def _note(protocol: str, number: str, asked: str, name: str) -> None:
    print(f"{time.monotonic():.6f} {protocol} {number} {asked} {name}", flush=True)  # noqa: T201 - its output


class _Answers(asyncio.DatagramProtocol):
    def datagram_received(self, data: bytes, _: object) -> None:
        number, asked, name = data.decode().split()
        _note("udp", number, asked, name)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: no answer, as in a gap."""


async def _ask(address: str, port: int, interval: float) -> None:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    transport, _ = await loop.create_datagram_endpoint(_Answers, remote_addr=(address, port), family=family)
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            group.create_task(_connect(address, port, number))
            transport.sendto(f"{number} {time.monotonic():.6f}".encode())
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())


async def _connect(address: str, port: int, number: int) -> None:
    asked = f"{time.monotonic():.6f}"
    writer = None
    try:
        async with asyncio.timeout(_GIVE_UP):
            reader, writer = await asyncio.open_connection(address, port)
            name = (await reader.readline()).decode().strip()
    except OSError:  # refused, unreachable, too late: no answer, as in a gap
        return
    finally:
        if writer is not None:
            writer.close()
    if name:
        _note("tcp", str(number), asked, name)


if __name__ == "__main__":
    main()
