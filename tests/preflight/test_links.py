"""The checks of the links' keepers."""

from __future__ import annotations

import pytest

from eni_failover.adapters.link import DetectedMode, LinkMode, Manager
from eni_failover.adapters.networkd_conf import NetworkdSettings
from eni_failover.preflight import links
from eni_failover.preflight.facts import Missed
from tests.preflight.builders import alpha, beta, facts, said


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


@pytest.mark.parametrize("manager", [Manager.NETWORK_MANAGER, Manager.NET_UTILS, Manager.CLOUD_INIT])
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
        "systemd-networkd, which leaves foreign rules and routes alone",
    )
