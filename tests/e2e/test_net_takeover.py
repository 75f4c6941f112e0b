"""Takeovers on real links: what clients see, and what hosts keep of it."""

from __future__ import annotations

import pytest
from e2e_net_harness import floating, hooked, hooks, needs_root, net_group, wait

pytestmark = [pytest.mark.root, pytest.mark.e2e, needs_root]

FLOATING = "10.0.1.101"


def handed_over(group, before="alpha", after="beta"):
    """Every client saw one change of who answers, and nothing of the old holder after the new one."""
    for client in group.clients:
        for protocol in ("tcp", "udp"):
            names = [one.name for one in client.answers(protocol)]
            assert set(names) == {before, after}
            assert names == sorted(names)


def clean(member):
    """Nothing of a floating ENI is left on this host: no link, address, rule or table."""
    macs = {floating(member.net, number).mac for number in range(1, member.group.enis + 1)}
    return (
        not macs & member.links()
        and member.addresses() == {member.address}
        and not member.sources()
        and not member.tables()
    )


def test_a_dead_host_is_replaced_for_every_client():
    """Clients in the same subnet, in another one and behind the router: one gap, then the standby."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        group.net.die("alpha")
        status = group.moved_to("beta")

        handed_over(group)
        assert status["last_takeover"]["trigger"] == "probes"
        assert {"detect_s", "detach_s", "attach_s", "link_s"} <= set(status["last_takeover"]["phases"])
        assert floating(group.net).mac in group.beta.links()


def test_a_dead_service_leaves_nothing_on_a_living_host():
    """The old holder lives: it is standby, without an address, rule or table of the ENI."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        group.alpha.shut()
        group.moved_to("beta")
        group.alpha.until(lambda one: one["role"] == "standby" and one["holder"] == "beta", "alpha standby")

        handed_over(group)
        wait(lambda: clean(group.alpha), "alpha clean")


def test_a_hung_host_is_detached_by_force():
    """Links up, everything stopped: the plain detach sticks. When the host goes on it keeps nothing."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        group.net.hang("alpha")
        status = group.moved_to("beta")
        group.net.thaw("alpha")
        group.alpha.until(lambda one: one["role"] == "standby" and one["holder"] == "beta", "alpha standby")

        handed_over(group)
        assert status["last_takeover"]["result"] == "success"
        assert [call.parameters.get("Force") for call in group.calls("DetachNetworkInterface")] == [
            False,
            True,
        ]
        wait(lambda: clean(group.alpha), "alpha clean")


def test_a_manual_takeover_under_load():
    """The holder is well and the operator insists: exit 0 when this member holds it and is ready."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)

        done = group.beta.command("takeover", "--yes", "--reason", "kernel update of alpha")
        group.answered_by("beta")

        assert (done.returncode, done.stderr) == (0, "")
        handed_over(group)
        assert group.beta.status()["last_takeover"]["trigger"] == "manual"


def test_the_second_standby_follows_the_first():
    """Three members: the holder dies, then the one that replaced it."""
    with net_group(members=3) as group:
        group.start()
        group.ask(FLOATING, hosts=["client-other"])

        group.net.die("alpha")
        group.moved_to("beta")
        group.net.die("beta")
        group.moved_to("gamma")

        assert group.mutations() == [
            (verb, name) for name in ("beta", "gamma") for verb in ("detach", "attach")
        ]


def test_eight_enis_move_together():
    """Each has its table and its rule; a client of each is answered by the new holder."""
    with net_group(enis=8) as group:
        group.start()
        group.ask(*(f"10.0.1.{100 + number}" for number in range(1, 9)), hosts=["client-other"], interval=0.1)

        group.net.die("alpha")
        group.moved_to("beta")

        handed_over(group)
        assert group.beta.sources() == {f"10.0.1.{100 + number}/32" for number in range(1, 9)}
        assert len(group.beta.tables()) == 8


def test_ipv6_moves_as_ipv4_does():
    """The router's advertisement is enough; clients of both families in all three places."""
    with net_group(ipv6=True) as group:
        group.start()
        group.ask(FLOATING, "2001:db8:1::101", interval=0.05)

        group.net.die("alpha")
        group.moved_to("beta")

        handed_over(group)
        assert group.beta.sources() == {f"{FLOATING}/32", "2001:db8:1::101/128"}


def test_secondary_addresses_and_prefixes_move_with_the_eni():
    """Each address answers; a delegated prefix has its rule, and its addresses belong to others."""
    with net_group(secondary=2, prefixes=True) as group:
        eni = floating(group.net)
        addresses = [one.ip for one in eni.addresses]
        group.start()
        group.ask(*addresses, hosts=["client-same", "client-outside"], interval=0.05)

        group.net.die("alpha")
        group.moved_to("beta")

        assert len(addresses) == 3
        handed_over(group)
        assert {f"{one}/32" for one in addresses} | set(eni.ipv4_prefixes) <= group.beta.sources()


def test_an_upgrade_of_the_holders_daemon_loses_no_packet():
    """Stopped and started again: nothing moves, every question had its answer, no hook said standby."""
    with net_group() as group:
        hooked(group)
        group.start()
        group.ask(FLOATING)

        status = group.alpha.stop()
        group.alpha.start()
        group.alpha.until(lambda one: one["role"] == "active", "alpha active again")
        group.answered_by("alpha")
        for client in group.clients:
            client.stop()

        wait(lambda: len(hooks(group.alpha)) == 2, "alpha's hooks")
        assert status == 0
        assert group.mutations() == []
        assert hooks(group.alpha) == [["active", "active"]] * 2
        assert [client.lost(protocol) for client in group.clients for protocol in ("tcp", "udp")] == [0] * 6
        assert group.alpha.metric("eni_failover_link_repairs_total", what="rule") == 0


def test_an_old_holder_that_comes_back_stays_standby():
    """It was dead when the ENI left: after its boot it has no link, address, rule or table of it."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING, hosts=["client-other"])
        group.net.die("alpha")
        group.moved_to("beta")
        moved = group.mutations()

        group.net.revive("alpha")
        group.alpha.serve().start()
        status = group.alpha.until(lambda one: one["ready"], "alpha ready")
        group.answered_by("beta")

        assert (status["role"], status["holder"]) == ("standby", "beta")
        assert group.mutations() == moved
        assert clean(group.alpha)
