"""The Describe actions.

Owns: what each of them selects and how it is wrapped. Must not know: which moment's state it is given (it
may be an old one), permissions, wire formats. Does not guarantee: an order that AWS would also have; here
it is the order in which things were made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eni_failover.lab import filter_names
from eni_failover.lab.errors import Ec2Error, eni_not_found, instance_not_found, malformed
from eni_failover.lab.filters import Description, page, select
from eni_failover.lab.instance_types import INSTANCE_TYPES
from eni_failover.lab.replies import Reply, eni_reply, reservation_reply, spot_request_reply
from eni_failover.lab.settings import Settings
from eni_failover.lab.side_replies import (
    instance_status_reply,
    instance_type_reply,
    subnet_reply,
    tag_replies,
    zone_replies,
)
from eni_failover.lab.values import ID_FORMS, InstanceState, State

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a describe sees: a state, and the world's time at which it was so."""

    state: State
    now: float
    settings: Settings


def check_forms(kind: str, ids: Sequence[str]) -> None:
    """Raise Ec2Error (the kind's Malformed code) for the first id that is no such id."""
    for value in ids:
        if not ID_FORMS[kind].fullmatch(value):
            raise malformed(kind, value)


def require_enis(state: State, eni_ids: Sequence[str]) -> None:
    """Raise Ec2Error InvalidNetworkInterfaceID.NotFound, naming all that are missing."""
    check_forms("eni", eni_ids)
    if missing := [eni_id for eni_id in eni_ids if eni_id not in state.enis]:
        raise eni_not_found(missing)


def require_instances(state: State, instance_ids: Sequence[str]) -> None:
    """Raise Ec2Error InvalidInstanceID.NotFound, naming all that are missing."""
    check_forms("instance", instance_ids)
    if missing := [instance_id for instance_id in instance_ids if instance_id not in state.instances]:
        raise instance_not_found(missing)


def _answer(
    key: str,
    found: Sequence[Description],
    parameters: Parameters,
    names: Mapping[str, str],
    *,
    tags_at: str | None = None,
    ids: str | None = None,
) -> Reply:
    chosen = select(found, parameters.get("Filters") or [], names, tags_at=tags_at)
    items, token = page(chosen, parameters, ids=ids)
    return {key: items} if token is None else {key: items, "NextToken": token}


def _describe_enis(view: View, parameters: Parameters) -> Reply:
    ids = parameters.get("NetworkInterfaceIds") or []
    require_enis(view.state, ids)
    found = [
        eni_reply(eni, view.state, view.settings)
        for eni in view.state.enis.values()
        if not ids or eni.id in ids
    ]
    return _answer(
        "NetworkInterfaces",
        found,
        parameters,
        filter_names.ENI_FILTERS,
        tags_at="TagSet",
        ids="NetworkInterfaceIds",
    )


def _describe_instances(view: View, parameters: Parameters) -> Reply:
    ids = parameters.get("InstanceIds") or []
    require_instances(view.state, ids)
    found = [
        reservation_reply(instance, view.state, view.settings)
        for instance in view.state.instances.values()
        if not ids or instance.id in ids
    ]
    return _answer(
        "Reservations",
        found,
        parameters,
        filter_names.INSTANCE_FILTERS,
        tags_at="Instances.Tags",
        ids="InstanceIds",
    )


def _describe_instance_attribute(view: View, parameters: Parameters) -> Reply:
    instance_id, attribute = parameters["InstanceId"], parameters["Attribute"]
    require_instances(view.state, [instance_id])
    if attribute != "disableApiStop":
        raise Ec2Error("UnsupportedOperation", f"The lab cannot describe {attribute}.")
    value = view.state.instances[instance_id].disable_api_stop
    return {"InstanceId": instance_id, "DisableApiStop": {"Value": value}}


