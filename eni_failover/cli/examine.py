"""Gathering, for one command, what the checks judge: who this is, what EC2 says, what this host says.

Owns the order, and the life of the EC2 client. Judges nothing. Works beside a daemon and without one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from eni_failover import __version__
from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.ec2_details import EniDetail
from eni_failover.adapters.imds import Identity as ImdsIdentity
from eni_failover.adapters.imds import Imds
from eni_failover.config import Config
from eni_failover.core.policy import MemberName
from eni_failover.discovery import members_of
from eni_failover.errors import AdapterError, ConfigError, TransientError
from eni_failover.preflight import cloud, host
from eni_failover.preflight.facts import Cloud, Facts, Identity, Maybe, Missed


async def examine(
    config: Config, *, named: MemberName | None, env: Mapping[str, str], wall: Callable[[], float] = time.time
) -> Facts:
    """Everything that can be found out. Raises ConfigError when IMDS contradicts the name.

    `named` is this member's name, where it is given; `wall` is Unix seconds.
    """
    imds = Imds(env)
    said = await _identity(imds)
    region = None if isinstance(said, Missed) else said.region
    ec2 = make_ec2(config, region)
    try:
        problem, until = await _warm(ec2)
        if problem is None and config.discovery is not None:
            config = await _with_members(config, ec2, said)
        identity = who(config, said, named)
        found = await _cloud(config, identity, ec2, imds, problem=problem, until=until, wall=wall)
    finally:
        ec2.close()
    me = None if isinstance(identity, Missed) else identity.member
    return Facts(
        config=config,
        identity=identity,
        cloud=found,
        host=await host.for_command(config, me, found),
        wall=wall(),
    )


async def look_at_enis(config: Config, region: str | None) -> Maybe[tuple[EniDetail, ...]]:
    """The ENIs of the group as EC2 shows them now, and nothing else."""
    ec2 = make_ec2(config, region)
    try:
        await ec2.warm()
        return await ec2.inspection().enis(config.eni_ids)
    except AdapterError as error:
        return cloud.missed(error)
    finally:
        ec2.close()


def make_ec2(config: Config, region: str | None) -> Ec2:
    """An EC2 client of a command: nobody counts its requests."""
    return Ec2(
        region=region,
        group=config.group,
        version=__version__,
        connect_timeout=config.aws.connect_timeout,
        read_timeout=config.aws.read_timeout,
        on_request=lambda _: None,
    )


def who(config: Config, said: Maybe[ImdsIdentity], named: MemberName | None) -> Maybe[Identity]:
    """Which member this is. Raises ConfigError for a name that no member has, or another one has by IMDS."""
    wanted = next((one for one in config.members if one.name == named), None)
    if named is not None and wanted is None:
        known = ", ".join(one.name for one in config.members) or "none"
        raise ConfigError(f"--member {named}: {config.path} has no such member, only {known}")
    if isinstance(said, Missed):
        if wanted is None:
            return said
        return Identity(instance_id=wanted.instance_id, member=wanted, named=True)
    here = next((one for one in config.members if one.instance_id == said.instance_id), None)
    if wanted is not None and wanted != here:
        what = f"is {here.name}" if here else "is not a member"
        raise ConfigError(f"--member {named}: this instance, {said.instance_id}, {what} of {config.group}")
    return Identity(instance_id=said.instance_id, member=here)


async def _identity(imds: Imds) -> Maybe[ImdsIdentity]:
    try:
        return await imds.identity()
    except AdapterError as error:
        return cloud.missed(error)


async def _warm(ec2: Ec2) -> tuple[Missed | None, Maybe[float | None]]:
    """What keeps EC2 from being asked at all, and until when the credentials are good."""
    try:
        await ec2.warm()
    except TransientError as error:
        return None, cloud.missed(error)
    except AdapterError as error:
        return cloud.missed(error), cloud.missed(error)
    return None, ec2.credentials_expiry


async def _with_members(config: Config, ec2: Ec2, said: Maybe[ImdsIdentity]) -> Config:
    """With [discovery]: the members that EC2 tells now, as a daemon that started here would see them."""
    if config.discovery is None or isinstance(said, Missed):
        return config
    try:
        found = await ec2.describe_tagged(config.discovery.tag, config.group)
    except AdapterError:
        return config  # the checks that ask the same say why
    return replace(config, members=members_of(found, zone=said.zone, eni_ids=config.eni_ids))


async def _cloud(
    config: Config,
    identity: Maybe[Identity],
    ec2: Ec2,
    imds: Imds,
    *,
    problem: Missed | None,
    until: Maybe[float | None],
    wall: Callable[[], float],
) -> Cloud:
    if problem is not None:
        return cloud.nothing(problem, credentials_until=until, listed=await cloud.interfaces(imds))
    me = None if isinstance(identity, Missed) else identity.member
    return await cloud.gather(
        cloud.Asked(
            ec2=ec2.inspection(wall=wall),
            imds=imds,
            config=config,
            me=me,
            credentials_until=until,
            tried=config.eni_ids,
            stopped=cloud.to_stop(config, me),
            gate=asyncio.Semaphore(cloud.SIDE_BY_SIDE),
        )
    )
