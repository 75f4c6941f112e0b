"""What holds for every pass, likely or not: named functions over what a pass was given and what it made.

Each raises AssertionError. The property test asks them of generated passes, the random walk of real ones.
"""

from __future__ import annotations

from eni_failover.core.decide import step
from eni_failover.core.fitness import why_not_able
from eni_failover.core.group import RESCUE_AFTER, View
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.publish import snapshot, with_role
from eni_failover.core.snapshot import DecisionLine
from eni_failover.core.state import Attach, Decision, Detach, Sent, State, StopInstance
from eni_failover.core.words import Action, Reason, Role, Trigger
from tests.core.builders import target


def moving(decision: Decision) -> list[Detach | Attach]:
    return [call for call in decision.calls if isinstance(call, (Detach, Attach))]


def starts(before: State, view: View) -> bool:
    """Whether this pass began a takeover by itself."""
    now = view.takeover
    return before.durable.takeover is None and now is not None and now.trigger is not Trigger.MANUAL


def every_decision_is_one_action_with_one_reason_and_a_next_pass(before: State, view: View, decision: Decision) -> None:
    """step never raises; the reason is a word of the vocabulary; the next pass is in the future."""
    assert isinstance(decision.action, Action)
    assert isinstance(decision.reason, Reason)
    assert view.obs.now < decision.pass_at <= view.obs.now + view.policy.observe_interval


def the_same_pass_decides_the_same_and_changes_nothing_that_it_was_given(before: State, view: View, decision: Decision) -> None:
    """A function of values."""
    before = copy.deepcopy(case)
    first, second = step(before, view.obs, view.policy), step(before, view.obs, view.policy)

    assert first == second
    assert before == case


def at_most_one_call_for_each_eni(before: State, view: View, decision: Decision) -> None:
    """And at most one instance is stopped, alone."""
    targets = [target(call) for call in decision.calls]

    assert len(set(targets)) == len(targets)
    assert len(targets) == 1 or not any(isinstance(call, StopInstance) for call in decision.calls)


def nothing_known_calls_nothing(before: State, view: View, decision: Decision) -> None:
    """A describe that failed never leads to a call, before or after the point of no return."""
    assert view.obs.enis.answered or decision.calls == ()


def a_detach_names_what_was_observed_and_recorded(before: State, view: View, decision: Decision) -> None:
    """The compare half of the compare-and-swap, in the intent that is written before it."""
    observed = {eni.eni_id: eni.attachment for eni in view.enis}

    for call in decision.calls:
        if isinstance(call, Detach):
            assert observed[call.eni_id].attachment_id == call.attachment_id
            assert view.takeover.move(call.eni_id).recorded == call.attachment_id


def the_first_eni_is_detached_by_the_id_that_was_recorded_before(before: State, view: View, decision: Decision) -> None:
    """From another member: never by an id that this pass has put in the place of the recorded one."""
    before = before.durable.takeover

    for call in decision.calls:
        first = view.first
        if isinstance(call, Detach) and first and call.eni_id == first.eni_id and not view.is_mine(first):
            assert before is None or before.takeover_id != view.takeover.takeover_id or (
                before.move(call.eni_id).recorded == call.attachment_id
            )


def no_other_eni_moves_before_the_lock(before: State, view: View, decision: Decision) -> None:
    """None is detached before the lock's detach was accepted, none attached before the lock is here."""
    for call in moving(decision):
        first = view.first
        if first is None or call.eni_id == first.eni_id:
            continue
        lock = view.takeover.move(first.eni_id)
        here = view.is_mine(first) or lock.attach is Sent.ACCEPTED
        assert here or (isinstance(call, Detach) and lock.detach is Sent.ACCEPTED)


def nothing_foreign_missing_or_unknown_is_called(before: State, view: View, decision: Decision) -> None:
    """Rows 1 and 2: leave it."""
    usable = {eni.eni_id for eni in view.usable}

    assert all(call.eni_id in usable for call in moving(decision))


