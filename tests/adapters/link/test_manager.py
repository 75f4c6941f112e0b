"""Mode `manage` on a real kernel: what is set up, put back, left alone and taken away."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from pyroute2 import AsyncIPRoute, netns
from pyroute2.netlink.exceptions import NetlinkError

from eni_failover.adapters.link import families, sieve
from eni_failover.adapters.link.keeper import Refusal, make
from eni_failover.adapters.link.manager import LinkManager
from eni_failover.adapters.link.mode import LinkMode
from eni_failover.adapters.link.plan import FIRST_TABLE, PRIORITY, PROTOCOL, Change
from eni_failover.adapters.link.watcher import LinkWatcher
from eni_failover.core.model import Eni, Link, Subnet
from eni_failover.lab.net.links import sysctl

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
    ),
]

MAC = "02:00:00:00:00:01"
SUBNET = Subnet(subnet_id="subnet-1", network="10.0.1.0/24", ipv6_networks=("2001:db8:1::/64",))
ENI = Eni(
    eni_id="eni-0ffffffffffffff01",
    mac=MAC,
    subnet_id="subnet-1",
    addresses=("10.0.1.101", "10.0.1.102"),
    prefixes=("10.0.1.128/28",),
)
DUAL = replace(ENI, ipv6_addresses=("2001:db8:1::101",))
MAIN = 254
V4, V6 = socket.AF_INET, socket.AF_INET6


class Host:
    """A managed host in its namespace: eni1 is the ENI's link, eth0 another one in the same subnet."""

    def __init__(self, eni: Eni = ENI, *, subnets: tuple[Subnet, ...] = (SUBNET,), router: str = "") -> None:
        self.eni = eni
        self.now = 100.0
        self.step = 0.1
        self.subnets = {one.subnet_id: one for one in subnets}
        self.elsewhere = False
        self.changed = asyncio.Event()
        self.repairs: list[str] = []
        self.set_up: list[str] = []
        self.errors: list[Exception] = []
        self.refused: list[tuple[str, str, str]] = []
        self.unnamed: set[str] = set()
        self.manager = LinkManager(
            clock=self._clock,
            subnet_of=self.subnets.get,
            is_elsewhere=lambda _: self.elsewhere,
            ipv6_router=router,
            on_set_up=lambda _, link: self.set_up.append(link.name),
            on_repair=lambda _, what: self.repairs.append(what),
            on_refused=lambda _, link, refusal: self.refused.append(
                (link.name if link else None, refusal.what, refusal.why)
            ),
            awaits_name=lambda link: bool(self.unnamed & {link.name}),
        )
        self.watcher = LinkWatcher(
            mode=LinkMode.MANAGE,
            clock=self._clock,
            on_change=self.changed.set,
            on_error=self.errors.append,
            manager=self.manager,
        )
        self.kernel = AsyncIPRoute()

    def _clock(self) -> float:
        """Time goes on with each look, so that nothing waits for its turn."""
        self.now += self.step
        return self.now

    async def __aenter__(self) -> Self:
        await self.link("eth0", "02:00:00:00:00:99")
        index = await self.index("eth0")
        await self.kernel.addr("add", index=index, address="10.0.1.11", prefixlen=24)
        await self.kernel.route("add", dst="default", gateway="10.0.1.1", oif=index)
        await self.watcher.start()
        self.watcher.state(self.eni)
        self._running = asyncio.ensure_future(self.watcher.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self.watcher.close()
        self.kernel.close()

    async def link(self, name: str, mac: str) -> None:
        await self.kernel.link("add", ifname=name, kind="veth", peer={"ifname": f"{name}far"}, address=mac)
        await self.kernel.link("set", index=await self.index(f"{name}far"), state="up")
        if name == "eth0":
            await self.kernel.link("set", index=await self.index(name), state="up")

    async def index(self, name: str) -> int:
        return (await self.kernel.link_lookup(ifname=name))[0]

    async def plug(self) -> int:
        await self.link("eni1", MAC)
        return await self.index("eni1")

    async def until(self, is_so) -> Link:
        """Wait, woken by on_change alone, until the ENI's link is so."""
        async with asyncio.timeout(10):
            while not is_so(link := self.watcher.state(self.eni)):
                await self.changed.wait()
                self.changed.clear()
        return link

    async def ready(self) -> Link:
        return await self.until(lambda link: link.is_ready)

    async def repaired(self, words: list[str]) -> None:
        """Wait until these repairs were made."""

        async def is_so() -> bool:
            return self.repairs == words

        await self.settled(is_so)

    async def settled(self, is_so) -> None:
        """Wait until the kernel is so; what it does has no event that the watcher passes on."""
        async with asyncio.timeout(10):
            while not await is_so():  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.01)

    async def rules(self) -> set[tuple[str, int, int]]:
        found = [rule for family in (V4, V6) async for rule in await self.kernel.get_rules(family=family)]
        return {
            (f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}", rule.get_attr("FRA_TABLE"), PRIORITY)
            for rule in found
            if rule.get_attr("FRA_PROTOCOL") == PROTOCOL and rule.get_attr("FRA_PRIORITY") == PRIORITY
        }

    async def routes(self, table: int, family: int = V4) -> set[tuple[str, str | None, int]]:
        found = [one async for one in await self.kernel.get_routes(family=family, table=table)]
        return {
            (
                f"{one.get_attr('RTA_DST')}/{one['dst_len']}",
                one.get_attr("RTA_GATEWAY"),
                one.get_attr("RTA_OIF"),
            )
            for one in found
        }

    async def addresses(self, index: int) -> set[tuple[str, int]]:
        return {
            (one.get_attr("IFA_ADDRESS"), one["prefixlen"])
            async for one in await self.kernel.get_addr(index=index)
            if one["scope"] == 0
        }


