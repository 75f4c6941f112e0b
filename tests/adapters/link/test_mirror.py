"""Netlink messages, one by one, to what an ENI's link lacks."""

import pytest

from eni_failover.adapters.link.kernel import read_route
from eni_failover.adapters.link.mirror import Mirror, Part
from eni_failover.adapters.link.needs import missing
from eni_failover.core.model import Eni

MAC = "02:00:00:00:00:01"
ENI = Eni(eni_id="eni-0ffffffffffffff01", mac=MAC, addresses=("10.0.1.101",), ipv6_addresses=("2001:DB8::1",))
UP = 0x1 | 0x40 | 0x10000
NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, NEWRULE, NEWNEIGH = 16, 17, 20, 21, 24, 32, 28
V4, V6, BRIDGE = 2, 10, 7
TABLE = 10001


class Message(dict):
    """A message shaped as pyroute2 gives it: fields, and attributes by name."""

    def __init__(self, kind: int, attributes: dict, **fields) -> None:
        super().__init__(header={"type": kind}, **fields)
        self._attributes = attributes

    def get_attr(self, name: str):
        return self._attributes.get(name)


class Hop(Message):
    """One hop of a route with several."""

    def __init__(self, *, oif: int) -> None:
        super().__init__(0, {}, oif=oif)


def link(index=2, *, mac=MAC, flags=UP, operstate="UP", message=NEWLINK, family=0, master=None, of=""):
    attributes = {
        "IFLA_IFNAME": f"ens{index}",
        "IFLA_ADDRESS": mac.upper() if mac else None,
        "IFLA_OPERSTATE": operstate,
        "IFLA_MASTER": master,
        "IFLA_LINKINFO": Message(0, {"IFLA_INFO_SLAVE_KIND": of}) if of else None,
    }
    return Message(message, attributes, index=index, flags=flags, family=family)


def address(text, *, index=2, flags=0x80, message=NEWADDR):
    return Message(
        message, {"IFA_ADDRESS": text, "IFA_FLAGS": flags}, index=index, flags=flags & 0xFF, prefixlen=32
    )


def rule(source, length, *, family=V4, table=TABLE, action=1, flags=0, tos=0, **attributes):
    return Message(
        NEWRULE,
        {"FRA_SRC": source, "FRA_TABLE": table, **attributes},
        family=family,
        src_len=length,
        action=action,
        tos=tos,
        dst_len=32,
        flags=flags,
        table=252,
    )


def route(*, family=V4, table=TABLE, index=2, kind=1, length=0, hops=None):
    return Message(
        NEWROUTE,
        {
            "RTA_TABLE": table,
            "RTA_OIF": index,
            "RTA_MULTIPATH": hops,
            "RTA_DST": "10.0.1.0" if length else None,
        },
        family=family,
        dst_len=length,
        type=kind,
        proto=4,
        table=252,
    )


RULES = [rule("10.0.1.101", 32), rule("2001:db8::1", 128, family=V6)]
ROUTES = [route(), route(family=V6)]
ADDRESSES = [address("10.0.1.101"), address("2001:db8::1")]


def mirror_of(*messages, rules=RULES, routes=ROUTES) -> Mirror:
    mirror = Mirror()
    for message in messages:
        mirror.apply(message)
    mirror.read_rules(rules)
    mirror.routes = frozenset(route for message in routes for route in read_route(message))
    return mirror


def lacks(mirror: Mirror, eni: Eni = ENI) -> tuple[str, ...]:
    return missing(mirror, eni, next(iter(mirror.with_mac(eni.mac)), None))


def test_a_link_with_all_of_it_lacks_nothing():
    """Up, carrier, both addresses, a rule and a default route for each."""
    assert lacks(mirror_of(link(), *ADDRESSES)) == ()


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (mirror_of(link(flags=0, operstate="DOWN"), *ADDRESSES), ("down",)),
        (mirror_of(link(flags=0x1, operstate="LOWERLAYERDOWN"), *ADDRESSES), ("no_carrier",)),
        (mirror_of(link(operstate="DORMANT"), *ADDRESSES), ("no_carrier",)),
        (mirror_of(link(operstate="UNKNOWN"), *ADDRESSES), ()),
        (mirror_of(link(flags=UP | 0x80), *ADDRESSES), ("no_arp",)),
        (mirror_of(link(master=9, of="bond"), *ADDRESSES), ("enslaved",)),
        (mirror_of(link(master=9), *ADDRESSES), ("enslaved",)),
        (mirror_of(link(master=9, of="vrf"), *ADDRESSES), ()),
        (mirror_of(link(), ADDRESSES[0]), ("address",)),
        (mirror_of(link(), ADDRESSES[0], address("2001:db8::1", flags=0x40)), ("address",)),
        (
            mirror_of(link(), address("10.0.1.101", flags=0x08), address("2001:db8::1", flags=0x08)),
            ("address",),
        ),
        (
            mirror_of(link(), link(3, mac="02:00:00:00:00:02"), address("10.0.1.101", index=3), ADDRESSES[1]),
            ("address",),
        ),
        (mirror_of(link(), *ADDRESSES, rules=RULES[:1]), ("rule",)),
        (mirror_of(link(), *ADDRESSES, rules=[]), ("rule",)),
        (mirror_of(link(), *ADDRESSES, routes=ROUTES[:1]), ("route",)),
        (mirror_of(link(), *ADDRESSES, routes=[route(table=254), ROUTES[1]]), ("route",)),
        (mirror_of(link(), *ADDRESSES, routes=[route(index=3), ROUTES[1]]), ("route",)),
        (mirror_of(link(), *ADDRESSES, routes=[route(kind=7), ROUTES[1]]), ("route",)),
        (mirror_of(link(), *ADDRESSES, routes=[route(length=24), ROUTES[1]]), ("route",)),
        (
            mirror_of(link(flags=0, operstate="DOWN"), rules=RULES[1:], routes=[]),
            ("down", "address", "rule", "route"),
        ),
    ],
)
def test_each_thing_that_is_missing_has_its_word(mirror, expected):
    """One word each, in a fixed order."""
    assert lacks(mirror) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (rule("10.0.1.0", 24), ()),
        (rule("10.0.1.101", 32, table=None), ("route",)),
        (rule("10.0.1.102", 32), ("rule",)),
        (rule("10.0.1.101", 32, action=6), ("rule",)),
        (rule("10.0.1.101", 32, flags=0x2), ("rule",)),
        (rule("10.0.1.101", 32, FRA_DST="10.0.0.0"), ("rule",)),
        (rule("10.0.1.101", 32, FRA_FWMARK=1), ("rule",)),
        (rule("10.0.1.101", 32, FRA_SPORT_RANGE="80:80"), ("rule",)),
        (rule("10.0.1.101", 32, FRA_DPORT_RANGE="80:90"), ("rule",)),
        (rule("10.0.1.101", 32, tos=0x10), ("rule",)),
        (rule("10.0.1.101", 32, FRA_IIFNAME="ens9"), ("rule",)),
        (rule(None, 0), ("rule",)),
        (rule("10.0.1.101", 32, family=128), ("rule",)),
    ],
)
def test_only_a_rule_for_all_packets_of_the_address_counts(found, expected):
    """A rule of a covering network does; one with other selectors, or to no table, does not."""
    eni = Eni(eni_id="eni-1", mac=MAC, addresses=("10.0.1.101",))

    assert lacks(mirror_of(link(), *ADDRESSES, rules=[found]), eni) == expected


