"""Hosts whose kernel sends answers another way, or cannot carry an address family, on real links."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_net_harness import needs_root, net_group, wait

pytestmark = [pytest.mark.root, pytest.mark.e2e, needs_root]

FLOATING = "10.0.1.101"
MAIN = 254


def ip(member, *commands):
    """Commands of ip(8) inside this member's host."""

    def run():
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True, capture_output=True)

    member.net.run(member.name, run)


def switch(member, name, value):
    """A sysctl of this host's network namespace."""
    path = Path("/proc/sys") / name.replace(".", "/")
    member.net.run(member.name, lambda: path.write_text(value))


def link(member):
    """The name of the floating ENI's link on this host."""
    index = member.inside(lambda kernel: kernel.link_lookup(address="0a:ff:00:00:00:01")[0])
    return member.net.run(member.name, lambda: socket.if_indextoname(index))


def checked(member):
    """The results of `eni-failover check` on this host, by name."""
    command = [sys.executable, "-m", "eni_failover", "check", "--json", "--config", str(member.config)]
    told, _ = member.net.spawn(member.name, command, stdout=subprocess.PIPE).communicate(timeout=50)
    return {check["name"]: check["result"] for check in json.loads(told)["checks"]}


def link_words(status):
    """What the check of links says is missing."""
    return next((check["detail"] for check in status["checks"] if check["name"] == "links"), "")


@pytest.mark.parametrize("scope", ["all", "default"])
def test_a_host_without_ipv6_serves_ipv4_after_a_takeover(scope):
    """As hardening roles leave it; the second family is a warning beforehand and no failed takeover."""
    with net_group(ipv6=True) as group:
        switch(group.beta, f"net.ipv6.conf.{scope}.disable_ipv6", "1")
        group.start()
        group.ask(FLOATING, hosts=["client-other"])

        group.net.die("alpha")
        status = group.moved_to("beta")

        assert status["last_takeover"]["result"] == "success"
        assert group.beta.events("network.read_failed") == []


def test_a_holder_whose_ipv6_is_switched_off_lacks_nothing():
    """It serves IPv4 as before."""
    with net_group(ipv6=True) as group:
        group.start()
        group.ask(FLOATING)
        name = link(group.alpha)

        switch(group.alpha, f"net.ipv6.conf.{name}.disable_ipv6", "1")
        wait(lambda: "2001:db8:1::101" not in group.alpha.addresses(), "the address gone")
        later = group.alpha.metric("eni_failover_reconcile_total", result="success") + 2
        wait(lambda: group.alpha.metric("eni_failover_reconcile_total", result="success") > later, "a pass")
        group.answered_by("alpha")

        assert "link_wait" not in {one["reason"] for one in group.alpha.events("decision.changed")[-1:]}
        assert link_words(group.alpha.status()) == ""
        assert group.mutations() == []


def test_a_rule_before_ours_that_takes_the_answers_away_is_seen():
    """A user's `lookup main` first: rule and route are there, and no client is answered.

    The role has a minute for that; a load balancer that asks is told at once.
    """
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        ip(group.alpha, "rule add lookup main priority 100")
        astray = group.alpha.until(
            lambda one: link_words(one).endswith(" answer"), "the answers leave elsewhere"
        )
        told, _ = group.alpha.ask("GET", "/active")
        ip(group.alpha, "rule del lookup main priority 100")
        group.alpha.until(lambda one: link_words(one) == "", "all is well")
        group.answered_by("alpha")

        assert (astray["role"], told) == ("active", 503)
        assert group.alpha.ask("GET", "/active")[0] == 200
        assert [one["reason"] for one in group.alpha.events("decision.changed")[-2:]] == ["link_wait", "held"]


@pytest.mark.parametrize(
    ("harm", "cure", "word"),
    [
        ("route del local {} table local dev {}", "route add local {} table local dev {}", "local"),
        ("link set {1} arp off", "link set {1} arp on", "no_arp"),
        ("rule add from {} blackhole priority 100", "rule del from {} blackhole priority 100", "answer"),
    ],
)
def test_a_holder_that_nobody_can_reach_says_so(harm, cure, word):
    """And serves again as soon as that has ended, without a move."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)
        name = link(group.alpha)

        ip(group.alpha, harm.format(FLOATING, name))
        group.alpha.until(lambda one: link_words(one).endswith(f" {word}"), "the link is not ready")
        told, _ = group.alpha.ask("GET", "/active")
        ip(group.alpha, cure.format(FLOATING, name))
        group.alpha.until(lambda one: link_words(one) == "", "all is well")
        group.answered_by("alpha")

        assert (told, group.mutations()) == (503, [])


def test_a_taker_whose_answers_leave_elsewhere_is_not_active():
    """It holds the ENI and nobody is answered: that is no success."""
    with net_group() as group:
        group.start()
        ip(group.beta, "rule add lookup main priority 100")

        group.net.die("alpha")
        taking = group.beta.until(lambda one: link_words(one).endswith(" answer"), "held, not ready")
        ip(group.beta, "rule del lookup main priority 100")
        group.moved_to("beta")

        assert taking["role"] != "active"


def test_routes_of_dhcp_by_the_floating_link_leave_main():
    """Else the host's own calls, to DNS and to EC2, leave from the floating address."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        def own_source(destination):
            return group.alpha.inside(
                lambda kernel: kernel.route("get", dst=destination)[0].get_attr("RTA_PREFSRC")
            )

        own, name = group.address("alpha"), link(group.alpha)
        lease = [("10.0.1.2", ""), ("10.0.1.1", ""), ("192.0.2.53", "via 10.0.1.1 onlink ")]
        for destination, via in lease:
            ip(group.alpha, f"route add {destination} {via}dev {name} proto dhcp src {FLOATING}")
        for destination, _ in lease:
            wait(lambda to=destination: own_source(to) == own, f"own packets to {destination}")
        group.answered_by("alpha")

        assert group.alpha.metric("eni_failover_link_repairs_total", what="route") >= 1


def test_what_goes_astray_is_known_beforehand():
    """By `check`, which changes nothing: IPv6 off, a rule before ours, own packets by the floating link."""
    with net_group(ipv6=True, network='[network]\nmode = "verify"\n') as group:
        name = link(group.alpha)
        switch(group.alpha, "net.ipv6.conf.default.disable_ipv6", "1")
        ip(
            group.alpha,
            f"link set {name} up",
            f"address add {FLOATING}/24 dev {name} noprefixroute",
            f"route add 10.0.1.2 dev {name} proto dhcp src {FLOATING}",
            "rule add lookup main priority 100",
        )

        found = checked(group.alpha)

        assert {found[check] for check in ("address_families", "rule_order", "own_traffic")} == {"warn"}


def test_a_route_that_an_operator_made_by_the_floating_link_stays():
    """For a partner that lets the floating address in alone."""
    with net_group() as group:
        group.start()
        name = link(group.alpha)
        ip(group.alpha, f"route add 192.0.2.0/24 via 10.0.1.1 dev {name} onlink src {FLOATING}")
        ip(group.alpha, f"route add 10.0.1.2 dev {name} proto dhcp src {FLOATING}")

        def by_link():
            return group.alpha.inside(
                lambda kernel: [
                    route.get_attr("RTA_DST")
                    for route in kernel.get_routes(family=socket.AF_INET, table=MAIN)
                    if route.get_attr("RTA_OIF") == socket.if_nametoindex(name)
                ]
            )

        wait(lambda: "10.0.1.2" not in by_link(), "the lease's route gone")

        assert by_link() == ["192.0.2.0"]
