"""The canonical form of a member: two members with the same key do the same from here on.

Times are told in whole ticks before or after now, and no further than the longest bound that any row
measures them against; where the order within a tick matters (was this look begun after that call?) the
order is told too. What only feeds logs and histories is left out. Every field of the core's memory is
named here, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from eni_failover.core import health, model, state
from eni_failover.core.policy import FailbackMode
from tests.sim.explored_node import ASK, FOREIGN, TICK, Flight, Ghost, Heard, Intent, Node, Seen

STUCK = 82  # ticks: 180 s and a little
LONG = 28  # ticks: 60 s and a little
LOOK = 8  # ticks: three observe intervals, the last moment of a row's turn
SHORT = 4  # ticks: force, cooldown, grace, the life of a call, three intervals of a probe
BARRED = 268  # ticks: ten minutes and a little

Key = tuple[Any, ...]
Kind = Callable[["Frame", Any], Any]


class Frame:
    """The moments of one member that its other times are measured against."""

    __slots__ = (
        "call_timeout",
        "enis_at",
        "every",
        "failback",
        "foreign",
        "grace",
        "instances_at",
        "now",
        "tick",
        "window",
    )

    def __init__(self, node: Node) -> None:
        self.now = node.now
        self.tick = int(node.now // TICK)
        self.enis_at = node.survey.began_at
        self.instances_at = node.instances.began_at
        self.call_timeout = node.policy.call_timeout
        self.grace = SHORT if node.policy.startup_grace else 0
        self.failback = LOOK if node.policy.failback is FailbackMode.AUTOMATIC else 0
        members = {member.instance_id for member in node.policy.members}
        attachments = [one.attachment for one in node.survey.enis if one.attachment is not None]
        self.foreign = {one.attachment_id for one in attachments if one.instance_id not in members}
        intervals = [math.ceil(probe.interval / TICK) for probe in node.policy.probes]
        self.every = max([1, *intervals])
        self.window = int(node.policy.max_takeovers_window // TICK) + 2

    def age(self, at: float | None, bound: int) -> int:
        """How many ticks ago, at most `bound`; -1 for never."""
        return -1 if at is None else min(bound, self.tick - int(at // TICK))


def _drop(frame: Frame, value: Any) -> None:
    return None


def _keep(frame: Frame, value: Any) -> Any:
    return value


def _called(frame: Frame, value: Any) -> str | None:
    return None if value is None else str(value.name)


def _question(frame: Frame, value: Any) -> Key:
    return value.name, value.settings


def _known(frame: Frame, value: Any) -> bool:
    return value is not None


def _long(frame: Frame, value: float | None) -> int:
    return frame.age(value, LONG)


def _look(frame: Frame, value: float | None) -> int:
    return frame.age(value, LOOK)


def _short(frame: Frame, value: float | None) -> int:
    return frame.age(value, SHORT)


def _asked(frame: Frame, value: float | None) -> int:
    """When a probe was asked: until a verdict of it is none any more."""
    return frame.age(value, 3 * frame.every + 1)


def _barred(frame: Frame, value: float | None) -> int:
    return frame.age(value, BARRED)


def _from(frame: Frame, value: float) -> int:
    """What was asked for in which ticks counts no more."""
    return frame.age(None if value == -math.inf else value, max(SHORT, frame.every + 1))


def _rests(frame: Frame, value: tuple[tuple[state.Rest, float], ...]) -> Key:
    left = ((str(rest), _left(frame, until)) for rest, until in value)
    return tuple(sorted(one for one in left if one[1]))


def _observed(frame: Frame, value: tuple[state.EniObservation, ...]) -> Key:
    """How each ENI is, and since when; what is attaching, or a foreign instance has, for longer."""
    return tuple((*_nest(frame, one), frame.age(one.seen_at, _bound(frame, one))) for one in value)


def _bound(frame: Frame, one: state.EniObservation) -> int:
    if one.status == "attaching":
        return STUCK
    return LONG if one.attachment_id in frame.foreign else SHORT


def _facts(frame: Frame, value: model.Instance | None) -> Key:
    return () if value is None else (value.state, value.eni_indexes)


def _grace(frame: Frame, value: float | None) -> int:
    return frame.age(value, frame.grace)


def _failback(frame: Frame, value: float | None) -> int:
    return frame.age(value, frame.failback)


def _window(frame: Frame, value: float | None) -> int:
    return frame.age(value, frame.window)


def _left(frame: Frame, value: float | None) -> int:
    """How long until then; what is over is over."""
    if value is None:
        return -1
    if value == math.inf:
        return 10**6
    return 0 if value <= frame.now else 1 + int(value // TICK) - frame.tick


def _deadline(frame: Frame, value: float) -> Key:
    """An operator's request: how long it lives, and whether the survey at hand is newer."""
    return _left(frame, value), frame.enis_at >= value - ASK


