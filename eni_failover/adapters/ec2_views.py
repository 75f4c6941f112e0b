"""From EC2's answers to the core's values: pure translation, one ENI or instance at a time.

Owns what makes an answer about one ENI no answer (`unknown`) and what makes an ENI one that EC2 would
never let us move. Must not know calls, retries or errors. Does not guarantee that what EC2 says is
fresh: reads lag (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html).

Enumerations are open: EC2 adds values, and boto3 hands them on as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eni_failover.adapters.ec2_items import items_by_id
from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    Instance,
    InstanceState,
    Presence,
    Subnet,
    TypeLimits,
)
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from eni_failover.core.vocabulary import Reason

# Statuses that EC2 shows only for an ENI that has an attachment.
_ATTACHED_STATUSES = frozenset({"in-use", "attaching", "detaching"})
_ENI_STATUSES = _ATTACHED_STATUSES | {"available", "associated"}
_DETACHED = "detached"
_USABLE = frozenset({"associated", "associating", None})
_OUR_CARD = 0

Raw = Mapping[str, Any]


def read_enis(eni_ids: Sequence[EniId], raws: Iterable[Raw]) -> tuple[Eni, ...]:
    """The ENIs asked for, in the order asked, out of one answered describe.

    One that the answer does not have is `missing`, or `unknown` when the answer has an item that may
    be it (see `ec2_items`); so is one that it has in a shape that this version does not understand.
    """
    found, is_sure = items_by_id(raws, key="NetworkInterfaceId", asked=eni_ids)
    absent = Presence.MISSING if is_sure else Presence.UNKNOWN
    return tuple(
        _read_eni(eni_id, found[eni_id]) if eni_id in found else Eni(eni_id=eni_id, presence=absent)
        for eni_id in eni_ids
    )


def unknown_enis(eni_ids: Iterable[EniId]) -> tuple[Eni, ...]:
    """What is known of the ENIs after a describe that failed."""
    return tuple(Eni(eni_id=eni_id, presence=Presence.UNKNOWN) for eni_id in eni_ids)


def read_instances(raws: Iterable[Raw]) -> tuple[Instance, ...]:
    """The instances of one answered describe; one without an id cannot be told apart and is left out."""
    return tuple(_read_instance(raw) for raw in raws if raw.get("InstanceId"))


def read_subnets(raws: Iterable[Raw]) -> tuple[Subnet, ...]:
    """The subnets of one answered describe; an IPv6 network that is not associated is left out."""
    return tuple(
        Subnet(
            subnet_id=str(raw["SubnetId"]),
            network=str(raw.get("CidrBlock") or ""),
            ipv6_networks=tuple(
                str(one["Ipv6CidrBlock"])
                for one in raw.get("Ipv6CidrBlockAssociationSet") or []
                if one.get("Ipv6CidrBlock") and (one.get("Ipv6CidrBlockState") or {}).get("State") in _USABLE
            ),
        )
        for raw in raws
        if raw.get("SubnetId")
    )


def macs_of(raw: Raw) -> tuple[str, ...]:
    """The MACs of an instance's ENIs, lower case, sorted."""
    macs = {str(one["MacAddress"]).lower() for one in _interfaces(raw) if one.get("MacAddress")}
    return tuple(sorted(macs))


def read_type_limits(raws: Sequence[Raw]) -> TypeLimits:
    """The limits of the one type asked for; nothing is known of one that the answer does not have."""
    info: Raw = (raws[0].get("NetworkInfo") or {}) if raws else {}
    ipv6 = 0 if info.get("Ipv6Supported") is False else info.get("Ipv6AddressesPerInterface")
    return TypeLimits(
        interfaces=_limit(_interfaces_per_card(info), least=1),
        ipv4_per_interface=_limit(info.get("Ipv4AddressesPerInterface"), least=1),
        ipv6_per_interface=_limit(ipv6, least=0),
    )


def _interfaces_per_card(info: Raw) -> object:
    """How many ENIs the type takes on the network card that we attach to."""
    cards: list[Raw] = info.get("NetworkCards") or []
    if len(cards) > 1:
        info = next((card for card in cards if card.get("NetworkCardIndex", 0) == _OUR_CARD), {})
    return info.get("MaximumNetworkInterfaces")


def _limit(said: object, *, least: int) -> int | None:
    """A limit that makes sense, None for any other."""
    return said if isinstance(said, int) and said >= least else None


