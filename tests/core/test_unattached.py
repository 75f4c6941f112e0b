"""Row 6: the first ENI is on nobody, and some member must have it."""

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    SELF,
    WEB,
    WITNESS,
    attach,
    attached,
    attaching,
    attempt,
    detach,
    detaching,
    foreign,
    free,
    missing,
    peer,
    probe,
    takeover_request,
)


def on_nobody(shape=None, *, local="beta", members=2, last="alpha", **changes) -> Bench:
    """Alpha had the ENI; now it is on nobody, as the first describe of this pass shows."""
    bench = Bench(
        attached("alpha"), local=local, members=members, durable=Durable(last_had=f"i-{last}"), **changes
    )
    bench.see(shape or free())
    bench.look()
    return bench


def waits(bench: Bench, within: float = 75.0) -> float:
    began = bench.now
    bench.act(within=within)
    return bench.now - began


@pytest.mark.parametrize(("local", "delay"), [("beta", 2.0), ("gamma", 4.0), ("delta", 6.0), ("alpha", 10.0)])
def test_each_member_in_its_turn_attaches_it(local, delay):
    """(n + 1) * stagger; the member that last had it after all others, not before 10 s."""
    bench = on_nobody(local=local, members=4)

    assert delay <= waits(bench) < delay + 0.5
    assert bench.decision.calls == (attach(),)
    assert (bench.takeover.trigger, bench.takeover.reason) == (Trigger.UNOWNED, Reason.ENI_UNOWNED)


def test_two_seconds_are_the_least():
    """A takeover of another member may be between its detach and its attach."""
    assert 2.0 <= waits(on_nobody(stagger=0.1)) < 2.5


def test_until_then_it_says_whose_turn_it_is():
    """Not mine yet."""
    bench = on_nobody(local="gamma", members=3)

    assert bench.idle(3).reason is Reason.NOT_MY_TURN


@pytest.mark.parametrize("what", ["describe", "stall"])
def test_a_break_starts_the_turn_over(what):
    """A describe that fails, or a stall of our own."""
    bench = on_nobody(local="gamma", members=3)
    bench.idle(3.9)
    if what == "describe":
        bench.ec2_answers = False
        bench.look()
        bench.ec2_answers = True
    else:
        bench.peek(stalls=(Stall(from_at=bench.now - 5, to_at=bench.now),))
        bench.idle(1.0)
    bench.look()

    assert waits(bench) >= 3.9


def test_one_more_describe_confirms_it():
    """A stale read of an attach that has just been made is caught."""
    bench = on_nobody()
    while_waiting = bench.idle(1.9)
    bench.now += 0.2
    confirm = bench.peek()
    bench.see(attaching("gamma", "att-9"))
    bench.look()

    assert while_waiting.action is Action.WAIT
    assert confirm.action is Action.CONFIRM
    assert bench.decision.calls == ()


def test_every_eni_is_brought():
    """The lock first, the others once its attach was accepted."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.see(free(), free())
    bench.look()
    bench.act(within=4)
    first = bench.decision.calls
    second = bench.accepted().calls

    assert first == (attach(1),)
    assert second == (attach(2),)


def test_only_the_lock_counts():
    """The second ENI on nobody is the holder's to bring."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.see(attached("alpha"), free())

    assert bench.idle(90).calls == ()


# Fit, and the last resort --------------------------------------------------------------------------


def test_an_unfit_member_leaves_it_to_the_others():
    """For sixty seconds."""
    bench = on_nobody(probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(1)
    bench.peek(attempts=tuple(attempt("disk", "down", about="beta", at=bench.now) for _ in range(3)))

    assert bench.idle(50).reason is Reason.SELF_PROBE_DOWN


def test_after_sixty_seconds_whoever_runs_attaches_it():
    """Self probes are down everywhere: the floor is worse."""
    bench = on_nobody(probes=(WEB, SELF))
    bench.peek(attempts=tuple(attempt("disk", "down", about="beta", at=bench.now) for _ in range(3)))
    bench.says(disk="down")

    assert 59.5 <= waits(bench) < 61.0
    assert bench.decision.calls == (attach(),)


@pytest.mark.parametrize("obstacle", [{"zone": "elsewhere"}, {"interface_count": 15}])
def test_after_sixty_seconds_even_an_unable_member_tries(obstacle):
    """What EC2 really allows is EC2's to say."""
    bench = on_nobody()
    bench.machine("beta", **obstacle)
    bench.look()

    assert waits(bench) > 59


def test_a_member_that_ec2_does_not_show_running_never_tries():
    """Also not after sixty seconds: it is about to go."""
    bench = on_nobody()
    bench.machine("beta", "stopping")
    bench.look()

    assert bench.idle(120).reason is Reason.INSTANCE_NOT_RUNNING


def test_witnesses_do_not_matter():
    """Attaching what nobody has can hurt nobody."""
    bench = on_nobody(probes=(WEB, WITNESS))
    bench.says(gateway="down")

    assert waits(bench) < 3


def test_neither_cooldown_nor_limit_matters():
    """Nobody's ENI stays on the floor."""
    past = tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (997.0, 998.0, 999.0))
    bench = Bench(attached("alpha"), durable=Durable(last_had="i-alpha", past=past))
    bench.see(free())
    bench.look()

    assert waits(bench) < 3


