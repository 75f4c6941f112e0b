"""The role of each pass: EC2 gives it, the kernel can take it away at once."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Link
from eni_failover.core.vocabulary import Action, Reason, Role
from tests.core.bench import Bench, taking
from tests.core.builders import attached, attaching, detaching, foreign, free, survey

# Roles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "role"),
    [
        ([attached("beta")], Role.ACTIVE),
        ([attached("alpha")], Role.STANDBY),
        ([attaching("beta")], Role.STANDBY),
        ([detaching("beta")], Role.STANDBY),
        ([free()], Role.STANDBY),
        ([attached("beta"), attached("alpha")], Role.STANDBY),
        ([attached("beta"), attached("beta")], Role.ACTIVE),
        ([attached("beta"), foreign()], Role.ACTIVE),
        ([foreign()], Role.STANDBY),
    ],
)
def test_the_holder_of_everything_is_active_and_all_others_stand_by(shapes, role):
    """Links are ready here; foreign ENIs are left out."""
    bench = Bench(*shapes, settle=False)
    bench.look()

    assert role is bench.role


def holding(**link) -> Bench:
    """Beta holds and serves; the kernel's link is watched."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True)
    bench.idle(5)
    bench.link(**{"present": True, **link})
    return bench


def lose_link(bench: Bench) -> None:
    """The kernel takes the link away, now."""
    bench.link(present=False, lost_at=bench.now)


def test_a_link_that_the_kernel_took_makes_a_standby_at_once():
    """Without any call to EC2: the last describe still says attached here."""
    bench = holding()
    lose_link(bench)
    bench.peek()

    assert bench.role is Role.STANDBY


def test_a_describe_begun_after_the_loss_is_asked_for_at_once():
    """Only it can tell a lost ENI from a broken link."""
    bench = holding()
    lose_link(bench)
    bench.peek()

    assert bench.decision.describe_at == bench.now


def test_a_describe_begun_before_the_loss_makes_no_fault():
    """It was under way when the kernel spoke."""
    bench = holding()
    bench.link(present=False, lost_at=bench.now + 0.02)
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_describe_begun_after_the_loss_that_says_attached_makes_a_fault():
    """EC2 still sees the ENI here, and no packet gets through."""
    bench = holding()
    lose_link(bench)
    bench.look()

    assert bench.role is Role.FAULT


def test_a_describe_after_the_loss_that_says_gone_leaves_a_standby():
    """The ENI was taken: an ordinary end of holding."""
    bench = holding()
    lose_link(bench)
    bench.peek()
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_link_that_comes_back_makes_active_again():
    """A flapping driver: fault, then active."""
    bench = holding()
    lose_link(bench)
    bench.look()
    bench.link(present=True)
    bench.look()

    assert bench.role is Role.ACTIVE


def test_during_an_outage_the_kernel_can_take_the_role_away():
    """No describe answers, the link is gone: standby."""
    bench = holding()
    bench.ec2_answers = False
    lose_link(bench)
    bench.look()

    assert bench.role is Role.STANDBY


@pytest.mark.parametrize("holder", ["alpha", "beta"])
def test_an_api_outage_alone_changes_no_role(holder):
    """Unknown is neither lost nor held."""
    bench = Bench(attached(holder))
    before = bench.role
    bench.ec2_answers = False
    bench.idle(60)

    assert bench.role is before


def test_a_fault_stays_a_fault_during_an_outage():
    """Fault and standby differ for the hooks: an outage does not turn one into the other."""
    bench = holding()
    lose_link(bench)
    bench.look()
    bench.ec2_answers = False
    bench.look()

    assert bench.role is Role.FAULT


def test_an_outage_gives_no_role():
    """A standby whose link is ready becomes active only by EC2's word."""
    bench = Bench(attached("alpha"))
    bench.link(present=True)
    bench.ec2_answers = False
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_holder_that_was_active_stays_active_while_its_link_is_repaired():
    """A missing rule is put back in seconds: no hook runs for it."""
    bench = holding(missing=("rule",))
    bench.idle(50)

    assert bench.role is Role.ACTIVE


def test_a_link_not_ready_for_a_minute_is_a_fault():
    """60 s is the bound of every link."""
    bench = holding(missing=("rule",))
    bench.idle(62)

    assert bench.role is Role.FAULT


def test_a_fault_is_told_on_no_look_at_ec2_that_is_older_than_the_minute():
    """One old answer showed the ENI here again; with a long observe interval nothing newer was known.

    Found by the simulation: a standby told `fault`, and ran `on_fault`, a minute after it had lost the ENI.
    """
    bench = Bench(attached("beta", "att-1"), observe_interval=90.0)
    bench.link(present=True)
    bench.look()
    bench.see(detaching("beta", "att-1"))
    lose_link(bench)
    bench.look()
    bench.see(attached("beta", "att-1"))
    bench.look()
    bench.see(attached("alpha", "att-2"))
    bench.idle(62)

    assert (Action.WAIT, Reason.LINK_NOT_READY) not in bench.seen
    assert bench.role is Role.STANDBY


