"""What a pass publishes: one immutable view for /status, the metrics, the role file and the log.

Owns the shape only. Durations are seconds; `*_wall` are seconds since the Unix epoch. Edges turn it
into JSON or samples; they never reach behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eni_failover.core.model import Expected, History, NextHolder, Outage, PauseRecord, Peer
from eni_failover.core.policy import AttachmentId, EniId, MemberName
from eni_failover.core.vocabulary import (
    Action,
    Answer,
    CheckResult,
    Phase,
    Reason,
    Role,
    Scope,
    Trigger,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EniLine:
    """One ENI: `status` as EC2 says it, `member` a member's name or none | foreign | unknown."""

    eni_id: EniId
    status: str
    member: str
    attachment_id: AttachmentId | None = None
    addresses: tuple[str, ...] = ()
    unowned_since_wall: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLine:
    """One probe: its verdict about `member`, and how many equal answers came in a row."""

    name: str
    scope: Scope
    member: str
    state: Answer
    consecutive: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One readiness check; `remedy` is one line for the operator, empty on pass."""

    name: str
    result: CheckResult
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLine:
    """The last decision that differed from the one before it."""

    action: Action
    reason: Reason
    at_wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverLine:
    """A takeover of this member's under way; `detail` is what the operator said of it."""

    takeover_id: str
    trigger: Trigger
    phase: Phase
    since_wall: float
    reason: Reason = Reason.STARTING
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole view of one pass.

    `pause` is the group's newest pause or resume, in force or not (peers adopt it); `local_pause` is
    this member's own; `paused` is whether either is in force. `at` is the pass's monotonic time, from which
    the pauses' remaining time counts. `links_ready`: no ENI that is attached here waits for its link.
    `takeovers` are this member's last, oldest first.
    """

    version: str
    group: str
    member: MemberName
    instance_id: str
    config_hash: str
    role: Role
    holder: str
    at_wall: float
    at: float = 0.0
    enis: tuple[EniLine, ...] = ()
    probes: tuple[ProbeLine, ...] = ()
    ready: bool = False
    links_ready: bool = True
    checks: tuple[Check, ...] = ()
    decision: DecisionLine = field(
        default_factory=lambda: DecisionLine(action=Action.WAIT, reason=Reason.STARTING, at_wall=0.0)
    )
    pause: PauseRecord | None = None
    local_pause: PauseRecord | None = None
    paused: bool = False
    takeover: TakeoverLine | None = None
    takeovers: tuple[History, ...] = ()
    peers: tuple[Peer, ...] = ()
    outage: Outage | None = None
    expected: Expected = field(default_factory=Expected)
    next_holder: NextHolder = field(default_factory=lambda: NextHolder(member=None, reason=Reason.STARTING))

    @property
    def serves(self) -> bool:
        """Whether clients are answered here: the role `active` outlasts a link's repair by up to a minute."""
        return self.role is Role.ACTIVE and self.links_ready

    @property
    def last_takeover(self) -> History | None:
        """This member's newest takeover that has ended."""
        return self.takeovers[-1] if self.takeovers else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The private addresses of all ENIs."""
        return tuple(address for eni in self.enis for address in eni.addresses)
