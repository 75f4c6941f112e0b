"""What is explored: small groups, each with the few kinds of faults that make it interesting.

Time constants are a few ticks of 2.25 s, so that every timed row can be reached; the core's own bounds
(1, 2, 10 and 60 s) are what they are, and one event lets 60 s go by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from eni_failover.core.policy import FailbackMode, FenceMode, Member, Policy, TakeoverMode
from tests.core import builders
from tests.sim.explored_node import RIGHT, TICK, WRONG

HOLDER = builders.probe("web", interval=TICK, fast_interval=TICK, fall=2, rise=1)
SLOW = builders.probe("web", interval=6 * TICK, fast_interval=6 * TICK, fall=2, rise=1)
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
    "idle_interval": 12.0,
    "call_timeout": 2.0,
}

MOVING = ("quiet", "judged", "sent", "detaching", "free", "attaching", "held")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One group and its faults.

    `faults` names kinds of events (see `explore_events`); `hears` what the holder probes may answer
    beside `up`. `operations` are those of EC2's that may fail alone; `files` the files that a member may be
    given, beside the right one. `budget` is how many faults one walk may have. `starts` are the moments of
    an ordinary takeover that walks begin at; `waits` are the lengths of time that may go by at once, in
    ticks.
    """

    name: str
    members: int = 2
    enis: int = 1
    hears: tuple[str, ...] = ("down",)
    operations: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    budget: int = 3
    starts: tuple[str, ...] = MOVING
    waits: tuple[int, ...] = (1, 5, 27)
    changes: dict[str, Any] = field(default_factory=dict)

    def policies(self) -> tuple[tuple[tuple[str, Policy], ...], ...]:
        """Each member's files, by name: the same for all but for who each is."""
        right = builders.policy(members=self.members, enis=self.enis, **{**_SHORT, **self.changes})
        shared = {RIGHT: right, **{name: _OTHER_FILES[name](right) for name in self.files}}
        return tuple(
            tuple((name, _for(policy, member)) for name, policy in shared.items()) for member in right.members
        )


def _for(policy: Policy, member: Member) -> Policy:
    me = policy.member_of(member.instance_id)
    return replace(policy, me=me or member)


def _renamed(policy: Policy) -> Policy:
    """The members have each other's names: those of the file are for people alone."""
    names = [member.name for member in policy.members]
    members = zip(policy.members, reversed(names), strict=True)
    return replace(policy, members=tuple(replace(member, name=name) for member, name in members))


def _asking_wrong(policy: Policy) -> Policy:
    """A trial: a holder probe asks for what is not there, and nothing is acted on."""
    probes = tuple(replace(probe, settings=WRONG) for probe in policy.probes)
    return replace(policy, probes=probes, takeover=TakeoverMode.OBSERVE)


def _grown(policy: Policy) -> Policy:
    """One member more, before all others."""
    return replace(policy, members=(builders.MEMBERS["delta"], *policy.members))


_OTHER_FILES: dict[str, Callable[[Policy], Policy]] = {
    "renamed": _renamed,
    "trial": _asking_wrong,
    "grown": _grown,
    "patient": lambda policy: replace(policy, call_timeout=2 * policy.call_timeout),
}

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
            name="reload",
            faults=("reload", "crash"),
            files=("renamed", "trial", "grown", "patient"),
            starts=("quiet", "judged", "sent", "detaching", "free", "attaching", "held"),
            waits=(1, 5),
        ),
        Config(
            name="newcomer",
            hears=("down", "silent"),
            faults=("crash", "api"),
            starts=("new", "unheard"),
            waits=(1, 5),
        ),
        Config(name="endless", faults=("endless",), budget=1, starts=("attaching",), waits=(1, 27, 81)),
        Config(
            name="refused",
            faults=("fail", "drop"),
            operations=("attach denied", "attach limit"),
            changes={"max_takeovers": 3, "cooldown": 2.0},
            starts=("sent", "free", "held"),
        ),
        Config(
            name="alone",
            faults=("fail", "crash", "machine"),
            operations=("enis", "instances", "detach busy", "attach busy", "attach denied"),
            budget=2,
        ),
        Config(
            name="unfenced",
            faults=("fail", "pause", "crash"),
            operations=("stop busy", "instances"),
            changes={"fence": FenceMode.STOP},
            starts=("judged", "fencing"),
        ),
        Config(name="asleep", faults=("sleep", "stall"), waits=(1, 5)),
        Config(name="clocks", faults=("clock", "pause"), starts=("quiet", "judged", "held"), waits=(1, 5)),
        Config(
            name="seldom",
            hears=("down", "silent"),
            faults=("pause", "crash"),
            changes={"probes": (SLOW,)},
            starts=("quiet", "judged", "held"),
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
