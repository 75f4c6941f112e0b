"""When attempts start, in virtual time: every start is compared as an exact number."""

from __future__ import annotations

import pytest

from eni_failover.core.vocabulary import Scope
from eni_failover.prober import Prober
from tests.prober.stage import (
    ALPHA,
    BETA,
    DOWN,
    HANG,
    UNKNOWN,
    UP,
    Fake,
    World,
    holder_world,
    play,
    spec,
)


def test_slots_are_one_interval_apart_however_long_attempts_take():
    """A settled probe starts each interval to the dot; what attempts last adds nothing."""

    async def scenario():
        fake = Fake([(UP, 0.3), (UP, 0.7), (UP, 0.0), (UP, 0.9)])
        await holder_world(fake, UP).run_until(45)
        return fake.starts

    assert play(scenario) == [0.0, 10.0, 20.0, 30.0, 40.0]


def test_slots_do_not_drift_over_ten_thousand_attempts():
    """After 10,000 attempts of uneven length the slot is still a multiple of the interval."""

    async def scenario():
        fake = Fake([(UP, 0.05), (UP, 0.2), (UP, 0.1)])
        await holder_world(fake, UP, interval=0.25).run_until(2499.9)
        return fake.starts

    starts = play(scenario)

    assert len(starts) == 10_000
    assert starts[-1] == 2499.75


def test_without_a_verdict_the_fast_interval_is_used():
    """A probe that has no verdict yet is unsettled, whatever it answers."""

    async def scenario():
        fake = Fake()
        await holder_world(fake).run_until(3.5)
        return fake.starts

    assert play(scenario) == [0.0, 1.0, 2.0, 3.0]


def test_up_down_up_is_fast_from_the_first_difference_to_the_first_agreement():
    """Verdict up, answers up DOWN DOWN up up: the two gaps after the downs are short."""

    async def scenario():
        fake = Fake([(UP, 0.0), (DOWN, 0.0), (DOWN, 0.0), (UP, 0.0)])
        await holder_world(fake, UP).run_until(33)
        return fake.starts

    assert play(scenario) == [0.0, 10.0, 11.0, 12.0, 22.0, 32.0]


def test_unknown_answers_do_not_switch_the_interval():
    """Verdict up, answers unknown, or up unknown: slow stays slow. Up DOWN unknown: fast stays fast."""

    async def scenario(script):
        fake = Fake(script)
        await holder_world(fake, UP).run_until(22.5)
        return fake.starts

    blind = play(lambda: scenario([(UNKNOWN, 0.0)]))
    slow = play(lambda: scenario([(UP, 0.0), (UNKNOWN, 0.0)]))
    fast = play(lambda: scenario([(UP, 0.0), (DOWN, 0.0), (UNKNOWN, 0.0)]))

    assert blind == slow == [0.0, 10.0, 20.0]
    assert [0.0, *(10.0 + count for count in range(13))] == fast


