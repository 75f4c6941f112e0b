"""Where two rules meet in one moment: what each of them alone would get wrong."""

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import FenceMode, TakeoverMode
from eni_failover.core.vocabulary import Reason
from tests.core.bench import Bench
from tests.core.builders import WITNESS, attach, attached, attaching, attempt, detach, free, probe
from tests.core.group_world import World
from tests.core.test_fences import pause, stop_asked


def stopping_and_paused() -> Bench:
    """The stop was accepted, an operator has paused within that minute."""
    bench = stop_asked()
    pause(bench)
    bench.machine("alpha", "stopping")
    bench.run(2)
    return bench


@pytest.mark.parametrize("seconds", [0.6, 2.0])
def test_a_stall_during_a_fence_and_a_pause_keeps_nobody_from_acting(seconds):
    """The downs are forgotten; the stop was asked for, and nobody else would act before the resume."""
    bench = stopping_and_paused()
    bench.peek(stalls=(Stall(from_at=bench.now - seconds, to_at=bench.now),))
    bench.machine("alpha", "stopped")

    assert bench.run(100).calls == (detach(),), bench.seen[-4:]


def test_a_restart_during_a_fence_and_a_pause_keeps_nobody_from_acting():
    """Fresh counters are no answer of the holder."""
    bench = stopping_and_paused()
    after = Bench(
        attached("alpha"),
        fence=FenceMode.STOP,
        durable=bench.state.durable,
        at=bench.now + 1,
        settle=False,
    )
    after.machine("alpha", "stopping")
    after.says(web="silent")
    after.run(5)
    after.machine("alpha", "stopped")

    assert after.run(100).calls == (detach(),), after.seen[-4:]


@pytest.mark.parametrize("after", [0.5, 3.0, 5.0])
def test_a_holder_that_ends_while_its_detach_is_refused_costs_no_turn(after):
    """EC2 is asked about it each second: as soon as the ENI is free it is attached."""
    world = World()
    world.ec2.busy.update(one.attachment_id for one in world.ec2.enis.values() if one)
    world.service("alpha", up=False)
    world.run(2.0 + after)
    world.terminate("alpha")
    world.run(40, until=lambda: world.where == ("free",))
    took = world.run(10, until=lambda: world.where == ("beta:attaching",))

    assert took < 0.5, world.story(12)


def test_a_second_eni_that_is_refused_in_earnest_ends_the_takeover():
    """The first is here: trying for ever would keep the role `taking`."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.see(free(), free())
    bench.accepted()
    bench.act(within=5)
    bench.see(attaching("beta", "att-8"), free())
    bench.accepted()
    bench.answered("limit")
    bench.see(attached("beta", "att-8"), free())
    tries = 0
    for _ in range(100):
        if bench.run(20).calls == (attach(2),):
            bench.answered("limit")
            tries += 1

    assert tries < 50, (tries, bench.role, bench.ended)


def test_a_pause_in_the_pass_that_sees_the_eni_freed_counts():
    """Row 6: a pause makes it wait for the 60 s."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.answered("busy")
    bench.machine("alpha", "terminated")
    bench.see(free())
    bench.look(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert bench.decision.calls == ()


def test_a_reload_that_names_another_index_ends_the_refusal():
    """What EC2 refused is not asked for any more."""
    bench = Bench(attached("alpha"), device_index=3)
    bench.see(free())
    bench.look()
    bench.act(within=5)
    bench.answered("index_taken")
    bench.set_policy(device_index=None)
    bench.look()

    assert bench.idle(1).reason is not Reason.ATTACH_REFUSED


def test_observe_mode_reports_nothing_on_old_downs():
    """The newest down is 50 s old when the witness comes back."""
    slow = probe(interval=60.0, fast_interval=60.0)
    bench = Bench(attached("alpha"), probes=(slow, WITNESS), takeover=TakeoverMode.OBSERVE)
    bench.says(gateway="down", web="down")
    bench.peek(attempts=tuple(attempt(WITNESS, "down", about="beta", at=bench.now) for _ in range(3)))
    bench.peek(attempts=tuple(attempt(slow, "down", at=bench.now) for _ in range(3)))
    bench.now += 50
    bench.look(attempts=tuple(attempt(WITNESS, "up", about="beta", at=bench.now) for _ in range(2)))

    assert bench.would == []


def test_an_unproven_holder_found_at_the_start_is_counted_from_the_start():
    """And not from the first answer of EC2, which may come late."""
    bench = Bench(attached("alpha"), settle=False)
    bench.says(web="silent")
    bench.ec2_answers = False
    bench.idle(280)
    bench.ec2_answers = True

    assert bench.run(30).calls, bench.seen[-1]
