"""The end of a takeover: the line for the history, its phases, and what stays in memory."""

from eni_failover.core.policy import FailbackMode, FenceMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    EPOCH,
    SELF,
    WEB,
    attached,
    attaching,
    attempt,
    detaching,
    free,
    peer,
    takeover_request,
)


def taken(bench: Bench, *, detach: float = 3.0, attach: float = 2.0) -> Bench:
    """From the first detach, just decided, to the link that is not ready yet."""
    bench.see(detaching("alpha"))
    bench.accepted()
    bench.idle(detach)
    bench.see(free())
    bench.act(within=1.5)
    bench.see(attaching("beta", "att-9"))
    bench.accepted()
    bench.idle(attach)
    bench.see(attached("beta", "att-9"))
    bench.idle(1)
    return bench


def by_probes(**changes) -> Bench:
    bench = Bench(attached("alpha"), **changes)
    bench.says(web="down")
    bench.act(within=20)
    return bench


def test_a_success_has_all_its_phases_in_order():
    """Detect, observe, detach, attach, link: each with its seconds."""
    bench = by_probes()
    bench.link(present=True, missing=("address",))
    taken(bench)
    bench.link(present=True)
    bench.idle(1)
    ended = bench.ended[0]
    phases = dict(ended.phases)

    assert list(phases) == [Phase.DETECT, Phase.OBSERVE, Phase.DETACH, Phase.ATTACH, Phase.LINK]
    assert 2.0 <= phases[Phase.DETECT] < 2.2
    assert 0.0 <= phases[Phase.OBSERVE] < 0.2
    assert 3.0 <= phases[Phase.DETACH] < 3.5
    assert 2.0 <= phases[Phase.ATTACH] < 2.5
    assert 0.5 < phases[Phase.LINK] < 1.5


def test_the_phases_add_up_from_the_first_sign_to_the_end():
    """Nothing between them is lost: the whole is one number, detection included."""
    ended = taken(by_probes()).ended[0]
    phases = dict(ended.phases)
    since_start = phases[Phase.DETACH] + phases[Phase.ATTACH] + phases[Phase.LINK]

    assert abs(since_start - (ended.ended_wall - ended.started_wall)) < 1e-6
    assert abs(ended.took - sum(phases.values())) < 1e-6
    assert ended.took > 2.0 + since_start


def test_what_held_it_back_is_a_wait_and_no_slow_detection():
    """The holder is down within the start-up grace: three downs are the detection."""
    bench = Bench(attached("alpha"), startup_grace=60.0)
    bench.says(web="down")
    bench.act(within=70)
    phases = dict(taken(bench).ended[0].phases)

    assert 2.0 <= phases[Phase.DETECT] < 2.2
    assert 30.0 < phases[Phase.WAIT] < 60.0


def test_a_turn_is_a_wait():
    """Nobody has the ENI: that is seen at once, and two seconds are left to others."""
    bench = Bench(free(), settle=False)
    bench.act(within=10)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    phases = dict(bench.ended[0].phases)

    assert phases[Phase.DETECT] < 0.2
    assert 2.0 <= phases[Phase.WAIT] < 5.0


def test_the_line_says_who_from_whom_why_and_how():
    """The same words as in the log and the metrics."""
    ended = taken(by_probes()).ended[0]

    assert (ended.trigger, ended.reason, ended.result) == (Trigger.PROBES, Reason.HOLDER_DOWN, Result.SUCCESS)
    assert (ended.from_member, ended.to_member) == ("alpha", "beta")
    assert ended.takeover_id.endswith("-beta")
    assert EPOCH + 1005 < ended.started_wall < ended.ended_wall


def test_an_unowned_takeover_comes_from_nobody_and_detaches_nothing():
    """Its detach phase never happened."""
    bench = Bench(free(), settle=False)
    bench.act(within=10)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    ended = bench.ended[0]

    assert (ended.trigger, ended.from_member) == (Trigger.UNOWNED, "none")
    assert Phase.DETACH not in dict(ended.phases)
    assert Phase.ATTACH in dict(ended.phases)


def test_a_fence_is_a_phase_of_its_own():
    """Between observe and detach."""
    bench = by_probes(fence=FenceMode.STOP)
    bench.accepted()
    bench.machine("alpha", "stopped")
    bench.act(within=5)
    taken(bench)

    assert [phase for phase, _ in bench.ended[0].phases][1:4] == [Phase.OBSERVE, Phase.FENCE, Phase.DETACH]


def test_a_takeover_that_moved_nothing_has_the_phases_that_it_had():
    """Failed before its first accepted detach: no attach, no link."""
    bench = by_probes()
    bench.answered("denied")
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))
    ended = bench.ended[0]

    assert (ended.result, ended.reason) == (Result.FAILED, Reason.CAUSE_GONE)
    assert [phase for phase, _ in ended.phases] == [Phase.DETECT, Phase.OBSERVE, Phase.DETACH]


