"""From what is known and decided to what is shown: the role, and the snapshot of a pass."""

from __future__ import annotations

from eni_failover.core.frozen import changed
from eni_failover.core.model import Eni, Expected, History, NextHolder, Presence
from eni_failover.core.outage import detection, next_holder, outage
from eni_failover.core.policy import EniId, Member
from eni_failover.core.readiness import checks, merged
from eni_failover.core.snapshot import Check, DecisionLine, EniLine, ProbeLine, Snapshot, TakeoverLine
from eni_failover.core.state import State
from eni_failover.core.takeover import phase
from eni_failover.core.view import View, are_late, doubted_until, lost_at, not_ready
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, CheckResult, Role


def with_role(view: View) -> State:
    """The state with the role this pass shows.

    No role is known before EC2 has shown every ENI, this host's links were looked at, and those of a
    holder are ready or late: a holder's daemon that starts again must not tell its hooks that it is a
    standby first.
    """
    blind = not all(link.is_known for link in view.obs.links)
    if view.state.known_at is None or (blind and not view.state.role_known):
        return view.state
    role = _role(view)
    is_open = role is Role.STANDBY and view.all_here and lost_at(view) is None
    return changed(view.state, role=role, role_known=view.state.role_known or not is_open)


def _role(view: View) -> Role:
    before, gone_at = view.state.role, lost_at(view)
    if view.unknown:
        # The kernel is all there is: it can take a role away, and it cannot give one.
        return before if gone_at is None or before is Role.FAULT else Role.STANDBY
    if not view.all_here:
        if before is Role.ACTIVE and view.takeover is None and doubted_until(view) is not None:
            return before
        return Role.STANDBY if view.takeover is None else Role.TAKING
    if gone_at is not None:
        # Only a describe begun after the loss can say that EC2 still sees the ENI here.
        return Role.STANDBY if view.obs.enis.began_at <= gone_at else Role.FAULT
    if not not_ready(view):
        return Role.ACTIVE
    return _role_without_links(view)


def _role_without_links(view: View) -> Role:
    """Everything is attached here and the links are not ready: a fault, but only after a while."""
    if are_late(view):
        return Role.FAULT
    if view.takeover is not None:
        return Role.TAKING
    return view.state.role if view.state.role in {Role.ACTIVE, Role.FAULT} else Role.STANDBY


def snapshot(
    view: View,
    *,
    version: str,
    last: DecisionLine,
    takeovers: tuple[History, ...],
    slow: tuple[Check, ...] = (),
) -> Snapshot:
    """The view of this pass for everything outside the loop; `slow` checks are made beside it."""
    state, policy = view.state, view.policy
    lines = merged(checks(view), slow)
    healthy = all(line.result is not CheckResult.FAIL for line in lines)
    following = next_holder(view, lines)
    if view.i_hold:
        lines = (*lines, _next_holder_check(following))
    links_ready = not not_ready(view)
    return Snapshot(
        version=version,
        group=policy.group,
        member=policy.me.name,
        instance_id=policy.me.instance_id,
        config_hash=policy.config_hash,
        role=state.role,
        holder=_holder(view),
        at_wall=view.obs.wall,
        at=view.now,
        enis=tuple(_eni_line(view, eni) for eni in view.enis),
        probes=_probe_lines(view),
        ready=(state.role is Role.ACTIVE and links_ready) or healthy,
        links_ready=links_ready,
        checks=lines,
        decision=last,
        pause=state.durable.pause,
        local_pause=state.durable.local_pause,
        paused=view.is_paused,
        takeover=_takeover_line(view),
        takeovers=takeovers,
        peers=view.obs.peers,
        outage=outage(view),
        expected=_expected(view),
        next_holder=following,
    )


def _expected(view: View) -> Expected:
    durable = view.state.durable
    return Expected(
        detect=detection(view.policy),
        detach=durable.detach_took[0] if durable.detach_took else None,
        attach=durable.attach_took[0] if durable.attach_took else None,
    )


def _next_holder_check(following: NextHolder) -> Check:
    """A holder that nobody could follow serves on: a warning, no failure."""
    if following.member is not None:
        return Check(name="next_holder", result=CheckResult.PASS)
    remedy = "see 'eni-failover status' on the members that are to take over"
    return Check(name="next_holder", result=CheckResult.WARN, detail=following.reason, remedy=remedy)


def _holder(view: View) -> str:
    if view.holder is not None:
        return view.holder.name
    if view.first is None and view.unknown:
        return UNKNOWN
    return FOREIGN if view.foreign and not view.usable else NOBODY


def _eni_line(view: View, eni: Eni) -> EniLine:
    if eni in view.unknown:
        return EniLine(eni_id=eni.eni_id, status=eni.presence, member=UNKNOWN)
    owner, attachment = view.owner(eni), eni.attachment
    member = owner.name if owner else (FOREIGN if view.is_foreign(eni) else NOBODY)
    unattached = "available" if eni.presence is Presence.KNOWN else eni.presence
    return EniLine(
        eni_id=eni.eni_id,
        status=unattached if attachment is None else attachment.status,
        member=member,
        attachment_id=None if attachment is None else attachment.attachment_id,
        addresses=eni.private_addresses,
        unowned_since_wall=_wall(view, _unowned_since(view, eni.eni_id)) if member == NOBODY else None,
    )


def _unowned_since(view: View, eni_id: EniId) -> float:
    seen_eni = view.observed(eni_id)
    return view.now if seen_eni is None or seen_eni.unowned_since is None else seen_eni.unowned_since


def _wall(view: View, at: float) -> float:
    return view.obs.wall - (view.now - at)


def _probe_lines(view: View) -> tuple[ProbeLine, ...]:
    return tuple(
        ProbeLine(
            name=health.probe.name,
            scope=health.probe.scope,
            member=_name_now(view, health.member),
            state=health.verdict,
            consecutive=health.consecutive,
            detail=health.detail,
        )
        for health in view.state.health
    )


def _name_now(view: View, asked: Member | None) -> str:
    """What the member is called by now: a reload may have renamed it since it was asked."""
    member = None if asked is None else view.policy.member_of(asked.instance_id)
    return member.name if member else NOBODY


def _takeover_line(view: View) -> TakeoverLine | None:
    takeover = view.takeover
    if takeover is None:
        return None
    return TakeoverLine(
        takeover_id=takeover.takeover_id,
        trigger=takeover.trigger,
        phase=phase(takeover),
        since_wall=takeover.started_wall,
        reason=takeover.reason,
        detail=takeover.detail,
    )
