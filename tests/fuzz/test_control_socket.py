"""Raw bytes to the real control servers: a documented refusal or a closed connection, and nothing decided."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import aiohttp
import pytest

from eni_failover.control import Limits
from tests.control.support import Client, FakeDesk, read_all, serve
from tests.fuzz.control_requests import NO_ORDERS, OLD, request

REFUSALS = {400, 404, 405, 408, 413, 422, 431}
TAKEN = {200, 202}
STATUS = re.compile(rb"^HTTP/\d\.\d (\d{3}) ")
# Short where a client that never ends is waited for, and long where a good one must not be cut off.
QUICK_LIMITS = Limits(head=0.2, body=0.1, exchange=0.3)
PATIENT_LIMITS = Limits(head=1.0, body=1.0, exchange=10.0)
AT_ONCE = 40
MUTANTS = 400


async def statuses(client: Client, sent: bytes, *, unix: bool) -> list[int]:
    """The statuses of all answers to these bytes, interim ones left out, until the server closes."""
    reader, writer = await client.raw(unix=unix)
    writer.write(sent)
    answer = await read_all(reader)
    found = [int(one) for one in re.findall(rb"(?:^|\r\n\r\n|\})HTTP/\d\.\d (\d{3}) ", answer)]
    assert found or not answer
    return [one for one in found if one != 100]


async def alive(client: Client, *, unix: bool) -> bool:
    """Whether a good client is served; on a busy machine even that one may have been too slow at first."""
    for _ in range(5):
        try:
            return (await client.get("/livez", unix=unix))[0] == 200
        except aiohttp.ClientError:
            continue
    return False


def check_alive(
    tmp_path: Path, desk: FakeDesk, sent: bytes, *, unix: bool, limits: Limits = QUICK_LIMITS
) -> list[int]:
    """What the server answers; afterwards it serves the next client as if nothing had been."""
    seen: list[int] = []

    async def scenario(client: Client) -> None:
        seen.extend(await statuses(client, sent, unix=unix))
        assert await alive(client, unix=unix)

    serve(tmp_path, desk, scenario, limits=limits)
    return seen


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_on_the_control_socket(tmp_path, name):
    """One refusal, or none at all: nothing is asked of the daemon."""
    desk = FakeDesk()

    seen = check_alive(tmp_path, desk, NO_ORDERS[name], unix=True)
    assert len(seen) <= 1
    assert set(seen) <= REFUSALS
    assert desk.asked == []


@pytest.mark.parametrize("name", [*NO_ORDERS, *OLD])
def test_the_same_is_refused_on_tcp(tmp_path, name):
    """The read-only side never gets as far as a body."""
    desk = FakeDesk()

    seen = check_alive(tmp_path, desk, {**NO_ORDERS, **OLD}[name], unix=False)
    assert len(seen) <= 1
    assert set(seen) <= REFUSALS
    assert desk.asked == []


@pytest.mark.parametrize("name", OLD)
def test_another_version_of_http_orders_nothing(tmp_path, name):
    """A request without headers, or of a protocol that is not spoken here, is no operator's."""
    desk = FakeDesk()
    check_alive(tmp_path, desk, OLD[name], unix=True)

    assert desk.asked == []


def test_of_requests_sent_together_the_first_is_answered(tmp_path):
    """One connection carries one request: what follows it is neither answered nor done."""
    desk = FakeDesk()
    together = request() + request(path="/pause", body=b"{}") + request(path="/reload", body=b"{}")

    assert check_alive(tmp_path, desk, together, unix=True, limits=PATIENT_LIMITS) == [202]
    assert desk.asked == [("takeover", "drill", 120.0)]


@pytest.mark.parametrize("sent", [b"", b"POST /takeover HTTP/1.1\r\nHost: x\r\n", request(length=99)])
def test_bytes_that_drip_win_no_time(tmp_path, sent):
    """A byte now and then, in the head or in the body, and the connection ends all the same."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw(unix=True)
        writer.write(sent)
        gone = asyncio.ensure_future(read_all(reader))
        while not gone.done():
            writer.write(b"X")
            await asyncio.wait([gone], timeout=0.02)
        answer = await gone

        assert not answer or int(STATUS.match(answer)[1]) in REFUSALS
        assert desk.asked == []

    serve(tmp_path, desk, scenario, limits=QUICK_LIMITS)


def mutant(seed: int) -> bytes:
    """A good order with a few bytes of it changed, cut out or doubled."""
    draw = random.Random(seed)  # noqa: S311 - the same mutants in every run
    path, body = draw.choice(
        [("/takeover", b'{"reason": "drill"}'), ("/pause", b'{"for": "30m"}'), ("/reload", b"{}")]
    )
    sent = bytearray(request(path=path, body=body, headers=b"Content-Type: application/json\r\n"))
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(sent))
        match draw.randrange(4):
            case 0:
                sent[at] = draw.randrange(256)
            case 1:
                del sent[at : at + draw.randint(1, 8)]
            case 2:
                sent[at:at] = sent[at : at + draw.randint(1, 30)]
            case _:
                sent[at:at] = draw.choice(
                    [b"\r\n", b"\0", b" ", b":", b"%", b"{", b'"', b"\xff", b"\r\n\r\n"]
                )
    return bytes(sent)


@pytest.mark.parametrize("first", [0, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_mutants_of_good_orders(tmp_path, first):
    """Each is one refusal, or one order that was understood; the server serves on."""
    desk = FakeDesk()
    number = MUTANTS if first == 0 else 5 * MUTANTS
    odd: list[tuple[int, list[int]]] = []
    taken = 0

    async def scenario(client: Client) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(seed: int) -> list[int]:
            async with places:
                seen = await statuses(client, mutant(seed), unix=True)
            if len(seen) > 1 or not set(seen) <= REFUSALS | TAKEN:
                odd.append((seed, seen))
            return seen

        nonlocal taken
        answers = await asyncio.gather(*(one(seed) for seed in range(first, first + number)))
        taken = sum(bool(set(seen) & TAKEN) for seen in answers)
        assert await alive(client, unix=True)

    serve(tmp_path, desk, scenario, limits=PATIENT_LIMITS)
    assert odd == []
    assert taken == len(desk.asked)
