"""When to look again: the next describe, the next look at the instances, the next pass.

Everything that only the passing of time can change has its moment here, so that no pass is late and
none is for nothing. All results are absolute monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eni_failover.core import fitness, idle, triggers
from eni_failover.core.decision import Decision
from eni_failover.core.model import AttachmentStatus, Presence, Verdict
from eni_failover.core.moves import ATTACH_BOUND
from eni_failover.core.outcomes import backoff
from eni_failover.core.polls import QUOTA_LOOK, next_look
from eni_failover.core.state import Takeover
from eni_failover.core.takeover import begins_on_instances, confirm_due_at, is_word_old
from eni_failover.core.triggers import is_being_stopped
from eni_failover.core.view import CONFIRM_AFTER, READY_BOUND, RESCUE_AFTER, View, doubted_until, lost_at
from eni_failover.core.vocabulary import Action, Result, Role, Scope, Trigger

RETRY_FIRST = 0.25
RETRY_CAP = 5.0
CALM_RETRIES = 3  # observe intervals, at most, between two looks that nobody waits for
UNOWNED_INTERVAL = 1.0
INSTANCES_EVERY = 2  # looks at the ENIs
INSTANCES_SPACING = 1.0

_RESTS_ON_HOLDER = {Trigger.EC2, Trigger.PROBES}
_SURPRISES = {Verdict.GONE, Verdict.IN_USE}


def schedule(view: View, decision: Decision) -> Decision:
    """The decision with its times. `view` is the pass's, with the state that the rules left."""
    surprised = any(one.verdict in _SURPRISES for one in view.obs.outcomes)
    failed = decision.ended is not None and decision.ended.result != Result.SUCCESS
    at_once = failed or surprised
    interval = idle.look_interval(view)
    describe_at = view.now if at_once else _describe_at(view, interval)
    if decision.calls:
        # The next pass comes when they are answered: a look before that would tell nobody anything.
        describe_at = max(describe_at, view.now + view.policy.call_timeout)
    return replace(
        decision,
        describe_at=describe_at,
        instances_at=_instances_at(view, decision, interval),
        pass_at=min(one for one in _moments(view) if one > view.now),
    )


def _describe_at(view: View, interval: float) -> float:
    survey, policy = view.obs.enis, view.policy
    if not survey.answered:
        return survey.began_at + _describe_retry(view)
    confirm = view.state.confirm
    gone_at = lost_at(view)
    if (confirm is not None and survey.began_at <= confirm.since) or (
        gone_at is not None and survey.began_at <= gone_at
    ):
        return view.now
    if view.takeover is not None or view.is_moving:
        return next_look(view)
    times = [survey.began_at + interval]
    times += [
        seen_eni.seen_at + CONFIRM_AFTER
        for seen_eni in view.state.observed
        if seen_eni.status == Presence.MISSING and survey.began_at < seen_eni.seen_at + CONFIRM_AFTER
    ]
    since = view.state.not_ready_since
    if since is not None and survey.began_at < since + READY_BOUND:
        times.append(since + READY_BOUND)
    doubted = doubted_until(view)
    if view.state.role is Role.ACTIVE and doubted is not None:
        times.append(doubted)
    if view.is_unowned or (view.i_hold and view.somebody_takes):
        times.append(survey.began_at + UNOWNED_INTERVAL)
    if view.state.request is not None:
        times.append(survey.began_at + policy.move_interval)
    return min(times)


def _describe_retry(view: View) -> float:
    """How long after a failed describe the next one is.

    A refused one is no news, and no reason to ask sooner: where nobody waits for the answer, the account's
    bucket is left to those who do.
    """
    failures, interval = view.state.describe_failures, view.policy.observe_interval
    if _is_calm(view):
        return backoff(failures - 1, view.obs.jitter, first=interval, longest=CALM_RETRIES * interval)
    return backoff(failures, view.obs.jitter, first=RETRY_FIRST, longest=min(RETRY_CAP, interval))


def _is_calm(view: View) -> bool:
    """Whether nobody here waits for EC2's next word about the ENIs, by all that is known."""
    state = view.state
    if view.is_at_work or state.known_at is None or state.unowned_since is not None or view.somebody_takes:
        return False
    is_settled = all(seen_eni.status == AttachmentStatus.ATTACHED for seen_eni in state.observed)
    return is_settled and lost_at(view) is None and not _first_downs(view)


