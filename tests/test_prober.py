"""The schedule of the probes, in virtual time: every start is compared as an exact number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import structlog

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target, TcpSettings
from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.words import Answer, ProbeType, Scope
from eni_failover.errors import ConfigError
from eni_failover.prober import Prober
from tests.virtual_loop import VirtualLoop, run

UP, DOWN, UNKNOWN = Answer.UP, Answer.DOWN, Answer.UNKNOWN
ALPHA = Member(name="alpha", instance_id="i-0aaaaaaaaaaaaaaa1", address="10.0.1.11")
BETA = Member(name="beta", instance_id="i-0bbbbbbbbbbbbbbb2", address="10.0.1.12")
GAMMA = Member(name="gamma", instance_id="i-0ccccccccccccccc3", address="10.0.1.13")
HANG = 1e6


def spec(
    name="web", *, scope=Scope.HOLDER, interval=10.0, fast_interval=1.0, timeout=1.0, fall=3, rise=2
) -> ProbeSpec:
    policy = ProbePolicy(
        name=name,
        type=ProbeType.TCP,
        scope=scope,
        interval=interval,
        fast_interval=fast_interval,
        timeout=timeout,
        fall=fall,
        rise=rise,
    )
    return ProbeSpec(policy=policy, settings=TcpSettings(host="{address}", port=80))


@dataclass
class Fake:
    """A probe that plays a script of (answer or exception, seconds); the last entry repeats."""

    script: list[tuple[Answer | Exception, float]] = field(default_factory=lambda: [(UP, 0.0)])
    unsent: bool = False
    cleanup: float = 0.0  # seconds that it takes to end when cancelled
    asked: list[tuple[float, str]] = field(default_factory=list)
    cancelled: int = 0
    closed: int = 0
    running: int = 0

    async def __call__(self, target: Target) -> ProbeResult:
        assert self.running == 0, "attempts of one probe overlap"
        answer, seconds = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append((round(asyncio.get_running_loop().time(), 9), target.member))
        self.running += 1
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(self.cleanup)
            raise
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        return ProbeResult(answer=answer, answered=True, detail="played")

    async def close(self) -> None:
        self.closed += 1

    @property
    def starts(self) -> list[float]:
        return [at for at, _ in self.asked]


class World:
    """A prober of fakes, and what it reported."""

    def __init__(self, specs: tuple[ProbeSpec, ...], fakes: dict[str, Fake], me: Member = ALPHA) -> None:
        self.loop = asyncio.get_running_loop()
        assert isinstance(self.loop, VirtualLoop)
        self.fakes = fakes
        self.attempts: list[Attempt] = []
        self.lateness: list[float] = []
        self.wakes: list[float] = []
        self.prober = Prober(
            specs,
            me=me,
            clock=self.loop.time,
            on_attempt=self.note,
            wake=lambda: self.wakes.append(self.loop.time()),
            make=lambda one: self.fakes[one.policy.name],
        )

    def note(self, attempt: Attempt, late: float) -> None:
        self.attempts.append(attempt)
        self.lateness.append(late)

    def at(self, seconds: float, call, *arguments) -> None:
        """Call something at this moment of virtual time."""
        self.loop.call_at(seconds, call, *arguments)

    async def run_until(self, seconds: float) -> None:
        """Run the prober up to this moment, and stop it."""
        task = asyncio.create_task(self.prober.run())
        await asyncio.sleep(seconds - self.loop.time())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def play(scenario):
    """Run a scenario in virtual time; no callback may fail, and no task may be left over."""

    async def main():
        failures = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        result = await scenario()
        assert failures == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return run(main())


def holder_world(fake: Fake, verdict: Answer | None = None, **changes) -> World:
    world = World((spec(**changes),), {"web": fake})
    world.prober.target(BETA)
    if verdict is not None:
        world.prober.settle({"web": verdict})
    return world


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


def test_a_verdict_that_comes_between_slots_moves_the_next_slot():
    """Down for the third time at 12, verdict down at 12.2: the next slot is 22, not 13."""

    async def scenario():
        fake = Fake([(UP, 0.0), (DOWN, 0.0)])
        world = holder_world(fake, UP)
        world.at(12.2, world.prober.settle, {"web": DOWN})
        await world.run_until(33)
        return fake.starts

    assert play(scenario) == [0.0, 10.0, 11.0, 12.0, 22.0, 32.0]


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
    assert [attempt.member for attempt in world.attempts] == ["gamma", "gamma"]


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
        return fake.asked, [attempt.member for attempt in world.attempts]

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


def test_no_holder_any_more_stops_the_running_attempt():
    """The ENI came here: the attempt on its old holder is cancelled and nothing follows."""

    async def scenario():
        fake = Fake([(DOWN, 0.9)])
        world = holder_world(fake)
        world.at(0.4, world.prober.target, ALPHA)
        await world.run_until(5)
        return fake.starts, fake.cancelled, world.attempts

    assert play(scenario) == ([0.0], 1, [])


def test_a_timeout_is_down_without_a_sign_of_life():
    """The deadline covers the whole attempt; its answer is down, unanswered, at that moment."""

    async def scenario():
        world = holder_world(Fake([(UP, HANG)]), timeout=0.75)
        await world.run_until(0.9)
        return world.attempts

    expected = Attempt(
        probe="web",
        member=BETA.name,
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
        world = holder_world(Fake([(UP, HANG)], unsent=True), timeout=0.75)
        await world.run_until(0.9)
        return [(attempt.answer, attempt.answered, attempt.detail) for attempt in world.attempts]

    assert play(scenario) == [(UNKNOWN, False, "name not resolved in 0.75 s")]


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
    assert where.startswith(__file__)


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
        return old, new, [(attempt.probe, attempt.started_at) for attempt in world.attempts]

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
