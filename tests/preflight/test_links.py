"""The checks of the links' keepers."""

from __future__ import annotations

import pytest

from eni_failover.adapters.firewalld_conf import Zones
from eni_failover.adapters.link import DetectedMode, LinkMode, Manager
from eni_failover.adapters.networkd_conf import NetworkdSettings
from eni_failover.preflight import links
from eni_failover.preflight.facts import Missed
from tests.preflight.builders import (
    BETA,
    ENI,
    SILENCE,
    alpha,
    attachment,
    beta,
    eni,
    facts,
    kernel_link,
    said,
)


def mode(chosen, manager=None, **of_host):
    found = DetectedMode(mode=chosen, reason="", manager=manager)
    return facts(of_host={"link_mode": found, **of_host})


@pytest.mark.parametrize(
    ("rules", "routes", "expected"),
    [
        (True, True, "removes the daemon's rules and routes whenever it starts"),
        (True, False, "removes the daemon's rules whenever it starts"),
        (False, True, "removes the daemon's routes whenever it starts"),
    ],
)
def test_a_networkd_that_removes_what_others_made_is_a_warning(rules, routes, expected):
    """The remedy names the settings."""
    settings = NetworkdSettings(removes_rules=rules, removes_routes=routes)
    check = links.network_manager(mode(LinkMode.MANAGE, Manager.NETWORKD, networkd=settings))

    assert ("warn", f"systemd-networkd {expected}") == said(check)
    assert "ManageForeignRoutingPolicyRules=no" in check.remedy


def test_a_networkd_that_cannot_be_read_about_is_unknown():
    """This user may not read its configuration."""
    found = mode(LinkMode.MANAGE, Manager.NETWORKD, networkd=Missed(why="Permission denied"))

    assert said(links.network_manager(found)) == ("warn", "unknown: Permission denied")


@pytest.mark.parametrize("manager", [Manager.DHCPCD, Manager.NET_UTILS, Manager.CLOUD_INIT])
def test_another_program_at_the_same_links_is_a_warning(manager):
    """Two programs would set the same link up."""
    check = links.network_manager(mode(LinkMode.MANAGE, manager))

    assert check.result == "warn"
    assert manager.truce == check.remedy


@pytest.mark.parametrize("chosen", [LinkMode.VERIFY, LinkMode.OFF])
def test_a_daemon_that_changes_no_link_disturbs_nobody(chosen):
    """The program that sets links up is named."""
    check = links.network_manager(mode(chosen, Manager.NETWORK_MANAGER))

    assert check.result == "pass"
    assert "NetworkManager" in check.detail


@pytest.mark.parametrize(
    ("chosen", "manager"),
    [(LinkMode.OFF, None), (LinkMode.OFF, Manager.NET_UTILS), (LinkMode.VERIFY, Manager.NETWORKD)],
)
def test_an_eni_in_the_same_subnet_that_nobody_routes_is_a_warning(chosen, manager):
    """Answers would leave by the primary ENI, and EC2 would drop them."""
    check = links.source_routing(mode(chosen, manager))

    assert check.result == "warn"
    assert check.detail.startswith("ENI and primary ENI are in the same subnet: ")
    assert 'mode = "manage"' in check.remedy


@pytest.mark.parametrize(
    ("chosen", "manager", "by"),
    [
        (LinkMode.MANAGE, None, "the daemon adds source rules (mode manage)"),
        (LinkMode.VERIFY, Manager.NET_UTILS, "amazon-ec2-net-utils adds source rules (mode verify)"),
    ],
)
def test_who_routes_by_source_is_told(chosen, manager, by):
    """The mode that handles the same subnet is in the detail."""
    check = links.source_routing(mode(chosen, manager))

    assert ("pass", f"ENI and primary ENI are in the same subnet: {by}") == said(check)


def test_another_subnet_needs_source_routes_as_well():
    """The detail tells the two cases apart."""
    found = mode(LinkMode.OFF)
    apart = facts(
        of_cloud={"instances": (alpha(), beta(subnet_id="subnet-0fedcba9876543210"))},
        of_host={"link_mode": found.host.link_mode},
    )

    assert links.source_routing(apart).detail.startswith("the ENI is in a subnet of its own: ")


