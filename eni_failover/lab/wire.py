"""What a server does to a connection besides answering: wait, hang, hang up.

Owns: pauses that end when the lab closes, and cutting a connection. Must not know: what is being served.
Does not guarantee: how a client notices a cut; most see a reset or an end of file.
"""

import asyncio
from contextlib import suppress

from aiohttp import web

_LONGEST_HANG = 600.0


class Wire:
    """Shared by all handlers of one lab."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every pause now."""
        self._closing.set()

    @property
    def closing(self) -> bool:
        """Whether the lab closes."""
        return self._closing.is_set()

    async def pause(self, seconds: float) -> None:
        """Let that much time pass, or less when the lab closes."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def hang(self, request: web.BaseRequest) -> web.Response:
        """Give no answer for longer than anybody waits, then cut the connection."""
        await self.pause(_LONGEST_HANG)
        return self.cut(request)

    def cut(self, request: web.BaseRequest) -> web.Response:
        """Cut the connection; the response is for the framework, nobody will see it."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)
