"""What mode `auto` means, by the MACs of the kernel and by files of network managers."""

from pathlib import Path

import pytest

from eni_failover.adapters.link.mode import LinkMode, Manager, decide_mode

OWN = ["02:00:00:00:00:0A"]
NET_UTILS = "usr/lib/systemd/system/policy-routes@.service"
CLOUD_SETUP = "etc/systemd/system/timers.target.wants/nm-cloud-setup.timer"
HOTPLUG = "etc/udev/rules.d/90-cloud-init-hook-hotplug.rules"


def host(root: Path, *paths: str) -> Path:
    """A host's files below `root`."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def detect(root: Path, *, kernel=("02:00:00:00:00:0a",), may_manage=True):
    return decide_mode(own_macs=OWN, kernel_macs=kernel, may_manage=may_manage, root=root)


@pytest.mark.parametrize("kernel", [[], ["02:42:ac:11:00:02"]])
def test_a_kernel_without_the_instances_enis_is_not_watched(tmp_path, kernel):
    """A container without the host's network shows other MACs; the reason says so."""
    detected = detect(host(tmp_path, NET_UTILS), kernel=kernel)

    assert (detected.mode, detected.manager) == (LinkMode.OFF, None)
    assert "none of the instance's own ENIs" in detected.reason


@pytest.mark.parametrize(
    ("paths", "manager"),
    [
        ([NET_UTILS, "run/systemd/netif/links"], Manager.NET_UTILS),
        (["lib/systemd/system/policy-routes@.service"], Manager.NET_UTILS),
        (["etc/udev/rules.d/53-ec2-network-interfaces.rules"], Manager.NET_UTILS),
        ([HOTPLUG, "run/systemd/netif/links"], Manager.CLOUD_INIT),
        (["var/lib/cloud/hotplug.enabled", "run/NetworkManager"], Manager.CLOUD_INIT),
        ([CLOUD_SETUP, "run/NetworkManager"], Manager.NM_CLOUD_SETUP),
    ],
)
def test_what_routes_new_links_by_source_is_left_to_it(tmp_path, paths, manager):
    """The one on top is named: it uses the ones below."""
    detected = detect(host(tmp_path, *paths))

    assert (detected.mode, detected.manager) == (LinkMode.VERIFY, manager)
    assert manager in detected.reason


@pytest.mark.parametrize(
    ("paths", "manager"),
    [
        (["run/NetworkManager"], Manager.NETWORK_MANAGER),
        (["run/systemd/netif/links"], Manager.NETWORKD),
        ([], None),
    ],
)
def test_where_nobody_routes_by_source_the_daemon_does(tmp_path, paths, manager):
    """A DHCP client gives an address and no rule: packets would leave by the primary ENI."""
    detected = detect(host(tmp_path, *paths))

    assert (detected.mode, detected.manager) == (LinkMode.MANAGE, manager)
    assert "this daemon sets links up" in detected.reason


def test_without_the_privilege_links_are_only_watched(tmp_path):
    """The reason names what is missing."""
    detected = detect(tmp_path, may_manage=False)

    assert detected.mode is LinkMode.VERIFY
    assert "CAP_NET_ADMIN" in detected.reason


def test_a_masked_unit_is_no_manager(tmp_path):
    """`systemctl mask` leaves the unit in place and a link to /dev/null above it."""
    root = host(tmp_path, NET_UTILS, "run/systemd/netif/links")
    masked = root / "etc/systemd/system/policy-routes@.service"
    masked.parent.mkdir(parents=True)
    masked.symlink_to("/dev/null")

    assert detect(root).manager is Manager.NETWORKD


@pytest.mark.parametrize("tree", ["sys/fs/cgroup", "sys/fs/cgroup/systemd", "sys/fs/cgroup/unified"])
@pytest.mark.parametrize(
    ("unit", "sign", "manager"),
    [
        ("systemd-networkd.service", "run/systemd/netif/links", Manager.NETWORKD),
        ("NetworkManager.service", "run/NetworkManager", Manager.NETWORK_MANAGER),
        ("dhcpcd.service", "run/dhcpcd", Manager.DHCPCD),
    ],
)
def test_a_service_that_does_not_run_is_no_manager(tmp_path, tree, unit, sign, manager):
    """What it leaves below /run stays after a stop; its control group does not."""
    root = host(tmp_path, sign)
    (root / tree / "system.slice").mkdir(parents=True)
    stopped = detect(root).manager
    (root / tree / "system.slice" / unit).mkdir()

    assert (stopped, detect(root).manager) == (None, manager)


def test_an_enabled_timer_counts_wherever_its_link_leads(tmp_path):
    """A unit is enabled by a link to an absolute path, which another root does not have."""
    wanted = tmp_path / CLOUD_SETUP
    wanted.parent.mkdir(parents=True)
    wanted.symlink_to("/usr/lib/systemd/system/no-such.timer")

    assert detect(tmp_path).manager is Manager.NM_CLOUD_SETUP


def test_every_manager_has_a_truce():
    """The remedy of a repair that has to be made again and again."""
    assert "ManageForeignRoutingPolicyRules=no" in Manager.NETWORKD.truce
    assert all(manager.truce for manager in Manager)
