"""Other links with the ENI's MAC on the taker: the ENI's own one is set up, and the doubt is reported."""

from __future__ import annotations

import pytest
from e2e_net_harness import floating, needs_root, net_group, wait

pytestmark = [pytest.mark.root, pytest.mark.e2e, needs_root]

FLOATING = "10.0.1.101"


def add_twin(member, mac, kind="veth"):
    """A link of this kind with the ENI's MAC, up and with a carrier, as a container engine makes it."""

    def make(kernel):
        if kind == "veth":
            kernel.link("add", ifname="twin", kind="veth", peer={"ifname": "twin-far"}, address=mac)
            kernel.link("set", index=kernel.link_lookup(ifname="twin-far")[0], state="up")
        else:
            kernel.link("add", ifname="twin", kind=kind, address=mac)
        kernel.link("set", index=kernel.link_lookup(ifname="twin")[0], state="up")

    member.inside(make)


def addresses_of_twin(kernel):
    """The IPv4 addresses of that link."""
    index = kernel.link_lookup(ifname="twin")[0]
    return {one.get_attr("IFA_ADDRESS") for one in kernel.get_addr(index=index, family=2)}


@pytest.mark.parametrize("kind", ["veth", "ifb"])
def test_a_twin_from_before_the_attach_gets_nothing(kind):
    """Addresses went to it, the member was active, and no client had an answer."""
    with net_group() as group:
        add_twin(group.beta, floating(group.net).mac, kind)
        group.start()
        group.ask(FLOATING)

        group.net.die("alpha")
        group.moved_to("beta")
        reported = group.beta.events("network.mac_shared")

        assert group.beta.inside(addresses_of_twin) == set()
        assert {one["links"] for one in reported} >= {f"twin ({kind})"}


def test_a_twin_that_comes_later_changes_nothing():
    """The link in use stays the ENI's, and nothing is repaired."""
    with net_group() as group:
        group.start()
        group.ask(FLOATING)
        add_twin(group.alpha, floating(group.net).mac)
        wait(lambda: group.alpha.events("network.mac_shared"), "the doubt is reported")
        group.answered_by("alpha")

        assert group.alpha.inside(addresses_of_twin) == set()
        assert group.alpha.events("network.link_repaired") == []
        assert group.mutations() == []
