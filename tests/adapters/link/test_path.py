"""A link is ready only when its router answers by it: two network namespaces, real ARP and ND."""

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from pyroute2 import AsyncIPRoute, IPRoute, netns

from eni_failover.adapters.link import path
from eni_failover.adapters.link.announce import announce
from eni_failover.adapters.link.capabilities import Capability, has
from eni_failover.adapters.link.manager import LinkManager
from eni_failover.adapters.link.mode import LinkMode
from eni_failover.adapters.link.watcher import LinkWatcher
from eni_failover.core.model import Eni, Link, Subnet

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NEEDS ROOT: these tests make network namespaces; run them as root"
)

MAC = "02:00:00:00:00:01"
SUBNET = Subnet(subnet_id="subnet-1", network="10.0.1.0/24", ipv6_networks=("2001:db8:1::/64",))
ENI = Eni(
    eni_id="eni-0ffffffffffffff01",
    mac=MAC,
    subnet_id="subnet-1",
    addresses=("10.0.1.101",),
    ipv6_addresses=("2001:db8:1::101",),
)
ROUTER6 = "fe80::1"
NODAD = 0x02


@pytest.fixture
def router() -> Iterator[str]:
    """A namespace for the router's end of the link."""
    name = f"enif-{os.getpid()}-router"
    netns.create(name)
    yield name
    netns.remove(name)


