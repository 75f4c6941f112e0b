"""The address plan fits into its subnets, whatever the size."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import combinations

import pytest

from eni_failover.lab import World
from eni_failover.lab.net.plan import CLIENTS, MEMBERS_SUBNET, Size, make_world


def addresses_of(world: World) -> list[str]:
    enis = world.state.enis.values()
    return [
        *(address.ip for eni in enis for address in eni.addresses),
        *(address for eni in enis for address in eni.ipv6),
        *(prefix for eni in enis for prefix in (*eni.ipv4_prefixes, *eni.ipv6_prefixes)),
    ]


@pytest.mark.parametrize("enis", [1, 7, 8])
def test_nothing_overlaps(enis):
    """Every address and prefix is in the members' subnet and belongs to one ENI or client only."""
    size = Size(members=4, enis=enis, ipv6=True, secondary=9, prefixes=enis <= 7)
    client = CLIENTS[0]
    taken = [*addresses_of(make_world(size, None, None)), str(client.ipv4.ip), str(client.ipv6.ip)]
    networks = [
        ip_network(text) for text in (*taken, str(MEMBERS_SUBNET.ipv4.ip), str(MEMBERS_SUBNET.ipv6.ip))
    ]

    assert all(
        network.subnet_of(
            MEMBERS_SUBNET.ipv4.network if network.version == 4 else MEMBERS_SUBNET.ipv6.network
        )
        for network in networks
    )
    assert [
        pair
        for pair in combinations(networks, 2)
        if pair[0].version == pair[1].version and pair[0].overlaps(pair[1])
    ] == []


def test_the_counts_are_as_asked():
    """Secondary addresses and prefixes of both families are on each floating ENI."""
    eni = make_world(Size(enis=2, ipv6=True, secondary=3, prefixes=True), None, None).eni("floating-2")

    assert [address.ip for address in eni.addresses] == [
        "10.0.1.102",
        "10.0.1.112",
        "10.0.1.122",
        "10.0.1.132",
    ]
    assert eni.ipv6 == ("2001:db8:1::102", "2001:db8:1::112", "2001:db8:1::122", "2001:db8:1::132")
    assert (eni.ipv4_prefixes, eni.ipv6_prefixes) == (("10.0.1.32/28",), ("2001:db8:1:0:2::/80",))


def test_without_ipv6_there_is_none():
    """Neither the subnets nor the ENIs have IPv6 unless asked for."""
    state = make_world(Size(prefixes=True), None, None).state

    assert {subnet.ipv6_cidrs for subnet in state.subnets.values()} == {()}
    assert {(*eni.ipv6, *eni.ipv6_prefixes) for eni in state.enis.values()} == {()}


def test_the_elastic_address_stays_with_the_first_one():
    """More addresses leave the first and its association as `World.pair` made them."""
    eni = make_world(Size(secondary=1), None, None).eni("floating-1")

    assert [address.association is None for address in eni.addresses] == [False, True]


@pytest.mark.parametrize(("enis", "expected"), [(2, "m5.large"), (3, "c5n.18xlarge")])
def test_members_are_large_enough(enis, expected):
    """The default type takes all the floating ENIs beside the primary one."""
    world = make_world(Size(enis=enis), None, None)

    assert expected == world.instance("alpha").type


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": 1},
        {"members": 5},
        {"enis": 0},
        {"enis": 9},
        {"secondary": 10},
        {"enis": 8, "prefixes": True},
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    """Before anything is made."""
    with pytest.raises(ValueError, match="a net world has"):
        Size(**wrong)


def test_the_router_is_known_by_its_link_local_address():
    """The address that router advertisements come from, made from the bridge's MAC."""
    assert ip_address(MEMBERS_SUBNET.link_local) == ip_address("fe80::800:ff:fe00:101")
