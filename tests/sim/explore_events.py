"""Which events may come next in a world, and which of them are faults that a walk has few of."""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.decision import StopInstance
from eni_failover.core.model import PauseKind, Verdict
from tests.core.builders import NAMES
from tests.sim.explore_configs import Config
from tests.sim.explored_ec2 import FREE, MISSING, is_lent
from tests.sim.explored_node import Node
from tests.sim.explored_world import Event, World

PAUSE_FOR = 10.0
ENDINGS = ("stopping", "shutting-down")  # of an instance that runs
AFTER = {"stopping": "stopped", "stopped": "running", "shutting-down": "terminated", "terminated": "gone"}
SURROUNDINGS = ("fit", "witness", "allowed", "api")


def going_on(world: World, config: Config) -> Iterator[Event]:
    """What comes by itself, or mends something: it costs nothing."""
    if any(node.state is not None for node in world.nodes):
        for ticks in config.waits:
            if all(node.may_tick(ticks) for node in world.nodes):
                yield "tick", ticks, None
    for place, one in enumerate(world.enis):
        if one.ripe:
            yield "restore" if is_lent(one) else "done", place, None
    for which, machine in enumerate(world.machines):
        if machine in AFTER and which not in world.turned:
            yield "machine", which, AFTER[machine]
    for node in world.nodes:
        yield from _of_member(world, node)


def _of_member(world: World, node: Node) -> Iterator[Event]:
    which = node.index
    for place in range(len(node.strays)):
        yield "land", which, place
    if node.state is None:
        if world.machines[which] == "running":
            yield "start", which, None
        return
    yield "look", which, None
    if node.flights:
        yield ("answer" if node.api else "drop"), which, None
    elif node.may_peek():
        yield "peek", which, None
    yield from mending(node)


def mending(node: Node) -> Iterator[Event]:
    """What makes this member's host and network, and the operators, be as they should."""
    which, pause = node.index, node.durable.pause
    for name in SURROUNDINGS:
        if not getattr(node, name):
            yield "set", which, (name, True)
    if node.broken:
        yield "set", which, ("broken", False)
    if node.hears != "up":
        yield "set", which, ("hears", "up")
    if pause is not None and pause.kind is PauseKind.PAUSE:
        yield "resume", which, None


def faults(world: World, config: Config) -> Iterator[Event]:
    """What goes wrong, or what an operator wants."""
    kinds = config.faults
    for node in world.nodes:
        yield from _faults_of_member(world, node, config)
    for place, one in enumerate(world.enis):
        if "steal" in kinds and one.status == FREE:
            yield "steal", place, None
        if "vanish" in kinds and place and one.status != MISSING:
            yield "vanish", place, None


def _faults_of_member(world: World, node: Node, config: Config) -> Iterator[Event]:
    which, kinds = node.index, config.faults
    if "machine" in kinds and world.machines[which] == "running":
        for state in ENDINGS:
            yield "machine", which, state
    if node.state is None:
        return
    if "crash" in kinds:
        yield "crash", which, None
    if "ask" in kinds and not node.requests and node.state.request is None:
        yield "ask", which, None
    if "pause" in kinds and not node.requests:
        yield "pause", which, PAUSE_FOR
    yield from _worse_surroundings(node, config)
    yield from _wrong_answers(world, node, config)


def _worse_surroundings(node: Node, config: Config) -> Iterator[Event]:
    for word in config.hears:
        if word != node.hears:
            yield "set", node.index, ("hears", word)
    for name in SURROUNDINGS:
        if name in config.faults and getattr(node, name):
            yield "set", node.index, (name, False)
    if "broken" in config.faults and not node.broken:
        yield "set", node.index, ("broken", True)


def _wrong_answers(world: World, node: Node, config: Config) -> Iterator[Event]:
    which, kinds = node.index, config.faults
    if "stale" in kinds and node.api and world.before is not None and world.before != world.enis:
        yield "look", which, "stale"
    for wrong in ("blank", "blind"):
        if wrong in kinds and node.api:
            yield "look", which, wrong
    if not node.flights or not node.api:
        return
    if "drop" in kinds:
        yield "drop", which, None
    if "busy" in kinds:
        yield "refuse", which, Verdict.BUSY
    if "refuse" in kinds and isinstance(node.flights[0].call, StopInstance):
        yield "refuse", which, Verdict.DENIED


def told(event: Event) -> str:
    """An event as a line of a story."""
    name, which, detail = event
    if name in _LINES:
        return _LINES[name].format(
            which=which, number=which + 1, detail=detail, member=NAMES[which % len(NAMES)]
        )
    return f"{NAMES[which]}: {name}{'' if detail is None else f' {detail}'}"


_LINES = {
    "tick": "time: {which} tick(s) go by",
    "done": "ec2: eni-{number} has arrived in its next state",
    "steal": "world: eni-{number} is attached to an instance that is no member",
    "vanish": "world: eni-{number} does not exist any more",
    "restore": "world: eni-{number} is back, on nobody",
    "machine": "ec2: {member}'s instance is {detail}",
    "set": "world: {member} has {detail}",
    "alone": "no more faults: everybody does what is due",
}
