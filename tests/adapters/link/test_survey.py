"""What a check asks the kernel about links that are here, and those that are to come."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.adapters.link.survey import LinkSurvey, survey
from eni_failover.core.model import Eni
from tests.adapters.link.hosts import ENI, HOST, IPV6, LINK, ip

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
    ),
]


def switch_off_ipv6(link: str) -> None:
    Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").write_text("1")


def surveyed(inside, commands: str, eni: Eni = ENI, sysctl: str = "") -> LinkSurvey:
    async def main() -> LinkSurvey:
        ip(commands)
        if sysctl:
            switch_off_ipv6(sysctl)
        return await survey([eni])

    return inside(main)


def test_a_host_in_health_has_nothing_to_say(inside):
    """The standby, and the holder."""
    well = LinkSurvey(carried=frozenset({4, 6}), routed=frozenset({4, 6}))

    assert surveyed(inside, HOST) == well


def test_a_holder_in_health_has_nothing_to_say(inside):
    """Its link is here, with rules and routes of its own."""
    well = LinkSurvey(carried=frozenset({4, 6}), routed=frozenset({4, 6}))

    assert surveyed(inside, HOST + LINK + IPV6) == well


@pytest.mark.parametrize(("sysctl", "carried"), [("all", {4}), ("default", {4}), ("eth0", {4, 6})])
def test_ipv6_that_is_switched_off_for_new_links_is_known_beforehand(inside, sysctl, carried):
    """Another link's own switch says nothing."""
    assert surveyed(inside, HOST, sysctl=sysctl).carried == carried


def test_a_family_that_does_not_serve_beside_one_that_does_is_named(inside):
    """The IPv6 address has no rule."""
    assert surveyed(inside, HOST + LINK).silent == {"eni-1": "IPv6 address rule"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("rule add lookup main priority 100", ("100: from all lookup main (IPv4)",)),
        ("-6 rule add lookup main priority 100", ("100: from all lookup main (IPv6)",)),
        (
            "rule add lookup main suppress_prefixlength 0 priority 100",
            ("100: from all lookup main (IPv4)",),
        ),
        ("rule add lookup 52 priority 100", ()),
        (
            "rule add lookup 52 priority 100\nroute add default via 10.0.1.1 dev eth0 table 52",
            ("100: from all lookup 52 (IPv4)",),
        ),
        ("rule add lookup main priority 9500", ()),
        ("rule add fwmark 1 lookup main priority 100", ()),
        ("rule add to 172.17.0.0/16 lookup main priority 100", ()),
        ("rule add iif eth0 lookup main priority 100", ()),
        ("rule add from 10.9.0.0/16 lookup main priority 100", ()),
    ],
)
def test_rules_that_would_take_the_answers_are_named(inside, rules, expected):
    """Those for all packets, before ours, whose table has a way for an answer."""
    assert surveyed(inside, f"{HOST}{rules}\n").catching == expected


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("10.0.1.2 dev ens6 proto dhcp", ("10.0.1.2/32",)),
        ("10.0.1.0/25 dev ens6 proto dhcp", ("10.0.1.0/25",)),
        ("10.0.1.0/24 dev ens6 metric 512", ()),
        ("default via 10.0.1.1 dev ens6 onlink metric 512", ()),
        ("192.0.2.53 via 10.0.1.1 dev ens6 onlink proto dhcp", ("192.0.2.53/32",)),
        ("192.0.2.0/24 via 10.0.1.1 dev ens6 onlink", ()),
    ],
)
def test_own_packets_that_leave_by_the_floating_link_are_seen(inside, route, expected):
    """By asking the kernel: a route that another one outranks is none, nor one that a person made."""
    found = surveyed(inside, f"{HOST}{LINK}route add {route}\n", replace(ENI, ipv6_addresses=()))

    assert found.own_ways.get("eni-1", ()) == expected


def test_a_default_route_that_wins_is_seen(inside):
    """A lease whose metric is better than the primary link's."""
    better = "route del default\nroute add default via 10.0.1.1 dev ens6 onlink metric 1\n"
    found = surveyed(inside, HOST + LINK + better, replace(ENI, ipv6_addresses=()))

    assert found.own_ways == {"eni-1": ("default",)}


@pytest.mark.parametrize(("forwarding", "accept_ra", "hears"), [(0, 1, True), (1, 1, False), (1, 2, True)])
@pytest.mark.parametrize("known", [True, False])
def test_a_host_that_forwards_knows_a_router_or_hears_none(inside, forwarding, accept_ra, hears, known):
    """For the links to come."""

    def settle() -> None:
        settings = Path("/proc/sys/net/ipv6/conf/default")
        (settings / "forwarding").write_text(str(forwarding))
        (settings / "accept_ra").write_text(str(accept_ra))

    async def main() -> bool:
        ip(HOST if known else f"{HOST}-6 route del default via fe80::7 dev eth0\n")
        settle()
        return (await survey([ENI])).hears_ipv6_router

    assert inside(main) == (hears or known)