class Host:
    """A managed link whose far end is in the router's namespace, where nobody has an address yet."""

    def __init__(self, router: str) -> None:
        self.router = router
        self.announced = asyncio.Event()
        self.changed = asyncio.Event()
        self.watcher = LinkWatcher(
            mode=LinkMode.MANAGE,
            clock=asyncio.get_running_loop().time,
            on_change=self.changed.set,
            on_error=lambda _: None,
            path_check=True,
            manager=LinkManager(
                clock=asyncio.get_running_loop().time,
                subnet_of=lambda _: SUBNET,
                is_elsewhere=lambda _: False,
                ipv6_router=ROUTER6,
                on_set_up=lambda eni, link: announce(link, (*eni.addresses, *eni.ipv6_addresses)),
                on_repair=lambda *_: None,
                on_refused=lambda *_: None,
            ),
        )

    async def __aenter__(self) -> Self:
        kernel = AsyncIPRoute()
        await kernel.link("add", ifname="eni1", kind="veth", peer={"ifname": "far"}, address=MAC)
        far = (await kernel.link_lookup(ifname="far"))[0]
        await kernel.link("set", index=far, net_ns_fd=self.router)
        kernel.close()
        await asyncio.to_thread(self._raise_far_end)
        await self.watcher.start()
        self.watcher.state(ENI)
        self._running = asyncio.ensure_future(self.watcher.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self.watcher.close()

    async def answer_as_router(self, *addresses: str) -> None:
        """From now on these are the router's."""
        await asyncio.to_thread(self._give, addresses)

    def _raise_far_end(self) -> None:
        with IPRoute(netns=self.router) as beyond:
            beyond.link("set", index=beyond.link_lookup(ifname="far")[0], state="up")

    def _give(self, addresses: tuple[str, ...]) -> None:
        with IPRoute(netns=self.router) as beyond:
            index = beyond.link_lookup(ifname="far")[0]
            for one in addresses:
                flags = {"flags": NODAD} if ":" in one else {}
                beyond.addr("add", index=index, address=one, prefixlen=64 if ":" in one else 24, **flags)

    async def until(self, is_so: Any) -> Link:
        async with asyncio.timeout(10):
            while not is_so(link := self.watcher.state(ENI)):
                await self.changed.wait()
                self.changed.clear()
        return link


@needs_root
@pytest.mark.root
def test_a_link_waits_for_its_router(inside, router):
    """Everything is set up, and it is not ready until the router's MAC is known, in both families."""

    async def main() -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        async with Host(router) as host:
            alone = (await host.until(lambda link: link.missing == ("path",))).missing
            await host.answer_as_router("10.0.1.1")
            half = host.watcher.state(ENI).missing
            await host.answer_as_router(ROUTER6)
            return alone, half, (await host.until(lambda link: link.is_ready)).is_ready

    assert inside(main) == (("path",), ("path",), True)


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("answering", ["10.0.1.1", ROUTER6])
def test_a_router_that_stays_silent_keeps_the_other_family_back_for_a_moment_only(
    inside, router, monkeypatch, answering
):
    """Each family serves by itself."""
    monkeypatch.setattr(path, "ALONE_AFTER", 0.0)

    async def main() -> bool:
        async with Host(router) as host:
            await host.until(lambda link: link.missing == ("path",))
            await host.answer_as_router(answering)
            return (await host.until(lambda link: link.is_ready)).is_ready

    assert inside(main)


@needs_root
@pytest.mark.root
def test_an_address_that_cannot_be_asked_from_keeps_no_other_back(inside, router):
    """The error is raised only when none can."""
    absent, stranger = map(ipaddress.ip_address, ("2001:db8:1::77", "10.0.1.77"))

    async def main() -> None:
        async with Host(router) as host:
            await host.until(lambda link: link.missing == ("path",))
            await host.answer_as_router("10.0.1.1")
            index = socket.if_nametoindex("eni1")
            ours, gateway = map(ipaddress.ip_address, ("10.0.1.101", "10.0.1.1"))
            await path.find(index, {absent: ipaddress.ip_address(ROUTER6), ours: gateway})
            with pytest.raises(OSError, match="Cannot assign requested address"):
                await path.find(index, {absent: ipaddress.ip_address(ROUTER6), stranger: ours})

    inside(main)


@needs_root
@pytest.mark.root
def test_an_address_that_cannot_be_announced_keeps_no_other_back(inside, router):
    """The others are tried, then the first error is raised."""
    sent: list[bytes] = []

    async def main() -> None:
        async with Host(router) as host:
            await host.until(lambda link: link.missing == ("path",))
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as ear:
                ear.bind(("eni1", 0x0003))
                ear.settimeout(10)
                (link,) = host.watcher._mirror.with_mac(MAC)
                with pytest.raises(OSError, match="Cannot assign requested address"):
                    announce(link, ("2001:db8:1::77", "10.0.1.101"))
                while not any(map(_is_garp, sent)):
                    sent.append(ear.recv(2048))

    inside(main)


@needs_root
@pytest.mark.root
def test_a_link_that_left_is_searched_for_no_more(inside, router):
    """The search ends with the link; the next link is searched for anew."""

    async def main() -> tuple[bool, tuple[str, ...]]:
        async with Host(router) as host:
            await host.until(lambda link: link.missing == ("path",))
            kernel = AsyncIPRoute()
            await kernel.link("del", index=(await kernel.link_lookup(ifname="eni1"))[0])
            gone = await host.until(lambda link: not link.present)
            kernel.close()
            for _ in range(5):  # turns of the loop: a cancelled task ends with its next one
                await asyncio.sleep(0)
            tasks = {task.get_name() for task in asyncio.all_tasks()}
            return gone.lost_at is not None, tuple(name for name in tasks if name.startswith("path of"))

    assert inside(main) == (True, ())


@needs_root
@pytest.mark.root
def test_each_address_is_announced_with_its_mac(inside, router):
    """A gratuitous ARP and an unsolicited neighbour advertisement, whatever the neighbours ask."""
    seen: list[bytes] = []

    def listen(made: list[socket.socket]) -> None:
        netns.setns(router)
        made.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)))

    def listening() -> socket.socket:
        """A socket of the router's, made by a thread that ends: one that enters a namespace stays there."""
        made: list[socket.socket] = []
        entering = threading.Thread(target=listen, args=(made,))
        entering.start()
        entering.join()
        return made[0]

    async def main() -> None:
        with listening() as ear:
            ear.settimeout(10)
            async with Host(router) as host:
                await host.until(lambda link: link.missing == ("path",))
                while not (any(map(_is_garp, seen)) and any(map(_is_advertisement, seen))):
                    seen.append(await asyncio.to_thread(ear.recv, 2048))

    inside(main)

    arp = next(frame for frame in seen if _is_garp(frame))
    advertisement = next(frame for frame in seen if _is_advertisement(frame))
    mac = bytes.fromhex(MAC.replace(":", ""))
    assert (arp[:6], arp[6:12], arp[22:28]) == (b"\xff" * 6, mac, mac)
    assert advertisement[-6:] == mac


def _is_garp(frame: bytes) -> bool:
    address = socket.inet_aton("10.0.1.101")
    return frame[12:14] == b"\x08\x06" and frame[28:32] == address == frame[38:42]


def _is_advertisement(frame: bytes) -> bool:
    address = socket.inet_pton(socket.AF_INET6, "2001:db8:1::101")
    return frame[12:14] == b"\x86\xdd" and frame[54] == 136 and frame[62:78] == address


@pytest.mark.parametrize(
    ("bits", "expected"),
    [("0000000000001000", (True, False)), ("0000000000002000", (False, True)), ("0", (False, False))],
)
def test_capabilities_are_the_effective_ones(tmp_path, bits, expected):
    """Bits 12 and 13 of CapEff; permitted or bounding ones do not count."""
    status = tmp_path / "thread-self" / "status"
    status.parent.mkdir()
    status.write_text(f"Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{bits}\nCapBnd:\t000001ffffffffff\n")

    assert (has(Capability.NET_ADMIN, proc=tmp_path), has(Capability.NET_RAW, proc=tmp_path)) == expected


def test_where_there_is_no_proc_there_is_no_privilege(tmp_path):
    """Another system: links are not managed there."""
    assert has(Capability.NET_ADMIN, proc=Path(tmp_path)) is False
