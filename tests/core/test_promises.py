"""The seven sentences that outrank every feature, as far as the core can show them.

Each test runs two to four real members against one EC2 and looks at the world.
"""

from dataclasses import replace

import pytest

from eni_failover.core.model import TypeLimits
from eni_failover.core.vocabulary import Action, Reason, Role, Trigger
from tests.core.abstract_ec2 import Durations
from tests.core.builders import LOCAL, SELF, WEB
from tests.core.group_world import World

MOMENTS = [round(0.05 + 0.7 * number, 2) for number in range(10)]  # of a takeover that takes six seconds


def failing(**changes) -> World:
    """Alpha's service has just died."""
    world = World(**changes)
    world.service("alpha", up=False)
    return world


def until_detach(world: World) -> None:
    world.run(20, until=lambda: bool(world.handovers))


# 1 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_1_ec2_is_the_lock(seed):
    """Three members start together; the ENI is detached from the failed holder once, and from nobody else."""
    world = failing(members=4, stagger=0.0, seed=seed)
    world.run(30, until=lambda: world.whole)
    world.run(60)

    assert world.whole, world.story()
    assert {one.from_member for one in world.handovers} == {"alpha"}


def test_1_a_detach_cannot_hurt_a_newer_holder():
    """Gamma has the ENI by the time beta's detach of alpha's attachment arrives."""
    world = failing(members=3)
    world.latency = 1.0
    world.run(20, until=lambda: world.nodes["beta"].decision.action is Action.TAKE_OVER)
    world.ec2.put("eni-1", "i-gamma")
    world.run(30)

    assert world.where == ("gamma",), world.story()
    assert world.handovers == []


# 2 -------------------------------------------------------------------------------------------------


def no_api(world: World) -> None:
    world.api("beta", works=False)


def no_instances(world: World) -> None:
    world.blind.add("beta")


def probes_not_sent(world: World) -> None:
    world.deaf.add("beta")


@pytest.mark.parametrize("fault", [no_api, no_instances, probes_not_sent])
def test_2_unknown_is_not_down(fault):
    """Five minutes of it move nothing."""
    world = World()
    fault(world)
    world.run(300)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


def test_2_a_probe_that_could_not_be_sent_does_not_count():
    """Alpha is dead, and beta cannot send: nothing is known, nothing moves."""
    world = failing()
    world.deaf.add("beta")
    world.run(300)

    assert world.moves() == []


def test_2_a_stalled_daemon_blames_itself():
    """Eight seconds of stall every ten, and each probe under way then failed."""
    world = World(probes=(replace(WEB, fall=2),))
    for _ in range(12):
        world.service("alpha", up=False)
        world.nodes["beta"].freeze(8.0)
        world.run(7.9)
        world.service("alpha", up=True)
        world.run(2.1)

    assert world.moves() == [], world.story()


# 3 -------------------------------------------------------------------------------------------------


def test_3_nothing_is_detached_that_could_not_be_attached():
    """Beta has no slot, or no permission: alpha keeps the ENI, dead as it is."""
    world = World()
    world.nodes["beta"].local = replace(LOCAL, attach_allowed=False)
    world.service("alpha", up=False)
    world.run(300)
    denied = world.moves()
    world.nodes["beta"].local = replace(LOCAL, limits=TypeLimits(interfaces=1))
    world.run(300)

    assert denied == []
    assert world.moves() == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("away", [0.5, 30.0])
def test_3_a_killed_member_rolls_forward_after_its_restart(moment, away):
    """Killed at any moment of its takeover; the group is whole again soon after it is back."""
    world = failing(enis=2)
    world.crash("alpha")
    world.run(2.3 + moment)
    world.crash("beta")
    world.run(away)
    world.restart("beta")
    world.run(40, until=lambda: world.held_by("beta"))

    assert world.held_by("beta"), world.story()


@pytest.mark.parametrize("moment", MOMENTS)
def test_3_a_killed_member_that_never_comes_back_is_replaced(moment):
    """Gamma takes what beta left, wherever it was."""
    world = failing(members=3, enis=2)
    world.crash("alpha")
    world.run(2.3 + moment)
    world.crash("beta")
    world.service("beta", up=False)
    world.run(130, until=lambda: world.held_by("gamma"))

    assert world.held_by("gamma"), world.story()


@pytest.mark.parametrize("moment", MOMENTS[::3])
def test_3_a_throttled_member_rolls_forward(moment):
    """EC2 stops answering in the middle, for five minutes."""
    world = failing(enis=2)
    world.crash("alpha")
    world.run(2.3 + moment)
    world.api("beta", works=False)
    world.run(300)
    world.api("beta", works=True)
    world.run(40, until=lambda: world.held_by("beta"))

    assert world.held_by("beta"), world.story()


def test_3_before_its_first_accepted_detach_an_intent_is_dropped_with_its_cause():
    """No call ever arrived, the holder recovered: it keeps the ENI."""
    world = failing()
    world.lossy["beta"] = "outage"
    world.run(20)
    world.service("alpha", up=True)
    world.run(5)
    world.lossy.clear()
    world.run(60)

    assert world.held_by("alpha"), world.story()
    assert world.nodes["beta"].history[-1].reason is Reason.CAUSE_GONE


# 4 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_4_a_restart_moves_nothing(name):
    """Ten restarts on either side, and a daemon that stays away for five minutes."""
    world = World()
    for _ in range(10):
        world.crash(name)
        world.run(3)
        world.restart(name)
        world.run(7)
    world.crash(name)
    world.run(300)
    world.restart(name)
    world.run(20)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


