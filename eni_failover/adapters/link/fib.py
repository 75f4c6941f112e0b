"""Questions to the kernel about routes, each one narrow: a host may have a million that do not matter here.

Two kinds: all routes by one link, and the way that one packet would take. Needs no privilege.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from eni_failover.adapters.link import netlink
from eni_failover.adapters.link.kernel import EVERYWHERE, MAIN_TABLE, Address, Route, read_route
from eni_failover.adapters.link.rules import PLAIN, Packet

# From linux/netlink.h and linux/rtnetlink.h.
_SOL_NETLINK: Final = 270
_NETLINK_GET_STRICT_CHK: Final = 12
_REQUEST: Final = 0x1
_DUMP: Final = 0x300
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_NEWROUTE: Final = 24
_GETROUTE: Final = 26
_RTA_DST: Final = 1
_RTA_SRC: Final = 2
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_MULTIPATH: Final = 9
_RTA_TABLE: Final = 15
_RTA_MARK: Final = 16
_RTA_UID: Final = 25
_RTA_IP_PROTO: Final = 27
_RTA_SPORT: Final = 28
_RTA_DPORT: Final = 29
_TELL_TABLE: Final = 0x1000  # RTM_F_LOOKUP_TABLE
_RTN_UNICAST: Final = 1
_RTN_LOCAL: Final = 2
_RTPROT_RA: Final = 9
_HEADER: Final = struct.Struct("=IHHII")
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")
_CODE: Final = struct.Struct("=i")
_TYPE: Final = _HEADER.size + 7  # where rtm_type is
_BUFFER: Final = 1 << 16
_WITHIN: Final = 5.0  # the kernel answers within the call; this is for one that does not

# The kernel has not got the family, or the link has just left.
_NONE_THERE: Final = frozenset({errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENODEV})

FAR: Final[dict[int, Address]] = {
    4: ipaddress.ip_address("203.0.113.1"),
    6: ipaddress.ip_address("3fff::1"),
}
"""An address outside every VPC, by IP version: RFC 5737 and RFC 9637 keep it for examples."""

FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
"""The address family, by IP version."""


class _RefusedError(OSError):
    """The kernel's answer is an error."""


class Way(NamedTuple):
    """The link that a packet leaves by, the router it is given to, if any, and the table that says so."""

    link: int
    gateway: Address | None
    table: int = 0