def test_a_plugged_link_is_set_up_whole(inside):
    """Primary address with the subnet's prefix, others alone; one rule each, also for a prefix; a table."""

    async def main() -> tuple[Any, ...]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            table = FIRST_TABLE + index
            return (
                index,
                await host.addresses(index),
                await host.rules(),
                await host.routes(table),
                host.set_up,
                host.repairs,
                host.errors,
            )

    index, addresses, rules, routes, set_up, repairs, errors = inside(main)

    table = FIRST_TABLE + index
    assert addresses == {("10.0.1.101", 24), ("10.0.1.102", 32)}
    assert rules == {
        (f"{one}", table, PRIORITY) for one in ("10.0.1.101/32", "10.0.1.102/32", "10.0.1.128/28")
    }
    assert routes == {("10.0.1.0/24", None, index), ("None/0", "10.0.1.1", index)}
    assert (set_up, repairs, errors) == (["eni1"], [], [])


def test_the_main_table_knows_nothing_of_the_link(inside):
    """The host's own traffic stays on its primary ENI, though both are in one subnet."""

    async def main() -> tuple[set[Any], set[Any], int]:
        async with Host() as host:
            before = await host.routes(MAIN)
            await host.plug()
            await host.ready()
            return before, await host.routes(MAIN), await host.index("eth0")

    before, after, eth0 = inside(main)

    assert after == before == {("10.0.1.0/24", None, eth0), ("None/0", "10.0.1.1", eth0)}


def test_a_link_that_was_there_before_the_daemon_is_set_up(inside):
    """A restart in the middle of a takeover."""

    async def main() -> Link:
        host = Host()
        await host.plug()
        async with host:
            return await host.ready()

    assert inside(main).present


def test_a_second_daemon_finds_nothing_to_do(inside):
    """Everything is compared as the kernel has it: a restart changes and counts nothing."""

    async def main() -> tuple[set[Any], set[Any], list[str], list[str]]:
        async with Host() as first:
            await first.plug()
            await first.ready()
        again = Host()
        before = await again.rules()
        await again.watcher.start()
        again.watcher.state(ENI)
        running = asyncio.ensure_future(again.watcher.run())
        await again.ready()
        after = await again.rules()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        again.watcher.close()
        again.kernel.close()
        return before, after, again.repairs, again.set_up

    before, after, repairs, set_up = inside(main)

    assert after == before
    assert (repairs, set_up) == ([], ["eni1"])


MANY = 20_000


