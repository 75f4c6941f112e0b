"""What leaves a port must be that port's, as in a VPC. Facts of policy routing that follow from it."""

from __future__ import annotations

import pytest
from pyroute2 import IPRoute

from eni_failover.lab.net import NetWorld
from tests.lab.net.guests import (
    ENI,
    FLOATING,
    SILENCE,
    add_rule,
    ask,
    at_once,
    configure,
    eventually,
    needs_net,
    send_as,
    service,
    set_link,
)

pytestmark = [pytest.mark.root, needs_net]


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_the_floating_address_needs_a_rule_of_its_own(rp_filter):
    """Without the `from` rule nobody gets an answer, near or far; with it all do, whatever rp_filter says."""
    with NetWorld(settings=at_once(), rp_filter=rp_filter) as net, service(net, "alpha"):
        configure(net, "alpha", with_rule=False)
        without = [ask(net, client, FLOATING, SILENCE) for client in ("client-same", "client-other")]
        add_rule(net, "alpha")
        with_rule = [ask(net, client, FLOATING) for client in net.clients]

        assert (without, with_rule) == (["silence"] * 2, ["alpha"] * 3)


def test_the_answer_without_a_rule_is_dropped_at_the_wrong_port():
    """It leaves by the primary link and is dropped there; with the rule nothing more is."""
    with NetWorld(settings=at_once(), rp_filter=0) as net, service(net, "alpha"):
        configure(net, "alpha", with_rule=False)
        ask(net, "client-other", FLOATING, SILENCE)
        eventually(lambda: net.dropped("alpha") > 0)
        add_rule(net, "alpha")
        # A late retransmission of the first try has the rule too.
        before = net.dropped("alpha")
        answer = ask(net, "client-other", FLOATING)

        assert (answer, net.dropped("alpha"), net.dropped("floating-1")) == ("alpha", before, 0)


@pytest.mark.parametrize(("rp_filter", "expected"), [(0, "alpha"), (1, "silence"), (2, "alpha")])
def test_without_the_check_strict_rp_filter_alone_breaks_it(rp_filter, expected):
    """Unchecked, the answer may leave by the primary link, but a strict kernel drops the question."""
    with NetWorld(settings=at_once(), rp_filter=rp_filter) as net, service(net, "alpha"):
        net.world.change_eni("eni-0aaaaaaaaaaaaaaa1", source_dest_check=False)
        configure(net, "alpha", with_rule=False)
        net.settled()

        assert expected == ask(net, "client-other", FLOATING, SILENCE if expected == "silence" else 8.0)


def test_a_borrowed_address_is_dropped_and_counted():
    """A standby that sends from the floating address gets no packet out."""
    with NetWorld(settings=at_once()) as net:
        send_as(net, "beta", FLOATING, "10.0.1.201", count=3)
        eventually(lambda: net.dropped("beta") >= 3)

        assert (net.dropped("beta"), net.dropped("alpha")) == (3, 0)


def test_an_address_counts_from_when_ec2_says_so():
    """A secondary address given to an ENI later may be used from then on."""
    with NetWorld(settings=at_once()) as net:
        send_as(net, "beta", "10.0.1.50", "10.0.1.201")
        eventually(lambda: net.dropped("beta") == 1)
        primary = net.world.eni("eni-0bbbbbbbbbbbbbbb2")
        more = type(primary.addresses[0])(ip="10.0.1.50")
        net.world.change_eni(primary.id, addresses=(*primary.addresses, more))
        net.settled()
        send_as(net, "beta", "10.0.1.50", "10.0.1.201")
        send_as(net, "beta", "10.0.1.51", "10.0.1.201")
        eventually(lambda: net.dropped("beta") == 2)

        assert net.dropped("beta") == 2


def test_another_mac_does_not_help():
    """A guest that changes its link's MAC is cut off until it changes it back, with or without ARP."""
    target = {"dst": "10.0.1.201", "lladdr": "0a:00:00:00:02:01"}

    def know_the_target() -> None:
        with IPRoute() as ip:
            ip.neigh("replace", ifindex=ip.link_lookup(ifname="eth0")[0], state="permanent", **target)

    with NetWorld(settings=at_once()) as net, service(net, "client-same"):
        mac = net.world.eni("eni-0bbbbbbbbbbbbbbb2").mac
        set_link(net, "beta", "eth0", address="0a:66:66:66:66:66")
        spoofing = ask(net, "beta", "10.0.1.201", SILENCE)
        dropped = net.dropped("beta")
        net.run("beta", know_the_target)
        send_as(net, "beta", "10.0.1.12", "10.0.1.201")
        eventually(lambda: net.dropped("beta") > dropped)
        set_link(net, "beta", "eth0", address=mac)

        assert (spoofing, dropped > 0) == ("silence", True)
        assert ask(net, "beta", "10.0.1.201") == "client-same"


def test_posing_as_the_floating_eni_does_not_help():
    """A standby with the ENI's MAC and address is dropped, and the bridge goes on sending to the holder."""
    with NetWorld(settings=at_once()) as net, service(net, "alpha"):
        configure(net, "alpha")
        set_link(net, "beta", "eth0", address=net.world.eni(ENI).mac)
        send_as(net, "beta", FLOATING, "10.0.1.201")
        eventually(lambda: net.dropped("beta") > 0)

        assert ask(net, "client-same", FLOATING) == "alpha"


def test_switched_off_for_an_eni_any_address_may_leave():
    """`source_dest_check=False`, as for a NAT instance, lifts the check of addresses for that ENI alone."""
    with NetWorld(settings=at_once()) as net:
        net.world.change_eni("eni-0bbbbbbbbbbbbbbb2", source_dest_check=False)
        net.settled()
        send_as(net, "beta", "192.0.2.1", "10.0.1.201")
        send_as(net, "alpha", "192.0.2.1", "10.0.1.201")
        eventually(lambda: net.dropped("alpha") == 1)

        assert net.dropped("beta") == 0


def test_a_well_configured_holder_has_nothing_dropped():
    """Its own traffic, ARP and neighbour discovery included, is all allowed; so a drop means something."""
    with NetWorld(settings=at_once(), ipv6=True) as net, service(net, "alpha"):
        configure(net, "alpha")
        answers = [ask(net, client, FLOATING) for client in (*net.clients, "beta")]
        answers += [ask(net, client, "2001:db8:1::11") for client in (*net.clients, "beta")]

        assert answers == ["alpha"] * 8
        assert [net.dropped(name) for name in (*net.members, *net.clients, "floating-1")] == [0] * 6
