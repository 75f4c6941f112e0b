"""The tcp probe: a connection is made, and closed.

Knows nothing of what the service would say. Not guaranteed: an accepted connection is the kernel's
word, not the service's; a process that hangs still has its backlog filled.
"""

from __future__ import annotations

import contextlib
import socket

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.connect import Connector
from eni_failover.adapters.probes.names import Address, Names
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.race import side_by_side
from eni_failover.adapters.probes.spec import Target, TcpSettings
from eni_failover.adapters.probes.waiting import Waiting
from eni_failover.core.vocabulary import Answer

_DRAIN = 65536


class TcpProbe:
    """Connected is up."""

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._names = Names()
        self._waiting = Waiting()
        self._connector = Connector(self._waiting)

    @property
    def unsent(self) -> str:
        """Why the latest attempt, cut short, asked nobody; empty when it did."""
        return self._waiting.unsent

    async def __call__(self, target: Target) -> ProbeResult:
        """Connect once to each address, until one accepts."""
        self._waiting.begin()
        try:
            with self._waiting.on_host("name not resolved"):
                addresses = await self._names.find(target.fill(self._settings.host), self._settings.port)
        except OSError as error:
            return blame.unresolved(error)
        return await side_by_side(addresses, self._ask, self._waiting)

    async def close(self) -> None:
        """Close the connections that are still watched."""
        self._connector.close()

    async def _ask(self, address: Address) -> ProbeResult:
        connection = await self._connector.connect(address)
        if isinstance(connection, ProbeResult):
            return connection
        with connection:
            _drain(connection)
        return ProbeResult(answer=Answer.UP, answered=True, detail="connected")


def _drain(connection: socket.socket) -> None:
    """Read what has come: closed with unread data, a socket sends RST (RFC 2525, section 2.17).

    A service that greets first (SSH, SMTP) would log a reset at each attempt.
    """
    with contextlib.suppress(OSError):
        connection.recv(_DRAIN)
