"""Row 10: the holder is judged down by probes."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Stall, TypeLimits
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attached,
    attaching,
    attempt,
    detach,
    detaching,
    probe,
)


def downs(bench: Bench, count: int = 3, name: str = "web", about: str = "alpha") -> None:
    """So many downs arrive in one pass."""
    bench.peek(attempts=tuple(attempt(name, "down", about=about, at=bench.now) for _ in range(count)))


# Confirming ----------------------------------------------------------------------------------------


def test_the_third_down_brings_one_more_describe_and_then_the_detach():
    """Confirm first; no new probe attempt is waited for."""
    bench = Bench(attached("alpha"))
    downs(bench)
    confirm, due = bench.decision, bench.decision.describe_at
    bench.look()

    assert (confirm.action, confirm.reason, confirm.calls) == (Action.CONFIRM, Reason.HOLDER_DOWN, ())
    assert due < bench.now
    assert bench.decision.action is Action.TAKE_OVER
    assert bench.decision.calls == (detach(),)


def test_the_intent_is_in_the_durable_state_of_the_pass_that_calls():
    """It is on disk before the detach."""
    bench = Bench(attached("alpha"))
    downs(bench)
    bench.look()

    assert bench.takeover.trigger is Trigger.PROBES
    assert [(one.eni_id, one.recorded) for one in bench.takeover.moves] == [("eni-1", "att-1")]


def test_two_downs_decide_nothing():
    """fall = 3."""
    bench = Bench(attached("alpha"))
    downs(bench, 2)

    assert bench.look().reason is Reason.HOLDER_UP


def test_an_old_describe_confirms_nothing():
    """It must have begun after the third down."""
    bench = Bench(attached("alpha"))
    downs(bench)
    bench.now += 0.5
    again = bench.peek()

    assert again.action is Action.CONFIRM


def test_a_describe_that_fails_confirms_nothing():
    """Unknown is not down: the next answer confirms."""
    bench = Bench(attached("alpha"))
    downs(bench)
    bench.ec2_answers = False
    silent = bench.look()
    bench.ec2_answers = True

    assert (silent.action, silent.reason) == (Action.WAIT, Reason.ENI_UNKNOWN)
    assert bench.act(within=6).calls == (detach(),)


@pytest.mark.parametrize(
    "shape",
    [attached("gamma", "att-9"), attached("alpha", "att-9"), detaching("alpha"), attaching("gamma", "att-9")],
    ids=["another member", "another attachment", "detaching", "attaching elsewhere"],
)
def test_a_describe_that_shows_something_else_starts_nothing(shape):
    """The same attachment id, still attached: else look again."""
    bench = Bench(attached("alpha"), members=3)
    downs(bench)
    bench.see(shape)
    bench.look()

    assert bench.decision.calls == ()
    assert bench.takeover is None


def test_a_holder_that_is_up_again_by_then_keeps_the_eni():
    """Still down is asked too."""
    bench = Bench(attached("alpha"))
    downs(bench)
    bench.look(attempts=(attempt(at=bench.now), attempt(at=bench.now)))

    assert bench.decision.calls == ()
    assert bench.decision.reason is Reason.HOLDER_UP


def test_a_holder_that_is_only_attaching_is_not_judged():
    """Its service cannot answer yet."""
    bench = Bench(attaching("alpha"), force_detach_after=1.0, settle=False, cooldown=0.0)
    bench.says(web="down")

    assert bench.idle(30).calls == ()


def test_the_instances_are_looked_at_when_a_holder_probe_is_first_down():
    """Row 9 may come before the third down."""
    bench = Bench(attached("alpha"), probes=(probe(fall=9),))
    bench.idle(5)
    before = len(bench.instance_describes)
    bench.says(web="down")
    bench.idle(2.5)

    assert len(bench.instance_describes) == before + 1


# What holds it back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (Reason.INSTANCE_NOT_RUNNING, {"machine": {"state": "stopping"}}),
        (Reason.NO_SLOT, {"machine": {"interface_count": 15}}),
        (Reason.OTHER_ZONE, {"machine": {"zone": "elsewhere"}}),
        (Reason.ATTACH_DENIED, {"local": {"attach_allowed": False}}),
        (Reason.NO_SLOT, {"local": {"limits": TypeLimits(interfaces=1)}}),
        (
            Reason.NO_INDEX,
            {
                "machine": {"used_indexes": tuple(range(32))},
                "local": {"limits": TypeLimits(interfaces=64)},
            },
        ),
        (
            Reason.TOO_MANY_ADDRESSES,
            {"local": {"limits": TypeLimits(interfaces=15, ipv4_per_interface=1)}},
        ),
    ],
)
def test_an_unable_member_detaches_nothing(reason, changes):
    """Nothing is detached that this member could not attach."""
    bench = Bench(attached("alpha", addresses=("10.0.1.21", "10.0.1.22")))
    if "machine" in changes:
        bench.machine("beta", **changes["machine"])
    bench.local = replace(LOCAL, **changes.get("local", {}))
    bench.look()
    bench.says(web="down")

    assert bench.idle(60).reason is reason


@pytest.mark.parametrize("seconds", [5, 100, 600])
def test_looks_at_the_instances_that_fail_do_not_hold_it_back(seconds):
    """Throttled or denied on its own, for however long: the facts about this member stay known."""
    bench = Bench(attached("alpha"))
    bench.instances_answer = False
    bench.idle(seconds)
    bench.says(web="down")

    assert bench.act(within=6).calls == (detach(),)


def test_a_member_that_knows_nothing_of_itself_detaches_nothing():
    """It may have no slot: EC2 has never said."""
    bench = Bench(attached("alpha"), settle=False)
    bench.instances_answer = False
    bench.idle(5)
    bench.says(web="down")

    assert bench.idle(120).reason is Reason.EC2_SILENT


@pytest.mark.parametrize("state", ["pending", "unknown"])
def test_a_member_that_ec2_has_not_seen_running_yet_acts(state):
    """It runs here."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", state)
    bench.look()
    bench.says(web="down")

    assert bench.act(within=6).calls == (detach(),)