def test_a_probe_that_is_down_is_asked_at_its_fast_interval():
    """Down for the third time at 12, verdict down at 12.2: no down that a takeover rests on grows old."""

    async def scenario():
        fake = Fake([(UP, 0.0), (DOWN, 0.0)])
        world = holder_world(fake, UP)
        world.at(12.2, world.prober.settle, {"web": DOWN})
        await world.run_until(15.5)
        return fake.starts

    assert play(scenario) == [0.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


def test_a_verdict_that_is_lost_between_slots_makes_the_next_slot_come_at_once():
    """The core forgets a verdict at 4.5: the probe is unsettled, and on its slots of one second."""

    async def scenario():
        fake = Fake()
        world = holder_world(fake, UP)
        world.at(4.5, world.prober.settle, {})
        await world.run_until(6.5)
        return fake.starts, world.lateness

    assert play(scenario) == ([0.0, 4.5, 5.0, 6.0], [0.0, 0.0, 0.0, 0.0])


def test_an_attempt_that_runs_over_its_slot_is_followed_at_once():
    """Attempts of 1.5 s on an interval of 1 s run back to back: what `worst_case` counts on."""

    async def scenario():
        fake = Fake([(DOWN, 1.5), (DOWN, 1.5), (DOWN, 1.5), (UP, 0.25)])
        await holder_world(fake, interval=1.0, timeout=2.0).run_until(7.5)
        return fake.starts

    assert play(scenario) == [0.0, 1.5, 3.0, 4.5, 5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("interval", "fast_interval", "timeout", "fall"),
    [
        (1.0, 1.0, 1.0, 3),
        (10.0, 1.0, 0.5, 3),
        (10.0, 1.0, 2.5, 4),
        (0.5, 0.25, 2.0, 5),
        (2.0, 2.0, 0.125, 1),
    ],
)
def test_the_fall_is_seen_within_the_promised_worst_case(interval, fast_interval, timeout, fall):
    """Dead just after a probe was answered, the holder's `fall` downs come within `worst_case`."""

    async def scenario():
        fake = Fake([(UP, 0.0), (DOWN, HANG)])
        world = holder_world(
            fake, UP, interval=interval, fast_interval=fast_interval, timeout=timeout, fall=fall
        )
        await world.run_until(100)
        downs = [attempt for attempt in world.attempts if attempt.answer is DOWN]
        return downs[fall - 1].ended_at

    policy = spec(interval=interval, fast_interval=fast_interval, timeout=timeout, fall=fall).policy

    assert policy.worst_case == pytest.approx(play(scenario), abs=1e-6)


def test_a_stall_skips_the_slots_it_missed():
    """The loop stands still from 2.5 to 7.2: one late start at 7.2, then the slots again."""

    async def scenario():
        fake = Fake()
        world = holder_world(fake, UP, interval=1.0)
        world.at(2.5, world.loop.stall, 4.7)
        await world.run_until(9.5)
        return fake.starts, [round(late, 6) for late in world.lateness]

    starts, lateness = play(scenario)

    assert starts == [0.0, 1.0, 2.0, 7.2, 8.0, 9.0]
    assert lateness == [0.0, 0.0, 0.0, 4.2, 0.0, 0.0]


def test_an_overlong_attempt_is_not_counted_as_lateness():
    """The start that waited for the attempt before it was not late: nobody could start earlier."""

    async def scenario():
        world = holder_world(Fake([(DOWN, 1.5)]), interval=1.0, timeout=2.0)
        await world.run_until(5)
        return world.lateness

    assert play(scenario) == [0.0, 0.0, 0.0]


def test_probes_start_a_millisecond_apart_and_each_keeps_its_own_time():
    """Hundreds of probes do not queue behind each other, and one that hangs delays no other."""

    async def scenario():
        fakes = {"hangs": Fake([(DOWN, HANG)]), "quick": Fake(), "self": Fake()}
        specs = (
            spec("hangs", interval=1.0, timeout=5.0),
            spec("quick", interval=1.0),
            spec("self", scope=Scope.SELF, interval=2.0, fast_interval=2.0),
        )
        world = World(specs, fakes)
        world.prober.target(BETA)
        await world.run_until(3.5)
        return {name: fake.asked for name, fake in fakes.items()}

    expected = {
        "hangs": [(0.0, "beta")],
        "quick": [(at, "beta") for at in (0.001, 1.001, 2.001, 3.001)],
        "self": [(at, "alpha") for at in (0.002, 2.002)],
    }

    assert expected == play(scenario)


def test_a_clock_that_is_a_little_behind_the_timers_doubles_no_attempt():
    """Timers may fire a shade early: the slot is taken then, and taken once."""

    async def scenario():
        fake = Fake()
        world = World((spec(interval=0.125),), {"web": fake})
        world.prober = Prober(
            (spec(interval=0.125),),
            me=ALPHA,
            clock=lambda: world.loop.time() * (1 - 1e-6),
            on_attempt=world.note,
            wake=lambda: None,
            make=lambda one: fake,
        )
        world.prober.target(BETA)
        world.prober.settle({"web": UP})
        await world.run_until(1.2)
        return [round(start, 3) for start in fake.starts]

    assert play(scenario) == [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125]


@pytest.mark.parametrize("asked_at", [2.5, 10.2], ids=["between two attempts", "during one"])
@pytest.mark.parametrize("answer", [UP, DOWN])
def test_an_awaited_answer_wakes_the_loop_whatever_it_is(answer, asked_at):
    """The same answer as always is what a takeover waits for: from a witness, or from a dead holder."""

    async def scenario():
        fake = Fake([(answer, 0.5)])
        world = holder_world(fake, answer, fast_interval=10.0)
        world.at(asked_at, world.prober.hurry, ["web"])
        await world.run_until(12)
        return world.wakes

    assert play(scenario) == [0.5, 3.0] if asked_at < 3 else [0.5, 10.5]


def test_an_awaited_attempt_comes_at_once_and_no_more_than_one_such_a_second():
    """However short ago the last of its own slots was; a pass after each answer asks again."""

    async def scenario():
        fake = Fake([(UP, 0.0)])
        world = holder_world(fake, UP)
        for tenths in range(2, 25):
            world.at(tenths / 10, world.prober.hurry, ["web"])
        await world.run_until(5)
        return [round(at, 1) for at in fake.starts]

    assert play(scenario) == [0.0, 0.2, 1.2, 2.2]