# Stuck detaching -----------------------------------------------------------------------------------


def test_a_stuck_detach_is_forced_and_the_eni_attached():
    """A taker that died with the ENI detaching does not leave it there."""
    bench = on_nobody(detaching("alpha"))
    bench.act(within=30)
    forced = bench.decision.calls
    reason = bench.takeover.reason
    bench.see(free())
    bench.accepted()

    assert forced == (detach(force=True),)
    assert reason is Reason.STUCK_DETACHING
    assert bench.act(within=2).calls == (attach(),)


def test_it_counts_as_stuck_after_the_force_bound_and_then_comes_the_turn():
    """15 s of detaching, then (n + 1) * stagger."""
    assert 17.0 <= waits(on_nobody(detaching("alpha"))) < 18.0


def test_a_detach_that_ends_in_time_is_no_stuck_one():
    """The taker is alive: it attaches."""
    bench = on_nobody(detaching("alpha"))
    bench.idle(14)
    bench.see(attaching("gamma", "att-9"))

    assert bench.idle(14).calls == ()


def test_never_leaves_a_stuck_detach_alone():
    """`force_detach_after = "never"`."""
    bench = on_nobody(detaching("alpha"), force_detach_after=None)

    assert bench.idle(200).calls == ()


# Stuck attaching -----------------------------------------------------------------------------------


def hangs(shape=None, *, local="gamma", members=3, **changes) -> Bench:
    """EC2 does not end beta's attach; by the probes beta is dead, and it was never up as the holder."""
    bench = Bench(
        attached("alpha"), local=local, members=members, durable=Durable(last_had="i-alpha"), **changes
    )
    bench.says(web="silent")
    bench.see(shape or attaching("beta", "att-9"))
    bench.look()
    return bench


def test_an_attach_that_hangs_on_a_dead_member_is_undone_after_three_minutes():
    """By its own id; then the ENI is attached here."""
    bench = hangs()
    took = waits(bench, within=200)
    undone, reason = bench.decision.calls, bench.takeover.reason
    bench.see(free())
    bench.accepted()

    assert 180 <= took < 186
    assert (undone, reason) == ((detach(1, "att-9"),), Reason.ATTACH_STUCK)
    assert bench.takeover.trigger is Trigger.UNOWNED
    assert bench.act(within=2).calls == (attach(),)


def test_a_detach_of_it_that_hangs_is_forced():
    """The ladder is the same."""
    bench = hangs()
    bench.act(within=200)
    bench.see(detaching("beta", "att-9"))
    bench.accepted()

    assert bench.act(within=20).calls == (detach(1, "att-9", force=True),)


def test_a_refused_detach_of_it_is_asked_again():
    """The cause is still there."""
    bench = hangs()
    bench.act(within=200)
    bench.answered("busy")

    assert bench.act(within=5).calls == (detach(1, "att-9"),)


def test_it_has_its_turns():
    """The member whose attach hangs is left out; the others in file order, and never before two seconds."""
    first, second = (waits(hangs(local=local, members=4), within=200) for local in ("alpha", "gamma"))

    assert 182 <= first < 184
    assert 184 <= second < 186


@pytest.mark.parametrize("answer", ["unknown", "silent", "down"])
def test_only_an_up_holds_it_off(answer):
    """A member that nobody can ask may be dead; one that answers will end its attach by itself."""
    bench = hangs()
    bench.says(web=answer)

    assert bench.act(within=200).calls == (detach(1, "att-9"),)


