"""One member on the bench: the world is set by hand, the real `step` runs pass after pass.

`see` says what EC2 shows from now on, `says` what the probes answer, `run` lets virtual time go by with
describes, probes and passes when they are due, and stops at the first decision that calls EC2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eni_failover.core.decide import step
from eni_failover.core.decision import Attach, Call, Decision, Detach, RequestAnswer, StopInstance
from eni_failover.core.model import Attempt, Eni, History, Link, Mutation, Observation, Outcome, Peer, Verdict
from eni_failover.core.publish import snapshot, with_role
from eni_failover.core.snapshot import DecisionLine, Snapshot
from eni_failover.core.state import Durable, State, Takeover
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason, Role, Scope, Trigger
from tests.core import builders

TICK = 0.001  # between the moment a describe is due and the moment it begins
LATENCY = 0.04
# EC2 was quick of late: a look is worth it soon after each call.
QUICK_MOVES = {"detach_took": (0.25,) * 5, "attach_took": (0.25,) * 5}
MOST_PASSES = 60  # a second; more is a loop that never rests


class Bench:
    """A member (beta unless said otherwise) and the world it sees."""

    def __init__(
        self,
        *shapes: Eni,
        local: str = "beta",
        members: int = 2,
        settle: bool = True,
        durable: Durable | None = None,
        at: float = 1000.0,
        **changes: Any,
    ) -> None:
        self.policy = builders.policy(local, members=members, enis=len(shapes), **changes)
        self.now = at
        self.state = State(started_at=at, durable=durable or Durable(**QUICK_MOVES))
        self.decision = Decision(action=Action.WAIT, reason=Reason.STARTING, describe_at=at, instances_at=at)
        self.ec2_answers = True
        self.instances_answer = True
        self.answers = {one.name: "up" for one in self.policy.probes}
        self.machines = {name: builders.instance(name) for name in builders.NAMES[:members]}
        self.links: dict[str, Link] = {}
        self.peers: tuple[Peer, ...] = ()
        self.local = builders.LOCAL
        self.jitter = 0.0
        self.describes: list[float] = []
        self.instance_describes: list[float] = []
        self.seen: list[tuple[Action, Reason]] = []
        self.ended: list[History] = []
        self.would: list[Trigger] = []
        self.replies: list[RequestAnswer] = []
        self._shapes = shapes
        self._enis = builders.silence(len(shapes), at=at)
        self._instances = builders.instances(at=at, answered=False)
        self._probe_at = at + 0.5
        if settle:
            self.idle(5.0)

    # The world -------------------------------------------------------------------------------------

    def see(self, *shapes: Eni) -> None:
        """EC2 shows this from the next describe on."""
        self._shapes = shapes

    def says(self, **answers: str) -> None:
        """The probes answer so from now on: up, down, silent, unknown; or are not asked."""
        self.answers |= answers

    def machine(self, name: str, state: str = "running", **changes: Any) -> None:
        """EC2 shows this instance so from the next look at the instances on."""
        self.machines[name] = builders.instance(name, state, **changes)

    def forget(self, name: str) -> None:
        """EC2's answers do not have this instance any more."""
        del self.machines[name]

    def link(self, number: int = 1, **changes: Any) -> None:
        """The kernel's link of an ENI, as it is now."""
        eni_id = f"eni-{number}"
        self.links[eni_id] = Link(eni_id=eni_id, watched=True, **changes)

    # Passes ----------------------------------------------------------------------------------------

    def look(self, *, after: float = LATENCY, **changes: Any) -> Decision:
        """One pass after a fresh describe of the ENIs and the instances, its answers taken so much later."""
        self.ask()
        self.now += after
        return self.peek(**changes)

    def ask(self) -> None:
        """Sends the describes; the next pass has their answers."""
        self._describe()
        self._describe_instances()

    def peek(self, **changes: Any) -> Decision:
        """One pass with what is known already."""
        before = self.state
        obs = self.obs(**changes)
        state, decision = step(before, obs, self.policy)
        view = View(state, obs, self.policy)
        self.state, self.decision = with_role(view), decision
        self.view = View(self.state, obs, self.policy)
        self._note(decision)
        return decision

    def obs(self, **changes: Any) -> Observation:
        values: dict[str, Any] = {
            "enis": self._enis,
            "instances": self._instances,
            "links": tuple(self._link_of(eni_id) for eni_id in self.policy.eni_ids),
            "peers": self.peers,
            "local": self.local,
            "jitter": self.jitter,
            "wall": builders.EPOCH + self.now,
        }
        return Observation(now=self.now, **{**values, **changes})

    def _link_of(self, eni_id: str) -> Link:
        return self.links.get(eni_id) or Link(eni_id=eni_id, watched=False)

    def _note(self, decision: Decision) -> None:
        line = (decision.action, decision.reason)
        if self.seen[-1:] != [line]:
            self.seen.append(line)
        self.ended += [decision.ended] if decision.ended else []
        self.would += [decision.would] if decision.would else []
        self.replies += decision.answers

    def _describe(self) -> None:
        self.describes.append(self.now)
        at = self.now + TICK
        if self.ec2_answers:
            self._enis = builders.survey(*self._shapes, at=at)
        else:
            self._enis = builders.silence(len(self._shapes), at=at)

    def _describe_instances(self) -> None:
        self.instance_describes.append(self.now)
        answered = self.ec2_answers and self.instances_answer
        found = tuple(self.machines.values()) if answered else ()
        self._instances = builders.instances(*found, at=self.now + TICK, answered=answered)

    # Time ------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> Decision:
        """Lets time go by; ends early at a decision that calls EC2, and gives the last decision."""
        end, passes = self.now + seconds, 0
        while (due := self._due()) <= end:
            passes += 1
            assert passes < MOST_PASSES * (seconds + 1), "passes without rest"
            self.now = max(self.now, due)
            if self._turn().calls:
                return self.decision
        self.now = end
        return self.decision

    def act(self, within: float) -> Decision:
        """The next decision that calls EC2; a failure when there is none in time."""
        decision = self.run(within)
        assert decision.calls, f"nothing called within {within} s: {self.seen[-6:]}"
        return decision

    def idle(self, seconds: float) -> Decision:
        """Lets time go by in which nothing may be called; gives the last decision."""
        decision = self.run(seconds)
        assert decision.calls == (), f"called after {self.seen[-6:]}"
        return decision

    def _due(self) -> float:
        decision = self.decision
        return min(decision.pass_at, decision.describe_at, decision.instances_at, self._probe_at)

    def _turn(self) -> Decision:
        asks, asks_instances = self.now >= self.decision.describe_at, self.now >= self.decision.instances_at
        if asks:
            self._describe()
        if asks_instances:
            self._describe_instances()
        # The look at the instances goes on beside the passes: it delays none.
        self.now += LATENCY if asks else 2 * TICK if asks_instances else 0.0
        attempts: tuple[Attempt, ...] = ()
        if self.now >= self._probe_at:
            attempts = self._attempts()
            self._probe_at += 1.0
        return self.peek(attempts=attempts)

    def _attempts(self) -> tuple[Attempt, ...]:
        holder_record, me = self.state.holder_record, self.policy.me
        holder = self.policy.member_of(holder_record.instance_id) if holder_record else me
        found = []
        for probe in self.policy.probes:
            about = holder if probe.scope is Scope.HOLDER else me
            is_asked = self.answers[probe.name] != "not asked"
            if is_asked and (probe.scope is not Scope.HOLDER or about != me):
                made = builders.attempt(probe, self.answers[probe.name], at=self.now)
                found.append(replace(made, member=about))
        return tuple(found)

    # Calls -----------------------------------------------------------------------------------------

    def answered(self, *verdicts: str, after: float = LATENCY, **changes: Any) -> Decision:
        """The pass after the last decision's calls were answered: one verdict each, or one for all."""
        calls = self.decision.calls
        assert calls, "no call is waiting for an answer"
        each = verdicts if len(verdicts) == len(calls) else verdicts * len(calls)
        sent_at, self.now = self.now, self.now + after
        outcomes = tuple(
            outcome(call, verdict, sent_at=sent_at, ended_at=self.now, **changes)
            for call, verdict in zip(calls, each, strict=True)
        )
        return self.peek(outcomes=outcomes)

    def accepted(self) -> Decision:
        return self.answered("accepted")

    # What it is ------------------------------------------------------------------------------------

    @property
    def takeover(self) -> Takeover | None:
        return self.state.durable.takeover

    @property
    def role(self) -> Role:
        return self.state.role

    def snapshot(self) -> Snapshot:
        line = DecisionLine(
            action=self.decision.action, reason=self.decision.reason, at_wall=self.view.obs.wall
        )
        return snapshot(self.view, version="1.2.3", last=line, takeovers=())

    def set_policy(self, **changes: Any) -> None:
        self.policy = replace(self.policy, **changes)


def outcome(call: Call, verdict: str, *, sent_at: float, ended_at: float, **changes: Any) -> Outcome:
    """The fate of a call."""
    match call:
        case Detach():
            mutation = Mutation.DETACH
        case Attach():
            mutation = Mutation.ATTACH
        case StopInstance():
            mutation = Mutation.STOP
        case _:
            mutation = Mutation.KEEP_ON_TERMINATION
    return Outcome(
        mutation=mutation,
        target=builders.target(call),
        verdict=Verdict(verdict),
        sent_at=sent_at,
        ended_at=ended_at,
        **changes,
    )


def taking() -> Bench:
    """Beta's takeover by probes is past its first detach."""
    bench = Bench(builders.attached("alpha"))
    bench.link(present=False)
    bench.says(web="down")
    bench.act(within=10)
    bench.see(builders.detaching("alpha"))
    bench.accepted()
    return bench
