"""The other members' /status over real sockets: answers, silence, and everything hostile between."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

import pytest
from structlog.testing import capture_logs

from eni_failover.adapters.peers import MAX_BODY, PeerWatcher
from eni_failover.core.model import PauseKind, PauseRecord, Peer
from eni_failover.core.policy import InstanceId, Member, MemberName
from eni_failover.status import peer_from_document

ALPHA, BETA, GAMMA = (
    Member(name=MemberName(name), instance_id=InstanceId(f"i-{name}"), address="127.0.0.1")
    for name in ("alpha", "beta", "gamma")
)
RECORD = {
    "kind": "resume",
    "at": "2026-11-18T11:06:40.000000Z",
    "until": None,
    "reason": "x",
    "by": "root",
}
RESUME = PauseRecord(kind=PauseKind.RESUME, at=1_795_000_000.0, reason="x", by="root")


def document(member: str, **changes) -> dict:
    """A member's /status, as far as a peer reads it."""
    return {
        "schema": 1,
        "group": "orders",
        "member": member,
        "role": "standby",
        "version": "0.1.0",
        **changes,
    }


def page(body: object, status: str = "200 OK", headers: str = "") -> bytes:
    """An HTTP answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + data


class Fake:
    """A member's server: answers what it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.answer: bytes | None = b""
        self.asked = 0
        self.heads: list[bytes] = []
        self.port = 0
        self._was_asked = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            self.asked += 1
            self._was_asked.set()
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def once_more(self, times: int = 1) -> None:
        """Wait until it was asked so many times more."""
        until = self.asked + times
        while self.asked < until:
            self._was_asked.clear()
            await self._was_asked.wait()


class World:
    """Alpha with two peers that are fakes."""

    def __init__(self, beta: Fake, gamma: Fake, timeout: float) -> None:
        self.beta, self.gamma = beta, gamma
        self.changes = 0
        self._changed = asyncio.Event()
        ports = {"beta": beta.port, "gamma": gamma.port}
        self.watcher = PeerWatcher(
            (ALPHA, BETA, GAMMA),
            me=ALPHA,
            url_of=lambda member: f"http://{member.address}:{ports[member.name]}/status",
            parse=partial(peer_from_document, group="orders"),
            clock=time.monotonic,
            on_change=self._change,
            interval=0.02,
            timeout=timeout,
        )

    def _change(self) -> None:
        self.changes += 1
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a change after which this holds."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def peer(self, name: str = "beta") -> Peer:
        return next(one for one in self.watcher.peers() if one.member == name)


def with_world(scenario: Callable[[World], Awaitable[None]], *, timeout: float = 0.3) -> list[dict]:
    """Run the scenario beside a watcher, and give what was logged."""

    async def main() -> None:
        async with asyncio.timeout(20), Fake() as beta, Fake() as gamma:
            beta.answer, gamma.answer = page(document("beta")), page(document("gamma"))
            world = World(beta, gamma, timeout)
            eternal = asyncio.ensure_future(world.watcher.run())
            try:
                await scenario(world)
            finally:
                eternal.cancel()
                await asyncio.wait([eternal])
        assert eternal.cancelled()

    with capture_logs() as logs:
        asyncio.run(main())
    return logs


def test_peers_are_the_others_in_their_order_from_the_start() -> None:
    """Before any answer every other member is there, in file order, not reachable."""
    watcher = PeerWatcher(
        (GAMMA, ALPHA, BETA),
        me=ALPHA,
        url_of=str,
        parse=peer_from_document,
        clock=time.monotonic,
        on_change=lambda: None,
    )

    assert watcher.peers() == (
        Peer(member=MemberName("gamma"), instance_id=InstanceId("i-gamma"), reachable=False),
        Peer(member=MemberName("beta"), instance_id=InstanceId("i-beta"), reachable=False),
    )


