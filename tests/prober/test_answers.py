"""What an attempt's end says, and whom it is told."""

from __future__ import annotations

import structlog

from eni_failover.core.model import Attempt
from eni_failover.core.vocabulary import ProbeType
from eni_failover.prober import Prober
from tests.prober import stage
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


def test_a_timeout_is_down_without_a_sign_of_life():
    """The deadline covers the whole attempt; its answer is down, unanswered, at that moment."""

    async def scenario():
        world = holder_world(Fake([(UP, HANG)]), timeout=0.75)
        await world.run_until(0.9)
        return world.attempts

    expected = Attempt(
        probe=spec("web", timeout=0.75).policy,
        member=BETA,
        answer=DOWN,
        answered=False,
        started_at=0.0,
        ended_at=0.75,
        detail="no answer in 0.75 s",
    )

    assert [expected] == play(scenario)


def test_a_timeout_before_anything_was_sent_is_unknown():
    """A resolver of this host that hangs is no dead holder."""

    async def scenario():
        world = holder_world(Fake([(UP, HANG)], unsent="name not resolved"), timeout=0.75)
        await world.run_until(0.9)
        return [(attempt.answer, attempt.answered, attempt.detail) for attempt in world.attempts]

    assert play(scenario) == [(UNKNOWN, False, "name not resolved in 0.75 s")]


def test_a_timeout_before_a_program_had_started_is_unknown():
    """Its file system hangs, on this host: the words are those of a program."""

    async def scenario():
        world = holder_world(Fake([(UP, HANG)], unsent="not started"), timeout=0.75, kind=ProbeType.EXEC)
        await world.run_until(0.9)
        return [(attempt.answer, attempt.answered, attempt.detail) for attempt in world.attempts]

    assert play(scenario) == [(UNKNOWN, False, "not started in 0.75 s")]


def test_an_attempt_carries_the_times_of_the_given_clock():
    """Started and ended are read from `clock`, which need not be the loop's."""

    async def scenario():
        world = holder_world(Fake([(UP, 0.25)]))
        world.prober = Prober(
            (spec(),),
            me=ALPHA,
            clock=lambda: 5000.0 + world.loop.time(),
            on_attempt=world.note,
            wake=lambda: None,
            make=lambda one: world.fakes[one.policy.name],
        )
        world.prober.target(BETA)
        await world.run_until(2)
        return [(attempt.started_at, attempt.ended_at) for attempt in world.attempts]

    assert play(scenario) == [(5000.0, 5000.25), (5001.0, 5001.25)]


def test_a_bug_in_a_probe_is_unknown_and_logged_once_per_change():
    """Exceptions that nobody expects end no task: unknown, one log line for each new class."""

    async def scenario():
        secret = ValueError("Bearer s3cret")
        fake = Fake([(secret, 0.0), (secret, 0.0), (KeyError("x"), 0.0), (UP, 0.0), (KeyError("x"), 0.0)])
        world = holder_world(fake)
        with structlog.testing.capture_logs() as logs:
            await world.run_until(4.5)
        return world.attempts, logs

    attempts, logs = play(scenario)
    where = logs[0].pop("where")
    for line in logs[1:]:
        line.pop("where")

    assert [attempt.answer for attempt in attempts] == [UNKNOWN, UNKNOWN, UNKNOWN, UP, UNKNOWN]
    assert attempts[0].detail == "bug in the probe: ValueError"
    assert not attempts[0].answered
    assert [
        {"event": "probe.crashed", "log_level": "error", "probe": "web", "error": error}
        for error in ("ValueError", "KeyError", "KeyError")
    ] == logs
    assert where.startswith(stage.__file__)


def test_a_timeout_error_of_the_probe_itself_is_no_timeout():
    """Only the schedule's own deadline means down: ETIMEDOUT that a probe let through is a bug."""

    async def scenario():
        world = holder_world(Fake([(TimeoutError(), 0.1)]))
        await world.run_until(0.5)
        return [attempt.answer for attempt in world.attempts]

    assert play(scenario) == [UNKNOWN]


def test_the_loop_is_woken_by_a_changed_answer_and_by_one_that_is_not_the_verdict():
    """Verdict up, answers up DOWN DOWN up up: woken at the first, both downs, and the change back."""

    async def scenario():
        fake = Fake([(UP, 0.0), (DOWN, 0.0), (DOWN, 0.0), (UP, 0.0)])
        world = holder_world(fake, UP)
        await world.run_until(23)
        return fake.starts, world.wakes

    assert play(scenario) == ([0.0, 10.0, 11.0, 12.0, 22.0], [0.0, 10.0, 11.0, 12.0])


def test_the_attempt_is_reported_before_the_wake():
    """Whoever wakes up finds the attempt that woke it."""

    async def scenario():
        order = []
        world = World((spec(),), {"web": Fake()})
        prober = Prober(
            (spec(),),
            me=ALPHA,
            clock=world.loop.time,
            on_attempt=lambda attempt, late: order.append("attempt"),
            wake=lambda: order.append("wake"),
            make=lambda one: Fake(),
        )
        prober.target(BETA)
        world.prober = prober
        await world.run_until(0.5)
        return order

    assert play(scenario) == ["attempt", "wake"]
