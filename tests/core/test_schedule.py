"""When to look again: no pass late, none for nothing, and few calls to EC2 at rest."""

from itertools import pairwise

import pytest

from eni_failover.core.policy import FenceMode
from eni_failover.core.vocabulary import Role
from tests.core.bench import Bench, taking
from tests.core.builders import (
    attached,
    detaching,
    foreign,
    free,
    missing,
    peer,
    probe,
    takeover_request,
)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


# At rest -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enis", [1, 8])
@pytest.mark.parametrize("holder", ["alpha", "beta"], ids=["standby", "holder"])
def test_a_member_at_rest_asks_ec2_at_most_fifteen_times_a_minute(enis, holder):
    """Six describes of the ENIs and three of the instances, for any number of ENIs."""
    bench = Bench(*[attached(holder)] * enis)
    bench.idle(60)
    before = len(bench.describes) + len(bench.instance_describes)
    bench.idle(240)
    calls = len(bench.describes) + len(bench.instance_describes) - before

    assert calls / 4 <= 15
    assert 8.5 <= calls / 4 <= 9.5


@pytest.mark.parametrize("other", [foreign, missing])
def test_a_foreign_or_missing_eni_costs_no_more(other):
    """It may stay so for days."""
    bench = Bench(attached("alpha"), other())
    bench.idle(60)
    before = len(bench.describes) + len(bench.instance_describes)
    bench.idle(120)

    assert (len(bench.describes) + len(bench.instance_describes) - before) / 2 <= 10


def test_the_steady_interval_is_observe_interval():
    """From the beginning of one describe to the next."""
    bench = Bench(attached("alpha"))
    bench.idle(60)

    assert gaps(bench.describes)[1:] == pytest.approx([10.0] * 5, abs=0.1)


def test_the_instances_are_looked_at_every_second_time():
    """20 s with the default of 10 s."""
    bench = Bench(attached("alpha"))
    bench.idle(90)

    assert gaps(bench.instance_describes)[1:] == pytest.approx([20.0] * 4, abs=0.1)


def takes(name: str = "alpha", *, role: str = "taking", **changes) -> list[float]:
    """The times between beta's looks, which holds, while another member says so of itself."""
    bench = Bench(attached("beta"))
    bench.peers = (peer(name, role=role, **changes),)
    bench.look()
    bench.describes.clear()
    bench.idle(20)
    return gaps(bench.describes)


def test_a_holder_that_sees_a_member_taking_looks_each_second():
    """A planned takeover: it shall not say active for long after the ENI has gone."""
    assert takes() == pytest.approx([1.0] * len(takes()), abs=0.05)


@pytest.mark.parametrize(
    ("role", "reachable"), [("taking", False), ("standby", True), ("active", True), ("", True)]
)
def test_of_other_members_it_takes_no_notice(role, reachable):
    """What was said before a member went out of reach is no news of now."""
    assert takes(role=role, reachable=reachable) == pytest.approx([10.0], abs=0.05)


def test_a_standby_that_sees_a_member_taking_looks_no_more_often_for_that():
    """Moves that it can see bring their own looks."""
    bench = Bench(attached("alpha"), members=3, local="gamma")
    bench.peers = (peer("beta", role="taking"),)
    bench.look()
    bench.describes.clear()
    bench.idle(25)

    assert gaps(bench.describes) == pytest.approx([10.0], abs=0.05)


def test_a_holder_without_links_says_standby_within_a_second_of_a_planned_move():
    """`[network] mode = "off"`: EC2 alone says that the ENI has gone."""
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", role="taking"),)
    bench.look()
    bench.see(detaching("beta"))
    bench.idle(1.1)

    assert bench.role is Role.STANDBY


def test_a_pass_is_always_due_in_the_future():
    """And never later than observe_interval."""
    bench = Bench(attached("alpha"))

    assert bench.now < bench.decision.pass_at <= bench.view.now + 10.0


# While EC2 moves something: test_polls has how often -----------------------------------------------


def test_after_the_bound_nothing_is_moving_and_the_polls_are_slow_again():
    """A detach of another that hangs for good, and is never forced."""
    bench = Bench(attached("alpha"), attached("alpha"), members=3, local="gamma")
    bench.see(attached("alpha"), detaching("alpha"))
    bench.look()
    bench.idle(20)
    bench.describes.clear()
    bench.idle(60)

    assert len(bench.describes) <= 7


def test_a_described_loss_is_followed_by_a_second_describe():
    """A refusal `in use` or `gone` means that the world is not what was believed."""
    bench = taking()
    bench.see(free())
    bench.act(within=1.5)
    for verdict in ("in_use", "gone"):
        bench.answered(verdict)
        due = bench.decision.describe_at
        bench.act(within=6)

        assert due <= bench.now


@pytest.mark.parametrize(
    ("verdict", "at_once"), [("in_use", True), ("gone", True), ("busy", False), ("throttled", False)]
)
def test_a_surprising_answer_brings_a_describe_at_once(verdict, at_once):
    """A throttle is no surprise."""
    bench = taking()
    bench.see(free())
    bench.act(within=1.5)
    bench.answered(verdict)

    assert at_once is (bench.decision.describe_at == bench.now)


