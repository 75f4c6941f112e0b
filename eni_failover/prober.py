"""When each probe runs, and whom it asks.

Owns one task for each probe, its schedule and its deadline. A slot is a moment at which an attempt
is due; slots are one interval apart, start to start, so that nothing drifts. Attempts of one probe
never overlap; one that runs over its next slot is followed at once by the next; slots that were
missed altogether are skipped, never made up for. Probes that could start at the same moment start a
millisecond after one another, in file order, so that hundreds do not queue behind each other.

Decides nothing: it hands on each answer, and is told the verdicts so that it knows when to hurry.
Not guaranteed: a start on the dot. How late each was is reported with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import traceback
from collections.abc import Callable, Collection, Mapping

import structlog

from eni_failover.adapters.probes import registry
from eni_failover.adapters.probes.probe import Probe, ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.adapters.probes.waiting import within
from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member
from eni_failover.core.vocabulary import Answer, Scope

log = structlog.get_logger(__name__)

_GRAIN = 1e-6  # seconds; no timer is finer, and no float noise is coarser
_SPREAD = 0.001
_CLOSE_TIMEOUT = 1.0
_HURRY_GAP = 1.0


class Prober:
    """The schedule of all probes.

    `clock` is monotonic seconds. `on_attempt` gets each finished attempt and how many seconds late
    it began; `wake` is called after it when the answer differs from the one before, or from the
    verdict. Both are called on the loop and must not block. Raises ConfigError when this host cannot
    run one of the probes.
    """

    def __init__(
        self,
        specs: tuple[ProbeSpec, ...],
        *,
        me: Member,
        clock: Callable[[], float],
        on_attempt: Callable[[Attempt, float], None],
        wake: Callable[[], None],
        make: Callable[[ProbeSpec], Probe] = registry.make,
    ) -> None:
        self._me = me
        self._clock = clock
        self._on_attempt = on_attempt
        self._wake = wake
        self._make = make
        self._holder: Member | None = None
        self._specs = specs
        self._replaced = asyncio.Event()
        self._lanes = self._build(specs)
        self._aim()

    async def run(self) -> None:
        """Run the probes until cancelled."""
        while True:
            self._replaced.clear()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(lane.run(), name=f"probe {lane.name}") for lane in self._lanes]
                await self._replaced.wait()
                for task in tasks:
                    task.cancel()

    def target(self, holder: Member | None) -> None:
        """Point the holder probes at `holder`; None, and this member itself, leave them idle.

        A change cancels a running attempt, drops its answer, and starts the next at once.
        """
        self._holder = holder
        self._aim()

    def settle(self, verdicts: Mapping[str, Answer]) -> None:
        """Take the verdict of each probe by name; one that is absent has none."""
        for lane in self._lanes:
            lane.settle(verdicts.get(lane.name, Answer.UNKNOWN))

    def hurry(self, names: Collection[str]) -> None:
        """Ask these probes once more as soon as may be: a decision waits for a young answer."""
        for lane in self._lanes:
            if lane.name in names:
                lane.hurry()

    def replace(self, specs: tuple[ProbeSpec, ...], *, me: Member | None = None) -> None:
        """Run these probes from now on; the same ones go on as they are. `me` when this member is another.

        Raises ConfigError, and changes nothing, when this host cannot run one of them.
        """
        if specs != self._specs:
            self._lanes = self._build(specs)
            self._specs = specs
            self._replaced.set()
        self._me = me or self._me
        self._aim()

    def _build(self, specs: tuple[ProbeSpec, ...]) -> tuple[_Lane, ...]:
        return tuple(
            _Lane(
                spec,
                self._make(spec),
                offset=place * _SPREAD,
                clock=self._clock,
                on_attempt=self._on_attempt,
                wake=self._wake,
            )
            for place, spec in enumerate(specs)
        )

    def _aim(self) -> None:
        for lane in self._lanes:
            member: Member | None = self._me
            if lane.scope is Scope.HOLDER:
                member = None if self._holder == self._me else self._holder
            lane.ask(member)


class _Lane:
    """One probe: its target, its slots and its attempt."""

    def __init__(
        self,
        spec: ProbeSpec,
        probe: Probe,
        *,
        offset: float,
        clock: Callable[[], float],
        on_attempt: Callable[[Attempt, float], None],
        wake: Callable[[], None],
    ) -> None:
        self.name = spec.policy.name
        self.scope = spec.policy.scope
        self._policy = spec.policy
        self._probe = probe
        self._offset = offset
        self._clock = clock
        self._on_attempt = on_attempt
        self._wake = wake
        self._member: Member | None = None
        self._slot: float | None = None  # of the latest attempt; None: the next is due now
        self._waiting_since = 0.0
        self._last: Answer | None = None
        self._decided: Answer | None = None  # the latest answer that was not unknown
        self._verdict = Answer.UNKNOWN
        self._changed = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None  # of the running attempt
        self._dropped = False
        self._is_awaited = False
        self._hurried_at = -math.inf
        self._crash = ""

    def ask(self, member: Member | None) -> None:
        if member == self._member:
            self._member = member  # it may be called otherwise by now
            return
        self._member = member
        self._slot = None
        self._waiting_since = self._clock() + self._offset
        self._last = self._decided = None
        self._verdict = Answer.UNKNOWN
        self._dropped = True
        if self._deadline is not None and not self._deadline.expired():
            # The running attempt is about another member: its time is up.
            self._deadline.reschedule(asyncio.get_running_loop().time())
        self._changed.set()

    def settle(self, verdict: Answer) -> None:
        if verdict is not self._verdict:
            self._verdict = verdict
            self._waiting_since = self._clock()
            self._changed.set()

    def hurry(self) -> None:
        """One attempt before its slot, but no more than one such a second: a running one will do.

        Whatever its answer is, the loop waits for it.
        """
        if self._slot is None or self._deadline is not None:
            self._is_awaited = True
            return
        if self._clock() - self._hurried_at < _HURRY_GAP:
            return
        self._hurried_at = self._clock()
        self._is_awaited = True
        self._slot = None
        self._waiting_since = self._clock()
        self._changed.set()

    async def run(self) -> None:
        self._waiting_since = self._clock() + self._offset
        try:
            while True:
                await self._attempt(await self._turn())
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._probe.close()

    def _gap(self) -> float:
        """Seconds from slot to slot: short but where all is well, so that no down grows old."""
        settled = self._verdict is Answer.UP and self._decided in {None, Answer.UP}
        return self._policy.interval if settled else self._policy.fast_interval

    def _due(self) -> float:
        return self._waiting_since if self._slot is None else self._slot + self._gap()

    async def _turn(self) -> Member:
        """Wait for the next slot of a member to ask. What changes meanwhile moves the slot."""
        while True:
            delay = None if self._member is None else self._due() - self._clock()
            if self._member is not None and delay is not None and delay <= _GRAIN:
                return self._member
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._changed.wait()

    async def _attempt(self, member: Member) -> None:
        due, started = self._due(), self._clock()
        late = max(0.0, started - max(due, self._waiting_since))
        missed = math.floor((started - due) / self._gap() + _GRAIN)
        self._slot = due + self._gap() * max(0, missed)
        self._dropped = False
        result = await self._ask(Target.of(member))
        if self._dropped:
            return
        self._waiting_since = self._clock()
        attempt = Attempt(
            probe=self._policy,
            member=member,
            answer=result.answer,
            answered=result.answered,
            started_at=started,
            ended_at=self._waiting_since,
            detail=result.detail,
        )
        self._report(attempt, late)

    async def _ask(self, target: Target) -> ProbeResult:
        try:
            async with within(self._policy.timeout) as self._deadline:
                result = await self._probe(target)
        except TimeoutError as error:
            if self._deadline is None or not self._deadline.expired():
                return self._crashed(error)
            result = self._silence()
        except Exception as error:  # noqa: BLE001 - a bug in one probe must not stop the others
            return self._crashed(error)
        finally:
            self._deadline = None
        self._crash = ""
        return result

    def _silence(self) -> ProbeResult:
        """The answer when the deadline has passed: down, unless it passed before anything was sent."""
        within = f"in {self._policy.timeout:g} s"
        if self._probe.unsent:
            detail = f"{self._probe.unsent} {within}"
            return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)
        return ProbeResult(answer=Answer.DOWN, answered=False, detail=f"no answer {within}")

    def _crashed(self, error: Exception) -> ProbeResult:
        """The answer to a bug of ours. Only its class and place are shown: its text may hold a secret."""
        name = type(error).__name__
        if name != self._crash:
            self._crash = name
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error("probe.crashed", probe=self.name, error=name, where=f"{where.filename}:{where.lineno}")
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"bug in the probe: {name}")

    def _report(self, attempt: Attempt, late: float) -> None:
        changed = attempt.answer is not self._last
        self._last = attempt.answer
        if attempt.answer is not Answer.UNKNOWN:
            self._decided = attempt.answer
        self._on_attempt(attempt, late)
        if changed or attempt.answer is not self._verdict or self._is_awaited:
            self._is_awaited = False
            self._wake()
