"""Every probe, asked once.

Owns one attempt of each, side by side, each with its own timeout. Counts nothing: `fall` and `rise` are
the daemon's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from eni_failover.adapters.probes import registry
from eni_failover.adapters.probes.probe import Probe, ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.adapters.probes.waiting import within
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer, Scope
from eni_failover.errors import ConfigError
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.facts import ProbeFact

_SIDE_BY_SIDE = 20
_CLOSE_TIMEOUT = 1.0


async def ask_all(
    specs: Sequence[ProbeSpec], *, me: Member | None, holder: Member | None
) -> tuple[ProbeFact, ...]:
    """The answer of each probe, in their order. Holder probes ask `holder`, unless that is this member."""
    few = asyncio.Semaphore(_SIDE_BY_SIDE)
    other = None if holder == me else holder

    async def one(spec: ProbeSpec) -> ProbeFact:
        async with few:
            return await _fact(spec, other if spec.policy.scope is Scope.HOLDER else me)

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(one(spec), name=f"probe {spec.policy.name}") for spec in specs]
    return tuple(task.result() for task in asking)


async def _fact(spec: ProbeSpec, about: Member | None) -> ProbeFact:
    if about is None:
        problem = await _problem(spec)
        return ProbeFact(
            name=spec.policy.name,
            scope=spec.policy.scope,
            about=None,
            answer=Answer.UNKNOWN,
            detail=problem or "nobody to ask",
            is_runnable=not problem,
        )
    result = await _ask(spec, Target.of(about))
    return ProbeFact(
        name=spec.policy.name,
        scope=spec.policy.scope,
        about=about.name,
        answer=result.answer,
        detail=result.detail,
    )


async def _problem(spec: ProbeSpec) -> str:
    """Why this host could not ask, whoever is there; empty when it could."""
    try:
        problems = await Aside[tuple[str, ...]]().run(
            lambda: registry.problems_of(spec), within=spec.policy.timeout
        )
    except TimeoutError:
        return f"files not read in {spec.policy.timeout:g} s"
    return "\n".join(problems)


async def _ask(spec: ProbeSpec, target: Target) -> ProbeResult:
    try:
        probe = registry.make(spec)
    except ConfigError as error:
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=str(error))
    try:
        async with within(spec.policy.timeout):
            return await probe(target)
    except TimeoutError:
        return _silence(probe, spec.policy)
    except Exception as error:  # noqa: BLE001 - a bug in one probe must not hide what the others say
        # Only its class: its text may hold a secret.
        name = type(error).__name__
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"bug in the probe: {name}")
    finally:
        await _close(probe)


def _silence(probe: Probe, policy: ProbePolicy) -> ProbeResult:
    """Down, unless the time went before anybody was asked."""
    within = f"in {policy.timeout:g} s"
    if probe.unsent:
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"{probe.unsent} {within}")
    return ProbeResult(answer=Answer.DOWN, answered=False, detail=f"no answer {within}")


async def _close(probe: Probe) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await probe.close()