# When EC2 does not answer --------------------------------------------------------------------------


def in_doubt(**changes) -> Bench:
    """The holder's probe has begun to fail."""
    bench = Bench(attached("alpha"), probes=(probe("web", fall=99),), **changes)
    bench.says(web="down")
    bench.idle(1.1)
    return bench


def test_failed_describes_are_tried_again_with_growing_delays():
    """Half a second, doubling to five, from the beginning of the last one, while somebody waits for them."""
    bench = in_doubt()
    bench.jitter = 1.0
    bench.ec2_answers = False
    bench.look()
    bench.describes.clear()
    bench.idle(40)

    assert gaps([bench.describes[0] - 0.5, *bench.describes])[:4] == pytest.approx(
        [0.5, 1.0, 2.0, 4.0], abs=0.1
    )
    assert max(gaps(bench.describes)) <= 5.1


@pytest.mark.parametrize(("jitter", "factor"), [(1.0, 1.0), (0.0, 0.5)])
def test_failed_describes_that_nobody_waits_for_are_no_reason_to_ask_sooner(jitter, factor):
    """A throttle refuses what others need: in a calm group it is one to three observe intervals, jittered."""
    bench = Bench(attached("alpha"))
    bench.jitter = jitter
    bench.ec2_answers = False
    bench.look()
    failed = len(bench.describes) - 1
    bench.idle(120)

    expected = [factor * seconds for seconds in (10.0, 20.0, 30.0, 30.0)]
    assert gaps(bench.describes[failed:])[:4] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("news", ["a first down", "an operator", "a taker"])
def test_whoever_begins_to_wait_asks_at_once(news):
    """In the middle of such a delay."""
    bench = Bench(attached("alpha"))
    bench.jitter = 1.0
    bench.ec2_answers = False
    bench.idle(25)
    bench.ec2_answers = True
    asked = len(bench.describes)
    match news:
        case "a first down":
            bench.says(web="down")
        case "an operator":
            bench.peek(requests=(takeover_request(deadline=bench.now + 5),))
        case "a taker":
            bench.peers = (peer("gamma", role="taking"),)
            bench.peek()
    bench.run(1.1)

    assert len(bench.describes) > asked


def test_the_delay_is_jittered_down_to_half():
    """By the observation's random number."""
    bench = in_doubt()
    bench.ec2_answers = False
    bench.jitter = 0.0
    bench.look()

    assert bench.decision.describe_at - bench.describes[-1] == pytest.approx(0.25, abs=0.01)


def test_the_delay_is_never_longer_than_the_observe_interval():
    """A short interval is meant."""
    bench = in_doubt(observe_interval=1.0)
    bench.jitter = 1.0
    bench.ec2_answers = False
    bench.look()
    bench.describes.clear()
    bench.idle(20)

    assert max(gaps(bench.describes)) <= 1.1


def test_failed_looks_at_the_instances_are_tried_again_with_growing_delays():
    """A second, doubling to two observe intervals: a denial lasts, and the calls of an outage are many."""
    bench = Bench(attached("alpha"))
    bench.jitter = 1.0
    bench.instances_answer = False
    bench.look()
    bench.instance_describes.clear()
    bench.idle(80)

    assert gaps(bench.instance_describes)[:4] == pytest.approx([4.0, 8.0, 16.0, 20.0], abs=0.1)


def test_that_delay_is_jittered_down_to_half_too():
    """Members that lose EC2 together do not come back together."""
    bench = Bench(attached("alpha"))
    bench.instances_answer = False
    bench.look()

    assert bench.decision.instances_at - bench.instance_describes[-1] == pytest.approx(1.0, abs=0.01)


def test_a_look_at_the_instances_that_a_takeover_waits_for_is_tried_again_each_second():
    """The confirmation of EC2's word, and a fence."""
    bench = Bench(attached("alpha"), fence=FenceMode.STOP)
    bench.instances_answer = False
    bench.says(web="down")
    bench.idle(6)
    bench.instance_describes.clear()
    bench.idle(5)

    assert gaps(bench.instance_describes) == pytest.approx([1.0] * 4, abs=0.1)


@pytest.mark.parametrize("cause", ["down", "unattached"])
def test_a_member_with_a_cause_that_knows_nothing_of_itself_asks_every_five_seconds(cause):
    """It is not able without facts: an outage that ends should not be noticed a whole interval later."""
    bench = Bench(attached("alpha"), settle=False)
    bench.jitter = 1.0
    bench.instances_answer = False
    bench.idle(100)
    if cause == "down":
        bench.says(web="down")
    else:
        bench.see(free())
    bench.idle(30)
    bench.instance_describes.clear()
    bench.idle(30)

    assert gaps(bench.instance_describes) == pytest.approx([5.0] * 5, abs=0.2)


def test_an_answer_ends_the_growing_delays():
    """The next failure is a first one."""
    bench = Bench(attached("alpha"))
    bench.jitter = 1.0
    bench.instances_answer = False
    bench.idle(60)
    bench.instances_answer = True
    bench.look()
    bench.instances_answer = False
    bench.look()

    assert bench.decision.instances_at - bench.instance_describes[-1] == pytest.approx(2.0, abs=0.01)
