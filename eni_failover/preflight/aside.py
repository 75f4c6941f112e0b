"""Blocking work in a thread of its own, with a deadline.

Owns one piece of work at a time. Not asyncio's executor: a disk or a resolver that hangs would keep its
threads, and hold up the end of the process. A daemon thread holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Aside(Generic[_T]):
    """Does one kind of work; while an earlier run hangs no other is begun."""

    def __init__(self) -> None:
        self._is_busy = False

    async def run(self, work: Callable[[], _T], *, within: float) -> _T:
        """What `work` returns or raises. Raises TimeoutError after `within` seconds, or while it hangs."""
        if self._is_busy:
            raise TimeoutError
        self._is_busy = True
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()

        def tell(result: _T | None, error: Exception | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type] # without an error it is a result

        def begin() -> None:
            result, problem = None, None
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                problem = error
            self._is_busy = False
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(tell, result, problem)

        threading.Thread(target=begin, name="preflight", daemon=True).start()
        async with asyncio.timeout(within):
            return await done
