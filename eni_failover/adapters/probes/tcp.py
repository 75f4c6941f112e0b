"""The tcp probe: a connection is made, and closed.

Knows nothing of what the service would say. Not guaranteed: an accepted connection is the kernel's
word, not the service's; a process that hangs still has its backlog filled.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Address, Names
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import Target, TcpSettings
from eni_failover.core.words import Answer

_DRAIN = 65536


class TcpProbe:
    """Connected is up. The addresses of a name are tried in turn; the last one's failure stands."""

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._names = Names()

    @property
    def unsent(self) -> bool:
        """Whether the latest attempt was cut short while it looked up a name."""
        return self._names.waiting

    async def __call__(self, target: Target) -> ProbeResult:
        """Connect once to each address, until one accepts."""
        try:
            addresses = await self._names.find(target.fill(self._settings.host), self._settings.port)
        except OSError as error:
            return blame.unresolved(error)
        result = await _connect(addresses[0])
        for address in addresses[1:]:
            if result.answer is Answer.UP:
                break
            result = await _connect(address)
        return result

    async def close(self) -> None:
        """Nothing outlives an attempt."""


async def _connect(address: Address) -> ProbeResult:
    try:
        with socket.socket(address.family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, address.sockaddr)
            _drain(connection)
    except OSError as error:
        return blame.judge(error)
    return ProbeResult(answer=Answer.UP, answered=True, detail="connected")


def _drain(connection: socket.socket) -> None:
    """Read what has come: closed with unread data, a socket sends RST (RFC 2525, section 2.17).

    A service that greets first (SSH, SMTP) would log a reset at each attempt.
    """
    with contextlib.suppress(OSError):
        connection.recv(_DRAIN)
