"""Asking this host and the other members.

Owns the gathering of `Host`: for the command everything, for a running daemon what its own parts do not
know already. Judges nothing; nothing raises, every wait is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from eni_failover.adapters.ec2_details import find_instance
from eni_failover.adapters.firewalld_conf import Zones, read_zones
from eni_failover.adapters.link import (
    DetectedMode,
    KernelLink,
    LinkMode,
    LinkSurvey,
    Manager,
    detect_mode,
    find_manager,
    is_running,
    links_with,
    survey,
)
from eni_failover.adapters.networkd_conf import NetworkdSettings, read_settings
from eni_failover.adapters.unmanaged import network_manager_leaves, networkd_file
from eni_failover.config import Config, NetworkMode
from eni_failover.core.model import Peer
from eni_failover.core.policy import EniId, Member
from eni_failover.errors import AdapterError
from eni_failover.preflight import commands, disk, places, probing
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.cloud import missed
from eni_failover.preflight.facts import Cloud, Disk, Host, LockState, Maybe, Missed, PortState, ProgramFact
from eni_failover.preflight.neighbours import ask_peers

DISK_WITHIN = 5.0

_WRITTEN = {
    NetworkMode.OFF: LinkMode.OFF,
    NetworkMode.VERIFY: LinkMode.VERIFY,
    NetworkMode.MANAGE: LinkMode.MANAGE,
}


async def for_command(config: Config, me: Member | None, cloud: Cloud, *, root: Path = Path("/")) -> Host:
    """Everything, for a process beside a daemon or without one. The unit is taken to give CAP_NET_ADMIN."""
    holder = holder_in(config, cloud)
    async with asyncio.TaskGroup() as group:
        mode = group.create_task(link_mode(config, me, cloud, may_manage=True, root=root))
        alike = group.create_task(links_alike(config, cloud))
        peers = group.create_task(ask_peers(config, me))
        probes = group.create_task(probing.ask_all(config.probes, me=me, holder=holder))
        control = group.create_task(places.control(config))
        programs = group.create_task(named_programs(config))
        listen = None if me is None else group.create_task(places.http(config, me))
    return Host(
        link_mode=mode.result(),
        networkd=networkd(root),
        links=await links(mode.result(), cloud),
        configured_by=configured_by(mode.result(), cloud, root),
        zones=zones(root),
        alike=alike.result(),
        peers=peers.result(),
        disk=await state_directory(config, Aside(), daemon_answers=control.result().state is PortState.OURS),
        probes=probes.result(),
        listen=None if listen is None else listen.result(),
        control=control.result(),
        programs=programs.result(),
    )


async def for_daemon(
    config: Config,
    me: Member,
    cloud: Cloud,
    *,
    may_manage: bool,
    peers: tuple[Peer, ...],
    looking: Aside[Disk],
    root: Path = Path("/"),
) -> Host:
    """What a daemon's probes, peers and servers do not tell already."""
    mode = await link_mode(config, me, cloud, may_manage=may_manage, root=root)
    return Host(
        link_mode=mode,
        networkd=networkd(root),
        links=await links(mode, cloud),
        configured_by=configured_by(mode, cloud, root),
        zones=zones(root),
        alike=await links_alike(config, cloud),
        peers=peers,
        disk=await state_directory(config, looking, daemon_answers=True),
        programs=await named_programs(config),
    )


def holder_in(config: Config, cloud: Cloud) -> Member | None:
    """The member that has the group's first ENI, as far as EC2 has told."""
    if isinstance(cloud.enis, Missed) or not cloud.enis or cloud.enis[0].eni.attachment is None:
        return None
    instance_id = cloud.enis[0].eni.attachment.instance_id
    return next((one for one in config.members if one.instance_id == instance_id), None)


