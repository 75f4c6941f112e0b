"""The things in a world: instances, ENIs, attachments, subnets, and the state they make up.

Owns: frozen records and pure look-ups in them. Must not know: a clock, the rules that change a state, wire
formats. Does not guarantee: that a state is one that EC2 would allow; `attachments` and `lifecycle` make
only such, the drill verbs of the world can make others.

A state is never changed: each change makes another one. So a describe that lags is an older state.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final

from eni_failover.lab.settings import Durations

ID_FORMS: Final = {
    "eni": re.compile(r"eni-[0-9a-f]{8,17}"),
    "instance": re.compile(r"i-[0-9a-f]{8,17}"),
    "attachment": re.compile(r"(eni|ela)-attach-[0-9a-f]{8,17}"),
    "subnet": re.compile(r"subnet-[0-9a-f]{8,17}"),
}
"""EC2 makes ids of 8 (before 2018) or 17 digits; lengths between are let through for readable examples."""


class InstanceState(StrEnum):
    """States of an instance, as EC2 writes them."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


STATE_CODES: Final = {
    InstanceState.PENDING: 0,
    InstanceState.RUNNING: 16,
    InstanceState.SHUTTING_DOWN: 32,
    InstanceState.TERMINATED: 48,
    InstanceState.STOPPING: 64,
    InstanceState.STOPPED: 80,
}

GUEST_RUNS: Final = frozenset(
    {InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPING, InstanceState.SHUTTING_DOWN}
)
"""States in which the guest may still be alive, and so its IMDS is."""


class AttachmentStatus(StrEnum):
    """Statuses of an attachment that the lab shows; a detached one is gone."""

    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"


class CheckStatus(StrEnum):
    """Summary of a status check of an instance."""

    OK = "ok"
    IMPAIRED = "impaired"
    INSUFFICIENT_DATA = "insufficient-data"
    INITIALIZING = "initializing"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A public address of a private one (an Elastic IP address)."""

    public_ip: str
    allocation_id: str | None = None
    association_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A private IPv4 address of an ENI; the first one of an ENI is its primary address."""

    ip: str
    association: Association | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The relation of an ENI to an instance. `attach_time` is Unix seconds, other times are the world's."""

    id: str
    instance_id: str
    device_index: int
    card_index: int = 0
    status: AttachmentStatus
    attach_time: float
    """When the attach began, on the wall clock."""
    attached_at: float = inf
    """When it became (or will become) attached."""
    ends_at: float = inf
    """When it will be gone; `inf` while nobody detaches it, or when the detach is stuck."""
    delete_on_termination: bool = False
    forced: bool = False
    instance_owner_id: str | None = None
    """None: the account of the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eni:
    """An elastic network interface and everything that follows it over a move."""

    id: str
    subnet_id: str
    mac: str
    addresses: tuple[Address, ...] = ()
    ipv6: tuple[str, ...] = ()
    ipv4_prefixes: tuple[str, ...] = ()
    ipv6_prefixes: tuple[str, ...] = ()
    groups: tuple[tuple[str, str], ...] = (("sg-0123456789abcdef0", "default"),)
    """(group id, group name)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    source_dest_check: bool = True
    interface_type: str = "interface"
    requester_id: str | None = None
    requester_managed: bool = False
    operator: str | None = None
    """The principal that manages it, for a managed ENI."""
    owner_id: str | None = None
    """None: the account of the world."""
    attachment: Attachment | None = None
    attach_stuck: bool = False
    """Attaches do not get beyond attaching."""
    detach_stuck: bool = False
    """Plain detaches do not end; forced ones do."""
    durations: Durations | None = None
    """Its own, instead of the world's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance. Times are the world's clock, except `launch_time`, which is Unix seconds."""

    id: str
    type: str = "m5.large"
    subnet_id: str
    state: InstanceState = InstanceState.RUNNING
    state_until: float = inf
    """When a transitional state ends; for terminated: when it is no longer described."""
    state_reason: tuple[str, str] | None = None
    """(code, message) of the last change asked for."""
    launch_time: float = 0.0
    running_since: float = -inf
    image_id: str = "ami-0123456789abcdef0"
    role: str | None = "eni-failover"
    """Name of its IAM role; None: IMDS has no credentials for it."""
    tags: Mapping[str, str] = field(default_factory=dict)
    poisoned: frozenset[tuple[int, int]] = frozenset()
    """(card, device index) that no attach can use until it is stopped and started."""
    imds_tokens: str = "required"
    """HttpTokens of its metadata options; what EC2 says, the lab's IMDS always requires them."""
    imds_hop_limit: int = 1
    """HttpPutResponseHopLimit, likewise only said."""
    system_check: CheckStatus = CheckStatus.OK
    instance_check: CheckStatus = CheckStatus.OK
    impaired_since: float = 0.0
    """Unix seconds."""
    owner_id: str | None = None
    durations: Durations | None = None
    spot: str = ""
    """Empty: on demand; else the type of its Spot request, `one-time` or `persistent`."""
    disable_api_stop: bool = False
    """Stop protection."""
    root_device: str = "ebs"
    """RootDeviceType; one with `instance-store` cannot be stopped."""

    @property
    def name(self) -> str:
        """Its Name tag, or its id."""
        return self.tags.get("Name", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet; an ENI or instance is in the zone of its subnet."""

    id: str
    zone: str
    zone_id: str
    vpc_id: str = "vpc-0123456789abcdef0"
    cidr: str
    ipv6_cidrs: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything EC2 knows at one moment."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    enis: Mapping[str, Eni] = field(default_factory=dict)
    subnets: Mapping[str, Subnet] = field(default_factory=dict)

    def with_instance(self, instance: Instance) -> "State":
        """The same with this instance added or replaced."""
        return replace(self, instances={**self.instances, instance.id: instance})

    def with_eni(self, eni: Eni) -> "State":
        """The same with this ENI added or replaced."""
        return replace(self, enis={**self.enis, eni.id: eni})

    def with_subnet(self, subnet: Subnet) -> "State":
        """The same with this subnet added or replaced."""
        return replace(self, subnets={**self.subnets, subnet.id: subnet})

    def without_instance(self, instance_id: str) -> "State":
        """The same without that instance."""
        return replace(self, instances={k: v for k, v in self.instances.items() if k != instance_id})

    def without_eni(self, eni_id: str) -> "State":
        """The same without that ENI."""
        return replace(self, enis={k: v for k, v in self.enis.items() if k != eni_id})

    def attached_to(self, instance_id: str) -> tuple[Eni, ...]:
        """The ENIs with an attachment of any status to that instance, by card and device index."""
        found = [e for e in self.enis.values() if e.attachment and e.attachment.instance_id == instance_id]
        return tuple(sorted(found, key=_slot))

    def by_attachment(self, attachment_id: str) -> Eni | None:
        """The ENI whose attachment has that id now."""
        for eni in self.enis.values():
            if eni.attachment and eni.attachment.id == attachment_id:
                return eni
        return None

    def zone_of(self, subnet_id: str) -> str:
        """The availability zone of a subnet."""
        return self.subnets[subnet_id].zone


def _slot(eni: Eni) -> tuple[int, int]:
    attachment = eni.attachment
    return (attachment.card_index, attachment.device_index) if attachment else (0, 0)
