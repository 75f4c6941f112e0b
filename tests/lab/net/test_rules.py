"""The ruleset as text; what it does to packets is tested with packets."""

from __future__ import annotations

from dataclasses import replace

from eni_failover.lab.net.plan import EC2
from eni_failover.lab.net.rules import Cut, Loss, Place, Port, render
from eni_failover.lab.net.troubles import Troubles, cuts_of, losses_of

PORT = Port(name="alpha", links=("alpha", "d-alpha"), mac="0a:00:00:00:00:01", ipv4=("10.0.1.11",))
OTHER = Port(name="beta", links=("beta",), mac="0a:00:00:00:00:02", ipv6=("2001:db8:1::12",))


def lines(*args, **kwargs) -> list[str]:
    return render(*args, **kwargs).splitlines()


def test_a_checked_port_lets_its_addresses_out_and_counts_the_rest():
    """ARP, IPv4, a DHCP request and IPv6, in the ENI's own name each; then the counter."""
    text = lines([PORT])
    start = text.index("chain from-alpha {")

    own = "ether saddr 0a:00:00:00:00:01"
    assert text[start + 1 : start + 6] == [
        f"{own} arp saddr ether 0a:00:00:00:00:01 arp saddr ip {{ 0.0.0.0, 10.0.1.11 }} return",
        "ether saddr 0a:00:00:00:00:01 ip saddr { 10.0.1.11 } return",
        "ether saddr 0a:00:00:00:00:01 ip saddr 0.0.0.0 udp dport 67 return",
        "ether saddr 0a:00:00:00:00:01 ip6 saddr { ::, fe80::/10 } return",
        "counter name alpha drop",
    ]


def test_an_unchecked_port_has_still_its_mac():
    """Without the source check any address may leave, in the ENI's own frames."""
    text = lines([replace(PORT, checked=False)])
    start = text.index("chain from-alpha {")

    assert text[start + 1 : start + 3] == [
        "ether saddr 0a:00:00:00:00:01 return",
        "counter name alpha drop",
    ]


def test_every_link_of_a_port_is_checked():
    """The check holds for the port and for the detour that delayed frames take."""
    assert 'iifname vmap { "alpha" : jump from-alpha, "d-alpha" : jump from-alpha }' in lines([PORT])


def test_a_port_without_ipv4_gets_no_arp_requests():
    """Nobody asks for its address by ARP, so no request is for it."""
    assert 'oifname { "beta" } arp operation request drop' in lines([OTHER])


def test_a_cut_is_made_where_the_target_is_reached():
    """By the origin's addresses at the target's ports; for what has no port at those of the origin."""
    ports = {"alpha": [PORT], "beta": [OTHER]}
    troubles = Troubles(cuts=frozenset({("alpha", "beta"), ("alpha", EC2), (EC2, "beta")}))
    text = lines([PORT, OTHER], cuts_of(troubles, ports))

    assert [line for line in text if line.endswith("} drop") and "arp" not in line] == [
        'iifname { "alpha", "d-alpha" } ip daddr { 10.0.0.2 } drop',
        'oifname { "beta" } ip saddr { 10.0.1.11 } drop',
        'oifname { "beta" } ip saddr { 10.0.0.2 } drop',
    ]


def test_a_loss_is_in_both_directions():
    """All losses are of ten thousand, however few."""
    ports = {"alpha": [PORT]}
    text = lines([PORT], losses=losses_of(Troubles(losses={"alpha": 100.0}), ports))
    few = lines([PORT], losses=[Loss(links=("alpha",), percent=0.001)])

    assert [line for line in text if "numgen" in line] == [
        'iifname { "alpha", "d-alpha" } numgen random mod 10000 <= 9999 drop',
        'oifname { "alpha", "d-alpha" } numgen random mod 10000 <= 9999 drop',
    ]
    assert 'iifname { "alpha" } numgen random mod 10000 <= 0 drop' in few


def test_the_same_values_make_the_same_text():
    """So that an unchanged ruleset need not be loaded."""
    cut = Cut(origin=Place(ipv4=("10.0.1.11",)), target=Place(links=("beta",)))

    assert render([PORT, OTHER], [cut]) == render([PORT, OTHER], [cut])