@pytest.mark.parametrize("sieves", [True, False])
def test_a_host_with_many_routes_reads_none_of_them(inside, monkeypatch, sieves):
    """A takeover costs what it costs elsewhere, also while they flap, and without socket filters as well."""
    if not sieves:
        monkeypatch.setattr(sieve, "_SO_ATTACH_FILTER", 999)

    async def main() -> tuple[int, int, list[Exception]]:
        async with Host(DUAL, router="fe80::1") as host:
            _add_routes(MANY)
            before = host.watcher._fib.bytes_read
            await host.plug()
            _add_routes(100, "del")
            await host.ready()
            return host.watcher._fib.bytes_read - before, len(host.watcher._mirror.routes), host.errors

    cost, kept, errors = inside(main)

    assert cost < 50_000
    assert kept < 10
    assert errors == [] or not sieves


def _add_routes(count: int, verb: str = "add") -> None:
    lines = (f"route {verb} 11.{n >> 16}.{n >> 8 & 255}.{n & 255} via 10.0.1.1\n" for n in range(count))
    subprocess.run(["ip", "-batch", "-"], input="".join(lines), text=True, check=True)


async def _flush_rules(host: Host, index: int) -> None:
    for source in ("10.0.1.101/32", "10.0.1.102/32"):
        await host.kernel.rule("del", src=source, table=FIRST_TABLE + index, priority=PRIORITY)


async def _flush_rule(host: Host, index: int) -> None:
    await host.kernel.rule("del", src="10.0.1.101/32", table=FIRST_TABLE + index, priority=PRIORITY)


async def _flush_routes(host: Host, index: int) -> None:
    await host.kernel.flush_routes(table=FIRST_TABLE + index)


async def _flush_addresses(host: Host, index: int) -> None:
    await host.kernel.flush_addr(index=index)


async def _take_down(host: Host, index: int) -> None:
    await host.kernel.link("set", index=index, state="down")


async def _compete(host: Host, index: int) -> None:
    onlink = 4
    await host.kernel.route(
        "add", dst="default", gateway="10.0.1.1", oif=index, priority=50, proto=16, flags=onlink
    )


@pytest.mark.parametrize(
    ("undo", "words"),
    [
        (_flush_rules, {"rule"}),
        (_flush_routes, {"route"}),
        (_flush_addresses, {"address", "route"}),
        (_take_down, {"link", "route"}),
        (_compete, {"route"}),
    ],
)
def test_what_others_take_away_is_put_back_and_counted(inside, undo, words):
    """Rules flushed, routes flushed, addresses flushed, the link down, a DHCP client's default route."""

    async def main() -> tuple[Any, ...]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            before = await host.rules(), await host.routes(FIRST_TABLE + index), await host.addresses(index)
            main_table = await host.routes(MAIN)
            await undo(host, index)

            async def is_back() -> bool:
                now = await host.rules(), await host.routes(FIRST_TABLE + index), await host.addresses(index)
                return now == before and await host.routes(MAIN) == main_table and bool(host.repairs)

            await host.settled(is_back)
            await host.ready()
            return host.repairs, host.errors

    repairs, errors = inside(main)

    assert set(repairs) == words
    assert errors == []


def test_an_address_that_left_the_eni_leaves_the_link(inside):
    """With its rule; what another program has put there stays."""

    async def main() -> tuple[set[Any], set[str]]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            await host.kernel.addr("add", index=index, address="192.0.2.7", prefixlen=32)
            host.eni = replace(ENI, addresses=("10.0.1.101",), prefixes=())
            host.watcher.state(host.eni)

            async def is_gone() -> bool:
                return len(await host.rules()) == 1

            await host.settled(is_gone)
            return await host.addresses(index), {source for source, *_ in await host.rules()}

    addresses, rules = inside(main)

    assert addresses == {("10.0.1.101", 24), ("192.0.2.7", 32)}
    assert rules == {"10.0.1.101/32"}


def test_a_link_that_leaves_takes_its_rules_with_it(inside):
    """The kernel removes addresses and routes, and leaves the rules to us."""

    async def main() -> tuple[set[Any], Link]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            await host.kernel.link("del", index=index)
            link = await host.until(lambda link: not link.present)

            async def is_clean() -> bool:
                return not await host.rules()

            await host.settled(is_clean)
            return await host.routes(FIRST_TABLE + index), link

    routes, link = inside(main)

    assert routes == set()
    assert link.lost_at is not None


