"""The icmp probe: one echo request.

By an unprivileged datagram socket where `net.ipv4.ping_group_range` allows it (icmp(7)), by a raw one
otherwise (CAP_NET_RAW).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Address, Names
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.race import side_by_side
from eni_failover.adapters.probes.spec import IcmpSettings, Target
from eni_failover.adapters.probes.waiting import Waiting
from eni_failover.core.vocabulary import Answer
from eni_failover.errors import ConfigError

_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number: RFC 792, RFC 4443
_PAYLOAD = b"eni-failover"
_PACKET = 1024
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


class IcmpUnavailableError(ConfigError):
    """This host lets this process send no echo requests at all."""


def prepare() -> socket.SocketKind:
    """The kind of socket to use. Raises IcmpUnavailableError when neither kind can be opened."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return kind
    raise IcmpUnavailableError(
        "icmp probes need a group of this process in the sysctl net.ipv4.ping_group_range,"
        " or the capability CAP_NET_RAW"
    )


class IcmpProbe:
    """An echo reply is up; none, or word from the network that the target is unreachable, is down.

    Raises IcmpUnavailableError when it is made.
    """

    def __init__(self, settings: IcmpSettings) -> None:
        self._settings = settings
        self._kind = prepare()
        self._names = Names()
        self._waiting = Waiting()

    @property
    def unsent(self) -> str:
        """Why the latest attempt, cut short, asked nobody; empty when it did."""
        return self._waiting.unsent

    async def __call__(self, target: Target) -> ProbeResult:
        """Ping each address of the host, until one replies."""
        self._waiting.begin()
        try:
            with self._waiting.on_host("name not resolved"):
                addresses = await self._names.find(target.fill(self._settings.host), 0)
        except OSError as error:
            return blame.unresolved(error)
        return await side_by_side(addresses, self._ask, self._waiting)

    async def close(self) -> None:
        """Nothing outlives an attempt."""

    async def _ask(self, address: Address) -> ProbeResult:
        try:
            asking = socket.socket(address.family, self._kind, _PROTOCOL[address.family])
        except OSError as error:
            return blame.own(error)
        with asking:
            # A raw socket hears the replies to all pings of this host: both numbers are random, for no
            # other daemon's to match.
            ours = (secrets.randbits(16), secrets.randbits(16))
            try:
                asking.setblocking(False)
                blame.collect(asking)
                asking.connect(address.sockaddr)
                asking.send(_request(address.family, *ours))
            except OSError as error:
                return blame.own(error)
            return await self._hear(asking, address, ours)

    async def _hear(self, asking: socket.socket, address: Address, ours: tuple[int, int]) -> ProbeResult:
        """The reply, or an error about the request."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                with self._waiting.on_target(lambda: _unsent(address)):
                    packet = await loop.sock_recv(asking, _PACKET)
            except OSError as error:
                return blame.refused(asking, address, OSError(error.errno, os.strerror(error.errno or 0)))
            if self._is_reply(packet, address.family, ours):
                return ProbeResult(answer=Answer.UP, answered=True, detail="echo reply")
            await asyncio.sleep(0)  # a raw socket hears everybody's: not even a flood may keep the loop

    def _is_reply(self, packet: bytes, family: socket.AddressFamily, ours: tuple[int, int]) -> bool:
        is_raw = self._kind is socket.SOCK_RAW
        if is_raw and family == socket.AF_INET:
            packet = packet[(packet[0] & 0x0F) * 4 :]  # the IP header: raw(7)
        if len(packet) < _ECHO.size:
            return False
        kind, _, _, identifier, sequence = _ECHO.unpack_from(packet)
        # A datagram socket has an identifier of its own, and hears only its replies: icmp(7).
        return kind == _REPLY[family] and (identifier if is_raw else ours[0], sequence) == ours


def _unsent(address: Address) -> str:
    return blame.ROUTER_SILENT if blame.is_router_silent(address) else ""


def _request(family: socket.AddressFamily, identifier: int, sequence: int) -> bytes:
    """An echo request. For IPv6 the kernel fills in the checksum (RFC 3542, section 3.1)."""
    kind = _REQUEST[family]
    total = _checksum(_ECHO.pack(kind, 0, 0, identifier, sequence) + _PAYLOAD)
    return _ECHO.pack(kind, 0, total, identifier, sequence) + _PAYLOAD


def _checksum(packet: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - total
