"""`GET /events`: what passes publish, as it happens, by server-sent events. Nothing changes.

Owns the stream and its bounds: few listeners, each cut off when it does not read, all ended at the
stop. It looks at the newest snapshot four times a second while somebody listens, and not at all
otherwise. Does not guarantee that a listener sees every pass: what it missed is in what it sees next.
The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from aiohttp import web

from eni_failover.control.desk import Desk
from eni_failover.control.pulse import Pulse
from eni_failover.core.snapshot import Snapshot
from eni_failover.status import time_text, to_document

HEARTBEAT = 5.0  # well below Limits.exchange: each heartbeat prolongs the exchange
_LOOK = 0.25
_RETRY_MS = 1000
# The name of the event is the name of the view.
_STATUS, _PAGE = "status", "page"
# The second one asks a proxy of nginx's kind not to hold events back.
_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

# Called after each part of an answer that goes on: the exchange's deadline starts anew.
PROLONG = web.RequestKey[Callable[[], None]]("prolong")
# Called before a stream begins: whether there is a place for it.
STREAM = web.RequestKey[Callable[[], bool]]("stream")


class Events:
    """The listeners of both servers. `fragment` makes the page's part for a snapshot."""

    def __init__(self, *, desk: Desk, pulse: Pulse, fragment: Callable[[Snapshot], str]) -> None:
        self._desk = desk
        self._pulse = pulse
        self._heartbeat = HEARTBEAT
        self._makers: dict[str, Callable[[Snapshot], str]] = {
            _STATUS: lambda snapshot: json.dumps(to_document(snapshot)),
            _PAGE: fragment,
        }
        self._listening = 0
        # Of the newest snapshot, for all listeners: its facts, and its event by view.
        self._newest: Snapshot | None = None
        self._facts: dict[str, object] = {}
        self._texts: dict[str, str] = {}
        self._closing = asyncio.Event()

    def routes(self) -> Iterator[web.RouteDef]:
        """The path with its handler. No HEAD: it would be a stream without a body."""
        yield web.get("/events", self.listen, allow_head=False)

    def close(self) -> None:
        """End every stream; a new one ends at once."""
        self._closing.set()

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """A stream of `status` events, or with `?view=page` of the page's fragments, and heartbeats."""
        view = request.query.get("view", _STATUS)
        if view not in self._makers:
            raise web.HTTPBadRequest(text=f"view: one of {', '.join(self._makers)}")
        if not request[STREAM]():
            return web.json_response({"error": "too many listeners already"}, status=503)
        response = web.StreamResponse(headers=_HEADERS)
        response.force_close()
        self._listening += 1
        try:
            with contextlib.suppress(ConnectionError):  # the listener has left, as they all do
                await response.prepare(request)
                await self._tell(request, response, view)
        finally:
            self._listening -= 1
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, view: str) -> None:
        loop = asyncio.get_running_loop()
        seen: Snapshot | None = None
        told: dict[str, object] | None = None
        beat_at = loop.time()
        text = f"retry: {_RETRY_MS}\n\n"
        while not self._closing.is_set() and request.transport is not None:
            snapshot = self._desk.snapshot()
            if snapshot is not None and snapshot is not seen:
                self._look_at(snapshot)
                seen, before, told = snapshot, told, self._facts
                if told != before:
                    text += self._text(view, snapshot)
            if loop.time() >= beat_at:
                text += _event("heartbeat", self._heartbeat_data())
                beat_at = loop.time() + self._heartbeat
            if text:
                await response.write(text.encode())
                request[PROLONG]()
                text = ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._closing.wait()

    def _look_at(self, snapshot: Snapshot) -> None:
        if snapshot is not self._newest:
            self._newest, self._facts, self._texts = snapshot, _facts(snapshot), {}

    def _text(self, view: str, snapshot: Snapshot) -> str:
        """The event of this view, made once however many listen."""
        if view not in self._texts:
            self._texts[view] = _event(view, self._makers[view](snapshot))
        return self._texts[view]

    def _heartbeat_data(self) -> str:
        return json.dumps({"now": time_text(time.time()), **self._pulse.document()})


def _facts(snapshot: Snapshot) -> dict[str, object]:
    """The status without its time, and what only that changes: a pass that found nothing new is no event."""
    return {**to_document(replace(snapshot, at=0.0)), "now": None}


def _event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n"
