"""The stage: runs a scenario's commands in a simulated world and gives the story of each block.

A command is one verb and its words, `name=value` for options; times are seconds. Every block ends with a
line of what is then so: where each ENI is, and the role of each member.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from eni_failover.lab import Durations
from tests.sim import scenario_verbs as verbs
from tests.sim import sim_plan
from tests.sim.scenario_file import Block, Scenario
from tests.sim.sim_plan import Plan, Table
from tests.sim.sim_world import World
from tests.sim.simulation_run import MEMORY

PROBES = {
    "web": sim_plan.WEB,
    "port": sim_plan.PORT,
    "daemon": sim_plan.PEER,
    "fit": sim_plan.SELF,
    "gateway": sim_plan.WITNESS,
}
TIMING = frozenset({"observe_interval", "idle_interval", "move_interval", "max_loop_lag"})
PROBING = frozenset({"interval", "fast_interval", "timeout", "fall", "rise"})
DURATIONS = frozenset(
    {"attach", "detach", "force_detach", "start", "stop", "force_stop", "terminate", "vanish"}
)
NUMBERS = frozenset({"lag", "link_delay", "hook_seconds", "api_latency", "round_trip"})


class ScenarioError(Exception):
    """A scenario says what cannot be done, or expects what is not so."""


class Stage:
    """A world that a scenario plays in; leave it to end the world."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._world: World | None = None
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def world(self) -> World:
        """The world. Raises ScenarioError before there is one."""
        if self._world is None:
            raise ScenarioError("the first command must be `world`")
        return self._world

    def play(self, block: Block) -> Block:
        """Run a block's commands; gives it with its story."""
        for command in block.commands:
            self._do(command)
        lines = list(self.world.trace.lines)
        story, self._told = lines[self._told :], len(lines)
        return Block(commands=block.commands, story=(*story, self._picture()))

    def _do(self, command: str) -> None:
        verb, *words = command.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        names = [word for word in words if "=" not in word]
        if verb == "world":
            self._build(options)
        elif verb == "expect":
            self._expect(names)
        elif verb in verbs.VERBS:
            verbs.VERBS[verb](self.world, names, options)
        else:
            raise ScenarioError(f"unknown command {command!r}")

    def _build(self, options: dict[str, str]) -> None:
        directory = self._stack.enter_context(
            tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        )
        rng = random.Random(0)  # noqa: S311 - a story that can be told again, no secret
        self._world = World(_plan(options), rng=rng, directory=Path(directory), keep=None)
        self._stack.enter_context(self._world.catching())
        for member in self._world.members.values():
            member.start()

    def _expect(self, names: list[str]) -> None:
        """`expect beta active`: that member is so; `expect where beta beta`: the ENIs are there."""
        if names[0] == "where":
            found, wanted = list(self.world.where()), names[1:]
        else:
            found, wanted = [_role(self.world, names[0])], names[1:]
        if found != wanted:
            raise ScenarioError(f"expected {wanted}, found {found}\n{self.world.trace.text(40)}")

    def _picture(self) -> str:
        world = self.world
        roles = ", ".join(f"{name} {_role(world, name)}" for name in world.members)
        return f"= {' '.join(world.where())} | {roles}"


def _role(world: World, name: str) -> str:
    state = world.members[name].state
    if state is None:
        return "-"
    return str(state.role) if state.role_known else "?"


def _plan(options: dict[str, str]) -> Plan:
    def some(keys: frozenset[str]) -> Table:
        return {key: _value(value) for key, value in options.items() if key in keys}

    numbers = {key: float(value) for key, value in options.items() if key in NUMBERS}
    names = options.get("probes", "web").split(",")
    others = NUMBERS | DURATIONS | TIMING | PROBING | {"members", "enis", "probes"}
    return replace(
        Plan(
            members=int(options.get("members", "2")),
            enis=int(options.get("enis", "1")),
            probes=tuple(PROBES[name] for name in names),
            probe_timing=some(PROBING),
            policy=some(frozenset(options.keys() - others)),
            timing=some(TIMING),
            durations=Durations(**{key: float(options[key]) for key in DURATIONS & options.keys()}),
        ),
        **numbers,  # type: ignore[arg-type]
    )


def _value(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def perform(scenario: Scenario, *, watch: Callable[[World], object] = lambda _: None) -> Scenario:
    """Play a whole scenario; gives it with the stories told now. Raises ScenarioError.

    What the audit finds wrong is an error, whatever the file says.
    """
    with Stage() as stage:
        played = tuple(stage.play(block) for block in scenario.blocks)
        wrong = stage.world.audit.violations
        watch(stage.world)
    if wrong:
        raise ScenarioError("\n".join(wrong))
    return Scenario(prose=scenario.prose, blocks=played)
