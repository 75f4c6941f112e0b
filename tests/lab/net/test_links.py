"""The floating link goes where EC2 says, and arrives as a hot-plugged one does."""

from __future__ import annotations

from math import inf

import pytest
from pyroute2 import IPRoute

from eni_failover.lab.net import NetWorld
from tests.lab.net.guests import (
    ENI,
    FLOATING,
    FLOATING_MAC,
    ask,
    at_once,
    attach,
    configure,
    detach,
    eventually,
    floating_link,
    link_events,
    links,
    needs_net,
    sees_link_go,
    service,
    set_link,
)

pytestmark = [pytest.mark.root, needs_net]


def where(net: NetWorld) -> list[str]:
    """The hosts that have the floating link."""
    return [host for host in (*net.members, *net.clients) if floating_link(net, host)]


def describe_link(net: NetWorld, host: str, name: str) -> dict[str, object]:
    def look() -> dict[str, object]:
        with IPRoute() as ip:
            index = ip.link_lookup(ifname=name)[0]
            link = ip.get_links(index)[0]
            addresses = [item.get("address") for item in ip.get_addr(index=index)]
        names = link.get("prop_list")
        return {
            "state": link["state"],
            "mtu": link.get("mtu"),
            "mac": link.get("address"),
            "addresses": addresses,
            "altnames": names.get_attrs("IFLA_ALT_IFNAME") if names else [],
        }

    return net.run(host, look)


def test_the_link_is_moved_with_its_mac():
    """Detached from alpha it is nowhere, attached to beta it is there, with the same MAC."""
    with NetWorld(settings=at_once()) as net:
        story = [where(net)]
        detach(net)
        story.append(where(net))
        attach(net, "beta")
        story.append(where(net))

        assert story == [["alpha"], [], ["beta"]]


def test_the_old_holders_kernel_tells_that_the_link_is_gone():
    """RTM_DELLINK, as after a hot-unplug."""
    with NetWorld(settings=at_once(detach=inf)) as net, link_events(net, "alpha") as events:
        detach(net)

        assert sees_link_go(events)


def test_a_link_comes_as_new():
    """Whatever a guest has made of it before, the next one finds it down, bare, and under another name."""
    with NetWorld(settings=at_once()) as net:
        configure(net, "alpha")
        name = floating_link(net, "alpha")
        set_link(net, "alpha", name, mtu=1400, ifalias="mine")

        def add_alternative_names() -> None:
            with IPRoute() as ip:
                ip.link(
                    "property_add", index=ip.link_lookup(ifname=name)[0], altname=[ENI, "device-number-1"]
                )

        net.run("alpha", add_alternative_names)
        set_link(net, "alpha", name, address="0a:66:66:66:66:66")
        detach(net)
        attach(net, "alpha")
        now = floating_link(net, "alpha")

        assert now != name
        assert describe_link(net, "alpha", now) == {
            "state": "down",
            "mtu": 1500,
            "mac": FLOATING_MAC,
            "addresses": [],
            "altnames": [],
        }


def test_attached_anew_to_the_same_instance_the_link_leaves_and_comes():
    """However fast EC2 was: the guest sees it go, and finds another name."""
    with NetWorld(settings=at_once()) as net, link_events(net, "alpha") as events:
        name = floating_link(net, "alpha")
        net.world.place("floating-1", "alpha", index=2)
        net.settled()

        assert sees_link_go(events)
        assert floating_link(net, "alpha") not in {name, None}


def test_the_address_works_where_the_eni_is():
    """Clients that knew the holder reach the new one at once, by the same MAC."""
    with NetWorld(settings=at_once()) as net, service(net, "alpha"), service(net, "beta"):
        configure(net, "alpha")
        before = [ask(net, client, FLOATING) for client in net.clients]
        detach(net)
        attach(net, "beta")
        configure(net, "beta")
        after = [ask(net, client, FLOATING) for client in net.clients]

        assert (before, after) == (["alpha"] * 3, ["beta"] * 3)