def test_rules_of_a_link_that_left_while_no_daemon_ran_are_swept(inside):
    """And those of another group on the same host are not."""
    other = replace(
        ENI, eni_id="eni-0ffffffffffffff02", mac="02:00:00:00:00:02", addresses=("10.0.1.201",), prefixes=()
    )

    async def main() -> set[str]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            await host.link("eni2", other.mac)
            host.watcher.state(other)

            async def is_there() -> bool:
                return len(await host.rules()) == 4

            await host.settled(is_there)
        async with contextlib.AsyncExitStack() as stack:
            kernel = AsyncIPRoute()
            stack.callback(kernel.close)
            await kernel.link("del", index=index)
        later = Host()
        await later.watcher.start()
        later.watcher.state(ENI)
        running = asyncio.ensure_future(later.watcher.run())

        async def is_swept() -> bool:
            return len(await later.rules()) == 1

        await later.settled(is_swept)
        found = {source for source, *_ in await later.rules()}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        later.watcher.close()
        later.kernel.close()
        return found

    assert inside(main) == {"10.0.1.201/32"}


def test_a_link_that_ec2_gave_to_another_is_cleared(inside):
    """After a forced detach a guest may keep the link: no address of it may answer here. Ten seconds late,
    since one describe may be from before our own attach."""

    async def main() -> tuple[set[Any], set[Any], set[Any]]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            host.elsewhere = True
            host.watcher.poke()
            await asyncio.sleep(0)
            still = await host.addresses(index)
            host.now += 11.0
            host.watcher.poke()

            async def is_clean() -> bool:
                return not await host.rules() and not await host.addresses(index)

            await host.settled(is_clean)
            return still, await host.addresses(index), await host.routes(FIRST_TABLE + index)

    still, addresses, routes = inside(main)

    assert still == {("10.0.1.101", 24), ("10.0.1.102", 32)}
    assert (addresses, routes) == (set(), set())


def test_without_its_subnet_a_link_waits_and_says_so(inside):
    """EC2 has not answered DescribeSubnets: there is no router to route by."""

    async def main() -> tuple[tuple[str, ...], bool]:
        async with Host(subnets=()) as host:
            await host.plug()
            waiting = (await host.until(lambda link: link.present)).missing
            host.subnets[SUBNET.subnet_id] = SUBNET
            host.watcher.poke()
            return waiting, (await host.ready()).is_ready

    waiting, is_ready = inside(main)

    assert waiting[0] == "subnet"
    assert is_ready


def test_a_configured_ipv6_router_needs_no_advertisement(inside):
    """The address is usable at once, alone on the link, with a rule and a default route of its own."""

    async def main() -> tuple[Any, ...]:
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.ready()
            return (
                index,
                await host.addresses(index),
                {source for source, *_ in await host.rules()},
                await host.routes(FIRST_TABLE + index, V6),
            )

    index, addresses, sources, routes = inside(main)

    assert ("2001:db8:1::101", 128) in addresses
    assert "2001:db8:1::101/128" in sources
    assert routes == {("2001:db8:1::/64", None, index), ("None/0", "fe80::1", index)}


def test_the_ipv6_router_is_the_one_that_advertised_itself_here(inside):
    """The route that the kernel made of the advertisement moves from `main` into the link's own table."""

    async def main() -> tuple[set[Any], set[Any], int, list[str]]:
        async with Host(DUAL) as host:
            index = await host.plug()
            waiting = await host.until(lambda link: link.missing == ("route",))
            assert waiting.present
            # What the kernel does with a router advertisement: RTPROT_RA is 9.
            await host.kernel.route("add", family=V6, dst="::/0", gateway="fe80::9", oif=index, proto=9)
            await host.ready()

            async def is_tidy() -> bool:
                return not any(oif == index for *_, oif in await host.routes(MAIN, V6) if _[0] == "None/0")

            await host.settled(is_tidy)
            return (
                await host.routes(FIRST_TABLE + index, V6),
                await host.routes(MAIN, V6),
                index,
                host.repairs,
            )

    routes, main_table, index, repairs = inside(main)

    assert ("None/0", "fe80::9", index) in routes
    assert ("None/0", "fe80::9", index) not in main_table
    assert repairs == []


