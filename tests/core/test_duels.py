"""Why the odd clauses: each scenario is a duel, a deadlock or a needless move that one of them prevents."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Verdict
from eni_failover.core.policy import FailbackMode, FenceMode
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Answer, Reason, Role, Trigger
from tests.core.abstract_ec2 import Durations
from tests.core.bench import Bench
from tests.core.builders import SELF, WEB, attached, attempt, missing
from tests.core.group_world import World

SEEDS = range(4)


def failing(**changes) -> World:
    """Alpha's service has just died; its daemon lives."""
    world = World(**changes)
    world.service("alpha", up=False)
    return world


def wanted(world: World, name: str) -> list[str]:
    """The lines in which this member detached or attached anything."""
    return [line for line in world.trace if f" {name} " in line and "->" in line]


# Turn leaves out the last holder, detaching is no longer had ---------------------------------------


@pytest.mark.parametrize("detach", [0.3, 3.0, 12.0])
@pytest.mark.parametrize("members", [2, 3])
def test_turn_leaves_out_the_last_holder(members, detach):
    """A living daemon on a holder with a dead service does not take the ENI back."""
    world = failing(members=members, durations=Durations(detach=detach))
    world.run(60)

    assert world.held_by("beta"), world.story()
    assert wanted(world, "alpha") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_detaching_is_no_longer_had(seed):
    """While the ENI is detaching from alpha, alpha is no holder: its next describe makes it a standby."""
    world = failing(seed=seed, durations=Durations(detach=14.0))
    world.run(20, until=lambda: world.where == ("alpha:detaching",))
    world.run(11)

    assert world.nodes["alpha"].role is Role.STANDBY
    assert world.nodes["alpha"].decision.reason is Reason.MOVING


# Lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loser_of_the_race_does_not_grab_the_eni_at_the_next_move(seed):
    """Three start at once, one wins; an operator's move an hour later meets no old takeover."""
    world = failing(members=4, stagger=0.0, seed=seed)
    world.run(30)
    winner = next(name for name in world.nodes if world.held_by(name))
    loser = next(name for name in ("beta", "gamma", "delta") if name != winner)
    world.service("alpha", up=True)
    before = len(world.moves())
    world.take_over("alpha")
    world.run(30)

    assert world.held_by("alpha"), world.story()
    assert len(world.moves()) == before + 1
    assert world.nodes[loser].durable.takeover is None


# Nothing is moving, and the describe ---------------------------------------------------------------


