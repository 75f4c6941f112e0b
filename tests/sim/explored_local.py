"""The local steps that an event is made of: plain functions from a member to a member."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from eni_failover.core.decision import Attach
from eni_failover.core.model import Attempt, Request, Stall, TakeoverRequest, Verdict
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer, Scope
from tests.core import builders
from tests.core.bench import outcome
from tests.core.builders import NAMES
from tests.sim.explored_node import ASK, EPS, KEPT_ATTEMPTS, TICK, WRONG, Ghost, Node
from tests.sim.explored_pass import Around, Glance, look, think

LASTS = 0.01  # seconds that an attempt takes
STALL = 0.6  # seconds: shorter than max_loop_lag, longer than half of a probe's timeout
KEPT_NEW = 3


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
        last_up_by=node.ghost.last_up_by,
        last_had=node.ghost.last_had,
        lock=node.ghost.lock,
        ended_at=node.ghost.ended_at,
        pause=node.ghost.pause,
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
        stalls=(),
        asleep_since=None,
        due=False,
        ghost=ghost,
    )


def ticked(node: Node, ticks: int, running: tuple[bool, ...]) -> Node:
    """Time goes by; the probes go on meanwhile, whether or not the member comes to a pass."""
    now = node.base + ticks * TICK
    fresh = tuple(one for one in node.strays if now - one.sent_at <= node.policy.call_timeout)
    ledger = tuple(at for at in node.ghost.ledger if now - at <= node.policy.max_takeovers_window)
    denied = node.denied and "attach denied" in node.failing
    node = replace(node, now=now, strays=fresh, denied=denied, ghost=node.ghost._replace(ledger=ledger))
    if not node.is_awake:
        return node
    every = _every(node)
    times = [node.base - TICK * ago for ago in reversed(range(ticks))]
    due = [at for at in times if round((at - node.asked_at) / TICK) % every == 0 and at > node.asked_at]
    if not due:
        return replace(node, due=True)
    return replace(_answered(node, due[-KEPT_NEW:], running), asked_at=due[-1])


def probed(node: Node, running: tuple[bool, ...]) -> Node:
    """A takeover waits for a young answer: the probes are asked at once."""
    now = node.now + EPS
    return replace(_answered(replace(node, now=now), [now + LASTS], running), asked_at=now)


def _every(node: Node) -> int:
    """From how many ticks to how many the probes go out."""
    return max([1, *(math.ceil(probe.interval / TICK) for probe in node.policy.probes)])


def _answered(node: Node, times: list[float], running: tuple[bool, ...], word: str = "") -> Node:
    """The node with what its probes were answered at these times."""
    inbox: list[Attempt] = []
    for probe in node.policy.probes:
        old = [one for one in node.inbox if one.probe == probe]
        whom = _whom(node, probe.scope)
        heard = word or _word(node, probe, running)
        new = [
            replace(builders.attempt(probe, heard, at=at), member=whom, started_at=at - LASTS)
            for at in times
            if whom
        ]
        inbox += (old + new)[-KEPT_ATTEMPTS:]
    strays = [one for one in node.inbox if one.probe not in node.policy.probes]
    return replace(node, inbox=(*strays, *inbox), due=True)


def _whom(node: Node, scope: Scope) -> Member | None:
    holder_record = node.state.holder_record if node.state else None
    if scope is not Scope.HOLDER:
        return node.policy.me
    holder = None if holder_record is None else node.policy.member_of(holder_record.instance_id)
    return None if holder is None or holder.instance_id == node.policy.me.instance_id else holder


def _word(node: Node, probe: ProbePolicy, running: tuple[bool, ...]) -> str:
    if probe.scope is Scope.SELF:
        return "up" if node.fit else "down"
    if probe.scope is Scope.WITNESS:
        return "up" if node.witness else "silent"
    if probe.settings == WRONG:
        return "down"
    whom = _whom(node, probe.scope)
    place = NAMES.index(whom.instance_id.removeprefix("i-")) if whom else 0
    serves = place < len(running) and running[place]
    return node.hears if not whom or serves or node.hears == Answer.UNKNOWN else "silent"


# What stands still, and what is set ----------------------------------------------------------------


def stalled(node: Node) -> Node:
    """The process does not run for a moment, shorter than max_loop_lag: what it has just asked is lost."""
    to_at = node.now + STALL + EPS
    spoilt = _answered(node, [to_at - LASTS - EPS], (), "silent")
    return replace(spoilt, now=to_at, stalls=(*node.stalls, Stall(from_at=node.now, to_at=to_at)))


def fell_asleep(node: Node) -> Node:
    """The host sleeps; its clock goes on."""
    return replace(node, asleep_since=node.now)


def woke(node: Node) -> Node:
    """It runs again: one stall of that length, and what was asked before it was not heard."""
    assert node.asleep_since is not None
    now = node.now + EPS
    lost = _answered(node, [node.asleep_since + LASTS], (), "silent")
    stall = Stall(from_at=node.asleep_since, to_at=now)
    return replace(lost, now=now, asleep_since=None, asked_at=now, stalls=(*node.stalls, stall), due=True)


def given_file(node: Node, name: str) -> Node:
    """Another file is on the host, and read: a running daemon takes it when the next pass may."""
    return replace(node, file=name, due=node.state is not None)


def with_clock_set(node: Node, by: float) -> Node:
    """The wall clock is set."""
    return replace(node, skew=node.skew + by, due=node.state is not None)


def with_operation(node: Node, operation: str, fails: bool) -> Node:
    """One operation of EC2's fails for this member from now on, or works again."""
    failing = node.failing | {operation} if fails else node.failing - {operation}
    return replace(node, failing=failing)


def answered(node: Node, verdict: Verdict) -> Node:
    """The first call on its way has its answer; one that is unanswered may still take effect."""
    flight = node.flights[0]
    now = node.now + EPS
    denied = node.denied or (verdict is Verdict.DENIED and isinstance(flight.call, Attach))
    told = outcome(flight.call, verdict, sent_at=flight.sent_at, ended_at=now)
    return replace(
        node,
        now=now,
        flights=node.flights[1:],
        outcomes=(*node.outcomes, told),
        denied=denied,
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
