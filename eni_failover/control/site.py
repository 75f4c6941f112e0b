"""One HTTP server: aiohttp behind the guard, one request a connection, errors as JSON."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import HttpProcessingError

from eni_failover.control.events import PROLONG
from eni_failover.control.guard import Guard, Limits

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

_Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """These routes on one listening socket. A read-only site refuses every other method by itself."""

    def __init__(self, routes: Iterable[web.RouteDef], limits: Limits, *, read_only: bool) -> None:
        self._routes = tuple(routes)
        self._limits = limits
        self._read_only = read_only
        self._runner: web.AppRunner | None = None
        self._guard: Guard | None = None
        self._server: asyncio.Server | None = None
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
            lingering_time=_LINGER,
            auto_decompress=False,
        )
        self._guard = Guard(make_handler, self._limits)
        self._server = await loop.create_server(self._guard, sock=sock)

    async def close(self) -> None:
        """Stop accepting, give running handlers a second, abort the rest."""
        if self._server is not None:
            self._server.close()
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
            prolong: Callable[[], None] = partial(self._guard.answering, request.transport)
            prolong()
            request[PROLONG] = prolong
        response = await self._respond(request, handler)
        response.force_close()
        return response

    async def _respond(self, request: web.Request, handler: _Answering) -> web.StreamResponse:
        if request.version not in _VERSIONS:
            return web.json_response({"error": "this server speaks HTTP/1.0 and HTTP/1.1"}, status=400)
        if self._read_only and request.method not in _READ_METHODS:
            error = "this server only reads: orders go to the control socket"
            return web.json_response({"error": error}, status=405, headers=_ALLOW)
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
