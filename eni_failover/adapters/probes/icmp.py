"""The icmp probe: one echo request, by icmplib.

Owns the choice of socket: an unprivileged datagram one where `net.ipv4.ping_group_range` allows it
(icmp(7)), a raw one otherwise (CAP_NET_RAW).

Of icmplib, the sockets and the packets are used, and none of its coroutines. `async_ping` turns every
failure, our own included, into a lost packet, and looks names up by itself. `AsyncSocket.receive`
counts its timeout by the wall clock, and waits by `asyncio.wait_for`, which before Python 3.12 loses
a cancellation that comes together with a packet: the daemon would not stop.
"""

from __future__ import annotations

import asyncio
import secrets
import socket

from icmplib import (
    DestinationUnreachable,
    ICMPError,
    ICMPLibError,
    ICMPReply,
    ICMPRequest,
    ICMPSocketError,
    ICMPv4Socket,
    ICMPv6Socket,
    TimeExceeded,
)

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Names
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import IcmpSettings, Target
from eni_failover.core.words import Answer
from eni_failover.errors import ConfigError

_PACKET = 1024


class IcmpUnavailableError(ConfigError):
    """This host lets this process send no echo requests at all."""


def prepare() -> bool:
    """Whether a raw socket is needed. Raises IcmpUnavailableError when neither kind can be opened."""
    for privileged in (False, True):
        try:
            ICMPv4Socket(privileged=privileged).close()
        except ICMPSocketError:
            continue
        return privileged
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
        self._privileged = prepare()
        self._names = Names()

    @property
    def unsent(self) -> bool:
        """Whether the latest attempt was cut short while it looked up a name."""
        return self._names.waiting

    async def __call__(self, target: Target) -> ProbeResult:
        """Ping the first address of the host."""
        try:
            addresses = await self._names.find(target.fill(self._settings.host), 0)
        except OSError as error:
            return blame.unresolved(error)
        try:
            return await self._ping(addresses[0].family, addresses[0].sockaddr[0])
        except OSError as error:
            return blame.judge(error)
        except ICMPLibError as error:
            # icmplib raises its own inside the handler of the OSError (and calls EPERM "broadcast").
            cause = error.__context__
            if isinstance(cause, OSError):
                return blame.judge(cause)
            return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=type(error).__name__)

    async def close(self) -> None:
        """Nothing outlives an attempt."""

    async def _ping(self, family: socket.AddressFamily, address: str) -> ProbeResult:
        kind = ICMPv6Socket if family == socket.AF_INET6 else ICMPv4Socket
        # A raw socket hears the replies to all pings of this host: both numbers are random, for no
        # other daemon's to match.
        request = ICMPRequest(address, id=secrets.randbits(16), sequence=secrets.randbits(16))
        with kind(privileged=self._privileged) as asking:
            asking.blocking = False
            asking.send(request)
            while True:
                reply = await _receive(asking, request)
                try:
                    reply.raise_for_status()
                except (DestinationUnreachable, TimeExceeded) as error:
                    return ProbeResult(answer=Answer.DOWN, answered=False, detail=str(error))
                except ICMPError:
                    continue  # a redirect, say: no answer yet
                return ProbeResult(answer=Answer.UP, answered=True, detail="echo reply")


async def _receive(asking: ICMPv4Socket | ICMPv6Socket, request: ICMPRequest) -> ICMPReply:
    """The next packet about this request."""
    while True:
        packet = await asyncio.get_running_loop().sock_recv(asking.sock, _PACKET)
        # icmplib has no public parser. source and current_time are what it would put into the reply.
        reply = asking._parse_reply(packet, source=None, current_time=0.0)  # noqa: SLF001 - see above
        if reply is not None and (reply.id, reply.sequence) == (request.id, request.sequence):
            return reply
        await asyncio.sleep(0)  # a raw socket hears everybody's: not even a flood may keep the loop
