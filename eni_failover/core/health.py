"""From single probe answers to a verdict, and to evidence that a takeover may rest on.

`fall = 3` means that the third consecutive `down` decides: up up DOWN DOWN DOWN -> down; `unknown` moves
neither counter. The verdict is what is shown, after rise and fall. Evidence is stricter: the newest `fall`
answers are all `down`, and the newest of them is young. An up breaks it at once, age wears it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer

LAPSES_AFTER = 3  # intervals without an answer, after which a verdict is none any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The standing of one question: a probe as configured, asked of one member (None: nobody to ask).

    `consecutive` counts the equal answers in a row, `streak` is which. `newest_at` is when the newest answer
    that was up or down was asked for, and it took `took` seconds; `down_since` is when the first of a run of
    downs was. Only an up that was
    asked for before `counts_from` counts. `undecided_since` is since when there has been no verdict, None
    while there is one.
    """

    probe: ProbePolicy
    member: Member | None
    verdict: Answer = Answer.UNKNOWN
    streak: Answer = Answer.UNKNOWN
    consecutive: int = 0
    newest_at: float | None = None
    took: float = 0.0
    down_since: float | None = None
    counts_from: float = float("-inf")
    undecided_since: float | None = None
    detail: str = ""

    @property
    def is_up(self) -> bool:
        """Whether the newest answer is up, and so is the verdict."""
        return self.verdict is self.streak is Answer.UP

    @property
    def is_down(self) -> bool:
        """Whether the newest `fall` answers are all down."""
        return self.streak is Answer.DOWN and self.consecutive >= self.probe.fall

    def is_young(self, now: float) -> bool:
        """Whether the newest answer is recent enough to act on."""
        return self.newest_at is not None and now - self.newest_at <= self.probe.evidence_age


def fresh(probe: ProbePolicy, member: Member | None, now: float) -> Health:
    """A question that has no answer yet."""
    return Health(probe=probe, member=member, undecided_since=now)


def advance(health: Health, attempt: Attempt) -> Health:
    """The standing after one more answer to the same question."""
    if attempt.answer is not Answer.UP and attempt.started_at <= health.counts_from:
        return health
    if attempt.answer is Answer.UNKNOWN:
        return replace(health, detail=attempt.detail)
    same = attempt.answer is health.streak
    consecutive = health.consecutive + 1 if same else 1
    needed = health.probe.rise if attempt.answer is Answer.UP else health.probe.fall
    verdict = attempt.answer if consecutive >= needed else health.verdict
    down_since = None
    if attempt.answer is Answer.DOWN:
        down_since = health.down_since if same else attempt.started_at
    return replace(
        health,
        verdict=verdict,
        streak=attempt.answer,
        consecutive=consecutive,
        newest_at=attempt.started_at,
        took=attempt.ended_at - attempt.started_at,
        down_since=down_since,
        undecided_since=None if verdict is not Answer.UNKNOWN else health.undecided_since,
        detail=attempt.detail,
    )


def lapse(health: Health, now: float) -> Health:
    """The standing now: a verdict that nothing has renewed for long is none any more. Unknown is not down."""
    newest_at = health.newest_at
    longest = LAPSES_AFTER * max(health.probe.interval, health.probe.timeout)
    if newest_at is None or now - newest_at <= longest:
        return health
    undecided_since = newest_at if health.undecided_since is None else health.undecided_since
    return replace(
        fresh(health.probe, health.member, undecided_since),
        counts_from=health.counts_from,
        detail=health.detail,
    )


def forget_downs(health: Health, until: float) -> Health:
    """The standing when downs from before `until` count no more: what was up stays up."""
    if health.streak is Answer.DOWN:
        health = replace(health, streak=Answer.UNKNOWN, consecutive=0, down_since=None)
    if health.verdict is Answer.DOWN:
        health = replace(health, verdict=Answer.UNKNOWN, undecided_since=until)
    return replace(health, counts_from=until)
