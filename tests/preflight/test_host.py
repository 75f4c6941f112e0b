"""Asking this host: what is put together, and from where."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from eni_failover.adapters.firewalld_conf import Zones
from eni_failover.adapters.link import DetectedMode, LinkMode, Manager
from eni_failover.adapters.networkd_conf import NetworkdSettings
from eni_failover.config import NetworkMode, NetworkSettings
from eni_failover.errors import TransientError
from eni_failover.preflight import disk, host
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.facts import LockState, Missed
from tests.preflight.builders import BETA, ENI, FILE, SILENCE, attachment, config, eni, facts


def network(mode: NetworkMode, **changes):
    settings = NetworkSettings(mode=mode, path_check=False, ipv6_router="")
    return replace(config(FILE.split("[[probe]]")[0]), network=settings, **changes)


def chosen(file, root, cloud=None, **options):
    cloud = cloud or facts().cloud
    return asyncio.run(
        host.link_mode(file, file.members[1], cloud, **{"may_manage": True, "root": root, **options})
    )


def test_a_written_mode_is_taken(tmp_path):
    """With the manager that is there all the same."""
    (tmp_path / "run" / "systemd" / "netif" / "links").mkdir(parents=True)
    found = chosen(network(NetworkMode.MANAGE), tmp_path)

    assert (found.mode, found.manager) == (LinkMode.MANAGE, Manager.NETWORKD)


def test_auto_is_decided_as_the_daemon_does(tmp_path):
    """This kernel shows none of the instance's MACs: links are not watched."""
    assert chosen(network(NetworkMode.AUTO), tmp_path).mode is LinkMode.OFF


def test_auto_without_the_instances_macs_is_missed(tmp_path):
    """EC2 has not told them."""
    silent = replace(facts().cloud, instances=Missed(why="EC2 did not answer"))

    assert isinstance(chosen(network(NetworkMode.AUTO), tmp_path, silent), Missed)


def test_the_holder_is_whoever_has_the_first_eni():
    """A member, or nobody that is known."""
    cloud = facts().cloud
    foreign = replace(cloud, enis=(eni(of_eni={"attachment": attachment("i-1")}),))
    free = replace(cloud, enis=(eni(of_eni={"attachment": None}),))
    mine = replace(cloud, enis=(eni(of_eni={"attachment": attachment(BETA)}),))

    found = [host.holder_in(config(), one) for one in (cloud, mine, foreign, free)]

    assert [None if one is None else one.name for one in found] == ["alpha", "beta", None, None]


def test_a_disk_that_hangs_is_told(monkeypatch, tmp_path):
    """Within the deadline, and without another thread the next time."""
    let_go = threading.Event()
    monkeypatch.setattr(host, "DISK_WITHIN", 0.05)
    monkeypatch.setattr(disk, "look", lambda *_, **__: let_go.wait(30))
    file = network(NetworkMode.OFF, state_directory=tmp_path)
    try:
        found = asyncio.run(host.state_directory(file, Aside(), daemon_answers=True))
    finally:
        let_go.set()

    assert found.problem == "the disk did not answer within 0.05 s"


def test_a_daemon_looks_at_what_its_parts_do_not_know(tmp_path):
    """Neither probes nor places: it runs the ones and holds the others."""
    file = network(NetworkMode.OFF, state_directory=tmp_path)
    peers = facts().host.peers
    found = asyncio.run(
        host.for_daemon(
            file,
            file.members[1],
            facts().cloud,
            may_manage=False,
            peers=peers,
            looking=Aside(),
            root=tmp_path,
        )
    )

    assert (found.probes, found.listen, found.control) == (None, None, None)
    assert (found.peers, found.disk.lock) == (peers, LockState.OURS)
    assert found.networkd == NetworkdSettings()