def test_a_default_route_may_have_several_hops():
    """One of them leading by the ENI's link is enough."""
    hops = [Hop(oif=9), Hop(oif=2)]

    assert lacks(mirror_of(link(), *ADDRESSES, routes=[route(index=None, hops=hops), ROUTES[1]])) == ()


def test_a_deleted_link_is_gone_with_its_addresses():
    """A new link with the same index starts without them."""
    mirror = mirror_of(link(), *ADDRESSES)

    mirror.apply(link(message=DELLINK))
    found = mirror.with_mac(MAC)
    mirror.apply(link())

    assert found == ()
    assert lacks(mirror) == ("address",)


def test_an_index_that_is_used_again_is_another_link():
    """Also when both events come at once; a new name or state is the same link."""
    mirror = mirror_of(link())
    (before,) = mirror.with_mac(MAC)

    mirror.apply(link(flags=0))
    (same,) = mirror.with_mac(MAC)
    mirror.apply(link(message=DELLINK))
    mirror.apply(link())
    (after,) = mirror.with_mac(MAC)

    assert same.is_same_as(before)
    assert not after.is_same_as(before)


def test_what_is_read_anew_knows_the_links_of_before():
    """After an overrun of the events; a link with another MAC is another one."""
    before = mirror_of(link(2), link(3, mac="02:00:00:00:00:03"))
    anew = mirror_of(link(2), link(3, mac="02:00:00:00:00:04"))

    anew.inherit(before)

    assert anew.links[2].is_same_as(before.links[2])
    assert not anew.links[3].is_same_as(before.links[3])


def test_a_link_that_is_given_our_mac_has_its_routes_read():
    """It came with another MAC, and what its routes are was nobody's business until then."""
    mirror = Mirror({MAC})
    mirror.apply(link(mac="02:00:00:00:00:09"))

    assert mirror.apply(link()) is Part.ROUTES
    assert mirror.apply(link()) is None


def test_a_link_that_left_a_bridge_is_still_there():
    """The kernel tells that as a deleted link of another address family."""
    mirror = mirror_of(link())

    mirror.apply(link(message=DELLINK, family=BRIDGE))

    assert mirror.with_mac(MAC)


def test_a_link_without_a_mac_is_nobodys():
    """Tunnels have none, and an ENI of unknown MAC must not match them."""
    mirror = mirror_of(link(mac=None))

    assert mirror.with_mac("") == ()
    assert mirror.macs == frozenset()


@pytest.mark.parametrize(
    ("message", "stale"),
    [
        (link(), None),
        (link(flags=0), Part.ROUTES),
        (link(message=DELLINK), Part.ROUTES),
        (link(9, mac="02:00:00:00:00:09", flags=0), None),
        (link(9, mac="02:00:00:00:00:09", message=DELLINK), None),
        (address("10.0.1.101", message=DELADDR), Part.ROUTES),
        (address("10.0.1.101", message=DELADDR, index=9), None),
        (address("10.0.1.102"), None),
        (address(None), None),
        (RULES[0], Part.RULES),
        (ROUTES[0], Part.ROUTES),
        (route(length=24), None),
        (Message(NEWNEIGH, {}), None),
    ],
)
def test_an_event_tells_what_must_be_read_anew(message, stale):
    """The kernel takes IPv4 routes away without a word when a link or an address goes."""
    mirror = mirror_of(link(), *ADDRESSES)

    assert mirror.apply(message) is stale


def test_an_address_on_a_point_to_point_link_is_the_local_one():
    """IFA_ADDRESS is the far end there."""
    local = Message(
        NEWADDR, {"IFA_LOCAL": "10.0.1.101", "IFA_ADDRESS": "10.0.1.1"}, index=2, flags=0, prefixlen=32
    )

    assert lacks(mirror_of(link(), local, ADDRESSES[1])) == ()
