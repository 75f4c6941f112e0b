"""Virtual time: one ordered list of what happens next, and an event loop for each daemon's process in it.

Owns time. Must not know EC2, members or faults. A process can stall (its loop does not run, its timers are
late), be killed between any two steps, and its monotonic clock is its own. Does not guarantee more of
asyncio than the daemon uses without sockets, threads and child processes: anything else raises.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, NamedTuple

LEAST_TIMER = 1e-6  # no timer fires sooner: what is computed back and forth between clocks loses a grain
STANDSTILL = 20_000  # steps at one moment; a loop that spins would otherwise go on for ever
KILL_ROUNDS = 1_000


class StandstillError(Exception):
    """Something runs again and again and no time passes."""


class _Due(NamedTuple):
    at: float
    number: int
    loop: ProcessLoop | None
    run: Callable[[], object]


class Clockwork:
    """Virtual seconds since the beginning, and everything that is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._due: list[_Due] = []
        self._ready: deque[tuple[ProcessLoop, asyncio.Handle]] = deque()
        self._numbers = itertools.count()

    def after(self, delay: float, action: Callable[[], object]) -> None:
        """Do this later; nobody's process does it, so that nothing can stop it."""
        self.push(self.now + delay, None, action)

    def push(self, at: float, loop: ProcessLoop | None, run: Callable[[], object]) -> None:
        """Do this then, as a step of that process."""
        heapq.heappush(self._due, _Due(at, next(self._numbers), loop, run))

    def delay(self, loop: ProcessLoop, seconds: float) -> None:
        """Everything that this process waits for is due so much later."""
        self._due = [one._replace(at=one.at + seconds) if one.loop is loop else one for one in self._due]
        heapq.heapify(self._due)

    def soon(self, loop: ProcessLoop, handle: asyncio.Handle) -> None:
        """Do this now, after what is ready already."""
        self._ready.append((loop, handle))

    def take_ready(self, loop: ProcessLoop) -> list[asyncio.Handle]:
        """What this process would do now; it will not be done."""
        mine = [handle for one, handle in self._ready if one is loop]
        self._ready = deque((one, handle) for one, handle in self._ready if one is not loop)
        return mine

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Let so much time pass; with `until` no longer than until that is so. Gives whether it is.

        `until` is asked whenever time has moved. Raises StandstillError.
        """
        end, moved_at = self.now + seconds, self.steps
        while True:
            self._run_ready(moved_at)
            if until is not None and until():
                return True
            if not self._due or self._due[0].at > end:
                self.now = end
                return until is None
            due = heapq.heappop(self._due)
            if due.at > self.now:
                self.now, moved_at = due.at, self.steps
            self._step(due)

    def _run_ready(self, moved_at: int) -> None:
        while self._ready:
            loop, handle = self._ready.popleft()
            if not loop.hold(handle):
                loop.step(handle)
                self.steps += 1
            if self.steps - moved_at > STANDSTILL:
                raise StandstillError(f"{loop.name} does {handle!r} for ever at {self.now:.3f}")

    def _step(self, due: _Due) -> None:
        self.steps += 1
        if due.loop is None:
            due.run()
        elif not due.loop.is_dead:
            self._ready.append((due.loop, due.run))  # type: ignore[arg-type]


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one process. `offset` is its monotonic clock at the beginning of time.

    `on_work` gets what the process hands to a thread, with the future to end; `on_error` what asyncio
    complains about.
    """

    def __init__(
        self,
        clockwork: Clockwork,
        *,
        name: str,
        offset: float,
        on_work: Callable[[Callable[[], Any], asyncio.Future[Any]], None],
        on_error: Callable[[str], None],
    ) -> None:
        self.name = name
        self.is_dead = False
        self.kill_after: tuple[int, Callable[[], None]] | None = None
        self._clockwork = clockwork
        self._offset = offset
        self._on_work = on_work
        self._on_error = on_error
        self._roots: list[asyncio.Task[Any]] = []
        self._frozen_until = 0.0
        self._slept = 0.0
        self._sleeps = False
        self._held: list[asyncio.Handle] = []
        self._dying: deque[asyncio.Handle] = deque()

    # Time ------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The clock of asyncio, which stands still while the host sleeps (CLOCK_MONOTONIC)."""
        return self.clock() - self._slept

    def clock(self) -> float:
        """This process's clock, which does not (CLOCK_BOOTTIME)."""
        return self._clockwork.now + self._offset

    def sleep(self, seconds: float) -> None:
        """The host sleeps for so long: nothing runs, and every timer waits."""
        self._put_off(seconds)
        self._sleeps = True
        self.freeze(seconds)

    def _put_off(self, seconds: float) -> None:
        self._slept += seconds
        self._clockwork.delay(self, seconds)

    def freeze(self, seconds: float) -> None:
        """From now on the process does not run for so long."""
        self._frozen_until = max(self._frozen_until, self._clockwork.now + seconds)
        self._clockwork.after(seconds, self._thaw)

    def thaw(self) -> None:
        """It runs again."""
        left = self._frozen_until - self._clockwork.now
        if self._sleeps and left > 0:
            self._put_off(-left)
        self._frozen_until = self._clockwork.now
        self._thaw()

    def _thaw(self) -> None:
        if self._clockwork.now >= self._frozen_until:
            self._sleeps = False
            held, self._held = self._held, []
            for handle in held:
                self._clockwork.soon(self, handle)

    @property
    def is_frozen(self) -> bool:
        """Whether it does not run at the moment."""
        return self._clockwork.now < self._frozen_until

    def hold(self, handle: asyncio.Handle) -> bool:
        """Keep this for later when the process does not run; True when it is kept, or never done."""
        if self.is_frozen and not self.is_dead:
            self._held.append(handle)
            return True
        return self.is_dead

    def step(self, handle: asyncio.Handle) -> None:
        """Run one callback as this loop."""
        if not handle.cancelled():
            asyncio._set_running_loop(self)
            try:
                handle._run()
            finally:
                asyncio._set_running_loop(None)
        if self.kill_after is not None:
            left, action = self.kill_after
            self.kill_after = (left - 1, action) if left else None
            if not left:
                action()

    # Life ------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start a task that nothing of the process's own waits for."""
        self._roots = [one for one in self._roots if not one.done()]
        task = self.create_task(work, name=name)
        self._roots.append(task)
        return task

    def kill(self) -> None:
        """End the process here and now. Its clean-up runs, but no time passes for it."""
        self.is_dead = True
        self._dying.extend((*self._held, *self._clockwork.take_ready(self)))
        self._held.clear()
        for task in self._roots:
            task.cancel()
        for _ in range(KILL_ROUNDS):
            if not self._dying:
                break
            self.step(self._dying.popleft())
        for task in self._roots:
            if not task.done():
                self._on_error(f"{task.get_name()} does not end")
            elif not task.cancelled():
                task.exception()

    # What asyncio asks of a loop -------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if self.is_dead:
            self._dying.append(handle)
        else:
            self._clockwork.soon(self, handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        least = self._clockwork.now + LEAST_TIMER
        at = max(when - self._offset + self._slept, least)
        self._clockwork.push(at, self, handle)  # type: ignore[arg-type]
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it where it is: a cancelled timer does nothing when it is due."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """The default threads (`asyncio.to_thread`) only read a file here, which takes no time."""
        future = self.create_future()
        work = functools.partial(func, *args)
        if executor is None:
            _do_now(work, future)
        elif not self.is_dead:
            self._on_work(work, future)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._on_error(f"{context.get('message')}: {context.get('exception')!r}")


def _do_now(work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
        future.set_exception(error)
