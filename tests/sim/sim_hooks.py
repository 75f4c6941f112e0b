"""The programs that hooks start: they take their time, or hang, and tell the audit that they ran."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eni_failover.hooks.words import HookResult
from tests.sim.sim_clockwork import ProcessLoop

if TYPE_CHECKING:
    from tests.sim.sim_world import World


def hook_program(world: World) -> type:
    """What stands for `hooks.process.Run` in this world."""

    class Program:
        """One run of a hook."""

        def __init__(self) -> None:
            self.result, self.detail, self.output = HookResult.TIMEOUT, "", ""

        async def execute(
            self,
            argv: Sequence[str],
            environment: Mapping[str, str],
            timeout: float,  # noqa: ASYNC109 - the real one's shape
        ) -> None:
            """Run for as long as the plan says, and no longer than its time-out."""
            loop = asyncio.get_running_loop()
            who = loop.name if isinstance(loop, ProcessLoop) else "?"
            world.audit.hook_began(who, environment["ENI_FAILOVER_ROLE"])
            await asyncio.sleep(min(timeout, world.plan.hook_seconds))
            if world.plan.hook_seconds < timeout:
                self.result = HookResult.SUCCESS
            world.audit.hook_ended(who)

    return Program
