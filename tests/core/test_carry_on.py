"""Row 4: a takeover past its point of no return is carried on, bounded where EC2 hangs."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.vocabulary import Reason, Role
from tests.core.bench import Bench, outcome
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
    bench.act(within=1.5)
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

    assert bench.act(within=1.5).calls == (attach(),)
    assert ending(bench) == []


@pytest.mark.parametrize("verdict", ["busy", "bad_state", "in_use"])
def test_an_attach_that_may_yet_succeed_is_tried_without_limit(verdict):
    """Rolled forward until some member holds it: a throttle and a race end."""
    bench = committed()
    bench.see(free())
    bench.act(within=1.5)
    for _ in range(20):
        bench.answered(verdict)
        bench.act(within=6)

    assert bench.decision.calls == (attach(),)
    assert ending(bench) == []


EARNEST = ("limit", "refused", "denied")


def refused(verdict: str = "limit", **changes) -> Bench:
    """The detach is done, and EC2 refuses the attach here."""
    bench = committed(**changes)
    bench.see(free())
    bench.act(within=1.5)
    if verdict == "denied":
        # The daemon takes a denied attach for a denied DryRun.
        bench.local = replace(LOCAL, attach_allowed=False)
    bench.answered(verdict)
    return bench


@pytest.mark.parametrize("verdict", EARNEST)
def test_an_attach_refused_in_earnest_ends_it(verdict):
    """The next one would be refused as well: who can have the ENI must be free to take it."""
    bench = refused(verdict)

    assert ending(bench) == [("failed", "attach_refused")]
    assert bench.role is Role.STANDBY
    assert bench.decision.calls == ()


def test_a_written_index_that_is_taken_ends_it_too():
    """With `auto` the next index is tried; a written one has no next."""
    bench = refused("index_taken", device_index=3)

    assert ending(bench) == [("failed", "attach_refused")]


def test_a_written_index_that_somebody_takes_meanwhile_ends_it():
    """An operator has attached another ENI there since the detach: EC2 need not even be asked."""
    bench = committed(device_index=3)
    bench.machine("beta", eni_indexes=(("eni-primary", 0), ("eni-other", 3)))
    bench.see(free())
    bench.look()

    assert ending(bench) == [("failed", "no_index")]
    assert bench.role is Role.STANDBY
    assert bench.idle(55).calls == ()


def test_a_written_index_that_is_free_again_is_taken_after_a_minute():
    """Nobody else could have it: the ENI is without a holder, and this member tries again."""
    bench = committed(device_index=3)
    bench.machine("beta", eni_indexes=(("eni-primary", 0), ("eni-other", 3)))
    bench.see(free())
    bench.look()
    bench.idle(70)
    bench.machine("beta", eni_indexes=(("eni-primary", 0),))

    assert bench.act(within=80).calls == (attach(1, index=3),)


def test_the_end_of_this_instance_ends_it_once_ec2_has_refused_the_attach():
    """An instance that stops gets no ENI any more, and its daemon may live on for a minute."""
    bench = committed()
    bench.see(free())
    bench.act(within=1.5)
    bench.answered("bad_state")
    going_on = ending(bench)
    bench.machine("beta", "stopping")
    bench.look()

    assert going_on == []
    assert ending(bench) == [("failed", "instance_not_running")]
    assert bench.role is Role.STANDBY


@pytest.mark.parametrize("verdict", EARNEST)
@pytest.mark.parametrize("cooldown", [0.0, 60.0, 3600.0])
def test_a_refused_member_leaves_the_eni_to_the_others_for_a_minute(verdict, cooldown):
    """Then it tries again whatever EC2 said, each time anew, rather than leave it without a holder."""
    bench = refused(verdict, cooldown=cooldown)
    failed_at = bench.now
    bench.idle(58)
    bench.act(within=5)
    again = bench.now - failed_at
    bench.answered(verdict)
    rest = max(10, min(cooldown, 60))
    bench.idle(rest - 1)
    bench.act(within=5)

    assert bench.decision.calls == (attach(),)
    assert again < 62


def test_a_refused_member_takes_nothing_for_ten_minutes():
    """It is not able: a holder that is down is left to those that are."""
    bench = refused()
    refused_at = bench.now
    bench.see(attached("alpha", "att-9"))
    bench.look()
    bench.says(web="up")
    bench.idle(120)
    bench.says(web="down")
    held_back = bench.idle(470)
    bench.act(within=20)

    assert held_back.reason is Reason.ATTACH_REFUSED
    assert 600 <= bench.now - refused_at < 602


def test_new_facts_about_this_member_end_that_at_once():
    """An operator has freed a slot: EC2 would think otherwise now."""
    bench = refused()
    bench.see(attached("alpha", "att-9"))
    bench.look()
    bench.says(web="up")
    bench.idle(120)
    bench.says(web="down")
    bench.idle(5)
    bench.machine("beta", used_indexes=(0, 5))

    assert bench.act(within=25).calls == (detach(1, "att-9"),)


@pytest.mark.parametrize("verdict", ["accepted", "gone", "denied", "refused", "limit"])
def test_only_the_refusal_of_an_attach_bars(verdict):
    """What EC2 says of a detach is about the holder's side."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.answered(verdict)

    assert bench.state.barred_at is None


