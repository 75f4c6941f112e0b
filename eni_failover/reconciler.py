"""The loop: observe, step, publish, act. The only writer of the state.

Level-triggered: the start, a wakeup and a timer all run the same pass, and a request carries no
facts. What a pass decides is on disk before it is done; what it does is seen by the next pass. The
core decides everything; this file only moves values between it and the world.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from eni_failover.acting import Actor
from eni_failover.core import idle
from eni_failover.core.decide import step
from eni_failover.core.decision import Decision, RequestAnswer
from eni_failover.core.model import (
    SHOWN_TAKEOVERS,
    Attempt,
    Eni,
    History,
    Link,
    Mutation,
    Observation,
    Outcome,
    Peer,
    Request,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import Policy
from eni_failover.core.publish import snapshot, with_role
from eni_failover.core.snapshot import Check, DecisionLine, Snapshot
from eni_failover.core.state import State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason
from eni_failover.history import Journal, Moment
from eni_failover.lag import LoopLag
from eni_failover.surveys import Surveys

LOOK_TIMEOUT = 2.0  # for a look at the ENIs, before an operator's request is decided without it
LONGEST_WAIT = 5.0  # between passes, so that liveness does not depend on a long observe_interval


class Links(Protocol):
    """The kernel's links of this host."""

    def state(self, eni: Eni) -> Link:
        """The link of this ENI, found by its MAC."""
        ...


class Listener(Protocol):
    """Whoever is told what passes found: metrics, hooks, the role file, systemd, the probes."""

    def published(self, view: Snapshot, state: State) -> None:
        """A pass has decided; nothing of it has been done yet."""
        ...

    def pass_ended(self, seconds: float, wall: float, *, good: bool) -> None:
        """A pass has ended; `good` when everything it asked was answered."""
        ...

    def decided(self, decision: Decision, state: State) -> None:
        """A decision that differs from the one before it, and the state that it leaves."""
        ...

    def took_over(self, ended: History) -> None:
        """A takeover has ended."""
        ...


@dataclass(slots=True, kw_only=True)
class Waiting:
    """An operator's request, when it came, and who waits for the pass that takes it."""

    request: Request
    came_at: float
    taken: asyncio.Future[None]


