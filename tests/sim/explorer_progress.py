"""What must go on: who may act, and is held back by nothing that the manual names, acts.

The other half of `explorer_invariants`: those say what is forbidden, these say what may not be left undone.
"""

from __future__ import annotations

from eni_failover.core.model import Mutation, Verdict
from eni_failover.core.policy import FenceMode, TakeoverMode
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Role, Scope
from tests.sim.explored_ghosts import EARNEST, is_evidence, is_stuck, place_of
from tests.sim.explored_node import FOREIGN, Ghost, Node

RESTS_FOR = 60.0
LAG_FOR = 1.0
ACTS = {Action.CONFIRM, Action.TAKE_OVER, Action.MOVE, Action.END}


def ready(ghost: Ghost, node: Node, view: View) -> tuple[float | None, float | None]:
    """Since when nothing has held this member back from a takeover by probes, and of what nobody has."""
    may = _may_act(ghost, node, view)
    by_probes = may and _may_by_probes(ghost, view)
    unowned = may and _may_take_the_unattached(ghost, view)
    return tuple(
        (old if old is not None else view.now) if so else None
        for so, old in zip((by_probes, unowned), ghost.ready, strict=True)
    )  # type: ignore[return-value]


def _may_act(ghost: Ghost, node: Node, view: View) -> bool:
    """Automatic, not paused, no takeover under way, EC2 answers, fit, and nothing has just failed."""
    policy, now = view.policy, view.now
    stalled_at = max([stall.to_at for stall in view.obs.stalls], default=-1e9)
    fit = (
        node.allowed
        and not node.denied
        and ghost.refused_at is None
        and _is_fit(ghost, view)
        and _is_running(ghost)
    )
    rested = ghost.ended_at is None or now - ghost.ended_at >= max(RESTS_FOR, policy.cooldown)
    known = view.obs.enis.answered and all(
        one.word != "missing" or _is_sure(one.since, now) for one in ghost.seen
    )
    calm = view.takeover is None and not view.is_paused and not view.in_grace and now - stalled_at >= LAG_FOR
    lagged = view.state.stalled_at is not None and now - view.state.stalled_at < LAG_FOR
    asked = view.state.request is not None or bool(view.obs.requests)
    return (
        policy.takeover is TakeoverMode.AUTOMATIC
        and fit
        and rested
        and known
        and calm
        and not lagged
        and not asked
    )


def _is_sure(since: float, now: float) -> bool:
    return now - since >= 5.0


def _is_running(ghost: Ghost) -> bool:
    return bool(ghost.facts) and ghost.facts[0] in {"running", "pending"}


def _is_fit(ghost: Ghost, view: View) -> bool:
    has_own = any(probe.scope is Scope.SELF for probe in view.policy.probes)
    return not has_own or (ghost.myself.is_up and ghost.myself.word == "up")


def _may_by_probes(ghost: Ghost, view: View) -> bool:
    """A proven holder is down by young answers, nothing moves or is foreign, witnesses up, limit not
    reached.
    """
    policy, attachment = view.policy, view.holder_attachment
    if attachment is None or view.i_hold or policy.fence is not FenceMode.NONE:
        return False
    still = all(one.word not in {"attaching", "detaching", FOREIGN} for one in ghost.seen)
    has_witness = any(probe.scope is Scope.WITNESS for probe in policy.probes)
    seen_up = ghost.met is not None and ghost.met.since is None
    witnessed = not has_witness or (ghost.witness.is_up and ghost.witness.word == "up")
    limited = len(ghost.ledger) >= policy.max_takeovers
    return still and seen_up and witnessed and not limited and is_evidence(ghost.holder, view)


def _may_take_the_unattached(ghost: Ghost, view: View) -> bool:
    """Nobody has the first ENI, or its attach never ends, and no reachable member says that it is taking
    it.
    """
    taking = any(peer.reachable and peer.role == Role.TAKING for peer in view.obs.peers)
    first = view.first
    return first is not None and (first.attachment is None or is_stuck(ghost, view)) and not taking


def who_may_act_acts(ghost: Ghost, view: View, action: Action) -> None:
    """Who nothing has held back for as long as its turn asks for confirms the cause, or takes over."""
    place, stagger = place_of(ghost, view), view.policy.stagger
    by_probes, unattached = ghost.ready
    if by_probes is not None and place is not None:
        assert action in ACTS or view.now - by_probes < place * stagger
    if unattached is not None:
        last = max(10.0, len(view.policy.members) * stagger)
        wait = last if place is None else max(2.0, (place + 1) * stagger)
        assert action in ACTS or view.now - unattached < wait


def who_is_refused_steps_down(view: View) -> None:
    """EC2 has refused this member the lock in earnest, and nobody has it: its takeover ends at once.

    But for the last resort, to which nobody yields any more.
    """
    first, since = view.first, view.state.unowned_since
    if since is not None and view.now - since >= RESTS_FOR:
        return
    for one in view.obs.outcomes:
        refused = one.mutation is Mutation.ATTACH and one.verdict in {*EARNEST, Verdict.DENIED}
        if refused and first is not None and one.target == first.eni_id and first.attachment is None:
            assert view.takeover is None