class Fib:
    """The kernel's routing tables, asked by a socket of this thread's network namespace.

    `bytes_read` is what was asked has cost. Raises OSError.
    """

    def __init__(self) -> None:
        self.bytes_read = 0
        self._number = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(_WITHIN)
        # Kernels before 4.20 cannot filter a dump; what they send too much is skipped here.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def routes(self, own: Iterable[int], beside: Iterable[int]) -> frozenset[Route]:
        """The routes by our own links, and the IPv6 default routes by those beside them."""
        found = {route for index in own for route in self.routes_by(index)}
        for index in beside:
            way = self.way(FAR[6], index=index)
            if way is not None and way.link == index and way.gateway is not None:
                found.add(
                    Route(
                        destination=EVERYWHERE[6],
                        gateway=way.gateway,
                        index=index,
                        table=MAIN_TABLE,
                        protocol=_RTPROT_RA,
                        metric=0,
                    )
                )
        return frozenset(found)

    def routes_by(self, index: int) -> frozenset[Route]:
        """All routes by this link, of both families, in all tables."""
        found: set[Route] = set()
        for family in FAMILIES.values():
            header = _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            self._send(_REQUEST | _DUMP, header + _attribute(_RTA_OIF, _NUMBER.pack(index)))
            try:
                while self._take(index, found):
                    pass
            except _RefusedError as error:
                if error.errno not in _NONE_THERE:
                    raise
        return frozenset(found)

    def _take(self, index: int, found: set[Route]) -> bool:
        """Read one datagram of a dump; whether more will come."""
        data = self._receive()
        # A kernel that cannot filter sends millions: most datagrams do not have the number anywhere.
        if _NUMBER.pack(index) in data:
            for kind, start, end in _messages(data):
                if kind == _NEWROUTE and _may_lead_by(index, data, start, end):
                    message = netlink.route_message(data[start:end])
                    found.update(route for route in read_route(message) if route.index == index)
        return not _is_end(data)

    def way(
        self, destination: Address, source: Address | None = None, packet: Packet = PLAIN, *, index: int = 0
    ) -> Way | None:
        """Which way a packet of this host goes to `destination`; None when it would not leave.

        `source` is the address it carries, `index` the link that it is bound to. Kernels before 4.19 do not
        look at the protocol and the ports of `packet`.
        """
        data = self._answer(destination, source, packet, index)
        if data is None or data[_TYPE] != _RTN_UNICAST:
            return None
        found = dict(_attributes(data, 0, len(data)))
        gateway = found.get(_RTA_GATEWAY)
        return Way(
            link=_NUMBER.unpack(found[_RTA_OIF])[0] if _RTA_OIF in found else 0,
            gateway=ipaddress.ip_address(gateway) if gateway else None,
            table=_NUMBER.unpack(found[_RTA_TABLE])[0] if _RTA_TABLE in found else 0,
        )

    def takes_in(self, address: Address, index: int) -> bool:
        """Whether a packet to `address` is for this host: in table `local`, or that of the link's VRF."""
        answers = (self._answer(address, None, PLAIN, by) for by in (0, index))
        return any(data is not None and data[_TYPE] == _RTN_LOCAL for data in answers)

    def _answer(
        self, destination: Address, source: Address | None, packet: Packet, index: int
    ) -> bytes | None:
        """The kernel's route for such a packet; None when it refuses."""
        length = destination.max_prefixlen
        flags = _TELL_TABLE if destination.version == 4 else 0  # IPv6 tells it anyway
        family = FAMILIES[destination.version]
        request = _RTMSG.pack(family, length, length if source else 0, packet.tos, *(0,) * 4, flags)
        request += _attribute(_RTA_DST, destination.packed)
        if source is not None:
            request += _attribute(_RTA_SRC, source.packed)
        if index:
            request += _attribute(_RTA_OIF, _NUMBER.pack(index))
        self._send(_REQUEST, request + b"".join(_selectors(packet)))
        data = self._receive()
        try:
            _is_end(data)
        except _RefusedError:  # unreachable, prohibited, a source that is not here
            return None
        return data

    def _send(self, flags: int, body: bytes) -> None:
        self._number += 1
        length = _HEADER.size + len(body)
        self._socket.sendto(_HEADER.pack(length, _GETROUTE, flags, self._number, 0) + body, (0, 0))

    def _receive(self) -> bytes:
        """The next datagram of this answer."""
        data = self._socket.recv(_BUFFER)
        while _HEADER.unpack_from(data)[3] != self._number:  # left by a question that timed out
            data = self._socket.recv(_BUFFER)
        self.bytes_read += len(data)
        return data


def _messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The messages in a datagram: type, start and end."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        yield kind, start, start + length
        start += (length + 3) & ~3


def _is_end(data: bytes) -> bool:
    """Whether an answer ends with this datagram. Raises _RefusedError when it is an error.

    An error comes alone; the end of a dump is a message of its own, or the last one with others, and says
    as well how it went.
    """
    size = _HEADER.size + _CODE.size
    last = len(data) - size
    is_error = _HEADER.unpack_from(data)[1] == _NLMSG_ERROR
    is_done = last >= 0 and _HEADER.unpack_from(data, last)[:2] == (size, _NLMSG_DONE)
    if is_error or is_done:
        code = -_CODE.unpack_from(data, _HEADER.size if is_error else last + _HEADER.size)[0]
        if code:
            raise _RefusedError(code, os.strerror(code))
    return is_error or is_done


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _selectors(packet: Packet) -> Iterator[bytes]:
    """What a question says of its packet."""
    if packet.mark:
        yield _attribute(_RTA_MARK, _NUMBER.pack(packet.mark))
    if packet.user is not None:
        yield _attribute(_RTA_UID, _NUMBER.pack(packet.user))
    if packet.protocol:
        yield _padded(_attribute(_RTA_IP_PROTO, bytes([packet.protocol])))
    for kind, port in ((_RTA_SPORT, packet.source_port), (_RTA_DPORT, packet.port)):
        if port:
            yield _padded(_attribute(kind, port.to_bytes(2, "big")))


def _padded(attribute: bytes) -> bytes:
    return attribute + bytes(-len(attribute) % 4)


def _attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The attributes of one route message."""
    start += _HEADER.size + _RTMSG.size
    while start + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3


def _may_lead_by(index: int, data: bytes, start: int, end: int) -> bool:
    """Whether the route is by this link, or has several hops."""
    wanted = _NUMBER.pack(index)
    return any(
        kind == _RTA_MULTIPATH or (kind == _RTA_OIF and value == wanted)
        for kind, value in _attributes(data, start, end)
    )
