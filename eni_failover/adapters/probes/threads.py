"""Blocking work in a daemon thread of its own.

Not asyncio's default executor: its few threads are needed by the EC2 calls, and a resolver or a disk that
hangs would take them all. A daemon thread does not hold up the end of the process either.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def start(work: Callable[[], _T], name: str) -> asyncio.Future[_T]:
    """A future of what `work` returns or raises. Must be called on the loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def succeed(result: _T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            finish, outcome = succeed, work()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            _call(loop, fail, error)
        else:
            _call(loop, finish, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[_T], None], value: _T) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(callback, value)