def test_a_networkd_that_leaves_the_rest_alone_passes():
    """With the drop-in that this project ships."""
    kept = NetworkdSettings(removes_rules=False, removes_routes=False)
    found = mode(LinkMode.MANAGE, Manager.NETWORKD, networkd=kept)

    assert said(links.network_manager(found)) == (
        "pass",
        "systemd-networkd, which leaves foreign rules and routes alone, and the ENIs' links as well",
    )


KEPT = NetworkdSettings(removes_rules=False, removes_routes=False)
BY = "/usr/lib/systemd/network/80-ec2.network"


def test_a_networkd_that_would_configure_the_link_is_a_warning():
    """The remedy is a command that writes the file with the MACs of the group."""
    found = mode(LinkMode.MANAGE, Manager.NETWORKD, networkd=KEPT, configured_by=BY)
    check = links.network_manager(found)

    assert said(check) == ("warn", f"systemd-networkd configures the ENIs' links by {BY}")
    assert "MACAddress=0a:ff:00:00:00:01" in check.remedy
    assert "Unmanaged=yes" in check.remedy


def test_both_faults_of_a_networkd_are_named():
    """With both remedies."""
    settings = NetworkdSettings(removes_rules=True, removes_routes=False)
    found = mode(LinkMode.MANAGE, Manager.NETWORKD, networkd=settings, configured_by=BY)
    check = links.network_manager(found)

    assert check.detail == (
        "systemd-networkd removes the daemon's rules whenever it starts"
        f" and configures the ENIs' links by {BY}"
    )
    assert "ManageForeignRoutes=no" in check.remedy
    assert "Unmanaged=yes" in check.remedy


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("NetworkManager", ("warn", "NetworkManager configures the ENIs' links as well")),
        ("", ("pass", "NetworkManager, which leaves the ENIs' links alone")),
        (Missed(why="Permission denied"), ("warn", "unknown: Permission denied")),
    ],
)
def test_network_manager_is_told_by_a_file_of_its_own(by, expected):
    """The remedy is the command that writes it."""
    check = links.network_manager(mode(LinkMode.MANAGE, Manager.NETWORK_MANAGER, configured_by=by))

    assert said(check) == expected
    assert ("unmanaged-devices+=mac:0a:ff:00:00:00:01" in check.remedy) == (by == "NetworkManager")


HERE = {"enis": (eni(of_eni={"attachment": attachment(BETA)}),)}


@pytest.mark.parametrize(
    ("of_cloud", "alike", "result"),
    [
        ({}, (), "pass"),
        ({}, (kernel_link("br0", "bridge"),), "warn"),
        (HERE, (kernel_link("ens6"),), "pass"),
        (HERE, (kernel_link("ens6"), kernel_link("br0", "bridge")), "pass"),
        (HERE, (kernel_link("ens6"), kernel_link("veth0", "veth")), "warn"),
    ],
)
def test_a_link_with_the_enis_mac_that_is_not_the_eni_is_a_warning(of_cloud, alike, result):
    """While the ENI is elsewhere no link has it; while it is here, itself and what is on top of it."""
    check = links.mac_shared(facts(of_cloud=of_cloud, of_host={"alike": {ENI: alike}}))

    assert check.result == result
    assert all(link.name in check.detail for link in alike if result == "warn")


def test_links_that_cannot_be_read_are_unknown():
    """Where netlink is forbidden."""
    assert said(links.mac_shared(facts(of_host={"alike": SILENCE})))[0] == "warn"


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        (None, ("pass", "firewalld does not run")),
        (
            Zones(default="public", links={"public": ("ens5",)}),
            ("pass", "a new link gets firewalld's default zone public, as all others do"),
        ),
        (
            Zones(default="drop", links={"public": ("ens5",)}),
            ("warn", "a new link gets firewalld's default zone drop, others are bound: ens5 in public"),
        ),
        (Missed(why="Permission denied"), ("warn", "unknown: Permission denied")),
    ],
)
def test_a_new_link_that_gets_another_zone_is_a_warning(zones, expected):
    """The remedy says how a link gets into a zone."""
    check = links.firewall(facts(of_host={"zones": zones}))

    assert said(check) == expected
    assert ("--add-interface=" in check.remedy) == (check.result == "warn")
