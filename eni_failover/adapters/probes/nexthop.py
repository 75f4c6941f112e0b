"""Where this host sends the packets for an address first, and whether that neighbour answers.

Asked of the kernel by rtnetlink(7), which answers at once and needs no privilege.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from eni_failover.adapters.probes.names import Address

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_ROUTE = struct.Struct("=8BI")  # struct rtmsg
_NEIGHBOUR = struct.Struct("=BBHiHBB")  # struct ndmsg
_ATTRIBUTE = struct.Struct("=HH")
_REQUEST = 1  # NLM_F_REQUEST
_ERROR = 2  # NLMSG_ERROR
_GET_ROUTE, _GET_NEIGHBOUR = 26, 30
_DST, _OIF, _GATEWAY, _VIA = 1, 4, 5, 18  # RTA_*; NDA_DST is 1 as well
_UNANSWERED = 0x01 | 0x20  # NUD_INCOMPLETE, NUD_FAILED
_WITHIN = 1.0
_LARGEST = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """The neighbour that packets go to: the target itself, or a router on the way."""

    family: int
    address: bytes
    link: int
    is_router: bool


def next_hop(address: Address) -> NextHop:
    """The first hop to this address. Raises OSError, with the route's own error where there is no way."""
    wanted = _attribute(_DST, address.packed)
    if len(address.sockaddr) > 3 and address.sockaddr[3]:
        wanted += _attribute(_OIF, struct.pack("=I", address.sockaddr[3]))
    header = _ROUTE.pack(address.family, len(address.packed) * 8, 0, 0, 0, 0, 0, 0, 0)
    answer = _ask(_GET_ROUTE, header + wanted)
    found = dict(_attributes(answer[_ROUTE.size :]))
    link = int.from_bytes(found.get(_OIF, b""), sys.byteorder)
    if _VIA in found:
        family = struct.unpack_from("=H", found[_VIA])[0]
        return NextHop(family=family, address=found[_VIA][2:], link=link, is_router=True)
    router = found.get(_GATEWAY)
    return NextHop(
        family=address.family, address=router or address.packed, link=link, is_router=router is not None
    )


def is_silent(hop: NextHop) -> bool:
    """Whether this neighbour does not answer ARP or neighbour discovery. Raises OSError.

    One that was never asked is not silent: a local packet filter refuses before the neighbour is asked.
    """
    body = _NEIGHBOUR.pack(hop.family, 0, 0, hop.link, 0, 0, 0) + _attribute(_DST, hop.address)
    try:
        answer = _ask(_GET_NEIGHBOUR, body)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return bool(_NEIGHBOUR.unpack_from(answer)[4] & _UNANSWERED)


def _ask(kind: int, body: bytes) -> bytes:
    """The body of the kernel's answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
        kernel.settimeout(_WITHIN)
        kernel.sendto(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST, 1, 0) + body, (0, 0))
        answer = kernel.recv(_LARGEST)
    length, got, *_ = _HEADER.unpack_from(answer)
    inner = answer[_HEADER.size : length]
    if got == _ERROR:
        number = -struct.unpack_from("=i", inner)[0]
        raise OSError(number, os.strerror(number))
    return inner


def _attribute(kind: int, value: bytes) -> bytes:
    text = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
    return text + bytes(-len(text) % 4)


def _attributes(text: bytes) -> Iterator[tuple[int, bytes]]:
    while len(text) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(text)
        if length < _ATTRIBUTE.size:
            return
        yield kind, text[_ATTRIBUTE.size : length]
        text = text[(length + 3) & ~3 :]
