"""Every bound of the two servers, in one place. docs/security.md shows them as a table."""

from __future__ import annotations

from dataclasses import dataclass

BACKLOG = 1024
"""Connections that wait in the kernel to be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server. Times in seconds, sizes in bytes.

    A *caller* is who a connection counts for: an address (in IPv6 the /80 that EC2 delegates to one
    interface), on the Unix socket a user. A *known* caller is a member's address or this host itself, on the
    socket root and the daemon's own user; the others are strangers.
    """

    # Places. One connection carries one request, so a few for each caller serve a proxy or several browsers
    # behind one address; what one caller takes, no other one misses.
    connections: int = 64
    """Of all strangers together. Known callers have places of their own beside these."""
    per_stranger: int = 8
    per_known: int = 64
    streams: int = 32
    """Event streams of all callers of this server: they stay for hours, and have places of their own."""
    streams_per_caller: int = 8

    # Connections a second, each with one request, in the long run and at once. An answer costs about a
    # millisecond: all strangers together cost a tenth of a core at most.
    stranger_rate: float = 20.0
    stranger_burst: float = 40.0
    strangers_rate: float = 100.0
    strangers_burst: float = 100.0
    known_rate: float = 100.0
    """Ten `peer` probes each 100 ms."""
    known_burst: float = 400.0

    # Accepting costs even where the answer is no: so many at once, then a pause. A connection waits in the
    # kernel's queue meanwhile, at most BACKLOG / accepts_at_once * accept_pause: a third of a second.
    accepts_at_once: int = 32
    accept_pause: float = 0.01

    # The head: from the connection to the empty line, also in how many pieces it comes.
    head: float = 5.0
    head_bytes: int = 16 * 1024
    head_reads: int = 64
    """A head by hand comes line by line; each piece costs a turn of the loop."""

    # The body: none at all on TCP, which only reads. On the wire a body in chunks is longer than itself.
    body: float = 5.0
    body_bytes: int = 16 * 1024
    body_wire_bytes: int = 24 * 1024
    body_reads: int = 64

    answer: float = 15.0
    """What the daemon may take to answer an order."""
    exchange: float = 30.0
    """Everything after the head, also the reading of the answer; a stream has so long for each part."""
