"""A prober of probes that play a script, in virtual time, and what it reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target, TcpSettings
from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer, ProbeType, Scope
from eni_failover.prober import Prober
from tests.virtual_loop import VirtualLoop, run

UP, DOWN, UNKNOWN = Answer.UP, Answer.DOWN, Answer.UNKNOWN
ALPHA = Member(name="alpha", instance_id="i-0aaaaaaaaaaaaaaa1", address="10.0.1.11")
BETA = Member(name="beta", instance_id="i-0bbbbbbbbbbbbbbb2", address="10.0.1.12")
GAMMA = Member(name="gamma", instance_id="i-0ccccccccccccccc3", address="10.0.1.13")
HANG = 1e6


def spec(
    name="web",
    *,
    kind=ProbeType.TCP,
    scope=Scope.HOLDER,
    interval=10.0,
    fast_interval=1.0,
    timeout=1.0,
    fall=3,
    rise=2,
) -> ProbeSpec:
    policy = ProbePolicy(
        name=name,
        type=kind,
        scope=scope,
        interval=interval,
        fast_interval=fast_interval,
        timeout=timeout,
        fall=fall,
        rise=rise,
    )
    return ProbeSpec(policy=policy, settings=TcpSettings(host="{address}", port=80))


@dataclass
class Fake:
    """A probe that plays a script of (answer or exception, seconds); the last entry repeats."""

    script: list[tuple[Answer | Exception, float]] = field(default_factory=lambda: [(UP, 0.0)])
    unsent: str = ""
    cleanup: float = 0.0  # seconds that it takes to end when cancelled
    asked: list[tuple[float, str]] = field(default_factory=list)
    cancelled: int = 0
    closed: int = 0
    running: int = 0

    async def __call__(self, target: Target) -> ProbeResult:
        assert self.running == 0, "attempts of one probe overlap"
        answer, seconds = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append((round(asyncio.get_running_loop().time(), 9), target.member))
        self.running += 1
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(self.cleanup)
            raise
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        return ProbeResult(answer=answer, answered=True, detail="played")

    async def close(self) -> None:
        self.closed += 1

    @property
    def starts(self) -> list[float]:
        return [at for at, _ in self.asked]


class World:
    """A prober of fakes, and what it reported."""

    def __init__(self, specs: tuple[ProbeSpec, ...], fakes: dict[str, Fake], me: Member = ALPHA) -> None:
        self.loop = asyncio.get_running_loop()
        assert isinstance(self.loop, VirtualLoop)
        self.fakes = fakes
        self.attempts: list[Attempt] = []
        self.lateness: list[float] = []
        self.wakes: list[float] = []
        self.prober = Prober(
            specs,
            me=me,
            clock=self.loop.time,
            on_attempt=self.note,
            wake=lambda: self.wakes.append(self.loop.time()),
            make=lambda one: self.fakes[one.policy.name],
        )

    def note(self, attempt: Attempt, late: float) -> None:
        self.attempts.append(attempt)
        self.lateness.append(late)

    def at(self, seconds: float, call, *arguments) -> None:
        """Call something at this moment of virtual time."""
        self.loop.call_at(seconds, call, *arguments)

    async def run_until(self, seconds: float) -> None:
        """Run the prober up to this moment, and stop it."""
        task = asyncio.create_task(self.prober.run())
        await asyncio.sleep(seconds - self.loop.time())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def play(scenario):
    """Run a scenario in virtual time; no callback may fail, and no task may be left over."""

    async def main():
        failures = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        result = await scenario()
        assert failures == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return run(main())


def holder_world(fake: Fake, verdict: Answer | None = None, **changes) -> World:
    world = World((spec(**changes),), {"web": fake})
    world.prober.target(BETA)
    if verdict is not None:
        world.prober.settle({"web": verdict})
    return world
