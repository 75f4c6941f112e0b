"""Questions about routes to a real kernel that has many, and the events that it keeps to itself."""

import asyncio
import ipaddress
import os
import socket
import subprocess
import sys

import pytest

from eni_failover.adapters.link import fib, sieve
from eni_failover.adapters.link.fib import FAR, Fib, Way
from eni_failover.adapters.link.kernel import Route

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
    ),
]

MANY = 20_000
ROUTER = ipaddress.ip_address("10.0.1.1")
FLOATING = ipaddress.ip_address("10.0.1.101")
HOST = """
link set lo up
link add eth0 type veth peer name eth0far
link add ens6 type veth peer name ens6far
link set eth0 up
link set eth0far up
link set ens6 up
link set ens6far up
address add 10.0.1.11/24 dev eth0
address add 10.0.1.101/32 dev ens6
route add default via 10.0.1.1 dev eth0
-6 address add 2001:db8:1::11/64 dev eth0 nodad
-6 route add default via fe80::7 dev eth0
route add 10.0.1.0/24 dev ens6 table 20007
route add default via 10.0.1.1 dev ens6 table 20007
rule add from 10.0.1.101 lookup 20007 priority 9000
"""


def ip(commands: str) -> None:
    """Commands of ip(8), one a line."""
    for family in ("-4", "-6"):
        lines = [
            line.removeprefix("-6 ")
            for line in commands.strip().splitlines()
            if line.startswith("-6") == (family == "-6")
        ]
        subprocess.run(["ip", family, "-batch", "-"], input="\n".join(lines), text=True, check=True)


def many(count: int) -> str:
    """Routes that do not matter to any ENI."""
    return "".join(
        f"route add {ipaddress.ip_address(0x0B000000 + number)} via 10.0.1.1 dev eth0\n"
        f"-6 route add {ipaddress.ip_address((0x2A00 << 112) + number)} via fe80::7 dev eth0\n"
        for number in range(count)
    )


def asked(commands: str, work):
    """The result of `work(questions, ens6, eth0)` on such a host."""

    async def main():
        ip(commands)
        questions = Fib()
        try:
            return work(questions, socket.if_nametoindex("ens6"), socket.if_nametoindex("eth0"))
        finally:
            questions.close()

    return main


def by_ens6(questions: Fib, ens6: int, eth0: int) -> tuple[int, set[tuple[str, int]]]:
    found = questions.routes({ens6}, {eth0})
    return questions.bytes_read, {
        (f"{route.destination} {route.gateway}", route.table) for route in found if not _is_kernels(route)
    }


def _is_kernels(route: Route) -> bool:
    return route.destination.is_link_local or route.destination.is_multicast


def test_routes_of_other_links_cost_nothing(inside):
    """The kernel is asked for those by our link alone, of any table, and for the IPv6 router beside it."""
    few = inside(asked(HOST, by_ens6))

    assert few[1] == {
        ("10.0.1.0/24 None", 20007),
        ("0.0.0.0/0 10.0.1.1", 20007),
        ("::/0 fe80::7", 254),
    }
    assert few[0] < 2_000


@pytest.mark.parametrize("is_strict", [True, False])
def test_many_routes_change_no_answer(inside, monkeypatch, is_strict):
    """Nor its cost; a kernel before 4.20 sends them all, and they are skipped unread."""
    decoded = []
    read = fib.netlink.route_message
    monkeypatch.setattr(fib.netlink, "route_message", lambda data: decoded.append(data) or read(data))
    if not is_strict:
        monkeypatch.setattr(fib, "_NETLINK_GET_STRICT_CHK", 99)

    cost, found = inside(asked(HOST + many(MANY), by_ens6))

    assert len(found) == 3
    assert len(decoded) < 10
    assert (cost < 2_000) is is_strict


def test_the_way_of_a_packet_is_the_kernels_own(inside):
    """By the rules: from the floating address by its link, without one by the primary's."""
    stranger = ipaddress.ip_address("10.0.1.77")

    def work(questions: Fib, ens6: int, eth0: int) -> list[bool]:
        return [
            questions.way(FAR[4], source=FLOATING) == Way(ens6, ROUTER, 20007),
            questions.way(FAR[4]) == Way(eth0, ROUTER, 254),
            questions.way(ipaddress.ip_address("10.0.1.3"), source=FLOATING) == Way(ens6, None, 20007),
            questions.way(FAR[4], source=stranger) is None,
            questions.way(FAR[6], index=ens6) is None or questions.way(FAR[6], index=ens6).link == eth0,
        ]

    assert inside(asked(HOST, work)) == [True] * 5


@pytest.mark.parametrize("kind", ["unreachable", "blackhole", "prohibit"])
def test_a_refused_packet_goes_no_way(inside, kind):
    """Nor does it end the questions."""

    def work(questions: Fib, _ens6: int, eth0: int) -> list[Way | None]:
        ways = [questions.way(FAR[4]), questions.way(FAR[6]), questions.way(ROUTER)]
        return [*ways[:2], None if ways[2] == Way(eth0, None, 254) else ways[2]]

    refusing = f"route add {kind} {FAR[4]}\n-6 route add {kind} {FAR[6]}\n"

    assert inside(asked(HOST + refusing, work)) == [None, None, None]


def test_a_link_that_left_has_no_routes(inside):
    """The kernel says that there is no such link."""
    assert inside(asked(HOST, lambda questions, *_: questions.routes_by(99))) == frozenset()


def test_only_events_that_matter_reach_the_socket(inside):
    """Default routes and routes by our own link; thousands that flap elsewhere are never read."""

    async def main() -> list[tuple[int, int]]:
        ip(HOST)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as events:
            sieve.attach(events, [socket.if_nametoindex("ens6")])
            events.bind((0, 0x1 | 0x40 | 0x400))
            events.settimeout(0)
            ip(many(500) + many(500).replace("route add", "route del"))
            ip("route add 10.9.0.0/16 dev ens6\n-6 route add 2001:db8:9::/64 dev ens6\n")
            ip("route add default via 10.0.1.2 dev eth0 metric 9\nlink set ens6far down")
            seen = []
            while True:
                try:
                    data = events.recv(65536)
                except BlockingIOError:
                    return seen
                kind = int.from_bytes(data[4:6], sys.byteorder)
                seen.append((kind, data[17] if kind == 24 else 0))

    seen = inside(main)

    assert seen[:3] == [(24, 16), (24, 0), (24, 64)] or seen[:3] == [(24, 16), (24, 64), (24, 0)]
    assert 16 in {kind for kind, _ in seen}
    assert len(seen) < 20


def test_a_host_with_more_links_than_the_filter_holds_takes_every_event(inside):
    """Nothing is missed."""

    async def main() -> int:
        ip(HOST)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as events:
            sieve.attach(events, range(1000))
            events.bind((0, 0x40))
            ip("route add 10.9.0.0/16 dev eth0")
            await asyncio.sleep(0)
            return events.recv(65536)[17]

    assert inside(main) == 16
