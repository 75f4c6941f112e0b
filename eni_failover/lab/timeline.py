"""The passing of time in a world: its state now, the states before, and those who want to hear of changes.

Owns: the clock, the lock, the current state and the earlier ones. Must not know: calls, rules of EC2 beyond
what becomes due by itself. Does not guarantee: that time passes by itself; what is due is worked out
whenever somebody asks, with the time at which it was due.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from eni_failover.lab.lifecycle import Moment, advance, next_change
from eni_failover.lab.settings import Settings
from eni_failover.lab.values import Eni, Instance, State


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One step of the world, for those who subscribed. `after` holds since `at`."""

    at: float
    before: State
    after: State


Listener = Callable[[StateChange], None]


class Timeline:
    """State over time. Every public method takes the lock, so threads may share a world.

    `clock` gives seconds that never run backwards, `wall` Unix seconds; give both for virtual time.
    """

    def __init__(
        self,
        state: State | None = None,
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._wall = wall
        self._settings = settings or Settings()
        self._state = state or State()
        self._history: deque[tuple[float, State]] = deque([(clock(), self._state)])
        self._listeners: list[Listener] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other thread, and so every call, out for the length of a `with` block."""
        with self._lock:
            yield

    @property
    def settings(self) -> Settings:
        """The switches in force."""
        return self._settings

    def configure(self, **changes: Any) -> None:
        """Change fields of `Settings`. Raises TypeError for a wrong name, ValueError for a wrong value."""
        with self._lock:
            self._settings = self._settings.changed(**changes)

    @property
    def now(self) -> float:
        """Seconds on the world's clock."""
        return self._clock()

    @property
    def state(self) -> State:
        """The state now, with everything that was due."""
        with self._lock:
            self._settle(self._clock())
            return self._state

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called for each change from now on; the result ends that.

        It is called with the lock held, by whichever thread notices the change: it must not wait.
        """
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def next_change(self) -> float:
        """When, on the world's clock, the next transition is due; `inf` for none."""
        with self._lock:
            return next_change(self._state)

    def state_at(self, at: float) -> State:
        """The state that held at an earlier time; the oldest one kept when that is too long ago."""
        with self._lock:
            self._settle(self._clock())
            return next(
                (state for since, state in reversed(self._history) if since <= at), self._history[0][1]
            )

    def states_since(self, at: float) -> tuple[State, ...]:
        """The state that held at `at` and every later one up to now."""
        with self._lock:
            first = self.state_at(at)
            return (first, *(state for since, state in self._history if since > at))

    def instance(self, ref: str) -> Instance:
        """The instance with that id or name. Raises KeyError."""
        state = self.state
        if ref in state.instances:
            return state.instances[ref]
        for instance in state.instances.values():
            if instance.name == ref:
                return instance
        raise KeyError(f"no instance {ref!r} in this world")

    def eni(self, ref: str) -> Eni:
        """The ENI with that id or Name tag. Raises KeyError."""
        state = self.state
        if ref in state.enis:
            return state.enis[ref]
        for eni in state.enis.values():
            if eni.tags.get("Name") == ref:
                return eni
        raise KeyError(f"no ENI {ref!r} in this world")

    def forget_history(self) -> None:
        """Let the state now be the oldest one that a lagging describe can see."""
        with self._lock:
            state = self.state
            self._history.clear()
            self._history.append((self._clock(), state))

    # --- with the lock held -------------------------------------------------------------------------------

    def _moment(self) -> Moment:
        return Moment(now=self._clock(), wall=self._wall(), settings=self._settings)

    def _settle(self, now: float) -> None:
        for at, state in advance(self._state, now, self._settings):
            self._move_to(state, at)

    def _move_to(self, after: State, at: float) -> None:
        before, self._state = self._state, after
        self._history.append((at, after))
        settings = self._settings
        oldest = at - max(settings.history, settings.lag, settings.imds_lingers)
        while len(self._history) > 1 and self._history[1][0] < oldest:
            self._history.popleft()
        for listener in tuple(self._listeners):
            listener(StateChange(at=at, before=before, after=after))