def _describe_spot_requests(view: View, parameters: Parameters) -> Reply:
    found = [spot_request_reply(one) for one in view.state.instances.values() if one.spot]
    return _answer("SpotInstanceRequests", found, parameters, filter_names.SPOT_REQUEST_FILTERS)


def _describe_instance_status(view: View, parameters: Parameters) -> Reply:
    ids = parameters.get("InstanceIds") or []
    require_instances(view.state, ids)
    whole = parameters.get("IncludeAllInstances", False)
    found = [
        instance_status_reply(instance, view.state, view.settings, now=view.now)
        for instance in view.state.instances.values()
        if (not ids or instance.id in ids) and (whole or instance.state is InstanceState.RUNNING)
    ]
    return _answer("InstanceStatuses", found, parameters, filter_names.STATUS_FILTERS, ids="InstanceIds")


def _describe_instance_types(_view: View, parameters: Parameters) -> Reply:
    ids = parameters.get("InstanceTypes") or []
    unknown = [name for name in ids if name not in INSTANCE_TYPES]
    if unknown:
        raise Ec2Error(
            "InvalidInstanceType",
            f"The following supplied instance types do not exist: [{', '.join(unknown)}]",
        )
    found = [instance_type_reply(kind) for kind in INSTANCE_TYPES.values() if not ids or kind.name in ids]
    return _answer("InstanceTypes", found, parameters, filter_names.TYPE_FILTERS)


def _describe_subnets(view: View, parameters: Parameters) -> Reply:
    ids = parameters.get("SubnetIds") or []
    check_forms("subnet", ids)
    if missing := [subnet_id for subnet_id in ids if subnet_id not in view.state.subnets]:
        raise Ec2Error("InvalidSubnetID.NotFound", f"The subnet ID '{', '.join(missing)}' does not exist")
    found = [
        subnet_reply(subnet, view.settings)
        for subnet in view.state.subnets.values()
        if not ids or subnet.id in ids
    ]
    return _answer("Subnets", found, parameters, filter_names.SUBNET_FILTERS, tags_at="Tags", ids="SubnetIds")


def _describe_zones(view: View, parameters: Parameters) -> Reply:
    zones = zone_replies(view.state, view.settings)
    for parameter, field in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        wanted = parameters.get(parameter) or []
        if unknown := [name for name in wanted if name not in {zone[field] for zone in zones}]:
            raise Ec2Error("InvalidParameterValue", f"Invalid availability zone: [{', '.join(unknown)}]")
        zones = [zone for zone in zones if not wanted or zone[field] in wanted]
    chosen = select(zones, parameters.get("Filters") or [], filter_names.ZONE_FILTERS)
    return {"AvailabilityZones": chosen}


def _describe_tags(view: View, parameters: Parameters) -> Reply:
    wanted = [_tag_filter(item) for item in parameters.get("Filters") or []]
    found = tag_replies(view.state)
    for item in wanted:
        found = [dict(tag) for tag in select(found, item, filter_names.TAG_FILTERS)]
    items, token = page(found, parameters, ids=None)
    return {"Tags": items} if token is None else {"Tags": items, "NextToken": token}


def _tag_filter(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`tag:KEY` of DescribeTags means this key and one of these values."""
    name = item.get("Name") or ""
    if not name.startswith("tag:"):
        return [item]
    return [{"Name": "key", "Values": [name.removeprefix("tag:")]}, {**item, "Name": "value"}]


DESCRIBES: Final[Mapping[str, Callable[[View, Parameters], Reply]]] = {
    "DescribeAvailabilityZones": _describe_zones,
    "DescribeInstanceAttribute": _describe_instance_attribute,
    "DescribeInstanceStatus": _describe_instance_status,
    "DescribeInstanceTypes": _describe_instance_types,
    "DescribeInstances": _describe_instances,
    "DescribeNetworkInterfaces": _describe_enis,
    "DescribeSpotInstanceRequests": _describe_spot_requests,
    "DescribeSubnets": _describe_subnets,
    "DescribeTags": _describe_tags,
}
"""By action."""
