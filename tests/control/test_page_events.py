"""The event stream, over real sockets."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from eni_failover.control import Limits
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult, Role
from eni_failover.status import to_document
from tests.control.page_scenes import CALM, at
from tests.control.support import READY, WALL, Client, FakeDesk, serve, wait_until


class CountingDesk(FakeDesk):
    """Counts how often somebody looked."""

    looks = 0

    def snapshot(self):
        self.looks += 1
        return self.shown


async def event(response: aiohttp.ClientResponse, wanted: str | None = None) -> tuple[str, str]:
    """The next event's name and data; of this name, when one is wanted."""
    name, data = "", []
    while line := (await response.content.readline()).decode():
        field, _, value = line.rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line.strip() and name:
            if wanted in {None, name}:
                return name, "\n".join(data)
            name, data = "", []
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize("unix", [False, True])
def test_stream_begins_with_the_status_and_a_heartbeat(tmp_path: Path, unix: bool) -> None:
    """A new listener is told at once how things are; the status is that of /status."""

    async def scenario(client: Client) -> None:
        async with (client.unix if unix else client.tcp).get("/events") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in response.headers
            assert await response.content.readline() == b"retry: 1000\n"
            name, data = await event(response)
            assert (name, json.loads(data)) == ("status", to_document(CALM))
            name, data = await event(response)
            beat = json.loads(data)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", beat.pop("now"))
            assert (name, beat) == (
                "heartbeat",
                {"alive": True, "last_pass_ended_s": 5.0, "bound_s": 30.0},
            )

    serve(tmp_path, FakeDesk(CALM), scenario, now=105.0)


def test_a_pass_that_found_nothing_new_is_no_event(tmp_path: Path) -> None:
    """One event for each change of what is published; a later time alone is none."""
    desk = CountingDesk(CALM)

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/events") as response:
            first = json.loads((await event(response, "status"))[1])
            desk.shown, looks = at(CALM, WALL + 10), desk.looks
            await wait_until(lambda: desk.looks >= looks + 2)
            desk.shown = replace(at(CALM, WALL + 20), role=Role.TAKING)
            second = json.loads((await event(response, "status"))[1])

        assert [first["now"], second["now"]] == ["2026-11-18T11:06:40.000000Z", "2026-11-18T11:07:00.000000Z"]
        assert second["role"] == "taking"

    serve(tmp_path, desk, scenario)


def test_before_the_first_pass_there_are_only_heartbeats(tmp_path: Path) -> None:
    """A listener that came too early gets its first status when there is one."""
    desk = FakeDesk(None)

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/events") as response:
            assert (await event(response))[0] == "heartbeat"
            desk.shown = READY
            assert json.loads((await event(response))[1]) == to_document(READY)

    serve(tmp_path, desk, scenario)


def test_page_view_is_the_pages_fragment(tmp_path: Path) -> None:
    """The stream of the page carries, on one line, what stands on the page."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            page = await response.text()
        async with client.tcp.get("/events?view=page") as response:
            name, data = await event(response)

        assert name == "page"
        assert data.startswith('<div id="page"')
        assert data in page

    serve(tmp_path, FakeDesk(CALM), scenario)


def test_unknown_views_and_other_methods_are_refused(tmp_path: Path) -> None:
    """A view that does not exist is 400 and names those that do; HEAD of a stream is 405."""

    async def scenario(client: Client) -> None:
        assert await client.get("/events?view=x") == (400, {"error": "view: one of status, page"})
        async with client.tcp.head("/events") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET")
        async with client.unix.post("/events") as response:
            assert response.status == 405

    serve(tmp_path, FakeDesk(), scenario)


def test_listeners_are_few_and_leave_room_for_others(tmp_path: Path) -> None:
    """Above the limit the answer is 503, everything else is still answered, and a place comes free."""
    most = Limits().streams_per_caller

    async def scenario(client: Client) -> None:
        sessions = [aiohttp.ClientSession(f"http://127.0.0.1:{client.servers.port}") for _ in range(most)]
        streams = []
        try:
            streams += [await session.get("/events") for session in sessions]
            assert [stream.status for stream in streams] == [200] * most
            assert await client.get("/events") == (503, {"error": "too many listeners already"})
            assert (await client.get("/livez"))[0] == 200

            streams.pop().close()
            await sessions.pop().close()
            await wait_until(lambda: client.servers._events._listening == most - 1)
            async with client.tcp.get("/events") as response:
                assert response.status == 200
        finally:
            for stream, session in zip(streams, sessions, strict=False):
                stream.close()
                await session.close()
        await wait_until(lambda: client.servers._events._listening == 0)

    serve(tmp_path, FakeDesk(), scenario)


def test_listener_that_reads_outlives_an_ordinary_exchange(tmp_path: Path) -> None:
    """The deadline of an exchange starts anew with each event that goes out."""
    desk = FakeDesk(READY)
    limits = Limits(exchange=0.5)

    async def scenario(client: Client) -> None:
        loop = asyncio.get_running_loop()
        began_at, seen = loop.time(), 0
        async with client.tcp.get("/events") as response:
            while loop.time() < began_at + 3 * limits.exchange:
                seen += 1
                desk.shown = replace(READY, config_hash=str(seen))
                while json.loads((await event(response, "status"))[1])["config_hash"] != str(seen):
                    pass

        assert seen > 3

    serve(tmp_path, desk, scenario, limits=limits)


def test_listener_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """What is kept for a listener is bounded: one that lets events lie loses its connection."""
    detail = Check(name="slot", result=CheckResult.FAIL, detail="#" * (32 * 1024 * 1024))

    async def scenario(client: Client) -> None:
        events = client.servers._events
        _, writer = await client.raw()
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await wait_until(lambda: events._listening == 1)
        await wait_until(lambda: events._listening == 0)

        assert (await client.get("/livez"))[0] == 200

    serve(tmp_path, FakeDesk(replace(READY, checks=(detail,))), scenario, limits=Limits(exchange=0.5))


def test_nobody_looks_when_nobody_listens(tmp_path: Path) -> None:
    """A listener that has left is noticed, and from then on the daemon is not asked."""
    desk = CountingDesk(READY)

    async def scenario(client: Client) -> None:
        client.servers._events._heartbeat = 3600.0
        assert desk.looks == 0
        async with client.tcp.get("/events") as response:
            await event(response)
        await wait_until(lambda: client.servers._events._listening == 0)
        looks = desk.looks
        await client.get("/livez")

        assert looks == desk.looks
        assert not [task for task in asyncio.all_tasks() if "listen" in str(task.get_coro())]

    serve(tmp_path, desk, scenario)


def test_streams_end_when_the_daemon_stops(tmp_path: Path) -> None:
    """The stop ends every stream in order: the listener sees a whole answer, not a broken one."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/events") as response:
            await event(response)
            await client.servers.close()
            rest = await response.content.read()

        assert b"event: status" not in rest

    serve(tmp_path, FakeDesk(), scenario)
