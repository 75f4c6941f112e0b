"""One member of a `World`: the daemon's loop around the real `step`, and its crash and restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eni_failover.core.decide import step
from eni_failover.core.group import View
from eni_failover.core.model import (
    Attempt,
    EniSurvey,
    InstanceState,
    InstanceSurvey,
    Link,
    Observation,
    Outcome,
    PauseRequest,
    Peer,
    Request,
    Stall,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import AttachmentId, Policy
from eni_failover.core.publish import with_role
from eni_failover.core.snapshot import History
from eni_failover.core.state import (
    Attach,
    Call,
    Decision,
    Detach,
    Durable,
    KeepOnTermination,
    State,
    StopInstance,
    rebase,
)
from eni_failover.core.words import Action, Answer, Reason, Role, Scope
from tests.core import builders
from tests.core.bench import outcome

if TYPE_CHECKING:
    from tests.core.group_world import World

TICK = 0.001
LINK_DELAY = 0.3  # from EC2's `attached` to a link that serves
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


class Node:
    """A member's daemon. Its monotonic clock is its own, and begins anew with every start."""

    def __init__(self, world: World, policy: Policy) -> None:
        self.world, self.policy, self.name = world, policy, policy.local
        self.durable, self.journalled_at = Durable(), 0.0
        self.state: State | None = None
        self.history: list[History] = []
        self.local = builders.LOCAL
        self.decision: Decision
        self.hooks: list[Role] = []
        self._life = 0
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
        self._life += 1
        self._offset = 1000.0 * self._life + 7.0
        durable = rebase(self.durable, self._offset - before)
        if rebooted and (durable.last_had == self.name or durable.lost_at is not None):
            durable = replace(durable, excused=True)
        now = self.clock()
        self.state = State(started_at=now, durable=durable)
        self.decision = Decision(action=Action.WAIT, reason=Reason.STARTING, describe_at=now, instances_at=now)
        self._enis = builders.silence(len(self.policy.eni_ids), at=now)
        self._instances = builders.instances(at=now, answered=False)
        self._attempts: list[Attempt] = []
        self._requests: list[Request] = []
        self._outcomes: list[Outcome] = []
        self._stalls: list[Stall] = []
        self._lost: dict[str, float] = {}
        self._busy, self._asking, self._frozen_until = False, False, 0.0
        self._alarm = 0
        self._has = self.world.ec2.attached_to(self.policy.me.instance_id)
        self.wake()
        self._after(self.world.random.random(), self._probe)

    def crash(self) -> None:
        """Kills the daemon: memory and answers under way are lost, calls under way are not."""
        self._life += 1
        self.state = None

    def freeze(self, seconds: float) -> None:
        """The process does not run for a while, though it should."""
        self.world.say("fault", self.name, "frozen", seconds)
        self._frozen_until = self.world.now + seconds
        self._stalls.append(Stall(from_at=self.clock(), to_at=self.clock() + seconds))

    def _after(self, delay: float, action: Callable[[], None]) -> None:
        life = self._life

        def alive() -> None:
            if self._life != life:
                return
            left = self._frozen_until - self.world.now
            if left > 0:
                self._after(left + TICK, action)
            else:
                action()

        self.world.after(delay, alive)

    def _instance(self) -> InstanceState:
        return self.world.ec2.instances[self.policy.me.instance_id]

    # Passes ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """A pass, now or when the one under way has ended."""
        self._alarm += 1
        if not self._busy:
            self._busy = True
            self._after(TICK, self._observe)

    def _observe(self) -> None:
        if self._outcomes or self.clock() < self.decision.describe_at:
            self._think()
            return
        began_at, life = self.clock(), self._life

        def read() -> None:
            if self._life != life:
                return
            survey = self._describe(began_at)
            self._after(self.world.latency / 2, lambda: self._described(survey))

        self.world.after(self.world.latency / 2, read)

    def _describe(self, began_at: float) -> EniSurvey:
        if self.name in self.world.outage:
            return builders.silence(len(self.policy.eni_ids), at=began_at)
        return self.world.ec2.describe_enis(began_at, lag=self.world.random.random() * self.world.lag)

    def _described(self, survey: EniSurvey) -> None:
        self._enis = survey
        self._think()

    def _think(self) -> None:
        obs = self._observation()
        state, decision = step(self.state, obs, self.policy)
        line = (decision.action, decision.reason, decision.calls)
        if line != (self.decision.action, self.decision.reason, self.decision.calls):
            self.world.say(self.name, decision.action, decision.reason, *decision.calls)
        before = self.state.role
        self.state, self.decision = with_role(View(state, obs, self.policy)), decision
        self.durable = self.state.durable
        self.history += [decision.ended] if decision.ended else []
        if self.state.role_known and (self.state.role is not before or not self.hooks):
            self.hooks.append(self.state.role)
        if decision.instances_at <= self.clock() + LONGEST_WAIT:
            self._after(max(0.0, decision.instances_at - self.clock()), self._ask_instances)
        if decision.calls:
            self._call(decision.calls)
        else:
            self._rest()

    def _observation(self) -> Observation:
        taken = (self._attempts, self._requests, self._outcomes, self._stalls)
        self._attempts, self._requests, self._outcomes, self._stalls = [], [], [], []
        attempts, requests, outcomes, stalls = (tuple(one) for one in taken)
        return Observation(
            now=self.clock(),
            wall=builders.EPOCH + self.world.now,
            jitter=self.world.random.random(),
            enis=self._enis,
            instances=self._instances,
            attempts=attempts,
            requests=requests,
            outcomes=outcomes,
            stalls=stalls,
            links=tuple(self._link(eni_id) for eni_id in self.policy.eni_ids),
            peers=tuple(self._peer(other) for other in self.world.nodes.values() if other is not self),
            local=self.local,
        )

    def _rest(self) -> None:
        self._busy = False
        if self._outcomes or self._attempts or self._requests:
            self.wake()
            return
        alarm = self._alarm
        due = min(self.decision.pass_at, self.decision.describe_at, self.clock() + LONGEST_WAIT)
        self._after(max(0.0, due - self.clock()), lambda: self.wake() if self._alarm == alarm else None)

    def _ask_instances(self) -> None:
        if self._asking or self.clock() < self.decision.instances_at:
            return
        self._asking = True
        began_at = self.clock() + TICK
        if self.name in self.world.outage | self.world.blind:
            survey = builders.instances(at=began_at, answered=False)
        else:
            survey = self.world.ec2.describe_instances(began_at)
            known = tuple(one for one in survey.instances if one.instance_id not in self.world.forgotten)
            survey = replace(survey, instances=known)
        self._after(self.world.latency, lambda: self._told_instances(survey))

    def _told_instances(self, survey: InstanceSurvey) -> None:
        self._instances, self._asking = survey, False
        self.wake()

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
            if self._life == life:
                self._after(answer_after, lambda: told(made(verdict, attachment_id)))

        def made(verdict: Verdict, attachment_id: AttachmentId | None) -> Outcome:
            return outcome(
                call, verdict, sent_at=sent_at, ended_at=self.clock(), attachment_id=attachment_id
            )

        life = self._life
        world.after(world.latency / 2, reach)

    def _effect(
        self, call: Call, trigger: str, *, committed: bool
    ) -> tuple[Verdict, AttachmentId | None]:
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
        world.handovers.append(
            Handover(
                at=world.now,
                by=self.name,
                from_member=other,
                eni_id=call.eni_id,
                trigger=trigger,
                committed=committed,
                up_for=world.now - world.served_since[other] if reachable else 0.0,
                running=world.ec2.instances[attachment.instance_id] is InstanceState.RUNNING,
                status=str(attachment.status),
            )
        )

    # What it sees ----------------------------------------------------------------------------------

    def ask(self, request: TakeoverRequest | PauseRequest) -> None:
        """An operator's request."""
        self._requests.append(request)
        self.wake()

    def kernel_changed(self) -> None:
        """The kernel tells of a link that went, at once."""
        if self.state is None:
            return
        has = self.world.ec2.attached_to(self.policy.me.instance_id)
        for eni_id in self._has - has:
            self._lost[eni_id] = self.clock()
        for eni_id in has - self._has:
            self._lost.pop(eni_id, None)
            self._after(LINK_DELAY, self.wake)
        if has != self._has:
            self._has = has
            self.wake()

    def _link(self, eni_id: str) -> Link:
        attachment = self.world.ec2.enis[eni_id]
        present = eni_id in self._has
        since = self.world.ec2.attached_at.get(attachment.attachment_id, 0.0) if attachment else 0.0
        ready = present and self.world.now >= since + LINK_DELAY and self.name not in self.world.broken
        return Link(
            eni_id=eni_id,
            watched=True,
            present=present,
            missing=() if ready or not present else ("address",),
            lost_at=self._lost.get(eni_id),
        )

    def _peer(self, other: Node) -> Peer:
        if other.state is None or not self.world.reaches(self.name, other.name):
            return Peer(member=other.name, reachable=False)
        durable, last = other.state.durable, other.history[-1] if other.history else None
        return Peer(
            member=other.name,
            reachable=True,
            role=str(other.role),
            config_hash=other.policy.config_hash,
            pause=durable.pause,
            takeover_trigger=str(durable.takeover.trigger) if durable.takeover else "",
            last_takeover_trigger=str(last.trigger) if last else "",
            last_takeover_ended_wall=last.ended_wall if last else None,
        )

    def _probe(self) -> None:
        self._after(1.0, self._probe)
        tenure = self.state.tenure
        for one in self.policy.probes:
            about = self.name
            if one.scope is Scope.HOLDER:
                if tenure is None or tenure.member == self.name:
                    continue
                about = tenure.member
            self._attempt(one.name, one.scope, about, timeout=one.timeout)

    def _attempt(self, name: str, scope: Scope, about: str, *, timeout: float) -> None:
        world = self.world
        silent = scope is Scope.HOLDER and (
            not world.reaches(self.name, about)
            or world.ec2.instances[f"i-{about}"] is not InstanceState.RUNNING
        )
        if scope is Scope.WITNESS:
            silent = not world.reaches(self.name, "world")
        up = not silent if scope is Scope.WITNESS else world.services[about]
        if scope is Scope.SELF:
            up = world.fit.get(about, up)
        said = Answer.DOWN if silent or not up else Answer.UP
        answer = Answer.UNKNOWN if self.name in world.deaf else said
        started_at = self.clock()

        def ended() -> None:
            self._attempts.append(
                Attempt(
                    probe=name,
                    member=about,
                    answer=answer,
                    answered=answer is not Answer.UNKNOWN and not silent,
                    started_at=started_at,
                    ended_at=self.clock(),
                )
            )
            self.wake()

        self._after(timeout if silent else 0.01, ended)
