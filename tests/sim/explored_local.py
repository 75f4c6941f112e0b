"""The local steps that an event is made of: plain functions from a member to a member."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eni_failover.core.model import Attempt, Request, TakeoverRequest, Verdict
from eni_failover.core.policy import MemberName
from eni_failover.core.words import Answer, Scope
from tests.core import builders
from tests.core.bench import outcome
from tests.sim.explored_node import ASK, EPS, KEPT_ATTEMPTS, TICK, Ghost, Node
from tests.sim.explored_pass import Around, Glance, look, think


def looked(node: Node, glance: Glance) -> Node:
    """A look while a pass still waits for its calls."""
    return look(node, glance)


def looked_and_thought(node: Node, glance: Glance, around: Around) -> Node:
    """A look, and the pass that it wakes."""
    return think(look(node, glance), around)


def thought(node: Node, around: Around) -> Node:
    """A pass with what is known."""
    return think(node, around)


def asked_to_take_over(node: Node) -> Node:
    """An operator asks this member for the group."""
    now = node.now + EPS
    request = TakeoverRequest(request_id="r", deadline=now + ASK)
    return asked(replace(node, now=now), request)


def with_surroundings(node: Node, change: tuple[str, Any]) -> Node:
    """Something about this member's host or network is another way now: one field of Node, and its value."""
    changed = replace(node, **dict([change]))
    spoiled = node.ghost.spoiled or changed.impaired
    return replace(changed, due=node.state is not None, ghost=node.ghost._replace(spoiled=spoiled))


def judged(node: Node, has: bool) -> Node:
    """The first ENI came to this member, or left it: how was the member at that moment?"""
    return replace(node, ghost=node.ghost._replace(spoiled=not has and node.impaired))


def crashed(node: Node) -> Node:
    """The daemon is gone: memory and answers are lost, calls under way are not."""
    intent = node.ghost.intent
    ghost = Ghost(
        intent=intent._replace(born_here=False) if intent else None,
        ledger=node.ghost.ledger,
        spoiled=True,
        last_up=node.ghost.last_up,
    )
    return replace(
        node,
        state=None,
        inbox=(),
        requests=(),
        outcomes=(),
        flights=(),
        strays=node.strays + node.flights,
        lost=(None,) * len(node.lost),
        due=False,
        ghost=ghost,
    )


def ticked(node: Node, ticks: int, running: tuple[bool, ...]) -> Node:
    """Time goes by; the probes go on meanwhile, whether or not the member comes to a pass."""
    now = node.base + ticks * TICK
    fresh = tuple(one for one in node.strays if now - one.sent_at <= node.policy.call_timeout)
    ledger = tuple(at for at in node.ghost.ledger if now - at <= node.policy.max_takeovers_window)
    node = replace(node, now=now, strays=fresh, ghost=node.ghost._replace(ledger=ledger))
    if node.state is None:
        return node
    inbox: list[Attempt] = []
    for probe in node.policy.probes:
        old = [one for one in node.inbox if one.probe == probe]
        word = _word(node, probe.scope, running)
        about = _about(node, probe.scope)
        new = [
            builders.attempt(probe, word, about=about, at=node.base - TICK * ago)
            for ago in reversed(range(min(ticks, 3)))
            if about
        ]
        inbox += (old + new)[-KEPT_ATTEMPTS:]
    return replace(node, inbox=tuple(inbox), due=True)


def _about(node: Node, scope: Scope) -> MemberName | None:
    tenure = node.state.tenure if node.state else None
    if scope is not Scope.HOLDER:
        return node.name
    holder = None if tenure is None else node.policy.member_of(tenure.instance_id)
    return None if holder is None or holder.name == node.name else holder.name


def _word(node: Node, scope: Scope, running: tuple[bool, ...]) -> str:
    if scope is Scope.SELF:
        return "up" if node.fit else "down"
    if scope is Scope.WITNESS:
        return "up" if node.witness else "silent"
    about = _about(node, scope)
    names = [member.name for member in node.policy.members]
    if about and not running[names.index(about)] and node.hears != Answer.UNKNOWN:
        return "silent"
    return node.hears


def answered(node: Node, verdict: Verdict) -> Node:
    """The first call on its way has its answer; one that is unanswered may still take effect."""
    flight = node.flights[0]
    now = node.now + EPS
    told = outcome(flight.call, verdict, sent_at=flight.sent_at, ended_at=now)
    return replace(
        node,
        now=now,
        flights=node.flights[1:],
        outcomes=(*node.outcomes, told),
        strays=(*node.strays, flight) if verdict is Verdict.UNANSWERED and node.api else node.strays,
        due=True,
    )


def landed(node: Node, position: int) -> Node:
    """A call that nobody waits for any more has taken effect."""
    return replace(node, strays=node.strays[:position] + node.strays[position + 1 :])


def asked(node: Node, request: Request) -> Node:
    """An operator's word waits for the next pass; a takeover for one after a new look."""
    return replace(node, requests=(*node.requests, request), due=not isinstance(request, TakeoverRequest))


def link_gone(node: Node, position: int) -> Node:
    """The kernel tells that the link of this ENI is gone."""
    now = node.now + EPS
    lost = tuple(now if at == position else old for at, old in enumerate(node.lost))
    return replace(node, now=now, lost=lost, due=True)


def link_came(node: Node, position: int) -> Node:
    """The kernel tells that the link of this ENI is there."""
    lost = tuple(None if at == position else old for at, old in enumerate(node.lost))
    return replace(node, lost=lost, due=True)
