"""The checks of this host's kernel."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eni_failover.adapters.link import DetectedMode, LinkMode
from eni_failover.config import NetworkMode, NetworkSettings
from eni_failover.errors import TransientError
from eni_failover.preflight import host, ways
from eni_failover.preflight.facts import Missed
from tests.preflight.builders import ENI, SILENCE, config, eni, facts, links, said

DUAL = {"enis": (eni(of_eni={"ipv6_addresses": ("2001:db8:1::101",)}),)}
SIX = {"enis": (eni(of_eni={"addresses": (), "ipv6_addresses": ("2001:db8:1::101",)}),)}
JUST_4, JUST_6 = frozenset({4}), frozenset({6})
OFF = "IPv6 is switched off for new links (net.ipv6.conf.default.disable_ipv6)"
UNROUTED = "this kernel has no policy routing for IPv6"
ALONE = "the ENI serves by its other address family alone"


@pytest.mark.parametrize(
    ("cloud", "found", "expected"),
    [
        ({}, {}, ("pass", "IPv4")),
        (DUAL, {}, ("pass", "IPv4 and IPv6")),
        ({}, {"carried": JUST_4, "routed": JUST_4}, ("pass", "IPv4")),
        (DUAL, {"carried": JUST_4}, ("warn", f"{OFF}: {ALONE}")),
        (DUAL, {"routed": JUST_4}, ("warn", f"{UNROUTED}: {ALONE}")),
        (DUAL, {"carried": JUST_4, "routed": JUST_4}, ("warn", f"{UNROUTED}; {OFF}: {ALONE}")),
        (SIX, {"carried": JUST_4}, ("fail", OFF)),
        ({}, {"routed": JUST_6}, ("fail", "this kernel has no policy routing for IPv4")),
        (
            DUAL,
            {"silent": {ENI: "IPv6 route"}},
            ("warn", f"one address family serves, missing of the other: {ENI} IPv6 route"),
        ),
    ],
)
def test_a_family_that_the_kernel_does_not_carry_is_a_warning(cloud, found, expected):
    """And a failure when it is all that an ENI has."""
    check = ways.address_families(facts(of_cloud=cloud, of_host={"links": links(**found)}))

    assert said(check) == expected
    assert bool(check.remedy) is (check.result != "pass")


@pytest.mark.parametrize(
    ("mode", "router", "result"),
    [(LinkMode.MANAGE, "", "warn"), (LinkMode.MANAGE, "fe80::1", "pass"), (LinkMode.VERIFY, "", "pass")],
)
def test_a_host_that_hears_no_ipv6_router_needs_to_be_told_it(mode, router, result):
    """In mode manage, which sets the route."""
    file = config(network=NetworkSettings(mode=NetworkMode.MANAGE, path_check=False, ipv6_router=router))
    deaf = {"links": links(hears_ipv6_router=False), "link_mode": DetectedMode(mode=mode, reason="")}

    check = ways.address_families(facts(file, of_cloud=DUAL, of_host=deaf))

    assert (check.result, "ipv6_router" in check.remedy) == (result, result == "warn")


@pytest.mark.parametrize("check", [ways.address_families, ways.rule_order, ways.own_traffic])
def test_what_the_kernel_does_not_say_is_unknown(check):
    """And where links are not watched, nothing is asked."""
    assert said(check(facts(of_host={"links": SILENCE}))) == ("warn", f"unknown: {SILENCE.why}")
    assert said(check(facts(of_host={"links": None}))) == ("pass", "links are not watched")


def test_a_rule_that_takes_the_answers_is_named():
    """As `ip rule` shows it."""
    found = links(catching=("100: from all lookup main (IPv4)",))

    assert said(ways.rule_order(facts(of_host={"links": found}))) == (
        "warn",
        "answers would leave by another link: rule 100: from all lookup main (IPv4)",
    )


def test_a_rule_that_takes_some_answers_is_named():
    """After those that take all: a deliberate rule for one port or mark is its owner's."""
    some = {"catching_some": ("100: from all sport 80 lookup main (IPv4)",)}
    all_too = ways.rule_order(facts(of_host={"links": links(catching=("90: ...",), **some)}))

    assert said(ways.rule_order(facts(of_host={"links": links(**some)}))) == (
        "warn",
        "some answers would not leave by the ENI's link: rule 100: from all sport 80 lookup main (IPv4)",
    )
    assert "rule 90: ..." in all_too.detail


def test_of_many_rules_the_first_few_are_named():
    """The detail is a line of `status`."""
    rules = tuple(f"{priority}: ..." for priority in range(1, 8))
    many, few = (ways.rule_order(facts(of_host={"links": links(catching_some=rules[:n])})) for n in (7, 5))

    assert many.detail.endswith("rule 1: ..., 2: ..., 3: ..., 4: ..., 5: ... and 2 more")
    assert few.detail.endswith("5: ...")


def test_own_traffic_by_a_floating_eni_is_named_with_its_routes():
    """In mode verify nobody removes them."""
    found = links(own_ways={ENI: ("10.0.1.2/32", "default")})
    check = ways.own_traffic(facts(of_host={"links": found}))

    assert said(check) == ("warn", f"routes in main send it by a floating ENI: {ENI} 10.0.1.2/32 default")
    assert "RouteMetric=" in check.remedy


def test_a_kernel_that_cannot_be_asked_is_missed(monkeypatch):
    """So is one whose ENIs, or mode, are not known; in mode off nobody asks."""

    async def refuse(*_):
        raise TransientError("netlink: Operation not permitted")

    monkeypatch.setattr(host, "survey", refuse)
    cloud = facts().cloud
    managed = DetectedMode(mode=LinkMode.MANAGE, reason="")

    def asked(mode, cloud=cloud):
        return asyncio.run(host.links(mode, cloud))

    assert asked(managed) == Missed(why="netlink: Operation not permitted")
    assert asked(managed, replace(cloud, enis=SILENCE)) == SILENCE
    assert asked(SILENCE) == SILENCE
    assert asked(replace(managed, mode=LinkMode.OFF)) is None