def _switch_ipv6(link: str, value: str) -> None:
    Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").write_text(value)


@pytest.mark.parametrize("scope", ["all", "default"])
def test_a_kernel_with_ipv6_switched_off_serves_ipv4(inside, scope):
    """Nothing of IPv6 is tried; IPv4 is set up and announced at once."""

    async def main() -> tuple[Any, ...]:
        _switch_ipv6(scope, "1")
        async with Host(DUAL, router="fe80::1") as host:
            await host.plug()
            link = await host.ready()
            return link.missing, {source for source, *_ in await host.rules()}, host.set_up, host.errors

    assert inside(main) == ((), {"10.0.1.101/32", "10.0.1.102/32", "10.0.1.128/28"}, ["eni1"], [])


def test_ipv6_that_is_switched_off_and_on_again_goes_and_comes_back(inside):
    """The link stays ready."""

    async def main() -> tuple[Any, ...]:
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.ready()

            async def has_ipv6() -> bool:
                return "2001:db8:1::101/128" in {source for source, *_ in await host.rules()}

            async def has_no_ipv6() -> bool:
                return not await has_ipv6()

            _switch_ipv6("eni1", "1")
            await host.settled(has_no_ipv6)
            without = host.watcher.state(DUAL).missing
            _switch_ipv6("eni1", "0")
            await host.settled(has_ipv6)
            await host.until(lambda link: link.is_ready)

            async def is_back() -> bool:
                return ("2001:db8:1::101", 128) in await host.addresses(index)

            await host.settled(is_back)
            return without, host.errors

    assert inside(main) == ((), [])


def test_a_link_whose_ipv6_router_stays_silent_serves_ipv4(inside):
    """After five seconds; what IPv6 lacks is added when the router is heard, and is no repair."""

    async def main() -> tuple[Any, ...]:
        async with Host(DUAL) as host:
            index = await host.plug()
            await host.until(lambda link: link.missing == ("route",))
            host.now += 6.0
            await host.ready()
            await host.kernel.route("add", family=V6, dst="::/0", gateway="fe80::9", oif=index, proto=9)

            async def is_heard() -> bool:
                return ("None/0", "fe80::9", index) in await host.routes(FIRST_TABLE + index, V6)

            await host.settled(is_heard)
            return host.set_up, host.repairs

    assert inside(main) == (["eni1"], [])


def test_a_kernel_without_rules_for_ipv6_serves_ipv4(inside, monkeypatch):
    """As when it was built without them, or started with ipv6.disable=1."""
    whole = AsyncIPRoute.get_rules

    async def get_rules(self, family=0, **which):
        if family == V6:
            raise NetlinkError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return await whole(self, family=family, **which)

    monkeypatch.setattr(AsyncIPRoute, "get_rules", get_rules)

    async def main() -> tuple[Any, ...]:
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.until(lambda link: link.is_ready)
            return await host.routes(FIRST_TABLE + index, V6), host.errors

    assert inside(main) == (set(), [])


@pytest.mark.parametrize(
    ("route", "stays"),
    [
        ({"dst": "10.0.1.2/32", "proto": 16, "scope": 253}, False),
        ({"dst": "10.0.1.1/32", "proto": 4, "scope": 253}, False),
        ({"dst": "10.0.1.0/25", "proto": 3, "scope": 253}, False),
        ({"dst": "192.0.2.53/32", "proto": 16, "scope": 253}, False),
        ({"dst": "169.254.169.253/32", "proto": 16, "scope": 253}, False),
        ({"dst": "192.0.2.0/24", "proto": 3, "scope": 253}, True),
        ({"dst": "192.0.2.0/24", "proto": 4, "scope": 253}, True),
        ({"dst": "2001:db8:9::/64", "family": V6, "proto": 9}, False),
        ({"dst": "2001:db8:1::53/128", "family": V6, "proto": 4}, False),
        ({"dst": "2001:db8:9::/64", "family": V6, "proto": 4}, True),
    ],
)
def test_what_came_with_a_lease_leaves_main(inside, route, stays):
    """Routes into the subnet whoever made them, others when no person did; a person's elsewhere stay."""
    mine = {"dst": "198.51.100.1/32", "proto": 16, "scope": 253}

    async def main() -> tuple[bool, list[str]]:
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.ready()
            await host.kernel.route("add", oif=index, **route)
            await host.kernel.route("add", oif=index, **mine)  # seen after the first

            async def is_tidy() -> bool:
                return not any(dst == "198.51.100.1/32" for dst, *_ in await host.routes(MAIN))

            await host.settled(is_tidy)
            found = {(dst, oif) for dst, _, oif in await host.routes(MAIN, route.get("family", V4))}
            return (route["dst"], index) in found, host.repairs

    is_there, repairs = inside(main)

    assert is_there is stays
    assert set(repairs) == {"route"}