def test_the_detach_phase_of_a_split_is_that_of_the_other_enis():
    """The lock is here all the time; the second ENI takes three seconds to come free."""
    bench = Bench(attached("beta"), attached("alpha"), settle=False)
    bench.act(within=5)
    bench.see(attached("beta"), detaching("alpha"))
    bench.accepted()
    bench.idle(3)
    bench.see(attached("beta"), free())
    bench.act(within=1.5)
    bench.see(attached("beta"), attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    phases = dict(bench.ended[0].phases)

    assert 3.0 <= phases[Phase.DETACH] < 3.5
    assert phases[Phase.ATTACH] < 0.5


# The phase under way -------------------------------------------------------------------------------


def test_the_phase_shown_follows_the_takeover():
    """fence, detach, attach, link: what /status says while it goes on."""
    bench = by_probes(fence=FenceMode.STOP)
    bench.link(present=True, missing=("address",))
    seen = [bench.snapshot().takeover.phase]
    bench.accepted()
    bench.machine("alpha", "stopped")
    bench.act(within=5)
    seen.append(bench.snapshot().takeover.phase)
    bench.see(free())
    bench.accepted()
    bench.act(within=1.5)
    seen.append(bench.snapshot().takeover.phase)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    seen.append(bench.snapshot().takeover.phase)

    assert seen == [Phase.FENCE, Phase.DETACH, Phase.ATTACH, Phase.LINK]


def test_before_anything_was_called_the_phase_is_observe():
    """A split whose other ENI is detaching already, and may not be forced, has called nothing yet."""
    bench = Bench(attached("beta"), detaching("alpha"), force_detach_after=None)
    bench.idle(65)
    shown = bench.snapshot().takeover

    assert (shown.trigger, shown.phase) == (Trigger.SPLIT, Phase.OBSERVE)


# What stays ----------------------------------------------------------------------------------------


def test_an_automatic_takeover_past_its_point_of_no_return_is_remembered():
    """For the cooldown and the limit."""
    bench = taken(by_probes())

    assert bench.state.durable.past == (
        RecentTakeover(trigger=Trigger.PROBES, ended_at=bench.state.durable.past[0].ended_at),
    )
    assert bench.takeover is None


def test_one_that_moved_nothing_is_not():
    """A denied detach costs no cooldown."""
    bench = by_probes()
    bench.answered("denied")
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))

    assert bench.state.durable.past == ()


def test_a_lost_one_is():
    """It has moved the group, if only for another."""
    bench = by_probes(members=3)
    bench.see(attached("gamma", "att-9"))
    bench.accepted()
    bench.idle(2)

    assert [one.trigger for one in bench.state.durable.past] == [Trigger.PROBES]


def operators(**durable) -> Bench:
    bench = Bench(attached("alpha"), durable=Durable(last_had="i-alpha", **durable))
    bench.peek(requests=(takeover_request(deadline=bench.now + 120),))
    bench.act(within=2)
    return bench


def test_an_operators_success_clears_the_limit():
    """Somebody has looked."""
    past = tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (990.0, 980.0, 970.0))
    bench = taken(operators(past=past, failback_blocked=True))

    assert [one.forgiven for one in bench.state.durable.past] == [True] * 3
    assert bench.state.durable.failback_blocked is False


def test_an_operators_takeover_leaves_no_cooldown():
    """It is no automatic takeover."""
    assert taken(operators()).state.durable.past == ()


def test_a_successful_failback_is_dated():
    """What follows it too soon blocks the next one."""
    durable = Durable(last_had="i-beta", lost_at=900.0, unfit_since_loss=True)
    bench = Bench(
        attached("beta"),
        local="alpha",
        durable=durable,
        probes=(WEB, SELF),
        failback=FailbackMode.AUTOMATIC,
        failback_delay=0.0,
        settle=False,
    )
    bench.peers = (peer("beta"),)
    bench.act(within=10)
    bench.see(free())
    bench.accepted()
    bench.act(within=3)
    bench.see(attached("alpha", "att-9"))
    bench.accepted()
    bench.idle(3)

    assert [one.trigger for one in bench.ended] == [Trigger.FAILBACK]
    assert bench.state.durable.failback_at is not None


def test_a_takeover_that_is_no_failback_has_no_such_date():
    """Nor would one that failed."""
    assert taken(operators()).state.durable.failback_at is None


def test_the_pass_after_the_end_describes_at_once():
    """The world is looked at again before anything else is decided."""
    bench = taken(by_probes())
    ends = [line for line in bench.seen if line[0] == "end"]

    assert ends == [("end", Reason.HOLDER_DOWN)]
    assert bench.decision.reason is Reason.HELD
