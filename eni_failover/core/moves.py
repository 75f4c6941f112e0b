"""Carrying a takeover on: which call, if any, each ENI needs next.

The order within a takeover, for the lock L (the first ENI) and any other ENI X:

    L attached to the old holder --detach(recorded id)--> detaching --> available --attach--> here
                                     |                                                |
    X ...                            +--> X may be detached        X may be attached <+

so no other ENI is detached before the detach of L was accepted, and none is attached by a member
whose attach of L was not accepted. Every detach names an attachment id that this takeover recorded
(or, once L is here, the one just observed): EC2 refuses it when somebody else was faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eni_failover.core import outcomes
from eni_failover.core.decision import Attach, Call, Detach
from eni_failover.core.fitness import planned_indexes
from eni_failover.core.model import Attachment, AttachmentStatus, Eni
from eni_failover.core.outcomes import BACKOFF_CAP
from eni_failover.core.policy import EniId
from eni_failover.core.state import Move, Sent, Takeover
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Reason

ATTACH_BOUND = 60.0
GONE_CONFIRM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The takeover after this pass, the calls it makes, and the one word for what it waits for."""

    takeover: Takeover
    calls: tuple[Call, ...]
    reason: Reason


def why_lost(view: View, takeover: Takeover) -> Reason | None:
    """Why this takeover is lost, None while it is not.

    One describe that shows the first ENI elsewhere may be a stale read, of a holder before the recorded
    one even: a second one has to say it too.
    """
    first = view.first
    if first is None:
        return Reason.FOREIGN_HOLDER if view.foreign and not view.usable and not view.unknown else None
    gone_at = takeover.gone_at
    if gone_at is None or view.obs.enis.began_at < gone_at + GONE_CONFIRM:
        return None
    is_anothers = outcomes.is_anothers(view, takeover, first)
    return Reason.LOST_TO_ANOTHER if is_anothers else Reason.ATTACHMENT_GONE


def carry_on(view: View, takeover: Takeover) -> Step:
    """One pass of the takeover: at most one call for each ENI whose state is known."""
    if takeover.gone_at is not None:
        return Step(takeover=takeover, calls=(), reason=Reason.ATTACHMENT_GONE)
    indexes = planned_indexes(view, takeover)
    calls: list[Call] = []
    reason: Reason | None = None
    for eni in view.usable:
        move = takeover.move(eni.eni_id)
        move, call, why = _next(view, takeover, eni, move, indexes.get(eni.eni_id))
        takeover = _noted(view, takeover.with_move(move), eni, call)
        calls += [call] if call else []
        reason = reason or why
    return Step(takeover=takeover, calls=tuple(calls), reason=reason or Reason.ANSWER_PENDING)


def undoing(view: View, takeover: Takeover, waiting: tuple[Eni, ...]) -> tuple[Eni, ...]:
    """The ENIs here whose undoing has begun: this describe is older, or EC2 has refused the detach."""
    return tuple(
        eni
        for eni in view.usable
        if eni.attachment is not None
        and eni.attachment.attachment_id == takeover.move(eni.eni_id).recorded
        and (takeover.move(eni.eni_id).detach is not Sent.NO or eni in waiting)
    )


def undo(view: View, takeover: Takeover, enis: tuple[Eni, ...]) -> Step:
    """Detaches this member's own attachments of these ENIs, so that they can be attached afresh."""
    calls: list[Call] = []
    for eni, attachment in ((one, one.attachment) for one in enis if one.attachment is not None):
        move, call, _ = _undo(view, eni, attachment, takeover.move(eni.eni_id))
        takeover = _noted(view, takeover.with_move(move), eni, call)
        calls += [call] if call else []
    return Step(takeover=takeover, calls=tuple(calls), reason=Reason.DETACHING)


