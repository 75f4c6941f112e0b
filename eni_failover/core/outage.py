"""An outage as people must see it: since when, what holds this member back and until when, what to do.

It is an outage when the holder is down by its probes or by EC2's word, or when an ENI has no holder, and no
takeover is under way. A holder asks no probe about itself: it believes what the others say of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eni_failover.core import fitness, triggers
from eni_failover.core.model import Eni, NextHolder, Outage
from eni_failover.core.policy import InstanceId, Member, Policy, TakeoverMode
from eni_failover.core.readiness import checks, resume_command
from eni_failover.core.snapshot import Check
from eni_failover.core.state import Rest, rests_until
from eni_failover.core.triggers import Cause, is_being_stopped
from eni_failover.core.view import RESCUE_AFTER, View, are_late
from eni_failover.core.vocabulary import CheckResult, Reason, Scope, Trigger

NEVER = float("inf")

_TAKE = "eni-failover takeover"
_BY_HAND = {
    Reason.WITNESSES_DOWN: f"this host may be cut off; where it is not: {_TAKE}",
    Reason.UNPROVEN_HOLDER: f"to move it sooner: {_TAKE}",
    Reason.COOLDOWN: f"to move it sooner: {_TAKE}",
    Reason.STARTUP_GRACE: f"to move it sooner: {_TAKE}",
    Reason.NOT_MY_TURN: f"to move it sooner: {_TAKE}",
    Reason.LOOP_LAG: f"give this host CPU, or: {_TAKE}",
    Reason.FENCING: f"see the holder's instance in EC2, or: {_TAKE}",
    Reason.LIMIT_REACHED: f"fix what moves the group, then: eni-failover resume; once: {_TAKE}",
    Reason.GROUP_SPLIT: f"on the member that is to have all of it: {_TAKE}",
}

Hold = tuple[Reason, float]
"""What holds this member back, and until when: infinity where only a person ends it."""


def outage(view: View) -> Outage | None:
    """The outage that this member sees; None when there is none, or a takeover is under way."""
    if view.takeover is not None or view.somebody_takes or view.is_moving:
        return None
    return _unserved(view) or _unknown(view) or _broken(view) or _late(view) or _told(view)


def _unserved(view: View) -> Outage | None:
    """A cause for a takeover is there: nobody has the first ENI, or its holder is down."""
    for find in (triggers.unowned, triggers.ec2, triggers.probes):
        cause = None if view.unknown else find(view)
        if cause is not None:
            return _of_candidate(view, cause)
    return None


def _of_candidate(view: View, cause: Cause) -> Outage:
    since = min(cause.cause_at, view.now if view.state.caused_at is None else view.state.caused_at)
    if view.policy.takeover is TakeoverMode.OBSERVE:
        return _made(view, since, Reason.OBSERVES, NEVER, _TAKE)
    holds = list(_holds(view, cause.trigger))
    reason, until = cause.reason, triggers.turn_at(view, cause.trigger)
    if holds:
        reason, until = holds[0][0], max(end for _, end in holds) + _turn_after(view, cause.trigger)
    if cause.trigger is Trigger.UNOWNED:
        until = min(until, max(since + RESCUE_AFTER, rests_until(view.state, Rest.RESCUE)))
        me = view.state.me
        if me is not None and me.state.is_ended:
            until = NEVER
    if not holds and until > view.now:
        reason = Reason.NOT_MY_TURN
    return _made(view, since, reason, until, _remedy(view, reason))


def _turn_after(view: View, trigger: Trigger) -> float:
    """How long this member waits for its turn once nothing else holds it back."""
    if trigger is Trigger.UNOWNED:
        return view.unowned_wait
    return NEVER if view.turn is None else view.policy.stagger * view.turn


def _holds(view: View, trigger: Trigger) -> Iterator[Hold]:
    """Everything that keeps this member from acting on the cause, in the order of the rows."""
    if trigger is not Trigger.UNOWNED and view.foreign_until > view.now:
        yield Reason.FOREIGN_HOLDER, view.foreign_until
    if view.paused_until is not None:
        # What was seen before its end counts no more.
        again = (detection(view.policy) or 0.0) if trigger is Trigger.PROBES else 0.0
        yield Reason.PAUSED, view.paused_until + again
    if trigger is not Trigger.UNOWNED and view.in_grace:
        yield Reason.STARTUP_GRACE, view.state.started_at + view.policy.startup_grace
    if trigger is Trigger.UNOWNED and rests_until(view.state, Rest.RESCUE) > view.now:
        yield Reason.COOLDOWN, rests_until(view.state, Rest.RESCUE)
    if trigger is not Trigger.UNOWNED and is_being_stopped(view):
        yield Reason.FENCING, NEVER
    if trigger is Trigger.PROBES and triggers.unproven_until(view) > view.now:
        yield Reason.UNPROVEN_HOLDER, triggers.unproven_until(view)
    unfit = fitness.why_not_fit(view)
    if unfit is not None:
        yield unfit, _fit_at(view, unfit)
    if trigger is Trigger.PROBES:
        yield from _probes_holds(view)


def detection(policy: Policy) -> float | None:
    """The longest time, in seconds, from a holder's death until its probes find it down; None without any.

    It counts as down with the `down_needed`-th of them.
    """
    times = sorted(probe.worst_case for probe in policy.probes if probe.scope is Scope.HOLDER)
    return times[policy.down_needed - 1] if times else None


def _probes_holds(view: View) -> Iterator[Hold]:
    if not view.witnesses_up:
        yield Reason.WITNESSES_DOWN, NEVER
    for reason, until in (
        (Reason.COOLDOWN, triggers.cooldown_until(view)),
        (Reason.LIMIT_REACHED, triggers.limit_until(view)),
        (Reason.FENCE_REFUSED, rests_until(view.state, Rest.FENCE)),
    ):
        if until > view.now:
            yield reason, until


def _fit_at(view: View, unfit: Reason) -> float:
    """When this ends by itself."""
    if unfit is Reason.ATTACH_REFUSED:
        return fitness.barred_until(view)
    if unfit is Reason.LOOP_LAG and view.state.stalled_at is not None:
        return view.state.stalled_at + fitness.STALL_MEMORY
    return NEVER


def _unknown(view: View) -> Outage | None:
    """The probes say down while EC2 is silent: nothing can be decided, and people must know."""
    down = triggers.downs(view)
    if not view.unknown or not down or len(down) < view.policy.down_needed:
        return None
    since = min(view.now if one.down_since is None else one.down_since for one in down)
    return _made(view, since, Reason.ENI_UNKNOWN, NEVER, _remedy(view, Reason.EC2_SILENT))


def _broken(view: View) -> Outage | None:
    """An ENI of the group is on no member: deleted, on a stranger's instance, or left behind by the first."""
    for enis, reason in (
        (view.missing, Reason.ENI_MISSING),
        (view.foreign, Reason.FOREIGN_HOLDER),
        (_left_behind(view), Reason.GROUP_SPLIT),
    ):
        if enis:
            observed = [seen_eni for eni in enis if (seen_eni := view.observed(eni.eni_id)) is not None]
            since = min((seen_eni.since for seen_eni in observed), default=view.now)
            return _made(view, since, reason, _together_at(view, reason), _remedy(view, reason))
    return None


