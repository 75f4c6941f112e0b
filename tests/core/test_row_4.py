"""Row 4: a takeover past its point of no return is carried on, bounded where EC2 hangs."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.words import Reason, Role
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    attach,
    attached,
    attaching,
    attempt,
    detach,
    detaching,
    foreign,
    free,
    missing,
)


def committed(*shapes, **changes) -> Bench:
    """Beta's first detach was accepted, and shows."""
    bench = Bench(*(shapes or (attached("alpha"),)), **{"move_interval": 1.0, **changes})
    bench.says(web="down")
    bench.act(within=10)
    bench.see(detaching("alpha"), *shapes[1:])
    bench.accepted()
    return bench


def attaching_here(**changes) -> Bench:
    """The attach was accepted, and shows."""
    bench = committed(**changes)
    bench.see(free())
    bench.act(within=1)
    bench.see(attaching("beta", "att-2", index=1))
    bench.accepted()
    return bench


def ending(bench: Bench) -> list[tuple[str, str]]:
    return [(one.result, one.reason) for one in bench.ended]


# Whatever happens ----------------------------------------------------------------------------------


def paused(bench: Bench) -> None:
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))


def holder_up(bench: Bench) -> None:
    bench.says(web="up")
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))


def unfit(bench: Bench) -> None:
    bench.says(disk="down")
    bench.peek(attempts=tuple(attempt("disk", "down", about="beta", at=bench.now) for _ in range(3)))


def denied(bench: Bench) -> None:
    bench.local = replace(LOCAL, attach_allowed=False)


def stopping(bench: Bench) -> None:
    bench.machine("beta", "stopping")


def observing(bench: Bench) -> None:
    bench.set_policy(takeover=TakeoverMode.OBSERVE)


def stalled(bench: Bench) -> None:
    bench.peek(stalls=(Stall(from_at=bench.now - 5, to_at=bench.now),))


@pytest.mark.parametrize("event", [paused, holder_up, unfit, denied, stopping, observing, stalled])
def test_it_is_carried_on_whatever_happens(event):
    """Past the point of no return only `lost` and the bounds end it."""
    bench = committed(probes=(WEB, SELF))
    event(bench)
    bench.idle(3)
    bench.see(free())

    assert bench.act(within=1).calls == (attach(),)
    assert ending(bench) == []


@pytest.mark.parametrize("verdict", ["busy", "bad_state", "in_use"])
def test_an_attach_that_may_yet_succeed_is_tried_without_limit(verdict):
    """Rolled forward until some member holds it: a throttle and a race end."""
    bench = committed()
    bench.see(free())
    bench.act(within=1)
    for _ in range(20):
        bench.answered(verdict)
        bench.act(within=6)

    assert bench.decision.calls == (attach(),)
    assert ending(bench) == []


def test_a_restarted_member_rolls_forward():
    """The journal has the intent; a new process with fresh counters carries it on."""
    bench = committed()
    after = Bench(free(), durable=bench.state.durable, at=bench.now + 30, settle=False)

    assert after.act(within=2).calls == (attach(),)


def test_a_member_killed_between_journal_and_answer_finds_out_first():
    """The detach is taken as accepted until a describe, begun late enough, shows otherwise."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    killed = bench.state.durable
    after = Bench(attached("alpha"), durable=killed, at=bench.now + 1, settle=False)
    pending = after.idle(3)
    after.idle(3)

    assert pending.reason is Reason.ANSWER_PENDING
    assert ending(after) == [("failed", "cause_gone")]


def test_a_member_killed_after_the_effect_carries_on():
    """The detach had been accepted: EC2 shows it."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    after = Bench(detaching("alpha"), durable=bench.state.durable, at=bench.now + 1, settle=False)
    after.idle(1)
    after.see(free())

    assert after.act(within=1).calls == (attach(),)


# Attach that hangs ---------------------------------------------------------------------------------


def test_an_attach_may_take_a_minute():
    """Not a call before that."""
    bench = attaching_here()

    assert bench.idle(59).reason is Reason.ATTACHING
    assert bench.role is Role.TAKING


