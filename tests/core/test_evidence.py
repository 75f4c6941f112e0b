"""What a takeover by probes may rest on: the newest downs, to the question asked now, and not too old."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Stall
from eni_failover.core.policy import FailbackMode, FenceMode, TakeoverMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import MEMBERS, SELF, WEB, attached, attempt, detach, peer, probe, stop

MINUTE = probe(interval=60.0, fast_interval=60.0)  # evidence for six seconds: 5 s at most, and one more
COOLING = Durable(last_had="i-alpha", past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=1000.0),))


def answers(bench: Bench, word: str, count: int = 1, asked=None) -> None:
    """So many answers to one probe, asked for just now."""
    asked = asked or bench.policy.probes[0]
    bench.peek(attempts=tuple(attempt(asked, word, at=bench.now) for _ in range(count)))


def judged(probes=(MINUTE,), **changes) -> Bench:
    """Alpha has been down for a while when a cooldown ends, 55 s after these downs."""
    bench = Bench(attached("alpha"), probes=probes, durable=COOLING, **changes)
    for one in probes:
        answers(bench, "down", 3, one)
    bench.now += 55.0
    bench.look()
    return bench


# Too old -------------------------------------------------------------------------------------------


def test_an_old_down_waits_for_one_more_attempt():
    """A probe each minute, and a cooldown that ends: the holder may have been up for most of that minute."""
    bench = judged()
    bench.look()

    assert (bench.decision.action, bench.decision.reason) == (Action.CONFIRM, Reason.HOLDER_DOWN)
    assert bench.decision.calls == ()
    assert bench.state.asked == ("web",)


@pytest.mark.parametrize(("word", "calls"), [("up", ()), ("down", (detach(),)), ("silent", (detach(),))])
def test_the_answer_to_that_attempt_decides(word, calls):
    """Down: taken at once, the describe before it counts. Up: nothing is asked, and nothing moves."""
    bench = judged()
    bench.look()
    answers(bench, word)

    assert bench.decision.calls == calls
    assert bench.state.asked == ()


def test_an_unknown_answer_is_waited_over():
    """Unknown is not down: the next attempt is asked for."""
    bench = judged()
    bench.look()
    answers(bench, "unknown")
    waiting = (bench.decision.action, bench.state.asked)
    answers(bench, "down")

    assert waiting == (Action.CONFIRM, ("web",))
    assert bench.decision.calls == (detach(),)


def test_without_an_answer_for_three_intervals_nothing_is_judged_any_more():
    """The wait has an end: a probe that cannot be sent decides nothing."""
    bench = judged()
    for _ in range(13):
        bench.now += 10.0
        bench.look()

    assert bench.decision.reason is Reason.PROBE_UNKNOWN
    assert bench.state.asked == ()
    assert bench.takeover is None


def test_a_young_down_waits_for_nothing():
    """No new attempt is waited for, but for this."""
    bench = Bench(attached("alpha"), probes=(MINUTE,))
    answers(bench, "down", 3)
    bench.now += 5.0
    bench.look()

    assert bench.decision.calls == (detach(),)


def test_what_is_up_again_since_is_no_evidence():
    """The verdict says down until `rise`: one up is enough to leave the holder alone."""
    bench = judged()
    answers(bench, "up")
    bench.look()
    bench.look()

    assert bench.state.health[0].verdict == "down"
    assert bench.decision.calls == ()
    assert bench.state.asked == ()


def test_only_the_old_probes_of_those_needed_are_asked():
    """`all` of two: one has been asked since."""
    bench = judged(probes=(MINUTE, WEB_2))
    answers(bench, "down", 1, WEB_2)
    bench.look()
    asked = bench.state.asked
    answers(bench, "down", 1, MINUTE)

    assert asked == ("web",)
    assert bench.decision.calls == (detach(),)


def test_as_many_young_downs_as_are_needed_are_enough():
    """`any` of two: the other one may be as old as it is."""
    bench = judged(probes=(MINUTE, WEB_2), down_needed=1)
    answers(bench, "down", 1, WEB_2)
    bench.look()

    assert bench.decision.calls == (detach(),)


def test_the_slow_probe_of_two_that_says_up_is_no_down():
    """`any` of two, and only the old one is down: it is asked, and the young up has no say in it."""
    bench = Bench(attached("alpha"), probes=(MINUTE, WEB_2), down_needed=1, durable=COOLING)
    answers(bench, "down", 3, MINUTE)
    bench.now += 55.0
    answers(bench, "up", 2, WEB_2)
    bench.look()

    assert bench.state.asked == ("web",)
    assert bench.decision.calls == ()


def test_observe_mode_asks_once_more_too():
    """What it reports rests on young downs, as what automatic mode does."""
    bench = judged(takeover=TakeoverMode.OBSERVE)

    assert bench.state.asked == ("web",)
    assert bench.would == []


def test_the_wait_is_ended_by_what_ends_the_cause():
    """Another member has taken the ENI meanwhile: nothing is asked any more."""
    bench = judged(members=3)
    bench.see(attached("gamma", "att-9"))
    bench.look()

    assert bench.state.asked == ()


WEB_2 = probe("port", interval=60.0, fast_interval=60.0)


# Before the point of no return ---------------------------------------------------------------------


def refused() -> Bench:
    """Beta has asked for the detach, and is throttled; the downs get old."""
    bench = Bench(attached("alpha"), probes=(MINUTE,))
    answers(bench, "down", 3)
    bench.look()
    bench.answered("busy")
    bench.now += 10.0
    bench.look()
    return bench


def test_a_refused_detach_is_asked_again_only_on_young_downs():
    """Nothing has moved yet: the holder may be up again."""
    bench = refused()
    waiting = (bench.decision.action, bench.decision.calls, bench.state.asked)
    answers(bench, "down")

    assert waiting == (Action.CONFIRM, (), ("web",))
    assert bench.takeover is not None
    assert bench.decision.calls == (detach(),)


def test_an_up_ends_the_takeover_that_waited_for_it():
    """Its cause is gone."""
    bench = refused()
    answers(bench, "up")

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]
    assert bench.decision.calls == ()


def test_past_the_point_of_no_return_no_answer_is_asked_for():
    """It is carried on whatever the probes say."""
    bench = Bench(attached("alpha"), probes=(MINUTE,))
    answers(bench, "down", 3)
    bench.look()
    bench.accepted()
    bench.now += 60.0
    bench.look()

    assert bench.state.asked == ()
    assert bench.decision.calls == (detach(),)


def test_a_stop_that_was_asked_for_rests_on_no_probe():
    """A holder that is being stopped need not be asked again each second for a minute."""
    bench = Bench(attached("alpha"), probes=(MINUTE,), fence=FenceMode.STOP)
    answers(bench, "down", 3)
    bench.look()
    stopped = bench.decision.calls
    bench.machine("alpha", "stopping")
    bench.accepted()
    bench.now += 30.0
    bench.look()
    waiting = (bench.decision.reason, bench.state.asked)
    bench.machine("alpha", "stopped")
    bench.look()

    assert stopped == (stop("alpha"),)
    assert waiting == (Reason.FENCING, ())
    assert bench.decision.calls == (detach(),)


def test_a_stop_is_asked_for_on_young_downs_alone():
    """It cannot be taken back."""
    bench = judged(fence=FenceMode.STOP)
    bench.look()
    waiting = (bench.decision.action, bench.decision.calls)
    answers(bench, "down")

    assert waiting == (Action.CONFIRM, ())
    assert bench.decision.calls == (stop("alpha"),)


# What they were answers to -------------------------------------------------------------------------


def trial() -> Bench:
    """Observe mode with a wrong port: the healthy holder has been down for long."""
    bench = Bench(attached("alpha"), probes=(replace(WEB, settings="81"),), takeover=TakeoverMode.OBSERVE)
    bench.says(web="down")
    bench.idle(60)
    return bench


def test_a_trial_that_one_reload_ends_and_corrects_takes_from_nobody():
    """The wrong port's downs were no answers to what is asked now; the service is up."""
    bench = trial()
    waiting = attempt(bench.policy.probes[0], "down", at=bench.now)
    bench.set_policy(probes=(WEB,), takeover=TakeoverMode.AUTOMATIC)
    bench.says(web="up")
    bench.look(attempts=(waiting, waiting, waiting))

    assert bench.idle(60).reason is Reason.HOLDER_UP


