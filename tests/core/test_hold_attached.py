"""Row 3: all ENIs are attached here. Ready, or not ready, or made again once."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Stall
from eni_failover.core.vocabulary import Action, Reason, Role
from tests.core.bench import Bench, outcome
from tests.core.builders import attach, attached, attaching, detach, detaching, foreign, free, keep, missing


def arrived(*, ready: bool = False, enis: int = 1) -> Bench:
    """Beta's takeover by probes has just brought everything here; the links are not ready yet."""
    bench = Bench(*[attached("alpha")] * enis, move_interval=1.0)
    for number in range(1, enis + 1):
        bench.link(number, present=True, missing=() if ready else ("address",))
    bench.says(web="down")
    bench.act(within=10)
    bench.see(*[free()] * enis)
    bench.accepted()
    for _ in range(min(enis, 2)):
        if bench.run(2).calls:
            bench.accepted()
    bench.see(*[attached("beta", f"att-2{number}") for number in range(1, enis + 1)])
    bench.idle(1)
    return bench


def ending(bench: Bench) -> list[tuple[str, str]]:
    return [(one.result, one.reason) for one in bench.ended]


def test_attached_with_ready_links_ends_the_takeover():
    """Success: active."""
    bench = arrived(ready=True)

    assert ending(bench) == [("success", "holder_down")]
    assert bench.role is Role.ACTIVE


def test_attached_is_not_ready():
    """The takeover goes on until the link serves."""
    bench = arrived()

    assert ending(bench) == []
    assert (bench.decision.action, bench.decision.reason) == (Action.MOVE, Reason.LINK_WAIT)


def test_every_link_must_be_ready():
    """One of two is not."""
    bench = arrived(enis=2)
    bench.link(1, present=True)
    bench.idle(1)
    before = ending(bench)
    bench.link(2, present=True)
    bench.idle(1)

    assert before == []
    assert ending(bench) == [("success", "holder_down")]


# Made again ----------------------------------------------------------------------------------------


def test_a_link_that_is_never_ready_is_detached_after_a_minute():
    """By the id of this member's own attachment, and it is a fault."""
    bench = arrived()
    began = bench.now
    bench.act(within=70)

    assert bench.decision.calls == (detach(1, "att-21"),)
    assert bench.decision.reason is Reason.LINK_NOT_READY
    assert bench.role is Role.FAULT
    assert 58 < bench.now - began <= 61


def test_a_stall_of_our_own_gives_the_link_its_minute_anew():
    """What the kernel has told meanwhile is not read yet; the takeover goes on."""
    bench = arrived()
    before = bench.takeover
    bench.now += 5
    bench.peek(stalls=(Stall(from_at=bench.now - 5, to_at=bench.now),))

    assert bench.takeover == replace(before, link_since=bench.now)


def test_only_the_enis_whose_links_are_not_ready_are_made_again():
    """The others serve."""
    bench = arrived(enis=2)
    bench.link(1, present=True)

    assert bench.act(within=70).calls == (detach(2, "att-22"),)
    assert bench.takeover.had_first


def test_all_that_are_not_ready_are_made_again_together():
    """One call each, in one pass."""
    assert arrived(enis=2).act(within=70).calls == (detach(1, "att-21"), detach(2, "att-22"))


def test_what_this_member_undoes_itself_is_no_loss():
    """The next describe shows it on nobody already: it is attached again."""
    bench = arrived()
    (undo,) = bench.act(within=70).calls
    bench.see(free())
    bench.look(outcomes=(outcome(undo, "accepted", sent_at=bench.now, ended_at=bench.now),))

    assert bench.decision.calls == (attach(),)
    assert ending(bench) == []


def made_again() -> Bench:
    bench = arrived()
    bench.act(within=70)
    bench.see(detaching("beta", "att-21"))
    bench.accepted()
    bench.idle(2)
    bench.see(free())
    bench.act(within=1.5)
    return bench


def test_it_is_attached_again():
    """The whole way, once."""
    bench = made_again()

    assert bench.decision.calls == (attach(),)
    assert bench.role is Role.TAKING


def test_ready_after_the_second_attach_is_a_success():
    """The repair helped."""
    bench = made_again()
    bench.see(attached("beta", "att-31"))
    bench.link(present=True)
    bench.accepted()
    bench.idle(1)

    assert ending(bench) == [("success", "holder_down")]


def test_the_second_attach_has_its_own_minute():
    """Not the rest of the first one's."""
    bench = made_again()
    bench.see(attached("beta", "att-31"))
    bench.accepted()
    bench.idle(55)

    assert ending(bench) == []
    assert bench.role is Role.TAKING


