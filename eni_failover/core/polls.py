"""When to look at ENIs that move: not before EC2 can be done, often from then on, rarely for want of quota.

EC2's own time begins with the call that it accepts, so looks are counted from that answer. How long the
latest moves of this member took is remembered; the shortest of them says when a look is likely to be worth a
call. One comes somewhat earlier: else nobody would learn that EC2 has become faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from eni_failover.core.moves import ATTACH_BOUND, GONE_CONFIRM
from eni_failover.core.state import Durable, Sent, Takeover
from eni_failover.core.view import View, link_of

FIRST_LOOK = 8  # move intervals after an accepted call, while too few moves have been timed
EARLY = 0.75  # of the time that the shortest of the latest moves took
STEPS = ((4, 2), (8, 1), (20, 2))  # from then on, in move intervals: until when, and from look to look
LATER_STEP = 1.0  # seconds, after those
WATCHED_STEP = 4  # move intervals, a second at most, between two looks at the moves of another member
QUOTA_LOOK = 15.0  # seconds between two looks, at ENIs or instances, while the account is short of calls
REMEMBERED = 5  # moves
TRUSTED = 3  # moves; one that took long says nothing about the next
SHORT_MARGIN = 1.5  # seconds: while the account is short of calls, one look shall be enough
SHORT_FACTOR = 4  # and the next ones are so many times further apart
LONGEST_WAIT = 10.0  # seconds: what took longer is no measure
EDGE = 0.01  # a look that begins at a bound, to the last digit, may come out below it


def next_look(view: View) -> float:
    """When the next describe is due while an ENI of the group moves, or a takeover of this member runs."""
    began_at, interval = view.obs.enis.began_at, view.policy.move_interval
    takeover, anchor = view.takeover, view.state.polled_from_at
    if view.waits_for_quota:
        return began_at + QUOTA_LOOK * (0.75 + view.look_fraction / 2)
    if takeover is None:
        return began_at + max(interval, min(LATER_STEP, WATCHED_STEP * interval))
    if _has_link(view, takeover) and not view.is_short_of_calls:
        return max(view.now, began_at + interval)
    anchor = began_at if anchor is None else anchor
    expected = _expected(view, takeover, anchor)
    due = max((anchor, *expected))
    if view.is_short_of_calls:
        due, interval = due + SHORT_MARGIN, interval * SHORT_FACTOR
    elif expected and began_at < expected[0]:
        return max(anchor, expected[0])
    if due == anchor or began_at >= due:
        elapsed = max(view.now, began_at, due) - due
        step = _step(elapsed, interval) if expected else interval
        due += step * (math.floor(elapsed / step) + 1)
    return min((due, *(bound + EDGE for bound in _bounds(view, takeover) if bound + EDGE > began_at)))


def timed(view: View, before: Takeover, after: Takeover) -> Durable:
    """What is remembered of how long moves take, when this pass's look was the first to show one done."""
    durable, anchor = view.state.durable, view.state.polled_from_at
    took = 0.0 if anchor is None else view.obs.enis.began_at - anchor
    if not 0 < took <= LONGEST_WAIT or view.is_short_of_calls:
        return durable  # looks came late for other reasons
    if before.available_at is None and after.available_at is not None and after.detach_at is not None:
        return replace(durable, detach_took=(took, *durable.detach_took[: REMEMBERED - 1]))
    if before.attached_at is None and after.attached_at is not None:
        return replace(durable, attach_took=(took, *durable.attach_took[: REMEMBERED - 1]))
    return durable


def _expected(view: View, takeover: Takeover, accepted_at: float) -> tuple[float, ...]:
    """When EC2 may be done at the soonest with what it has accepted, and when it is likely to be.

    Empty while it has accepted nothing. A detach counts from the first one: a forced one is over soon.
    """
    moves = [takeover.move(eni.eni_id) for eni in view.usable if not view.is_attached_here(eni)]
    began = [
        move.detach_began_at
        for move in moves
        if move.detach is Sent.ACCEPTED and move.detach_began_at is not None
    ]
    if moves and all(move.attach is Sent.ACCEPTED for move in moves):
        began_at, took = accepted_at, view.state.durable.attach_took
    elif began:
        began_at, took = max(began), view.state.durable.detach_took
    else:
        return ()
    known = [seconds for seconds in took if 0 < seconds <= LONGEST_WAIT]  # a journal may say anything
    if len(known) < TRUSTED:
        return (began_at + FIRST_LOOK * view.policy.move_interval,)
    return began_at + EARLY * min(known), began_at + min(known)


def _step(elapsed: float, interval: float) -> float:
    """From one look to the next, so long after the first one."""
    steps = (step * interval for until, step in STEPS if elapsed < until * interval)
    return next(steps, max(interval, LATER_STEP))


def _bounds(view: View, takeover: Takeover) -> Iterator[float]:
    """When something is due that wants a look from then on: a force, an attach that hangs, a loss."""
    force_after = view.policy.force_detach_after
    if takeover.gone_at is not None:
        yield takeover.gone_at + GONE_CONFIRM
    for move in takeover.moves:
        if move.detach_began_at is not None and force_after is not None:
            yield move.detach_began_at + force_after
        if move.attaching_since is not None:
            yield move.attaching_since + ATTACH_BOUND


def _has_link(view: View, takeover: Takeover) -> bool:
    """Whether the kernel has the link of an ENI that EC2 has not shown as attached here yet."""
    return any(
        takeover.move(eni.eni_id).attach is Sent.ACCEPTED
        and not view.is_attached_here(eni)
        and link_of(view, eni.eni_id).present
        for eni in view.usable
    )