def test_answer_is_what_the_peer_says() -> None:
    """A peer's answer becomes its word, and the change is told."""

    async def scenario(world: World) -> None:
        world.beta.answer = page(
            document(
                "beta", config_hash="c0ffee", paused={}, pause_record=RECORD, takeover={"trigger": "ec2"}
            )
        )
        await world.until(lambda: world.peer().pause is not None)

        assert world.peer() == Peer(
            member=MemberName("beta"),
            instance_id=InstanceId("i-beta"),
            reachable=True,
            role="standby",
            version="0.1.0",
            config_hash="c0ffee",
            paused=True,
            pause=RESUME,
            takeover_trigger="ec2",
        )

    with_world(scenario)


def test_request_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer is asked by GET on a new connection, never through a proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def scenario(world: World) -> None:
        await world.until(lambda: world.peer().reachable)

        assert world.beta.heads[0].startswith(b"GET /status HTTP/1.1\r\n")
        assert b"Accept-Encoding: identity\r\n" in world.beta.heads[0]

    with_world(scenario)


def test_nothing_new_is_no_change() -> None:
    """The same answer, and one that differs in the version only, wake nobody."""

    async def scenario(world: World) -> None:
        await world.until(lambda: all(peer.reachable for peer in world.watcher.peers()))
        before = world.changes
        await world.beta.once_more(3)
        world.beta.answer = page(document("beta", version="0.2.0"))
        await world.beta.once_more(3)

        assert world.peer().version == "0.2.0"
        assert world.changes == before

    with_world(scenario)


def test_what_remains_of_a_pause_counts_from_when_it_was_first_heard() -> None:
    """Each answer shows less of it, which is no change; another record is one."""
    pause = {**RECORD, "kind": "pause", "remaining_s": 600.0}
    later = {**pause, "at": "2026-11-18T11:06:41.000000Z", "remaining_s": 60.0}

    async def scenario(world: World) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        world.beta.answer = page(document("beta", paused={}, pause_record=pause))
        await world.until(lambda: world.peer().pause is not None)
        first, before = world.peer().pause, world.changes
        assert began + 600.0 <= first.ends_at <= clock() + 600.0

        world.beta.answer = page(document("beta", paused={}, pause_record={**pause, "remaining_s": 598.0}))
        await world.beta.once_more(3)
        assert (world.peer().pause, world.changes) == (first, before)

        world.beta.answer = page(document("beta", paused={}, pause_record=later))
        await world.until(lambda: world.changes > before)
        assert world.peer().pause.ends_at <= clock() + 60.0

    with_world(scenario)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "active"},
        {"config_hash": "other"},
        {"paused": {}},
        {"pause_record": RECORD},
        {"takeover": {"trigger": "probes"}},
        {"last_takeover": {"trigger": "probes", "ended_at": RECORD["at"]}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_decisions_depend_on_is_a_change(changes: dict) -> None:
    """Role, configuration, pause and takeovers of a peer wake the loop."""

    async def scenario(world: World) -> None:
        await world.until(lambda: all(peer.reachable for peer in world.watcher.peers()))
        first, before = world.peer(), world.changes
        world.beta.answer = page(document("beta", **changes))
        await world.until(lambda: world.changes > before)

        assert world.peer() != first

    with_world(scenario)


ANSWERS = {
    "closes at once": b"",
    "not HTTP": b"hello\r\n\r\n",
    "error status": page(document("beta"), status="503 Service Unavailable"),
    "redirect": page(b"", status="302 Found", headers="Location: /elsewhere\r\n"),
    "not JSON": page(b"<html>"),
    "not UTF-8": page(b"\xff\xfe"),
    "no object": page([]),
    "deep": page(b"[" * 100_000),
    "another member": page(document("gamma")),
    "another group": page({**document("beta"), "group": "payments"}),
    "wrong types": page(document("beta", role=5)),
    "too large": page(document("beta", filler="x" * MAX_BODY)),
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY * 8),
    "short": page(document("beta"))[:-5],
    "compressed": page(
        gzip.compress(json.dumps(document("beta")).encode()), headers="Content-Encoding: gzip\r\n"
    ),
}


