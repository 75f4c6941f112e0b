"""Many pairs on one account and one clock, in two situations: idle, and all holders die at once.

The start is not measured: until all daemons run, the account's buckets refuse nothing.
"""

from __future__ import annotations

import gc
import logging
import random
import resource
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import structlog

from eni_failover import reconciler
from eni_failover.lab import Settings
from tests.fleet.fleet_account import Account, Call, Made, Size, by_operation
from tests.fleet.fleet_pair import Conditions, FleetMember, Pair
from tests.sim.sim_clockwork import Clockwork
from tests.sim.sim_recall import remembering

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory in memory is where a simulated disk belongs
LAG = 0.5  # seconds that a describe is behind
IDLE_START = 780.0
"""The daemons of an idle fleet start at random moments of so many seconds. That is more than the longest
pause between two describes of the ENIs (750 s: a holder's that a standby vouches for), so that no moment of
the measured time is special."""
STORM_START = 60.0
CALM_AFTER = 45.0
"""After its start a daemon looks at everything once, and again at what it does not believe yet."""
OVER_AFTER = 5.0
"""How long a storm is watched once everybody is served: what the last one does next counts too."""
DRY_RUNS_WITHIN = 3_900.0
CALM_PASSES = 60.0
"""Passes that nothing asks for call nobody: as many as the core itself wants are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """When things happened to one pair, in seconds since its holder's death; None for never."""

    pair: int
    detected: float | None
    attached: float | None
    served: float | None
    active: float | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run came to.

    `made` has, by operation, how many calls the daemons made and how many of them were refused, and
    `by_member` how many the holders and the standbys made; `stranger` the same of the stranger. Of a storm,
    `takeover_calls` is how many calls each standby made from the death to being active, and `first_pair` are
    all calls of the first pair, with times since the death.
    """

    situation: str
    pairs: int
    seed: int
    scale: float
    seconds: float
    made: Made
    by_member: Mapping[str, int]
    stranger: Made
    served: tuple[Served, ...]
    takeover_calls: tuple[int, ...]
    first_pair: tuple[Call, ...]
    needless: int
    """ENIs that were moved though nobody had died."""
    lag: float
    moving_seconds: float
    """What EC2 and the kernel themselves need for one move: detach, attach, link."""
    sizes: Mapping[str, Size]


class EscapedError(Exception):
    """A daemon has ended, or asyncio complains."""


class Fleet:
    """All pairs of one run. Everything random comes from one `random.Random(seed)`."""

    def __init__(
        self, pairs: int, *, seed: int, directory: Path, scale: float = 1.0, lag: float = LAG
    ) -> None:
        self.seed = seed
        self.clockwork = Clockwork()
        self.account = Account(self.clockwork, rng=random.Random(-seed - 1), scale=scale)  # noqa: S311
        self.conditions = Conditions(settings=Settings(lag=lag))
        self._random = random.Random(seed)  # noqa: S311 - a fleet that can be made again, no secret
        self._problems: list[str] = []
        self.pairs = [
            Pair(
                number,
                self.conditions,
                clockwork=self.clockwork,
                account=self.account,
                rng=self._random,
                directory=directory / str(number),
                on_error=lambda who, what: self._problems.append(f"{who}: {what}"),
            )
            for number in range(1, pairs + 1)
        ]

    def idle(self, seconds: float, *, start: float = IDLE_START) -> Measured:
        """Nothing happens."""
        self._start(start)
        began = self.clockwork.now
        self._run(seconds)
        return self._measured("idle", began)

    def storm(self, longest: float, *, start: float = STORM_START) -> Measured:
        """All holders die in the same moment; it is over when all pairs are served, or after so long."""
        self._start(start)
        began = self.clockwork.now
        for pair in self.pairs:
            pair.kill_holder()
        waiting = set(self.pairs)

        def over() -> bool:
            waiting.difference_update([pair for pair in waiting if pair.active_at is not None])
            return not waiting

        end = began + longest
        while not over() and self.clockwork.now < end:
            self._run(min(1.0, end - self.clockwork.now))
        self._run(min(OVER_AFTER, end - self.clockwork.now))
        return self._measured("storm", began)

    def _start(self, within: float) -> None:
        """Start every daemon at a moment of its own, and wait until all is quiet."""
        members = [member for pair in self.pairs for member in pair.members]
        for member in members:
            self.clockwork.after(self._random.uniform(0.0, within), member.start)
        self._run(within + CALM_AFTER)
        for member in members:
            self._age(member)
        gc.collect()
        gc.freeze()
        self.account.forget()
        self.account.limit()

    def _age(self, member: FleetMember) -> None:
        """As though it ran for hours: its hourly DryRun is due at any time from now on."""
        assert member.daemon is not None
        due = member.daemon.parts.surveys._permission_due
        due.set(due._clock() + self._random.uniform(0.0, DRY_RUNS_WITHIN))

    def _run(self, seconds: float) -> None:
        self.clockwork.run(seconds)
        if self._problems:
            raise EscapedError("; ".join(self._problems[:5]))

    def _measured(self, situation: str, began: float) -> Measured:
        calls, settings = self.account.calls, self.conditions.settings
        durations = settings.durations
        is_storm = situation == "storm"
        return Measured(
            situation=situation,
            pairs=len(self.pairs),
            seed=self.seed,
            scale=self.account.scale,
            seconds=self.clockwork.now - began,
            made=by_operation(calls),
            by_member=Counter(call.member for call in calls),
            stranger=by_operation(self.account.stranger_calls),
            served=tuple(map(_served, self.pairs)) if is_storm else (),
            takeover_calls=self._takeover_calls() if is_storm else (),
            first_pair=tuple(_since(began, call) for call in calls if call.pair == 1),
            needless=sum(pair.died_at is None and pair.attached_at is not None for pair in self.pairs),
            lag=settings.lag,
            moving_seconds=durations.detach + durations.attach + self.conditions.link_delay,
            sizes=self.account.sizes,
        )

    def _takeover_calls(self) -> tuple[int, ...]:
        active_at = {pair.number: pair.active_at for pair in self.pairs if pair.active_at is not None}
        made = Counter(
            call.pair
            for call in self.account.calls
            if call.pair in active_at and call.sent_at <= active_at[call.pair]
        )
        return tuple(made[number] for number in active_at)

    def close(self) -> None:
        """End all daemons."""
        for pair in self.pairs:
            for member in pair.members:
                if member.daemon is not None:
                    member.die()


def _served(pair: Pair) -> Served:
    died = pair.died_at
    assert died is not None

    def since(moment: float | None) -> float | None:
        return None if moment is None else moment - died

    return Served(
        pair=pair.number,
        detected=since(pair.detected_at),
        attached=since(pair.attached_at),
        served=since(pair.served_at),
        active=since(pair.active_at),
    )


def _since(began: float, call: Call) -> Call:
    return replace(call, sent_at=call.sent_at - began, ended_at=call.ended_at - began)


def measure(
    situation: str, pairs: int, *, seed: int, seconds: float, scale: float = 1.0, start: float | None = None
) -> Measured:
    """Make a fleet and live through this situation: `idle` for so long, `storm` for no longer than that."""
    open_files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_files, min(most, 65_536)), most))
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
        stack.enter_context(silent())
        stack.enter_context(remembering())
        stack.enter_context(patch.object(reconciler, "LONGEST_WAIT", CALM_PASSES))
        fleet = Fleet(pairs, seed=seed, directory=Path(directory), scale=scale)
        stack.callback(gc.unfreeze)
        stack.callback(fleet.close)
        if situation == "idle":
            return fleet.idle(seconds, start=IDLE_START if start is None else start)
        return fleet.storm(seconds, start=STORM_START if start is None else start)


@contextmanager
def silent() -> Iterator[None]:
    """What the daemons log goes nowhere."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
        structlog.configure(**before)
