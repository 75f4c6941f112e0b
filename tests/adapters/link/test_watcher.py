"""The watcher on a real kernel, in a network namespace that the test makes."""

import asyncio
import errno
import os
import socket
import subprocess
from collections.abc import Callable
from typing import Self

import pytest
from pyroute2 import AsyncIPRoute, netns

from eni_failover.adapters.link.mode import LinkMode
from eni_failover.adapters.link.watcher import LinkWatcher, detect_mode
from eni_failover.core.model import Eni, Link, Presence
from eni_failover.errors import TransientError

MAC = "02:00:00:00:00:01"
ENI = Eni(eni_id="eni-0ffffffffffffff01", mac=MAC, addresses=("10.0.1.101",))
TABLE = 10001
NODAD = 0x02

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
)


class Host:
    """A watcher, a clock that the test moves, and the kernel to change."""

    def __init__(self) -> None:
        self.now = 100.0
        self.changed = asyncio.Event()
        self.changes = 0
        self.errors: list[Exception] = []
        self.watcher = LinkWatcher(
            mode=LinkMode.VERIFY,
            clock=lambda: self.now,
            on_change=self._on_change,
            on_error=self.errors.append,
        )
        self.kernel = AsyncIPRoute()

    def _on_change(self) -> None:
        self.changes += 1
        self.changed.set()

    async def __aenter__(self) -> Self:
        await self.watcher.start()
        self._running = asyncio.ensure_future(self.watcher.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self.watcher.close()
        self.kernel.close()

    async def until(self, is_so: Callable[[Link], bool], eni: Eni = ENI) -> Link:
        """Wait, woken by on_change alone, until the ENI's link is so."""
        async with asyncio.timeout(10):
            while not is_so(link := self.watcher.state(eni)):
                await self.changed.wait()
                self.changed.clear()
        return link

    async def index(self, name: str) -> int:
        return (await self.kernel.link_lookup(ifname=name))[0]

    async def plug(self, mac: str = MAC) -> int:
        await self.kernel.link("add", ifname="eni1", kind="veth", peer={"ifname": "far1"}, address=mac)
        return await self.index("eni1")

    async def configure(self, index: int) -> None:
        """What a network manager does, and the far end's carrier."""
        await self.kernel.link("set", index=index, state="up")
        await self.kernel.link("set", index=await self.index("far1"), state="up")
        await self.kernel.addr("add", index=index, address="10.0.1.101", prefixlen=24)
        await self.kernel.rule("add", src="10.0.1.101/32", table=TABLE, priority=TABLE)
        await self.kernel.route("add", dst="default", gateway="10.0.1.1", oif=index, table=TABLE)


@needs_root
@pytest.mark.root
def test_a_link_becomes_ready_step_by_step(inside):
    """Each step of the configuration is seen by its event, and the last one makes the link ready."""

    async def main() -> list[tuple[str, ...] | None]:
        seen: list[tuple[str, ...] | None] = []
        async with Host() as host:
            absent = await host.until(lambda link: not link.present)
            seen.append(None if absent.lost_at is None and not absent.is_ready else ("?",))
            index = await host.plug()
            seen.append((await host.until(lambda link: link.present)).missing)
            await host.kernel.link("set", index=index, state="up")
            seen.append((await host.until(lambda link: "down" not in link.missing)).missing)
            await host.kernel.link("set", index=await host.index("far1"), state="up")
            seen.append((await host.until(lambda link: "no_carrier" not in link.missing)).missing)
            await host.kernel.addr("add", index=index, address="10.0.1.101", prefixlen=24)
            seen.append((await host.until(lambda link: "address" not in link.missing)).missing)
            await host.kernel.rule("add", src="10.0.1.101/32", table=TABLE, priority=TABLE)
            seen.append((await host.until(lambda link: "rule" not in link.missing)).missing)
            await host.kernel.route("add", dst="default", gateway="10.0.1.1", oif=index, table=TABLE)
            seen.append((await host.until(lambda link: link.is_ready)).missing)
        return seen

    assert inside(main) == [
        None,
        ("down", "address", "rule"),
        ("no_carrier", "address", "rule"),
        ("address", "rule"),
        ("rule",),
        ("route",),
        (),
    ]


@needs_root
@pytest.mark.root
def test_a_link_that_vanishes_is_lost_at_once_and_found_again(inside):
    """The time of the loss is kept until a link with that MAC is there again."""

    async def main() -> list[tuple[bool, float | None]]:
        async with Host() as host:
            index = await host.plug()
            await host.configure(index)
            seen = [await host.until(lambda link: link.is_ready)]
            host.now = 200.0
            await host.kernel.link("del", index=index)
            seen.append(await host.until(lambda link: not link.present))
            host.now = 300.0
            seen.append(host.watcher.state(ENI))
            await host.plug()
            seen.append(await host.until(lambda link: link.present))
        return [(link.present, link.lost_at) for link in seen]

    assert inside(main) == [(True, None), (False, 200.0), (False, 200.0), (True, None)]


@needs_root
@pytest.mark.root
def test_a_link_moved_to_another_namespace_is_lost(inside):
    """The namespace it leaves is told of a deleted link."""

    async def main() -> Link:
        name = f"enif-{os.getpid()}-beside"
        netns.create(name)
        try:
            async with Host() as host:
                index = await host.plug()
                await host.until(lambda link: link.present)
                await host.kernel.link("set", index=index, net_ns_fd=name)
                return await host.until(lambda link: not link.present)
        finally:
            netns.remove(name)

    assert inside(main) == Link(eni_id=ENI.eni_id, watched=True, present=False, lost_at=100.0)


@needs_root
@pytest.mark.root
@pytest.mark.parametrize(
    ("harm", "missing"),
    [
        ("down", ("down", "route")),
        ("far end down", ("no_carrier",)),
        ("address", ("address", "route")),
        ("rule", ("rule",)),
        ("route", ("route",)),
    ],
)
def test_what_somebody_takes_away_is_missed(inside, harm, missing):
    """Also the IPv4 routes that the kernel drops without an event."""

    async def main() -> tuple[str, ...]:
        async with Host() as host:
            index = await host.plug()
            await host.configure(index)
            await host.until(lambda link: link.is_ready)
            match harm:
                case "down":
                    await host.kernel.link("set", index=index, state="down")
                case "far end down":
                    await host.kernel.link("set", index=await host.index("far1"), state="down")
                case "address":
                    await host.kernel.addr("delete", index=index, address="10.0.1.101", prefixlen=24)
                case "rule":
                    await host.kernel.rule("delete", src="10.0.1.101/32", table=TABLE, priority=TABLE)
                case "route":
                    await host.kernel.route("del", family=2, dst="default", oif=index, table=TABLE)
            return (await host.until(lambda link: link.missing == missing)).missing

    assert inside(main) == missing


@needs_root
@pytest.mark.root
def test_ipv6_needs_its_own_address_rule_and_route(inside):
    """An address that the kernel still checks for duplicates is not there yet."""
    eni = Eni(eni_id=ENI.eni_id, mac=MAC, addresses=("10.0.1.101",), ipv6_addresses=("2001:db8::1",))

    async def main() -> list[tuple[str, ...]]:
        async with Host() as host:
            index = await host.plug()
            await host.configure(index)
            seen = [(await host.until(lambda link: link.missing == ("address", "rule"), eni)).missing]
            await host.kernel.rule("add", src="2001:db8::1/128", family=10, table=TABLE, priority=TABLE)
            seen.append((await host.until(lambda link: "rule" not in link.missing, eni)).missing)
            await host.kernel.addr("add", index=index, address="2001:db8::1", prefixlen=64, flags=NODAD)
            seen.append((await host.until(lambda link: "address" not in link.missing, eni)).missing)
            await host.kernel.route(
                "add", dst="default", family=10, gateway="2001:db8::ff", oif=index, table=TABLE
            )
            seen.append((await host.until(lambda link: link.is_ready, eni)).missing)
        return seen

    assert inside(main) == [("address", "rule"), ("address", "route"), ("route",), ()]


@needs_root
@pytest.mark.root
def test_a_configured_link_is_ready_at_the_start(inside):
    """A daemon that starts on the holder reads what is there; nothing has to happen first."""

    async def main() -> tuple[bool, int, frozenset[str]]:
        async with Host() as before:
            await before.configure(await before.plug())
            await before.until(lambda link: link.is_ready)
        async with Host() as host:
            return host.watcher.state(ENI).is_ready, host.changes, host.watcher.mirror.macs & {MAC}

    assert inside(main) == (True, 0, {MAC})


@needs_root
@pytest.mark.root
def test_other_links_wake_nobody(inside):
    """Containers come and go on a host: only the ENIs asked for count."""

    async def main() -> int:
        async with Host() as host:
            index = await host.plug()
            await host.until(lambda link: link.present)
            changes = host.changes
            await host.kernel.link("add", ifname="other", kind="veth", peer={"ifname": "other-far"})
            await host.kernel.link("set", index=await host.index("other"), state="up")
            await host.kernel.addr("add", index=await host.index("other"), address="10.9.9.9", prefixlen=24)
            await host.kernel.link("set", index=index, state="up")
            await host.until(lambda link: "down" not in link.missing)
            return host.changes - changes

    assert inside(main) == 1


@needs_root
@pytest.mark.root
def test_leaving_a_bridge_is_no_loss(inside):
    """The kernel tells it with a message that looks like a deleted link."""

    async def main() -> Link:
        async with Host() as host:
            index = await host.plug()
            await host.until(lambda link: link.present)
            await host.kernel.link("add", ifname="br0", kind="bridge")
            await host.kernel.link("set", index=index, master=await host.index("br0"))
            await host.kernel.link("set", index=index, master=0)
            await host.kernel.link("set", index=index, state="up")
            return await host.until(lambda link: "down" not in link.missing)

    assert inside(main).present is True


@needs_root
@pytest.mark.root
def test_after_an_overrun_everything_is_read_anew(inside, monkeypatch):
    """Events were lost: the error is reported, and what happened meanwhile is found."""
    monkeypatch.setattr("eni_failover.adapters.link.watcher._REOPEN_AFTER", 0.0)

    async def main() -> tuple[Link, list[type[Exception]]]:
        async with Host() as host:
            index = await host.plug()
            await host.until(lambda link: link.present)
            watched = host.watcher._events
            watched.drop_membership(1)
            await host.kernel.link("del", index=index)
            # What asyncio calls when recv() fails with ENOBUFS.
            watched.protocol.error_received(OSError(errno.ENOBUFS, "No buffer space available"))
            link = await host.until(lambda link: not link.present)
            return link, [type(error) for error in host.errors]

    assert inside(main) == (
        Link(eni_id=ENI.eni_id, watched=True, present=False, lost_at=100.0),
        [TransientError],
    )


@needs_root
@pytest.mark.root
def test_a_burst_that_overruns_the_queue_is_reported_once(inside):
    """Everything is read anew at once, the second time as well; the first time is a warning."""

    async def main() -> list[str]:
        async with Host() as host:
            index = await host.plug()
            await host.until(lambda link: link.present)
            for times in (1, 2):
                host.now += 10.0
                events = host.watcher._events
                events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                _burst(times, "down" if times == 2 else "up")
                await host.until(lambda link, times=times: ("down" in link.missing) is (times == 2))
            await host.kernel.link("del", index=index)
            return [str(error) for error in host.errors]

    errors = inside(main)

    assert len(errors) == 1
    assert "faster than they were read" in errors[0]


def _burst(times: int, state: str) -> None:
    """More events than the queue holds; the daemon reads nothing meanwhile, as this is its own thread."""
    burst = "".join(f"address add 10.{times}.{n >> 8}.{n & 255}/32 dev lo\n" for n in range(400))
    subprocess.run(["ip", "-batch", "-"], input=f"{burst}link set eni1 {state}\n", text=True, check=True)


@needs_root
@pytest.mark.root
def test_an_eni_that_ec2_does_not_describe_is_followed_by_what_is_known(inside):
    """During an API outage the links still follow the kernel."""
    unknown = Eni(eni_id=ENI.eni_id, presence=Presence.UNKNOWN)

    async def main() -> list[bool]:
        async with Host() as host:
            never_seen = host.watcher.state(unknown)
            await host.configure(await host.plug())
            await host.until(lambda link: link.is_ready)
            return [never_seen.present, host.watcher.state(unknown).is_ready]

    assert inside(main) == [False, True]


@needs_root
@pytest.mark.root
def test_auto_verifies_where_the_kernel_shows_an_eni_of_the_instance(inside, tmp_path):
    """The MACs are those of this network namespace, whatever /sys shows."""

    async def main() -> tuple[LinkMode, LinkMode]:
        async with Host() as host:
            await host.plug("02:00:00:00:00:0a")
        here = await detect_mode(["02:00:00:00:00:0A"], may_manage=False, root=tmp_path)
        elsewhere = await detect_mode(["02:00:00:00:00:0b"], may_manage=False, root=tmp_path)
        return here.mode, elsewhere.mode

    assert inside(main) == (LinkMode.VERIFY, LinkMode.OFF)


def test_any_user_may_read_the_kernel():
    """Starting needs no privilege, and an ENI that is not here is absent."""

    async def main() -> Link:
        watcher = LinkWatcher(
            mode=LinkMode.VERIFY, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
        )
        await watcher.start()
        watcher.close()
        return watcher.state(ENI)

    assert asyncio.run(main()) == Link(eni_id=ENI.eni_id, watched=True)


def test_off_looks_at_nothing():
    """An attached ENI then counts as ready, and run() only waits to be cancelled."""

    async def main() -> Link:
        watcher = LinkWatcher(
            mode=LinkMode.OFF, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
        )
        await watcher.start()
        running = asyncio.ensure_future(watcher.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        watcher.close()
        return watcher.state(ENI)

    link = asyncio.run(main())

    assert link == Link(eni_id=ENI.eni_id, watched=False)
    assert link.is_ready is True


def test_a_kernel_that_cannot_be_read_is_a_transient_error(monkeypatch):
    """The daemon says so and tries again."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("pyroute2.iproute.AsyncIPRoute", fail)
    watcher = LinkWatcher(
        mode=LinkMode.VERIFY, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
    )

    with pytest.raises(TransientError, match="Too many open files"):
        asyncio.run(watcher.start())


@needs_root
@pytest.mark.root
def test_a_poke_at_the_moment_when_the_wait_ends_is_no_crash(inside, monkeypatch):
    """EC2's answer comes as a repair is due: the daemon ended with an error of asyncio."""
    poked = asyncio.Event()

    async def main() -> bool:
        async with Host() as host:
            loop = asyncio.get_running_loop()

            def poke() -> None:
                host.watcher.poke()
                poked.set()

            async def wait_for_ever() -> list[object]:
                due = host.watcher._waiting.when()
                if due is not None and not poked.is_set():
                    loop.call_at(due + 1e-9, poke)
                await asyncio.Event().wait()
                return []

            monkeypatch.setattr(host.watcher, "_some_events", wait_for_ever)
            monkeypatch.setattr(host.watcher, "_until", lambda: 0.01)
            await host.plug()
            async with asyncio.timeout(10):
                await poked.wait()
            await asyncio.sleep(0)
            return host._running.done()

    assert inside(main) is False