def test_an_address_that_the_eni_gets_later_is_no_repair(inside):
    """Nobody has undone anything."""

    async def main() -> list[str]:
        async with Host(replace(ENI, addresses=("10.0.1.101",))) as host:
            await host.plug()
            await host.ready()
            host.eni = ENI
            host.watcher.state(host.eni)

            async def is_there() -> bool:
                return len(await host.rules()) == 3

            await host.settled(is_there)
            return host.repairs

    assert inside(main) == []


def test_the_ipv6_router_that_the_primary_eni_knows_is_taken_at_once(inside):
    """It is in the same subnet; waiting for an advertisement would take a second or more."""

    async def main() -> tuple[set[Any], int]:
        async with Host(DUAL) as host:
            eth0 = await host.index("eth0")
            await host.kernel.addr("add", index=eth0, address="2001:db8:1::11", prefixlen=128, flags=0x2)
            await host.kernel.route("add", family=V6, dst="::/0", gateway="fe80::7", oif=eth0, proto=9)
            index = await host.plug()
            await host.ready()
            return await host.routes(FIRST_TABLE + index, V6), index

    routes, index = inside(main)

    assert ("None/0", "fe80::7", index) in routes


def test_a_repair_of_one_thing_does_not_hold_another_back(inside):
    """A restart of networkd takes a rule, then its DHCP client adds a default route: that one goes at once,
    though the rule was put back a moment ago and time stands still."""

    async def main() -> list[str]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            host.step = 0.0
            await _flush_rule(host, index)
            await host.repaired(["rule"])
            await _compete(host, index)
            await host.repaired(["rule", "route"])
            return host.repairs

    assert inside(main) == ["rule", "route"]


def test_the_same_thing_is_put_back_after_a_moment(inside):
    """What was put back is seen by its event; another program's next try is met a little later."""

    async def main() -> tuple[tuple[str, ...], float | None, list[str]]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            host.step = 0.0
            await _flush_rule(host, index)
            await host.repaired(["rule"])
            host.now += 0.01
            await _flush_rule(host, index)
            # Until the event is read, only the kernel's answer to "which way" says that the rule has gone.
            missing = (await host.until(lambda link: link.missing not in {(), ("answer",)})).missing
            host.now += 0.05
            host.watcher.poke()
            await host.ready()
            return missing, host.repairs

    assert inside(main) == (("rule",), ["rule", "rule"])


def test_a_link_counts_as_set_up_without_what_the_kernel_refuses(inside, monkeypatch):
    """It was never announced, and what others undid later was no repair. What is taken in the end is none."""
    monkeypatch.setattr(families, "carried", lambda *_, **__: families.BOTH)

    async def main() -> tuple[list[str], list[str]]:
        sysctl("ipv6/conf/default/disable_ipv6", 1)
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.ready()

            async def is_set_up() -> bool:
                return bool(host.set_up)

            await host.settled(is_set_up)
            await _flush_rule(host, index)
            await host.repaired(["rule"])
            sysctl("ipv6/conf/eni1/disable_ipv6", 0)

            async def is_taken() -> bool:
                host.watcher.poke()
                return host.watcher.mirror.address(index, ipaddress.ip_address("2001:db8:1::101")) is not None

            await host.settled(is_taken)
            return host.set_up, host.repairs

    assert inside(main) == (["eni1"], ["rule"])


