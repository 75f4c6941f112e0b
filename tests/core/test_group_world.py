"""The harness keeps EC2's rules, and several ENIs move side by side."""

import pytest

from eni_failover.core.model import InstanceState, Verdict
from tests.core.group_world import World


def quiet(**changes) -> World:
    """Alpha has everything, and no daemon runs."""
    world = World(settle=0.0, **changes)
    for name in world.nodes:
        world.crash(name)
    return world


# EC2's rules ---------------------------------------------------------------------------------------


def test_what_is_attached_cannot_be_attached():
    """Refused, without an effect."""
    world = quiet()

    assert world.ec2.attach("eni-1", "i-beta", 1) == (Verdict.IN_USE, None)
    assert world.where == ("alpha",)


def test_a_detach_takes_its_time_and_the_eni_is_in_use_until_then():
    """`detaching` is in use."""
    world = quiet()
    world.ec2.detach("att-1")
    during = (world.where, world.ec2.attach("eni-1", "i-beta", 1)[0])
    world.run(3.0)

    assert during == (("alpha:detaching",), Verdict.IN_USE)
    assert world.where == ("free",)


def test_an_attach_takes_its_time_and_makes_a_new_attachment():
    """The old id is gone for ever."""
    world = quiet()
    world.ec2.detach("att-1")
    world.run(3.0)
    verdict, attachment_id = world.ec2.attach("eni-1", "i-beta", 1)
    during = world.where
    world.run(2.0)

    assert (verdict, during, world.where) == (Verdict.ACCEPTED, ("beta:attaching",), ("beta",))
    assert attachment_id != "att-1"
    assert world.ec2.detach("att-1") is Verdict.GONE


def test_an_index_is_used_once():
    """Also while its ENI is detaching."""
    world = quiet(enis=2)
    world.ec2.detach("att-2")
    world.run(3.0)

    assert world.ec2.attach("eni-2", "i-alpha", 1)[0] is Verdict.INDEX_TAKEN


def test_a_stuck_detach_needs_force():
    """With the same attachment id."""
    world = quiet()
    world.ec2.stuck.add("eni-1")
    world.ec2.detach("att-1")
    world.run(600)
    stuck = world.where
    world.ec2.detach("att-1", force=True)
    world.run(1)

    assert stuck == ("alpha:detaching",)
    assert world.where == ("free",)


def test_a_stopped_instance_keeps_its_eni_and_a_terminated_one_does_not():
    """Stopping does not detach."""
    world = quiet(members=3)
    world.ec2.stop("i-alpha")
    world.run(20)
    stopped = (world.ec2.instances["i-alpha"], world.where)
    world.ec2.terminate("i-alpha")
    world.run(20)

    assert stopped == (InstanceState.STOPPED, ("alpha",))
    assert world.where == ("free",)


def test_nothing_is_attached_to_an_instance_that_does_not_run():
    """Refused as a wrong state."""
    world = quiet()
    world.ec2.detach("att-1")
    world.ec2.stop("i-beta")
    world.run(3.0)

    assert world.ec2.attach("eni-1", "i-beta", 1)[0] is Verdict.BAD_STATE


def test_a_read_may_lag():
    """It shows what was so a while ago."""
    world = quiet()
    world.run(10)
    world.ec2.detach("att-1")
    world.run(1.0)
    fresh = world.ec2.describe_enis(0.0).enis[0].attachment.status
    old = world.ec2.describe_enis(0.0, lag=2.0).enis[0].attachment.status

    assert (fresh, old) == ("detaching", "attached")


# Clocks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [-600.0, 600.0])
def test_a_pause_holds_all_members_back_for_as_long_as_was_asked(off):
    """Given for two minutes where the clock is ten minutes off, and one daemon has been restarted since."""
    world = World()
    world.walls["alpha"] = off
    world.crash("beta")
    world.restart("beta")
    world.pause("alpha", seconds=120.0)
    world.run(5)
    world.service("alpha", up=False)
    world.run(110)
    paused = world.where
    took = world.run(30, until=lambda: world.held_by("beta"))

    assert paused == ("alpha",), world.story()
    assert 5 < took < 20, world.story()


def test_a_host_that_sleeps_takes_from_nobody():
    """It saw two downs and slept; the holder has been up for long when it wakes."""
    world = World()
    world.service("alpha", up=False)
    world.run(2.2)
    world.nodes["beta"].sleep(600.0)
    world.run(1.0)
    world.service("alpha", up=True)
    world.run(660)

    assert world.held_by("alpha"), world.story()
    assert world.moves() == []


# Several ENIs --------------------------------------------------------------------------------------


def takeover_time(enis: int) -> float:
    world = World(enis=enis)
    world.service("alpha", up=False)
    took = world.run(60, until=lambda: world.held_by("beta"))
    assert world.held_by("beta"), world.story()
    return took


def test_eight_enis_take_little_longer_than_one():
    """They are detached and attached side by side: one call each, in one pass."""
    assert takeover_time(8) <= 1.15 * takeover_time(1)


def test_eight_enis_get_eight_indexes():
    """Each its own, from the lowest free one."""
    world = World(enis=8)
    world.take_over("beta")
    world.run(60, until=lambda: world.held_by("beta"))

    assert world.ec2.indexes("i-beta") == set(range(1, 9))


@pytest.mark.parametrize("stuck", ["eni-1", "eni-5"])
def test_one_of_eight_that_hangs_is_forced_and_the_others_do_not_wait(stuck):
    """Unless it is the lock: everything waits for that one."""
    world = World(enis=8)
    world.ec2.stuck.add(stuck)
    world.take_over("beta")
    world.run(12)
    here = sum(one == "beta" for one in world.where)
    world.run(30, until=lambda: world.held_by("beta"))

    assert here == (0 if stuck == "eni-1" else 7), world.story()
    assert world.held_by("beta"), world.story()
