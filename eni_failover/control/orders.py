"""What operators order, on the Unix socket only: takeover, pause, resume, reload; and whose socket it is.

Every field is checked here; what is passed on to the daemon is bounded and printable. An order is not
taken back when its client hangs up: aiohttp leaves a running handler alone (handler_cancellation off).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from eni_failover.config.durations import positive_seconds
from eni_failover.control.callers import user_of
from eni_failover.control.desk import Desk, TakeoverAnswer, TakeoverState
from eni_failover.control.limits import Limits
from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.pause import LONGEST
from eni_failover.status import pause_answer

DEFAULT_TAKEOVER_TIMEOUT = 120.0


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text on one line")
    return text


def _length(value: object) -> float | None:
    if value is None:
        return None
    length = positive_seconds(value)
    if length > LONGEST:
        raise ValueError(f"a pause lasts {LONGEST / 86400:g}d at most, not {value}")
    return length


_Sentence = Annotated[str, Field(max_length=500), AfterValidator(_printable)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Takeover(_Body):
    reason: _Sentence = ""
    timeout_s: float = Field(DEFAULT_TAKEOVER_TIMEOUT, gt=0, le=3600, allow_inf_nan=False)


class _Pause(_Body):
    length: Annotated[float | None, BeforeValidator(_length)] = Field(None, alias="for")
    reason: _Sentence = ""
    local: bool = False


class _Resume(_Body):
    reason: _Sentence = ""
    local: bool = False


class _Reload(_Body):
    pass


_B = TypeVar("_B", bound=_Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """The POST handlers, and the file that the daemon runs."""

    desk: Desk
    limits: Limits
    config: Path | None

    def routes(self) -> Iterator[web.RouteDef]:
        """Each path with its handler."""
        yield web.post("/takeover", self.takeover)
        yield web.post("/pause", self.pause)
        yield web.post("/resume", self.resume)
        yield web.post("/reload", self.reload)
        yield web.get("/config", self.file)

    async def takeover(self, request: web.Request) -> web.Response:
        """202 when the takeover runs, will be decided, or is not needed; 409 when it is refused."""
        body = await self._read(request, _Takeover)
        async with asyncio.timeout(self.limits.answer):
            answer = await self.desk.takeover(reason=body.reason, timeout=body.timeout_s)
        return _takeover_response(answer)

    async def pause(self, request: web.Request) -> web.Response:
        """No automatic takeover, for so long or until resumed."""
        body = await self._read(request, _Pause)
        order = PauseRequest(
            kind=PauseKind.PAUSE,
            duration=body.length,
            reason=body.reason,
            by=self._author(request),
            local=body.local,
        )
        return await self._put(order)

    async def resume(self, request: web.Request) -> web.Response:
        """The end of a pause."""
        body = await self._read(request, _Resume)
        order = PauseRequest(
            kind=PauseKind.RESUME, reason=body.reason, by=self._author(request), local=body.local
        )
        return await self._put(order)

    async def reload(self, request: web.Request) -> web.Response:
        """Read the file again; a bad one is refused, and the old one stays."""
        await self._read(request, _Reload)
        async with asyncio.timeout(self.limits.answer):
            problems = await self.desk.reload()
        return web.json_response({"errors": list(problems)}, status=422 if problems else 200)

    async def file(self, _request: web.Request) -> web.Response:
        """Which file this daemon runs: one that names another socket by now still finds its daemon."""
        return web.json_response({"path": None if self.config is None else str(self.config)})

    async def _put(self, order: PauseRequest) -> web.Response:
        async with asyncio.timeout(self.limits.answer):
            record = await self.desk.pause(order)
        snapshot = self.desk.snapshot()
        if snapshot is None:
            raise web.HTTPServiceUnavailable(text="the daemon is starting: no pass has ended yet")
        return web.json_response(pause_answer(record, snapshot))

    async def _read(self, request: web.Request, shape: type[_B]) -> _B:
        """The body in this shape; an empty one says nothing. Raises the HTTP error to answer."""
        if (request.content_length or 0) > self.limits.body_bytes:
            raise web.HTTPRequestEntityTooLarge(self.limits.body_bytes, request.content_length or 0)
        try:
            async with asyncio.timeout(self.limits.body):
                raw = await request.read()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text="the body did not come in time") from error
        except ConnectionError as error:
            raise web.HTTPBadRequest(text="the body ended before its length") from error
        try:
            return shape.model_validate_json(raw or b"{}")
        except ValidationError as error:
            raise web.HTTPBadRequest(text=_problems(error)) from error

    def _author(self, request: web.Request) -> str:
        """Who is at the other end, as the kernel says it: a name in the body could be anybody's.

        Users are not looked up: a directory service that hangs would stall the daemon.
        """
        sock = request.get_extra_info("socket")
        if sock is None:
            return ""
        uid = user_of(sock)
        snapshot = self.desk.snapshot()
        user = "root" if uid == 0 else f"uid {uid}"
        return user if snapshot is None else f"{user}@{snapshot.member}"


def _takeover_response(answer: TakeoverAnswer) -> web.Response:
    if answer.state is TakeoverState.REFUSED:
        body = {"error": f"takeover refused: {answer.reason}", "reason": answer.reason}
        return web.json_response(body, status=409)
    body = {"state": answer.state, "reason": answer.reason, "request_id": answer.request_id}
    return web.json_response(body, status=202)


def _problems(error: ValidationError) -> str:
    """One line for each mistake, without what was sent: it goes to a terminal."""
    lines = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in one["loc"])
        what = one["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what}" if where else what)
    return "; ".join(lines)
