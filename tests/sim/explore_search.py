"""The walk over every interleaving: nearest first, so that what is found comes with a shortest story.

An ordinary event is one step away, a long wait two and a fault three: so ways with one fault go deeper
than those with three, and neither is waited for. Long walks at random follow.

Owns what was visited and how it was reached. A state counts once, however many ways lead to it; one that
is reached again with more faults left is gone on from again, and not counted again.
"""

from __future__ import annotations

import random
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.sim import explored_pass
from tests.sim.explore_configs import Config
from tests.sim.explore_events import faults, going_on, told
from tests.sim.explored_book import Book
from tests.sim.explored_pass import Violation
from tests.sim.explored_settling import WHOLE, Settling, is_observed, is_settled, must_settle
from tests.sim.explored_starts import moments
from tests.sim.explored_world import Event, Walker, World, beginning

WAIT_COST = 2
FOR_SEARCH = 0.8  # of the time, when there are walks too
WALKED = -1  # faults left of a state that only a walk has come to: the search would still go on from it
LENGTH = 60  # events of a walk
FAULTY = 0.15  # of them faults, where one may come
HASTE = 0.6  # of the long waits not waited
FAULT_COST = 3  # as far from the start as so many ordinary events
ROOT = -1
ALONE: Event = ("alone", 0, None)  # no event: from here on the group was left alone
KEPT_OF_ALONE = 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a search ends, and how often a state is left alone to see whether it gets whole (0: never).

    `walks` are the long walks at random after the search; a fifth of the time is kept for them.
    """

    depth: int = 1000
    states: int = 1_000_000
    seconds: float = 3600.0
    settle_every: int = 50
    walks: int = 0
    budget: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A promise that was broken, by name, with the story that leads to it from the very beginning."""

    name: str
    why: str
    events: tuple[Event, ...]

    def story(self) -> str:
        """The events, one on a line; of a group that was left alone only the beginning."""
        lines = [f"  {number:3} {told(event)}" for number, event in enumerate(self.events, start=1)]
        if ALONE in self.events:
            lines = lines[: self.events.index(ALONE) + KEPT_OF_ALONE]
        return "\n".join(lines)


@dataclass(kw_only=True)
class Report:
    """What a search has seen."""

    config: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    members: int = 0
    seconds: float = 0.0
    complete: bool = False
    checks: Counter[str] = field(default_factory=Counter)
    tolerated: dict[str, int] = field(default_factory=dict)
    finding: Finding | None = None


class Place(NamedTuple):
    """A state to go on from: how many faults it may still have, its number, its distance from the start."""

    world: World
    budget: int
    at: int
    depth: int