def test_what_the_kernel_refuses_is_named_once_and_stops_nothing_else(inside, monkeypatch):
    """IPv6 is off and not seen to be: IPv4 works, the link is ready, and the log says what was refused."""
    monkeypatch.setattr(families, "carried", lambda *_, **__: families.BOTH)

    async def main() -> tuple[Any, ...]:
        sysctl("ipv6/conf/default/disable_ipv6", 1)
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()

            async def is_refused() -> bool:
                return bool(host.refused) and len(await host.routes(FIRST_TABLE + index)) == 2

            await host.settled(is_refused)
            await host.ready()
            before = host.now
            while host.now < before + 10.0:
                host.watcher.poke()
                await asyncio.sleep(0.01)
            return await host.addresses(index), host.refused, host.repairs, host.errors

    addresses, refused, repairs, errors = inside(main)

    assert {"10.0.1.101", "10.0.1.102"} == {address for address, _ in addresses}
    assert refused[0] == ("eni1", "add address 2001:db8:1::101/128", "Permission denied")
    assert len(refused) == len(set(refused))
    assert (repairs, errors) == ([], [])


def test_a_link_that_left_during_the_change_is_no_refusal(inside):
    """Its event is on the way; nothing is reported and nothing counts as repaired."""

    async def main() -> tuple[Refusal, ...]:
        kernel = AsyncIPRoute()
        try:
            return await make(
                Change(up=(99,), addresses=((99, ipaddress.ip_interface("10.0.1.101/24")),)), kernel
            )
        finally:
            kernel.close()

    refusals = inside(main)

    assert [refusal.what for refusal in refusals] == ["set the link up", "add address 10.0.1.101/24"]
    assert all(refusal.is_late for refusal in refusals)


def test_a_new_link_waits_for_its_name(inside):
    """Before Linux 6.2 the kernel renames no link that is up."""

    async def main() -> tuple[tuple[str, ...], list[str]]:
        async with Host() as host:
            host.step = 0.0
            host.unnamed.add("eni1")
            index = await host.plug()
            waiting = (await host.until(lambda link: link.present)).missing
            host.watcher.poke()
            await asyncio.sleep(0)
            await host.kernel.link("set", index=index, ifname="ens6")
            await host.ready()
            return waiting, host.set_up

    waiting, set_up = inside(main)

    assert waiting == ("down", "address", "rule")
    assert set_up == ["ens6"]


def test_a_name_that_never_comes_is_not_waited_for(inside):
    """Half a second, then the link is set up under the name that it has."""

    async def main() -> list[str]:
        async with Host() as host:
            host.step = 0.0
            host.unnamed.add("eni1")
            await host.plug()
            await host.until(lambda link: link.present)
            host.now += 0.5
            host.watcher.poke()
            await host.ready()
            return host.set_up

    assert inside(main) == ["eni1"]


def test_a_link_that_is_renamed_later_stays_as_it_is(inside):
    """Links are known by their index: nothing is repaired, and repairs go on under the new name."""

    async def main() -> tuple[list[str], list[str]]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            await host.kernel.link("set", index=index, ifname="ens6")
            await _flush_rules(host, index)

            async def is_back() -> bool:
                return len(await host.rules()) == 3 and bool(host.repairs)

            await host.settled(is_back)
            await host.ready()
            return host.set_up, host.repairs

    assert inside(main) == (["eni1"], ["rule"])


def test_a_new_name_that_is_not_heard_yet_takes_no_family_away(inside):
    """The kernel has settings of IPv6 by a link's name: under the old one it seemed to be switched off, and
    the IPv6 address was removed and put back."""

    async def main() -> tuple[tuple[str, ...], set[Any], set[Any]]:
        async with Host(DUAL, router="fe80::1") as host:
            index = await host.plug()
            await host.ready()
            host._running.cancel()
            await asyncio.gather(host._running, return_exceptions=True)
            before = await host.addresses(index)
            await host.kernel.link("set", index=index, ifname="ens6")
            mirror = host.watcher.mirror
            (link,) = mirror.with_mac(MAC)
            assert link.name == "eni1"
            await host.manager.bring([DUAL], mirror, host.kernel, lambda _: link)
            return host.watcher.state(DUAL).missing, before, await host.addresses(index)

    missing, before, after = inside(main)

    assert missing == ()
    assert ("2001:db8:1::101", 128) in before
    assert after == before


