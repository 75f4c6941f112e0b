"""What goes wrong with the network: each fault is one function that does it and gives what mends it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.sim.sim_faults import Fault, Mend, holder_of, one_of, standby_of
from tests.sim.sim_network import API, WITNESS

if TYPE_CHECKING:
    from tests.sim.sim_world import World


def _two(world: World, rng: random.Random) -> tuple[str, str]:
    one = one_of(world, rng)
    return one, rng.choice([name for name in world.members if name != one])


def partition(world: World, rng: random.Random) -> Mend:
    """Two members do not reach each other; everything else works."""
    one, other = _two(world, rng)
    return cut(world, ((one, other), (other, one)))


def one_way_partition(world: World, rng: random.Random) -> Mend:
    """Packets get through in one direction only."""
    return cut(world, (_two(world, rng),))


def isolation(world: World, rng: random.Random) -> Mend:
    """One member reaches nobody, the API perhaps."""
    name = holder_of(world, rng)
    others = [one for one in world.members if one != name] + [WITNESS]
    others += [API] if rng.random() < 0.5 else []
    return cut(world, tuple(pair for other in others for pair in ((name, other), (other, name))))


def api_cut(world: World, rng: random.Random) -> Mend:
    """One member does not reach the API, or does not hear it."""
    name = one_of(world, rng)
    return cut(world, (rng.choice(((name, API), (API, name))),))


def standby_cut_off(world: World, rng: random.Random) -> Mend:
    """A member that does not hold reaches EC2 and nobody else: to it the holder is as good as down."""
    name = standby_of(world, rng)
    others = [one for one in world.members if one != name] + [WITNESS]
    return cut(world, tuple(pair for other in others for pair in ((name, other), (other, name))))


def cut(world: World, ways: tuple[tuple[str, str], ...]) -> Mend:
    """These ways are blocked."""
    for way in ways:
        world.say("fault", "cut", *way)
        world.network.block(*way)
    world.refresh()

    def mend() -> None:
        for way in ways:
            world.say("mend", "open", *way)
            world.network.heal(*way)
        world.refresh()

    return mend


def packet_loss(world: World, rng: random.Random) -> Mend:
    """A share of the packets of one way is lost."""
    one, other = _two(world, rng)
    share = rng.choice((0.1, 0.3, 0.6))
    world.say("fault", "loss", one, other, share)
    world.network.lose(one, other, share)
    world.refresh()

    def mend() -> None:
        world.network.heal(one, other)
        world.refresh()

    return mend


def probes_unsent(world: World, rng: random.Random) -> Mend:
    """This host cannot send its probes: no descriptors, no buffers."""
    name = one_of(world, rng)
    world.say("fault", name, "probes cannot be sent")
    world.hosts[name].is_deaf = True
    world.refresh()

    def mend() -> None:
        world.hosts[name].is_deaf = False
        world.refresh()

    return mend


PARTITIONS: tuple[tuple[Fault, int], ...] = (
    (partition, 5),
    (one_way_partition, 3),
    (isolation, 3),
    (standby_cut_off, 2),
    (api_cut, 3),
    (packet_loss, 3),
    (probes_unsent, 2),
)
"""Each with how often it is drawn."""
