"""One HTTP server: aiohttp behind the guard, one request a connection, errors as JSON."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog
from aiohttp import web

from eni_failover.control.events import PROLONG
from eni_failover.control.guard import Guard, Limits

_HANDLER_BOUND = 1.0
_CLOSE_BOUND = 4.0
_LINGER = 1.0
_READ_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {
    "Server": "eni-failover",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=False,
            shutdown_timeout=_HANDLER_BOUND,
            lingering_time=_LINGER,
            auto_decompress=False,
        )
        await self._runner.setup()
        make_handler = self._runner.server
        if make_handler is None:
            raise RuntimeError("aiohttp made no server")
        self._guard = Guard(make_handler, self._limits)
        self._server = await asyncio.get_running_loop().create_server(self._guard, sock=sock)

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
    async def _answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if self._guard is not None:
            prolong: Callable[[], None] = partial(self._guard.answering, request.transport)
            prolong()
            request[PROLONG] = prolong
        response = await self._respond(request, handler)
        response.force_close()
        return response

    async def _respond(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if self._read_only and request.method not in _READ_METHODS:
            error = "this server only reads: orders go to the control socket"
            return web.json_response({"error": error}, status=405, headers={"Allow": "GET, HEAD"})
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


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """The headers of every answer, just before it goes out. The page has a policy of its own."""
    response.headers.update(_HEADERS)
    response.headers.setdefault(*_POLICY)
