"""Partitions, outages and other programs on real links: what must not move, and what is put back."""

from __future__ import annotations

import itertools
import socket
import sys
from pathlib import Path

import pytest
from e2e_net_harness import (
    CLIENT_SERVICE,
    NETWORK,
    PROBE,
    floating,
    hooked,
    hooks,
    needs_readable,
    needs_root,
    net_group,
    wait,
)

pytestmark = [pytest.mark.root, pytest.mark.e2e, needs_root]

FLOATING = "10.0.1.101"
WITNESS = """
[[probe]]
name = "neighbour"
type = "tcp"
scope = "witness"
host = "10.0.1.201"
port = 8080
interval = "200ms"
timeout = "300ms"
fall = 2
rise = 1
"""


def because(reason):
    return lambda status: status["decision"]["reason"] == reason


def test_a_partition_with_the_witness_behind_it_moves_nothing():
    """The standby sees neither the holder nor its witness: it is the one that is cut off."""
    with net_group(probe=PROBE + WITNESS) as group:
        group.net.spawn("client-same", CLIENT_SERVICE)
        group.start()
        group.ask(FLOATING, hosts=["client-other"])

        group.net.cut("beta", "alpha")
        group.net.cut("beta", "client-same")
        group.beta.until(because("witnesses_down"), "witnesses down")
        group.answered_by("alpha")

        assert group.mutations() == []


def test_a_partition_without_a_witness_moves_once():
    """The new holder has not been seen up by the old one, so that does not take back within the grace."""
    with net_group() as group:
        group.start()

        group.net.cut("beta", "alpha")
        group.beta.until(lambda one: one["role"] == "active", "beta active")
        group.alpha.until(because("unproven_holder"), "alpha waits")
        moved = group.mutations()
        group.net.heal("beta", "alpha")
        group.alpha.until(because("holder_up"), "alpha sees beta")

        assert moved == [("detach", "beta"), ("attach", "beta")]
        assert group.mutations() == moved


def test_daemons_that_listen_on_every_address_know_each_other():
    """A member that asked the wildcard for its peer would find itself."""
    with net_group(network=NETWORK + '[server]\nlisten = "0.0.0.0:10177"\n') as group:
        group.start()

        for one, other in ((group.alpha, "beta"), (group.beta, "alpha")):
            status = one.until(lambda status: status["peers"][0]["reachable"], "its peer is known")

            assert [peer["member"] for peer in status["peers"]] == [other]


def test_a_standby_without_the_api_says_so_and_moves_when_it_is_back():
    """Unknown is never down, and nothing that could not be attached is detached."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING, hosts=["client-other"])

        group.net.cut("beta", "ec2")
        silent = {"ec2_api": "ec2_silent"}.items()
        blind = group.beta.until(lambda one: silent <= failing(one).items(), "EC2 silent for beta")
        group.alpha.shut()
        group.beta.until(lambda one: one["probes"][0]["state"] == "down", "the holder is seen down")
        while_cut = group.mutations()
        group.net.heal("beta", "ec2")
        group.moved_to("beta")

        assert not blind["ready"]
        assert while_cut == []
        assert group.mutations() == [("detach", "beta"), ("attach", "beta")]


def failing(status):
    return {check["name"]: check["detail"] for check in status["checks"] if check["result"] == "fail"}


def test_flushed_rules_are_put_back_and_counted():
    """As a restart of systemd-networkd does; clients are answered again; the third time is a warning."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)
        before = group.alpha.sources()

        for times in (1, 2, 3):
            group.alpha.inside(flush_rules)
            wait(
                lambda times=times: (
                    group.alpha.metric("eni_failover_link_repairs_total", what="rule") == times
                ),
                f"repair {times} counted",
            )
        group.answered_by("alpha")
        blamed = group.alpha.events("network.repair_conflict")

        assert group.alpha.sources() == before == {f"{FLOATING}/32"}
        assert group.mutations() == []
        assert [(one["what"], one["level"]) for one in blamed] == [("rule", "warning")]
        assert blamed[0]["suspect"]
        assert blamed[0]["remedy"]


def flush_rules(kernel):
    for rule in kernel.get_rules(family=socket.AF_INET):
        if rule.get_attr("FRA_SRC"):
            source = f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}"
            kernel.rule(
                "del", src=source, table=rule.get_attr("FRA_TABLE"), priority=rule.get_attr("FRA_PRIORITY")
            )


def test_without_the_rule_no_answer_reaches_a_client():
    """Asymmetric routing fails here as in a VPC: answers leave by the primary ENI, whose they are not."""
    with net_group(network='[network]\nmode = "off"\n', rp_filter=0) as group:
        group.alpha.inside(configure_without_rule)
        group.start()
        client = group.client("client-other", FLOATING)
        wait(lambda: group.net.dropped("alpha") > 5, "answers dropped at the primary link")
        asked_in_vain = client.answers("udp")

        group.alpha.inside(add_rule)
        group.answered_by("alpha")

        assert asked_in_vain == []


def floating_index(kernel):
    return kernel.link_lookup(address="0a:ff:00:00:00:01")[0]


