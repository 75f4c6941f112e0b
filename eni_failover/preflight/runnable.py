"""Whether this process can run what a configuration names: its probes, their files, programs, the role file.

A reload asks before it takes a file: what could not be run is refused while the old one still works.
"""

from __future__ import annotations

import os

from eni_failover.adapters.probes import registry
from eni_failover.config import Config
from eni_failover.preflight import commands
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.host import DISK_WITHIN


async def why_not_runnable(config: Config) -> tuple[str, ...]:
    """Every problem, one line each; none when this process can run all of it."""
    try:
        return await Aside[tuple[str, ...]]().run(lambda: _problems(config), within=DISK_WITHIN)
    except TimeoutError:
        return (f"a file system did not answer within {DISK_WITHIN:g} s",)


def _problems(config: Config) -> tuple[str, ...]:
    problems = [
        f"probe {spec.policy.name}: {problem}"
        for spec in config.probes
        for problem in registry.problems_of(spec)
    ]
    problems += commands.certain_problems(commands.look(config))
    directory = config.role_file.parent
    if not os.access(directory, os.W_OK | os.X_OK):
        problems.append(f"control.role_file: {directory} is no directory that this daemon may write to")
    return tuple(dict.fromkeys(problems))