def test_a_link_with_the_index_of_one_that_left_is_new(inside):
    """It is set up and announced like the first one, though both events may come at once."""

    async def main() -> list[str]:
        async with Host() as host:
            index = await host.plug()
            await host.ready()
            await host.kernel.link("del", index=index)
            await host.kernel.link(
                "add", ifname="eni2", kind="veth", peer={"ifname": "eni2far"}, address=MAC, index=index
            )
            await host.kernel.link("set", index=await host.index("eni2far"), state="up")

            async def is_set_up() -> bool:
                return host.set_up == ["eni1", "eni2"]

            await host.settled(is_set_up)
            return host.set_up

    assert inside(main) == ["eni1", "eni2"]


def test_a_link_that_is_given_its_mac_late_is_set_up(inside):
    """It comes with another MAC first; what it had in `main` until then goes."""

    async def main() -> set[Any]:
        async with Host() as host:
            await host.link("eni1", "02:00:00:00:00:55")
            index = await host.index("eni1")
            await host.kernel.link("set", index=index, state="up")
            await _compete(host, index)
            await host.kernel.link("set", index=index, address=MAC)
            await host.ready()

            async def is_clean() -> bool:
                return not any(oif == index for *_, oif in await host.routes(MAIN))

            await host.settled(is_clean)
            return await host.addresses(index)

    assert inside(main) == {("10.0.1.101", 24), ("10.0.1.102", 32)}


def test_two_enis_that_come_at_once_are_both_set_up(inside):
    """Each with its own table."""
    other = replace(
        ENI, eni_id="eni-0ffffffffffffff02", mac="02:00:00:00:00:02", addresses=("10.0.1.201",), prefixes=()
    )

    async def main() -> tuple[set[str], list[str]]:
        async with Host() as host:
            host.watcher.state(other)
            await asyncio.gather(host.plug(), host.link("eni2", other.mac))
            await host.ready()

            async def are_both() -> bool:
                return host.watcher.state(other).is_ready and len(host.set_up) == 2

            await host.settled(are_both)
            return {source for source, *_ in await host.rules()}, sorted(host.set_up)

    assert inside(main) == (
        {"10.0.1.101/32", "10.0.1.102/32", "10.0.1.128/28", "10.0.1.201/32"},
        ["eni1", "eni2"],
    )


def test_a_twin_that_was_set_up_is_cleared_when_the_eni_comes(inside):
    """It was taken for the ENI: its addresses, rules and table go when a better one is there."""

    async def main() -> tuple[Any, ...]:
        async with Host() as host:
            await host.link("twin", MAC)
            twin = await host.index("twin")
            await host.ready()
            name = f"enif-{os.getpid()}-beyond"
            netns.create(name)
            try:
                far = {"ifname": "far", "net_ns_fd": name}
                await host.kernel.link("add", ifname="eni1", kind="veth", peer=far, address=MAC)

                async def is_clear() -> bool:
                    return len(await host.rules()) == 3 and not await host.addresses(twin)

                await host.settled(is_clear)
                index = await host.index("eni1")
                return await host.addresses(index), {table for _, table, _ in await host.rules()}, index
            finally:
                netns.remove(name)

    addresses, tables, index = inside(main)

    assert addresses == {("10.0.1.101", 24), ("10.0.1.102", 32)}
    assert tables == {FIRST_TABLE + index}


def test_a_leftover_that_cannot_be_removed_is_named(inside, monkeypatch):
    """No privilege, say: the rule of a link that has left stays, and the log says which."""

    async def main() -> list[tuple[str, str, str]]:
        async with Host() as host:
            rule = host.watcher._queries.rule

            async def refuse(command: str, **request: object) -> object:
                if command == "del":
                    raise NetlinkError(1, "Operation not permitted")
                return await rule(command, **request)

            monkeypatch.setattr(host.watcher._queries, "rule", refuse)
            source = {"src": "10.0.1.101/32", "table": FIRST_TABLE + 99, "priority": PRIORITY}
            await host.kernel.rule("add", **source, protocol=PROTOCOL)

            async def is_refused() -> bool:
                return bool(host.refused)

            await host.settled(is_refused)
            return host.refused

    what = f"remove rule from 10.0.1.101/32 lookup {FIRST_TABLE + 99}"
    assert inside(main) == [(None, what, "Operation not permitted")]