def test_a_quick_interval_and_a_slow_api_do_not_hold_it_back():
    """observe_interval 100 ms, and each call takes 350 ms."""
    bench = Bench(attached("alpha"), observe_interval=0.1)
    downs(bench)
    bench.look(after=0.35)

    assert bench.decision.calls == (detach(),)


def test_a_member_whose_self_probe_is_down_detaches_nothing():
    """It could attach, and could not serve."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(web="down", disk="down")

    assert bench.idle(60).reason is Reason.SELF_PROBE_DOWN


@pytest.mark.parametrize(("answer", "held_back"), [("down", True), ("unknown", True), ("up", False)])
def test_without_a_witness_up_the_network_may_be_the_problem(answer, held_back):
    """If my own probes of known-good targets fail, the problem is me."""
    bench = Bench(attached("alpha"), probes=(WEB, WITNESS))
    bench.says(gateway=answer)
    bench.idle(5)
    bench.says(web="silent")
    last = bench.run(10)

    assert held_back is (last.reason is Reason.WITNESSES_DOWN)
    assert held_back is (last.calls == ())


def test_a_stall_just_now_holds_back():
    """For a second, and the downs must come afresh."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.idle(1.6)
    began = bench.now
    bench.peek(stalls=(Stall(from_at=bench.now - 2, to_at=bench.now),))
    bench.act(within=10)

    assert bench.now - began > 2.0


def past(*ended: float, trigger: Trigger = Trigger.PROBES, forgiven: bool = False) -> Durable:
    return Durable(
        last_had="i-alpha",
        past=tuple(RecentTakeover(trigger=trigger, ended_at=one, forgiven=forgiven) for one in ended),
    )


@pytest.mark.parametrize(
    "trigger", [Trigger.PROBES, Trigger.EC2, Trigger.UNOWNED, Trigger.SPLIT, Trigger.FAILBACK]
)
def test_every_automatic_takeover_of_mine_cools_down(trigger):
    """60 s from its end."""
    bench = Bench(attached("alpha"), durable=past(1000.0, trigger=trigger))
    bench.says(web="down")
    held_back = bench.idle(54.9)
    bench.act(within=3)

    assert held_back.reason is Reason.COOLDOWN
    assert 1060.0 <= bench.now < 1061.0