def every_move_belongs_to_a_takeover(before: State, view: View, decision: Decision) -> None:
    """The intent is in the durable state of the pass that calls."""
    assert view.takeover is not None or not moving(decision)
    assert view.takeover is None or decision.ended is None


def a_pause_starts_nothing_but_the_last_resort(before: State, view: View, decision: Decision) -> None:
    """Row 6 after sixty seconds, and nothing else."""
    since = view.state.unowned_since
    rescued = since is not None and view.now - since >= RESCUE_AFTER

    if view.is_paused and starts(before, view):
        assert view.takeover.trigger is Trigger.UNOWNED
        assert rescued


def startup_grace_starts_nothing_but_row_6(before: State, view: View, decision: Decision) -> None:
    """Nothing is taken from anybody."""
    if view.in_grace and starts(before, view):
        assert view.takeover.trigger is Trigger.UNOWNED


def observe_starts_nothing_and_calls_nothing_before_the_point_of_no_return(before: State, view: View, decision: Decision) -> None:
    """Unless an operator asked."""
    before = before.durable.takeover

    if view.policy.takeover is TakeoverMode.OBSERVE:
        assert not starts(before, view)
        if before is None and view.takeover is None:
            assert moving(decision) == []
    else:
        assert decision.would is None


def an_unable_member_starts_nothing_but_the_last_resort(before: State, view: View, decision: Decision) -> None:
    """Nothing is detached that this member could not attach."""
    unable = why_not_able(View(view.state, view.obs, view.policy))

    if unable and starts(before, view) and not before.confirm:
        assert view.takeover.trigger is Trigger.UNOWNED


def distinct_indexes_are_attached(before: State, view: View, decision: Decision) -> None:
    """No two attaches of one pass ask for the same place."""
    indexes = [call.device_index for call in decision.calls if isinstance(call, Attach)]

    assert len(set(indexes)) == len(indexes)
    assert all(index > 0 for index in indexes)


def a_takeover_ends_with_its_line_in_the_history(before: State, view: View, decision: Decision) -> None:
    """A takeover that is gone has said how it ended; the phases are never negative."""
    before = before.durable.takeover

    if before is not None:
        assert (view.takeover is None) is (decision.ended is not None)
    if decision.ended is not None:
        assert all(seconds >= 0 for _, seconds in decision.ended.phases)


def every_pass_can_be_shown(before: State, view: View, decision: Decision) -> None:
    """The role and the snapshot of any pass; active means that everything usable is attached here."""
    view = View(with_role(view), view.obs, view.policy)
    line = DecisionLine(action=decision.action, reason=decision.reason, at_wall=view.obs.wall)
    shown = snapshot(view, version="1.2.3", last=line, last_takeover=None)

    assert len(shown.enis) == len(view.policy.eni_ids)
    assert shown.ready or any(one.result == "fail" for one in shown.checks)
    if shown.role is Role.ACTIVE and not view.unknown and view.state.known_at is not None:
        assert view.all_here


ALL = (
    every_decision_is_one_action_with_one_reason_and_a_next_pass,
    the_same_pass_decides_the_same_and_changes_nothing_that_it_was_given,
    at_most_one_call_for_each_eni,
    nothing_known_calls_nothing,
    a_detach_names_what_was_observed_and_recorded,
    the_first_eni_is_detached_by_the_id_that_was_recorded_before,
    no_other_eni_moves_before_the_lock,
    nothing_foreign_missing_or_unknown_is_called,
    every_move_belongs_to_a_takeover,
    a_pause_starts_nothing_but_the_last_resort,
    startup_grace_starts_nothing_but_row_6,
    observe_starts_nothing_and_calls_nothing_before_the_point_of_no_return,
    an_unable_member_starts_nothing_but_the_last_resort,
    distinct_indexes_are_attached,
    a_takeover_ends_with_its_line_in_the_history,
    every_pass_can_be_shown,
)
