"""What holds for every state and every observation, likely or not."""

import copy

from hypothesis import HealthCheck, event, given, settings

from eni_failover.core.decide import step
from eni_failover.core.fitness import why_not_able
from eni_failover.core.group import RESCUE_AFTER, View
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.publish import snapshot, with_role
from eni_failover.core.snapshot import DecisionLine
from eni_failover.core.state import Attach, Detach, Sent, StopInstance
from eni_failover.core.words import Action, Reason, Role, Trigger
from tests.core.builders import target
from tests.core.strategies import Case, cases

every = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def after(case: Case):
    state, decision = step(case.state, case.obs, case.policy)
    event(str(decision.action))
    return View(state, case.obs, case.policy), decision


def moving(decision) -> list[Detach | Attach]:
    return [call for call in decision.calls if isinstance(call, (Detach, Attach))]


def starts(case: Case, view: View) -> bool:
    """Whether this pass began a takeover by itself."""
    before, now = case.state.durable.takeover, view.takeover
    return before is None and now is not None and now.trigger is not Trigger.MANUAL


@every
@given(cases())
def test_every_decision_is_one_action_with_one_reason_and_a_next_pass(case):
    """step never raises; the reason is a word of the vocabulary; the next pass is in the future."""
    _, decision = after(case)

    assert isinstance(decision.action, Action)
    assert isinstance(decision.reason, Reason)
    assert case.obs.now < decision.pass_at <= case.obs.now + case.policy.observe_interval


@every
@given(cases())
def test_the_same_pass_decides_the_same_and_changes_nothing_that_it_was_given(case):
    """A function of values."""
    before = copy.deepcopy(case)
    first, second = step(case.state, case.obs, case.policy), step(case.state, case.obs, case.policy)

    assert first == second
    assert before == case


@every
@given(cases())
def test_at_most_one_call_for_each_eni(case):
    """And at most one instance is stopped, alone."""
    _, decision = after(case)
    targets = [target(call) for call in decision.calls]

    assert len(set(targets)) == len(targets)
    assert len(targets) == 1 or not any(isinstance(call, StopInstance) for call in decision.calls)


@every
@given(cases())
def test_nothing_known_calls_nothing(case):
    """A describe that failed never leads to a call, before or after the point of no return."""
    _, decision = after(case)

    assert case.obs.enis.answered or decision.calls == ()


@every
@given(cases())
def test_a_detach_names_what_was_observed_and_recorded(case):
    """The compare half of the compare-and-swap, in the intent that is written before it."""
    view, decision = after(case)
    observed = {eni.eni_id: eni.attachment for eni in view.enis}

    for call in decision.calls:
        if isinstance(call, Detach):
            assert observed[call.eni_id].attachment_id == call.attachment_id
            assert view.takeover.move(call.eni_id).recorded == call.attachment_id


@every
@given(cases())
def test_the_first_eni_is_detached_by_the_id_that_was_recorded_before(case):
    """From another member: never by an id that this pass has put in the place of the recorded one."""
    view, decision = after(case)
    before = case.state.durable.takeover

    for call in decision.calls:
        first = view.first
        if isinstance(call, Detach) and first and call.eni_id == first.eni_id and not view.is_mine(first):
            assert before is None or before.takeover_id != view.takeover.takeover_id or (
                before.move(call.eni_id).recorded == call.attachment_id
            )


@every
@given(cases())
def test_no_other_eni_moves_before_the_lock(case):
    """None is detached before the lock's detach was accepted, none attached before the lock is here."""
    view, decision = after(case)

    for call in moving(decision):
        first = view.first
        if first is None or call.eni_id == first.eni_id:
            continue
        lock = view.takeover.move(first.eni_id)
        here = view.is_mine(first) or lock.attach is Sent.ACCEPTED
        assert here or (isinstance(call, Detach) and lock.detach is Sent.ACCEPTED)


@every
@given(cases())
def test_nothing_foreign_missing_or_unknown_is_called(case):
    """Rows 1 and 2: leave it."""
    view, decision = after(case)
    usable = {eni.eni_id for eni in view.usable}

    assert all(call.eni_id in usable for call in moving(decision))


@every
@given(cases())
def test_every_move_belongs_to_a_takeover(case):
    """The intent is in the durable state of the pass that calls."""
    view, decision = after(case)

    assert view.takeover is not None or not moving(decision)
    assert view.takeover is None or decision.ended is None


@every
@given(cases())
def test_a_pause_starts_nothing_but_the_last_resort(case):
    """Row 6 after sixty seconds, and nothing else."""
    view, _ = after(case)
    since = view.state.unowned_since
    rescued = since is not None and view.now - since >= RESCUE_AFTER

    if view.is_paused and starts(case, view):
        assert view.takeover.trigger is Trigger.UNOWNED
        assert rescued


@every
@given(cases())
def test_startup_grace_starts_nothing_but_row_6(case):
    """Nothing is taken from anybody."""
    view, _ = after(case)

    if view.in_grace and starts(case, view):
        assert view.takeover.trigger is Trigger.UNOWNED


@every
@given(cases())
def test_observe_starts_nothing_and_calls_nothing_before_the_point_of_no_return(case):
    """Unless an operator asked."""
    view, decision = after(case)
    before = case.state.durable.takeover

    if case.policy.takeover is TakeoverMode.OBSERVE:
        assert not starts(case, view)
        if before is None and view.takeover is None:
            assert moving(decision) == []
    else:
        assert decision.would is None


@every
@given(cases())
def test_an_unable_member_starts_nothing_but_the_last_resort(case):
    """Nothing is detached that this member could not attach."""
    view, _ = after(case)
    unable = why_not_able(View(view.state, view.obs, case.policy))

    if unable and starts(case, view) and not case.state.confirm:
        assert view.takeover.trigger is Trigger.UNOWNED


@every
@given(cases())
def test_distinct_indexes_are_attached(case):
    """No two attaches of one pass ask for the same place."""
    _, decision = after(case)
    indexes = [call.device_index for call in decision.calls if isinstance(call, Attach)]

    assert len(set(indexes)) == len(indexes)
    assert all(index > 0 for index in indexes)


@every
@given(cases())
def test_a_takeover_ends_with_its_line_in_the_history(case):
    """A takeover that is gone has said how it ended; the phases are never negative."""
    view, decision = after(case)
    before = case.state.durable.takeover

    if before is not None:
        assert (view.takeover is None) is (decision.ended is not None)
    if decision.ended is not None:
        assert all(seconds >= 0 for _, seconds in decision.ended.phases)


@every
@given(cases())
def test_every_pass_can_be_shown(case):
    """The role and the snapshot of any pass; active means that everything usable is attached here."""
    view, decision = after(case)
    view = View(with_role(view), case.obs, case.policy)
    line = DecisionLine(action=decision.action, reason=decision.reason, at_wall=view.obs.wall)
    shown = snapshot(view, version="1.2.3", last=line, last_takeover=None)

    assert len(shown.enis) == len(case.policy.eni_ids)
    assert shown.ready or any(one.result == "fail" for one in shown.checks)
    if shown.role is Role.ACTIVE and not view.unknown and view.state.known_at is not None:
        assert view.all_here
