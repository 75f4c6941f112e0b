"""Which events may come next in a world, and which of them are faults that a walk has few of."""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.decision import StopInstance
from eni_failover.core.model import PauseKind, Verdict
from eni_failover.core.policy import FenceMode
from tests.core.builders import NAMES
from tests.sim.explore_configs import Config
from tests.sim.explored_ec2 import FREE, MISSING, is_lent
from tests.sim.explored_node import RIGHT, Node
from tests.sim.explored_world import Event, World

PAUSE_FOR = 10.0
ENDINGS = ("stopping", "shutting-down")  # of an instance that runs
AFTER = {"stopping": "stopped", "stopped": "running", "shutting-down": "terminated", "terminated": "gone"}
UNMENDED = frozenset({"instances"})  # an operation whose failing keeps no group from getting whole
HURRY_GAP = 1.0  # seconds between two questions of a probe
MOST_STALLS = 2
STEPS = (-7200.0, 30.0, 7200.0)  # of a wall clock; a pause lasts ten seconds
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
    if not node.is_awake:
        yield "wake", which, None
        return
    yield "look", which, None
    if node.state.asked and node.now - node.asked_at > HURRY_GAP:
        yield "probe", which, None
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
    if node.file != RIGHT:
        yield "reload", which, RIGHT
    # A fence must see the instance stopped.
    unmended = UNMENDED if node.policy.fence is FenceMode.NONE else frozenset()
    for operation in sorted(node.failing - unmended):
        yield "work", which, operation
    if pause is not None and pause.kind is PauseKind.PAUSE:
        yield "resume", which, None


def faults(world: World, config: Config) -> Iterator[Event]:
    """What goes wrong, or what an operator wants."""
    kinds = config.faults
    for node in world.nodes:
        yield from _faults_of_member(world, node, config)
    for place, one in enumerate(world.enis):
        if "endless" in kinds and one.status == "attaching" and not one.endless:
            yield "endless", place, None
            if world.machines[one.member] == "running":
                yield "endless", place, "stopping"
        if "steal" in kinds and one.status == FREE:
            yield "steal", place, None
        if "vanish" in kinds and place and one.status != MISSING:
            yield "vanish", place, None


def _faults_of_member(world: World, node: Node, config: Config) -> Iterator[Event]:
    which, kinds = node.index, config.faults
    if "machine" in kinds and world.machines[which] == "running":
        for state in ENDINGS:
            yield "machine", which, state
    if "reload" in kinds:
        yield from (("reload", which, name) for name in config.files if name != node.file)
    if "fail" in kinds:
        yield from (("fail", which, one) for one in config.operations if one not in node.failing)
    if node.state is None:
        return
    if "crash" in kinds:
        yield "crash", which, None
    if not node.is_awake:
        return
    yield from _of_the_host(node, config)
    if "ask" in kinds and not node.requests and node.state.request is None:
        yield "ask", which, None
    if "pause" in kinds and not node.requests:
        yield "pause", which, PAUSE_FOR
    yield from _worse_surroundings(node, config)
    yield from _wrong_answers(world, node, config)


def _of_the_host(node: Node, config: Config) -> Iterator[Event]:
    which, kinds = node.index, config.faults
    if "sleep" in kinds and not node.flights:
        yield "sleep", which, None
    if "stall" in kinds and len(node.stalls) < MOST_STALLS:
        yield "stall", which, None
    if "clock" in kinds:
        yield from (("clock", which, by) for by in STEPS if abs(node.skew + by) <= max(STEPS))


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
    "endless": "ec2: never ends the attach of eni-{number}, whose member's instance is {detail}",
    "sleep": "world: {member}'s host sleeps",
    "wake": "world: {member}'s host wakes up",
    "stall": "world: {member} stands still for a moment",
    "clock": "world: {member}'s wall clock is set by {detail} s",
    "fail": "ec2: {detail} fails for {member}, all else works",
    "work": "ec2: {detail} works again for {member}",
    "reload": "operator: {member} is given the file {detail}",
    "probe": "{member}: asks its probes at once",
    "steal": "world: eni-{number} is attached to an instance that is no member",
    "vanish": "world: eni-{number} does not exist any more",
    "restore": "world: eni-{number} is back, on nobody",
    "machine": "ec2: {member}'s instance is {detail}",
    "set": "world: {member} has {detail}",
    "alone": "no more faults: everybody does what is due",
}
