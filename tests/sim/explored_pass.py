"""One pass of one member: what it sees, the real `step`, and what it asks of EC2.

Does what the daemon's loop does between a look and a call, and nothing else; every pass is put before
the invariants. `step` is looked up here at each pass, so that a test can put a broken one in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from eni_failover.core import decide
from eni_failover.core.decision import Attach, Call, Detach
from eni_failover.core.model import (
    AttachmentStatus,
    Link,
    Observation,
    PauseKind,
    PauseRecord,
    Peer,
    TakeoverRequest,
)
from eni_failover.core.publish import with_role
from eni_failover.core.view import View
from tests.core import builders
from tests.core.invariants import Pass
from tests.sim import explored_ghosts as ghosts
from tests.sim import explorer_progress as progress
from tests.sim.explored_ec2 import FREE, Enis, Machines, instance_id, instances, place_of, survey
from tests.sim.explored_node import ASK, EPS, Flight, Node, Shows
from tests.sim.explorer_invariants import COSTLY, OF_A_PASS, OF_A_WALK, Scene

LOOK_TIMEOUT = 2.0  # as the daemon's: after that an operator's request is decided without a new look
EVERY = 64  # passes between two that the costly invariants look at


class Glance(NamedTuple):
    """An answer of EC2: the ENIs as shown, the ENIs that count for the instances, the instances."""

    shown: Enis
    truth: Enis
    machines: Machines


class Around(NamedTuple):
    """What a pass sees beside EC2: which links the kernel has, and what the other members tell."""

    links: tuple[bool, ...]
    others: tuple[tuple[int, Shows], ...]


class Violation(Exception):  # noqa: N818 - it is a finding, not an error of the explorer
    """An invariant that does not hold. `name` is which."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.after: tuple[tuple[str, int, object], ...] = ()  # the events of a group left alone, until then


checks: Counter[str] = Counter()
tolerated: dict[str, int] = {}  # known findings by name, and how often they were met


def look(node: Node, glance: Glance) -> Node:
    """The member describes the ENIs and the instances now, or finds that EC2 does not answer."""
    now = node.now + EPS
    if not node.api or "enis" in node.failing:
        shown, tokens = builders.silence(len(node.lost), at=now), (0,) * len(node.lost)
    else:
        shown, tokens = survey(glance.shown, now), tuple(one.ident for one in glance.shown)
    if not node.api or "instances" in node.failing:
        machines = builders.instances(at=now, answered=False)
    else:
        machines = instances(glance.truth, glance.machines, now)
    return replace(node, now=now, survey=shown, tokens=tokens, instances=machines, due=True)


def think(node: Node, around: Around) -> Node:
    """A pass with what is known. Raises Violation."""
    state = node.state
    if state is None:
        raise LookupError("a member that does not run makes no pass")
    now = node.now + EPS
    node = _with_policy(node)
    waiting = tuple(one for one in node.requests if not _is_ripe(node, one, now))
    obs = Observation(
        now=now,
        wall=now + node.skew,
        jitter=0.0,
        enis=node.survey,
        instances=node.instances,
        attempts=node.inbox,
        requests=tuple(one for one in node.requests if one not in waiting),
        outcomes=node.outcomes,
        stalls=node.stalls,
        links=_links(node, around.links),
        peers=tuple(_peer(node, which, shown) for which, shown in around.others),
        local=replace(builders.LOCAL, attach_allowed=node.allowed and not node.denied),
    )
    decided, decision = decide.step(state, obs, node.policy)
    after = with_role(View(decided, obs, node.policy))
    view = View(after, obs, node.policy)
    ghost = ghosts.take_in(node.ghost, state, view)
    said = [(node.base + at, node.base + until) for at, until in _said(around)]
    ghost = ghosts.hear_pause(ghost, view, said)
    ghost = ghost._replace(ready=progress.ready(ghost, node, view))
    intent = ghosts.intended(ghost, state, view)
    one = Pass(before=state, obs=obs, policy=node.policy, after=decided, decision=decision)
    _check(Scene(one=one, view=view, node=node, ghost=ghost, intent=intent))
    ask(progress.who_may_act_acts, ghost, view, decision.action)
    ask(progress.who_is_refused_steps_down, view)
    return replace(
        node,
        now=now,
        state=after,
        durable=after.durable,
        inbox=(),
        outcomes=(),
        stalls=(),
        requests=waiting,
        flights=tuple(_flight(node, call, now) for call in decision.calls),
        last_trigger=str(decision.ended.trigger) if decision.ended else node.last_trigger,
        due=False,
        ghost=ghosts.settle_up(ghost, intent, state, view, decision),
    )


