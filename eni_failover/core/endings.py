"""The end of a takeover: what stays in memory, and the line for the history."""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core import rests
from eni_failover.core.decision import Decision
from eni_failover.core.pause import clear_limits
from eni_failover.core.state import RecentTakeover, Rest, State, Takeover
from eni_failover.core.told import History
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Phase, Reason, Result, Trigger


def end(view: View, takeover: Takeover, result: Result, reason: Reason) -> tuple[State, Decision]:
    """Ends the takeover. Nothing more is called; the next pass looks at the world as it then is."""
    durable = replace(view.state.durable, takeover=None)
    if takeover.is_committed and takeover.trigger is not Trigger.MANUAL:
        durable = replace(
            durable, past=(*durable.past, RecentTakeover(trigger=takeover.trigger, ended_at=view.now))
        )
    if result is Result.SUCCESS and takeover.trigger is Trigger.MANUAL:
        durable = clear_limits(durable)
    if result is Result.SUCCESS and takeover.trigger is Trigger.FAILBACK:
        durable = replace(durable, failback_at=view.now)
    state = replace(view.state, durable=durable)
    if result is Result.FAILED and takeover.trigger is Trigger.SPLIT:
        state = rests.begin(state, Rest.SPLIT, view.policy, view.now)
    ended = History(
        takeover_id=takeover.takeover_id,
        trigger=takeover.trigger,
        reason=reason,
        from_member=takeover.from_member,
        to_member=view.policy.me.name,
        started_wall=takeover.started_wall,
        ended_wall=takeover.started_wall + (view.now - takeover.started_at),
        result=result,
        phases=_phases(takeover, view.now),
        detail=takeover.detail,
    )
    return state, Decision(action=Action.END, reason=reason, ended=ended)


def phase(takeover: Takeover) -> Phase:
    """The phase that a takeover under way is in."""
    if takeover.attached_at is not None:
        return Phase.LINK
    if takeover.available_at is not None:
        return Phase.ATTACH
    if takeover.detach_at is not None:
        return Phase.DETACH
    if takeover.fence_began_at is not None and takeover.fenced_at is None:
        return Phase.FENCE
    return Phase.OBSERVE


def _phases(takeover: Takeover, now: float) -> tuple[tuple[Phase, float], ...]:
    """Each phase that happened, with its seconds, in order. Together: from the first sign to now."""
    waited = takeover.judged_at is not None and takeover.judged_at < takeover.matched_at
    ends = (
        (Phase.DETECT, takeover.judged_at if waited else takeover.matched_at),
        (Phase.WAIT, takeover.matched_at if waited else None),
        (Phase.OBSERVE, takeover.started_at),
        (Phase.FENCE, takeover.fenced_at),
        (Phase.DETACH, takeover.available_at if takeover.detach_at is not None else None),
        (Phase.ATTACH, takeover.attached_at),
        (phase(takeover), now),
    )
    spent: dict[Phase, float] = {}
    at = takeover.cause_at
    for name, end_at in ends:
        if end_at is not None:
            spent[name] = spent.get(name, 0.0) + max(0.0, end_at - at)
            at = max(at, end_at)
    return tuple(spent.items())
