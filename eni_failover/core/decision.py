"""What one pass decides: the calls to EC2, the reason, the answers to operators, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eni_failover.core.model import History
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from eni_failover.core.vocabulary import Action, Reason, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach:
    """DetachNetworkInterface of exactly this attachment."""

    eni_id: EniId
    attachment_id: AttachmentId
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """AttachNetworkInterface to this member, on network card 0."""

    eni_id: EniId
    device_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInstance:
    """StopInstances with force: the fence."""

    instance_id: InstanceId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOnTermination:
    """Sets DeleteOnTermination false: else terminating the holder destroys the ENI."""

    eni_id: EniId
    attachment_id: AttachmentId


Call = Detach | Attach | StopInstance | KeepOnTermination


class RequestFate(StrEnum):
    """What became of an operator's takeover request."""

    STARTED = "started"
    JOINED = "joined"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    """The answer to one request; `reason` says why when it is refused."""

    request_id: str
    fate: RequestFate
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one pass decided: at most one mutating call per ENI, why, and when to look again.

    `describe_at` and `instances_at` are when the next surveys are due, `pass_at` when the next pass
    is due without any wakeup; all absolute monotonic seconds.
    """

    action: Action
    reason: Reason
    calls: tuple[Call, ...] = ()
    ended: History | None = None
    would: Trigger | None = None
    answers: tuple[RequestAnswer, ...] = ()
    describe_at: float = 0.0
    instances_at: float = 0.0
    pass_at: float = 0.0
