"""What operators order on the Unix socket, over a real one."""

import asyncio
import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.control import Limits, TakeoverAnswer, TakeoverState
from eni_failover.core.model import PauseKind, PauseRecord, PauseRequest, Peer
from eni_failover.core.policy import InstanceId, MemberName
from tests.control.support import READY, WALL, Client, FakeDesk, serve


@pytest.mark.parametrize("state", ["started", "joined", "held", "pending"])
def test_takeover_that_is_not_refused_is_202(tmp_path: Path, state: str) -> None:
    """POST /takeover hands on reason and timeout, and says what became of it."""
    desk = FakeDesk()
    desk.answer = TakeoverAnswer(state=TakeoverState(state), reason="operator", request_id="r1")

    async def scenario(client: Client) -> None:
        actual = await client.post("/takeover", {"reason": "kernel update", "timeout_s": 30})

        assert actual == (202, {"state": state, "reason": "operator", "request_id": "r1"})
        assert desk.asked == [("takeover", "kernel update", 30.0)]

    serve(tmp_path, desk, scenario)


def test_takeover_refused_is_409_with_the_reason(tmp_path: Path) -> None:
    """A refusal carries the decision's own word; an empty body takes the defaults."""
    desk = FakeDesk()
    desk.answer = TakeoverAnswer(state=TakeoverState.REFUSED, reason="no_slot", request_id="r1")

    async def scenario(client: Client) -> None:
        actual = await client.post("/takeover")

        assert actual == (409, {"error": "takeover refused: no_slot", "reason": "no_slot"})
        assert desk.asked == [("takeover", "", 120.0)]

    serve(tmp_path, desk, scenario)


def test_pause_answers_with_its_record_and_who_follows_it(tmp_path: Path) -> None:
    """POST /pause hands on its length and its author as the kernel names him, and shows the record."""
    record = PauseRecord(kind=PauseKind.PAUSE, at=WALL)
    peers = (
        Peer(
            member=MemberName("alpha"),
            instance_id=InstanceId("i-alpha"),
            reachable=True,
            paused=True,
            pause=record,
        ),
        Peer(member=MemberName("gamma"), instance_id=InstanceId("i-gamma"), reachable=True),
    )
    desk = FakeDesk(replace(READY, paused=True, peers=peers))
    author = "root@beta" if os.getuid() == 0 else f"uid {os.getuid()}@beta"

    async def scenario(client: Client) -> None:
        status, body = await client.post("/pause", {"for": "30m", "reason": "update", "local": False})
        common = {
            "at": "2026-11-18T11:06:40.000000Z",
            "until": "2026-11-18T11:36:40.000000Z",
            "remaining_s": 1800.0,
            "reason": "update",
            "by": author,
            "local": False,
        }

        assert status == 200
        assert body == {
            "paused": common,
            "pause_record": {"kind": "pause", **common},
            "acknowledged": ["beta", "alpha"],
        }
        assert desk.asked == [PauseRequest(kind=PauseKind.PAUSE, duration=1800.0, reason="update", by=author)]

    serve(tmp_path, desk, scenario)


def test_pause_without_a_length_leaves_it_to_the_core(tmp_path: Path) -> None:
    """Without `for`, and with null, the pause has no end of its own; `local` is handed on."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        await client.post("/pause", {"local": True})
        await client.post("/pause", {"for": None})

        assert [(one.duration, one.local) for one in desk.asked] == [(None, True), (None, False)]

    serve(tmp_path, desk, scenario)


def test_resume_is_an_order_of_its_own(tmp_path: Path) -> None:
    """POST /resume is a record too, and nobody is paused by it."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        status, body = await client.post("/resume", {"local": True})

        assert (status, body["paused"], body["pause_record"]["kind"]) == (200, None, "resume")
        assert [(one.kind, one.local) for one in desk.asked] == [(PauseKind.RESUME, True)]

    serve(tmp_path, desk, scenario)


