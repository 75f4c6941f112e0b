"""What a member tells the others and people: a takeover that ended, an outage, who comes next.

Owns the shapes only. Durations are seconds; `*_wall` are seconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from eni_failover.core.policy import MemberName
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger

SHOWN_TAKEOVERS = 5  # of each member, the last ones


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One takeover that ended: a line of the journal, and of `eni-failover history`.

    `started_wall` is when the decision was written down. The phases begin earlier, with the first sign of
    its cause.
    """

    takeover_id: str
    trigger: Trigger
    reason: Reason
    from_member: str
    to_member: str
    started_wall: float
    ended_wall: float
    result: Result
    phases: tuple[tuple[Phase, float], ...] = ()
    detail: str = ""

    @property
    def took(self) -> float:
        """The whole in seconds, detection included; without phases from the start alone."""
        spent = sum(seconds for _, seconds in self.phases)
        return spent if self.phases else max(0.0, self.ended_wall - self.started_wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Nobody serves the group's address, or not all of it, and no takeover is under way.

    `reason` is the word for what is wrong, or for what holds this member back. `ends_at_wall` is when this
    member acts by itself, None when it does not; `remedy` is what an operator can do.
    """

    since_wall: float
    reason: str
    ends_at_wall: float | None
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long the next takeover would take, in seconds: detection at most, EC2's part as it was last time.

    None: there is no holder probe; this member has made no takeover yet.
    """

    detect: float | None = None
    detach: float | None = None
    attach: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHolder:
    """Who would take over if the holder died now, by what the members say of themselves.

    `member` None: nobody, for this reason of the one whose turn it would be.
    """

    member: MemberName | None
    reason: str
