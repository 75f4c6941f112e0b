"""Ready, family by family: what the kernel does not carry, refuses, or sends another way."""

import ipaddress
from dataclasses import replace

import pytest

from eni_failover.adapters.link.families import BOTH, carried
from eni_failover.adapters.link.fib import FAR, Way
from eni_failover.adapters.link.grace import ALONE_AFTER, Grace
from eni_failover.adapters.link.kernel import KernelAddress, KernelLink, Route, Rule
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.adapters.link.needs import Kernel, Missing, lacking, words
from eni_failover.core.model import Eni

ens6, eth0 = 7, 2
LINK = KernelLink(index=ens6, name="ens6", mac="02:00:00:00:00:01", is_up=True, has_carrier=True)
V4, V4_TOO, V6 = map(ipaddress.ip_address, ("10.0.1.101", "10.0.1.102", "2001:db8:1::101"))
ENI = Eni(
    eni_id="eni-1", mac=LINK.mac, addresses=("10.0.1.101", "10.0.1.102"), ipv6_addresses=("2001:db8:1::101",)
)
ROUTERS = {4: ipaddress.ip_address("10.0.1.1"), 6: ipaddress.ip_address("fe80::1")}


def mirror(*, addresses=(V4, V4_TOO, V6), ruled=(V4, V4_TOO, V6), routed=(4, 6), **of_addresses) -> Mirror:
    """A link with all of it, but for what is left out; `v4` and `v6` are fields of such addresses."""
    found = Mirror()
    for address in addresses:
        known = KernelAddress(index=ens6, address=address, prefix_length=address.max_prefixlen)
        changes = of_addresses.get(f"v{address.version}", {})
        found._addresses[ens6, address] = replace(known, **changes)
    found.rules = frozenset(
        Rule(source=ipaddress.ip_network(address), table=20007, priority=9000, protocol=110)
        for address in ruled
    )
    found.routes = frozenset(
        Route(
            destination=ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0"),
            gateway=ROUTERS[version],
            index=ens6,
            table=20007,
            protocol=110,
            metric=0,
        )
        for version in routed
    )
    return found


def lacks(found: Mirror, **of_kernel) -> dict[int, set[str]]:
    return {version: set(words) for version, words in lacking(found, ENI, LINK, Kernel(**of_kernel)).items()}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (mirror(), {4: set(), 6: set()}),
        (mirror(routed=(4,)), {4: set(), 6: {"route"}}),
        (mirror(ruled=(V4, V4_TOO)), {4: set(), 6: {"rule"}}),
        (mirror(ruled=(V4, V6)), {4: {"rule"}, 6: set()}),
        (mirror(addresses=(V4, V4_TOO)), {4: set(), 6: {"address"}}),
        (mirror(v6={"is_tentative": True}), {4: set(), 6: {"address"}}),
        (mirror(v6={"is_duplicate": True}), {4: set()}),
        (mirror(v4={"is_duplicate": True}, addresses=(V4, V4_TOO), ruled=(V4,)), {6: {"address", "rule"}}),
        (mirror(v4={"is_tentative": True}), {4: {"address"}, 6: set()}),
    ],
)
def test_what_one_family_lacks_the_other_does_not(found, expected):
    """Each is looked at by itself."""
    assert lacks(found) == expected


def test_a_family_that_the_kernel_does_not_carry_lacks_nothing():
    """IPv6 is switched off for the link."""
    assert lacks(mirror(addresses=(V4, V4_TOO), ruled=(V4, V4_TOO), routed=(4,)), carried={4}) == {4: set()}


def test_a_family_without_policy_routing_lacks_nothing():
    """A kernel built without rules for IPv6."""
    found = mirror(ruled=(V4, V4_TOO))
    found.routed = frozenset({4})

    assert lacks(found) == {4: set()}


def test_a_kernel_that_carries_no_family_of_the_eni_never_serves_it():
    """Nothing would be answered."""
    found = mirror()
    found.routed = frozenset()

    assert lacks(found) == {0: {"family"}}


@pytest.mark.parametrize("refusal", ["duplicate", "refused"])
def test_an_address_that_the_kernel_refuses_keeps_no_other_back(refusal):
    """Nor is a rule for it needed; a family whose addresses are all refused is left out."""
    found = mirror(addresses=(V4, V6), ruled=(V4, V6))
    if refusal == "duplicate":
        found._addresses[ens6, V4_TOO] = KernelAddress(
            index=ens6, address=V4_TOO, prefix_length=32, is_duplicate=True
        )
    refused = frozenset() if refusal == "duplicate" else frozenset({V4_TOO})

    assert lacks(found, refused=refused) == {4: set(), 6: set()}
    assert lacks(mirror(addresses=(V6,)), refused=frozenset({V4, V4_TOO})) == {6: set()}


def test_an_eni_whose_addresses_are_all_refused_lacks_them():
    """Nothing is served."""
    found = lacks(mirror(addresses=()), refused=frozenset({V4, V4_TOO, V6}))

    assert found == {4: {"address"}, 6: {"address"}}


class Ways:
    """The kernel's answers: by the link, but for these destinations."""

    def __init__(self, other: dict[str, Way | None]) -> None:
        self.other = other
        self.asked: list[tuple[str, str]] = []

    def __call__(self, destination, source, _packet):
        self.asked.append((str(destination), str(source)))
        is_far = destination == FAR[source.version]
        return self.other.get(str(destination), Way(ens6, ROUTERS[source.version] if is_far else None))


