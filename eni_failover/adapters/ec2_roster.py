"""Instances that carry the discovery tag, as EC2 describes them.

Owns the translation of one answer. Must not know which of them are members, or in which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eni_failover.core.model import InstanceState
from eni_failover.core.policy import EniId, InstanceId

RANK_TAG = "eni-failover-rank"
_NAME_TAG = "Name"

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedInstance:
    """One instance with the tag. `launched` is Unix seconds; `address` is its primary private one."""

    instance_id: InstanceId
    state: InstanceState
    zone: str
    address: str
    launched: float
    name_tag: str = ""
    rank_tag: str = ""
    eni_ids: tuple[EniId, ...] = ()


def read_tagged(raws: Iterable[Raw]) -> tuple[TaggedInstance, ...]:
    """The instances of one answered describe; one without an id cannot be told apart and is left out."""
    return tuple(_read(raw) for raw in raws if raw.get("InstanceId"))


def _read(raw: Raw) -> TaggedInstance:
    tags = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in raw.get("Tags") or []}
    state = (raw.get("State") or {}).get("Name")
    launched = raw.get("LaunchTime")
    return TaggedInstance(
        instance_id=InstanceId(str(raw["InstanceId"])),
        state=InstanceState(state) if state in set(InstanceState) else InstanceState.UNKNOWN,
        zone=(raw.get("Placement") or {}).get("AvailabilityZone") or "",
        address=str(raw.get("PrivateIpAddress") or raw.get("Ipv6Address") or ""),
        launched=launched.timestamp() if isinstance(launched, datetime) else 0.0,
        name_tag=tags.get(_NAME_TAG, ""),
        rank_tag=tags.get(RANK_TAG, ""),
        eni_ids=tuple(
            EniId(str(one["NetworkInterfaceId"]))
            for one in raw.get("NetworkInterfaces") or []
            if one.get("NetworkInterfaceId")
        ),
    )