def test_links_that_the_kernel_does_not_show_are_missed(tmp_path, monkeypatch):
    """Where netlink is forbidden, the mode is not known."""

    async def refuse(*_, **__):
        raise TransientError("netlink: Operation not permitted")

    monkeypatch.setattr(host, "detect_mode", refuse)

    assert chosen(network(NetworkMode.AUTO), tmp_path) == Missed(why="netlink: Operation not permitted")


def test_what_networkd_is_told_is_read(tmp_path, monkeypatch):
    """Whether or not it runs; a file that this user may not read is told."""
    conf = tmp_path / "etc" / "systemd" / "networkd.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("[Network]\nManageForeignRoutes=no\n")
    good = host.networkd(tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(conf), "read_text", refuse)

    assert good == NetworkdSettings(removes_rules=True, removes_routes=False)
    assert host.networkd(tmp_path) == Missed(why="networkd.conf: [Errno 13] Permission denied")


def detected(manager):
    return DetectedMode(mode=LinkMode.MANAGE, reason="", manager=manager)


def test_what_would_configure_the_link_is_found(tmp_path):
    """By the files of the manager that was found, for the MACs that EC2 tells."""
    path = tmp_path / "etc/systemd/network/80-all.network"
    cloud, by_networkd = facts().cloud, detected(Manager.NETWORKD)
    nothing = host.configured_by(by_networkd, cloud, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("[Match]\nName=e*\n")

    assert nothing == ""
    assert host.configured_by(by_networkd, cloud, tmp_path) == f"/{path.relative_to(tmp_path)}"
    assert host.configured_by(detected(Manager.NETWORK_MANAGER), cloud, tmp_path) == "NetworkManager"
    assert host.configured_by(detected(None), cloud, tmp_path) == ""
    assert host.configured_by(SILENCE, cloud, tmp_path) == ""


def test_without_ec2_it_is_not_known_what_would_configure_the_link(tmp_path):
    """The MACs are EC2's."""
    cloud = facts(of_cloud={"enis": SILENCE}).cloud

    assert isinstance(host.configured_by(detected(Manager.NETWORKD), cloud, tmp_path), Missed)


def test_a_file_that_may_not_be_read_is_missed(tmp_path):
    """Of another user than root."""
    path = tmp_path / "etc/NetworkManager/conf.d/eni.conf"
    path.parent.mkdir(parents=True)
    path.write_text("")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(path), "read_text", refuse)
        found = host.configured_by(detected(Manager.NETWORK_MANAGER), facts().cloud, tmp_path)

    assert found == Missed(why="NetworkManager: [Errno 13] Permission denied")


def test_zones_are_read_where_firewalld_runs(tmp_path):
    """Its control group shows that."""
    without = host.zones(tmp_path)
    (tmp_path / "sys/fs/cgroup/system.slice/firewalld.service").mkdir(parents=True)
    unread = host.zones(tmp_path)
    (tmp_path / "etc/firewalld").mkdir(parents=True)
    (tmp_path / "etc/firewalld/firewalld.conf").write_text("DefaultZone=drop\n")

    assert without is None
    assert isinstance(unread, Missed)
    assert host.zones(tmp_path) == Zones(default="drop", links={})


def test_links_with_the_macs_of_the_enis_are_looked_for():
    """None of this machine has one; mode "off" does not ask."""
    watched = asyncio.run(host.links_alike(network(NetworkMode.MANAGE), facts().cloud))
    off = asyncio.run(host.links_alike(network(NetworkMode.OFF), facts().cloud))

    assert (watched, off) == ({ENI: ()}, {})


def test_links_that_cannot_be_read_are_missed(monkeypatch):
    """Where netlink is forbidden."""

    async def refuse(*_, **__):
        raise TransientError("netlink: Operation not permitted")

    monkeypatch.setattr(host, "links_with", refuse)

    found = asyncio.run(host.links_alike(network(NetworkMode.MANAGE), facts().cloud))

    assert found == Missed(why="netlink: Operation not permitted")