def configure_without_rule(kernel):
    index = floating_index(kernel)
    kernel.link("set", index=index, state="up")
    kernel.addr("add", index=index, address=FLOATING, prefixlen=32)
    kernel.route("add", dst="10.0.1.0/24", oif=index, table=10001, scope=253)
    kernel.route("add", dst="default", gateway="10.0.1.1", oif=index, table=10001)


def add_rule(kernel):
    kernel.rule("add", src=f"{FLOATING}/32", table=10001, priority=10001)


# The effect of amazon-ec2-net-utils 2.x: table and priority 10000 + device index, the address by DHCP.
OTHER_MANAGER = """
from pyroute2 import IPRoute
with IPRoute() as kernel:
    kernel.bind()
    while True:
        found = kernel.link_lookup(address="0a:ff:00:00:00:01")
        if found and not [one for one in kernel.get_addr(index=found[0], family=2)]:
            index = found[0]
            kernel.link("set", index=index, state="up")
            kernel.addr("add", index=index, address="10.0.1.101", prefixlen=24)
            kernel.route("add", dst="default", gateway="10.0.1.1", oif=index, priority=513)
            kernel.route("add", dst="10.0.1.0/24", oif=index, table=10001, scope=253)
            kernel.route("add", dst="default", gateway="10.0.1.1", oif=index, table=10001)
            kernel.rule("add", src="10.0.1.101/32", table=10001, priority=10001)
        kernel.get()
"""


@pytest.mark.parametrize("mode", ["verify", "manage"])
def test_a_second_manager_that_configures_first(mode):
    """verify leaves the link to it and waits; manage lives beside it and keeps `main` clean."""
    with net_group(network=f'[network]\nmode = "{mode}"\n') as group:
        for member in group.members:
            group.net.spawn(member.name, [sys.executable, "-c", OTHER_MANAGER])
        group.start()
        group.ask(FLOATING)

        group.net.die("alpha")
        status = group.moved_to("beta")

        assert status["last_takeover"]["result"] == "success"
        ours = {table for table in group.beta.tables() if table > 20_000}
        assert len(ours) == (1 if mode == "manage" else 0)


def test_a_lost_link_is_known_without_the_api(tmp_path):
    """The kernel tells at once: standby, and on_standby has run, while EC2 does not answer."""
    with net_group() as group:
        hooked(group)
        group.start()

        group.net.cut("alpha", "ec2")
        group.net.world.place("floating-1", "beta")
        group.net.settled()
        group.alpha.until(lambda one: one["role"] == "standby", "alpha standby")
        told = wait(lambda: [one for one in hooks(group.alpha) if one[0] == "standby"], "on_standby")

        assert told[0][1:] == ["standby"]
        assert group.alpha.metric("eni_failover_link_lost_total") == 1


def test_hooks_keep_their_order_when_the_eni_goes_to_and_fro():
    """Quick moves by operators on both sides: each member's hooks end with what it is."""
    with net_group() as group:
        hooked(group)
        group.start()

        for taker in ("beta", "alpha", "beta"):
            assert group.by_name[taker].command("takeover", "--yes").returncode == 0
        wait(lambda: hooks(group.beta)[-1:] == [["active", "active"]], "beta's hooks")
        wait(lambda: hooks(group.alpha)[-1:] == [["standby", "standby"]], "alpha's hooks")

        for member in group.members:
            words = [one[0] for one in hooks(member)]
            assert all(before != after for before, after in itertools.pairwise(words))


@needs_readable
def test_the_daemon_is_not_root():
    """Its own user, with the two capabilities and no other."""
    with net_group() as group:
        group.start()
        lines = Path(f"/proc/{group.alpha.process.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)

        assert set(status["Uid"].split()) != {"0"}
        assert int(status["CapEff"], 16) == 1 << 12 | 1 << 13


@needs_readable
def test_manage_without_the_privilege_does_not_start():
    """One line, exit 1: an administrator mends the unit, and systemd goes on trying."""
    with net_group() as group:
        group.alpha.rights = {"user": "nobody", "capabilities": ()}
        group.alpha.start()

        assert group.alpha.ended() == 1
        assert "CAP_NET_ADMIN" in group.alpha.log.read_text()
        assert "Traceback" not in group.alpha.log.read_text()


@needs_readable
def test_without_the_privilege_auto_only_watches():
    """And says so in the log with the reason."""
    with net_group(network='[network]\nmode = "auto"\n') as group:
        group.alpha.rights = {"user": "nobody", "capabilities": ()}
        group.alpha.serve().start()
        group.alpha.until(lambda one: failing(one).get("links", "").endswith("address rule"), "not ready")
        chosen = group.alpha.events("network.mode_chosen")

        assert chosen[0]["mode"] == "verify"
        assert "CAP_NET_ADMIN" in chosen[0]["why"]


def test_auto_manages_where_nobody_else_does():
    """The choice and its reason are in the log; the link is set up."""
    with net_group(network='[network]\nmode = "auto"\n') as group:
        group.start()

        assert group.alpha.events("network.mode_chosen")[0]["mode"] == "manage"
        assert floating(group.net).mac in group.alpha.links()
        assert group.alpha.sources() == {f"{FLOATING}/32"}
