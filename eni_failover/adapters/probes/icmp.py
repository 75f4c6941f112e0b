"""The icmp probe: one echo request, by icmplib.

Owns the choice of socket: an unprivileged datagram one where `net.ipv4.ping_group_range` allows it
(icmp(7)), a raw one otherwise (CAP_NET_RAW).

icmplib's sockets are used, not its `async_ping`: that turns every failure, our own included, into
a lost packet, and looks names up by itself. Its `receive` counts its timeout by the wall clock, so
it is given one that never comes: the caller's deadline decides.
"""

from __future__ import annotations

import secrets
import socket

from icmplib import (
    AsyncSocket,
    DestinationUnreachable,
    ICMPError,
    ICMPLibError,
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

_NEVER = 86400.0


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

    async def __call__(self, target: Target) -> ProbeResult:
        """Ping the first address of the host."""
        try:
            addresses = await self._names.find(target.fill(self._settings.host), 0)
        except OSError as error:
            return blame.unresolved(error)
        try:
            return await self._ping(addresses[0].family, addresses[0].sockaddr[0])
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
        with AsyncSocket(kind(privileged=self._privileged)) as asking:
            asking.send(request)
            while True:
                reply = await asking.receive(request, timeout=_NEVER)
                try:
                    reply.raise_for_status()
                except (DestinationUnreachable, TimeExceeded) as error:
                    return ProbeResult(answer=Answer.DOWN, answered=False, detail=str(error))
                except ICMPError:
                    continue  # a redirect, say: no answer yet
                return ProbeResult(answer=Answer.UP, answered=True, detail="echo reply")
