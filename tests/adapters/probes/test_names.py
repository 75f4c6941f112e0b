"""Names to addresses: literals at once, names in a thread of their own, one lookup at a time."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from eni_failover.adapters.probes import names
from eni_failover.adapters.probes.names import Address, Names

LOOPBACK = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", 80))
# No socket connects to a broadcast address: for the kernel it is as good as unroutable.
NO_ROUTE = Address(family=socket.AF_INET, sockaddr=("127.255.255.255", 80))


class SlowResolver:
    """A `getaddrinfo` that answers names only when told to, and counts how often it was asked."""

    def __init__(self, monkeypatch) -> None:
        self.calls = 0
        self.answer = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host, port, *, type):  # noqa: A002 - the name that socket gives it
        self.calls += 1
        assert self.answer.wait(10)
        return self._real("127.0.0.1", port, type=type)


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
    """While the resolver hangs, attempts come and go; it is asked once, and the last gets the answer."""

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
        return await last, resolver.calls, lookups._running

    assert asyncio.run(main()) == ((LOOPBACK,), 1, {})


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


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ((NO_ROUTE, LOOPBACK), (LOOPBACK,)),
        ((LOOPBACK, NO_ROUTE), (LOOPBACK,)),
        ((NO_ROUTE,), (NO_ROUTE,)),
    ],
)
def test_addresses_without_a_route_are_left_out_when_there_are_others(monkeypatch, found, kept):
    """An AAAA is no address of a host without IPv6; but when there is no other, its failure counts."""
    monkeypatch.setattr(names, "_look_up", lambda host, port: found)

    assert kept == names._resolve("name.example", 80)