def test_a_stuck_detach_leaves_the_link_until_forced():
    """A guest that hangs keeps what it has; force takes it."""
    with NetWorld(settings=at_once(force_detach=inf)) as net:
        net.world.stick_detach("floating-1")
        detach(net)
        stuck = where(net)
        detach(net, Force=True)

        assert (stuck, where(net)) == (["alpha"], [])


def test_a_stuck_detach_that_comes_loose_takes_the_link():
    """No force needed once the guest lets go."""
    with NetWorld(settings=at_once(detach=5.0)) as net:
        net.world.stick_detach("floating-1")
        detach(net)
        stuck = where(net)
        net.world.unstick_detach("floating-1")
        net.settled()

        assert (stuck, where(net)) == (["alpha"], [])


def test_when_a_link_comes_and_goes_is_an_option():
    """By default at `attached` and `detaching`; or already at `attaching` and only when it is away."""
    seen = {}
    for plug_at, unplug_at in (("attached", "detaching"), ("attaching", "away")):
        with NetWorld(settings=at_once(attach=inf), plug_at=plug_at, unplug_at=unplug_at) as net:
            net.world.set_durations(detach=None)
            detach(net)
            detaching = where(net)
            net.world.place("floating-1", None)
            attach(net, "beta")
            seen[plug_at, unplug_at] = (detaching, where(net))

    assert seen == {("attached", "detaching"): ([], []), ("attaching", "away"): (["alpha"], ["beta"])}


def test_time_alone_brings_the_link():
    """Nobody has to call EC2 for an attach to end: the link comes when it is due."""
    with NetWorld(settings=at_once(attach=0.05)) as net:
        detach(net)
        attach(net, "beta")
        eventually(lambda: where(net) == ["beta"])

        assert net.world.eni("floating-1").attachment.status == "attached"


def test_a_guest_cannot_destroy_a_link():
    """One that deleted it loses it as others do, and the next one gets a new one."""
    with NetWorld(settings=at_once()) as net:

        def delete() -> None:
            with IPRoute() as ip:
                ip.link("del", index=ip.link_lookup(ifname=name)[0])

        name = floating_link(net, "alpha")
        net.run("alpha", delete)
        detach(net)
        attach(net, "beta")

        assert where(net) == ["beta"]


def test_a_guest_cannot_keep_a_link():
    """Hidden elsewhere, as in a container, it goes all the same; what took its index stays."""
    with NetWorld(settings=at_once()) as net:

        def hide() -> None:
            with IPRoute() as ip:
                index = ip.link_lookup(ifname=name)[0]
                ip.link("set", index=index, net_ns_fd=net.namespace("client-other").name)
                ip.link("add", index=index, ifname="own0", kind="veth", peer="own1")

        name = floating_link(net, "alpha")
        net.run("alpha", hide)
        hidden = where(net)
        detach(net)
        attach(net, "beta")

        assert (hidden, where(net)) == (["client-other"], ["beta"])
        assert set(links(net, "alpha")) == {"eth0", "own0", "own1"}


def test_an_eni_that_a_foreign_instance_has_is_nowhere():
    """No member and no client sees its link; when it comes back, so does the link."""
    with NetWorld(settings=at_once()) as net:
        net.world.take("floating-1")
        net.settled()
        foreign = where(net)
        net.world.place("floating-1", "beta")
        net.settled()

        assert (foreign, where(net)) == ([], ["beta"])


def test_eight_enis_move_together():
    """Each has its own link and name."""
    with NetWorld(settings=at_once(), members=4, enis=8) as net:
        for number in range(1, 9):
            detach(net, f"floating-{number}")
            attach(net, "delta", f"floating-{number}", number)
        macs = {mac for name, mac in links(net, "delta").items() if name != "eth0"}

        assert macs == {f"0a:ff:00:00:00:{number:02x}" for number in range(1, 9)}
        assert set(links(net, "alpha")) == {"eth0"}


def test_an_eni_that_is_deleted_is_nowhere():
    """Its link leaves the guest."""
    with NetWorld(settings=at_once()) as net:
        net.world.remove_eni("floating-1")
        net.settled()

        assert where(net) == []
