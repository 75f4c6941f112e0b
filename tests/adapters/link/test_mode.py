"""What mode `auto` means, by the MACs of the kernel and by files of network managers."""

from pathlib import Path

import pytest

from eni_failover.adapters.link.mode import LinkMode, Manager, decide_mode

OWN = ["02:00:00:00:00:0A"]
NET_UTILS = "usr/lib/systemd/system/policy-routes@.service"
HOTPLUG = "etc/udev/rules.d/90-cloud-init-hook-hotplug.rules"


def host(root: Path, *paths: str) -> Path:
    """A host's files below `root`."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize("kernel", [[], ["02:42:ac:11:00:02"]])
def test_a_kernel_without_the_instances_enis_is_not_watched(tmp_path, kernel):
    """A container without the host's network shows other MACs; the reason says so."""
    detected = decide_mode(own_macs=OWN, kernel_macs=kernel, root=host(tmp_path, NET_UTILS))

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
        (["run/NetworkManager"], Manager.NETWORK_MANAGER),
        (["run/systemd/netif/links"], Manager.NETWORKD),
        ([], None),
    ],
)
def test_the_manager_that_owns_new_links_is_named(tmp_path, paths, manager):
    """The one on top is named: it uses the ones below."""
    detected = decide_mode(own_macs=OWN, kernel_macs=["02:00:00:00:00:0a"], root=host(tmp_path, *paths))

    assert (detected.mode, detected.manager) == (LinkMode.VERIFY, manager)
    assert (manager or "no program") in detected.reason


def test_a_masked_unit_is_no_manager(tmp_path):
    """`systemctl mask` leaves the unit in place and a link to /dev/null above it."""
    root = host(tmp_path, NET_UTILS, "run/systemd/netif/links")
    masked = root / "etc/systemd/system/policy-routes@.service"
    masked.parent.mkdir(parents=True)
    masked.symlink_to("/dev/null")

    detected = decide_mode(own_macs=OWN, kernel_macs=OWN, root=root)

    assert detected.manager is Manager.NETWORKD
