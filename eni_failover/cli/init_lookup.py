"""What EC2 and IMDS say about a group that is to be set up.

Owns which call completes which part of a draft. Guesses nothing: several zones, or too few members, are
errors that say what to write.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace

from eni_failover import __version__
from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.ec2_details import EniDetail, find_instance
from eni_failover.adapters.ec2_inspection import Ec2Inspection
from eni_failover.adapters.imds import Identity, Imds
from eni_failover.cli.init_text import Draft, DraftMember, UnknownError
from eni_failover.config.schema import AwsTable, DiscoveryTable
from eni_failover.core.policy import EniId, InstanceId
from eni_failover.discovery import members_of
from eni_failover.errors import AdapterError

_TAG = DiscoveryTable().tag


async def complete(wish: Draft) -> Draft:
    """The wish with all that was not written. Raises UnknownError."""
    here, silence = await _here()
    aws = AwsTable()
    ec2 = Ec2(
        region=here.region if here else None,
        group=wish.group or "new",
        version=__version__,
        connect_timeout=aws.connect_timeout,
        read_timeout=aws.read_timeout,
        on_request=lambda _: None,
    )
    try:
        await ec2.warm()
        return await _complete(wish, here, silence, ec2)
    except AdapterError as error:
        raise UnknownError(f"EC2 cannot be asked for what no option says: {error}") from error
    finally:
        ec2.close()


async def _here() -> tuple[Identity | None, str]:
    """This instance, or why it is not known; an operator's own machine is none."""
    try:
        return await Imds(os.environ).identity(), ""
    except AdapterError as error:
        return None, str(error)


async def _complete(wish: Draft, here: Identity | None, silence: str, ec2: Ec2) -> Draft:
    inspection = ec2.inspection()
    group = wish.group or (wish.tag[1] if wish.tag else await _own_group(here, silence, inspection))
    tag = wish.tag or (_TAG, group)
    if wish.enis:
        shown = await inspection.enis([EniId(one) for one in wish.enis])
        _all_shown("--eni", "ENI", wish.enis, {one.eni.eni_id for one in shown}, ec2)
    enis = wish.enis or await _tagged_enis(tag, inspection)
    members = wish.members
    if not members:
        members = await _tagged_members(tag, enis, here, ec2)
    elif any(not one.address for one in members):
        members = await _with_addresses(members, ec2)
    return replace(wish, group=group, tag=tag, enis=enis, members=members)


def _all_shown(option: str, what: str, written: Sequence[str], shown: Collection[str], ec2: Ec2) -> None:
    """Raises UnknownError when EC2 does not show what an option names."""
    unknown = [one for one in written if one not in shown]
    if unknown:
        where = ec2.inspection().endpoint.region
        raise UnknownError(
            f"{option} {', '.join(unknown)}: EC2 shows no such {what} in {where}: is it the right id,"
            " region (AWS_REGION) and account?"
        )


async def _own_group(here: Identity | None, silence: str, inspection: Ec2Inspection) -> str:
    """The group that this instance's tag names."""
    if here is None:
        raise UnknownError(f"the group has no name: write --group ({silence})")
    own = find_instance(await inspection.instances([here.instance_id]), here.instance_id)
    group = own.tags.get(_TAG, "") if own else ""
    if not group:
        raise UnknownError(f"the group has no name: write --group, or tag {here.instance_id} with {_TAG}")
    return group


async def _tagged_enis(tag: tuple[str, str], inspection: Ec2Inspection) -> tuple[str, ...]:
    """The ENIs with the tag that can move, by their Name tag."""
    found = [one for one in await inspection.tagged_enis(*tag) if one.eni.unmovable is None]
    if not found:
        raise UnknownError(f"no ENI that can move has the tag {'='.join(tag)}: write --eni")
    return tuple(one.eni.eni_id for one in sorted(found, key=_by_name))


def _by_name(one: EniDetail) -> tuple[str, str]:
    return one.tags.get("Name", ""), one.eni.eni_id


async def _tagged_members(
    tag: tuple[str, str], enis: tuple[str, ...], here: Identity | None, ec2: Ec2
) -> tuple[DraftMember, ...]:
    """The instances with the tag, in the order and by the names that [discovery] would give them."""
    eni_ids = [EniId(one) for one in enis]
    zones = {one.eni.zone for one in await ec2.inspection().enis(eni_ids)}
    zone = zones.pop() if len(zones) == 1 else here.zone if here else ""
    found = await ec2.describe_tagged(*tag)
    members = members_of(found, zone=zone, eni_ids=eni_ids)
    if len(members) < 2:
        shown = ", ".join(one.instance_id for one in members) or "none"
        where = f" in {zone}" if zone else ""
        raise UnknownError(
            f"a group has two members or more, with the tag {'='.join(tag)}{where} is {shown}: write --member"
        )
    return tuple(
        DraftMember(name=one.name, instance_id=one.instance_id, address=one.address) for one in members
    )


async def _with_addresses(members: tuple[DraftMember, ...], ec2: Ec2) -> tuple[DraftMember, ...]:
    """Each member with the first address of its primary ENI, unless it has one."""
    asked = [one.instance_id for one in members if not one.address]
    found = await ec2.inspection().instances([InstanceId(one) for one in asked])
    _all_shown("--member", "instance", asked, {one.instance.instance_id for one in found}, ec2)

    def addressed(member: DraftMember) -> DraftMember:
        if member.address:
            return member
        instance = find_instance(found, InstanceId(member.instance_id))
        if instance is None or instance.primary is None or not instance.primary.addresses:
            raise UnknownError(
                f"EC2 shows no address of {member.instance_id}: write --member {member.name}=...@ADDRESS"
            )
        return replace(member, address=instance.primary.addresses[0])

    return tuple(addressed(one) for one in members)
