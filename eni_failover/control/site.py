"""One HTTP server: aiohttp behind the guard, one request a connection, errors as JSON."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import HttpProcessingError

from eni_failover.control.callers import Caller, Names
from eni_failover.control.events import PROLONG, STREAM
from eni_failover.control.guard import Guard
from eni_failover.control.limits import Limits

_HANDLER_BOUND = 1.0
_CLOSE_BOUND = 4.0
_LINGER = 1.0
_VERSIONS = frozenset({HttpVersion10, HttpVersion11})
# HAProxy's own health check is OPTIONS: answered as GET, by the same handlers.
_READ_METHODS = ("GET", "HEAD", "OPTIONS")
_ALLOW = {"Allow": ", ".join(_READ_METHODS)}
_HEADERS = {
    "Server": "eni-failover",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

# What only people look at, in browsers. Load balancers, proxies and Prometheus ask the others by any name.
_FOR_BROWSERS = frozenset({"/", "/events"})

_Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """These routes on one listening socket. A read-only site refuses every other method, and every body.

    `caller_of` says whose a connection is; `names`, when given, under which a browser may ask.
    """

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        limits: Limits,
        *,
        caller_of: Callable[[socket.socket], Caller],
        read_only: bool,
        names: Names | None = None,
    ) -> None:
        self._routes = tuple(routes)
        self._limits = limits
        self._caller_of = caller_of
        self._read_only = read_only
        self._names = names
        self._runner: web.AppRunner | None = None
        self._guard: Guard | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("eni_failover.control")

    async def serve(self, sock: socket.socket) -> None:
        """Accept connections on this socket, which is then this site's."""
        app = web.Application(middlewares=[self._answer], client_max_size=self._limits.body_bytes)
        app.add_routes(self._routes)
        app.add_routes(
            web.route("OPTIONS", route.path, route.handler)
            for route in self._routes
            if route.method == "GET" and route.kwargs.get("allow_head", True)
        )
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(
            app, handle_signals=False, handler_cancellation=False, shutdown_timeout=_HANDLER_BOUND
        )
        await self._runner.setup()
        manager = self._runner.server
        if manager is None:
            raise RuntimeError("aiohttp made no server")
        loop = asyncio.get_running_loop()
        make_handler = partial(
            _Handler,
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # as AppRunner's own: no access log
            lingering_time=0 if self._read_only else _LINGER,
            auto_decompress=False,
        )
        self._guard = Guard(
            make_handler, self._limits, caller_of=self._caller_of, reads_bodies=not self._read_only
        )
        self._accepting = loop.create_task(self._guard.accept(sock), name="accept")

    async def run(self) -> None:
        """Until the server ends. Raises what ended it."""
        if self._accepting is None:
            raise RuntimeError("not serving")
        await asyncio.wait([self._accepting])
        if not self._accepting.cancelled():
            self._accepting.result()

    async def close(self) -> None:
        """Stop accepting, give running handlers a second, abort the rest."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        try:
            async with asyncio.timeout(_CLOSE_BOUND):
                if self._runner is not None:
                    await self._runner.cleanup()
        except TimeoutError:
            self._log.warning("control.close_timeout", timeout=_CLOSE_BOUND)
        finally:
            if self._guard is not None:
                await self._guard.close()

    @web.middleware
    async def _answer(self, request: web.Request, handler: _Answering) -> web.StreamResponse:
        if self._guard is not None:
            prolong: Callable[[], None] = partial(self._guard.prolong, request.transport)
            stream: Callable[[], bool] = partial(self._guard.stream, request.transport)
            request[PROLONG], request[STREAM] = prolong, stream
        response = await self._respond(request, handler)
        response.force_close()
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        """The answer to what no handler is asked."""
        if request.version not in _VERSIONS:
            return web.json_response({"error": "this server speaks HTTP/1.0 and HTTP/1.1"}, status=400)
        if self._read_only and request.method not in _READ_METHODS:
            error = "this server only reads: orders go to the control socket"
            return web.json_response({"error": error}, status=405, headers=_ALLOW)
        if self._read_only and _declares_body(request):
            return web.json_response({"error": "a question has no body"}, status=413)
        if self._names is None or request.path not in _FOR_BROWSERS:
            return None
        if not self._names.allow(request.headers.get("Host")):
            error = "this page is shown under an address or a member's name; /status under any name"
            return web.json_response({"error": error}, status=421)
        return None

    async def _respond(self, request: web.Request, handler: _Answering) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            return await handler(request)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return web.json_response(
                {"error": error.text or error.reason}, status=error.status, headers=allow
            )
        except TimeoutError:
            text = "the daemon did not answer in time; what was asked for may still happen"
            return web.json_response({"error": text}, status=504)


def _declares_body(request: web.Request) -> bool:
    length = request.headers.get("Content-Length", "0")
    return "Transfer-Encoding" in request.headers or length.strip("0") != ""


class _Handler(web.RequestHandler):
    """aiohttp's protocol, but for requests that it cannot parse: these never reach the middleware.

    aiohttp writes an error with a traceback for each, and its answer quotes the request and names the
    versions of Python and aiohttp. Whoever reaches the port could fill the log.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that failed; what the daemon itself does wrong is still logged."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        response = web.json_response({"error": "not an HTTP request"}, status=status)
        response.headers.update(_HEADERS)
        response.headers.setdefault(*_POLICY)
        response.force_close()
        return response


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """The headers of every answer, just before it goes out. The page has a policy of its own."""
    response.headers.update(_HEADERS)
    response.headers.setdefault(*_POLICY)
