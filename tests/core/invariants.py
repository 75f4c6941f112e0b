"""What holds for every pass, likely or not: named functions over what a pass was given and what it made.

Each raises AssertionError. The property test asks them of generated passes, the random walk of real ones.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from eni_failover.core.decide import step
from eni_failover.core.decision import Attach, Decision, Detach, StopInstance
from eni_failover.core.fitness import why_not_able
from eni_failover.core.model import Eni, Observation
from eni_failover.core.policy import Policy, TakeoverMode
from eni_failover.core.publish import snapshot, with_role
from eni_failover.core.snapshot import DecisionLine
from eni_failover.core.state import Sent, State, Takeover
from eni_failover.core.view import RESCUE_AFTER, View
from eni_failover.core.vocabulary import Action, Reason, Role, Trigger
from tests.core.builders import target


@dataclass(frozen=True)
class Pass:
    """One pass: what `step` was given, and what it gave back."""

    before: State
    obs: Observation
    policy: Policy
    after: State
    decision: Decision

    @property
    def view(self) -> View:
        return View(self.after, self.obs, self.policy)

    @property
    def moving(self) -> list[Detach | Attach]:
        return [call for call in self.decision.calls if isinstance(call, (Detach, Attach))]

    @property
    def takeover(self) -> Takeover | None:
        return self.after.durable.takeover

    @property
    def started(self) -> Trigger | None:
        """The trigger of the takeover that this pass began by itself."""
        if self.before.durable.takeover is not None or self.takeover is None:
            return None
        return None if self.takeover.trigger is Trigger.MANUAL else self.takeover.trigger

    @property
    def rescues(self) -> bool:
        """Row 6's last resort: on nobody for sixty seconds."""
        since = self.after.unowned_since
        return self.started is Trigger.UNOWNED and since is not None and self.obs.now - since >= RESCUE_AFTER


def one_action_one_reason_and_a_next_pass(one: Pass) -> None:
    """The reason is a word of the vocabulary, the next pass is in the future and not far."""
    assert isinstance(one.decision.action, Action)
    assert isinstance(one.decision.reason, Reason)
    assert one.obs.now < one.decision.pass_at <= one.obs.now + one.policy.observe_interval


def a_function_of_values(one: Pass) -> None:
    """The same again decides the same, and changes nothing that it was given."""
    before, obs = copy.deepcopy(one.before), copy.deepcopy(one.obs)

    assert step(one.before, one.obs, one.policy) == (one.after, one.decision)
    assert (before, obs) == (one.before, one.obs)


def at_most_one_call_for_each_eni(one: Pass) -> None:
    """And an instance is stopped alone."""
    targets = [target(call) for call in one.decision.calls]

    assert len(set(targets)) == len(targets)
    assert len(targets) == 1 or not any(isinstance(call, StopInstance) for call in one.decision.calls)


def nothing_known_calls_nothing(one: Pass) -> None:
    """A describe that failed never leads to a call, before or after the point of no return."""
    assert one.obs.enis.answered or one.decision.calls == ()


def a_detach_names_what_was_observed_and_recorded(one: Pass) -> None:
    """The compare half of the compare-and-swap, in the intent that is written before it."""
    observed = {eni.eni_id: eni.attachment for eni in one.obs.enis.enis}

    for call in one.moving:
        if isinstance(call, Detach):
            assert observed[call.eni_id].attachment_id == call.attachment_id
            assert one.takeover.move(call.eni_id).recorded == call.attachment_id


def the_lock_is_taken_by_the_id_of_the_intent(one: Pass) -> None:
    """From another member: never by an id that this pass has put in the place of the recorded one."""
    intent, first = one.before.durable.takeover, one.view.first

    for call in one.moving:
        if isinstance(call, Detach) and first and call.eni_id == first.eni_id and not one.view.is_mine(first):
            assert intent is None or intent.move(call.eni_id).recorded == call.attachment_id


def no_other_eni_moves_before_the_lock(one: Pass) -> None:
    """None is detached before the lock's detach was accepted, none attached before the lock is here."""
    first = one.view.first

    for call in one.moving:
        if first is not None and call.eni_id != first.eni_id:
            lock = one.takeover.move(first.eni_id)
            here = one.view.is_mine(first) or lock.attach is Sent.ACCEPTED
            assert here or (isinstance(call, Detach) and lock.detach is Sent.ACCEPTED)