def _read_eni(eni_id: EniId, raw: Raw) -> Eni:
    """One ENI of an answer."""
    status = raw.get("Status")
    claimed: Raw = raw.get("Attachment") or {}
    is_detached = claimed.get("Status") == _DETACHED
    attachment = _read_attachment(claimed)
    must_have_one = bool(claimed) or status in _ATTACHED_STATUSES
    if status not in _ENI_STATUSES or (must_have_one and attachment is None and not is_detached):
        return Eni(eni_id=eni_id, presence=Presence.UNKNOWN)
    return Eni(
        eni_id=eni_id,
        attachment=attachment,
        zone=raw.get("AvailabilityZone") or "",
        unmovable=_unmovable(raw, attachment),
        mac=(raw.get("MacAddress") or "").lower(),
        subnet_id=raw.get("SubnetId") or "",
        addresses=_addresses(raw),
        ipv6_addresses=_each(raw.get("Ipv6Addresses"), "Ipv6Address"),
        prefixes=_each(raw.get("Ipv4Prefixes"), "Ipv4Prefix"),
        ipv6_prefixes=_each(raw.get("Ipv6Prefixes"), "Ipv6Prefix"),
        public_addresses=_public_addresses(raw),
        groups=_each(raw.get("Groups"), "GroupId"),
    )


def _read_attachment(raw: Raw) -> Attachment | None:
    """The attachment, or None when what it says cannot be acted on.

    InstanceId is absent from attachments that AWS services make: such a holder is foreign.
    """
    status, index = raw.get("Status"), raw.get("DeviceIndex")
    if not raw.get("AttachmentId") or status not in set(AttachmentStatus) or not isinstance(index, int):
        return None
    instance_id = raw.get("InstanceId")
    return Attachment(
        attachment_id=AttachmentId(raw["AttachmentId"]),
        instance_id=InstanceId(instance_id) if instance_id else None,
        status=AttachmentStatus(status),
        device_index=index,
        delete_on_termination=bool(raw.get("DeleteOnTermination")),
    )


def _unmovable(raw: Raw, attachment: Attachment | None) -> Reason | None:
    """Why EC2 would never let us move this ENI, or None."""
    if attachment is not None and attachment.device_index == 0:
        return Reason.ENI_PRIMARY
    if raw.get("RequesterManaged"):
        return Reason.REQUESTER_MANAGED
    is_services = (
        (raw.get("Operator") or {}).get("Managed")
        or raw.get("InterfaceType", "interface") != "interface"
        or (attachment is not None and attachment.attachment_id.startswith("ela-attach-"))
        or _is_of_another_account(raw)
    )
    return Reason.SERVICE_MANAGED if is_services else None


def _is_of_another_account(raw: Raw) -> bool:
    """Whether another account's instance has it: a service's, as a rule."""
    owner, of_instance = raw.get("OwnerId"), (raw.get("Attachment") or {}).get("InstanceOwnerId")
    return bool(owner and of_instance and owner != of_instance)


def _addresses(raw: Raw) -> tuple[str, ...]:
    """The private IPv4 addresses, the primary one first."""
    entries = sorted(raw.get("PrivateIpAddresses") or [], key=lambda entry: not entry.get("Primary"))
    primary = raw.get("PrivateIpAddress")
    return _each(entries, "PrivateIpAddress") or ((primary,) if primary else ())


def _public_addresses(raw: Raw) -> tuple[str, ...]:
    """The public addresses of all private ones, each once, in the order of the private ones."""
    associations = [entry.get("Association") for entry in raw.get("PrivateIpAddresses") or []]
    public = _each([one for one in (raw.get("Association"), *associations) if one], "PublicIp")
    return tuple(dict.fromkeys(public))


def _read_instance(raw: Raw) -> Instance:
    """One instance of an answer."""
    interfaces = [
        (str(one.get("NetworkInterfaceId", "")), one.get("Attachment") or {}) for one in _interfaces(raw)
    ]
    ours = [(eni_id, one) for eni_id, one in interfaces if one.get("NetworkCardIndex", 0) == _OUR_CARD]
    state = (raw.get("State") or {}).get("Name")
    return Instance(
        instance_id=InstanceId(raw["InstanceId"]),
        state=InstanceState(state) if state in set(InstanceState) else InstanceState.UNKNOWN,
        zone=(raw.get("Placement") or {}).get("AvailabilityZone") or "",
        instance_type=raw.get("InstanceType") or "",
        # Sorted: EC2 keeps no order, and other facts would be a reason to try again what it has refused.
        eni_indexes=tuple(
            sorted(
                ((EniId(eni_id), _index(attachment)) for eni_id, attachment in ours), key=lambda one: one[0]
            )
        ),
    )


def _index(attachment: Raw) -> int | None:
    index = attachment.get("DeviceIndex")
    return index if isinstance(index, int) else None


def _interfaces(raw: Raw) -> list[Raw]:
    """The ENIs in an instance's description."""
    return list(raw.get("NetworkInterfaces") or [])


def _each(raws: Iterable[Raw] | None, key: str) -> tuple[str, ...]:
    """The values of `key`, without the absent and the empty ones."""
    return tuple(str(raw[key]) for raw in raws or () if raw.get(key))
