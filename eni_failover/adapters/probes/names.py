"""Names to addresses, off the event loop.

One lookup at a time for each name: a resolver that hangs for half a minute, asked again each second, is
asked once. An attempt joins a lookup that an earlier one began.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from dataclasses import dataclass
from typing import Any

from eni_failover.adapters.probes import threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to connect: a socket address and its family."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def packed(self) -> bytes:
        """The IP address in network order, without a zone."""
        return packed(self.family, self.sockaddr[0])


def packed(family: socket.AddressFamily, text: str) -> bytes:
    """An IP address in network order; a zone (fe80::1%eth0) is left out."""
    return socket.inet_pton(family, text.partition("%")[0])


class Names:
    """The lookups of one probe."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], asyncio.Future[tuple[Address, ...]]] = {}

    async def find(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of `host`, in the resolver's order; at once for a literal address.

        Raises OSError (`socket.gaierror`) when there is none.
        """
        literal = _parse(host, port)
        if literal is not None:
            return (literal,)
        key = (host, port)
        if key not in self._running:
            lookup = threads.start(lambda: _resolve(host, port), f"resolve {host}")
            lookup.add_done_callback(lambda _: self._running.pop(key, None))
            # Whoever waited for a lookup that fails may be gone: its error is nobody's then.
            lookup.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._running[key] = lookup
        # Shielded: an attempt that is cancelled must not take the lookup from the next one.
        return await asyncio.shield(self._running[key])


def _parse(host: str, port: int) -> Address | None:
    # Not getaddrinfo with AI_NUMERICHOST: glibc opens a netlink socket even for that.
    with contextlib.suppress(OSError):
        socket.inet_pton(socket.AF_INET, host)
        return Address(family=socket.AF_INET, sockaddr=(host, port))
    text, _, zone = host.partition("%")
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return None
    if not zone:
        return Address(family=socket.AF_INET6, sockaddr=(text, port))
    return Address(family=socket.AF_INET6, sockaddr=(text, port, 0, _link_index(zone)))


def _link_index(zone: str) -> int:
    """The index of a link by its name or number (RFC 4007, section 11.2). Raises OSError."""
    if zone.isdecimal():
        return int(zone)
    try:
        return socket.if_nametoindex(zone)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None


def _resolve(host: str, port: int) -> tuple[Address, ...]:
    try:
        return _look_up(host, port)
    except UnicodeError:  # not even a host name: an empty or too long label
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


def _look_up(host: str, port: int) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(Address(family=family, sockaddr=sockaddr) for family, _, _, _, sockaddr in found)
