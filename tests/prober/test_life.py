"""Reloads and the end: probes closed, begun afresh, refused."""

from __future__ import annotations

import asyncio

import pytest

from eni_failover.core.vocabulary import Scope
from eni_failover.errors import ConfigError
from tests.prober.stage import (
    BETA,
    HANG,
    UP,
    Fake,
    World,
    holder_world,
    play,
    spec,
)


def test_a_reload_closes_the_old_probes_and_starts_the_new_ones_at_once():
    """Replaced: the running attempt is dropped, its probe closed, the new set starts afresh."""

    async def scenario():
        old, new = Fake([(UP, 0.5)]), Fake()
        world = holder_world(old, UP)

        def reload():
            world.fakes = {"new": new}
            world.prober.replace((spec("new"),))

        world.at(10.25, reload)
        await world.run_until(11.5)
        return old, new, [(attempt.probe.name, attempt.started_at) for attempt in world.attempts]

    old, new, attempts = play(scenario)

    assert (old.starts, old.cancelled, old.closed) == ([0.0, 10.0], 1, 1)
    assert (new.asked, new.closed) == ([(10.25, "beta"), (11.25, "beta")], 1)
    assert attempts == [("web", 0.0), ("new", 10.25), ("new", 11.25)]


def test_a_reload_can_move_this_member():
    """Self probes follow this member to its new address, and holder probes still know it is us."""

    async def scenario():
        fakes = {"web": Fake(), "fit": Fake()}
        specs = (spec(), spec("fit", scope=Scope.SELF))
        world = World(specs, fakes)
        world.prober.target(BETA)
        world.at(0.5, lambda: world.prober.replace(specs, me=BETA))
        await world.run_until(0.9)
        return {name: fake.asked for name, fake in fakes.items()}

    assert play(scenario) == {"web": [(0.0, "beta")], "fit": [(0.001, "alpha"), (0.501, "beta")]}


def test_a_refused_reload_changes_nothing():
    """A probe that this host cannot run is a ConfigError, and the old probes go on undisturbed."""

    async def scenario():
        fake = Fake([(UP, 0.5)])
        world = holder_world(fake)
        refusals = []

        def refuse(one):
            raise ConfigError(f"{one.policy.name}: no")

        def reload():
            world.prober._make = refuse
            with pytest.raises(ConfigError) as caught:
                world.prober.replace((spec("new"),))
            refusals.append(caught.value.problems)

        world.at(1.25, reload)
        await world.run_until(2.75)
        return fake.starts, fake.cancelled, refusals

    assert play(scenario) == ([0.0, 1.0, 2.0], 0, [("new: no",)])


def test_a_prober_without_probes_waits_for_some():
    """No probe at all is a legal configuration: `run` does not end, and a reload brings them."""

    async def scenario():
        fake = Fake()
        world = World((), {"web": fake})
        world.prober.target(BETA)
        world.at(3.0, world.prober.replace, (spec(),))
        await world.run_until(4.5)
        return fake.starts

    assert play(scenario) == [3.0, 4.0]


def test_stopping_cancels_the_attempts_and_closes_the_probes():
    """Cancelled, `run` ends its named tasks and closes every probe, running or idle."""

    async def scenario():
        fakes = {"web": Fake([(UP, 0.9)]), "idle": Fake()}
        world = World((spec("web", scope=Scope.SELF), spec("idle")), fakes)
        names = []

        def look():
            names.extend(task.get_name() for task in asyncio.all_tasks())

        world.at(0.4, look)
        await world.run_until(0.5)
        return {name: (fake.cancelled, fake.closed) for name, fake in fakes.items()}, names, world.attempts

    ends, names, attempts = play(scenario)

    assert ends == {"web": (1, 1), "idle": (0, 1)}
    assert {"probe web", "probe idle"} <= set(names)
    assert attempts == []


def test_a_probe_that_cannot_be_closed_does_not_hold_up_the_end():
    """Closing has a deadline of its own, one second."""

    async def scenario():
        class Stuck(Fake):
            async def close(self) -> None:
                await asyncio.sleep(HANG)

        world = holder_world(Stuck())
        await world.run_until(0.5)
        return world.loop.time()

    assert play(scenario) == 1.5