def test_a_trial_that_is_only_turned_automatic_acts():
    """Siblings: what was asked is what is asked. It was down, and is."""
    bench = trial()
    bench.set_policy(takeover=TakeoverMode.AUTOMATIC)
    bench.peek()

    assert bench.act(within=61).calls == (detach(),)


def test_a_holder_renamed_by_a_reload_is_still_watched():
    """It is its instance; the name is for show."""
    bench = Bench(attached("alpha"))
    renamed = replace(MEMBERS["alpha"], name="alpha-old")
    bench.set_policy(members=(renamed, MEMBERS["beta"]))
    before = bench.idle(5)
    bench.says(web="down")

    assert before.reason is Reason.HOLDER_UP
    assert bench.act(within=6).calls == (detach(),)
    assert bench.takeover.from_member == "alpha-old"


def test_a_rename_of_this_member_takes_nothing_from_it():
    """It holds, and goes on holding."""
    bench = Bench(attached("beta"))
    renamed = replace(MEMBERS["beta"], name="beta-new")
    bench.set_policy(me=renamed, members=(MEMBERS["alpha"], renamed))

    assert bench.idle(5).reason is Reason.HELD


def test_members_that_swap_their_names_are_who_they_were():
    """Alpha's new name is beta's old one: the turn and the last holder go by the instance."""
    bench = Bench(attached("alpha"))
    alpha, beta = (replace(MEMBERS[one], name=other) for one, other in (("alpha", "beta"), ("beta", "alpha")))
    bench.set_policy(me=beta, members=(alpha, beta))
    bench.idle(3)
    bench.says(web="down")

    assert bench.act(within=6).calls == (detach(),)
    assert bench.state.durable.last_had == "i-alpha"


