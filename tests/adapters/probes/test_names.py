"""Names to addresses: literals at once, names in a thread of their own, one lookup at a time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest

from eni_failover.adapters.probes import names, registry
from eni_failover.adapters.probes.icmp import IcmpUnavailableError
from eni_failover.adapters.probes.names import Address, Names
from eni_failover.adapters.probes.spec import (
    ExecSettings,
    HttpSettings,
    IcmpSettings,
    PeerSettings,
    Target,
    TcpSettings,
)
from eni_failover.core.vocabulary import ProbeType

LOOPBACK = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", 80))


EVERY_TYPE = [
    (ProbeType.TCP, TcpSettings(host="{address}", port=1)),
    (ProbeType.HTTP, HttpSettings(url="http://{address}:1/")),
    (ProbeType.PEER, PeerSettings(url="http://{address}:1/status", group="orders")),
    (ProbeType.ICMP, IcmpSettings(host="{address}")),
    (ProbeType.EXEC, ExecSettings(command=("/bin/sleep", "1000"))),
]
# A program looks names up itself.
ASKING_NAMES = [(kind, settings) for kind, settings in EVERY_TYPE if kind is not ProbeType.EXEC]


class SlowResolver:
    """A `getaddrinfo` that answers names only when told to, and counts how often it was asked."""

    def __init__(self, monkeypatch) -> None:
        self.calls = 0
        self.answer = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host, port, **how):
        self.calls += 1
        if host.endswith(".example"):
            assert self.answer.wait(10)
            host = "127.0.0.1"
        return self._real(host, port, **how)


def test_a_literal_address_needs_no_lookup(monkeypatch):
    """An address is parsed on the spot: no thread, no resolver."""
    resolver = SlowResolver(monkeypatch)
    loopback6 = Address(family=socket.AF_INET6, sockaddr=("::1", 80))

    assert asyncio.run(Names().find("127.0.0.1", 80)) == (LOOPBACK,)
    assert asyncio.run(Names().find("::1", 80)) == (loopback6,)
    assert resolver.calls == 0


@pytest.mark.parametrize("name", ["no-such-host.invalid", "two..dots", "x" * 64 + ".example"])
def test_a_name_without_an_address_is_an_os_error(name):
    """RFC 6761 keeps .invalid from ever resolving; an impossible name is no other kind of failure."""

    async def main():
        with pytest.raises(socket.gaierror) as caught:
            await Names().find(name, 80)
        return caught.value.errno

    assert asyncio.run(main()) == socket.EAI_NONAME


def test_a_cancelled_attempt_leaves_its_lookup_to_the_next(monkeypatch):
    """While the resolver hangs, attempts come and go; each family is asked once, the last gets the answer."""

    async def main():
        resolver = SlowResolver(monkeypatch)
        lookups = Names()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.005):
                    await lookups.find("slow.example", 80)
        last = asyncio.create_task(lookups.find("slow.example", 80))
        await asyncio.sleep(0)
        resolver.answer.set()
        return await last, resolver.calls

    assert asyncio.run(main()) == ((LOOPBACK,), 2)


def test_a_failed_lookup_is_asked_again():
    """A failure is told to those who waited for it and not kept."""

    async def main():
        lookups = Names()
        for _ in range(2):
            with pytest.raises(socket.gaierror):
                await lookups.find("no-such-host.invalid", 80)
        return lookups._running

    assert asyncio.run(main()) == {}


def test_a_lookup_that_outlives_the_loop_is_harmless(monkeypatch):
    """The daemon has ended when the resolver answers at last: nobody is told, nothing is raised."""
    resolver = SlowResolver(monkeypatch)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await Names().find("slow.example", 80)
        return next(one for one in threading.enumerate() if one.name == "resolve slow.example")

    thread = asyncio.run(main())
    resolver.answer.set()
    thread.join(10)

    assert not thread.is_alive()
    assert thread.daemon


def test_a_zone_names_the_link_of_an_address():
    """RFC 4007: by name or by number; `lo` is 1 in every namespace."""
    scoped = Address(family=socket.AF_INET6, sockaddr=("fe80::1", 80, 0, 1))

    assert asyncio.run(Names().find("fe80::1%lo", 80)) == (scoped,)
    assert asyncio.run(Names().find("fe80::1%1", 80)) == (scoped,)


def test_a_zone_without_such_a_link_is_an_os_error():
    """The link may be plugged in later."""
    with pytest.raises(OSError, match="No such device"):
        asyncio.run(Names().find("fe80::1%none", 80))


@pytest.mark.parametrize(("kind", "settings"), ASKING_NAMES, ids=[kind for kind, _ in ASKING_NAMES])
def test_a_probe_knows_when_its_attempt_was_cut_short_in_a_lookup(monkeypatch, kind, settings):
    """A hung resolver is this host's trouble; the next attempt, at a literal address, owes it nothing."""
    resolver = SlowResolver(monkeypatch)

    async def main():
        try:
            probe = registry.FACTORIES[kind](settings)
        except IcmpUnavailableError:
            pytest.skip("NO ICMP SOCKETS for this user: lookups for pings are not tested")
        unsent = []
        for address in ("slow.example", "127.0.0.1"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await probe(Target(member="alpha", address=address, instance_id="i-0aaaaaaaaaaaaaaa1"))
            unsent.append(probe.unsent)
        resolver.answer.set()
        await probe.close()
        return unsent

    assert asyncio.run(main()) == ["name not resolved", ""]


@pytest.mark.parametrize("silent", [socket.AF_INET, socket.AF_INET6])
def test_a_resolver_that_drops_the_questions_for_one_family_costs_a_moment(monkeypatch, silent):
    """What the other family has found is used; the one that hangs is asked once, in its own thread."""
    answer, asked = threading.Event(), []

    def look_up(host, port, family):
        asked.append(family)
        if family is silent:
            answer.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "late")
        return (LOOPBACK,)

    monkeypatch.setattr(names, "_look_up", look_up)

    async def main():
        lookups = Names()
        found = [await lookups.find("half.example", 80) for _ in range(3)]
        answer.set()
        return found

    assert asyncio.run(main()) == [(LOOPBACK,)] * 3
    assert asked.count(silent) == 1


@pytest.mark.parametrize("passing", [socket.AF_INET, socket.AF_INET6])
def test_of_two_failures_the_one_that_may_pass_is_told(monkeypatch, passing):
    """Else a resolver that is out of order for one family would look like a name that does not exist."""

    def look_up(host, port, family):
        code = socket.EAI_AGAIN if family is passing else socket.EAI_NODATA
        raise socket.gaierror(code, "no")

    monkeypatch.setattr(names, "_look_up", look_up)
    with pytest.raises(socket.gaierror) as caught:
        asyncio.run(Names().find("none.example", 80))

    assert caught.value.errno == socket.EAI_AGAIN
