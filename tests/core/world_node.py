"""One member of a `World`: the daemon's loop around the real `step`, and its crash and restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eni_failover.core.decide import step
from eni_failover.core.decision import Attach, Call, Decision, Detach, KeepOnTermination, StopInstance
from eni_failover.core.frozen import rebase
from eni_failover.core.model import (
    Attempt,
    History,
    InstanceState,
    Observation,
    Outcome,
    PauseRequest,
    Request,
    Stall,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import AttachmentId, Policy
from eni_failover.core.publish import with_role
from eni_failover.core.state import Durable, State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason, Role, Trigger
from tests.core import builders, world_looks
from tests.core.bench import outcome
from tests.core.invariants import Pass
from tests.core.world_senses import Senses

if TYPE_CHECKING:
    from tests.core.group_world import World

TICK = 0.001
LONGEST_WAIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A detach that EC2 accepted, and what was true at that moment."""

    at: float
    by: str
    from_member: str
    eni_id: str
    trigger: str
    committed: bool
    up_for: float
    running: bool
    status: str
    status_for: float


class Node(Senses):
    """A member's daemon. Its monotonic clock is its own, and begins anew with every start."""

    def __init__(self, world: World, policy: Policy) -> None:
        self.world, self.policy, self.name = world, policy, policy.me.name
        self.durable = Durable()
        self.state: State | None = None
        self.history: list[History] = []
        self.local = builders.LOCAL
        self.decision: Decision
        self.told: list[Role] = []
        self.life = 0
        self._offset = 0.0

    def clock(self) -> float:
        """This process's monotonic clock."""
        return self.world.now + self._offset

    @property
    def role(self) -> Role | None:
        """The role shown, None while the daemon does not run."""
        return self.state.role if self.state else None

    # Life ------------------------------------------------------------------------------------------

    def start(self, *, rebooted: bool = False) -> None:
        """Starts the daemon with what the journal kept."""
        if self.state is not None or self._instance() is not InstanceState.RUNNING:
            return
        before = self._offset
        self.life += 1
        self._offset = 1000.0 * self.life + 7.0
        durable = rebase(self.durable, self._offset - before)
        if rebooted and (durable.last_had == self.policy.me.instance_id or durable.lost_at is not None):
            durable = replace(durable, unfit_since_loss=True)
        takeover = durable.takeover
        if takeover is not None and takeover.trigger is Trigger.MANUAL:
            durable = replace(durable, takeover=replace(takeover, deadline_at=takeover.started_at))
        now = self.clock()
        self.state = State(started_at=now, durable=durable)
        self.decision = Decision(
            action=Action.WAIT, reason=Reason.STARTING, describe_at=now, instances_at=now
        )
        self._enis, self._instances = world_looks.enis(self), world_looks.instances(self)
        self.attempts: list[Attempt] = []
        self._requests: list[tuple[float, Request]] = []
        self._outcomes: list[Outcome] = []
        self._stalls: list[Stall] = []
        self.lost: dict[str, float] = {}
        self._busy, self._woken, self._frozen_until = False, False, 0.0
        self._alarm = 0
        self.told = []
        self.has = self.world.ec2.attached_to(self.policy.me.instance_id)
        self.wake()
        self.after(self.world.random.random(), self.probe)

    def crash(self) -> None:
        """Kills the daemon: memory and answers under way are lost, calls under way are not."""
        self.life += 1
        self.state = None

    def freeze(self, seconds: float) -> None:
        """The process does not run for a while, though it should."""
        self.world.say("fault", self.name, "frozen", seconds)
        self._frozen_until = self.world.now + seconds
        self._stalls.append(Stall(from_at=self.clock(), to_at=self.clock() + seconds))

    def sleep(self, seconds: float) -> None:
        """The host sleeps: this process's clock stands still, and it hears of that when it wakes."""
        self.world.say("fault", self.name, "sleeps", seconds)
        self._frozen_until = self.world.now + seconds
        life = self.life

        def wake() -> None:
            if self.life == life:
                self._offset -= seconds
                self._stalls.append(Stall(from_at=self.clock() - seconds, to_at=self.clock()))

        self.world.after(seconds, wake)

    def reload(self, **changes: Any) -> None:
        """Takes a new policy, as a daemon does in whose journal everything stays."""
        self.world.say("human", "reload", self.name, *changes)
        self.policy = replace(self.policy, **changes)
        if self.state is not None:
            self.wake()

    def after(self, delay: float, action: Callable[[], None]) -> None:
        life = self.life

        def alive() -> None:
            if self.life != life:
                return
            left = self._frozen_until - self.world.now
            if left > 0:
                self.after(left + TICK, action)
            else:
                action()

        self.world.after(delay, alive)

    def _instance(self) -> InstanceState:
        return self.world.ec2.instances[self.policy.me.instance_id]

    # Passes ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """A pass, now or when the one under way has ended."""
        self._alarm += 1
        self._woken = self._busy
        if not self._busy:
            self._busy = True
            self.after(TICK, self._think)

    def _think(self) -> None:
        obs = self._observation()
        state, decision = step(self.state, obs, self.policy)
        if self.world.on_pass is not None:
            self.world.on_pass(
                Pass(before=self.state, obs=obs, policy=self.policy, after=state, decision=decision)
            )
        line = (decision.action, decision.reason, decision.calls)
        if line != (self.decision.action, self.decision.reason, self.decision.calls):
            self.world.say(self.name, decision.action, decision.reason, *decision.calls)
        before = self.state.role
        self.state, self.decision = with_role(View(state, obs, self.policy)), decision
        self.durable = self.state.durable
        self.history += [decision.ended] if decision.ended else []
        if self.state.role_known and (self.state.role is not before or not self.told):
            self.told.append(self.state.role)
        self._enis.want(self.clock() if self._requests else decision.describe_at)
        self._instances.want(decision.instances_at)
        if decision.calls:
            self._call(decision.calls)
        else:
            self._rest()

    def _observation(self) -> Observation:
        taken = (self.attempts, self._outcomes, self._stalls)
        self.attempts, self._outcomes, self._stalls = [], [], []
        attempts, outcomes, stalls = (tuple(one) for one in taken)
        enis = self._enis.newest
        # An operator's takeover is decided on a look that began after it was asked for.
        ripe = [one for came_at, one in self._requests if enis.began_at >= came_at]
        self._requests = [(came_at, one) for came_at, one in self._requests if one not in ripe]
        return Observation(
            now=self.clock(),
            wall=builders.EPOCH + self.world.now + self.world.walls[self.name],
            jitter=self.world.random.random(),
            enis=enis,
            instances=self._instances.newest,
            attempts=attempts,
            requests=tuple(ripe),
            outcomes=outcomes,
            stalls=stalls,
            links=tuple(self.link(eni_id) for eni_id in self.policy.eni_ids),
            peers=tuple(self.peer(other) for other in self.world.nodes.values() if other is not self),
            local=self.local,
        )

    def _rest(self) -> None:
        self._busy = False
        if self._outcomes or self.attempts or self._woken:
            self.wake()
            return
        alarm = self._alarm
        due = min(self.decision.pass_at, self.clock() + LONGEST_WAIT)
        self.after(max(0.0, due - self.clock()), lambda: self.wake() if self._alarm == alarm else None)

    # Calls -----------------------------------------------------------------------------------------

    def _call(self, calls: tuple[Call, ...]) -> None:
        waiting = len(calls)
        answers: list[Outcome] = []

        def told(answer: Outcome) -> None:
            answers.append(answer)
            if len(answers) == waiting:
                self._outcomes += answers
                self._busy = False
                self.wake()

        for call in calls:
            self._send(call, told)

    def _send(self, call: Call, told: Callable[[Outcome], None]) -> None:
        sent_at, world = self.clock(), self.world
        takeover = self.state.durable.takeover
        trigger = str(takeover.trigger) if takeover else "none"
        committed = bool(takeover and takeover.committed)
        fate = world.lossy.get(self.name, "outage" if self.name in world.outage else "")

        def reach() -> None:
            verdict, attachment_id = Verdict.UNANSWERED, None
            if fate != "outage":
                verdict, attachment_id = self._effect(call, trigger, committed=committed)
            world.say(self.name, "->", call, verdict, fate)
            answer_after = world.latency / 2
            if fate:
                verdict, attachment_id, answer_after = Verdict.UNANSWERED, None, self.policy.call_timeout
            if self.life == life:
                self.after(answer_after, lambda: told(made(verdict, attachment_id)))

        def made(verdict: Verdict, attachment_id: AttachmentId | None) -> Outcome:
            return outcome(call, verdict, sent_at=sent_at, ended_at=self.clock(), attachment_id=attachment_id)

        life = self.life
        world.after(world.latency / 2, reach)

    def _effect(self, call: Call, trigger: str, *, committed: bool) -> tuple[Verdict, AttachmentId | None]:
        ec2 = self.world.ec2
        match call:
            case Detach():
                self._note_handover(call, trigger, committed=committed)
                return ec2.detach(call.attachment_id, force=call.force), None
            case Attach():
                return ec2.attach(call.eni_id, self.policy.me.instance_id, call.device_index)
            case StopInstance():
                self.world.nodes[call.instance_id.removeprefix("i-")].crash()
                return ec2.stop(call.instance_id), None
            case KeepOnTermination():
                return Verdict.ACCEPTED, None

    def _note_handover(self, call: Detach, trigger: str, *, committed: bool) -> None:
        world = self.world
        attachment = world.ec2.enis[call.eni_id]
        if attachment is None or attachment.attachment_id != call.attachment_id:
            return
        other = str(attachment.instance_id).removeprefix("i-")
        reachable = world.is_up(other) and world.reaches(self.name, other)
        since = max(world.served_since[other], world.ec2.running_since.get(attachment.instance_id, -1e9))
        world.handovers.append(
            Handover(
                at=world.now,
                by=self.name,
                from_member=other,
                eni_id=call.eni_id,
                trigger=trigger,
                committed=committed,
                up_for=world.now - since if reachable else 0.0,
                running=world.ec2.instances[attachment.instance_id] is InstanceState.RUNNING,
                status=str(attachment.status),
                status_for=world.now - world.ec2.changed_at[call.eni_id],
            )
        )

    # What it sees ----------------------------------------------------------------------------------

    def ask(self, request: TakeoverRequest | PauseRequest) -> None:
        """An operator's request."""
        came_at = self.clock() if isinstance(request, TakeoverRequest) else 0.0
        self._requests.append((came_at, request))
        self.wake()
