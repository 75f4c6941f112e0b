"""The whole group at one moment, and the next moment for each event that may come.

Owns what an event does to EC2 and to whom it is told. Which events a walk tries is in `explore_events`.
An event is (name, which, detail): `which` is a member's or an ENI's place in the file.
"""

from __future__ import annotations

from typing import NamedTuple

from eni_failover.core.decision import Attach, Detach, StopInstance
from eni_failover.core.model import PauseKind, PauseRequest, Verdict
from eni_failover.core.policy import Policy
from tests.core.builders import NAMES
from tests.sim import explored_ec2 as ec2
from tests.sim import explored_local as local
from tests.sim import explored_node as nodes
from tests.sim.explored_book import Book
from tests.sim.explored_ec2 import FREE, MISSING, NOBODY, STRANGER, Effect, Enis, Machines, Truth
from tests.sim.explored_node import Flight, Node
from tests.sim.explored_pass import Around, Glance, ask
from tests.sim.explorer_invariants import of_two_only_the_first_succeeds

Event = tuple[str, int, object]
Won = tuple[tuple[int, int], ...]


class World(NamedTuple):
    """EC2 and the members.

    `before` is what a read that lags may still show, None when nothing changed. `turned` are the members
    whose instance is another way since this tick. `won` is who has attached what he saw free, by the id of
    that time on nobody, while another member may still act on the same look.
    """

    enis: Enis
    before: Enis | None
    machines: Machines
    nodes: tuple[Node, ...]
    turned: tuple[int, ...] = ()
    won: Won = ()


def beginning(files: tuple[tuple[tuple[str, Policy], ...], ...], holder: int = 0) -> World:
    """Everything attached to one member, all daemons just started, each with its files."""
    count = len(files[0][0][1].eni_ids)
    enis = tuple(Truth("attached", place + 1, holder, place + 1) for place in range(count))
    members = tuple(nodes.first_node(index, each) for index, each in enumerate(files))
    return World(enis, None, ("running",) * len(files), members)


