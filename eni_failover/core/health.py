"""Rise and fall: from single probe answers to a verdict.

`fall = 3` means that the third consecutive `down` decides: up up DOWN DOWN DOWN -> down.
`unknown` moves neither counter: DOWN unknown DOWN DOWN -> down. But a verdict that nothing has
renewed for `STALE_AFTER` unknown answers in a row is no verdict any more: unknown is not down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from eni_failover.core.model import Attempt, Stall
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.words import Answer

STALE_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One probe's standing about one member.

    `verdict` unknown means none yet. `consecutive` counts the equal answers in a row (`streak` is
    which). `down_since` is the start of the first attempt of a run of downs. `undecided_since` is
    since when there has been no verdict, None while there is one.
    """

    probe: ProbePolicy
    member: Member | None
    verdict: Answer = Answer.UNKNOWN
    streak: Answer = Answer.UNKNOWN
    consecutive: int = 0
    unknowns: int = 0
    down_since: float | None = None
    undecided_since: float | None = None
    detail: str = ""


def fresh(probe: ProbePolicy, member: Member | None, now: float) -> Health:
    """A probe that has seen nothing of this member yet."""
    return Health(probe=probe, member=member, undecided_since=now)


def advance(health: Health, attempt: Attempt) -> Health:
    """The standing after one more answer about the same member."""
    if attempt.answer is Answer.UNKNOWN:
        unknowns = health.unknowns + 1
        if unknowns < STALE_AFTER:
            return replace(health, unknowns=unknowns, detail=attempt.detail)
        blank = fresh(health.probe, health.member, attempt.ended_at)
        since = attempt.ended_at if health.undecided_since is None else health.undecided_since
        return replace(blank, undecided_since=since, detail=attempt.detail)
    same = attempt.answer is health.streak
    consecutive = health.consecutive + 1 if same else 1
    needed = health.probe.rise if attempt.answer is Answer.UP else health.probe.fall
    decided = consecutive >= needed
    verdict = attempt.answer if decided else health.verdict
    down_since = None
    if attempt.answer is Answer.DOWN:
        down_since = health.down_since if same else attempt.started_at
    return replace(
        health,
        verdict=verdict,
        streak=attempt.answer,
        consecutive=consecutive,
        unknowns=0,
        down_since=down_since,
        undecided_since=None if verdict is not Answer.UNKNOWN else health.undecided_since,
        detail=attempt.detail,
    )


def is_spoilt(attempt: Attempt, stalls: Iterable[Stall]) -> bool:
    """Whether this process stalled during the attempt, so that a failure may be its own."""
    return attempt.answer is not Answer.UP and any(
        stall.from_at <= attempt.ended_at and attempt.started_at <= stall.to_at for stall in stalls
    )


def forget_failures(health: Health, now: float) -> Health:
    """The standing after a stall of our own: what failed must fail afresh, what was up stays up."""
    if Answer.DOWN not in {health.verdict, health.streak}:
        return health
    if health.verdict is Answer.UP:
        return replace(health, streak=Answer.UNKNOWN, consecutive=0, down_since=None)
    return fresh(health.probe, health.member, now)
