"""Names to addresses, off the event loop.

Owns one lookup at a time for each name. Not asyncio's own `getaddrinfo`: that runs in the default
executor, whose few threads the EC2 calls need; a resolver that hangs for half a minute, asked again
each second, would take them all. A daemon thread holds up nobody, not even the end of the process.

Does not guarantee freshness: an attempt joins a lookup that an earlier one began.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to connect: a socket address and its family."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]


_Outcome = tuple[Address, ...] | OSError


class Names:
    """The lookups of one probe.

    `waiting` is whether the latest `find` was cut short: an attempt that runs into its deadline
    there has asked nobody, so that it is not the target that is down.
    """

    def __init__(self) -> None:
        self.waiting = False
        self._running: dict[tuple[str, int], asyncio.Future[_Outcome]] = {}

    async def find(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of `host`, in the resolver's order; at once for a literal address.

        Addresses without a route from here are left out when there are others: the AAAA of a name
        says nothing on a host without IPv6. Raises OSError (`socket.gaierror`) when there is none.
        """
        literal = _parse(host, port)
        self.waiting = False
        if literal is not None:
            return (literal,)
        key = (host, port)
        if key not in self._running:
            self._running[key] = self._start(key)
        self.waiting = True
        # Shielded: an attempt that is cancelled must not take the lookup from the next one.
        outcome = await asyncio.shield(self._running[key])
        self.waiting = False
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def _start(self, key: tuple[str, int]) -> asyncio.Future[_Outcome]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Outcome] = loop.create_future()

        def finish(outcome: _Outcome) -> None:
            del self._running[key]
            future.set_result(outcome)

        def work() -> None:
            outcome = _resolve(*key)
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(finish, outcome)

        threading.Thread(target=work, name=f"resolve {key[0]}", daemon=True).start()
        return future


def _parse(host: str, port: int) -> Address | None:
    # Not getaddrinfo with AI_NUMERICHOST: glibc opens a netlink socket even for that.
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return Address(family=family, sockaddr=(host, port))
    return None


def _resolve(host: str, port: int) -> _Outcome:
    try:
        found = _look_up(host, port)
    except OSError as error:
        return error
    except UnicodeError:  # not even a host name: an empty or too long label
        return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return tuple(one for one in found if _has_route(one)) or found


def _look_up(host: str, port: int) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(Address(family=family, sockaddr=sockaddr) for family, _, _, _, sockaddr in found)


def _has_route(address: Address) -> bool:
    """Whether the kernel would route to it; connecting a datagram socket sends nothing (udp(7))."""
    try:
        with socket.socket(address.family, socket.SOCK_DGRAM) as asked:
            asked.connect(address.sockaddr)
    except OSError:
        return False
    return True