def test_a_takeover_of_a_member_renamed_meanwhile_goes_on():
    """Its cause is about the instance; the probe asks another question, whose answer is waited for."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=6)
    bench.accepted()
    bench.set_policy(members=(replace(MEMBERS["alpha"], name="old"), MEMBERS["beta"]))
    bench.look()

    assert bench.takeover is not None
    assert bench.ended == []


@pytest.mark.parametrize("name", ["beta", "i-beta", "alpha"])
@pytest.mark.parametrize(("trigger", "calls"), [("manual", ()), ("probes", (detach(),))])
def test_a_peer_is_found_by_its_instance(name, trigger, calls):
    """With [discovery] each member names the others as it finds them: row 11 asks the heir all the same."""
    bench = Bench(
        attached("beta"),
        local="alpha",
        failback=FailbackMode.AUTOMATIC,
        failback_delay=1.0,
        probes=(WEB, SELF),
        durable=Durable(last_had="i-beta", lost_at=900.0, lost_unseen=True),
        settle=False,
    )
    bench.peers = (replace(peer("beta", last_takeover_trigger=trigger), member=name),)

    assert bench.run(60).calls == calls


# Before the end of a sleep -------------------------------------------------------------------------


@pytest.mark.parametrize("slept", [0.6, 2.0, 3600.0])
def test_after_a_sleep_of_the_host_downs_from_before_it_do_not_act(slept):
    """This process's clock may have stood still with it: by its own time they are young."""
    bench = Bench(attached("alpha"))
    answers(bench, "down", 3)
    bench.look(after=0.0, stalls=(Stall(from_at=bench.now - slept, to_at=bench.now),))
    bench.look()
    bench.look()

    assert bench.takeover is None
    assert bench.decision.calls == ()


def test_after_a_sleep_three_fresh_downs_act():
    """Each asked for after its end."""
    bench = Bench(attached("alpha"))
    answers(bench, "down", 3)
    bench.peek(stalls=(Stall(from_at=bench.now - 60.0, to_at=bench.now),))
    began = bench.now
    bench.says(web="down")
    bench.act(within=10)

    assert bench.decision.calls == (detach(),)
    assert bench.now - began > 2.0


def test_a_sleep_during_the_wait_starts_it_over():
    """An answer that was waited for came before the host slept."""
    bench = judged()
    bench.look()
    late = attempt(MINUTE, "down", at=bench.now)
    bench.now += 1.0
    bench.peek(attempts=(late,), stalls=(Stall(from_at=bench.now - 3600.0, to_at=bench.now - 0.5),))

    assert bench.decision.calls == ()
    assert bench.state.asked == ()
