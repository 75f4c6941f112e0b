"""What the configuration asks for, as the core sees it: frozen, checked, durations in seconds.

Owns no defaults and no validation: `eni_failover.config` does both and builds these.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import NewType

from eni_failover.core.vocabulary import ProbeType, Scope

EniId = NewType("EniId", str)
InstanceId = NewType("InstanceId", str)
AttachmentId = NewType("AttachmentId", str)
MemberName = NewType("MemberName", str)


class TakeoverMode(StrEnum):
    """`observe` decides and reports, and acts only for an operator or past the point of no return."""

    AUTOMATIC = "automatic"
    OBSERVE = "observe"


class FailbackMode(StrEnum):
    """Whether the primary takes the group back by itself once it has recovered."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"


class FenceMode(StrEnum):
    """`stop`: the holder's instance is stopped, and seen stopped, before the first detach."""

    NONE = "none"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An instance that may hold the group; `address` is on its primary ENI, where probes go.

    It is known by its instance id; `name` is for people alone, and makes no other member.
    """

    name: MemberName = field(compare=False)
    instance_id: InstanceId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePolicy:
    """When a probe runs and how many consecutive answers decide. All times in seconds.

    `settings` is what it asks, in the adapter's own words: here only whether it is the same matters.
    """

    name: str
    type: ProbeType
    scope: Scope
    interval: float
    fast_interval: float
    timeout: float
    fall: int
    rise: int
    settings: Hashable = None

    @property
    def evidence_age(self) -> float:
        """For how long after it was asked for an answer may be acted on, in seconds."""
        return max(self.timeout, min(self.fast_interval, 5.0)) + 1.0

    @property
    def worst_case(self) -> float:
        """The longest time from a holder's death to the verdict, in seconds."""
        return self.interval + (self.fall - 1) * max(self.timeout, self.fast_interval) + self.timeout


@lru_cache(maxsize=8)
def question_of(probes: tuple[ProbePolicy, ...]) -> str:
    """A fingerprint of what the holder probes ask, without their names and their rhythm.

    Of the settings, which may hold secrets, no more than a hash is kept.
    """
    asked = [(str(probe.type), repr(probe.settings)) for probe in probes if probe.scope is Scope.HOLDER]
    return sha256(repr(asked).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything `step` may depend on beside the state and the observation.

    `me` is this member. `members` and `eni_ids` are in file order: the first member is the primary, the
    first ENI the group's lock. `down_needed` is how many holder probes must be down (1 for "any", their
    number for "all"). `device_index` None means the lowest free one; `force_detach_after` None
    means never. `call_timeout` is connect plus read timeout: how long an unanswered call may still
    take effect.
    """

    group: str
    me: Member
    members: tuple[Member, ...]
    eni_ids: tuple[EniId, ...]
    device_index: int | None
    probes: tuple[ProbePolicy, ...]
    down_needed: int
    takeover: TakeoverMode
    failback: FailbackMode
    failback_delay: float
    cooldown: float
    max_takeovers: int
    max_takeovers_window: float
    stagger: float
    unproven_grace: float
    force_detach_after: float | None
    startup_grace: float
    fence: FenceMode
    observe_interval: float
    idle_interval: float
    move_interval: float
    max_loop_lag: float
    call_timeout: float
    config_hash: str

    def member_of(self, instance_id: InstanceId | None) -> Member | None:
        """The member that this instance is, or None for a foreign one."""
        for member in self.members:  # no generator: the most frequent question of a pass
            if member.instance_id == instance_id:
                return member
        return None

    @property
    def stall_length(self) -> float:
        """From what length on, in seconds, a stall of this process spoils anything."""
        return min((self.max_loop_lag, *(probe.timeout / 2 for probe in self.probes)))

    @property
    def is_primary(self) -> bool:
        """Whether this member is the one listed first."""
        return self.members[0].instance_id == self.me.instance_id

    @property
    def moving_bound(self) -> float:
        """How long an ENI counts as moving, in seconds."""
        return 60.0 if self.force_detach_after is None else self.force_detach_after
