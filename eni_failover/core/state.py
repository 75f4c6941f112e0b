"""What a member remembers from pass to pass. All frozen.

Owns the shapes only: `update` and the rules make new ones. Times are seconds of one process's
monotonic clock, named `*_at` or `*_since`; `frozen.rebase` carries the durable ones over a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from eni_failover.core.health import Health
from eni_failover.core.model import Instance, InstanceSurvey, PauseRecord, PeerEni, TakeoverRequest
from eni_failover.core.policy import AttachmentId, EniId, InstanceId, Policy
from eni_failover.core.vocabulary import Reason, Role, Trigger

PeerView = tuple[InstanceId, bool, str, tuple[PeerEni, ...]]
"""Another member: whether it answers, its role, the ENIs as it shows them."""
SHORTEST_UNATTACHED = 10.0  # EC2 is not asked again and again for what it refuses
LONGEST_UNATTACHED = 60.0


class Rest(StrEnum):
    """What waits for a while after it has failed, or was asked for."""

    RESCUE = "rescue"
    SPLIT = "split"
    FENCE = "fence"
    KEEP = "keep"


class Sent(StrEnum):
    """How far a mutation is known to have got."""

    NO = "no"
    UNANSWERED = "unanswered"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The moving of one ENI within a takeover.

    `recorded` is the attachment this takeover may detach: the compare half of the compare-and-swap.
    `detach_began_at` is the first detach of it, from which the force ladder counts. `reattached`
    is set once an attach that hung was undone (row 4 allows that once), `barred` once EC2 has refused an
    attach for good: it would refuse the next one as well. `throttled`: its last call was refused for want of
    quota.
    """

    eni_id: EniId
    recorded: AttachmentId | None
    detach: Sent = Sent.NO
    detach_sent_at: float | None = None
    detach_began_at: float | None = None
    bad_state: bool = False
    attach: Sent = Sent.NO
    attach_sent_at: float | None = None
    attach_index: int | None = None
    attaching_since: float | None = None
    refused_indexes: tuple[int, ...] = ()
    reattached: bool = False
    barred: bool = False
    throttled: bool = False
    attempts: int = 0
    retry_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A takeover of this member's, under way.

    `cause_at` is the first sign of its cause, `judged_at` when it was certain, `matched_at` when nothing held
    this member back any more. `committed` is the point of no return, once it is certain. `had_first` is
    whether EC2 has shown the group's first ENI on this member during it. `gone_at` is the first describe that
    showed it gone again, or another member's (one stale read must not end it). `failing` is a takeover that
    gives up. `detail` are the words of the operator who asked.
    """

    takeover_id: str
    trigger: Trigger
    reason: Reason
    from_member: str
    started_at: float
    started_wall: float
    cause_at: float
    matched_at: float
    moves: tuple[Move, ...]
    judged_at: float | None = None
    deadline_at: float | None = None
    request_id: str = ""
    detail: str = ""
    fence_instance: InstanceId | None = None
    fence: Sent = Sent.NO
    fence_began_at: float | None = None
    fence_sent_at: float | None = None
    fence_retry_at: float | None = None
    fence_attempts: int = 0
    fence_refused: bool = False
    fenced_at: float | None = None
    committed: bool = False
    had_first: bool = False
    gone_at: float | None = None
    repaired: bool = False
    failing: bool = False
    detach_at: float | None = None
    available_at: float | None = None
    attached_at: float | None = None
    link_since: float | None = None

    @property
    def is_committed(self) -> bool:
        """Whether the point of no return is passed: an unanswered first call counts as accepted."""
        return self.committed or any(Sent.UNANSWERED in {one.detach, one.attach} for one in self.moves)

    def move(self, eni_id: EniId) -> Move:
        """The move of this ENI; an ENI that came back later starts with nothing recorded."""
        return next((one for one in self.moves if one.eni_id == eni_id), Move(eni_id=eni_id, recorded=None))

    def with_move(self, move: Move) -> Takeover:
        """This takeover with one of its moves replaced, or added."""
        others = tuple(one for one in self.moves if one.eni_id != move.eni_id)
        if len(others) == len(self.moves):
            return replace(self, moves=(*self.moves, move))
        return replace(self, moves=tuple(move if one.eni_id == move.eni_id else one for one in self.moves))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTakeover:
    """A takeover of this member's that passed its point of no return, for cooldown and limit.

    `forgiven` ones no longer count towards the limit: an operator has looked since.
    """

    trigger: Trigger
    ended_at: float
    forgiven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """What outlives the process: journalled whenever it changes, before anything is done.

    `last_had` is the member that has, or last had, the first ENI, and `lock` which ENI that was. `last_up` is
    the newest attachment whose holder this member has seen up, `last_up_by` what the probes asked
    (`policy.question_of`). `lost_at` is when this member lost the first ENI to another;
    `unfit_since_loss` whether it was unfit or not running when or since then, and `lost_unseen` whether its
    daemon was down at that moment. `failback_blocked` is set when a takeover followed too soon on a
    failback. `detach_took` and `attach_took` are the seconds that EC2 took for this member's latest moves,
    from its answer to the call to the look that showed it done.
    """

    last_had: InstanceId | None = None
    lock: EniId | None = None
    last_up: AttachmentId | None = None
    last_up_by: str = ""
    lost_at: float | None = None
    unfit_since_loss: bool = False
    lost_unseen: bool = False
    failback_at: float | None = None
    failback_blocked: bool = False
    past: tuple[RecentTakeover, ...] = ()
    pause: PauseRecord | None = None
    local_pause: PauseRecord | None = None
    takeover: Takeover | None = None
    detach_took: tuple[float, ...] = ()
    attach_took: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EniObservation:
    """How an ENI has been seen since when: `status` is available | attaching | ... | missing.

    `since` is when the describe began that first showed it so, `seen_at` when its answer was taken, which a
    stall makes much later: it has certainly been so only since then, and every bound counts from there.
    `unowned_since` is when the describe began that first showed it on nobody, None while somebody has it.
    """

    eni_id: EniId
    status: str
    attachment_id: AttachmentId | None
    since: float
    seen_at: float
    unowned_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderRecord:
    """The present holder's time in office, as this member saw it.

    `since` None means known up before this daemon's start. `proven`: this member has seen it up.
    `answered`: it has given any sign of life, a refusal included. `asked`: what the probes ask
    (`policy.question_of`).
    """

    instance_id: InstanceId
    attachment_id: AttachmentId
    since: float | None
    proven: bool = False
    answered: bool = False
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentHolder:
    """The holder's instance was absent from an answer that knew this one; `confirmed` after the second.

    `since` is when that answer was taken.
    """

    instance_id: InstanceId
    since: float
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """A row matched, and waits for a describe begun after `since` that still says the same.

    `early`: it has not matched yet, one more down would make it.
    """

    trigger: Trigger
    attachment_id: AttachmentId | None
    since: float
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything remembered. `turn_*` are since when the rows' conditions have held without a break.

    `caused_at` is since when there has been a cause for a takeover, whatever holds this member back.
    `me` is what EC2 last said about this member's instance, however long ago. `instances` is the last
    look at the instances that was answered, `instances_failed_at` when the last one began that was not.
    `throttled_at` is when EC2 last refused a call for want of quota. `known_at` is when this process
    first knew where every ENI is, `confirmed_at` when what EC2 said last was last confirmed by the
    holder. `peers` is what the others said that bears on it, `peers_changed_at` when that last changed.
    `barred_at` is when EC2 last refused this member an attach for good, with `barred_index` as the
    configured index. `rests` is until when what may not be tried again. `asked` are the probes whose next
    answer a takeover waits for.
    """

    started_at: float
    role: Role = Role.STANDBY
    role_known: bool = False
    durable: Durable = Durable()
    health: tuple[Health, ...] = ()
    observed: tuple[EniObservation, ...] = ()
    holder_record: HolderRecord | None = None
    holder_changed_at: float | None = None
    moved_at: float | None = None
    absent_holder: AbsentHolder | None = None
    unowned_since: float | None = None
    caused_at: float | None = None
    turn_unowned: float | None = None
    turn_ec2: float | None = None
    turn_probes: float | None = None
    confirm: Confirm | None = None
    request: TakeoverRequest | None = None
    fit_since: float | None = None
    not_ready_since: float | None = None
    barred_at: float | None = None
    barred_index: int | None = None
    rests: tuple[tuple[Rest, float], ...] = ()
    asked: tuple[str, ...] = ()
    stalled_at: float | None = None
    last_answer_at: float | None = None
    confirmed_at: float | None = None
    peers: tuple[PeerView, ...] = ()
    peers_changed_at: float | None = None
    throttled_at: float | None = None
    known_at: float | None = None
    me: Instance | None = None
    instances: InstanceSurvey | None = None
    surveyed_at: float | None = None
    polled_from_at: float | None = None
    describe_failures: int = 0
    instances_failures: int = 0
    instances_failed_at: float | None = None
    here: tuple[EniId, ...] = ()
    was_paused: bool = False
    reported_cause: str = ""


def _rest_seconds(rest: Rest, policy: Policy) -> float:
    match rest:
        case Rest.RESCUE:
            return max(SHORTEST_UNATTACHED, min(policy.cooldown, LONGEST_UNATTACHED))
        case Rest.SPLIT:
            return min(policy.cooldown, LONGEST_UNATTACHED)
        case Rest.FENCE:
            return policy.cooldown
        case Rest.KEEP:
            return 60.0
        case _:
            assert_never(rest)


def begin_rest(state: State, rest: Rest, policy: Policy, now: float) -> State:
    """The state in which this rests from now on."""
    others = tuple((kind, until) for kind, until in state.rests if kind is not rest and until > now)
    return replace(state, rests=(*others, (rest, now + _rest_seconds(rest, policy))))


def rests_until(state: State, rest: Rest) -> float:
    """Until when this rests; 0 when it does not."""
    return dict(state.rests).get(rest, 0.0)
