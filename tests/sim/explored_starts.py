"""The moments that walks begin at: those of an ordinary takeover, each reached by ordinary events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eni_failover.core.decision import Detach, StopInstance
from tests.sim.explore_configs import Config
from tests.sim.explored_pass import Violation
from tests.sim.explored_settling import Settling
from tests.sim.explored_world import Event, Walker, World, beginning

QUIET = 2  # ticks in which everybody has found out what is so
ROUNDS = 16
SEEN_AGAIN = 4  # ticks in which the cause is judged down again, and only the limit holds back


def _sends(world: World, kind: type) -> bool:
    return any(isinstance(flight.call, kind) for node in world.nodes for flight in node.flights)


def _has(world: World, member: int) -> bool:
    return (world.enis[0].status, world.enis[0].member) == ("attached", member)


MOMENTS: dict[str, Callable[[World], bool]] = {
    "quiet": lambda _: True,
    "asked": lambda world: any(node.requests for node in world.nodes),
    "judged": lambda world: any(node.ghost.holder.is_down for node in world.nodes),
    "judged-ec2": lambda world: world.machines[0] == "stopping",
    "fencing": lambda world: _sends(world, StopInstance),
    "sent": lambda world: _sends(world, Detach),
    "detaching": lambda world: world.enis[0].status == "detaching",
    "free": lambda world: world.enis[0].status == "free",
    "attaching": lambda world: world.enis[0].status == "attaching",
    "held": lambda world: _has(world, 1),
}
NEW = "new"  # nobody has looked at anything yet
UNHEARD = "unheard"  # nor will the holder be heard by anybody
RETURNED = "returned"  # an operator has brought it back to the first member, and the cause is still there


def moments(config: Config, walker: Walker) -> Iterator[tuple[World, tuple[Event, ...]]]:
    """Each of the configuration's moments, with the events that lead there from the very beginning.

    Raises Violation when a promise is broken on the way; its `after` are the events until then.
    """
    settling = Settling(walker)
    story: list[Event] = []
    quiet = beginning(config.policies())
    if NEW in config.starts:
        yield quiet, ()
    if UNHEARD in config.starts:
        deaf: list[Event] = [("set", which, ("hears", "silent")) for which in range(1, config.members)]
        yield settling.play(quiet, deaf, []), tuple(deaf)
    try:
        for _ in range(QUIET):
            quiet = settling.round(quiet, story)
        first = len(story)
        world = _play_out(config, settling, quiet, story)
    except Violation as finding:
        finding.after = tuple(story)
        raise
    if RETURNED in config.starts:
        yield world, tuple(story)
    for name in config.starts:
        if name not in {RETURNED, NEW, UNHEARD}:
            yield _until(name, walker, quiet, story, first)


def _play_out(config: Config, settling: Settling, world: World, story: list[Event]) -> World:
    """An ordinary takeover by the second member, and the way back where that is asked for."""
    world = settling.play(world, _causes(config), story)
    world = _until_had(settling, world, 1, story)
    if RETURNED in config.starts:
        world = settling.play(world, [("ask", 0, None)], story)
        world = _until_had(settling, world, 0, story)
        for _ in range(SEEN_AGAIN):
            world = settling.round(world, story)
    return world


def _until_had(settling: Settling, world: World, member: int, story: list[Event]) -> World:
    for _ in range(ROUNDS):
        if all((one.status, one.member) == ("attached", member) for one in world.enis):
            return settling.round(world, story)
        world = settling.round(world, story)
    return world


def _until(
    name: str, walker: Walker, world: World, story: list[Event], first: int
) -> tuple[World, tuple[Event, ...]]:
    """The first moment of the story that has this name."""
    path = story[:first]
    for event in story[first:]:
        if MOMENTS[name](world):
            break
        world = walker.apply(world, event)
        path.append(event)
    if not MOMENTS[name](world):
        raise LookupError(f"{name} is never reached")
    return world, tuple(path)


def _causes(config: Config) -> list[Event]:
    """What makes the second member take over."""
    if "asked" in config.starts:
        return [("ask", 1, None)]
    if "judged-ec2" in config.starts:
        return [("machine", 0, "stopping")]
    if config.starts == ("quiet",):
        return []
    return [("set", which, ("hears", "down")) for which in range(1, config.members)]