@pytest.mark.parametrize("answer", [*ANSWERS.values(), None], ids=[*ANSWERS, "silence"])
def test_peer_that_does_not_answer_well_is_unreachable_and_keeps_its_word(answer: bytes | None) -> None:
    """After the first bad answer a peer is not reachable, its doings unknown, its pause kept; others stay."""

    async def scenario(world: World) -> None:
        good = page(document("beta", paused={}, pause_record=RECORD, config_hash="c0ffee"))
        world.beta.answer = good
        await world.until(lambda: world.peer().paused and world.peer("gamma").reachable)
        world.beta.answer = answer
        await world.until(lambda: not world.peer().reachable)

        assert world.peer() == Peer(
            member=MemberName("beta"),
            instance_id=InstanceId("i-beta"),
            reachable=False,
            role="",
            version="0.1.0",
            config_hash="c0ffee",
            paused=True,
            pause=RESUME,
        )
        assert world.peer("gamma").reachable

        world.beta.answer = good
        await world.until(lambda: world.peer().reachable)

    logs = with_world(scenario)

    told = [one["event"] for one in logs if one["peer"] == "beta"]
    # On a busy machine the very first answer may come too late: 0.3 s.
    assert told[told.index("peer.reachable") :] == ["peer.reachable", "peer.unreachable", "peer.reachable"]


def test_redirect_is_not_followed() -> None:
    """A peer cannot send this member elsewhere."""

    async def scenario(world: World) -> None:
        target = f"Location: http://127.0.0.1:{world.gamma.port}/stolen\r\n"
        world.beta.answer = page(b"", status="307 Temporary Redirect", headers=target)
        await world.beta.once_more(3)

        assert not any(b"/stolen" in head for head in world.gamma.heads)

    with_world(scenario)


def test_peer_that_is_down_from_the_start_is_logged_once() -> None:
    """A refused connection is no answer; one line says so, however often it is refused."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def main() -> None:
        tried = asyncio.Event()
        attempts = 0

        def url_of(member: Member) -> str:
            nonlocal attempts
            attempts += 1
            if attempts == 4:
                tried.set()
            return f"http://127.0.0.1:{port}/status"

        watcher = PeerWatcher(
            (ALPHA, BETA),
            me=ALPHA,
            url_of=url_of,
            parse=peer_from_document,
            clock=time.monotonic,
            on_change=lambda: None,
            interval=0.01,
        )
        eternal = asyncio.ensure_future(watcher.run())
        async with asyncio.timeout(10):
            await tried.wait()
        eternal.cancel()
        await asyncio.wait([eternal])

        assert watcher.peers() == (
            Peer(member=MemberName("beta"), instance_id=InstanceId("i-beta"), reachable=False),
        )

    with capture_logs() as logs:
        asyncio.run(main())

    assert [(one["event"], one["peer"]) for one in logs] == [("peer.unreachable", "beta")]


def test_replaced_members_are_asked_and_the_old_ones_left_alone() -> None:
    """After a reload who is gone is not asked any more, who stays keeps its word, who is new is asked."""

    async def scenario(world: World) -> None:
        world.watcher.replace((ALPHA, BETA))
        world.beta.answer = page(document("beta", pause_record=RECORD))
        await world.until(lambda: world.peer().pause is not None)
        world.watcher.replace((GAMMA, BETA, ALPHA))
        kept = world.watcher.peers()
        await world.until(lambda: world.peer("gamma").reachable)
        world.watcher.replace((ALPHA, GAMMA))
        await world.gamma.once_more(2)
        asked = world.beta.asked
        await world.gamma.once_more(3)

        assert [peer.member for peer in kept] == ["gamma", "beta"]
        assert kept[1].pause == RESUME
        assert [peer.member for peer in world.watcher.peers()] == ["gamma"]
        assert world.beta.asked == asked

    with_world(scenario)


def test_slow_peer_does_not_hold_the_others_up() -> None:
    """Each peer is asked on its own: silence of one leaves the interval of the others alone."""

    async def scenario(world: World) -> None:
        world.beta.answer = None
        await world.beta.once_more()
        before = world.beta.asked
        await world.gamma.once_more(4)

        assert world.beta.asked == before

    with_world(scenario, timeout=15.0)
