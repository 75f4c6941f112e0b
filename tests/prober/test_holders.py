"""Whom the holder probes ask, and what becomes of an attempt when that changes."""

from __future__ import annotations

import pytest

from eni_failover.core.policy import Member
from eni_failover.core.vocabulary import Scope
from tests.prober.stage import (
    ALPHA,
    BETA,
    DOWN,
    GAMMA,
    HANG,
    UNKNOWN,
    UP,
    Fake,
    World,
    holder_world,
    play,
    spec,
)


@pytest.mark.parametrize("holder", [None, ALPHA])
def test_holder_probes_are_idle_without_another_holder(holder):
    """Nobody to ask, or oneself to ask: holder probes wait; self and witness probes ask this member."""

    async def scenario():
        fakes = {"web": Fake(), "fit": Fake(), "net": Fake()}
        specs = (spec(), spec("fit", scope=Scope.SELF), spec("net", scope=Scope.WITNESS))
        world = World(specs, fakes)
        world.prober.target(holder)
        await world.run_until(1.5)
        return {name: fake.asked for name, fake in fakes.items()}

    expected = {
        "web": [],
        "fit": [(0.001, "alpha"), (1.001, "alpha")],
        "net": [(0.002, "alpha"), (1.002, "alpha")],
    }

    assert expected == play(scenario)


def test_a_new_holder_is_asked_at_once_and_the_old_attempt_is_dropped():
    """The holder changes while an attempt runs: it is cancelled, unreported, and the next starts."""

    async def scenario():
        fake = Fake([(DOWN, 0.9), (UP, 0.0)])
        world = holder_world(fake, UP)
        world.at(0.4, world.prober.target, GAMMA)
        await world.run_until(2)
        return fake, world

    fake, world = play(scenario)

    assert fake.asked == [(0.0, "beta"), (0.4, "gamma"), (1.4, "gamma")]
    assert fake.cancelled == 1
    assert [attempt.member.name for attempt in world.attempts] == ["gamma", "gamma"]


def test_a_new_holder_is_asked_at_once_between_slots_and_is_unsettled():
    """The holder changes while the probe waits: the old verdict does not slow the new one's start."""

    async def scenario():
        fake = Fake()
        world = holder_world(fake, UP)
        world.at(4.0, world.prober.target, GAMMA)
        await world.run_until(6.5)
        return fake.asked

    assert play(scenario) == [(0.0, "beta"), (4.0, "gamma"), (5.0, "gamma"), (6.0, "gamma")]


def test_the_same_holder_again_changes_nothing():
    """Each pass names the holder: an equal one neither cancels nor restarts."""

    async def scenario():
        fake = Fake([(UP, 0.5)])
        world = holder_world(fake, UP)
        same = Member(name=BETA.name, instance_id=BETA.instance_id, address=BETA.address)
        for moment in (0.2, 0.8, 3.0):
            world.at(moment, world.prober.target, same)
        await world.run_until(10.7)
        return fake.starts, fake.cancelled

    assert play(scenario) == ([0.0, 10.0], 0)


def test_a_holder_that_goes_and_comes_back_during_one_attempt_is_asked_anew():
    """Beta, gamma, beta within one moment: the attempt that was cut short says nothing of beta."""

    async def scenario():
        fake = Fake([(DOWN, 0.9), (UP, 0.0)])
        world = holder_world(fake, UP)
        world.at(0.4, world.prober.target, GAMMA)
        world.at(0.4, world.prober.target, BETA)
        await world.run_until(1)
        return fake.asked, [attempt.answer for attempt in world.attempts]

    assert play(scenario) == ([(0.0, "beta"), (0.4, "beta")], [UP])


def test_a_holder_that_changes_again_while_the_old_attempt_still_ends():
    """The attempt on beta needs 0.3 s to end when gamma comes, then beta again: no overlap."""

    async def scenario():
        fake = Fake([(DOWN, 0.9), (UP, 0.0)], cleanup=0.3)
        world = holder_world(fake, UP)
        world.at(0.4, world.prober.target, GAMMA)
        world.at(0.5, world.prober.target, BETA)
        await world.run_until(1)
        return fake.asked, [attempt.started_at for attempt in world.attempts]

    assert play(scenario) == ([(0.0, "beta"), (0.7, "beta")], [0.7])


def test_a_holder_that_changes_while_a_timeout_is_cleaned_up():
    """The deadline has passed and the attempt is ending: its answer is about the old holder."""

    async def scenario():
        fake = Fake([(DOWN, HANG), (UP, 0.0)], cleanup=0.25)
        world = holder_world(fake, UP)
        world.at(1.125, world.prober.target, GAMMA)
        await world.run_until(2)
        return fake.asked, [attempt.member.name for attempt in world.attempts]

    assert play(scenario) == ([(0.0, "beta"), (1.25, "gamma")], ["gamma"])


def test_nothing_of_the_old_holder_is_remembered():
    """Beta answered DOWN and unknown; gamma's first unknown wakes, and does not make its probe hurry."""

    async def scenario():
        fake = Fake([(DOWN, 0.0), (UNKNOWN, 0.0)])
        world = holder_world(fake, UP)
        world.at(1.5, world.prober.target, GAMMA)
        world.at(1.5, world.prober.settle, {"web": UNKNOWN})
        world.at(1.75, world.prober.settle, {"web": UP})
        await world.run_until(12)
        return fake.asked, world.wakes

    assert play(scenario) == (
        [(0.0, "beta"), (1.0, "beta"), (1.5, "gamma"), (11.5, "gamma")],
        [0.0, 1.0, 1.5, 11.5],
    )


def test_no_holder_any_more_stops_the_running_attempt():
    """The ENI came here: the attempt on its old holder is cancelled and nothing follows."""

    async def scenario():
        fake = Fake([(DOWN, 0.9)])
        world = holder_world(fake)
        world.at(0.4, world.prober.target, ALPHA)
        await world.run_until(5)
        return fake.starts, fake.cancelled, world.attempts

    assert play(scenario) == ([0.0], 1, [])