@pytest.mark.parametrize("verdict", ["busy", "bad_state", "in_use", "gone", "unanswered"])
def test_what_may_pass_by_itself_does_not_bar(verdict):
    """A throttle, a race, a machine that still boots."""
    bench = committed()
    bench.see(free())
    bench.act(within=1.5)
    bench.answered(verdict)

    assert bench.state.barred_at is None
    assert ending(bench) == []


def test_an_eni_that_another_member_has_by_then_is_lost_and_not_refused():
    """The refusal and the other member's attach come together."""
    bench = committed(members=3)
    bench.see(free())
    bench.act(within=1.5)
    (call,) = bench.decision.calls
    bench.see(attached("gamma", "att-9"))
    bench.look(outcomes=(outcome(call, "limit", sent_at=bench.now, ended_at=bench.now),))
    bench.now += 1.0
    bench.look()

    assert ending(bench) == [("lost", "lost_to_another")]
    assert bench.idle(30).calls == ()


def test_a_restart_does_not_forget_the_intent_whose_attach_was_refused():
    """It has ended; a new process begins with what the group is then, and rescues in its turn."""
    bench = refused()
    after = Bench(free(), durable=bench.state.durable, at=bench.now + 1, settle=False)

    assert after.takeover is None
    assert after.act(within=5).calls == (attach(),)


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

    assert after.act(within=1.5).calls == (attach(),)


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
    bench.act(within=1.5)
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


def hung_twice(**changes) -> Bench:
    bench = hung_once(**changes)
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
    """Others come first; then it tries again rather than leave it without a holder."""
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


@pytest.mark.parametrize("cooldown", [300.0, 3600.0])
def test_no_cooldown_keeps_the_eni_without_a_holder_for_longer_than_a_minute(cooldown):
    """The rest after a failed takeover is sixty seconds at most."""
    bench = hung_twice(cooldown=cooldown)
    bench.see(detaching("beta", "att-3", index=2))
    bench.accepted()
    bench.idle(1)
    bench.see(free())
    failed_at = bench.now
    bench.act(within=65)

    assert bench.decision.calls == (attach(),)
    assert bench.now - failed_at < 62


def test_a_short_cooldown_is_the_rest():
    """Ten seconds are the least, sixty the most; then come the ten of a member that last had the ENI."""
    bench = hung_twice(cooldown=5.0)
    bench.see(detaching("beta", "att-3", index=2))
    bench.accepted()
    bench.idle(1)
    bench.see(free())

    bench.idle(9)

    assert bench.act(within=13).calls == (attach(),)


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


# Had, though no look showed it ------------------------------------------------------------------------


def test_an_accepted_attach_that_another_member_undoes_is_lost():
    """EC2 took the attach; before a look showed it, another member detached it. Attaching again is a duel."""
    bench = committed()
    bench.see(free())
    bench.act(within=1.5)
    bench.see(detaching("beta", "att-2", index=1))
    bench.accepted()
    bench.idle(5.0)

    assert ending(bench) == [("lost", Reason.ATTACHMENT_GONE)]


def test_an_accepted_attach_that_a_stale_read_does_not_show_yet_is_not_lost():
    """Answers lag: for as long as a call lives, an ENI that looks free is none that was taken."""
    bench = committed()
    bench.see(free())
    bench.act(within=1.5)
    bench.accepted()
    bench.idle(3.0)
    bench.see(attached("beta", "att-2", index=1))
    bench.idle(3.0)

    assert ending(bench) == [("success", Reason.HOLDER_DOWN)]


def test_an_attach_that_this_member_undoes_itself_is_not_lost():
    """It hung: it is detached and attached anew."""
    bench = attaching_here()
    bench.act(within=70)
    bench.see(detaching("beta", "att-2", index=1))
    bench.accepted()
    bench.idle(3.0)
    bench.see(free())

    assert [type(call).__name__ for call in bench.act(within=3.0).calls] == ["Attach"]