def _instances_at(view: View, decision: Decision, interval: float) -> float:
    survey = view.obs.instances
    steady = survey.began_at + INSTANCES_EVERY * interval
    if not survey.answered:
        return survey.began_at + _instances_retry(view)
    times = [steady]
    absent, moved_at = view.state.absent_holder, view.state.moved_at
    takeover = view.takeover
    is_committed = takeover is not None and takeover.is_committed
    if moved_at is not None and not is_committed and survey.began_at < moved_at + CONFIRM_AFTER:
        # What an instance has room for changes with every move.
        times.append(moved_at + CONFIRM_AFTER)
    if absent is not None and not absent.confirmed:
        times.append(absent.since + CONFIRM_AFTER)
    if takeover is not None and takeover.fence_began_at is not None and not takeover.committed:
        times.append(survey.began_at + INSTANCES_SPACING)
    if takeover is not None and takeover.trigger in _RESTS_ON_HOLDER and not takeover.committed:
        # EC2's word about the holder is asked again until the point of no return, and not on an old answer.
        spacing = QUOTA_LOOK if view.waits_for_quota else INSTANCES_SPACING
        times.append(max(survey.began_at, takeover.started_at) + spacing)
    spacing = QUOTA_LOOK if view.is_short_of_calls else view.policy.observe_interval
    if decision.action is Action.CONFIRM and survey.began_at <= view.now - spacing:
        times.append(view.now)
    confirm = view.state.confirm
    if (
        confirm is not None
        and survey.began_at <= confirm.since
        and begins_on_instances(view, confirm.trigger)
    ):
        times.append(view.now)
    if is_being_stopped(view) or (takeover is not None and is_word_old(view, takeover)):
        times.append(survey.began_at + INSTANCES_SPACING)
    if any(since > survey.began_at for since in _first_downs(view)):
        times.append(max(view.now, survey.began_at + INSTANCES_SPACING))
    return min(times)


def _instances_retry(view: View) -> float:
    """How long after a failed look at the instances the next one is: a second where one is waited for."""
    confirm, takeover = view.state.confirm, view.takeover
    awaited = confirm is not None and begins_on_instances(view, confirm.trigger)
    fenced = takeover is not None and takeover.fence_began_at is not None
    if awaited or (
        takeover is not None and not takeover.committed and (fenced or takeover.trigger is Trigger.EC2)
    ):
        return INSTANCES_SPACING
    if view.is_short_of_calls:
        return QUOTA_LOOK
    longest = INSTANCES_EVERY * view.policy.observe_interval
    if view.is_unowned or _first_downs(view):
        longest = min(longest, RETRY_CAP)
    return backoff(view.state.instances_failures, view.obs.jitter, first=INSTANCES_SPACING, longest=longest)


def _first_downs(view: View) -> list[float]:
    """When each holder probe that fails now began to."""
    found = (health.down_since for health in view.state.health if health.probe.scope is Scope.HOLDER)
    return [since for since in found if since is not None]


def _moments(view: View) -> Iterator[float]:
    """Every moment at which time alone may change the decision or what is published."""
    state, policy = view.state, view.policy
    yield view.now + policy.observe_interval
    for trigger in (Trigger.UNOWNED, Trigger.EC2, Trigger.PROBES):
        yield triggers.turn_at(view, trigger)
    yield triggers.unproven_until(view)
    yield triggers.cooldown_until(view)
    yield triggers.limit_until(view)
    yield triggers.failback_at(view) or 0.0
    yield confirm_due_at(view) or 0.0
    yield state.started_at + policy.startup_grace
    yield view.paused_until or 0.0
    yield view.moving_until or 0.0
    yield view.stuck_at or 0.0
    yield view.foreign_until
    yield fitness.barred_until(view)
    yield from (until for _, until in state.rests)
    for since, after in (
        (state.unowned_since, RESCUE_AFTER),
        (state.moved_at, triggers.SPLIT_AFTER),
        (state.not_ready_since, READY_BOUND),
        (state.stalled_at, fitness.STALL_MEMORY),
    ):
        if since is not None:
            yield since + after
    if state.request is not None:
        yield state.request.deadline
    if view.takeover is not None:
        yield from _takeover_moments(view, view.takeover)


def _takeover_moments(view: View, takeover: Takeover) -> Iterator[float]:
    if takeover.deadline_at is not None and not takeover.is_committed:
        yield takeover.deadline_at
    if takeover.fence_retry_at is not None:
        yield takeover.fence_retry_at
    if takeover.link_since is not None:
        yield takeover.link_since + READY_BOUND
    for move in takeover.moves:
        if move.retry_at is not None:
            yield move.retry_at
        if move.attaching_since is not None:
            yield move.attaching_since + ATTACH_BOUND
        if move.detach_began_at is not None and view.policy.force_detach_after is not None:
            yield move.detach_began_at + view.policy.force_detach_after
