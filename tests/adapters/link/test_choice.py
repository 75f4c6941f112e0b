"""Of several links with one MAC: which is the ENI, and which are only like it."""

from pathlib import Path

import pytest
from pyroute2 import IPRoute

from eni_failover.adapters.link.choice import LinkChoice
from eni_failover.adapters.link.kernel import KernelLink, read_link
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.core.model import Eni

MAC = "0a:ff:00:00:00:01"
ENI = Eni(eni_id="eni-0ffffffffffffff01", mac=MAC)
PRIMARY = "0a:00:00:00:00:01"
VIRTUAL = [
    "veth",
    "bridge",
    "bond",
    "team",
    "vlan",
    "macvlan",
    "ipvlan",
    "dummy",
    "tun",
    "vxlan",
    "ifb",
    "vrf",
]


class Place:
    """A mirror whose links the test makes, a clock that it moves, and the choice."""

    def __init__(self) -> None:
        self.now = 100.0
        self.mirror = Mirror()
        self.choice = LinkChoice(lambda: self.now)

    def plug(self, name: str, mac: str = MAC, **fields) -> KernelLink:
        number = len(self.mirror.links) + 1
        made = KernelLink(
            index=number, name=name, mac=mac, is_up=False, has_carrier=False, born=number, **fields
        )
        self.mirror.links[number] = made
        self.choice.find(ENI, self.mirror)
        return made

    def ec2_says(self, *, is_here: bool, asked_at: float | None = None) -> None:
        asked = self.now if asked_at is None else asked_at
        self.choice.hear(ENI, self.mirror, is_here=is_here, asked_at=asked)

    @property
    def chosen(self) -> str | None:
        found = self.choice.find(ENI, self.mirror)
        return found.name if found else None

    @property
    def doubtful(self) -> list[str]:
        return [link.name for link in self.choice.doubtful(ENI, self.mirror)]


@pytest.fixture
def place():
    return Place()


@pytest.mark.parametrize("kind", VIRTUAL)
@pytest.mark.parametrize("is_first", [True, False])
def test_on_a_host_only_a_device_is_an_eni(place, kind, is_first):
    """Whichever comes first, and whatever the kind."""
    place.plug("ens5", PRIMARY)
    names = [("twin", {"kind": kind}), ("ens6", {})]
    for name, fields in names if is_first else names[::-1]:
        place.plug(name, **fields)

    assert place.chosen == "ens6"


@pytest.mark.parametrize("kind", VIRTUAL)
def test_on_a_host_a_link_of_another_kind_is_never_the_eni(place, kind):
    """The primary ENI shows that ENIs are devices here."""
    place.plug("ens5", PRIMARY)
    place.plug("twin", kind=kind)
    place.ec2_says(is_here=True)

    assert place.chosen is None
    assert place.doubtful == ["twin"]


def test_without_any_device_the_end_of_a_pair_is_an_eni(place):
    """A network namespace that was given its ENIs by another one; nothing else is one there either."""
    place.plug("lo", "00:00:00:00:00:00", is_loopback=True)
    place.plug("br0", kind="bridge")
    place.plug("dummy0", kind="dummy")
    place.plug("eni1", kind="veth")

    assert place.chosen == "eni1"


def test_a_pair_within_the_namespace_gives_way_to_one_that_leads_out(place):
    """Its other end is here as well, so nobody else is at it."""
    place.plug("twin", kind="veth", is_paired=True)
    alone = place.chosen
    place.plug("eni1", kind="veth")

    assert (alone, place.chosen) == ("twin", "eni1")
    assert place.doubtful == ["twin"]


def test_of_two_devices_the_newer_one_is_the_eni(place):
    """After a forced detach a guest may keep the link, and get another one at the next attach."""
    place.plug("ens6")
    place.ec2_says(is_here=True)
    place.plug("ens7")

    assert place.chosen == "ens7"
    assert place.doubtful == ["ens6"]


def test_a_device_that_was_given_the_mac_gives_way_to_its_owner(place):
    """A bond gives its MAC to its ports."""
    place.plug("ens6")
    place.plug("ens7", has_own_mac=False)

    assert place.chosen == "ens6"


@pytest.mark.parametrize("kind", ["", "veth"])
def test_what_was_there_while_ec2_said_no_is_not_the_eni(place, kind):
    """Not even when it is the only one; the one that comes with the attach is."""
    place.plug("twin", kind=kind)
    place.now += 3.0
    place.ec2_says(is_here=False)
    before = place.chosen
    place.ec2_says(is_here=True)
    attached = place.chosen
    place.plug("eni1", kind=kind)

    assert (before, attached, place.chosen) == (None, None, "eni1")


def test_an_answer_from_about_the_attach_says_nothing(place):
    """EC2 is eventually consistent: the link may be here before its answers say so."""
    place.plug("ens6")
    place.now += 1.9
    place.ec2_says(is_here=False)

    assert place.chosen == "ens6"


def test_an_answer_to_an_old_question_says_nothing(place):
    """It was asked before the link was there."""
    asked_at = place.now
    place.plug("ens6")
    place.now += 9.0
    place.ec2_says(is_here=False, asked_at=asked_at)

    assert place.chosen == "ens6"


def test_a_link_that_was_the_enis_once_stays_it(place):
    """A stale answer must not take the link from an active member; it may be the last one for minutes."""
    place.plug("ens6")
    place.ec2_says(is_here=True)
    place.now += 600.0
    place.ec2_says(is_here=False)

    assert place.chosen == "ens6"


def test_a_new_link_with_the_same_index_is_judged_anew(place):
    """What was known of the one before goes with it."""
    gone = place.plug("twin")
    place.now += 3.0
    place.ec2_says(is_here=False)
    del place.mirror.links[gone.index]
    place.choice.find(ENI, place.mirror)
    place.plug("ens6")

    assert place.chosen == "ens6"


@pytest.mark.parametrize("kind", ["vlan", "macvlan", "bridge", "bond"])
def test_links_on_top_of_the_eni_are_no_doubt(place, kind):
    """They share its MAC by right; without the ENI they are strangers."""
    place.plug("top", kind=kind)
    without = place.doubtful
    place.plug("ens6")

    assert (without, place.doubtful) == (["top"], [])


def test_what_this_kernel_has_is_read_as_it_is():
    """A link is taken for a device exactly where the kernel's own file system shows one."""
    with IPRoute() as kernel:
        links = [read_link(message) for message in kernel.get_links()]

    for link in links:
        files = Path("/sys/class/net", link.name)
        assert link.is_device == (files / "device").exists() or (files / "phy80211").exists(), link