def test_4_a_restart_of_all_daemons_at_once_moves_nothing():
    """An upgrade by a tool that knows no order."""
    world = World(members=3, enis=2)
    for name in world.nodes:
        world.crash(name)
    world.run(5)
    for name in world.nodes:
        world.restart(name)
    world.run(120)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


def test_4_a_restarted_holder_is_active_and_was_nothing_else_meanwhile():
    """Its hooks hear one word."""
    world = World(enis=2)
    world.crash("alpha")
    world.run(3)
    world.restart("alpha")
    world.run(30)

    assert world.nodes["alpha"].told == [Role.ACTIVE]


def test_4_a_restarted_standby_takes_over_from_a_holder_that_is_down():
    """It judges what it finds at once, on fresh counters."""
    world = World()
    world.crash("beta")
    world.service("alpha", up=False)
    world.run(60)
    world.restart("beta")
    took = world.run(30, until=lambda: world.held_by("beta"))

    assert took < 12, world.story()


# 5 -------------------------------------------------------------------------------------------------


def test_5_attached_is_not_ready():
    """EC2 says attached for a while before the link serves: only then the takeover has succeeded."""
    world = failing()
    world.broken.add("beta")
    world.run(20, until=lambda: world.where == ("beta",))
    world.run(10)
    waiting = (world.nodes["beta"].role, len(world.nodes["beta"].history))
    world.broken.clear()
    world.run(10)

    assert waiting == (Role.TAKING, 0)
    assert world.held_by("beta")
    assert [one.result for one in world.nodes["beta"].history] == ["success"]


def test_5_a_link_that_never_serves_is_made_again_and_then_a_failure():
    """Detached and attached again once, then said to have failed."""
    world = failing()
    world.broken.add("beta")
    world.run(200, until=lambda: bool(world.nodes["beta"].history))

    assert [(one.result, one.reason) for one in world.nodes["beta"].history] == [("failed", "link_not_ready")]
    assert world.where == ("beta",)
    assert world.nodes["beta"].role is Role.FAULT


# 6 -------------------------------------------------------------------------------------------------


def by_probes() -> World:
    return failing()


def by_ec2() -> World:
    world = World()
    world.power_off("alpha")
    return world


def unowned() -> World:
    return World(holder=None, settle=0.0)


def split() -> World:
    world = World(enis=2, settle=0.0)
    world.ec2.put("eni-2", "i-beta")
    return world


def manual() -> World:
    world = World()
    world.take_over("beta")
    return world


@pytest.mark.parametrize(
    ("world", "trigger", "reason"),
    [
        (by_probes, Trigger.PROBES, Reason.HOLDER_DOWN),
        (by_ec2, Trigger.EC2, Reason.HOLDER_STOPPED),
        (unowned, Trigger.UNOWNED, Reason.ENI_UNOWNED),
        (split, Trigger.SPLIT, Reason.GROUP_SPLIT),
        (manual, Trigger.MANUAL, Reason.OPERATOR),
    ],
)
def test_6_every_decision_says_why_in_one_word(world, trigger, reason):
    """The decision that starts, the takeover and the history use the same one."""
    made = world()
    made.run(30, until=lambda: any(node.history for node in made.nodes.values()))
    history = [line for node in made.nodes.values() for line in node.history]
    started = [line for line in made.trace if " take_over " in line]

    assert [(one.trigger, one.reason) for one in history] == [(trigger, reason)]
    assert [line.split()[3] for line in started] == [reason]


# 7 -------------------------------------------------------------------------------------------------


def detach_hangs(world: World) -> None:
    world.ec2.stuck.add("eni-1")


def detach_out_of_order(world: World) -> None:
    world.ec2.busy.update(one.attachment_id for one in world.ec2.enis.values() if one)


def first_attach_hangs(world: World) -> None:
    world.ec2.hung.add("i-beta")
    world.after(60.0, world.ec2.hung.clear)


def answers_lost(world: World) -> None:
    world.lossy["beta"] = "late"


def other_members_gone(world: World) -> None:
    world.terminate("gamma")


def holders_daemon_gone(world: World) -> None:
    world.crash("alpha")


def nobody_reachable(world: World) -> None:
    world.partition("beta", "gamma")


def instances_unknown(world: World) -> None:
    world.after(1.0, lambda: world.blind.add("beta"))


def reads_lag(world: World) -> None:
    world.lag = 1.5


@pytest.mark.parametrize(
    "fault",
    [
        detach_hangs,
        detach_out_of_order,
        first_attach_hangs,
        answers_lost,
        other_members_gone,
        holders_daemon_gone,
        nobody_reachable,
        instances_unknown,
        reads_lag,
    ],
)
def test_7_one_failed_thing_does_not_stop_a_takeover(fault):
    """Each alone, besides the holder: the ENIs still get to a member that serves."""
    world = World(members=3, enis=2, durations=Durations(detach=2.0, attach=1.0))
    fault(world)
    world.service("alpha", up=False)
    world.run(100, until=lambda: world.whole and not world.held_by("alpha"))

    assert world.held_by("beta") or world.held_by("gamma"), world.story()


def test_7_a_broken_member_is_no_holder_and_no_obstacle():
    """Beta's own service is dead too: gamma takes over."""
    world = World(members=3, probes=(WEB, SELF))
    world.service("beta", up=False)
    world.service("alpha", up=False)
    world.run(30, until=lambda: world.held_by("gamma"))

    assert world.held_by("gamma"), world.story()
