"""What is known before a takeover: everything that the checks judge, gathered once, frozen.

Owns the shapes. What could not be found out is a `Missed`, which says why: unknown is neither good nor
bad. Knows no boto3, no socket and no judgement. Times are seconds, `*_at` and `wall` since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias, TypeVar

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail, find_instance
from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.firewalld_conf import Zones
from eni_failover.adapters.imds import ImdsInterface
from eni_failover.adapters.link import DetectedMode, KernelLink, LinkSurvey
from eni_failover.adapters.networkd_conf import NetworkdSettings
from eni_failover.config import Config
from eni_failover.core.model import Peer, TypeLimits
from eni_failover.core.policy import EniId, Member, MemberName
from eni_failover.core.vocabulary import Answer, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Something that was not found out; `code` is the outside's own word.

    `denied`: because IAM says no. `throttled`: because the account's quota of such calls is used up for now.
    """

    why: str
    code: str = ""
    denied: bool = False
    throttled: bool = False


_T = TypeVar("_T")
Maybe: TypeAlias = _T | Missed


class PortState(StrEnum):
    """What a try to listen found."""

    FREE = "free"
    OURS = "ours"
    TAKEN = "taken"
    NO_ADDRESS = "no_address"
    REFUSED = "refused"


class LockState(StrEnum):
    """Who has the lock on the state directory."""

    FREE = "free"
    OURS = "ours"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which member this is: `member` is None for an instance that is none; `named` when only told so."""

    instance_id: str
    member: Member | None
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How EC2 was reached. `latency` is an answered describe's, None when none was (IAM denied them).

    `source` is the address that this host's packets to `asked` leave from; `asked` is EC2's host, or that
    of the proxy on the way to it.
    """

    latency: float | None
    region: str
    asked: str
    source: Maybe[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What EC2 and IMDS say. Permissions by ENI, `stop` by member; one not asked for is absent.

    `unstoppable` is by member why EC2 refuses to stop its instance whatever IAM allows, empty for nothing.

    `credentials_until` None: the credentials last. `clock_skew` is how far this host's clock is ahead of
    EC2's, None when EC2 did not tell. `subnets` are those of the ENIs that EC2 showed.
    """

    credentials_until: Maybe[float | None]
    clock_skew: float | None
    api: Maybe[Api]
    enis: Maybe[tuple[EniDetail, ...]]
    instances: Maybe[tuple[InstanceDetail, ...]]
    limits: Maybe[TypeLimits]
    subnets: Maybe[frozenset[str]]
    listed: Maybe[tuple[ImdsInterface, ...]]
    attach: Mapping[EniId, Permission] = field(default_factory=dict)
    detach: Mapping[EniId, Permission] = field(default_factory=dict)
    keep: Mapping[EniId, Permission] = field(default_factory=dict)
    stop: Mapping[MemberName, Permission] = field(default_factory=dict)
    unstoppable: Mapping[MemberName, Maybe[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFact:
    """One attempt of one probe; `about` is the member that was asked, None: nobody was there to ask.

    `is_runnable` False: it could not be asked from here, whoever is there.
    """

    name: str
    scope: Scope
    about: MemberName | None
    answer: Answer
    detail: str
    is_runnable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFact:
    """One program that the file names; `problem` is empty for one that can be run.

    A problem that is not certain may be one of this process's user or PATH, and not of the daemon's.
    """

    what: str
    program: str
    problem: str = ""
    is_certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The state directory. `write_seconds` None: nothing could be written, `problem` says why.

    `is_ours` False: it is another user's, whom it may well let write. `exists` False: the daemon makes it
    at its start.
    """

    path: Path
    exists: bool
    is_ours: bool
    free_bytes: int | None
    write_seconds: float | None
    lock: LockState
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place to listen, as the file names it."""

    what: str
    state: PortState
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What this host says of itself and of its neighbours; None for what was not looked at.

    `configured_by` is what would have the network manager configure an ENI's link, "" for nothing.
    `zones` are firewalld's, None where it does not run. `alike` has the links with the MAC of each ENI.
    `links` None: links are not watched.
    """

    link_mode: Maybe[DetectedMode]
    networkd: Maybe[NetworkdSettings]
    peers: tuple[Peer, ...]
    disk: Disk
    configured_by: Maybe[str] = ""
    zones: Maybe[Zones | None] = None
    alike: Maybe[Mapping[EniId, tuple[KernelLink, ...]]] = field(default_factory=dict)
    links: Maybe[LinkSurvey] | None = None
    probes: tuple[ProbeFact, ...] | None = None
    listen: Place | None = None
    control: Place | None = None
    programs: Maybe[tuple[ProgramFact, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything. `wall` is when."""

    config: Config
    identity: Maybe[Identity]
    cloud: Cloud
    host: Host
    wall: float

    @property
    def me(self) -> Member | None:
        """This member, None when it is not known which."""
        return None if isinstance(self.identity, Missed) else self.identity.member

    @property
    def own(self) -> Maybe[InstanceDetail]:
        """This member's instance."""
        if self.me is None:
            return Missed(why="it is not known which member this is")
        if isinstance(self.cloud.instances, Missed):
            return self.cloud.instances
        found = find_instance(self.cloud.instances, self.me.instance_id)
        return found or Missed(why=f"EC2 does not show {self.me.instance_id}")

    def member_with(self, eni: EniDetail) -> Member | None:
        """The member whose instance has this ENI."""
        attachment = eni.eni.attachment
        holder = None if attachment is None else attachment.instance_id
        return next((one for one in self.config.members if one.instance_id == holder), None)
