"""What a member serves: says whose it is over TCP, and writes down when it was asked at which address.

Runs as a script of its own, without this package, so that it is up at once and dies like a service.

    python -I service.py NAME ADDRESS PORT NOTES

A line for each question: seconds of the monotonic clock, and the address that was asked. The last one of a
member that died says when a probe last had an answer: what detection takes follows from it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path


def main() -> None:
    """Answers until killed."""
    name, address, port, notes = sys.argv[1:]
    asyncio.run(_serve(name.encode(), address, int(port), Path(notes)))


async def _serve(name: bytes, address: str, port: int, notes: Path) -> None:
    with notes.open("a", buffering=1) as lines:

        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = writer.get_extra_info("sockname")[0]
            lines.write(f"{time.monotonic():.6f} {asked}\n")
            writer.write(name + b"\n")
            writer.close()

        async with await asyncio.start_server(greet, address, port, backlog=256):
            await asyncio.Event().wait()


if __name__ == "__main__":
    main()
