"""Records as EC2 describes them: dictionaries in the shape of botocore's output model.

Owns: which field of an answer comes from which field of a record. Must not know: filters, XML, who asks.
Does not guarantee: every field that EC2 has; fields of matters that the lab has no notion of (volumes, CPU
options, licences, ...) are left out, as EC2 leaves out what does not apply.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from eni_failover.lab.instance_types import INSTANCE_TYPES
from eni_failover.lab.settings import MovingStatus, Settings
from eni_failover.lab.values import (
    STATE_CODES,
    Address,
    Association,
    AttachmentStatus,
    Eni,
    Instance,
    InstanceState,
    State,
)

Reply = dict[str, Any]


def moment_of(seconds: float) -> datetime:
    """Unix seconds as EC2 gives times: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


def tag_list(tags: Mapping[str, str]) -> list[Reply]:
    """Tags as a list of Key and Value, by key."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def private_dns(ip: str, settings: Settings) -> str:
    """The private DNS name that EC2 gives to an address."""
    return f"ip-{ip.replace('.', '-')}.{settings.region}.compute.internal"


def public_dns(ip: str, settings: Settings) -> str:
    """The public DNS name that EC2 gives to an address."""
    return f"ec2-{ip.replace('.', '-')}.{settings.region}.compute.amazonaws.com"


def _omit_none(reply: Reply) -> Reply:
    return {key: value for key, value in reply.items() if value is not None}


def eni_status(eni: Eni, settings: Settings) -> str:
    """The ENI's own Status; see `MovingStatus` for what it says while the attachment changes."""
    if eni.attachment is None:
        return "available"
    moving = eni.attachment.status is not AttachmentStatus.ATTACHED
    if moving and settings.moving_status == MovingStatus.TRANSITIONAL:
        return eni.attachment.status.value
    return "in-use"


def eni_reply(eni: Eni, state: State, settings: Settings) -> Reply:
    """A NetworkInterface of DescribeNetworkInterfaces."""
    subnet = state.subnets[eni.subnet_id]
    primary = eni.addresses[0] if eni.addresses else None
    owner = eni.owner_id or settings.account
    reply: Reply = {
        "NetworkInterfaceId": eni.id,
        "Status": eni_status(eni, settings),
        "Attachment": _attachment_reply(eni, settings),
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "SubnetId": subnet.id,
        "VpcId": subnet.vpc_id,
        "OwnerId": owner,
        "MacAddress": eni.mac,
        "PrivateIpAddress": primary.ip if primary else None,
        "PrivateDnsName": private_dns(primary.ip, settings) if primary else None,
        "PrivateIpAddresses": [
            _address_reply(address, settings, owner=owner, primary=number == 0)
            for number, address in enumerate(eni.addresses)
        ],
        "Association": _association_reply(primary.association if primary else None, settings, owner=owner),
        "Ipv6Addresses": [{"Ipv6Address": ip, "IsPrimaryIpv6": False} for ip in eni.ipv6],
        "Ipv6Address": eni.ipv6[0] if eni.ipv6 else None,
        "Ipv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in eni.ipv4_prefixes] or None,
        "Ipv6Prefixes": [{"Ipv6Prefix": prefix} for prefix in eni.ipv6_prefixes] or None,
        "Groups": _groups(eni),
        "SourceDestCheck": eni.source_dest_check,
        "InterfaceType": eni.interface_type,
        "RequesterId": eni.requester_id,
        "RequesterManaged": eni.requester_managed,
        "Operator": _operator_reply(eni),
        "Description": eni.description,
        "TagSet": tag_list(eni.tags),
    }
    return _omit_none(reply)


def _groups(eni: Eni) -> list[Reply]:
    return [{"GroupId": group_id, "GroupName": name} for group_id, name in eni.groups]


def _operator_reply(eni: Eni) -> Reply:
    return {"Managed": True, "Principal": eni.operator} if eni.operator else {"Managed": False}


def _attachment_reply(eni: Eni, settings: Settings) -> Reply | None:
    attachment = eni.attachment
    if attachment is None:
        return None
    return {
        "AttachmentId": attachment.id,
        "InstanceId": attachment.instance_id,
        "InstanceOwnerId": attachment.instance_owner_id or settings.account,
        "DeviceIndex": attachment.device_index,
        "NetworkCardIndex": attachment.card_index,
        "Status": attachment.status.value,
        "AttachTime": moment_of(attachment.attach_time),
        "DeleteOnTermination": attachment.delete_on_termination,
    }


def _association_reply(association: Association | None, settings: Settings, *, owner: str) -> Reply | None:
    if association is None:
        return None
    return _omit_none(
        {
            "PublicIp": association.public_ip,
            "PublicDnsName": public_dns(association.public_ip, settings),
            "AllocationId": association.allocation_id,
            "AssociationId": association.association_id,
            "IpOwnerId": owner,
        }
    )


def _address_reply(address: Address, settings: Settings, *, owner: str, primary: bool) -> Reply:
    return _omit_none(
        {
            "PrivateIpAddress": address.ip,
            "PrivateDnsName": private_dns(address.ip, settings),
            "Primary": primary,
            "Association": _association_reply(address.association, settings, owner=owner),
        }
    )


_NOT_IN_INSTANCE = frozenset(
    {"AvailabilityZone", "AvailabilityZoneId", "Ipv6Address", "RequesterId", "RequesterManaged", "TagSet"}
)
_NOT_IN_INSTANCE_ATTACHMENT = frozenset({"InstanceId", "InstanceOwnerId"})
_NOT_IN_INSTANCE_ASSOCIATION = frozenset({"AllocationId", "AssociationId"})


