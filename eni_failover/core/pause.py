"""Pause and resume: one operator's word for the whole group, the newest wins.

Owns the order of the records. A record's `at` is wall-clock time, because it travels between hosts;
a new one is always stamped later than the newest seen, so that a slow clock cannot lose a resume. What
a peer shows of a record must be that record: a time that came back rounded up would be a newer one.
"""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core.model import Observation, PauseKind, PauseRecord, PauseRequest
from eni_failover.core.state import Durable

_TICK = 0.001
_DIGITS = 6


def stamp(request: PauseRequest, newest: PauseRecord | None, wall: float) -> PauseRecord:
    """The record that this request becomes.

    Its times have no more digits than /status: else its own echo from a peer may look newer than it.
    """
    at = round(wall if newest is None else max(wall, newest.at + _TICK), _DIGITS)
    until = None if request.duration is None else round(wall + request.duration, _DIGITS)
    return PauseRecord(
        kind=request.kind,
        at=at,
        until=until if request.kind is PauseKind.PAUSE else None,
        reason=request.reason,
        by=request.by,
        local=request.local,
    )


def adopt(durable: Durable, obs: Observation) -> Durable:
    """The durable state after the operators' requests and the peers' newer records."""
    before = durable.pause
    for peer in obs.peers:
        record = peer.pause
        if record is not None and not record.local and _is_newer(record, durable.pause):
            durable = replace(durable, pause=record)
    for request in obs.requests:
        if isinstance(request, PauseRequest):
            durable = _take(durable, request, obs.wall)
    resumed = durable.pause is not before and durable.pause and durable.pause.kind is PauseKind.RESUME
    return clear_limits(durable) if resumed else durable


def _take(durable: Durable, request: PauseRequest, wall: float) -> Durable:
    if request.local:
        durable = replace(durable, local_pause=stamp(request, durable.local_pause, wall))
        return clear_limits(durable) if request.kind is PauseKind.RESUME else durable
    return replace(durable, pause=stamp(request, durable.pause, wall))


def clear_limits(durable: Durable) -> Durable:
    """An operator has looked: the takeover limit and a blocked failback start over."""
    past = tuple(replace(one, forgiven=True) for one in durable.past)
    return replace(durable, past=past, failback_blocked=False)


def _is_newer(record: PauseRecord, known: PauseRecord | None) -> bool:
    return known is None or record.at > known.at