@pytest.mark.parametrize("stagger", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_nothing_is_moving_one_of_three_standbys_starts(stagger, seed):
    """Their turns come while the first of them is still detaching: only one that had looked starts."""
    world = failing(members=4, stagger=stagger, seed=seed, durations=Durations(detach=9.0))
    world.run(30)
    first = world.handovers[0].at

    assert world.whole, world.story()
    assert all(one.at - first < 3 * world.latency for one in world.handovers)
    assert stagger < 1 or len(world.moves()) == 1


def test_the_describe_in_row_10_catches_what_the_steady_one_has_not_seen():
    """Gamma's last steady describe is old: its turn comes, it looks, and sees beta's detach."""
    world = failing(members=3, observe_interval=60.0, stagger=1.0, settle=10.0)
    world.run(30)

    assert world.held_by("beta"), world.story()
    assert any(" gamma  confirm holder_down" in line for line in world.trace)
    assert wanted(world, "gamma") == []


# The first ENI is the lock -------------------------------------------------------------------------


@pytest.mark.parametrize("enis", [2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_eni_is_the_lock_and_the_group_is_never_split(enis, seed):
    """Three members race for several ENIs: all of them get to one member, at the first try."""
    world = failing(members=4, enis=enis, stagger=0.0, seed=seed)
    world.run(20, until=lambda: world.whole)

    assert world.whole, world.story()
    assert all(one.trigger != Trigger.SPLIT for node in world.nodes.values() for one in node.history)


# Point of no return --------------------------------------------------------------------------------


def test_an_intent_from_before_an_api_outage_detaches_no_recovered_holder():
    """Ten minutes without EC2; alpha has long been up when it answers again."""
    world = failing()
    world.lossy["beta"] = "outage"
    world.run(20, until=lambda: world.nodes["beta"].durable.takeover is not None)
    world.api("beta", works=False)
    world.run(30)
    world.service("alpha", up=True)
    world.run(540)
    world.lossy.clear()
    world.api("beta", works=True)
    world.run(30)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


def test_an_intent_from_before_a_power_off_detaches_no_recovered_holder():
    """Beta is off for ten minutes; its journal still has the intent, whose call never arrived."""
    world = failing()
    world.lossy["beta"] = "outage"
    world.run(20, until=lambda: world.nodes["beta"].durable.takeover is not None)
    world.power_off("beta")
    world.run(20)
    world.service("alpha", up=True)
    world.run(580)
    world.lossy.clear()
    world.power_on("beta")
    world.run(30)

    assert world.held_by("alpha"), world.story()
    assert [(one.result, one.reason) for one in world.nodes["beta"].history] == [("failed", "cause_gone")]


def test_calls_that_never_arrive_are_not_repeated_at_a_recovered_holder():
    """Each of beta's detaches is lost for two minutes; the one that would arrive is never sent."""
    world = failing()
    world.lossy["beta"] = "outage"
    world.run(90)
    world.service("alpha", up=True)
    world.run(10)
    world.lossy.clear()
    world.run(30)

    assert world.held_by("alpha"), world.story()
    assert world.handovers == []


# Row 11's conditions -------------------------------------------------------------------------------

FAILBACK = {
    "failback": FailbackMode.AUTOMATIC,
    "failback_delay": 20.0,
    "probes": (WEB, SELF),
    "unproven_grace": 60.0,
}


def test_a_broken_but_fit_primary_takes_back_once():
    """Its self probe says up and its service is dead: the group ends on the member that serves."""
    world = failing(**FAILBACK)
    world.run(20)
    first = world.where
    world.fit["alpha"] = True
    world.run(60, until=lambda: world.held_by("alpha"))
    back = world.where
    world.run(700)

    assert (first, back) == (("beta",), ("alpha",))
    assert world.held_by("beta"), world.story()
    assert world.moves() == [("beta", "alpha"), ("alpha", "beta"), ("beta", "alpha")]


def test_a_recovered_primary_takes_back():
    """After failback_delay, and keeps it."""
    world = failing(**FAILBACK)
    world.run(30)
    world.service("alpha", up=True)
    took = world.run(60, until=lambda: world.held_by("alpha"))
    world.run(300)

    assert 20 < took < 35
    assert world.held_by("alpha"), world.story()
    assert world.moves() == [("beta", "alpha"), ("alpha", "beta")]


def test_an_operators_takeover_is_not_undone_by_a_failback():
    """Alpha was fit, and is fit: the operator wanted beta."""
    world = World(**FAILBACK)
    world.take_over("beta")
    world.run(300)

    assert world.held_by("beta"), world.story()
    assert world.moves() == [("beta", "alpha")]


def test_a_restart_of_the_primarys_daemon_does_not_undo_it_either():
    """A fresh daemon knows nothing of its probes yet: that is no being unfit."""
    world = World(**FAILBACK)
    world.crash("alpha")
    world.take_over("beta")
    world.run(30)
    world.restart("alpha")
    world.run(300)
    world.crash("alpha")
    world.run(5)
    world.restart("alpha")
    world.run(300)

    assert world.held_by("beta"), world.story()
    assert world.moves() == [("beta", "alpha")]


# Unproven holder -----------------------------------------------------------------------------------


def test_a_partition_without_a_witness_moves_the_eni_once_and_not_each_cooldown():
    """Both are up and neither can reach the other."""
    world = World()
    world.partition("alpha", "beta")
    world.run(290)

    assert world.moves() == [("beta", "alpha")]
    assert world.held_by("beta"), world.story()


def test_a_slow_start_of_the_service_is_no_death():
    """Beta's service starts 40 s after it got the ENI: alpha, up by then, does not take it back."""
    world = failing(members=2)
    world.run(20, until=lambda: world.where == ("free",))
    world.service("beta", up=False)
    world.service("alpha", up=True)
    world.run(40)
    world.service("beta", up=True)
    world.run(60)

    assert world.held_by("beta"), world.story()
    assert world.moves() == [("beta", "alpha")]


def test_a_service_that_never_starts_is_one_after_the_cooldown():
    """A refusal is a sign of life of the host: sixty seconds, not five minutes."""
    world = failing(members=2)
    world.run(20, until=lambda: world.where == ("free",))
    world.service("beta", up=False)
    world.run(20, until=lambda: world.held_by("beta"))
    began = world.now
    world.service("alpha", up=True)
    world.run(100, until=lambda: world.held_by("alpha"))

    assert 60 < world.now - began < 75, world.story()


# No holder probe, refused peer ---------------------------------------------------------------------


def test_no_holder_probe_is_not_all_down():
    """Nothing asks the holder: nothing is known of it."""
    world = failing(probes=(SELF,))
    world.run(300)

    assert world.where == ("alpha",)
    assert world.moves() == []


def test_a_refused_peer_is_unknown():
    """Upgrading the holder's daemon: its port refuses for a minute, and nothing moves."""
    bench = Bench(attached("alpha"))
    bench.says(web="unknown")
    for _ in range(60):
        refused = replace(attempt(answer="unknown", at=bench.now), answered=True)
        bench.peek(attempts=(refused,))
        bench.idle(1.0)

    assert bench.state.health[0].verdict is Answer.UNKNOWN
    assert bench.decision.reason is Reason.PROBE_UNKNOWN


# Fence ---------------------------------------------------------------------------------------------


def test_the_fence_comes_before_the_detach():
    """The ENI stays on the holder for the whole time that the stop takes."""
    world = failing(fence=FenceMode.STOP, durations=Durations(stop=30.0))
    world.run(25)
    stopping = world.where
    world.run(60, until=lambda: world.held_by("beta"))

    assert stopping == ("alpha",)
    assert world.held_by("beta"), world.story()
    assert [one.running for one in world.handovers] == [False]


@pytest.mark.parametrize("how", ["manual", "failback", "split"])
def test_manual_failback_and_split_never_fence(how):
    """They take from members that may be healthy: every instance goes on running."""
    world = World(enis=2, settle=8.0 if how != "split" else 0.0, **{**FAILBACK, "fence": FenceMode.STOP})
    if how == "manual":
        world.take_over("beta")
    elif how == "split":
        world.ec2.put("eni-2", "i-beta")
    else:
        world.nodes["alpha"].durable = replace(world.nodes["alpha"].durable, unfit_since_loss=True)
        world.service("alpha", up=True)
        world.fit["alpha"] = False
        world.run(5)
        world.take_over("beta")
        world.run(20)
        world.fit["alpha"] = True
    world.run(60)
    triggers = {one.trigger for node in world.nodes.values() for one in node.history}

    assert how in triggers, world.story()
    assert set(world.ec2.instances.values()) == {"running"}
    assert world.whole


# Row 6 after sixty seconds -------------------------------------------------------------------------


def test_self_probes_down_everywhere_do_not_leave_the_eni_on_the_floor():
    """Whoever runs attaches it, after sixty seconds."""
    world = World(holder=None, members=3, probes=(WEB, SELF), settle=0.0)
    for name in world.nodes:
        world.fit[name] = False
    world.run(55)
    before = world.where
    world.run(30, until=lambda: world.whole)

    assert before == ("free",)
    assert world.whole, world.story()


@pytest.mark.parametrize("members", [2, 3])
def test_a_taker_that_died_with_the_eni_detaching_does_not_leave_it_there(members):
    """The detach hangs, and beta, who would have forced it, is gone for good."""
    world = failing(members=members)
    world.ec2.stuck.add("eni-1")
    world.run(20, until=lambda: world.where == ("alpha:detaching",))
    world.terminate("beta")
    world.run(60, until=lambda: world.whole)

    assert world.whole, world.story()


# Yield to who is at it -----------------------------------------------------------------------------


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("seconds", [10.0, 40.0])
def test_a_throttled_attach_does_not_give_the_eni_back_to_the_dead_service(members, seconds):
    """Alpha's daemon lives, and its ten seconds are over long before beta's attach is let through."""
    world = failing(members=members)
    world.ec2.refusing["i-beta"] = Verdict.BUSY
    world.run(20, until=lambda: world.where == ("free",))
    world.run(seconds)
    throttled = world.where
    world.ec2.refusing.clear()
    world.run(20, until=lambda: world.held_by("beta"))

    assert throttled == ("free",), world.story()
    assert world.held_by("beta"), world.story()
    assert wanted(world, "alpha") == []


def test_a_throttled_attach_is_not_waited_for_for_ever():
    """Sixty seconds without a holder: whoever can attach does, dead service or not."""
    world = failing()
    world.ec2.refusing["i-beta"] = Verdict.BUSY
    world.run(20, until=lambda: world.where == ("free",))
    took = world.run(90, until=lambda: world.whole)

    assert world.held_by("alpha"), world.story()
    assert 60 < took < 66


@pytest.mark.parametrize("verdict", [Verdict.LIMIT, Verdict.REFUSED, Verdict.DENIED])
def test_a_refused_taker_steps_down_for_the_next(verdict):
    """EC2 will not attach it to beta: gamma does, and beta touches nothing more."""
    world = failing(members=3)
    world.ec2.refusing["i-beta"] = verdict
    took = world.run(60, until=lambda: world.held_by("gamma"))
    tries = len(wanted(world, "beta"))
    world.run(300)

    assert took < 18, world.story()
    assert world.held_by("gamma")
    assert len(wanted(world, "beta")) == tries
    assert world.nodes["beta"].history[-1].reason is Reason.ATTACH_REFUSED


def test_a_refused_taker_without_another_gives_it_back_and_does_not_take_it_again():
    """Of two members one cannot have it: it goes back to the other once, not each cooldown."""
    world = failing()
    world.ec2.refusing["i-beta"] = Verdict.LIMIT
    world.run(30, until=lambda: world.whole)
    world.run(540)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == [("beta", "alpha")]


def test_a_refusal_that_is_cured_does_not_keep_a_lonely_member_from_its_eni():
    """Alpha is gone for good, and beta's slot comes free later: sixty seconds at most."""
    world = World(cooldown=3600.0)
    world.ec2.refusing["i-beta"] = Verdict.LIMIT
    world.terminate("alpha")
    world.run(60)
    world.ec2.refusing.clear()
    took = world.run(90, until=lambda: world.held_by("beta"))

    assert took < 70, world.story()


@pytest.mark.parametrize("members", [2, 3, 4])
def test_two_takers_do_not_wait_for_each_other(members):
    """All start in the same pass, and see each other taking: each carries on, and EC2 decides."""
    slowest = 0.0
    for seed in SEEDS:
        world = World(holder=None, members=members, stagger=0.0, settle=0.0, seed=seed)
        slowest = max(slowest, world.run(60, until=lambda world=world: world.whole))

    assert slowest < 6


# Attaching for ever --------------------------------------------------------------------------------


def hangs(**changes) -> World:
    """EC2 does not end beta's attach, and beta's host has died meanwhile; EC2 says that it runs."""
    world = failing(**changes)
    world.ec2.hung.add("i-beta")
    world.run(20, until=lambda: "beta:attaching" in world.where)
    world.crash("beta")
    world.service("beta", up=False)
    return world


@pytest.mark.parametrize(("members", "enis"), [(2, 1), (3, 1), (3, 2)])
def test_an_attach_that_hangs_on_a_dead_member_is_undone_by_another(members, enis):
    """The taker died while EC2 attached: an ENI that nobody alive has."""
    world = hangs(members=members, enis=enis)
    world.service("alpha", up=True)
    world.run(170)
    waiting = world.where
    took = world.run(60, until=lambda: world.whole)

    assert waiting[0] == "beta:attaching", world.story()
    assert world.whole, world.story()
    assert took < 30


def test_a_detach_of_it_that_hangs_is_forced():
    """EC2 does not end that either."""
    world = hangs(members=3)
    world.ec2.stuck.add("eni-1")
    world.run(230, until=lambda: world.whole)

    assert world.whole, world.story()


def test_a_member_that_answers_is_waited_for():
    """Its daemon is dead and its service is not: nobody knows that the attach will not end."""
    world = hangs(members=3)
    world.service("beta", up=True)
    world.run(400)
    waiting = world.where
    world.service("beta", up=False)
    world.run(30, until=lambda: world.whole)

    assert waiting == ("beta:attaching",)
    assert world.whole, world.story()


def test_a_living_taker_ends_its_own_hanging_attach():
    """A minute, once more a minute, and it gives up: no other need wait for three."""
    world = failing(members=3, probes=(WEB, SELF))
    world.ec2.hung.add("i-beta")
    world.run(200, until=lambda: world.held_by("gamma"))
    triggers = [(one.trigger, one.reason) for one in world.nodes["gamma"].history]

    assert world.held_by("gamma"), world.story()
    assert triggers == [(Trigger.UNOWNED, Reason.ENI_UNOWNED)]


# The last facts about myself stay ------------------------------------------------------------------


@pytest.mark.parametrize("blind_for", [60, 600])
def test_a_member_that_ec2_tells_nothing_more_of_itself_takes_over(blind_for):
    """DescribeInstances fails for a whole zone, just when another member dies."""
    world = World(settle=30.0)
    world.blind |= {"alpha", "beta"}
    world.run(blind_for)
    world.service("alpha", up=False)
    took = world.run(60, until=lambda: world.held_by("beta"))

    assert took < 12, world.story()


def test_without_describe_instances_an_unattached_eni_finds_a_holder():
    """Denied since the start, on all of them: sixty seconds, and somebody tries."""
    world = World(holder=None, members=3, settle=0.0)
    world.blind |= set(world.nodes)
    took = world.run(90, until=lambda: world.whole)

    assert world.whole, world.story()
    assert 60 < took < 70


# A newcomer's holder is unproven -------------------------------------------------------------------


def newcomer() -> World:
    """Gamma starts for the first time, and a security group lets none of its probes through."""
    world = World(members=3)
    world.crash("gamma")
    world.nodes["gamma"].durable = Durable()
    world.partition("gamma", "alpha")
    world.restart("gamma")
    return world


def test_a_newcomer_behind_a_closed_security_group_takes_from_nobody():
    """Each scale-out is a first start; the grace is long enough to open it."""
    world = newcomer()
    world.run(250)
    world.partition("gamma", "alpha", heal=True)
    world.run(300)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


def test_a_newcomer_takes_over_when_it_has_seen_the_holder_up():
    """The group is open again, and beta is gone: gamma is a standby as any other."""
    world = newcomer()
    world.run(20)
    world.partition("gamma", "alpha", heal=True)
    world.terminate("beta")
    world.run(10)
    world.service("alpha", up=False)
    took = world.run(30, until=lambda: world.held_by("gamma"))

    assert took < 14, world.story()


# EC2's silence is no unfitness ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["api", "instances"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outage_of_the_primarys_api_does_not_undo_an_operators_takeover(fault, when):
    """Forty seconds without an answer are no being unfit, before the loss or since."""
    world = World(**FAILBACK)

    def outage() -> None:
        world.api("alpha", works=False) if fault == "api" else world.blind.add("alpha")
        world.run(45)
        world.api("alpha", works=True)
        world.blind.clear()

    if when == "before":
        world.after(40.0, lambda: world.take_over("beta"))
        outage()
    else:
        world.take_over("beta")
        world.run(15)
        outage()
    world.run(300)

    assert world.held_by("beta"), world.story()
    assert world.moves() == [("beta", "alpha")]


# No rest keeps an ENI without a holder -------------------------------------------------------------


def test_an_hour_of_cooldown_keeps_no_eni_without_a_holder():
    """Both of beta's attaches have hung, alpha is gone for good: it tries again within a minute."""
    world = World(cooldown=3600.0)
    world.ec2.hung.add("i-beta")
    world.terminate("alpha")
    world.run(300, until=lambda: bool(world.nodes["beta"].history))
    world.ec2.hung.clear()
    took = world.run(120, until=lambda: world.held_by("beta"))

    assert world.nodes["beta"].history[0].reason is Reason.ATTACH_STUCK
    assert took < 70, world.story()


# Filters, not ids; two answers ---------------------------------------------------------------------


def test_a_terminated_member_does_not_blind_the_others():
    """EC2 does not know gamma any more: beta takes over from alpha as ever."""
    world = World(members=3)
    world.terminate("gamma")
    world.run(20)
    world.forgotten.add("i-gamma")
    world.run(60)
    world.service("alpha", up=False)
    took = world.run(30, until=lambda: world.held_by("beta"))

    assert took < 12, world.story()


def test_a_deleted_eni_does_not_blind_the_others():
    """Row 2: what is left of the group is still brought where an ENI is on nobody."""
    bench = Bench(missing(), attached("alpha"))

    assert bench.decision.reason is Reason.ENI_MISSING
    assert bench.view.first.eni_id == "eni-2"
    assert bench.view.holder.name == "alpha"


def test_one_empty_stale_read_is_no_death():
    """Neither of the holder's instance nor of the ENI."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.see(missing())
    bench.look()
    bench.machine("alpha")
    bench.see(attached("alpha"))

    assert bench.idle(60).reason is Reason.HOLDER_UP
    assert bench.seen[-2:] == [("wait", Reason.ENI_UNKNOWN), ("wait", Reason.HOLDER_UP)]
