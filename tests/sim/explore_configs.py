"""What is explored: small groups, each with the few kinds of faults that make it interesting.

Time constants are a few ticks of 2.25 s, so that every timed row can be reached; the core's own bounds
(1, 2, 10 and 60 s) are what they are, and one event lets 60 s go by.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from eni_failover.core.policy import FailbackMode, FenceMode, Policy, TakeoverMode
from tests.core import builders
from tests.sim.explored_node import TICK

HOLDER = builders.probe("web", interval=TICK, fast_interval=TICK, fall=2, rise=1)
SELF = builders.probe("disk", "self", interval=TICK, fast_interval=TICK, fall=2, rise=1)
WITNESS = builders.probe("gateway", "witness", interval=TICK, fast_interval=TICK, fall=2, rise=1)

_SHORT: dict[str, Any] = {
    "probes": (HOLDER,),
    "failback_delay": 4.0,
    "cooldown": 4.0,
    "max_takeovers": 1,
    "max_takeovers_window": 40.0,
    "stagger": 2.0,
    "unproven_grace": 8.0,
    "force_detach_after": 4.0,
    "observe_interval": 4.0,
    "call_timeout": 2.0,
}

MOVING = ("quiet", "judged", "sent", "detaching", "free", "attaching", "held")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One group and its faults.

    `faults` names kinds of events (see `explore_events`); `hears` what the holder probes may answer
    beside `up`. `budget` is how many faults one walk may have. `starts` are the moments of an ordinary
    takeover that walks begin at; `waits` are the lengths of time that may go by at once, in ticks.
    """

    name: str
    members: int = 2
    enis: int = 1
    hears: tuple[str, ...] = ("down",)
    faults: tuple[str, ...] = ()
    budget: int = 3
    starts: tuple[str, ...] = MOVING
    waits: tuple[int, ...] = (1, 5, 27)
    changes: dict[str, Any] = field(default_factory=dict)

    def policies(self) -> tuple[Policy, ...]:
        """Each member's policy: the same but for who it is."""
        shared = builders.policy(members=self.members, enis=self.enis, **{**_SHORT, **self.changes})
        return tuple(replace(shared, me=member) for member in shared.members)


CONFIGS = {
    one.name: one
    for one in (
        Config(
            name="pair",
            hears=("down", "silent", "unknown"),
            faults=("crash", "drop", "ask", "api"),
        ),
        Config(name="reads", faults=("crash", "drop", "stale", "blank"), waits=(1, 5)),
        Config(name="slow", faults=("crash", "drop", "stale"), changes={"call_timeout": 4.0}, waits=(1, 27)),
        Config(name="both", enis=2, faults=("crash", "drop", "stale", "ask")),
        Config(name="trio", members=3, hears=("down",), faults=("crash", "drop"), waits=(1, 5)),
        Config(
            name="observe",
            faults=("crash", "drop", "ask"),
            changes={"takeover": TakeoverMode.OBSERVE},
            starts=("quiet", "asked", "detaching", "free", "attaching", "held"),
        ),
        Config(
            name="failback",
            faults=("crash", "fit", "ask", "api"),
            changes={"failback": FailbackMode.AUTOMATIC, "probes": (HOLDER, SELF)},
            starts=("quiet", "judged", "free", "held"),
            budget=4,
        ),
        Config(
            name="fence",
            faults=("crash", "drop", "refuse", "machine", "ask"),
            changes={"fence": FenceMode.STOP},
            starts=("quiet", "judged", "fencing", "detaching", "free"),
        ),
        Config(name="paused", faults=("pause", "crash", "ask", "drop"), waits=(1, 5)),
        Config(
            name="machines",
            hears=(),
            faults=("machine", "blind", "crash", "drop", "ask"),
            starts=("quiet", "judged-ec2", "detaching", "free", "attaching", "held"),
        ),
        Config(name="foreign", enis=2, faults=("steal", "vanish", "crash", "drop"), waits=(1, 5)),
        Config(
            name="unfit",
            faults=("fit", "witness", "allowed", "broken"),
            changes={"probes": (HOLDER, SELF, WITNESS)},
        ),
        Config(
            name="stuck", faults=("crash", "drop"), budget=1, starts=("detaching", "attaching"), waits=(1, 27)
        ),
        Config(
            name="again",
            faults=("crash", "drop", "ask", "pause"),
            changes={"cooldown": 2.0, "failback_delay": 2.0},
            starts=("held", "returned"),
            waits=(1, 5),
        ),
        Config(
            name="grace", faults=("crash", "ask", "busy"), changes={"startup_grace": 5.0, "max_takeovers": 2}
        ),
    )
}

# Findings that the code still has, by the name of the invariant they break: tolerated, and told loudly in
# every report. Whoever mends one takes its line out.
KNOWN: dict[str, str] = {}
