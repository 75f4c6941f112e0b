"""What EC2 tells about ENIs, instances and their types beyond what a pass needs: for checks and set-up.

Owns the shapes and their translation, pure. Must not know calls, retries or errors, nor what makes a fact
a good one. Does not guarantee freshness, as `ec2_views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eni_failover.adapters.ec2_views import read_enis, read_instances
from eni_failover.core.model import Eni, Instance, Presence
from eni_failover.core.policy import EniId, InstanceId

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EniDetail:
    """One ENI that exists. `instance_owner` is the account of the instance that has it, empty for none."""

    eni: Eni
    vpc_id: str = ""
    owner_id: str = ""
    instance_owner: str = ""
    interface_type: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceDetail:
    """One ENI as its instance's description has it. `public_addresses` are those of its addresses."""

    eni_id: EniId
    mac: str
    card_index: int
    device_index: int
    addresses: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()

    @property
    def is_primary(self) -> bool:
        """Whether the instance was launched with it: it never leaves."""
        return (self.card_index, self.device_index) == (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceDetail:
    """One instance. `imds_*` are of its metadata options, empty and 0 when EC2 does not tell them.

    `lifecycle` is empty for an instance on demand, as EC2 has it.
    """

    instance: Instance
    vpc_id: str = ""
    subnet_id: str = ""
    interfaces: tuple[InterfaceDetail, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    imds_tokens: str = ""
    imds_hop_limit: int = 0
    lifecycle: str = ""
    root_device: str = ""

    @property
    def is_spot(self) -> bool:
        """Whether it is a Spot Instance: one of a one-time request cannot be stopped."""
        return self.lifecycle == "spot"

    @property
    def has_store_root(self) -> bool:
        """Whether its root is an instance store: it cannot be stopped."""
        return self.root_device == "instance-store"

    @property
    def primary(self) -> InterfaceDetail | None:
        """Its primary ENI; a terminated instance has none."""
        return next((one for one in self.interfaces if one.is_primary), None)


def read_eni_details(raws: Iterable[Raw]) -> tuple[EniDetail, ...]:
    """The ENIs of one answered describe; one in a shape that this version does not understand is left out."""
    found = []
    for raw in raws:
        (eni,) = read_enis((EniId(str(raw.get("NetworkInterfaceId"))),), (raw,))
        if eni.presence is Presence.KNOWN:
            found.append(
                EniDetail(
                    eni=eni,
                    vpc_id=raw.get("VpcId") or "",
                    owner_id=raw.get("OwnerId") or "",
                    instance_owner=(raw.get("Attachment") or {}).get("InstanceOwnerId") or "",
                    interface_type=raw.get("InterfaceType") or "",
                    description=raw.get("Description") or "",
                    tags=_tags(raw.get("TagSet")),
                )
            )
    return tuple(found)


def read_instance_details(raws: Iterable[Raw]) -> tuple[InstanceDetail, ...]:
    """The instances of one answered describe."""
    return tuple(_instance(raw, one) for raw in raws for one in read_instances((raw,)))


def _instance(raw: Raw, instance: Instance) -> InstanceDetail:
    options: Raw = raw.get("MetadataOptions") or {}
    interfaces = (_interface(one) for one in raw.get("NetworkInterfaces") or [])
    return InstanceDetail(
        instance=instance,
        vpc_id=raw.get("VpcId") or "",
        subnet_id=raw.get("SubnetId") or "",
        interfaces=tuple(one for one in interfaces if one is not None),
        tags=_tags(raw.get("Tags")),
        imds_tokens=options.get("HttpTokens") or "",
        imds_hop_limit=options.get("HttpPutResponseHopLimit") or 0,
        lifecycle=raw.get("InstanceLifecycle") or "",
        root_device=raw.get("RootDeviceType") or "",
    )


def _interface(raw: Raw) -> InterfaceDetail | None:
    attachment: Raw = raw.get("Attachment") or {}
    index = attachment.get("DeviceIndex")
    if not raw.get("NetworkInterfaceId") or not isinstance(index, int):
        return None
    entries: list[Raw] = raw.get("PrivateIpAddresses") or []
    private = [str(one["PrivateIpAddress"]) for one in entries if one.get("PrivateIpAddress")]
    private += [str(one["Ipv6Address"]) for one in raw.get("Ipv6Addresses") or [] if one.get("Ipv6Address")]
    associations: list[Raw] = [one.get("Association") or {} for one in (raw, *entries)]
    return InterfaceDetail(
        eni_id=EniId(raw["NetworkInterfaceId"]),
        mac=(raw.get("MacAddress") or "").lower(),
        card_index=attachment.get("NetworkCardIndex") or 0,
        device_index=index,
        addresses=tuple(private),
        public_addresses=tuple(
            dict.fromkeys(str(one["PublicIp"]) for one in associations if one.get("PublicIp"))
        ),
    )


def _tags(raws: Iterable[Raw] | None) -> dict[str, str]:
    return {str(one["Key"]): str(one.get("Value") or "") for one in raws or () if one.get("Key")}


def find_instance(instances: Iterable[InstanceDetail], instance_id: InstanceId) -> InstanceDetail | None:
    """The instance with this id, or None when the answer does not have it."""
    return next((one for one in instances if one.instance.instance_id == instance_id), None)
