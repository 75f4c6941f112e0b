"""The members that EC2 told last, kept for a start while it does not tell them.

DescribeInstances fails for a whole zone in a disruption: without this file a daemon that is restarted then
would neither serve `/active` nor watch anybody. What EC2 tells later replaces it. A file that cannot be read,
or that another machine wrote, is none; one that cannot be written costs this alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import structlog

from eni_failover.core.policy import InstanceId, Member, MemberName
from eni_failover.files import open_fresh, open_regular

FILE = "members.json"
_LARGEST = 1024 * 1024


def remember(directory: Path, me: InstanceId, members: tuple[Member, ...]) -> None:
    """Write the members, whole or not at all."""
    written = [{"name": one.name, "instance_id": one.instance_id, "address": one.address} for one in members]
    fresh = directory / f".{FILE}.new"
    try:
        with os.fdopen(open_fresh(fresh), "w", encoding="utf-8") as file:
            json.dump({"instance_id": me, "members": written}, file)
        fresh.replace(directory / FILE)
    except OSError as error:
        structlog.get_logger().warning("discovery.cache_write_failed", error=error.strerror or str(error))


def remembered(directory: Path, me: InstanceId) -> tuple[Member, ...]:
    """The members that this machine wrote, itself among them; empty when there are none."""
    try:
        with os.fdopen(open_regular(directory / FILE, os.O_RDONLY), "rb") as file:
            said = json.loads(file.read(_LARGEST))
        members = tuple(
            Member(
                name=MemberName(str(one["name"])),
                instance_id=InstanceId(str(one["instance_id"])),
                address=str(one["address"]),
            )
            for one in said["members"]
        )
        is_ours = said["instance_id"] == me and any(one.instance_id == me for one in members)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ()
    return members if is_ours else ()