def _left_behind(view: View) -> tuple[Eni, ...]:
    return tuple(eni for eni in view.usable if eni.attachment is None and eni is not view.first)


def _together_at(view: View, reason: Reason) -> float:
    """When the member that has the first ENI brings the others to it (row 8)."""
    if reason is not Reason.GROUP_SPLIT or not view.i_hold or fitness.why_not_able(view) is not None:
        return NEVER
    moved_at = view.now if view.state.moved_at is None else view.state.moved_at
    ends = [moved_at + triggers.SPLIT_AFTER, rests_until(view.state, Rest.SPLIT)]
    waits = triggers.why_rest_waits(view)
    if waits is Reason.PAUSED:
        ends.append(view.paused_until or NEVER)
    return max(ends)


def _late(view: View) -> Outage | None:
    """This member holds everything, and its links do not serve it."""
    since = view.state.not_ready_since
    if not view.all_here or not are_late(view) or since is None:
        return None
    return _made(view, since, Reason.LINK_NOT_READY, NEVER, _remedy(view, Reason.LINK_NOT_READY))


def _told(view: View) -> Outage | None:
    """What another member says of this holder: it alone asks the probes."""
    if not view.i_hold:
        return None
    told = ((peer.member, peer.outage) for peer in view.obs.peers if peer.reachable and peer.outage)
    return next((replace(one, remedy=f"{name}: {one.remedy}") for name, one in told if one.remedy), None)


