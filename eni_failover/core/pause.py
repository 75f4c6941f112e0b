"""Pause and resume: one operator's word for the whole group, the newest wins.

A record's `at` is wall-clock time, because it orders what operators said on different hosts; a new one is
always stamped later than the newest seen, so that a slow clock cannot lose a resume. What a peer shows of a
record must be that record: a time that came back rounded up would be a newer one.

How long a pause lasts never depends on a wall clock: it travels as the time that remains, and a member
counts that from when it first heard of the record. A record that is known already is never taken again, so an
echo prolongs nothing: a member's pause ends later than its author's by the way the record took to it.
"""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core.model import Observation, PauseKind, PauseRecord, PauseRequest
from eni_failover.core.state import Durable

LONGEST = 7 * 86400.0  # a pause without an end of its own has this one
FURTHEST_AHEAD = 3600.0  # of this host's clock: a record that claims to be newer than this is refused
FOLLOWS_WITHIN = 0.1  # of the known record, seconds: so near to it is what an honest member stamps after it

_TICK = 0.001
_DIGITS = 6
_CLOCK_STEP = 1.0  # `until` is a constant text while the clock goes on evenly


def stamp(request: PauseRequest, newest: PauseRecord | None, *, now: float, wall: float) -> PauseRecord:
    """The record that this request becomes.

    Its times have no more digits than /status: else its own echo from a peer may look newer than it.
    """
    at = round(wall if newest is None else max(wall, newest.at + _TICK), _DIGITS)
    record = PauseRecord(kind=request.kind, at=at, reason=request.reason, by=request.by, local=request.local)
    length = LONGEST if request.duration is None else request.duration
    return counted(record, length, now=now, wall=wall)


def counted(record: PauseRecord, remaining: float | None, *, now: float, wall: float) -> PauseRecord:
    """The record with its end: so many seconds from now, LONGEST at most. A resume has no end."""
    if record.kind is PauseKind.RESUME:
        return replace(record, until=None, ends_at=None)
    left = LONGEST if remaining is None else min(max(remaining, 0.0), LONGEST)
    return replace(record, ends_at=now + left, until=round(wall + left, _DIGITS))


def remaining(record: PauseRecord, now: float) -> float | None:
    """Seconds until the pause ends, 0 when it is over; None for a resume."""
    if record.kind is PauseKind.RESUME:
        return None
    return LONGEST if record.ends_at is None else max(0.0, record.ends_at - now)


def is_in_force(record: PauseRecord | None, now: float) -> bool:
    """Whether this record holds the member back."""
    return record is not None and bool(remaining(record, now))


def is_refused(record: PauseRecord, known: PauseRecord | None, wall: float) -> bool:
    """Whether a peer's record is newer than the known one, and too far ahead of this host's clock to be true.

    What follows the known record at once is taken all the same: its author stamped it after that one,
    whatever the clocks say by now. Else nobody could resume what a clock since corrected has paused. Members
    are asked every two seconds: a row of such records gets less far than the clock meanwhile.
    """
    follows = known is not None and record.at <= known.at + FOLLOWS_WITHIN
    is_ahead = record.at > wall + FURTHEST_AHEAD
    return _is_newer(record, known) and not record.local and is_ahead and not follows


def adopt(durable: Durable, obs: Observation) -> Durable:
    """The durable state after the operators' requests and the peers' newer records."""
    before = durable.pause
    for peer in obs.peers:
        record, known = peer.pause, durable.pause
        if (
            record is not None
            and not record.local
            and _is_newer(record, known)
            and not is_refused(record, known, obs.wall)
        ):
            taken = counted(record, remaining(record, obs.now), now=obs.now, wall=obs.wall)
            durable = replace(durable, pause=taken)
    for request in obs.requests:
        if isinstance(request, PauseRequest):
            durable = _take(durable, request, obs)
    resumed = durable.pause is not before and durable.pause and durable.pause.kind is PauseKind.RESUME
    return _by_the_clock(clear_limits(durable) if resumed else durable, obs)


def _take(durable: Durable, request: PauseRequest, obs: Observation) -> Durable:
    if request.local:
        own = stamp(request, durable.local_pause, now=obs.now, wall=obs.wall)
        durable = replace(durable, local_pause=own)
        return clear_limits(durable) if request.kind is PauseKind.RESUME else durable
    return replace(durable, pause=stamp(request, durable.pause, now=obs.now, wall=obs.wall))


def _by_the_clock(durable: Durable, obs: Observation) -> Durable:
    """The same, with each pause's `until` by the host's clock as it is now: that may have been set."""
    pause, own = (_shown(record, obs) for record in (durable.pause, durable.local_pause))
    if pause is durable.pause and own is durable.local_pause:
        return durable
    return replace(durable, pause=pause, local_pause=own)


def _shown(record: PauseRecord | None, obs: Observation) -> PauseRecord | None:
    if record is None or record.ends_at is None or record.ends_at <= obs.now:
        return record
    until = round(obs.wall + record.ends_at - obs.now, _DIGITS)
    if record.until is not None and abs(record.until - until) <= _CLOCK_STEP:
        return record
    return replace(record, until=until)


def clear_limits(durable: Durable) -> Durable:
    """An operator has looked: the takeover limit and a blocked failback start over."""
    past = tuple(replace(one, forgiven=True) for one in durable.past)
    return replace(durable, past=past, failback_blocked=False)


def _is_newer(record: PauseRecord, known: PauseRecord | None) -> bool:
    return known is None or record.at > known.at