def why_barred(view: View, takeover: Takeover) -> Reason | None:
    """Why this member cannot have an unattached ENI, where nothing else is left to do; None while it may.

    Nothing else: the lock itself is out of reach, or all other ENIs are here.
    """
    indexes = planned_indexes(view, takeover)
    refused: dict[EniId, Reason] = {}
    for eni in view.usable:
        why = _why_refused(view, takeover.move(eni.eni_id), indexes.get(eni.eni_id))
        if eni.attachment is None and why is not None:
            refused[eni.eni_id] = why
    rest = [eni for eni in view.usable if eni.eni_id not in refused and not view.is_attached_here(eni)]
    is_over = (view.first is not None and view.first.eni_id in refused) or not rest
    return next(iter(refused.values()), None) if is_over else None


def _why_refused(view: View, move: Move, index: int | None) -> Reason | None:
    """Why no attach of this unattached ENI can succeed here; None while one may, or is on its way."""
    if move.attach is not Sent.NO:
        return None
    if move.barred:
        return Reason.ATTACH_REFUSED
    me = view.state.me
    if me is not None and me.state.is_ended and move.attempts:
        return Reason.INSTANCE_NOT_RUNNING
    return Reason.NO_INDEX if index is None else None


def has_hung_twice(view: View, takeover: Takeover) -> bool:
    """Whether an ENI's second attach has hung too: the takeover gives up (row 4)."""
    return any(
        view.is_mine(eni)
        and eni.attachment is not None
        and eni.attachment.attachment_id != move.recorded
        and move.reattached
        and move.attaching_since is not None
        and view.obs.enis.began_at - move.attaching_since >= ATTACH_BOUND
        for eni in view.usable
        for move in (takeover.move(eni.eni_id),)
    )


def _noted(view: View, takeover: Takeover, eni: Eni, call: Call | None) -> Takeover:
    if not isinstance(call, Detach):
        return takeover
    if takeover.detach_at is None:
        takeover = replace(takeover, detach_at=view.now)
    if view.first is not None and eni.eni_id == view.first.eni_id and view.is_mine(eni):
        # Undoing an attach of our own is no loss.
        takeover = replace(takeover, had_first=False)
    return takeover


Next = tuple[Move, Call | None, Reason | None]


def _next(view: View, takeover: Takeover, eni: Eni, move: Move, index: int | None) -> Next:
    attachment = eni.attachment
    is_lock = view.first is not None and eni.eni_id == view.first.eni_id
    lock_here = _lock_here(view, takeover)
    if attachment is None:
        if takeover.failing or not (is_lock or lock_here):
            return move, None, None
        return _attach(view, eni, move, index)
    if view.is_mine(eni):
        return _mine(view, takeover, eni, attachment, move)
    allowed = attachment.attachment_id == move.recorded
    if not allowed and lock_here and not is_lock:
        move, allowed = _record(move, attachment), True
    if not allowed or not (is_lock or lock_here or _lock_released(view, takeover)):
        return move, None, None
    return _detach(view, eni, attachment, move)


def _lock_here(view: View, takeover: Takeover) -> bool:
    """Whether this member has the lock, or its attach of it was accepted."""
    if view.first is not None:
        return view.is_mine(view.first) or takeover.move(view.first.eni_id).attach is Sent.ACCEPTED
    return takeover.had_first


def _lock_released(view: View, takeover: Takeover) -> bool:
    """Whether the detach of the lock was accepted, or EC2 shows its effect."""
    lock = view.first.eni_id if view.first else (takeover.moves[0].eni_id if takeover.moves else None)
    return lock is not None and takeover.move(lock).detach is Sent.ACCEPTED


def _record(move: Move, attachment: Attachment) -> Move:
    """The move, now meant for the attachment just observed."""
    return replace(
        move,
        recorded=attachment.attachment_id,
        detach=Sent.NO,
        detach_sent_at=None,
        detach_began_at=None,
        bad_state=False,
        attach=Sent.NO,
        attach_sent_at=None,
    )