def _sent(frame: Frame, value: float | None) -> Key:
    """A call: its age, and whether the survey at hand was begun after it, or after its last moment."""
    if value is None:
        return ()
    return frame.age(value, SHORT), frame.enis_at >= value, frame.enis_at >= value + frame.call_timeout


def _stamp(frame: Frame, value: float) -> float:
    """A moment that is compared between members: exact."""
    return round((value - frame.tick * TICK) * 2**20) / 2**20


def _against_enis(frame: Frame, value: float | None) -> Key:
    return () if value is None else (frame.age(value, 2), frame.enis_at > value, frame.enis_at == value)


def _against_both(frame: Frame, value: float | None) -> Key:
    return () if value is None else (frame.enis_at > value, frame.instances_at > value)


def _fence(frame: Frame, value: float | None) -> Key:
    if value is None:
        return ()
    late = frame.instances_at >= value + frame.call_timeout
    return frame.age(value, SHORT), frame.instances_at >= value, late


def _moved(frame: Frame, value: float | None) -> Key:
    return () if value is None else (frame.age(value, 2), frame.instances_at >= value + 2.0)


def _few(frame: Frame, value: int) -> int:
    return min(value, 6)


def _nest(frame: Frame, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_nest(frame, one) for one in value)
    table = _TABLES.get(type(value))
    if table is None:
        return value
    return tuple([kind(frame, getattr(value, name)) for name, kind in table])


def _survey(frame: Frame, value: model.EniSurvey) -> Key:
    shown = tuple((one.presence, _attached(one.attachment)) for one in value.enis)
    return value.answered, frame.age(value.began_at, SHORT), shown


def _attached(one: model.Attachment | None) -> Key:
    return () if one is None else (one.attachment_id, one.instance_id, one.status, one.device_index)


def _instances(frame: Frame, value: model.InstanceSurvey | None) -> Key:
    if value is None:
        return ()
    shown = tuple((one.instance_id, one.state, one.eni_indexes) for one in value.instances)
    return value.answered, frame.age(value.began_at, LOOK), shown


_TABLES: dict[type, list[tuple[str, Kind]]] = {}
_KINDS: dict[type, str] = {
    state.State: (
        "started_at:grace role:keep role_known:keep durable:nest health:nest observed:observed "
        "holder_record:nest holder_changed_at:failback moved_at:moved absent_holder:nest "
        "unowned_since:long caused_at:drop "
        "turn_unowned:look "
        "turn_ec2:look turn_probes:look confirm:nest request:nest fit_since:failback "
        "not_ready_since:long barred_at:barred barred_index:keep rests:rests asked:keep "
        "stalled_at:short last_answer_at:look confirmed_at:look "
        "peers:drop peers_changed_at:drop known_at:known me:facts instances:instances "
        "surveyed_at:against_enis polled_from_at:drop throttled_at:drop "
        "describe_failures:drop instances_failures:drop "
        "instances_failed_at:drop here:keep "
        "was_paused:keep reported_cause:keep"
    ),
    state.Durable: (
        "last_had:keep lock:keep last_up:keep last_up_by:drop lost_at:known unfit_since_loss:keep "
        "lost_unseen:keep failback_at:window "
        "failback_blocked:keep "
        "past:nest pause:nest local_pause:nest takeover:nest detach_took:drop attach_took:drop"
    ),
    state.Takeover: (
        "takeover_id:drop trigger:keep reason:keep from_member:drop started_at:drop started_wall:drop "
        "cause_at:drop matched_at:drop judged_at:drop "
        "moves:nest deadline_at:left request_id:drop detail:drop "
        "fence_instance:keep fence:keep fence_began_at:fence fence_sent_at:fence fence_retry_at:left "
        "fence_attempts:few fence_refused:keep fenced_at:known committed:keep had_first:keep "
        "gone_at:against_enis repaired:keep failing:keep detach_at:drop "
        "available_at:drop attached_at:drop link_since:long"
    ),
    state.Move: (
        "eni_id:drop recorded:keep detach:keep detach_sent_at:sent detach_began_at:short bad_state:keep "
        "attach:keep attach_sent_at:sent attach_index:keep attaching_since:long refused_indexes:keep "
        "reattached:keep barred:keep throttled:keep attempts:few retry_at:left"
    ),
    state.RecentTakeover: "trigger:keep ended_at:window forgiven:keep",
    state.EniObservation: (
        "eni_id:drop status:keep attachment_id:keep since:short seen_at:drop unowned_since:drop"
    ),
    state.HolderRecord: "instance_id:keep attachment_id:keep since:look proven:keep answered:keep asked:drop",
    state.AbsentHolder: "instance_id:keep since:short confirmed:keep",
    state.Confirm: "trigger:keep attachment_id:keep since:against_both early:keep",
    health.Health: (
        "probe:question member:called verdict:keep streak:keep consecutive:few newest_at:asked took:drop "
        "down_since:drop "
        "counts_from:from undecided_since:drop detail:drop"
    ),
    model.TakeoverRequest: "request_id:drop deadline:deadline reason:drop",
    model.PauseRequest: "kind:keep duration:keep reason:drop by:drop local:keep",
    model.PauseRecord: "kind:keep at:stamp until:drop ends_at:left reason:drop by:drop local:keep",
    model.Attempt: (
        "probe:question member:called answer:keep answered:keep started_at:asked ended_at:drop detail:drop"
    ),
    model.Outcome: (
        "mutation:keep target:keep verdict:keep sent_at:sent ended_at:drop attachment_id:drop code:drop "
        "detail:drop not_sent:keep retry_after:drop"
    ),
}