def test_a_restarted_holder_whose_link_is_not_ready_is_no_active():
    """Attached is not ready. Nor is it a standby: no hook is told a role before the link is ready or late."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True, missing=("address",))
    bench.idle(5)
    early = bench.role, bench.state.role_known
    bench.idle(60)

    assert early == (Role.STANDBY, False)
    assert (bench.role, bench.state.role_known) == (Role.FAULT, True)


def test_a_restarted_holder_that_loses_the_eni_is_a_standby():
    """Its link was never ready; now the ENI is another's, and the role is told."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True, missing=("address",))
    bench.idle(5)
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert (bench.role, bench.state.role_known) == (Role.STANDBY, True)


def test_a_group_that_comes_back_gets_its_minute_for_the_link():
    """What was not ready long ago, before the ENI went, does not count."""
    bench = holding(missing=("rule",))
    bench.idle(30)
    bench.see(attached("alpha", "att-8"))
    bench.look()
    bench.idle(40)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_takeover_under_way_is_taking():
    """From its intent to its end."""
    bench = taking()

    assert bench.role is Role.TAKING


def test_a_takeover_is_taking_until_the_link_is_ready():
    """`attached` is not `active`."""
    bench = taking()
    bench.see(attached("beta", "att-9"))
    bench.look()
    waiting = bench.role
    bench.link(present=True)
    bench.peek()

    assert waiting is Role.TAKING
    assert bench.role is Role.ACTIVE


def test_no_role_is_known_before_this_hosts_links_were_looked_at():
    """A holder's daemon that starts again does not say standby for want of a first look."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(is_known=False)
    bench.look()
    blind = bench.state.role_known
    bench.link(present=True)
    bench.peek()

    assert blind is False
    assert bench.role is Role.ACTIVE


def test_a_role_once_known_is_not_forgotten_for_a_link_not_looked_at():
    """A reload brings a new ENI: the others go on being what they are."""
    bench = holding()
    bench.links["eni-1"] = replace(bench.links["eni-1"], is_known=False)
    bench.peek()

    assert bench.state.role_known is True


def test_no_role_is_told_before_the_links_were_looked_at():
    """And none is taken back when they are not known for once: a role that is known stays until they are."""
    bench = Bench(attached("beta"), settle=False)
    bench.links["eni-1"] = Link(eni_id="eni-1", watched=True, is_known=False)
    bench.look()
    first = (bench.state.role_known, bench.role)
    bench.link(present=True)
    bench.look()
    seen = (bench.state.role_known, bench.role)

    assert first == (False, Role.STANDBY)
    assert seen == (True, Role.ACTIVE)


def test_a_loss_at_the_moment_of_the_describe_is_no_fault():
    """Which of the two was first nobody knows."""
    bench = Bench(attached("beta"))
    bench.link(present=True)
    bench.look()
    bench.link(present=False, lost_at=bench.now + 1)
    bench.now += 2
    bench.peek(enis=survey(attached("beta"), at=bench.now - 1))

    assert bench.role is Role.STANDBY


def test_a_standby_too_tells_no_role_before_its_links_were_looked_at():
    """An ENI that EC2 does not show here may still have its link here."""
    bench = Bench(attached("alpha"), settle=False)
    bench.links["eni-1"] = Link(eni_id="eni-1", watched=True, is_known=False)
    bench.look()
    first = bench.state.role_known
    bench.link(present=False)
    bench.look()

    assert (first, bench.state.role_known, bench.role) == (False, True, Role.STANDBY)


def test_what_is_left_of_a_takeover_without_its_link_is_a_standby():
    """A takeover that has ended takes its role along."""
    bench = Bench(attached("beta"))
    bench.link(present=True, missing=("rule",))
    bench.state = replace(bench.state, role=Role.TAKING)
    bench.look()

    assert (bench.takeover, bench.role) == (None, Role.STANDBY)


# Stale reads ---------------------------------------------------------------------------------------


def serving(*, watched: bool = True) -> Bench:
    """Beta holds the ENI, its link is ready."""
    bench = Bench(attached("beta", "att-7"), settle=False)
    if watched:
        bench.link(present=True)
    bench.idle(15)
    assert bench.role is Role.ACTIVE
    return bench


each_stale_read = pytest.mark.parametrize(
    "seen",
    [free(), attaching("beta", "att-7"), attached("alpha", "att-1"), detaching("alpha", "att-1")],
    ids=["free", "attaching", "the one before", "the one before, leaving"],
)


@each_stale_read
def test_one_stale_read_does_not_end_the_role_of_a_member_whose_links_are_all_there(seen):
    """Its hooks would restart the service, for nothing."""
    bench = serving()
    bench.see(seen)
    bench.look()
    once = bench.role
    bench.see(attached("beta", "att-7"))
    bench.idle(2)

    assert (once, bench.role) == (Role.ACTIVE, Role.ACTIVE)


@each_stale_read
def test_two_reads_a_second_apart_end_it(seen):
    """The kernel may be late, or wrong."""
    bench = serving()
    bench.see(seen)
    bench.look()
    bench.idle(1.5)

    assert bench.role is Role.STANDBY


def test_a_detach_from_here_ends_it_at_once():
    """That is no stale read."""
    bench = serving()
    bench.see(detaching("beta", "att-7"))
    bench.look()

    assert bench.role is Role.STANDBY


def test_without_watched_links_ec2s_word_is_all_there_is():
    """Nothing here could contradict it."""
    bench = serving(watched=False)
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_lost_link_ends_it_whatever_ec2_shows():
    """The kernel is always right about what is gone."""
    bench = serving()
    bench.link(present=False, lost_at=bench.now)
    bench.peek()

    assert bench.role is Role.STANDBY