class Search:
    """One configuration, walked nearest first from each of its moments."""

    def __init__(
        self, config: Config, limits: Limits, *, progress: Callable[[Report], None] | None = None
    ) -> None:
        self.report = Report(config=config.name)
        self._config = config
        self._limits = limits
        self._progress = progress
        self._book = Book()
        self._walker = Walker(self._book)
        self._settling = Settling(self._walker)
        self._visited: dict[int, int] = {}
        self._parents = array("q")
        self._events: list[Event] = []
        self._event_numbers: dict[Event, int] = {}
        self._by = array("l")
        self._roots: dict[int, tuple[Event, ...]] = {}
        self._moments: list[Place] = []

    def run(self) -> Report:
        """Walks until a limit is reached, everything was seen, or a promise was broken."""
        began_at = time.monotonic()
        explored_pass.checks.clear()
        self._deadline = began_at + self._limits.seconds * (FOR_SEARCH if self._limits.walks else 1.0)
        self._search()
        self._deadline = began_at + self._limits.seconds
        for number in range(self._limits.walks):
            if self.report.finding is None and time.monotonic() < self._deadline:
                self._walk(random.Random(number))  # noqa: S311 - a walk that can be walked again, no secret
        report = self.report
        report.seconds = time.monotonic() - began_at
        report.members = len(self._book)
        report.checks = Counter(explored_pass.checks)
        report.tolerated = dict(explored_pass.tolerated)
        return report

    def _search(self) -> None:
        budget = self._config.budget if self._limits.budget is None else self._limits.budget
        waiting: defaultdict[int, list[Place]] = defaultdict(list)
        try:
            for world, events in moments(self._config, self._walker):
                at = self._enter(world, budget, ROOT, None)
                if at is not None:
                    self._roots[at] = events
                    self._moments.append(Place(world, budget, at, 0))
        except Violation as finding:
            self._found(finding, finding.after)
        waiting[0] += self._moments
        cost = 0
        while waiting and not self._is_over():
            for place in waiting.pop(cost, ()):
                if self._is_over():
                    return
                for next_cost, reached in self._from(place, cost):
                    waiting[next_cost].append(reached)
            cost += 1
            if self._progress is not None:
                self._progress(self.report)
        self.report.complete = not waiting and self.report.finding is None

    def _is_over(self) -> bool:
        report = self.report
        late = time.monotonic() >= self._deadline
        return report.finding is not None or report.states >= self._limits.states or late

    def _from(self, place: Place, cost: int) -> Iterator[tuple[int, Place]]:
        """Every next state that is new, or reached with more faults left than before."""
        depth = place.depth + 1
        if depth > self._limits.depth:
            return
        self.report.depth = max(self.report.depth, depth)
        for event, left in self._next(place.world, place.budget):
            self.report.transitions += 1
            try:
                after = self._walker.apply(place.world, event)
            except Violation as finding:
                self._found(finding, (*self._story(place.at), event))
                return
            reached = self._enter(after, left, place.at, event)
            if reached is not None:
                price = _price(event) if left == place.budget else FAULT_COST
                yield cost + price, Place(after, left, reached, depth)
            if self.report.finding is not None:
                return

    def _walk(self, chance: random.Random) -> None:
        """One long way from one of the moments, with as many faults as come; then it is left alone."""
        place = chance.choice(self._moments)
        world, at = place.world, place.at
        for _ in range(LENGTH):
            events = list(going_on(world, self._config))
            if chance.random() < FAULTY:
                events = list(faults(world, self._config)) or events
            if not events:
                return
            event = chance.choice(events)
            if _price(event) > 1 and chance.random() < HASTE:
                continue
            self.report.transitions += 1
            try:
                world = self._walker.apply(world, event)
            except Violation as finding:
                self._found(finding, (*self._story(at), event))
                return
            self._enter(world, WALKED, at, event, again=True)
            at = len(self._parents) - 1
        if must_settle(world):
            self._settle(world, at)

    def _next(self, world: World, budget: int) -> Iterator[tuple[Event, int]]:
        for event in going_on(world, self._config):
            yield event, budget
        if budget:
            for event in faults(world, self._config):
                yield event, budget - 1

    def _enter(
        self, world: World, budget: int, parent: int, event: Event | None, *, again: bool = False
    ) -> int | None:
        """The number of this state if it is to be gone on from, None when it was already.

        With `again` the way to it is kept in any case.
        """
        key = self._book.number(world._replace(nodes=()))
        for node in world.nodes:
            key = key << 24 | self._book.number(node)
        known = self._visited.get(key)
        if known is not None and known >= budget and not again:
            return None
        self._visited[key] = budget if known is None else max(known, budget)
        self._parents.append(parent)
        self._by.append(self._event_number(event))
        at = len(self._parents) - 1
        if known is None:
            self.report.states += 1
            every = self._limits.settle_every
            if every and self.report.states % every == 0 and must_settle(world):
                self._settle(world, at)
        return at

    def _event_number(self, event: Event | None) -> int:
        if event is None:
            return ROOT
        number = self._event_numbers.setdefault(event, len(self._events))
        if number == len(self._events):
            self._events.append(event)
        return number

    def _settle(self, world: World, at: int) -> None:
        for revive in (True, False):
            if not revive and (is_observed(world) or not any(node.state for node in world.nodes)):
                continue
            try:
                self._settling.whole(world, revive=revive)
            except Violation as finding:
                self._found(finding, (*self._story(at), ALONE, *finding.after))

    def _story(self, at: int) -> tuple[Event, ...]:
        events: list[Event] = []
        while self._parents[at] != ROOT:
            events.append(self._events[self._by[at]])
            at = self._parents[at]
        return (*self._roots.get(at, ()), *reversed(events))

    def _found(self, finding: Violation, events: tuple[Event, ...]) -> None:
        self.report.finding = Finding(name=finding.name, why=str(finding), events=events)


def _price(event: Event) -> int:
    """How far an ordinary event leads; a long wait leads further than a tick."""
    return WAIT_COST if event[0] == "tick" and event[1] > 1 else 1


def is_confirmed(config: Config, finding: Finding) -> bool:
    """Whether the same promise is broken when the story is played anew, each step made afresh."""
    walker = Walker(Book(keeps=False))
    world = beginning(config.policies())
    try:
        for event in finding.events:
            if event != ALONE:
                world = walker.apply(world, event)
    except Violation as again:
        return again.name == finding.name
    return ALONE in finding.events and not is_settled(world, revive=finding.name == WHOLE)