def test_no_cooldown_is_no_cooldown():
    """`cooldown = "0s"`."""
    bench = Bench(attached("alpha"), durable=past(1000.0), cooldown=0.0)
    bench.says(web="down")

    assert bench.act(within=5).calls == (detach(),)


def test_the_limit_holds_back_until_the_oldest_has_left_the_window():
    """Three within the hour: the fourth an hour after the first of them."""
    bench = Bench(attached("alpha"), durable=past(300.0, 500.0, 700.0), max_takeovers_window=800.0)
    bench.says(web="down")
    held_back = bench.idle(94)
    bench.act(within=3)

    assert held_back.reason is Reason.LIMIT_REACHED
    assert 1100.0 <= bench.now < 1101.0


def test_below_the_limit_nothing_is_held_back():
    """Two of three."""
    bench = Bench(attached("alpha"), durable=past(500.0, 700.0))
    bench.says(web="down")

    assert bench.act(within=5).calls == (detach(),)


def test_more_than_the_limit_counts_the_newest():
    """Five within the window: the third newest must leave it."""
    bench = Bench(
        attached("alpha"), durable=past(300.0, 310.0, 500.0, 600.0, 700.0), max_takeovers_window=720.0
    )
    bench.says(web="down")
    bench.idle(200)
    bench.act(within=20)

    assert 1220.0 <= bench.now < 1221.0


@pytest.mark.parametrize("trigger", [Trigger.EC2, Trigger.UNOWNED, Trigger.SPLIT])
def test_takeovers_that_had_no_choice_do_not_count_towards_the_limit(trigger):
    """Only those by probes and failback can flap."""
    bench = Bench(attached("alpha"), durable=past(500.0, 600.0, 700.0, trigger=trigger))
    bench.says(web="down")

    assert bench.act(within=5).calls == (detach(),)


def test_forgiven_takeovers_do_not_count():
    """An operator has looked since."""
    bench = Bench(attached("alpha"), durable=past(500.0, 600.0, 700.0, forgiven=True))
    bench.says(web="down")

    assert bench.act(within=5).calls == (detach(),)


# Turn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("local", "delay"), [("beta", 0.0), ("gamma", 2.0), ("delta", 4.0)])
def test_the_nth_of_the_others_acts_n_staggers_after_the_condition_holds(local, delay):
    """Counted from the third down, without a break."""
    bench = Bench(attached("alpha"), local=local, members=4)
    downs(bench)
    began = bench.now
    bench.says(web="down")
    bench.act(within=10)

    assert delay <= bench.now - began < delay + 0.2


def test_until_its_turn_a_member_says_so():
    """The reason is the turn."""
    bench = Bench(attached("alpha"), local="gamma", members=3)
    downs(bench)

    assert bench.decision.reason is Reason.NOT_MY_TURN


def test_a_break_of_the_condition_starts_the_turn_over():
    """One second of witness down in the middle."""
    bench = Bench(attached("alpha"), local="gamma", members=3, probes=(WEB, replace(WITNESS, fall=1, rise=1)))
    bench.says(web="down")
    bench.idle(4.2)
    bench.peek(attempts=(attempt(bench.policy.probes[1], "down", about="gamma", at=bench.now),))
    bench.peek(attempts=(attempt(bench.policy.probes[1], "up", about="gamma", at=bench.now),))
    began = bench.now
    bench.act(within=10)

    assert 2.0 <= bench.now - began < 2.2


def test_a_describe_that_fails_starts_the_turn_over():
    """Held without a break means known without a break."""
    bench = Bench(attached("alpha"), local="gamma", members=3)
    bench.says(web="down")
    bench.idle(4.2)
    bench.ec2_answers = False
    bench.look()
    bench.ec2_answers = True
    bench.look()
    began = bench.now
    bench.act(within=10)

    assert 2.0 <= bench.now - began < 2.2


def test_while_another_moves_nothing_starts():
    """Beta's detach shows: gamma's turn may come, and it waits."""
    bench = Bench(attached("alpha"), attached("alpha"), local="gamma", members=3)
    bench.says(web="down")
    bench.idle(3.7)
    bench.see(attached("alpha"), detaching("alpha"))
    bench.look()

    assert bench.idle(10).reason is Reason.MOVING