async def state_directory(config: Config, looking: Aside[Disk], *, daemon_answers: bool) -> Disk:
    """The state directory, or that the disk hangs."""
    directory = config.state_directory
    try:
        return await looking.run(
            lambda: disk.look(directory, daemon_answers=daemon_answers), within=DISK_WITHIN
        )
    except TimeoutError:
        return Disk(
            path=directory,
            exists=True,
            is_ours=True,
            free_bytes=None,
            write_seconds=None,
            lock=LockState.FREE,
            problem=f"the disk did not answer within {DISK_WITHIN:g} s",
        )


async def named_programs(config: Config) -> Maybe[tuple[ProgramFact, ...]]:
    """The programs of hooks and exec probes, or that a file system hangs."""
    looking: Aside[tuple[ProgramFact, ...]] = Aside()
    try:
        return await looking.run(lambda: commands.look(config), within=DISK_WITHIN)
    except TimeoutError:
        return Missed(why=f"a file system did not answer within {DISK_WITHIN:g} s")


async def link_mode(
    config: Config, me: Member | None, cloud: Cloud, *, may_manage: bool, root: Path
) -> Maybe[DetectedMode]:
    """What would be done about links here, as the daemon would choose it."""
    written = _WRITTEN.get(config.network.mode)
    if written is not None:
        reason = f'[network] mode = "{written}"'
        return DetectedMode(mode=written, reason=reason, manager=find_manager(root))
    own = None
    if me is not None and not isinstance(cloud.instances, Missed):
        own = find_instance(cloud.instances, me.instance_id)
    if own is None:
        return Missed(why="the MACs of this instance's ENIs are not known")
    try:
        return await detect_mode([one.mac for one in own.interfaces], may_manage=may_manage, root=root)
    except AdapterError as error:
        return missed(error)


def networkd(root: Path) -> Maybe[NetworkdSettings]:
    """What systemd-networkd is told, whether or not it runs."""
    try:
        return read_settings(root)
    except OSError as error:
        return Missed(why=f"networkd.conf: {error}")


async def links(mode: Maybe[DetectedMode], cloud: Cloud) -> Maybe[LinkSurvey] | None:
    """What the kernel does with the ENIs' links; None where links are not watched."""
    if isinstance(mode, Missed):
        return mode
    if mode.mode is LinkMode.OFF:
        return None
    if isinstance(cloud.enis, Missed):
        return cloud.enis
    try:
        return await survey([detail.eni for detail in cloud.enis])
    except AdapterError as error:
        return missed(error)


def configured_by(mode: Maybe[DetectedMode], cloud: Cloud, root: Path) -> Maybe[str]:
    """What would have the manager found here configure the link of an ENI; "" for nothing."""
    manager = None if isinstance(mode, Missed) else mode.manager
    if manager not in {Manager.NETWORKD, Manager.NETWORK_MANAGER}:
        return ""
    if isinstance(cloud.enis, Missed):
        return Missed(why="the MACs of the ENIs are not known")
    try:
        for detail in cloud.enis:
            if manager is Manager.NETWORKD and (file := networkd_file(detail.eni.mac, root)):
                return f"/{file.relative_to(root)}"
            if manager is Manager.NETWORK_MANAGER and not network_manager_leaves(detail.eni.mac, root):
                return str(manager)
    except OSError as error:
        return Missed(why=f"{manager}: {error}")
    return ""


def zones(root: Path) -> Maybe[Zones | None]:
    """The zones of firewalld, where it runs."""
    if not is_running("firewalld.service", root):
        return None
    try:
        return read_zones(root)
    except OSError as error:
        return Missed(why=f"firewalld's zones: {error}")


async def links_alike(config: Config, cloud: Cloud) -> Maybe[Mapping[EniId, tuple[KernelLink, ...]]]:
    """The links with the MAC of each ENI; mode "off" asks for none."""
    if config.network.mode is NetworkMode.OFF or isinstance(cloud.enis, Missed):
        return {}
    try:
        found = await links_with(detail.eni.mac for detail in cloud.enis)
    except AdapterError as error:
        return missed(error)
    return {detail.eni.eni_id: found[detail.eni.mac] for detail in cloud.enis}