def _remedy(view: View, reason: Reason) -> str:
    if reason is Reason.PAUSED:
        return f"{resume_command(view)}, or once: {_TAKE}"
    if reason in _BY_HAND:
        return _BY_HAND[reason]
    failing = (check.remedy for check in checks(view) if reason in check.detail.split() and check.remedy)
    return next(failing, _TAKE)


def _made(view: View, since: float, reason: Reason, until: float, remedy: str) -> Outage:
    wall = view.obs.wall - view.now
    ends = None if until == NEVER else wall + max(until, view.now)
    return Outage(since_wall=wall + since, reason=reason, ends_at_wall=ends, remedy=remedy)


READY = "ready"

# What is only a warning about this member, and still keeps it from taking over by itself.
_HOLDING_BACK = {Reason.PAUSED, Reason.LIMIT_REACHED}


def next_holder(view: View, lines: tuple[Check, ...]) -> NextHolder:
    """The first in turn that says of itself that it could; else nobody, with the first one's reason.

    `lines` are this member's readiness checks.
    """
    if view.policy.takeover is TakeoverMode.OBSERVE:
        return NextHolder(member=None, reason=Reason.OBSERVES)
    others = _in_turn(view)
    whys = [(member, _why_not(view, member, lines)) for member in others]
    for member, why in whys:
        if not why:
            return NextHolder(member=member.name, reason=READY)
    return NextHolder(member=None, reason=whys[0][1] if whys else Reason.NO_OTHER_MEMBER)


def reasons(lines: tuple[Check, ...]) -> tuple[str, ...]:
    """Why a member could not take over, by its checks: one word each, what fails before what only warns."""
    return (*_words(lines, CheckResult.FAIL), *_words(lines, CheckResult.WARN))


def _words(lines: tuple[Check, ...], result: CheckResult) -> tuple[str, ...]:
    return tuple((line.detail.split() or [line.name])[0] for line in lines if line.result is result)


def _in_turn(view: View) -> list[Member]:
    """All but the holder, in file order; where there is none, the one that last had it is the last."""
    last_had = view.state.durable.last_had
    if view.holder is not None:
        return [one for one in view.policy.members if one.instance_id != view.holder.instance_id]
    return sorted(view.policy.members, key=lambda one: one.instance_id == last_had)


def _why_not(view: View, member: Member, lines: tuple[Check, ...]) -> str:
    if member.instance_id == view.policy.me.instance_id:
        return _first(reasons(lines), is_ready=all(one.result is not CheckResult.FAIL for one in lines))
    return _why_not_peer(view, member.instance_id)


def _why_not_peer(view: View, instance_id: InstanceId) -> str:
    peer = view.peer(instance_id)
    if peer is None or not peer.reachable:
        return Reason.PEER_SILENT
    if peer.paused:
        return Reason.PAUSED
    return _first(peer.reasons, is_ready=peer.ready)


def _first(words: tuple[str, ...], *, is_ready: bool) -> str:
    """The first word that counts, empty when none does."""
    if not is_ready:
        return next(iter(words), Reason.NOT_READY)
    return next((word for word in words if word in _HOLDING_BACK), "")