def _mine(view: View, takeover: Takeover, eni: Eni, attachment: Attachment, move: Move) -> Next:
    if view.is_attached_here(eni):
        return move, None, None
    since = move.attaching_since
    # By the describe's time: this process may have stood still since, and EC2 not.
    stuck = since is not None and view.obs.enis.began_at - since >= ATTACH_BOUND
    if not stuck and not takeover.failing:
        return move, None, Reason.ATTACHING
    return _undo(view, eni, attachment, move)


def _undo(view: View, eni: Eni, attachment: Attachment, move: Move) -> Next:
    if attachment.attachment_id != move.recorded:
        refused = move.refused_indexes
        if move.attach_index is not None and attachment.status is AttachmentStatus.ATTACHING:
            refused = (*refused, move.attach_index)
        move = replace(_record(move, attachment), refused_indexes=refused, reattached=True)
    if move.throttled and view.obs.enis.began_at < (move.detach_sent_at or 0.0):
        # It is this member's own attachment: it may be a good one by now.
        return move, None, Reason.EC2_REFUSED
    return _detach(view, eni, attachment, move)


def _detach(view: View, eni: Eni, attachment: Attachment, move: Move) -> Next:
    began_at = move.detach_began_at
    detaching = attachment.status is AttachmentStatus.DETACHING
    if detaching and began_at is None:
        seen_eni = view.observed(eni.eni_id)
        began_at = view.now if seen_eni is None else seen_eni.seen_at
        move = replace(move, detach_began_at=began_at)
    force_after = view.policy.force_detach_after
    force = (
        force_after is not None
        and began_at is not None
        and view.obs.enis.began_at - began_at >= force_after
        and (detaching or move.bad_state)
    )
    if detaching and not force:
        return move, None, Reason.DETACHING
    if move.retry_at is not None and view.now < move.retry_at:
        accepted = move.detach is Sent.ACCEPTED and not move.attempts
        return move, None, Reason.FORCE_DETACH if accepted else Reason.EC2_REFUSED
    if move.detach is not Sent.NO and view.obs.enis.began_at < _settled_at(view, move, force=force):
        return move, None, Reason.ANSWER_PENDING if move.detach is Sent.UNANSWERED else Reason.DETACHING
    accepted = move.detach is Sent.ACCEPTED
    move = replace(
        move,
        detach=Sent.ACCEPTED if accepted else Sent.UNANSWERED,
        detach_sent_at=view.now,
        detach_began_at=view.now if began_at is None else began_at,
        # An accepted force that shows no effect is repeated, slowly.
        retry_at=view.now + BACKOFF_CAP if force else None,
    )
    call = Detach(eni_id=eni.eni_id, attachment_id=attachment.attachment_id, force=force)
    return move, call, Reason.FORCE_DETACH if force else Reason.DETACHING


def _settled_at(view: View, move: Move, *, force: bool) -> float:
    """From when on a describe must have begun to justify one more detach; force need not wait."""
    sent_at = 0.0 if move.detach_sent_at is None else move.detach_sent_at
    return sent_at if force else sent_at + view.policy.call_timeout


def _attach(view: View, eni: Eni, move: Move, index: int | None) -> Next:
    if move.attach is not Sent.NO:
        pending = move.attach is Sent.UNANSWERED
        return move, None, Reason.ANSWER_PENDING if pending else Reason.ATTACHING
    if _must_wait(view, move):
        return move, None, Reason.EC2_REFUSED
    if index is None:
        return move, None, Reason.NO_INDEX
    move = replace(move, attach=Sent.UNANSWERED, attach_sent_at=view.now, attach_index=index, retry_at=None)
    return move, Attach(eni_id=eni.eni_id, device_index=index), Reason.ATTACHING


def _must_wait(view: View, move: Move) -> bool:
    """Whether a refused attach may not be asked again yet: not so soon, nor on the look it was asked on.

    A refusal for want of quota says nothing about the ENI.

    The delays of the detach end with it: only a refused attach delays the next.
    """
    if move.attach_sent_at is None or move.retry_at is None:
        return False
    needs_look = not move.throttled and view.obs.enis.began_at < move.attach_sent_at
    return view.now < move.retry_at or needs_look
