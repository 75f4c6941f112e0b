"""A name with several addresses: asked side by side, by the probes that make connections."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from eni_failover.adapters.probes import race
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.names import Address
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.race import side_by_side
from eni_failover.adapters.probes.spec import HttpSettings, PeerSettings, TcpSettings
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.adapters.probes.waiting import Waiting, within
from eni_failover.core.vocabulary import Answer
from tests.adapters.probes.servers import LOCAL, page, refused_port, says, serving
from tests.virtual_loop import run

UP = ProbeResult(answer=Answer.UP, answered=True, detail="up")
REFUSED = ProbeResult(answer=Answer.DOWN, answered=True, detail="refused")
DEAD = ProbeResult(answer=Answer.DOWN, answered=False, detail="dead")
UNSENT = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="no route")
NEVER = 1e6


def addresses(ports) -> tuple[Address, ...]:
    return tuple(Address(family=socket.AF_INET, sockaddr=("127.0.0.1", port)) for port in ports)


def play(*script, timeout=10.0):
    """The answer about addresses that answer so after so many seconds, when each was asked, and `unsent`."""
    asked: list[float] = []
    cancelled: list[int] = []

    async def ask(address):
        place = address.sockaddr[1]
        result, seconds = script[place]
        asked.append(round(asyncio.get_running_loop().time(), 3))
        with waiting.on_target(lambda: "filtered" if result is UNSENT else ""):
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                cancelled.append(place)
                raise
        return result

    async def main():
        begun = asyncio.get_running_loop().time()
        waiting.begin()
        try:
            async with asyncio.timeout(timeout):
                result = await side_by_side(addresses(range(len(script))), ask, waiting)
        except TimeoutError:
            result = waiting.unsent
        return result, [round(at - begun, 3) for at in asked], sorted(cancelled)

    waiting = Waiting()
    return run(main())


@pytest.mark.parametrize(
    ("script", "result", "asked", "cancelled"),
    [
        ([(UP, 0.1), (UP, 0.1)], UP, [0.0], []),
        ([(UP, NEVER), (UP, 0.1)], UP, [0.0, 0.25], [0]),
        ([(UP, 0.3), (UP, NEVER)], UP, [0.0, 0.25], [1]),
        ([(REFUSED, 0.1), (UP, 0.1)], UP, [0.0, 0.1], []),
        ([(UNSENT, 0.0), (UP, 0.1)], UP, [0.0, 0.0], []),
        ([(UNSENT, 0.0), (REFUSED, 0.1)], REFUSED, [0.0, 0.0], []),
        ([(REFUSED, 0.1), (UNSENT, 0.0)], REFUSED, [0.0, 0.1], []),
        ([(DEAD, 0.1), (REFUSED, 0.0)], REFUSED, [0.0, 0.1], []),
        ([(UNSENT, 0.0), (UNSENT, 0.0)], UNSENT, [0.0, 0.0], []),
        ([(UP, NEVER), (UP, NEVER), (UP, 0.1)], UP, [0.0, 0.25, 0.5], [0, 1]),
    ],
)
def test_all_addresses_are_asked_until_one_is_up(script, result, asked, cancelled):
    """The next after 250 ms, or at once when one has failed; unknown makes it neither up nor down."""
    assert play(*script) == (result, asked, cancelled)


@pytest.mark.parametrize(
    ("script", "unsent"),
    [
        ([(UP, NEVER), (UP, NEVER)], ""),
        ([(UNSENT, NEVER), (UP, NEVER)], ""),
        ([(UNSENT, NEVER), (UNSENT, NEVER)], "filtered"),
        ([(REFUSED, 0.1), (UNSENT, NEVER)], ""),
        ([(UNSENT, 0.1), (UNSENT, NEVER)], "filtered"),
    ],
)
def test_at_the_deadline_it_is_down_when_one_was_really_asked(script, unsent):
    """Then the silence is the target's; nobody was asked when each packet stayed on this host."""
    assert play(*script, timeout=1.0)[0] == unsent


def test_a_bug_in_one_attempt_is_not_hidden():
    """It is raised, and the others are cancelled."""

    async def main():
        async def ask(address):
            if address.sockaddr[1]:
                raise ZeroDivisionError
            await asyncio.sleep(NEVER)

        with pytest.raises(ZeroDivisionError):
            await side_by_side(addresses(range(2)), ask, Waiting())
        return len(asyncio.all_tasks())

    assert run(main()) == 1


PROBES = {
    "tcp": lambda: TcpProbe(TcpSettings(host="both.example", port=80)),
    "http": lambda: HttpProbe(HttpSettings(url="http://both.example/")),
    "peer": lambda: PeerProbe(PeerSettings(url="http://both.example/status", group="orders")),
}
STATUS = b'{"schema": 1, "group": "orders", "member": "alpha", "role": "active"}'


@pytest.mark.parametrize("make", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("good", [0, 1])
def test_a_probe_is_up_when_one_address_is(monkeypatch, make, good):
    """One address refuses, the other answers; in either order."""

    async def main():
        async with serving(says(page(STATUS))) as server:
            ports = [refused_port(), refused_port()]
            ports[good] = server.port
            probe = make()
            monkeypatch.setattr("eni_failover.adapters.probes.names._look_up", lambda *_: addresses(ports))
            result = await probe(LOCAL)
            await probe.close()
            return result.answer

    assert asyncio.run(main()) is Answer.UP


def test_an_http_probe_hears_the_better_one_of_two_answers(monkeypatch):
    """Both addresses accept: 503 at the first does not decide."""

    async def main():
        async with AsyncExitStack() as stack:
            sick = await stack.enter_async_context(serving(says(page(b"", "503 Sick"))))
            well = await stack.enter_async_context(serving(says(page())))
            ports = [sick.port, well.port]
            monkeypatch.setattr("eni_failover.adapters.probes.names._look_up", lambda *_: addresses(ports))
            probe = PROBES["http"]()
            result = await probe(LOCAL)
            await probe.close()
            return result, sick.connections, well.connections

    up = ProbeResult(answer=Answer.UP, answered=True, detail="status 200")

    assert asyncio.run(main()) == (up, 1, 1)


def test_an_address_that_swallows_connections_does_not_delay_the_other(monkeypatch):
    """An IPv6 address that a security group drops, say: the other one is asked 250 ms later."""
    monkeypatch.setattr(race, "GAP", 0.01)

    async def main():
        async with serving(None) as silent, serving(says(page())) as well:
            ports = [silent.port, well.port]
            monkeypatch.setattr("eni_failover.adapters.probes.names._look_up", lambda *_: addresses(ports))
            probe = PROBES["http"]()
            result = await probe(LOCAL)
            await silent.hung_up.wait()
            await probe.close()
            return result.answer

    assert asyncio.run(main()) is Answer.UP


@pytest.mark.parametrize(("seconds", "dead"), [(0.4, 1), (0.6, 3)])
def test_each_address_is_asked_however_short_the_attempt(monkeypatch, seconds, dead):
    """With 200 ms a gap of 250 would leave out the address that serves."""

    async def main():
        async with AsyncExitStack() as stack:
            mute = [await stack.enter_async_context(serving(None)) for _ in range(dead)]
            well = await stack.enter_async_context(serving(says(page())))
            ports = [server.port for server in (*mute, well)]
            monkeypatch.setattr("eni_failover.adapters.probes.names._look_up", lambda *_: addresses(ports))
            monkeypatch.setattr(race, "GAP", 60.0)
            probe = PROBES["http"]()
            async with within(seconds):
                result = await probe(LOCAL)
            await probe.close()
            return result.answer

    assert asyncio.run(main()) is Answer.UP