def test_each_address_is_asked_for_a_far_and_a_near_client():
    """The router is near for IPv4; for IPv6 it has no address of the subnet, and another host's is taken."""
    ways = Ways({})

    assert lacks(mirror(), way=ways) == {4: set(), 6: set()}
    assert ways.asked == [
        ("203.0.113.1", "10.0.1.101"),
        ("10.0.1.1", "10.0.1.101"),
        ("203.0.113.1", "10.0.1.102"),
        ("10.0.1.1", "10.0.1.102"),
        ("3fff::1", "2001:db8:1::101"),
        ("2001:db8:1::2", "2001:db8:1::101"),
    ]


@pytest.mark.parametrize("way", [Way(eth0, None), None])
@pytest.mark.parametrize(
    ("destination", "version"), [("203.0.113.1", 4), ("10.0.1.1", 4), ("3fff::1", 6), ("2001:db8:1::2", 6)]
)
def test_an_answer_that_leaves_elsewhere_is_missing(way, destination, version):
    """By another link, or not at all, whatever rules and routes say."""
    found = lacks(mirror(), way=Ways({destination: way}))

    assert found == {4: set(), 6: set()} | {version: {"answer"}}


@pytest.mark.parametrize(("address", "version"), [("10.0.1.102", 4), ("2001:db8:1::101", 6)])
def test_an_address_whose_packets_are_not_taken_in_is_missing(address, version):
    """Each one is asked for on its link; answers may leave all the same."""
    found = lacks(mirror(), takes_in=lambda asked, index: index == ens6 and str(asked) != address)

    assert found == {4: set(), 6: set()} | {version: {"local"}}


def test_a_neighbour_is_never_this_host():
    """Packets to an address of its own leave by no link."""
    found, ways = mirror(), Ways({})
    own = ipaddress.ip_address("2001:db8:1::2")
    found._addresses[eth0, own] = KernelAddress(index=eth0, address=own, prefix_length=128)

    lacks(found, way=ways)

    assert ways.asked[-1] == ("2001:db8:1::3", "2001:db8:1::101")


def test_words_keep_their_order():
    """Whatever family each comes from."""
    found = {4: frozenset({Missing.ROUTE, Missing.DOWN}), 6: frozenset({Missing.RULE, Missing.DOWN})}

    assert words(found) == ("down", "rule", "route")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


NONE, ROUTE = frozenset(), frozenset({Missing.ROUTE})
BARE = {4: frozenset({Missing.ADDRESS}), 6: frozenset({Missing.ADDRESS})}


def grace_of_a_new_link() -> tuple[Grace, Clock]:
    """The link of eni-1 has come with index 7, bare."""
    clock = Clock()
    grace = Grace(clock)
    assert grace.missing("eni-1", 7, BARE) == ("address",)
    return grace, clock


def test_a_new_link_waits_for_its_ipv6_and_then_serves_without():
    """A router's advertisement takes a second or two, or never comes."""
    grace, clock = grace_of_a_new_link()

    assert grace.due is None
    assert grace.missing("eni-1", 7, {4: NONE, 6: ROUTE}) == ("route",)
    assert grace.due == 100.0 + ALONE_AFTER
    clock.now = grace.due
    assert grace.missing("eni-1", 7, {4: NONE, 6: ROUTE}) == ()
    assert grace.due is None


def test_each_wait_is_of_its_own():
    """IPv6 that was complete in between, or IPv4 that was not, begins another one."""
    grace, clock = grace_of_a_new_link()

    for between in ({4: NONE, 6: NONE}, {4: ROUTE, 6: ROUTE}):
        clock.now += 1.0
        assert grace.missing("eni-1", 7, {4: NONE, 6: ROUTE}) == ("route",)
        assert grace.due == clock.now + ALONE_AFTER
        grace.missing("eni-1", 7, between)
        assert grace.due is None


@pytest.mark.parametrize(
    ("lacks", "missing"),
    [
        ({4: NONE, 6: frozenset({Missing.ANSWER})}, ("answer",)),
        ({4: frozenset({Missing.ANSWER}), 6: NONE}, ("answer",)),
        ({4: ROUTE, 6: NONE}, ("route",)),
        ({4: NONE, 6: frozenset({Missing.DOWN, Missing.ROUTE})}, ("down", "route")),
        ({6: ROUTE}, ("route",)),
    ],
)
def test_what_is_not_excused_is_waited_for_without_end(lacks, missing):
    """Answers that go astray, IPv4, and what the whole link lacks."""
    grace, clock = grace_of_a_new_link()

    assert grace.missing("eni-1", 7, lacks) == missing
    clock.now += 1000.0
    assert grace.missing("eni-1", 7, lacks) == missing
    assert grace.due is None


def test_a_link_that_serves_when_it_is_seen_first_has_waited():
    """A daemon that starts again on such a holder finds it ready; another link waits anew."""
    grace = Grace(Clock())

    assert grace.missing("eni-1", 7, {4: NONE, 6: ROUTE}) == ()
    assert grace.missing("eni-1", 7, {4: NONE, 6: ROUTE}) == ()
    assert grace.missing("eni-1", 8, BARE) == ("address",)
    assert grace.missing("eni-1", 8, {4: NONE, 6: ROUTE}) == ("route",)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"ipv6/conf/ens6/disable_ipv6": "0\n"}, BOTH),
        ({"ipv6/conf/ens6/disable_ipv6": "1\n"}, {4}),
        ({"ipv6/conf/eth0/disable_ipv6": "0\n"}, {4}),
        ({"ipv4/ip_forward": "0\n"}, {4}),
        ({}, BOTH),
    ],
)
def test_what_a_link_carries_is_read_from_the_kernel(tmp_path, files, expected):
    """IPv6 is off for the link, for good, or for links with a small MTU; no /proc says nothing."""
    for name, text in files.items():
        path = tmp_path / "sys" / "net" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)

    assert carried("ens6", proc=tmp_path) == expected