def _with_policy(node: Node) -> Node:
    """A file that was read is taken over, of another shape not in a move, nor past a point of no return."""
    old, new = node.policy, node.wanted
    if old == new:
        return node
    takeover = node.durable.takeover
    committed = takeover is not None and takeover.is_committed
    statuses = {one.attachment.status for one in node.survey.enis if one.attachment is not None}
    moving = bool(statuses & {AttachmentStatus.ATTACHING, AttachmentStatus.DETACHING})
    same = (old.eni_ids, old.members) == (new.eni_ids, new.members)
    return replace(node, policy=new) if same or not (committed or moving) else node


def _is_ripe(node: Node, request: object, now: float) -> bool:
    if not isinstance(request, TakeoverRequest):
        return True
    came_at = request.deadline - ASK
    return node.survey.began_at >= came_at or now - came_at >= LOOK_TIMEOUT


def _links(node: Node, present: tuple[bool, ...]) -> tuple[Link, ...]:
    missing = ("address",) if node.broken else ()
    return tuple(
        Link(eni_id=eni_id, watched=True, present=there, missing=missing if there else (), lost_at=lost)
        for eni_id, there, lost in zip(node.policy.eni_ids, present, node.lost, strict=True)
    )


def _peer(node: Node, which: int, shown: Shows) -> Peer:
    ident = instance_id(which)
    member = node.policy.member_of(ident)
    name = member.name if member else ident
    if not shown.alive or node.hears == "silent":
        return Peer(member=name, instance_id=ident, reachable=False)
    record = None
    if shown.pause is not None:
        kind, at, left, until = shown.pause
        record = PauseRecord(
            kind=PauseKind(kind),
            at=node.base + at,
            ends_at=None if left is None else node.base + left,
            until=None if until is None else node.base + until,
        )
    return Peer(
        member=name,
        instance_id=ident,
        reachable=True,
        role=shown.role,
        config_hash=node.policy.config_hash,
        enis=shown.enis,
        pause=record,
        takeover_trigger=shown.trigger,
        last_takeover_trigger=shown.last_trigger,
    )


def _said(around: Around) -> list[tuple[float, float]]:
    return [shown.said for _, shown in around.others if shown.said is not None]


def _flight(node: Node, call: Call, now: float) -> Flight:
    if not isinstance(call, (Detach, Attach)):
        return Flight(call, now, 0, "")
    place = place_of(call.eni_id)
    attachment = node.survey.enis[place].attachment
    return Flight(call, now, node.tokens[place], FREE if attachment is None else str(attachment.status))


def _check(scene: Scene) -> None:
    checks["passes"] += 1
    for invariant in OF_A_WALK:
        ask(invariant, scene)
    for of_a_pass in OF_A_PASS:
        ask(of_a_pass, scene.one)
    if checks["passes"] % EVERY == 0:
        for costly in COSTLY:
            ask(costly, scene.one)


def ask(invariant: Callable[..., None], *told: object) -> None:
    """Puts something before an invariant. Raises Violation."""
    name = invariant.__name__
    checks[name] += 1
    try:
        invariant(*told)
    except AssertionError as error:
        if name in tolerated:
            tolerated[name] += 1
            return
        raise Violation(name, f"{invariant.__doc__} {error}".strip()) from error