def _instance_eni_reply(eni: Eni, state: State, settings: Settings) -> Reply:
    """An InstanceNetworkInterface: the same interface with fewer fields, and no tags."""
    whole = _without(eni_reply(eni, state, settings), _NOT_IN_INSTANCE)
    whole["Attachment"] = _without(whole["Attachment"], _NOT_IN_INSTANCE_ATTACHMENT)
    for holder in (whole, *whole["PrivateIpAddresses"]):
        if "Association" in holder:
            holder["Association"] = _without(holder["Association"], _NOT_IN_INSTANCE_ASSOCIATION)
    return whole


def _without(reply: Reply, keys: frozenset[str]) -> Reply:
    return {key: value for key, value in reply.items() if key not in keys}


def state_reply(state: InstanceState) -> Reply:
    """An InstanceState: code and name."""
    return {"Code": STATE_CODES[state], "Name": state.value}


def primary_eni(instance: Instance, state: State) -> Eni | None:
    """The ENI at index 0 of card 0; a terminated instance has none."""
    for eni in state.attached_to(instance.id):
        if eni.attachment and (eni.attachment.card_index, eni.attachment.device_index) == (0, 0):
            return eni
    return None


def instance_reply(instance: Instance, state: State, settings: Settings) -> Reply:
    """An Instance of DescribeInstances. A terminated one has lost its network."""
    gone = instance.state is InstanceState.TERMINATED
    subnet = state.subnets[instance.subnet_id]
    kind = INSTANCE_TYPES[instance.type]
    reply: Reply = {
        "InstanceId": instance.id,
        "InstanceType": instance.type,
        "ImageId": instance.image_id,
        "State": state_reply(instance.state),
        "StateTransitionReason": "User initiated" if instance.state_reason else "",
        "StateReason": _state_reason(instance),
        "LaunchTime": moment_of(instance.launch_time),
        "AmiLaunchIndex": 0,
        "Architecture": kind.architecture,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "PlatformDetails": "Linux/UNIX",
        "RootDeviceType": instance.root_device,
        "InstanceLifecycle": "spot" if instance.spot else None,
        "SpotInstanceRequestId": spot_request_id(instance) if instance.spot else None,
        "Monitoring": {"State": "disabled"},
        "Placement": {
            "AvailabilityZone": subnet.zone,
            "AvailabilityZoneId": subnet.zone_id,
            "GroupName": "",
            "Tenancy": "default",
        },
        "SubnetId": None if gone else subnet.id,
        "VpcId": None if gone else subnet.vpc_id,
        "IamInstanceProfile": _profile(instance, settings),
        "MetadataOptions": _metadata_options(instance),
        "ProductCodes": [],
        "BlockDeviceMappings": [],
        "NetworkInterfaces": [
            _instance_eni_reply(eni, state, settings) for eni in state.attached_to(instance.id)
        ],
        "Tags": tag_list(instance.tags),
    }
    reply.update(_primary_network(primary_eni(instance, state), settings))
    return _omit_none(reply)


def spot_request_id(instance: Instance) -> str:
    """Each Spot Instance of the lab has a request of its own."""
    return "sir-" + instance.id.removeprefix("i-")[-8:]


def spot_request_reply(instance: Instance) -> Reply:
    """A SpotInstanceRequest of DescribeSpotInstanceRequests."""
    return {
        "SpotInstanceRequestId": spot_request_id(instance),
        "InstanceId": instance.id,
        "State": "active",
        "Type": instance.spot,
    }


def _metadata_options(instance: Instance) -> Reply:
    return {
        "State": "applied",
        "HttpTokens": instance.imds_tokens,
        "HttpPutResponseHopLimit": instance.imds_hop_limit,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "enabled",
    }


def _state_reason(instance: Instance) -> Reply | None:
    if instance.state_reason is None:
        return None
    code, message = instance.state_reason
    return {"Code": code, "Message": message}


def _profile(instance: Instance, settings: Settings) -> Reply | None:
    if instance.role is None:
        return None
    return {
        "Arn": f"arn:aws:iam::{settings.account}:instance-profile/{instance.role}",
        "Id": "AIPALABLABLABLABLAB00",
    }


def _primary_network(eni: Eni | None, settings: Settings) -> Reply:
    if eni is None:
        return {"PrivateDnsName": "", "PublicDnsName": "", "SecurityGroups": []}
    reply: Reply = {
        "PrivateDnsName": "",
        "PublicDnsName": "",
        "SourceDestCheck": eni.source_dest_check,
        "SecurityGroups": _groups(eni),
    }
    if eni.addresses:
        first = eni.addresses[0]
        reply |= {"PrivateIpAddress": first.ip, "PrivateDnsName": private_dns(first.ip, settings)}
        if first.association:
            public = first.association.public_ip
            reply |= {"PublicIpAddress": public, "PublicDnsName": public_dns(public, settings)}
    if eni.ipv6:
        reply["Ipv6Address"] = eni.ipv6[0]
    return reply


def reservation_reply(instance: Instance, state: State, settings: Settings) -> Reply:
    """A Reservation; each instance of the lab was launched by itself."""
    return {
        "ReservationId": "r-" + instance.id.removeprefix("i-"),
        "OwnerId": instance.owner_id or settings.account,
        "Groups": [],
        "Instances": [instance_reply(instance, state, settings)],
    }