def test_reload_tells_every_problem(tmp_path: Path) -> None:
    """POST /reload is 200 when the file was taken, 422 with each problem when not."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        assert await client.post("/reload") == (200, {"errors": []})

        desk.problems = ("line 3: one", "line 7: two")
        assert await client.post("/reload", {}) == (422, {"errors": ["line 3: one", "line 7: two"]})

    serve(tmp_path, desk, scenario)


def test_the_operators_socket_alone_tells_whose_it_is(tmp_path: Path) -> None:
    """GET /config names the daemon's file to operators, and nothing on TCP."""

    async def scenario(client: Client) -> None:
        assert await client.get("/config", unix=True) == (200, {"path": str(tmp_path / "orders.toml")})
        assert (await client.get("/config"))[0] == 404

    serve(tmp_path, FakeDesk(), scenario)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/takeover", b"{", "Invalid JSON"),
        ("/takeover", b"\xff\xfe", "Invalid JSON"),
        ("/takeover", b"[" * 16_000, "Invalid JSON"),
        ("/takeover", [], "object"),
        ("/takeover", {"reson": "x"}, "reson"),
        ("/takeover", {"reason": 5}, "reason"),
        ("/takeover", {"reason": None}, "reason"),
        ("/takeover", {"reason": "two\nlines"}, "reason: must be printable"),
        ("/takeover", {"reason": "x" * 501}, "reason"),
        ("/takeover", {"timeout_s": 0}, "timeout_s"),
        ("/takeover", {"timeout_s": True}, "timeout_s"),
        ("/takeover", {"timeout_s": "30"}, "timeout_s"),
        ("/takeover", b'{"timeout_s": NaN}', "timeout_s"),
        ("/takeover", b'{"timeout_s": 1e999}', "timeout_s"),
        ("/pause", {"for": 30}, "for: must be text"),
        ("/pause", {"for": "30"}, "for: must be one number"),
        ("/pause", {"for": "0s"}, "for: must be longer than zero"),
        ("/pause", {"for": "9999d"}, "for: must be 365d or shorter"),
        ("/pause", {"length": 5.0}, "length"),
        ("/pause", {"local": "yes"}, "local"),
        ("/pause", {"local": 1}, "local"),
        ("/resume", {"for": "30m"}, "for"),
        ("/reload", {"now": True}, "now"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_body_is_400_and_gives_no_order(tmp_path: Path, path: str, body: object, named: str) -> None:
    """A body of the wrong form is 400, names the field, and reaches nobody."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        status, answer = await client.post(path, body)

        assert status == 400
        assert named in answer["error"]
        assert desk.asked == []

    serve(tmp_path, desk, scenario)


def test_body_above_the_limit_is_413(tmp_path: Path) -> None:
    """More than 16 KiB is not read."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        status, _ = await client.post("/takeover", b" " * (16 * 1024 + 1) + b"{}")

        assert (status, desk.asked) == (413, [])

    serve(tmp_path, desk, scenario)


def test_compressed_body_is_not_unpacked(tmp_path: Path) -> None:
    """A body with a content encoding is a bad body, not a way around the limit."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        headers = {"Content-Encoding": "deflate"}
        async with client.unix.post("/reload", data=zlib.compress(b"{}"), headers=headers) as response:
            assert response.status == 400

        assert desk.asked == []

    serve(tmp_path, desk, scenario)


def test_desk_that_does_not_answer_is_504(tmp_path: Path) -> None:
    """An order that the daemon does not answer in time ends with a clear word, not with a hang."""
    desk = FakeDesk()
    desk.hangs = True

    async def scenario(client: Client) -> None:
        status, body = await client.post("/takeover", {})

        assert status == 504
        assert "may still happen" in body["error"]

    serve(tmp_path, desk, scenario, limits=Limits(answer=0.05))


def test_order_outlives_its_client(tmp_path: Path) -> None:
    """A client that hangs up after its order does not take the order back."""
    reached, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(FakeDesk):
        async def reload(self) -> tuple[str, ...]:
            reached.set()
            await go_on.wait()
            finished.set()
            return ()

    async def scenario(client: Client) -> None:
        _, writer = await client.raw(unix=True)
        writer.write(b"POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await reached.wait()
        writer.transport.abort()
        await client.get("/livez")
        go_on.set()

        await finished.wait()

    serve(tmp_path, Slow(), scenario)