@dataclass(slots=True, kw_only=True)
class Inbox:
    """What came since the last pass."""

    attempts: list[Attempt] = field(default_factory=list)
    requests: list[Waiting] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class Reconciler:
    """One member's loop over one group."""

    def __init__(
        self,
        *,
        policy: Policy,
        state: State,
        version: str,
        actor: Actor,
        surveys: Surveys,
        links: Links,
        peers: Callable[[], tuple[Peer, ...]],
        lag: LoopLag,
        journal: Journal,
        listener: Listener,
        clock: Callable[[], float],
        wall: Callable[[], float],
        takeovers: tuple[History, ...] = (),
        draw: Callable[[], float] = random.random,
        slow_checks: Callable[[], tuple[Check, ...]] = tuple,
    ) -> None:
        self.policy = policy
        self.state = state
        self.snapshot: Snapshot | None = None
        self.pass_ended_at = clock()
        # How long after a look for the group's members the next one is due, in seconds.
        self.roster_interval = idle.ROSTER_EVERY * policy.observe_interval
        self.on_answer: Callable[[RequestAnswer], None] = _nobody
        self._version = version
        self._actor = actor
        self._surveys = surveys
        self._links = links
        self._peers = peers
        self._lag = lag
        self._journal = journal
        self._listener = listener
        self._clock = clock
        self._wall = wall
        self._draw = draw
        self._slow_checks = slow_checks
        self._log = structlog.get_logger()
        self._inbox = Inbox()
        self._taken: list[asyncio.Future[None]] = []
        self._awake = asyncio.Event()
        self._next_policy: Policy | None = None
        self._is_moving = False
        self._on_policy: Callable[[Policy], None] = _nothing
        self._decision = Decision(action=Action.WAIT, reason=Reason.STARTING)
        self._line = DecisionLine(action=Action.WAIT, reason=Reason.STARTING, at_wall=wall())
        self._takeovers = takeovers[-SHOWN_TAKEOVERS:]
        self._pass_id = 0
        self._journal_problem = ""

    # Edges -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Asks for a pass now. A hint: every pass reads the world afresh."""
        self._awake.set()

    def take_attempt(self, attempt: Attempt) -> None:
        """Keeps a probe's answer for the next pass."""
        self._inbox.attempts.append(attempt)

    def take_request(self, request: Request) -> asyncio.Future[None]:
        """Keeps an operator's request for a pass; done when that pass has published.

        A takeover is decided on a look at the ENIs that began after it was asked for: an older one
        may show what is gone by now. While EC2 does not answer it waits two seconds at most.
        """
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.requests.append(Waiting(request=request, came_at=self._clock(), taken=taken))
        self.wake()
        return taken

    def take_policy(self, policy: Policy, applied: Callable[[Policy], None]) -> None:
        """Takes a new policy over, in place of one that still waits.

        Other ENIs or members wait while EC2 moves something, or a takeover is past its point of no return.
        """
        self._next_policy = policy
        self._on_policy = applied
        self.wake()

    # The loop --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Passes until cancelled. An unexpected error ends the process; systemd restarts it."""
        while True:
            await self._pass()
            await self._rest()

    async def _rest(self) -> None:
        now = self._clock()
        requests = (one.came_at + LOOK_TIMEOUT for one in self._inbox.requests)
        left = min(self._decision.pass_at, now + LONGEST_WAIT, *requests) - now
        if self._inbox.outcomes or left <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(left):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _pass(self) -> None:
        began_at = self._clock()
        self._pass_id += 1
        with structlog.contextvars.bound_contextvars(pass_id=self._pass_id, role=str(self.state.role)):
            self._awake.clear()
            self._change_policy()
            obs = self._observe()
            before = self.state
            state, decision = step(before, obs, self.policy)
            view = View(state, obs, self.policy)
            self.state = with_role(view)
            self.roster_interval = idle.roster_interval(view)
            takeover = self.state.durable.takeover
            self._is_moving = view.is_moving or (takeover is not None and takeover.is_committed)
            if self.state.durable != before.durable:
                await self._journal.remember(self.state.durable, self._moment())
            else:
                self._journal.retry(self._moment())
            await self._publish(view.with_state(self.state), decision)
            outcomes = await self._actor.act(decision, decided_at=obs.now)
            if (Mutation.ATTACH, Verdict.DENIED) in {(one.mutation, one.verdict) for one in outcomes}:
                self._surveys.attach_denied()
            self._inbox.outcomes += outcomes
            self.pass_ended_at = self._clock()
            seconds = self.pass_ended_at - began_at
            self._listener.pass_ended(seconds, self._wall(), good=obs.enis.answered)

    def _change_policy(self) -> None:
        policy = self._next_policy
        if policy is None:
            return
        same_shape = (policy.eni_ids, policy.members) == (self.policy.eni_ids, self.policy.members)
        if not same_shape and self._is_moving:
            return
        self._next_policy = None
        self.policy = policy
        self._lag.threshold = policy.stall_length
        self._surveys.replace_policy(policy)
        self._on_policy(policy)
        self._log.info("config.applied", config_hash=policy.config_hash)

    # Observe ---------------------------------------------------------------------------------------

    def _observe(self) -> Observation:
        inbox = self._inbox
        ripe = [one for one in inbox.requests if self._is_ripe(one)]
        self._inbox = Inbox(requests=[one for one in inbox.requests if one not in ripe])
        self._taken = [one.taken for one in ripe]
        return Observation(
            now=self._clock(),
            wall=self._wall(),
            jitter=self._draw(),
            enis=self._surveys.enis,
            instances=self._surveys.instances,
            attempts=tuple(inbox.attempts),
            requests=tuple(one.request for one in ripe),
            outcomes=tuple(inbox.outcomes),
            stalls=self._lag.stalls(),
            links=tuple(self._links.state(eni) for eni in self._surveys.enis.enis),
            peers=self._peers(),
            local=self._surveys.local,
        )

    def _is_ripe(self, waiting: Waiting) -> bool:
        looked = self._surveys.enis.began_at >= waiting.came_at
        late = self._clock() >= waiting.came_at + LOOK_TIMEOUT
        return looked or late or not isinstance(waiting.request, TakeoverRequest)

    # Publish ---------------------------------------------------------------------------------------

    async def _publish(self, view: View, decision: Decision) -> None:
        if decision.ended is not None:
            self._takeovers = (*self._takeovers, decision.ended)[-SHOWN_TAKEOVERS:]
            self._log.info("takeover.ended", **_history_keys(decision.ended))
            self._listener.took_over(decision.ended)
            await self._journal.record(decision.ended, self._moment())
        changed = (decision.action, decision.reason) != (self._decision.action, self._decision.reason)
        if changed:
            self._line = DecisionLine(action=decision.action, reason=decision.reason, at_wall=view.obs.wall)
            self._log.info("decision.changed", action=str(decision.action), reason=str(decision.reason))
        if changed or decision.would is not None:
            self._listener.decided(decision, self.state)
        self._decision = decision
        enis_at = self._clock() if self._inbox.requests else decision.describe_at
        self._surveys.ask(
            enis_at=enis_at,
            instances_at=decision.instances_at,
            busy=self.state.durable.takeover is not None,
        )
        self._report_journal()
        self.snapshot = snapshot(
            view,
            version=self._version,
            last=self._line,
            takeovers=self._takeovers,
            slow=self._slow_checks(),
        )
        self._listener.published(self.snapshot, self.state)
        for answer in decision.answers:
            self.on_answer(answer)
        for taken in self._taken:
            if not taken.done():
                taken.set_result(None)

    def _report_journal(self) -> None:
        if self._journal.problem != self._journal_problem:
            self._journal_problem = self._journal.problem
            if self._journal_problem:
                self._log.error("journal.failed", error=self._journal_problem)
            else:
                self._log.info("journal.recovered")

    def _moment(self) -> Moment:
        return Moment(now=self._clock(), wall=self._wall())


def _history_keys(ended: History) -> dict[str, object]:
    phases = {f"{phase}_s": round(seconds, 3) for phase, seconds in ended.phases}
    return {
        "takeover_id": ended.takeover_id,
        "trigger": str(ended.trigger),
        "reason": str(ended.reason),
        "result": str(ended.result),
        "from_member": ended.from_member,
        "to_member": ended.to_member,
        "duration_s": round(ended.took, 3),
        **phases,
        **({"detail": ended.detail} if ended.detail else {}),
    }


def _nobody(answer: RequestAnswer) -> None:
    """Stands for whoever asked, before the daemon connects the desk."""


def _nothing(policy: Policy) -> None:
    """Stands for whoever wants to know that a policy was applied."""