class Walker:
    """Applies events to worlds. Raises Violation when one breaks a promise."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def apply(self, world: World, event: Event) -> World:
        """The world after this event, which must be one that may come."""
        name, which, detail = event
        made: World = getattr(self, f"_{name}")(world, which, detail)
        return made

    # Time and EC2 ----------------------------------------------------------------------------------

    def _tick(self, world: World, which: int, detail: object) -> World:
        running = _serving(world)
        aged = tuple(self.book.do(one, local.ticked, which, running) for one in world.nodes)
        enis = tuple(one._replace(ripe=ec2.is_underway(one)) for one in world.enis)
        return World(enis, None, world.machines, aged, (), self._still_seen(world.won, aged))

    def _done(self, world: World, which: int, detail: object) -> World:
        one = world.enis[which]
        if one.status == "attaching":
            return self._put(world, which, one._replace(status="attached", ripe=False))
        return self._put(world, which, self._free(world))

    def _free(self, world: World) -> Truth:
        return Truth(FREE, self._unused(world))

    def _unused(self, world: World) -> int:
        idents = {one.ident for one in (*world.enis, *(world.before or ()))}
        idents |= {ident for ident, _ in world.won}
        for node in world.nodes:
            idents |= self.book.idents(node)
        return ec2.unused(idents)

    def _put(self, world: World, place: int, truth: Truth) -> World:
        """An ENI is another way from now on; the kernels concerned are told."""
        old = world.enis
        enis = (*old[:place], truth, *old[place + 1 :])
        members = list(world.nodes)
        for index, node in enumerate(members):
            had, has = ec2.linked(old, index)[place], ec2.linked(enis, index)[place]
            if had != has and node.state is not None:
                members[index] = self.book.do(node, local.link_came if has else local.link_gone, place)
        if place == 0:
            was, now = _owner(old[0]), _owner(truth)
            for index in {was, now} - {NOBODY, STRANGER} if was != now else ():
                members[index] = self.book.do(members[index], local.judged, index == now)
        return world._replace(enis=enis, before=old, nodes=tuple(members))

    def _steal(self, world: World, which: int, detail: object) -> World:
        return self._put(world, which, Truth("attached", self._unused(world), STRANGER, 1))

    def _vanish(self, world: World, which: int, detail: object) -> World:
        return self._put(world, which, Truth(MISSING, self._unused(world)))

    def _restore(self, world: World, which: int, detail: object) -> World:
        return self._put(world, which, self._free(world))

    # Machines --------------------------------------------------------------------------------------

    def _machine(self, world: World, which: int, detail: object) -> World:
        """An instance is in another state; `running` boots it, all others end its daemon."""
        state = str(detail)
        machines = (*world.machines[:which], state, *world.machines[which + 1 :])
        world = world._replace(machines=machines, turned=tuple(sorted({*world.turned, which})))
        if state == "running":
            return self._with(world, self.book.do(world.nodes[which], nodes.rebooted))
        if world.nodes[which].state is not None:
            world = self._with(world, self.book.do(world.nodes[which], local.crashed))
        if state == "terminated":
            world = world._replace(won=tuple(one for one in world.won if one[1] != which))
            for place, one in enumerate(world.enis):
                if one.member == which:
                    world = self._put(world, place, self._free(world))
        return world

    # Members ---------------------------------------------------------------------------------------

    def _with(self, world: World, node: Node) -> World:
        place = node.index
        return world._replace(nodes=(*world.nodes[:place], node, *world.nodes[place + 1 :]))

    def _around(self, world: World, which: int) -> Around:
        others = tuple((one.index, self.book.shows(one)) for one in world.nodes if one.index != which)
        return Around(ec2.linked(world.enis, which), others)

    def _endless(self, world: World, which: int, detail: object) -> World:
        """EC2 never ends this attach; with `detail` its member's instance is in this state from now on."""
        world = self._put(world, which, world.enis[which]._replace(endless=True, ripe=False))
        return world if detail is None else self._machine(world, world.enis[which].member, detail)

    def _probe(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.probed, _serving(world)))

    def _stall(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.stalled))

    def _sleep(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.fell_asleep))

    def _wake(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.woke))

    def _reload(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.given_file, detail))

    def _clock(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.with_clock_set, detail))

    def _fail(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.with_operation, detail, True))

    def _work(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.with_operation, detail, False))

    def _crash(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.crashed))

    def _start(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], nodes.started))

    def _set(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.with_surroundings, detail))

    def _ask(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.asked_to_take_over))

    def _pause(self, world: World, which: int, detail: object) -> World:
        request = PauseRequest(kind=PauseKind.PAUSE, duration=float(str(detail)))
        return self._with(world, self.book.do(world.nodes[which], local.asked, request))

    def _resume(self, world: World, which: int, detail: object) -> World:
        request = PauseRequest(kind=PauseKind.RESUME)
        return self._with(world, self.book.do(world.nodes[which], local.asked, request))

    # Looks and passes ------------------------------------------------------------------------------

    def _look(self, world: World, which: int, detail: object) -> World:
        """A describe, and the pass that it wakes; `detail` says how the answer is wrong, if it is."""
        shown, machines = world.enis, world.machines
        if detail == "stale" and world.before is not None:
            shown = world.before
        if detail == "blank":
            shown = (Truth(MISSING, 0), *shown[1:])
        if detail == "blind":
            machines = tuple(one if at == which else ec2.GONE for at, one in enumerate(machines))
        glance = Glance(ec2.bare(shown), ec2.bare(world.enis), machines)
        node = world.nodes[which]
        act = local.looked if node.flights else local.looked_and_thought
        told = (glance,) if node.flights else (glance, self._around(world, which))
        return self._with(world, self.book.do(node, act, *told))

    def _peek(self, world: World, which: int, detail: object) -> World:
        return self._with(world, self.book.do(world.nodes[which], local.thought, self._around(world, which)))

    # Calls -----------------------------------------------------------------------------------------

    def _answer(self, world: World, which: int, detail: object) -> World:
        """The first call on its way reaches EC2, and its answer comes back."""
        node = world.nodes[which]
        failed = _refusal(node, node.flights[0])
        if failed is not None:
            return self._told(world, which, failed)
        world, verdict = self._effect(world, which, node.flights[0])
        return self._told(world, which, verdict)

    def _refuse(self, world: World, which: int, detail: object) -> World:
        """EC2 refuses the call, for a reason that is not in the state of the ENI."""
        return self._told(world, which, Verdict(str(detail)))

    def _drop(self, world: World, which: int, detail: object) -> World:
        """No answer comes; what EC2 makes of the call is for later."""
        return self._told(world, which, Verdict.UNANSWERED)

    def _told(self, world: World, which: int, verdict: Verdict) -> World:
        node = self.book.do(world.nodes[which], local.answered, verdict)
        world = self._with(world, node)
        return world if node.flights else self._peek(world, which, None)

    def _land(self, world: World, which: int, detail: object) -> World:
        """A call that nobody waits for any more takes effect after all."""
        place = int(str(detail))
        flight = world.nodes[which].strays[place]
        world = self._with(world, self.book.do(world.nodes[which], local.landed, place))
        return self._effect(world, which, flight)[0]

    def _effect(self, world: World, which: int, flight: Flight) -> tuple[World, Verdict]:
        call = flight.call
        match call:
            case StopInstance():
                target = NAMES.index(call.instance_id.removeprefix("i-"))
                if world.machines[target] == "running":
                    world = self._machine(world, target, "stopping")
                return world, Verdict.ACCEPTED
            case Detach():
                effect = ec2.detach(world.enis, call)
            case Attach():
                effect = ec2.attach(world.enis, world.machines, call, which, self._unused(world))
            case _:
                effect = Effect(Verdict.ACCEPTED)
        if effect.position is None or effect.truth is None:
            return world, effect.verdict
        if isinstance(call, Attach):
            ask(of_two_only_the_first_succeeds, which, flight.token, world.won)
            won = tuple(sorted({*world.won, (flight.token, which)}))
            world = world._replace(won=self._still_seen(won, world.nodes))
        return self._put(world, effect.position, effect.truth), effect.verdict

    def _still_seen(self, won: Won, members: tuple[Node, ...]) -> Won:
        return tuple(
            (ident, winner)
            for ident, winner in won
            if any(one.index != winner and ident in self.book.seen(one) for one in members)
        )


def _serving(world: World) -> tuple[bool, ...]:
    """Whether each member's service could answer."""
    awake = (node.asleep_since is None for node in world.nodes)
    return tuple(one == "running" and up for one, up in zip(world.machines, awake, strict=True))


REFUSALS = {"busy": Verdict.BUSY, "denied": Verdict.DENIED, "limit": Verdict.LIMIT}


def _refusal(node: Node, flight: Flight) -> Verdict | None:
    """What EC2 says to this call where it answers all others well."""
    kinds = {Detach: "detach", Attach: "attach", StopInstance: "stop"}
    kind = kinds.get(type(flight.call), "")
    words = (one.partition(" ") for one in sorted(node.failing))
    return next((REFUSALS[how] for operation, _, how in words if operation == kind), None)


def _owner(truth: Truth) -> int:
    return truth.member if truth.status in {"attaching", "attached"} else NOBODY