def test_a_probe_that_is_up_holds_it_off():
    """As long as it is: ten seconds after its death the three minutes have long been over."""
    bench = hangs()
    bench.says(web="up")
    bench.idle(400)
    bench.says(web="silent")
    began = bench.now
    bench.act(within=20)

    assert bench.decision.calls == (detach(1, "att-9"),)
    assert bench.now - began > 5


def test_one_of_several_probes_that_is_up_holds_it_off():
    """No holder probe may be up."""
    bench = hangs(probes=(WEB, probe("ssh")))
    bench.says(web="silent", ssh="up")

    assert bench.idle(400).calls == ()


def test_without_a_holder_probe_the_three_minutes_decide():
    """Nothing could ever say up."""
    bench = hangs(probes=())

    assert bench.act(within=200).calls == (detach(1, "att-9"),)


@pytest.mark.parametrize("after", [100, 179, 182])
def test_an_attach_that_ends_is_left_alone(after):
    """A slow one is no stuck one, up to the last moment before the call."""
    bench = hangs()
    bench.idle(after)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.idle(50).calls == ()
    assert bench.takeover is None


def test_another_attach_starts_the_three_minutes_over():
    """Beta has undone it itself, and tries again."""
    bench = hangs()
    bench.idle(170)
    bench.see(attaching("beta", "att-10"))
    bench.look()

    assert waits(bench, within=200) >= 180


def test_an_attach_here_is_never_another_members_stuck_one():
    """Row 4 has its own minute for it; without a takeover it is waited for."""
    bench = Bench(attaching("beta"), settle=False)

    assert bench.idle(400).calls == ()


def test_observe_reports_an_attach_that_hangs():
    """And leaves it."""
    bench = hangs(takeover=TakeoverMode.OBSERVE)
    last = bench.idle(300)

    assert (last.action, last.reason) == (Action.WOULD_TAKE_OVER, Reason.ATTACH_STUCK)
    assert bench.would == [Trigger.UNOWNED]


def test_never_forced_is_undone_all_the_same():
    """`force_detach_after = "never"` is about force: this detach has none."""
    bench = hangs(force_detach_after=None)

    assert bench.act(within=200).calls == (detach(1, "att-9"),)


def test_a_pause_makes_it_wait_for_sixty_seconds_more():
    """From when it counts as unattached."""
    bench = hangs()
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))
    took = waits(bench, within=260)

    assert 240 <= took < 246


def test_an_operator_need_not_wait_for_it():
    """Nothing is moving any more after the bound of a move."""
    bench = hangs()
    bench.idle(20)
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))

    assert bench.act(within=2).calls == (detach(1, "att-9"),)


def test_the_others_of_the_group_come_along():
    """Two ENIs hang; the lock goes first."""
    bench = Bench(attached("alpha"), attached("alpha"), local="gamma", members=3)
    bench.says(web="silent")
    bench.see(attaching("beta", "att-8"), attaching("beta", "att-9"))
    bench.look()
    first = bench.act(within=200).calls
    second = bench.accepted().calls

    assert (first, second) == ((detach(1, "att-8"),), (detach(2, "att-9"),))


# Yield to who is at it -----------------------------------------------------------------------------


def test_it_yields_to_a_member_that_is_taking():
    """Its attach is throttled for a while: its takeover is committed, and carries on."""
    bench = on_nobody(local="gamma", members=3)
    bench.peers = (peer("beta", role="taking"), peer("alpha", role="standby"))
    held_back = bench.idle(59)

    assert held_back.reason is Reason.OTHER_TAKEOVER
    assert bench.act(within=3).calls == (attach(),)


def test_it_yields_no_longer_than_sixty_seconds():
    """Whoever says what: an ENI is not without a holder for longer."""
    bench = on_nobody()
    bench.peers = (peer("alpha", role="taking"),)

    assert 59.5 <= waits(bench) < 61.5


@pytest.mark.parametrize(
    "other",
    [
        peer("alpha", role="taking", reachable=False),
        peer("alpha", role="standby"),
        peer("alpha", role="fault"),
        peer("alpha", role="active"),
        peer("alpha"),
    ],
    ids=["out of reach", "standby", "fault", "active", "no role"],
)
def test_it_yields_to_nobody_else(other):
    """What a member said before it went out of reach is no news of now."""
    bench = on_nobody()
    bench.peers = (other,)

    assert waits(bench) < 3


