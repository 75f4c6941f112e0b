"""Names to addresses, off the event loop.

Each address family is looked up by itself: a resolver that drops the questions for one of them is common. One
lookup at a time for each name and family: a resolver that hangs for half a minute, asked again each second,
is asked once. An attempt joins a lookup that an earlier one began.
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

# For so long what one family has found waits for the other, in seconds (RFC 8305, section 3).
_OTHER_FAMILY_WITHIN = 0.05
_FAMILIES = (socket.AF_INET6, socket.AF_INET)
# Of two failures the other one says more: it may pass.
_NEVER = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})


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


_Lookup = asyncio.Future[tuple[Address, ...]]


class Names:
    """The lookups of one probe."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int, int], _Lookup] = {}

    async def find(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of `host`, IPv6 first; at once for a literal address.

        Raises OSError (`socket.gaierror`) when there is none.
        """
        literal = literal_address(host, port)
        if literal is not None:
            return (literal,)
        lookups = [self._lookup(host, port, family) for family in _FAMILIES]
        # `wait` ends no lookup: an attempt that is cancelled must not take it from the next one.
        done, pending = await asyncio.wait(lookups, return_when=asyncio.FIRST_COMPLETED)
        if pending:
            is_found = any(not lookup.exception() for lookup in done)
            await asyncio.wait(pending, timeout=_OTHER_FAMILY_WITHIN if is_found else None)
        found = [lookup.result() for lookup in lookups if lookup.done() and not lookup.exception()]
        if not found:
            raise min((lookup.exception() or OSError() for lookup in lookups), key=_is_for_good)
        return tuple(dict.fromkeys(address for addresses in found for address in addresses))

    def _lookup(self, host: str, port: int, family: socket.AddressFamily) -> _Lookup:
        key = (host, port, family)
        if key not in self._running:
            lookup = threads.start(lambda: _resolve(host, port, family), f"resolve {host}")
            lookup.add_done_callback(lambda _: self._running.pop(key, None))
            # Whoever waited for a lookup that fails may be gone: its error is nobody's then.
            lookup.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._running[key] = lookup
        return self._running[key]


def _is_for_good(error: BaseException) -> bool:
    """Whether the name has no address of that family; anything else may pass."""
    return isinstance(error, socket.gaierror) and error.errno in _NEVER


def literal_address(host: str, port: int) -> Address | None:
    """The address that `host` is; None for a name. Raises OSError for a zone that this host has not."""
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


def _resolve(host: str, port: int, family: socket.AddressFamily) -> tuple[Address, ...]:
    try:
        return _look_up(host, port, family)
    except UnicodeError:  # not even a host name: an empty or too long label
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


def _look_up(host: str, port: int, family: socket.AddressFamily) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return tuple(Address(family=family, sockaddr=sockaddr) for _, _, _, _, sockaddr in found)
