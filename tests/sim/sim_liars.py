"""Somebody else answers at a member's address: what it says of that member is made up.

Owns the lies. Whoever can do that on a network can give a pause or a resume as well as an operator; what it
must not be able to do is in the invariants: take a healthy group apart, or leave an ENI without a holder.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from eni_failover.core.vocabulary import Role, Trigger
from eni_failover.status import time_text
from tests.sim.sim_faults import Fault, Mend, one_of

if TYPE_CHECKING:
    from tests.sim.sim_world import World

Document = dict[str, Any]
AHEAD = (0.0, 60.0, 3_000.0, 30 * 86_400.0, 250_000_000_000.0)  # of the clock: the last is in the year 9892


def liar_about_roles(world: World, rng: random.Random) -> Mend:
    """A member seems to take over for ever, to hold, or to be something else; with other ENIs, too."""
    lie: Document = {
        "role": rng.choice((Role.TAKING, Role.TAKING, Role.ACTIVE, Role.FAULT, "boss")),
        "takeover": rng.choice((None, {"trigger": rng.choice((*Trigger, "fate"))})),
    }
    if rng.random() < 0.3:
        lie["config_hash"] = "another"
    if rng.random() < 0.3:
        lie["enis"] = [{"id": eni_id, "attachment_id": "eni-attach-made-up"} for eni_id in world.plan.eni_ids]
    return _tell(world, one_of(world, rng), lie)


def liar_about_pauses(world: World, rng: random.Random) -> Mend:
    """A pause or a resume that no operator gave, from now or from another age."""
    at = world.lab._wall() + rng.choice(AHEAD)
    lie: Document = {
        "pause_record": {
            "kind": rng.choice(("pause", "pause", "resume")),
            "at": time_text(at),
            "until": None,
            "remaining_s": rng.choice((10.0, 60.0, 300.0)),
            "reason": "made up",
            "by": "nobody",
        },
        "paused": rng.choice((None, {})),
    }
    return _tell(world, one_of(world, rng), lie)


def _tell(world: World, name: str, lie: Document) -> Mend:
    """From now on somebody at this member's address says so, whether its own daemon runs or not."""
    world.say("fault", name, "lies", lie)
    instance_id = world.hosts[name].instance_id

    def answer(true: object) -> object:
        document = true if isinstance(true, dict) else {"schema": 1, "group": "orders", "member": name}
        return {**document, "instance_id": instance_id, **lie}

    def mend() -> None:
        world.liars.pop(name, None)
        world.say("mend", name, "lies no more")
        world.poke_peers()

    world.liars[name] = answer
    world.poke_peers()
    return mend


LIARS: tuple[tuple[Fault, int], ...] = ((liar_about_roles, 4), (liar_about_pauses, 4))
"""Each with how often it is drawn."""
