"""A random walk: faults and operators at random, then none, and what must be true of it.

Everything random comes from `random.Random(seed)`: the same seed tells the same story.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from eni_failover.core.model import InstanceState, Verdict
from eni_failover.core.policy import FailbackMode, FenceMode
from eni_failover.core.view import STUCK_ATTACHING_AFTER
from tests.core.abstract_ec2 import Durations
from tests.core.builders import SELF, WEB, WITNESS
from tests.core.group_world import World

SETTLED_WITHIN = 420.0  # a hung attach twice, a cooldown, a rescue
RECOVERY_SEEN = 6.0  # rise of the probes, their timeouts, one describe
REFUSALS = (Verdict.BUSY, Verdict.LIMIT, Verdict.DENIED)
POLICIES: tuple[dict[str, object], ...] = (
    {},
    {"probes": (WEB, SELF, WITNESS)},
    {"failback": FailbackMode.AUTOMATIC, "failback_delay": 10.0, "probes": (WEB, SELF)},
    {"fence": FenceMode.STOP, "cooldown": 20.0},
    {"cooldown": 5.0, "stagger": 0.5, "unproven_grace": 20.0},
)


class Walk:
    """One world, one seed, one story."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - a walk that can be walked again, no secret
        changes = self.random.choice(POLICIES)
        self.world = World(
            seed=seed,
            members=self.random.choice((2, 2, 3, 4)),
            enis=self.random.choice((1, 1, 2, 3)),
            lag=self.random.choice((0.0, 0.0, 1.0)),
            durations=Durations(detach=self.random.uniform(0.2, 6.0), attach=self.random.uniform(0.2, 4.0)),
            **changes,
        )
        self.names = list(self.world.nodes)

    def go(self, steps: int) -> None:
        """So many faults, some seconds apart."""
        for _ in range(steps):
            self.random.choice(self._faults())()
            self.world.run(self.random.choice((0.1, 1.0, 5.0, 20.0)) * self.random.random())

    def heal(self) -> None:
        """No more faults: everything that can be mended is."""
        world = self.world
        world.ec2.stuck.clear()
        world.ec2.hung.clear()
        world.ec2.busy.clear()
        world.ec2.refusing.clear()
        world.blind.clear()
        world.lossy.clear()
        world.broken.clear()
        for pair in list(world.cut):
            world.partition(*pair, heal=True)
        for name in self.names:
            world.api(name, works=True)
            world.service(name, up=True)
            world.resume(name) if world.nodes[name].state else None
        self.settle()

    def settle(self) -> None:
        """Whatever stopped is started, and the group gets its time."""
        world = self.world
        for _ in range(3):
            for name in self.names:
                state = world.ec2.instances[f"i-{name}"]
                if state is InstanceState.STOPPED:
                    world.power_on(name)
                elif state is InstanceState.RUNNING:
                    world.nodes[name].start()
            world.run(SETTLED_WITHIN / 6, until=self._is_settled)
        world.run(SETTLED_WITHIN / 2, until=self._is_settled)
        # And it stays so, but for a failback that was due.
        world.run(60.0)
        world.run(60.0, until=self._is_settled)

    def _dies_attaching(self, name: str) -> None:
        """EC2 does not end this member's attaches any more, and its host is dead; EC2 says that it runs."""
        self.world.ec2.hung.add(f"i-{name}")
        self.world.crash(name)
        self.world.service(name, up=False)

    def _asks_otherwise(self, name: str) -> None:
        """A reload changes what this member's probes ask: none of their answers counts any more."""
        node = self.world.nodes[name]
        node.reload(probes=tuple(replace(one, settings=self.world.now) for one in node.policy.probes))

    def _is_settled(self) -> bool:
        running = all(one is InstanceState.RUNNING for one in self.world.ec2.instances.values())
        return running and all(node.state for node in self.world.nodes.values()) and self.world.whole

    def wrongs(self) -> Iterator[str]:
        """What must never have happened, and did."""
        for one in self.world.handovers:
            first_call = not one.committed and one.by != one.from_member
            if one.trigger == "probes" and first_call and one.running and one.up_for > RECOVERY_SEEN:
                yield f"took from a holder that is up: {one}"
            if one.trigger == "ec2" and first_call and one.running:
                yield f"took from a holder that runs: {one}"
            late = one.status == "attaching" and one.status_for >= STUCK_ATTACHING_AFTER
            if one.trigger == "unowned" and first_call and one.status != "detaching" and not late:
                yield f"took as unowned what was owned: {one}"

    # Faults ----------------------------------------------------------------------------------------

    def _faults(self) -> list[Callable[[], None]]:
        world, name = self.world, self.random.choice(self.names)
        other = self.random.choice([one for one in self.names if one != name])
        ec2 = world.ec2
        faults: list[Callable[[], None]] = [
            lambda: world.service(name, up=False),
            lambda: world.service(name, up=True),
            lambda: world.service(name, up=True),
            lambda: world.crash(name),
            lambda: world.restart(name),
            lambda: world.restart(name),
            lambda: world.partition(name, other),
            lambda: world.partition(name, other, heal=True),
            lambda: world.api(name, works=False),
            lambda: world.api(name, works=True),
            lambda: world.lossy.__setitem__(name, self.random.choice(("late", "outage"))),
            world.lossy.clear,
            lambda: ec2.stuck.add(self.random.choice(list(ec2.enis))),
            ec2.stuck.clear,
            lambda: ec2.hung.add(f"i-{name}"),
            ec2.hung.clear,
            lambda: world.broken.add(name),
            world.broken.clear,
            lambda: ec2.busy.update(one.attachment_id for one in ec2.enis.values() if one),
            ec2.busy.clear,
            lambda: ec2.refusing.__setitem__(f"i-{name}", self.random.choice(REFUSALS)),
            ec2.refusing.clear,
            lambda: world.blind.add(name),
            world.blind.clear,
            lambda: self._dies_attaching(name),
            lambda: self._asks_otherwise(name),
            lambda: world.walls.__setitem__(name, self.random.uniform(-600.0, 600.0)),
            lambda: (
                world.nodes[name].sleep(self.random.uniform(0.5, 60.0)) if world.nodes[name].state else None
            ),
            lambda: (
                world.nodes[name].freeze(self.random.uniform(0.5, 8.0)) if world.nodes[name].state else None
            ),
        ]
        if world.nodes[name].state:
            faults += [
                lambda: world.take_over(name),
                lambda: world.pause(name, seconds=self.random.uniform(1.0, 60.0)),
                lambda: world.resume(name),
            ]
        if ec2.instances[f"i-{name}"] is InstanceState.RUNNING:
            faults.append(lambda: world.power_off(name))
        elif ec2.instances[f"i-{name}"] is InstanceState.STOPPED:
            faults.append(lambda: world.power_on(name))
        return faults