def _read_tables() -> None:
    for made, text in _KINDS.items():
        kinds = dict(word.split(":") for word in text.split())
        names = {one.name for one in fields(made)}
        if names != kinds.keys():
            raise LookupError(f"{made.__name__}: say how {names ^ kinds.keys()} is told in the key")
        table = [(name, globals()[f"_{kind}"]) for name, kind in kinds.items()]
        _TABLES[made] = [(name, kind) for name, kind in table if kind is not _drop]


_read_tables()


def key(node: Node) -> Key:
    """Everything that can still make a difference, as nested tuples of words and small numbers."""
    frame = Frame(node)
    memory = _nest(frame, node.state if node.state is not None else node.durable)
    return (
        node.index,
        memory,
        _survey(frame, node.survey),
        node.tokens,
        _instances(frame, node.instances),
        _nest(frame, node.inbox),
        _nest(frame, node.requests),
        _nest(frame, node.outcomes),
        tuple(_flight(frame, one) for one in node.flights),
        tuple(_flight(frame, one) for one in node.strays),
        tuple(_against_enis(frame, one) for one in node.lost),
        node.last_trigger,
        (node.hears, node.fit, node.witness, node.api, node.allowed, node.broken, node.due),
        (
            node.file,
            node.policy == node.wanted or _name(node),
            tuple(sorted(node.failing)),
            node.skew,
            node.denied,
        ),
        frame.age(node.asleep_since, LONG),
        tuple((frame.age(one.from_at, SHORT), frame.age(one.to_at, SHORT)) for one in node.stalls),
        round((frame.tick * TICK - node.asked_at) / TICK) % frame.every,
        _ghost(frame, node.ghost),
    )


def _name(node: Node) -> str:
    return next(name for name, policy in node.files if policy == node.policy)


def _flight(frame: Frame, one: Flight) -> Key:
    return type(one.call).__name__, one.call, frame.age(one.sent_at, SHORT), one.token, one.status


def _heard(frame: Frame, one: Heard) -> Key:
    return (one.about, one.word, one.run, one.is_up, one.is_down, _asked(frame, one.newest_at))


def _intent(frame: Frame, one: Intent | None) -> Key:
    if one is None:
        return ()
    shot_at = _sent(frame, one.shot_at) if one.shot == "maybe" else ()
    return (
        one.trigger,
        one.recorded,
        _left(frame, one.deadline),
        one.born_here,
        one.shot,
        shot_at,
        one.place,
        one.attaches,
        one.counted,
        one.fence,
    )


def _ghost(frame: Frame, one: Ghost) -> Key:
    return (
        _heard(frame, one.holder),
        _heard(frame, one.myself),
        _heard(frame, one.witness),
        _intent(frame, one.intent),
        tuple(frame.age(at, frame.window) for at in one.ledger),
        one.spoiled,
        tuple(frame.age(at, LOOK) for at in one.causes),
        one.told,
        tuple((seen.word, seen.attachment_id, frame.age(seen.since, _span(seen))) for seen in one.seen),
        one.facts,
        frame.age(one.refused_at, BARRED),
        () if one.met is None else (one.met[0], frame.age(one.met.since, LOOK), one.met.answered),
        one.last_up,
        one.last_had,
        one.lock,
        one.has_looked,
        frame.age(one.ended_at, LONG),
        () if one.pause is None else (_stamp(frame, one.pause[0]), _left(frame, one.pause[1])),
        tuple(frame.age(at, LOOK) for at in one.ready),
    )


def _span(seen: Seen) -> int:
    if seen.word == "attaching":
        return STUCK
    return LONG if seen.word == FOREIGN else 0
