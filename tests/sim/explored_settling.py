"""What becomes of a group that is left alone: no more faults, and everybody does what is due.

Deterministic: in each tick each member looks twice and has its calls answered, then EC2 finishes what it
had begun. A group must be whole within a bounded time from wherever a walk has left it.
"""

from __future__ import annotations

from eni_failover.core.policy import TakeoverMode
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Role
from tests.sim.explore_events import AFTER, mending
from tests.sim.explored_ec2 import is_lent
from tests.sim.explored_node import RIGHT
from tests.sim.explored_pass import Violation, checks
from tests.sim.explored_world import Event, Walker, World

PATIENCE = 120  # ticks: two hung attaches, the window of the limit, a rescue
MOST_CALLS = 8
WHOLE = "left_alone_one_member_holds_every_eni"
FOUND = "the_first_eni_finds_a_member_while_one_lives"


class Settling:
    """Leaves worlds alone until they are whole; what was whole before is not played twice."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._good: set[World] = set()

    def whole(self, world: World, *, revive: bool = True) -> list[Event]:
        """The events until the group is whole. Raises Violation when it does not get there.

        Without `revive` the daemons that are down stay down: then the first ENI must be on some member.
        """
        name = WHOLE if revive else FOUND
        checks[name] += 1
        played: list[Event] = []
        try:
            whole = self._is_whole_in_time(world, played, revive=revive)
        except Violation as finding:
            finding.after = tuple(played)
            raise
        if whole:
            return played
        late = Violation(name, f"not within {PATIENCE} ticks")
        late.after = tuple(played)
        raise late

    def _is_whole_in_time(self, world: World, played: list[Event], *, revive: bool) -> bool:
        world = self.play(world, healing(world, revive=revive), played)
        met: list[World] = []
        for _ in range(PATIENCE):
            if world in self._good or is_settled(world, revive=revive):
                if revive:
                    self._good.update(met)
                return True
            met.append(world)
            world = self.round(world, played)
        return False

    def play(self, world: World, events: list[Event], played: list[Event]) -> World:
        """One event after the other; `played` grows by them."""
        for event in events:
            played.append(event)
            world = self._walker.apply(world, event)
        return world

    def round(self, world: World, played: list[Event]) -> World:
        """One tick in which everybody does what is due."""
        for which in range(len(world.nodes)):
            if not world.nodes[which].is_awake:
                continue
            for _ in range(2):
                state = world.nodes[which].state
                if state is not None and state.asked and not world.nodes[which].flights:
                    world = self.play(world, [("probe", which, None)], played)
                world = self.play(world, [("look", which, None)], played)
                for _ in range(MOST_CALLS):
                    if not world.nodes[which].flights:
                        break
                    world = self.play(world, [("answer", which, None)], played)
        for which, machine in enumerate(world.machines):
            if machine == "stopping":
                world = self.play(world, [("machine", which, "stopped")], played)
        done: list[Event] = [
            ("restore" if is_lent(one) else "done", place, None)
            for place, one in enumerate(world.enis)
            if one.ripe
        ]
        world = self.play(world, done, played)
        return self.play(world, [("tick", 1, None)], played)


def healing(world: World, *, revive: bool) -> list[Event]:
    """The events that mend everything; what is foreign or missing comes back with the next tick."""
    events: list[Event] = []
    for which, node in enumerate(world.nodes):
        machine = world.machines[which]
        while revive and machine in AFTER and machine not in {"shutting-down", "terminated"}:
            machine = AFTER[machine]
            events.append(("machine", which, machine))
        if machine == "shutting-down":
            events.append(("machine", which, "terminated"))
        runs = node.state is not None or (revive and machine == "running")
        if node.asleep_since is not None:
            events.append(("wake", which, None))
        if node.state is None and runs and world.machines[which] == "running":
            events.append(("start", which, None))
        events += [one for one in mending(node) if one[0] != "resume" or runs]
        events += [("answer", which, None)] * len(node.flights)
    return events


def is_settled(world: World, *, revive: bool) -> bool:
    """Whether one member has everything and says so; without `revive`, whether one has the first ENI."""
    first = world.enis[0]
    alive = [node.state for node in world.nodes if node.state is not None]
    idle = all(state.durable.takeover is None for state in alive)
    if revive and is_observed(world):
        return idle
    if not revive and first.endless and world.machines[first.member] == "running":
        return True  # its probes are up: only its own daemon could see that the attach never ends
    if first.status != "attached":
        return False
    if not revive:
        return True
    same = all((one.status, one.member) == ("attached", first.member) for one in world.enis)
    holder = world.nodes[first.member].state if first.member >= 0 else None
    return same and idle and _is_active(holder)


def _is_active(state: State | None) -> bool:
    return state is not None and state.role is Role.ACTIVE


def must_settle(world: World) -> bool:
    """Whether the promise is given here: somebody is left of the group, and it is not in observe mode.

    Observe mode waits for an operator, but for a takeover past its return, which ends or goes on.
    """
    if all(machine in {"shutting-down", "terminated", "gone"} for machine in world.machines):
        return False
    takeovers = [node.durable.takeover for node in world.nodes]
    return not is_observed(world) or any(one is not None and one.is_committed for one in takeovers)


def is_observed(world: World) -> bool:
    """Whether the group is to be in observe mode."""
    return dict(world.nodes[0].files)[RIGHT].takeover is TakeoverMode.OBSERVE
