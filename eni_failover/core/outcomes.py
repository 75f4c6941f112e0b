"""What is known of a takeover's own calls: their answers, and their effects as EC2 shows them.

Owns the point of no return. A call that was never answered counts as accepted until a describe,
begun when the call can no longer take effect, shows that nothing came of it (neither call has a
client token, so asking again is no way to find out).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from eni_failover.core.model import AttachmentStatus, Eni, Mutation, Outcome, Verdict
from eni_failover.core.policy import Policy
from eni_failover.core.state import Move, Sent, Takeover
from eni_failover.core.view import View

BACKOFF_FIRST = 0.25
BACKOFF_CAP = 5.0
THROTTLED_FIRST = 1.0
THROTTLED_CAP = 8.0
LATE = 2.0  # beyond its time-outs a call waits for a thread, and its caller for the loop


def is_barred(policy: Policy, outcome: Outcome) -> bool:
    """Whether EC2 has refused this member an attach in earnest: the next one would fare no better."""
    if outcome.mutation is not Mutation.ATTACH:
        return False
    spoilt = outcome.verdict is Verdict.INDEX_TAKEN and policy.device_index is not None
    return spoilt or outcome.verdict in {Verdict.LIMIT, Verdict.REFUSED, Verdict.DENIED}


def doubled(first: float, times: int, longest: float) -> float:
    """`first` doubled so many times, `longest` at most; seconds."""
    return min(longest, first * 2.0 ** min(times, 10))


def backoff(
    attempts: int, jitter: float, *, first: float = BACKOFF_FIRST, longest: float = BACKOFF_CAP
) -> float:
    """Seconds to wait after this many failures in a row: doubled each time, jittered down to half."""
    return doubled(first, attempts, longest) * (0.5 + jitter / 2)


def retry_delay(outcome: Outcome, attempts: int, jitter: float) -> float:
    """How long after this refusal, the `attempts`-th in a row, the next attempt is made, seconds.

    When the account's quota is used up, others wait for it too: each takes a random part of a time that
    doubles, so that they come one after another.
    """
    if outcome.verdict is not Verdict.THROTTLED:
        return backoff(attempts, jitter)
    return max(outcome.retry_after, doubled(THROTTLED_FIRST, attempts - 1, THROTTLED_CAP) * jitter)


def learn(view: View, takeover: Takeover) -> Takeover:
    """The takeover after this pass's answers and, when it is new, this pass's survey."""
    for outcome in view.obs.outcomes:
        takeover = _answered(view, takeover, outcome)
    if view.obs.enis.answered:
        if view.first is not None and _is_taken_away(view, takeover, view.first):
            takeover = replace(takeover, had_first=True)
        for eni in view.usable:
            takeover = _seen(view, takeover, eni)
        takeover = _first_seen(view, takeover)
    return takeover


def _answered(view: View, takeover: Takeover, outcome: Outcome) -> Takeover:
    match outcome.mutation:
        case Mutation.STOP:
            return _fence_answered(view, takeover, outcome)
        case Mutation.DETACH:
            return _detach_answered(view, takeover, outcome)
        case Mutation.ATTACH:
            return _attach_answered(view, takeover, outcome)
        case Mutation.KEEP_ON_TERMINATION:
            return takeover
        case _:
            assert_never(outcome.mutation)


def _fence_answered(view: View, takeover: Takeover, outcome: Outcome) -> Takeover:
    if outcome.verdict is Verdict.ACCEPTED:
        return replace(takeover, fence=Sent.ACCEPTED, fence_retry_at=None, fence_attempts=0)
    if outcome.verdict in {Verdict.DENIED, Verdict.REFUSED, Verdict.LIMIT}:
        return replace(takeover, fence=Sent.NO, fence_refused=True)
    attempts = takeover.fence_attempts + 1
    return replace(
        takeover,
        fence=Sent.UNANSWERED if outcome.verdict is Verdict.UNANSWERED else Sent.NO,
        fence_attempts=attempts,
        fence_retry_at=view.now + retry_delay(outcome, attempts, view.obs.jitter),
    )


def _refused(view: View, move: Move, outcome: Outcome) -> Move:
    if outcome.not_sent:
        return replace(move, throttled=False, retry_at=view.now + BACKOFF_FIRST)
    attempts = move.attempts + 1
    return replace(
        move,
        attempts=attempts,
        throttled=outcome.verdict is Verdict.THROTTLED,
        retry_at=view.now + retry_delay(outcome, attempts, view.obs.jitter),
    )


def _detach_answered(view: View, takeover: Takeover, outcome: Outcome) -> Takeover:
    move = next((one for one in takeover.moves if one.eni_id == outcome.target), None)
    if move is None:
        return takeover
    if outcome.verdict is Verdict.ACCEPTED:
        # The call may have left late: what EC2 has not begun before its answer is not stuck since before.
        again = move.detach is Sent.ACCEPTED
        began_at = move.detach_began_at if again else outcome.ended_at
        move = replace(
            move, detach=Sent.ACCEPTED, detach_began_at=began_at, bad_state=False, attempts=0, throttled=False
        )
        return replace(takeover.with_move(move), committed=True)
    if outcome.verdict is Verdict.UNANSWERED:
        move = replace(move, detach_sent_at=outcome.sent_at, throttled=False)
        if outcome.ended_at - outcome.sent_at > view.policy.call_timeout + LATE:
            # Nobody waits for so long: this process stood still, and the call may leave only now.
            move = replace(move, detach_sent_at=outcome.ended_at, detach_began_at=None)
        return takeover.with_move(move)
    # A refused repetition of an accepted detach takes nothing back.
    detach = Sent.ACCEPTED if move.detach is Sent.ACCEPTED else Sent.NO
    bad_state = move.bad_state or outcome.verdict is Verdict.BAD_STATE
    # The force ladder counts from a detach that EC2 took, or refused as out of order.
    began_at = move.detach_began_at if bad_state or detach is Sent.ACCEPTED else None
    move = replace(move, detach=detach, detach_began_at=began_at, bad_state=bad_state)
    return takeover.with_move(_refused(view, move, outcome))


def _attach_answered(view: View, takeover: Takeover, outcome: Outcome) -> Takeover:
    move = next((one for one in takeover.moves if one.eni_id == outcome.target), None)
    if move is None:
        return takeover
    if outcome.verdict is Verdict.UNANSWERED:
        return takeover.with_move(replace(move, attach_sent_at=outcome.sent_at, throttled=False))
    if outcome.verdict is Verdict.ACCEPTED:
        move = replace(move, attach=Sent.ACCEPTED, attempts=0, throttled=False, retry_at=None)
        return replace(takeover.with_move(move), committed=True)
    move = replace(move, attach=Sent.NO, barred=is_barred(view.policy, outcome))
    if outcome.verdict is Verdict.INDEX_TAKEN and move.attach_index is not None:
        refused = (*move.refused_indexes, move.attach_index)
        first_time = move.attach_index not in move.refused_indexes
        move = replace(move, refused_indexes=refused)
        if first_time:
            return takeover.with_move(replace(move, retry_at=None))
    return takeover.with_move(_refused(view, move, outcome))


def _seen(view: View, takeover: Takeover, eni: Eni) -> Takeover:
    move = takeover.move(eni.eni_id)
    move, committed = _detach_seen(view, move, eni)
    move = _attach_seen(view, move, eni)
    committed = committed or (move.attach is Sent.ACCEPTED)
    return replace(takeover.with_move(move), committed=takeover.committed or committed)


def _detach_seen(view: View, move: Move, eni: Eni) -> tuple[Move, bool]:
    survey_at, sent_at = view.obs.enis.began_at, move.detach_sent_at
    if move.detach is Sent.NO or sent_at is None or survey_at < sent_at:
        # What a refused detach cannot have done, somebody else has.
        return move, False
    attachment = eni.attachment
    untouched = (
        attachment is not None
        and attachment.attachment_id == move.recorded
        and attachment.status is not AttachmentStatus.DETACHING
    )
    if not untouched:
        return replace(move, detach=Sent.ACCEPTED), True
    if move.detach is Sent.UNANSWERED and survey_at >= sent_at + view.policy.call_timeout:
        began_at = move.detach_began_at if move.bad_state else None
        move = replace(move, detach=Sent.NO, detach_began_at=began_at)
    return move, False


def _attach_seen(view: View, move: Move, eni: Eni) -> Move:
    survey_at, sent_at = view.obs.enis.began_at, move.attach_sent_at
    if view.is_mine(eni):
        attaching = not view.is_attached_here(eni)
        since = (move.attaching_since or view.now) if attaching else None
        attach = Sent.ACCEPTED if sent_at is not None and survey_at >= sent_at else move.attach
        return replace(move, attach=attach, attaching_since=since)
    move = replace(move, attaching_since=None)
    if sent_at is None or survey_at < sent_at:
        return move
    too_late = survey_at >= sent_at + view.policy.call_timeout
    return replace(move, attach=Sent.NO) if too_late or eni.attachment is not None else move


def _is_taken_away(view: View, takeover: Takeover, eni: Eni) -> bool:
    """Whether this member has had the ENI, though no look showed it: EC2 detaches it from here by now.

    Its own detach, of the recorded attachment, is no loss.
    """
    attachment = eni.attachment
    return (
        attachment is not None
        and attachment.status is AttachmentStatus.DETACHING
        and attachment.instance_id == view.policy.me.instance_id
        and attachment.attachment_id != takeover.move(eni.eni_id).recorded
    )


def is_anothers(view: View, takeover: Takeover, eni: Eni) -> bool:
    """Whether another member has this ENI, by an attachment that is not the recorded one."""
    attachment = eni.attachment
    return (
        attachment is not None
        and attachment.instance_id != view.policy.me.instance_id
        and attachment.attachment_id != takeover.move(eni.eni_id).recorded
    )


def _first_seen(view: View, takeover: Takeover) -> Takeover:
    if view.first is None:
        return takeover
    survey_at = view.obs.enis.began_at
    attachment = view.first.attachment
    undoing = attachment is not None and attachment.attachment_id == takeover.move(view.first.eni_id).recorded
    if view.is_mine(view.first):
        # A stale read of the attachment that this takeover is itself undoing is no new possession.
        takeover = replace(takeover, had_first=not undoing, gone_at=None)
    elif not takeover.had_first and not is_anothers(view, takeover, view.first):
        takeover = replace(takeover, gone_at=None)
    elif takeover.gone_at is None:
        takeover = replace(takeover, gone_at=survey_at)
    free = all(one.attachment is None or view.is_mine(one) for one in view.usable)
    if free and takeover.available_at is None:
        takeover = replace(takeover, available_at=view.now)
    if not view.all_here:
        return replace(takeover, attached_at=None, link_since=None)
    return replace(
        takeover,
        attached_at=takeover.attached_at or view.now,
        link_since=view.now if takeover.link_since is None else takeover.link_since,
    )
