"""A TCP connection to one address, and whether this host lets its packets out.

A packet filter that drops what this host sends (nftables, systemd's IPAddressDeny=) looks like a silent
target: connect(2) does not report it. The kernel knows at the first repeat of the SYN, a second after it,
which it counts as repeated but not as sent. So a connection that was cut short before that is kept until
then, and what it shows is remembered for the next attempts.

Not guaranteed: attempts that all end within the first `_KNOWN_AFTER` seconds of such a filter are down.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Address
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.waiting import Waiting
from eni_failover.core.vocabulary import Answer

DROPPED = "dropped by a packet filter of this host"
_KNOWN_AFTER = 1.2  # seconds; the first repeat is due after one (RFC 6298, section 2.1)
_RETRANSMITS, _RETRANS, _TOTAL_RETRANS = 2, 36, 100  # offsets in struct tcp_info (linux/tcp.h)
_INFO_SIZE = 104


class Connector:
    """Makes the connections of one probe."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._dropped: set[Address] = set()
        self._watched: dict[socket.socket, asyncio.TimerHandle] = {}

    async def connect(self, address: Address) -> socket.socket | ProbeResult:
        """A connected socket, or the answer that there is none."""
        begun = asyncio.get_running_loop().time()
        try:
            connection = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:
            return blame.own(error)
        result: ProbeResult | None = None
        try:
            result = _begin(connection, address)
            if result is None:
                with self._waiting.on_target(lambda: self._unsent(connection, address, begun)):
                    await _writable(connection)
                self._dropped.discard(address)
                result = _finish(connection, address)
        except BaseException:
            if connection not in self._watched:
                connection.close()
            raise
        if result is not None:
            connection.close()
            return result
        return connection

    def close(self) -> None:
        """Close the connections that are kept."""
        for connection, timer in self._watched.items():
            timer.cancel()
            connection.close()
        self._watched.clear()

    def _unsent(self, connection: socket.socket, address: Address, begun: float) -> str:
        """Why the connection that is cut short never left this host; empty when it did.

        One that does not show it yet is kept, and looked at again when it does.
        """
        sent = was_sent(connection)
        if sent is None:
            loop = asyncio.get_running_loop()
            when = max(begun + _KNOWN_AFTER, loop.time())
            self._watched[connection] = loop.call_at(when, self._learn, connection, address)
            if blame.is_router_silent(address):
                return blame.ROUTER_SILENT
            return DROPPED if address in self._dropped else ""
        return "" if self._note(address, sent=sent) else DROPPED

    def _learn(self, connection: socket.socket, address: Address) -> None:
        self._watched.pop(connection)
        self._note(address, sent=was_sent(connection) is not False)
        connection.close()

    def _note(self, address: Address, *, sent: bool) -> bool:
        if sent:
            self._dropped.discard(address)
        else:
            self._dropped.add(address)
        return sent


def was_sent(connection: socket.socket) -> bool | None:
    """Whether what is repeated on this connection leaves this host; None: nothing was repeated yet."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
    except OSError:
        return None
    if len(info) < _INFO_SIZE or not info[_RETRANSMITS]:
        return None
    tried = struct.unpack_from("=I", info, _TOTAL_RETRANS)[0]
    sent = struct.unpack_from("=I", info, _RETRANS)[0]
    # Not tried: the packet before it still waits here, for ARP or in a queue.
    return None if not tried else bool(sent)


def _begin(connection: socket.socket, address: Address) -> ProbeResult | None:
    """Send the first packet; the answer when this host refuses to."""
    try:
        connection.setblocking(False)
        blame.collect(connection)
        connection.connect(address.sockaddr)
    except BlockingIOError:
        return None
    except OSError as error:
        return blame.own(error)
    return None


def _finish(connection: socket.socket, address: Address) -> ProbeResult | None:
    """The answer when no connection was made."""
    number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        return blame.refused(connection, address, OSError(number, os.strerror(number)))
    if connection.getsockname()[:2] == address.sockaddr[:2]:
        # Nobody listens, and the free port that the kernel chose for us is the one we ask for.
        return ProbeResult(answer=Answer.DOWN, answered=True, detail="Connection refused")
    blame.stop_collecting(connection)
    return None


async def _writable(connection: socket.socket) -> None:
    """Return when the connection is made or refused."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(connection)
