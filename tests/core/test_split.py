"""Row 8: I have the first ENI, and not all of them."""

import pytest

from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import SELF, WEB, attach, attached, attaching, detach, detaching, foreign, free, peer


def split(*others, **changes) -> Bench:
    """Beta has the first ENI, the others are elsewhere; this has just been seen."""
    bench = Bench(attached("beta"), *others, settle=False, **changes)
    bench.look()
    return bench


@pytest.mark.parametrize(
    ("other", "call"), [(attached("alpha"), detach(2)), (free(), attach(2))], ids=["on alpha", "unattached"]
)
def test_the_holder_of_the_first_brings_the_others(other, call):
    """Nothing moved for two seconds, one more describe, then the call."""
    bench = split(other)
    began = bench.now
    bench.act(within=5)

    assert bench.decision.calls == (call,)
    assert (bench.takeover.trigger, bench.takeover.reason) == (Trigger.SPLIT, Reason.GROUP_SPLIT)
    assert 1.9 <= bench.now - began < 2.5


def test_all_the_others_are_brought_in_one_pass():
    """One call each."""
    bench = split(attached("alpha"), free(), attached("gamma"), members=3)
    bench.act(within=5)

    assert bench.decision.calls == (detach(2), attach(3), detach(4))


def test_while_something_moves_it_waits():
    """Whoever moves it may be bringing it here."""
    bench = split(attaching("alpha"))

    assert bench.idle(10).reason is Reason.MOVING


def test_a_member_that_only_attaches_the_first_does_not_start_it():
    """Row 8 says attached."""
    bench = Bench(attaching("beta"), attached("alpha"), settle=False)

    assert bench.idle(14).calls == ()


def test_a_member_without_the_first_starts_nothing():
    """Alpha holds the lock; the second ENI is alpha's to bring."""
    bench = Bench(attached("alpha"), attached("beta"))

    assert bench.idle(60).reason is Reason.HOLDER_UP


def test_it_needs_an_able_member():
    """There is no slot for the second."""
    bench = split(attached("alpha"))
    bench.machine("beta", interface_count=15)
    bench.look()

    assert bench.idle(60).reason is Reason.NO_SLOT


def test_it_needs_no_fit_member():
    """The holder serves already, whatever its self probe says."""
    bench = Bench(attached("beta"), attached("alpha"), probes=(WEB, SELF), settle=False)
    bench.says(disk="down")

    assert bench.act(within=6).calls == (detach(2),)


def test_peers_with_another_configuration_stop_it():
    """Another hash of [eni] or [[member]]: who is right is for an operator to say."""
    bench = Bench(attached("beta"), attached("alpha"), settle=False)
    bench.peers = (peer("alpha", config_hash="other"),)
    held_back = bench.idle(30)
    bench.peers = (peer("alpha"),)

    assert held_back.reason is Reason.PEERS_DIFFER
    assert bench.act(within=6).calls == (detach(2),)


@pytest.mark.parametrize(
    "other", [peer("alpha", reachable=False, config_hash="other"), peer("alpha", config_hash="")]
)
def test_a_peer_that_says_nothing_stops_nothing(other):
    """Unreachable, or too old to show a hash."""
    bench = Bench(attached("beta"), attached("alpha"), settle=False)
    bench.peers = (other,)

    assert bench.act(within=6).calls == (detach(2),)


def test_a_foreign_eni_is_no_part_of_it():
    """Row 2: and while one is foreign the rest waits."""
    bench = Bench(attached("beta"), foreign(), attached("alpha"), settle=False)

    assert bench.idle(30).reason is Reason.FOREIGN_HOLDER


def test_a_pause_stops_it():
    """Row 7 comes first."""
    bench = split(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert bench.idle(60).reason is Reason.PAUSED


def test_observe_reports_it():
    """Once."""
    bench = split(attached("alpha"), takeover=TakeoverMode.OBSERVE)
    bench.idle(60)

    assert bench.decision.action is Action.WOULD_TAKE_OVER
    assert bench.would == [Trigger.SPLIT]


def test_it_ends_when_the_group_is_whole():
    """With success, and the lock never moved."""
    bench = split(attached("alpha"))
    bench.act(within=5)
    bench.see(attached("beta"), free())
    bench.accepted()
    bench.act(within=2)
    bench.see(attached("beta"), attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)

    assert [(one.trigger, one.result) for one in bench.ended] == [(Trigger.SPLIT, "success")]


@pytest.mark.parametrize(("cooldown", "rest"), [(20.0, 20.0), (3600.0, 60.0)])
def test_one_that_failed_rests_before_the_next(cooldown, rest):
    """The cooldown, a minute at most: the second ENI serves nobody meanwhile."""
    bench = split(attached("alpha"), cooldown=cooldown)
    bench.act(within=5)
    bench.answered("busy")
    bench.see(attached("beta"), detaching("alpha"))
    bench.look()
    failed_at = bench.now
    bench.see(attached("beta"), attached("alpha"))
    bench.act(within=70)

    assert bench.decision.calls == (detach(2),)
    assert rest <= bench.now - failed_at < rest + 2


def test_the_facts_about_this_member_may_be_old():
    """DescribeInstances has not answered for ten minutes."""
    bench = Bench(attached("beta"), attached("beta"))
    bench.instances_answer = False
    bench.idle(600)
    bench.see(attached("beta"), attached("alpha", "att-9"))

    assert bench.act(within=15).calls == (detach(2, "att-9"),)


def test_a_cause_that_goes_before_the_first_accepted_call_ends_it():
    """Alpha let go by itself and brought it here: nothing is left to bring."""
    bench = split(attached("alpha"))
    bench.act(within=5)
    bench.answered("busy")
    bench.see(attached("beta"), detaching("alpha"))
    bench.look()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.MOVING)]


def test_losing_the_first_eni_loses_it():
    """Another member has the lock by another attachment: nothing more is touched."""
    bench = split(attached("alpha"))
    bench.act(within=5)
    bench.see(attaching("alpha", "att-9"), detaching("alpha"))
    bench.accepted()
    bench.idle(2)

    assert [(one.result, one.reason) for one in bench.ended] == [("lost", Reason.LOST_TO_ANOTHER)]
