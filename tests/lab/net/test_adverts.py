"""Router advertisements: what a guest's kernel makes of them."""

from __future__ import annotations

import socket

import pytest
from pyroute2 import IPRoute

from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.adverts import advertisement
from eni_failover.lab.net.plan import MEMBERS_SUBNET
from tests.lab.net.guests import ask, at_once, eventually, floating_link, needs_net, service, set_link

PROTO_RA = 9


def test_the_message_is_that_of_a_vpc():
    """RFC 4861: managed, 1800 s, the router's MAC, and a prefix that is on the link but not autonomous."""
    expected = (
        "86 00 0000 40 80 0708 00000000 00000000"
        "01 01 0a0000000101"
        "03 04 40 80 00000708 00000708 00000000 20010db8000100000000000000000000"
    )

    assert advertisement(MEMBERS_SUBNET) == bytes.fromhex(expected)


@pytest.mark.root
@needs_net
def test_a_hot_plugged_link_learns_its_router():
    """Soon after it is up there is a default route by the router's link-local address, and no address.

    It takes no traffic: the routes of the primary link are better.
    """

    def routers() -> list[str]:
        with IPRoute() as ip:
            index = ip.link_lookup(ifname=name)[0]
            routes = [r for r in ip.get_routes(family=10, table=254) if r.get("oif") == index]
        return [r.get("gateway") for r in routes if r["dst_len"] == 0 and r["proto"] == PROTO_RA]

    def scopes() -> list[int]:
        with IPRoute() as ip:
            return [a["scope"] for a in ip.get_addr(family=10, index=ip.link_lookup(ifname=name)[0])]

    with (
        NetWorld(settings=at_once(), ipv6=True) as net,
        service(net, "client-same"),
        service(net, "client-other"),
    ):
        name = floating_link(net, "alpha")
        set_link(net, "alpha", name, state="up")
        eventually(lambda: net.run("alpha", routers) != [])
        answers = [ask(net, "alpha", address) for address in ("2001:db8:1::201", "2001:db8:2::201")]
        link_local = 253

        assert net.run("alpha", routers) == [MEMBERS_SUBNET.link_local]
        assert net.run("alpha", scopes) == [link_local]
        assert answers == ["client-same", "client-other"]
        assert net.dropped("floating-1") == 0


@pytest.mark.root
@needs_net
def test_without_ipv6_nobody_advertises():
    """A VPC without IPv6 has no router for it."""
    with NetWorld(settings=at_once()) as net:

        def solicit() -> bytes:
            with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
                sock.settimeout(0.3)
                index = socket.if_nametoindex("eth0")
                sock.sendto(bytes([133]) + bytes(7), ("ff02::2", 0, 0, index))
                while True:
                    answer = sock.recv(2048)
                    if answer[0] == 134:
                        return answer

        # The link-local address of eth0 needs no detection; so the question is asked at once.
        with pytest.raises(TimeoutError):
            net.run("alpha", solicit)