def test_an_attach_that_hangs_is_detached_after_a_minute():
    """By its own id."""
    bench = attaching_here()
    began = bench.now
    bench.act(within=65)

    assert bench.decision.calls == (detach(1, "att-2"),)
    assert 59 < bench.now - began < 63


def hung_once(**changes) -> Bench:
    bench = attaching_here(**changes)
    bench.act(within=65)
    bench.see(detaching("beta", "att-2", index=1))
    bench.accepted()
    bench.idle(3)
    bench.see(free())
    bench.act(within=1)
    return bench


def test_it_is_attached_again_at_another_index():
    """The index at which it hung is skipped."""
    assert hung_once().decision.calls == (attach(index=2),)


def test_a_written_index_has_no_other():
    """The same one, once more."""
    assert hung_once(device_index=1).decision.calls == (attach(index=1),)


def test_undoing_an_attach_of_our_own_is_no_loss():
    """The ENI was here and is gone, by our own detach."""
    bench = hung_once()

    assert ending(bench) == []


def hung_twice() -> Bench:
    bench = hung_once()
    bench.see(attaching("beta", "att-3", index=2))
    bench.accepted()
    bench.act(within=65)
    return bench


def test_the_second_attach_that_hangs_is_detached_too():
    """The takeover gives up, and leaves the ENI for others."""
    bench = hung_twice()

    assert bench.decision.calls == (detach(1, "att-3"),)
    assert ending(bench) == []


def test_then_it_has_failed():
    """When the hung attachment lets go."""
    bench = hung_twice()
    bench.see(detaching("beta", "att-3", index=2))
    bench.accepted()
    bench.idle(1)

    assert ending(bench) == [("failed", "attach_stuck")]


def test_giving_up_waits_for_an_answer():
    """EC2 is silent, or the daemon has just been restarted: what still hangs here may not be left here."""
    bench = hung_twice()
    bench.ec2_answers = False
    bench.answered("bad_state")
    bench.look()
    bench.idle(8)
    silent = ending(bench)
    bench.ec2_answers = True

    assert silent == []
    assert bench.act(within=8).calls == (detach(1, "att-3"),)


def test_and_it_stays_out_of_row_6_for_the_cooldown():
    """Others come first; then it tries again rather than leave it on the floor."""
    bench = hung_twice()
    bench.see(detaching("beta", "att-3", index=2))
    bench.accepted()
    bench.idle(1)
    bench.see(free())
    failed_at = bench.now
    held_back = bench.idle(58)
    bench.act(within=10)

    assert held_back.reason is Reason.COOLDOWN
    assert bench.decision.calls == (attach(),)
    assert bench.now - failed_at >= 59


def test_a_second_attach_that_arrives_is_a_success():
    """Once is enough."""
    bench = hung_once()
    bench.see(attaching("beta", "att-3", index=2))
    bench.accepted()
    bench.idle(5)
    bench.see(attached("beta", "att-3", index=2))
    bench.idle(1)

    assert ending(bench) == [("success", "holder_down")]


def test_a_stuck_detach_of_a_hung_attach_is_forced():
    """The ladder is the same for our own attachment."""
    bench = attaching_here()
    bench.act(within=65)
    bench.see(detaching("beta", "att-2", index=1))
    bench.accepted()

    assert bench.act(within=20).calls == (detach(1, "att-2", force=True),)


# Foreign and missing -------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [foreign, missing])
def test_foreign_and_missing_enis_are_left_and_the_others_go_on(other):
    """Row 2: row 4 goes on."""
    bench = committed(attached("alpha"), attached("alpha"))
    bench.answered("gone")
    bench.see(free(), other())

    assert bench.act(within=3).calls == (attach(1),)


def test_a_lock_that_turns_foreign_passes_the_lock_on():
    """The second ENI is the lock now; it is detached by its recorded id."""
    bench = committed(attached("alpha"), attached("alpha"))
    bench.answered("busy")
    bench.see(foreign("att-9"), attached("alpha"))

    assert bench.act(within=2).calls == (detach(2),)
