"""One seed: faults by chance, then none, and what must be true in the end; again and again for its days.

Everything random comes from one `random.Random(seed)`: the same seed tells the same story.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.sim.sim_clockwork import StandstillError
from tests.sim.sim_faults import (
    FAULTS,
    LONG,
    SHORT,
    Fault,
    instance_stops,
    journal_torn,
    loop_stalls,
    service_down,
    set_service,
    standby_stalls,
)
from tests.sim.sim_host import Service
from tests.sim.sim_liars import LIARS, liar_about_pauses, liar_about_roles
from tests.sim.sim_liveness import settle
from tests.sim.sim_partitions import PARTITIONS, isolation, partition, probes_unsent, standby_cut_off
from tests.sim.sim_plan import Plan, draw
from tests.sim.sim_trouble import (
    TROUBLE,
    api_reads_lack_one,
    detached_by_hand,
    everybody_observes,
    operator_pauses,
    operator_reloads,
    operator_takes,
    operator_tries_out,
    short_pause,
)
from tests.sim.sim_world import World

DAY = 86_400.0
Menu = tuple[tuple[Fault, int], ...]
MENU: Menu = (*FAULTS, *PARTITIONS, *TROUBLE, *LIARS)
PROVOCATIONS: Menu = (
    (service_down, 10),
    (instance_stops, 3),
    (isolation, 2),
    (partition, 2),
    (loop_stalls, 2),
    (probes_unsent, 1),
    (operator_takes, 3),
    (operator_tries_out, 2),
)
"""What makes somebody take over."""
PRESSED: Menu = ((operator_reloads, 3), (operator_takes, 2), (operator_pauses, 1), (everybody_observes, 1))
"""What people do in the middle of a takeover."""
BRISK_GAP, CALM_GAP = 8.0, 900.0
COMPANIONS: Menu = (
    (standby_stalls, 3),
    (short_pause, 3),
    (standby_cut_off, 3),
    (api_reads_lack_one, 3),
    (journal_torn, 1),
    (detached_by_hand, 1),
    (liar_about_roles, 2),
    (liar_about_pauses, 2),
)
"""What makes that harder."""
ROUNDS = 3
FLAPPING = 0.15
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory in memory is where a simulated disk belongs


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one seed. `seconds` is simulated time, `story` the end of the trace."""

    seed: int
    seconds: float
    moves: int
    takeovers: Counter[tuple[str, str]]
    faults: Counter[str]
    violations: tuple[str, ...]
    tolerated: Counter[str]
    digest: str
    story: str = field(repr=False)


def simulate(seed: int, *, days: float | None = None, keep: int | None = 400) -> Result:
    """Live through one seed: one storm at a brisk pace, or calmly for so many days."""
    rng = random.Random(seed)  # noqa: S311 - a story that can be told again, no secret
    plan = draw(rng, calm=days is not None)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        return play(seed, plan, rng, Path(directory), days=days, keep=keep)


def play(
    seed: int, plan: Plan, rng: random.Random, directory: Path, *, days: float | None, keep: int | None
) -> Result:
    """Live through one world of this plan."""
    world = World(plan, rng=rng, directory=directory, keep=keep)
    gap = BRISK_GAP if days is None else CALM_GAP
    end = 0.0 if days is None else days * DAY
    with world.catching():
        try:
            for member in world.members.values():
                member.start()
            world.run(rng.uniform(1.0, 8.0))
            while not world.audit.violations:
                _storm(world, rng, gap)
                settle(world, rng)
                if world.now >= end:
                    break
        except StandstillError as error:
            world.audit.wrong("time_goes_on", str(error))
        seconds = world.now
    return Result(
        seed=seed,
        seconds=seconds,
        moves=world.moves,
        takeovers=world.audit.takeovers,
        faults=world.audit.faults,
        violations=tuple(world.audit.violations),
        tolerated=world.audit.tolerated,
        digest=world.trace.digest,
        story=world.trace.text(),
    )


def _storm(world: World, rng: random.Random, gap: float) -> None:
    """Some rounds of faults, each mended after a while, some before the next, some long after it."""
    for _ in range(rng.randint(1, ROUNDS)):
        if rng.random() < 0.6:
            _inflict(world, rng, PROVOCATIONS)
            if rng.random() < 0.4:
                world.run(rng.uniform(0.0, 5.0) * rng.random())
                _inflict(world, rng, COMPANIONS)
        else:
            for _ in range(rng.choice((1, 1, 2, 3))):
                _inflict(world, rng, MENU)
                world.run(rng.uniform(0.0, 4.0))
        if rng.random() < 0.6:
            menu = MENU if rng.random() < 0.8 else PRESSED
            world.when_taking(rng.uniform(0.0, 8.0) * rng.random(), partial(_inflict, world, rng, menu))
        world.run(rng.expovariate(1.0 / gap))
    if rng.random() < FLAPPING:
        _flap(world, rng)


def _flap(world: World, rng: random.Random) -> None:
    """The service fails wherever the ENI goes, and each time comes back when the ENI has gone."""
    for _ in range(rng.randint(2, 5)):
        holder = world.holder()
        if holder not in world.hosts or not world.hosts[holder].is_alive:
            return
        world.audit.faults["service_flaps"] += 1
        mend = set_service(world, holder, Service.DOWN)
        world.run(rng.uniform(20.0, 120.0), until=partial(_is_elsewhere, world, holder))
        world.run(rng.uniform(0.0, 10.0))
        mend()
        world.run(rng.uniform(2.0, 60.0))


def _is_elsewhere(world: World, holder: str) -> bool:
    return any(place in world.hosts and place != holder for place in world.where()[:1])


def _inflict(world: World, rng: random.Random, menu: Menu) -> None:
    """One fault off the menu, and its mending, when it has one, a while later."""
    faults, weights = [one for one, _ in menu], [weight for _, weight in menu]
    (fault,) = rng.choices(faults, weights)
    world.audit.faults[fault.__name__] += 1
    mend = fault(world, rng)
    if mend is not None:
        world.later(rng.choice((SHORT, LONG)) * rng.random(), mend)