def test_never_ready_again_is_a_failed_takeover_and_no_third_attach():
    """Once per takeover: the ENI stays here, as a fault."""
    bench = made_again()
    bench.see(attached("beta", "att-31"))
    bench.accepted()
    bench.idle(65)

    assert ending(bench) == [("failed", "link_not_ready")]
    assert bench.idle(120).reason is Reason.LINK_NOT_READY
    assert bench.role is Role.FAULT


def test_a_refused_undo_is_tried_again():
    """Throttled: the ENI is still here and still not ready."""
    bench = arrived()
    bench.act(within=70)
    bench.answered("busy")

    assert bench.act(within=2).calls == (detach(1, "att-21"),)
    assert ending(bench) == []


def test_a_link_that_gets_ready_while_its_undo_is_refused_is_a_success():
    """Nothing has moved, and it serves."""
    bench = arrived()
    bench.act(within=70)
    bench.link(present=True)
    bench.answered("busy")

    assert ending(bench) == [("success", "holder_down")]


def test_a_link_that_gets_ready_after_its_undo_was_accepted_is_none():
    """The ENI is on its way out: the describe that still shows it here is old."""
    bench = arrived()
    bench.act(within=70)
    bench.link(present=True)
    bench.accepted()

    assert ending(bench) == []


def test_an_old_describe_of_the_attachment_that_is_being_undone_is_no_new_arrival():
    """The pass after the undo sees the world from before it."""
    bench = arrived()
    bench.act(within=70)
    after = bench.accepted()

    assert after.calls == ()
    assert ending(bench) == []


# Without a takeover --------------------------------------------------------------------------------


def holding(**link) -> Bench:
    bench = Bench(attached("beta"), settle=False)
    bench.link(**{"present": True, **link})
    bench.idle(5)
    return bench


def test_a_holder_with_ready_links_holds():
    """The steady state."""
    bench = holding()

    assert (bench.decision.action, bench.decision.reason) == (Action.HOLD, Reason.HELD)


def test_a_holders_link_that_breaks_is_waited_for_and_never_detached():
    """Nothing is detached without a takeover: a restart or a broken link moves nothing."""
    bench = holding(missing=("rule",))
    early = bench.decision.reason
    late = bench.idle(120)

    assert early is Reason.LINK_WAIT
    assert late.reason is Reason.LINK_NOT_READY


@pytest.mark.parametrize("other", [foreign, missing])
def test_foreign_and_missing_enis_are_left_out(other):
    """Row 2: row 3 goes on with the others."""
    bench = Bench(attached("beta"), other())

    assert bench.decision.reason is Reason.HELD
    assert bench.role is Role.ACTIVE


# DeleteOnTermination -------------------------------------------------------------------------------


def test_delete_on_termination_is_set_false_on_what_is_held():
    """Else terminating the holder destroys the ENI."""
    bench = Bench(attached("beta", delete_on_termination=True), settle=False)

    assert bench.act(within=2).calls == (keep(),)
    assert bench.decision.reason is Reason.HELD


def test_it_is_asked_once_and_not_with_every_pass():
    """The old describe goes on saying true until the next one."""
    bench = Bench(attached("beta", delete_on_termination=True), settle=False)
    bench.act(within=2)
    bench.accepted()

    assert bench.idle(9).reason is Reason.HELD


@pytest.mark.parametrize("verdict", ["denied", "busy", "unanswered", "gone"])
def test_a_refused_repair_is_tried_again_a_minute_later(verdict):
    """It is no matter of seconds, and a denial is no reason for a flood."""
    bench = Bench(attached("beta", delete_on_termination=True), settle=False)
    bench.act(within=2)
    bench.answered(verdict)
    bench.idle(58)

    assert bench.act(within=5).calls == (keep(),)


def test_what_others_hold_is_theirs_to_repair():
    """Only the holder has the right attachment for sure."""
    bench = Bench(attached("alpha", delete_on_termination=True))

    assert bench.idle(30).calls == ()


def test_each_eni_that_needs_it_is_repaired():
    """One call each, in one pass."""
    bench = Bench(
        attached("beta", delete_on_termination=True),
        attached("beta"),
        attached("beta", delete_on_termination=True),
        settle=False,
    )

    assert bench.act(within=2).calls == (keep(1), keep(3))


def test_an_eni_that_is_only_attaching_is_not_repaired_yet():
    """Row 3 is for what is attached."""
    bench = Bench(attaching("beta", delete_on_termination=True), settle=False)

    assert bench.idle(10).calls == ()


def test_a_repair_never_adds_a_second_call_for_an_eni():
    """The pass that undoes an attachment does nothing else to it."""
    bench = arrived()
    bench.see(attached("beta", "att-21", delete_on_termination=True))
    calls = bench.act(within=1.5).calls
    bench.answered("denied")
    undo = bench.act(within=70).calls

    assert calls == (keep(1, "att-21"),)
    assert len(undo) == 1
