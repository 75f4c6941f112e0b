"""Who would take over if the holder died now, by what the members say of themselves."""

from __future__ import annotations

from eni_failover.core.policy import InstanceId, Member, TakeoverMode
from eni_failover.core.snapshot import Check
from eni_failover.core.told import NextHolder
from eni_failover.core.view import View
from eni_failover.core.vocabulary import CheckResult, Reason

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
