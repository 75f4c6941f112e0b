"""Thousands of takeovers of one pair, and whether anything grows.

`in_virtual_time`: both daemons, their loop, adapter and journal on disk are real and run in the simulation
(`tests.sim`). The service of whoever holds the ENI dies, again and again, and the other one takes it: probes,
describes, intent, detach, attach, link, hooks. What is counted are the objects of the daemons' own classes
and their tasks, after a collection.

`in_processes`: two real daemons on a lab, an operator's takeovers to and fro: memory, threads, descriptors.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.daemons import Daemon, start_pair
from benchmarks.measured import Row, descriptors, memory_mb, threads
from benchmarks.places import HOLDER, STANDBY, place, serve
from eni_failover.errors import EniFailoverError
from eni_failover.lab import Durations, Settings
from tests.sim.sim_faults import set_service
from tests.sim.sim_host import Service
from tests.sim.sim_plan import Plan
from tests.sim.sim_world import World

WARM_SHARE = 0.2
"""Of the takeovers, before anything is counted for the first time."""
TOLERATED = 0.02
RESTS = 10.0
WITHIN = 300.0
UNLIMITED = {"cooldown": "0s", "max_takeovers": 1000, "max_takeovers_window": "1m"}
QUICK = Durations(detach=0.02, attach=0.02)

Count = dict[str, float]


def rows(virtual: int, real: int) -> list[Row]:
    """What there was after a fifth of the takeovers, and at the end."""
    found = _rows(f"{virtual:,} takeovers (virtual time)", *in_virtual_time(virtual))
    return found + _rows(f"{real:,} takeovers (processes)", *in_processes(real))


def _rows(head: str, early: Count, late: Count) -> list[Row]:
    return [
        Row(
            what=f"{head}: {what}",
            target="no growth",
            found=f"{early[what]:,.0f} -> {late[what]:,.0f}",
            met=late[what] <= early[what] * (1 + TOLERATED) + 2,
        )
        for what in early
    ]


def in_virtual_time(number: int) -> tuple[Count, Count]:
    """The counts early and at the end. Raises EniFailoverError when a takeover does not come about."""
    plan = Plan(
        policy=UNLIMITED, timing={"observe_interval": "5s"}, durations=Durations(detach=0.5, attach=0.5)
    )
    early: Count = {}
    with tempfile.TemporaryDirectory(prefix="enif-bench-") as name:
        world = World(plan, rng=random.Random(1), directory=Path(name))
        with world.catching():
            for member in world.members.values():
                member.start()
            world.run(RESTS)
            peaks = [0.0, 0.0]  # of the journals, which are written anew from time to time, in each half
            for done in range(1, number + 1):
                _fail_over(world)
                half = int(2 * done > number)
                peaks[half] = max(peaks[half], _bytes(Path(name)))
                if done == max(1, int(number * WARM_SHARE)):
                    early = _virtual_count()
            early["journals at most, bytes"] = peaks[0]
            late = {**_virtual_count(), "journals at most, bytes": peaks[1]}
        if world.audit.violations:
            raise EniFailoverError(f"in virtual time: {world.audit.violations[0]}")
    return early, late


def _fail_over(world: World) -> None:
    """The holder's service dies, the other member takes over, all is well again."""
    before = world.holder()
    mend = set_service(world, before, Service.DOWN)
    if not world.run(WITHIN, until=lambda: world.where()[0] in set(world.members) - {before}):
        raise EniFailoverError(f"nobody took over from {before} at {world.now:.0f} s")
    mend()
    world.run(RESTS)


def _bytes(directory: Path) -> float:
    """The size of what is in all state directories."""
    found = 0
    for file in directory.rglob("*state/*"):
        with contextlib.suppress(FileNotFoundError):  # replaced just now
            found += file.stat().st_size
    return found


def _virtual_count() -> Count:
    gc.collect()
    objects = [one for one in gc.get_objects() if _is_the_daemons(type(one).__module__)]
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    return {"objects": len(objects), "tasks": len(tasks)}


def _is_the_daemons(module: object) -> bool:
    return isinstance(module, str) and module.startswith("eni_failover") and ".lab" not in module


def in_processes(number: int) -> tuple[Count, Count]:
    """The counts of both daemons together, early and at the end."""
    settings = Settings(latency=0.005, durations=QUICK, throttle=False)
    early: Count = {}
    with place(settings, loopback=True) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        daemons = start_pair(pair)
        for done in range(1, number + 1):
            daemons[STANDBY if done % 2 else HOLDER].take()
            if done == max(1, int(number * WARM_SHARE)):
                early = _process_count(daemons)
        late = _process_count(daemons)
    return early, late


def _process_count(daemons: Mapping[str, Daemon]) -> Count:
    pids = [daemon.process.pid for daemon in daemons.values()]
    return {
        "memory, MB": sum(memory_mb(pid) for pid in pids),
        "threads": sum(map(threads, pids)),
        "descriptors": sum(map(descriptors, pids)),
    }