def test_its_turn_begins_when_the_taker_gives_up():
    """It has stepped down: the ENI is anybody's again, two seconds later."""
    bench = on_nobody()
    bench.peers = (peer("alpha", role="taking"),)
    bench.idle(20)
    bench.peers = (peer("alpha", role="standby"),)
    bench.peek()

    assert 2.0 <= waits(bench) < 3.0


def test_a_takeover_of_its_own_does_not_yield():
    """Two that have begun both carry on: EC2 gives the ENI to one of them."""
    bench = on_nobody()
    bench.act(within=5)
    bench.peers = (peer("alpha", role="taking"),)
    bench.answered("busy")

    assert bench.act(within=2).calls == (attach(),)
    assert bench.ended == []


def test_a_stuck_detach_yields_too():
    """The taker forces it by itself."""
    bench = on_nobody(detaching("alpha"), local="gamma", members=3)
    bench.peers = (peer("beta", role="taking"),)
    took = waits(bench, within=90)

    assert 75 <= took < 78


# EC2 knows nothing of this member ------------------------------------------------------------------


def test_without_any_look_at_the_instances_sixty_seconds_still_rescue():
    """DescribeInstances denied from the start: nothing is known about this member, but that it runs."""
    bench = Bench(free(), settle=False)
    bench.instances_answer = False
    bench.look()
    began = bench.now
    held_back = bench.idle(58)
    bench.act(within=5)

    assert held_back.reason is Reason.EC2_SILENT
    assert bench.decision.calls == (attach(),)
    assert bench.now - began < 62


def test_it_goes_on_while_looks_at_the_instances_fail():
    """What was known before is known: no sixty seconds."""
    bench = Bench(attached("alpha"))
    bench.instances_answer = False
    bench.idle(600)
    bench.see(free())
    bench.look()

    assert waits(bench) < 3


def test_a_member_that_ec2_shows_pending_acts():
    """It runs: EC2 has not heard of that yet."""
    bench = on_nobody()
    bench.machine("beta", "pending")
    bench.look()

    assert waits(bench) < 3


# Grace, pause, observe -----------------------------------------------------------------------------


def test_startup_grace_does_not_stop_it():
    """Nothing is taken from anybody."""
    bench = Bench(free(), startup_grace=600.0, settle=False)
    bench.look()

    assert waits(bench) < 6


def test_a_pause_makes_it_wait_for_the_sixty_seconds():
    """Then whoever runs attaches it."""
    bench = on_nobody()
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))
    held_back = bench.idle(55)

    assert held_back.reason is Reason.PAUSED
    assert waits(bench) < 6


def test_observe_mode_stops_it():
    """It reports, and leaves the ENI where it is, also after sixty seconds."""
    bench = on_nobody(takeover=TakeoverMode.OBSERVE)
    last = bench.idle(120)

    assert (last.action, last.reason) == (Action.WOULD_TAKE_OVER, Reason.ENI_UNOWNED)
    assert bench.would == [Trigger.UNOWNED]


@pytest.mark.parametrize("other", [foreign, missing])
def test_foreign_and_missing_enis_do_not_stop_it(other):
    """Row 2: row 6 goes on with the others."""
    bench = Bench(other(), attached("alpha"))
    bench.see(other(), free())
    bench.look()

    assert bench.act(within=6).calls == (attach(2, index=1),)


def test_an_unknown_eni_stops_it():
    """Row 1: nothing new starts while an ENI's state is not known."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.see(free(), missing())
    bench.look()
    first = bench.decision
    bench.idle(1.5)

    assert first.reason is Reason.ENI_UNKNOWN
    assert bench.decision.reason is Reason.ENI_UNKNOWN


# Before its point of no return ---------------------------------------------------------------------


def refused(bench: Bench) -> Bench:
    bench.act(within=5)
    bench.answered("busy")
    return bench


def test_a_refused_attach_is_tried_again():
    """The ENI is still on nobody."""
    bench = refused(on_nobody())

    assert bench.act(within=2).calls == (attach(),)


def test_an_intent_whose_eni_has_found_somebody_ends():
    """Cause gone: another member was faster."""
    bench = refused(on_nobody())
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


def test_an_intent_is_asked_again_against_a_pause():
    """The row says: wait for the sixty seconds."""
    bench = refused(on_nobody())
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.PAUSED)]


def test_an_intent_ends_when_the_mode_becomes_observe():
    """A reload that says observe is obeyed at once."""
    bench = refused(on_nobody())
    bench.set_policy(takeover=TakeoverMode.OBSERVE)
    bench.peek()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]