def nothing_foreign_missing_or_unknown_is_touched(one: Pass) -> None:
    """Rows 1 and 2: leave it."""
    usable = {eni.eni_id for eni in one.view.usable}

    assert all(call.eni_id in usable for call in one.moving)


def every_move_belongs_to_a_takeover_on_disk(one: Pass) -> None:
    """The intent is in the durable state of the pass that calls; one that has ended calls nothing more."""
    assert one.takeover is not None or not one.moving
    assert one.takeover is None or one.decision.ended is None


def a_pause_starts_nothing_but_the_last_resort(one: Pass) -> None:
    """Row 6 after sixty seconds, and nothing else."""
    assert not one.view.is_paused or one.started is None or one.rescues


def startup_grace_starts_nothing_but_row_6(one: Pass) -> None:
    """Nothing is taken from anybody."""
    assert not one.view.in_grace or one.started in {None, Trigger.UNOWNED}


def observe_starts_nothing_by_itself(one: Pass) -> None:
    """It reports; and only observe mode reports."""
    if one.policy.takeover is TakeoverMode.OBSERVE:
        assert one.started is None
    else:
        assert one.decision.would is None


def an_unable_member_starts_nothing_but_the_last_resort(one: Pass) -> None:
    """Nothing is detached that this member could not attach."""
    idle = replace(one.after, durable=replace(one.after.durable, takeover=None))

    if one.started is not None and not one.rescues:
        assert why_not_able(View(idle, one.obs, one.policy)) is None


def attaches_ask_for_distinct_indexes(one: Pass) -> None:
    """No two of one pass ask for the same place, and none for that of the primary ENI."""
    indexes = [call.device_index for call in one.moving if isinstance(call, Attach)]

    assert len(set(indexes)) == len(indexes)
    assert all(index > 0 for index in indexes)


def a_takeover_ends_with_its_line_in_the_history(one: Pass) -> None:
    """What is gone has said how it ended; no phase is negative."""
    if one.before.durable.takeover is not None:
        assert (one.takeover is None) is (one.decision.ended is not None)
    if one.decision.ended is not None:
        assert all(seconds >= 0 for _, seconds in one.decision.ended.phases)


def _is_here_by_the_kernel(view: View, eni: Eni) -> bool:
    link = next(one for one in view.obs.links if one.eni_id == eni.eni_id)
    seen_eni = view.observed(eni.eni_id)
    assert seen_eni is not None
    return link.watched and link.is_ready and view.obs.enis.began_at - seen_eni.since < 1.0


def every_pass_can_be_shown(one: Pass) -> None:
    """Role and snapshot of any pass; active means that everything usable is attached here.

    Or was a second before by EC2's word, and is here by the kernel's.
    """
    view = View(with_role(one.view), one.obs, one.policy)
    line = DecisionLine(action=one.decision.action, reason=one.decision.reason, at_wall=one.obs.wall)
    shown = snapshot(view, version="1.2.3", last=line, takeovers=())

    assert len(shown.enis) == len(one.policy.eni_ids)
    assert shown.ready or any(check.result == "fail" for check in shown.checks)
    if shown.role is Role.ACTIVE and not view.unknown and view.state.known_at is not None:
        away = [eni for eni in view.usable if not view.is_attached_here(eni)]
        assert view.all_here or all(_is_here_by_the_kernel(view, eni) for eni in away)


ALL = (
    one_action_one_reason_and_a_next_pass,
    a_function_of_values,
    at_most_one_call_for_each_eni,
    nothing_known_calls_nothing,
    a_detach_names_what_was_observed_and_recorded,
    the_lock_is_taken_by_the_id_of_the_intent,
    no_other_eni_moves_before_the_lock,
    nothing_foreign_missing_or_unknown_is_touched,
    every_move_belongs_to_a_takeover_on_disk,
    a_pause_starts_nothing_but_the_last_resort,
    startup_grace_starts_nothing_but_row_6,
    observe_starts_nothing_by_itself,
    an_unable_member_starts_nothing_but_the_last_resort,
    attaches_ask_for_distinct_indexes,
    a_takeover_ends_with_its_line_in_the_history,
    every_pass_can_be_shown,
)
