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
from eni_failover.core.group import View
from eni_failover.core.model import Link, Observation, PauseKind, PauseRecord, Peer, TakeoverRequest
from eni_failover.core.policy import MemberName
from eni_failover.core.publish import with_role
from tests.core import builders
from tests.core.invariants import Pass
from tests.sim import explored_ghosts as ghosts
from tests.sim.explored_ec2 import FREE, Enis, Machines, instances, place_of, survey
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
    others: tuple[tuple[MemberName, Shows], ...]


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
    if not node.api:
        return replace(
            node,
            now=now,
            survey=builders.silence(len(node.lost), at=now),
            tokens=(0,) * len(node.lost),
            instances=builders.instances(at=now, answered=False),
            due=True,
        )
    return replace(
        node,
        now=now,
        survey=survey(glance.shown, now),
        tokens=tuple(one.ident for one in glance.shown),
        instances=instances(glance.truth, glance.machines, now),
        due=True,
    )


def think(node: Node, around: Around) -> Node:
    """A pass with what is known. Raises Violation."""
    state = node.state
    if state is None:
        raise LookupError("a member that does not run makes no pass")
    now = node.now + EPS
    waiting = tuple(one for one in node.requests if not _is_ripe(node, one, now))
    obs = Observation(
        now=now,
        wall=now,
        jitter=0.0,
        enis=node.survey,
        instances=node.instances,
        attempts=node.inbox,
        requests=tuple(one for one in node.requests if one not in waiting),
        outcomes=node.outcomes,
        links=_links(node, around.links),
        peers=tuple(_peer(node, name, shown) for name, shown in around.others),
        local=replace(builders.LOCAL, attach_allowed=node.allowed),
    )
    decided, decision = decide.step(state, obs, node.policy)
    after = with_role(View(decided, obs, node.policy))
    view = View(after, obs, node.policy)
    ghost = ghosts.take_in(node.ghost, state, view)
    intent = ghosts.intended(ghost, state, view)
    one = Pass(before=state, obs=obs, policy=node.policy, after=decided, decision=decision)
    _check(Scene(one=one, view=view, node=node, ghost=ghost, intent=intent))
    return replace(
        node,
        now=now,
        state=after,
        durable=after.durable,
        inbox=(),
        outcomes=(),
        requests=waiting,
        flights=tuple(_flight(node, call, now) for call in decision.calls),
        last_trigger=str(decision.ended.trigger) if decision.ended else node.last_trigger,
        due=False,
        ghost=ghosts.settle_up(ghost, intent, state, view, decision),
    )


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


def _peer(node: Node, name: MemberName, shown: Shows) -> Peer:
    if not shown.alive or node.hears == "silent":
        return Peer(member=name, instance_id=f"i-{name}", reachable=False)
    record = None
    if shown.pause is not None:
        kind, at, until = shown.pause
        ends_at = None if until is None else node.base + until
        record = PauseRecord(kind=PauseKind(kind), at=node.base + at, ends_at=ends_at)
    return Peer(
        member=name,
        instance_id=f"i-{name}",
        reachable=True,
        role=shown.role,
        config_hash=node.policy.config_hash,
        pause=record,
        takeover_trigger=shown.trigger,
        last_takeover_trigger=shown.last_trigger,
    )


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
