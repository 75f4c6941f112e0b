"""Making a decision's calls, and telling how each went.

Owns the last look before a call: a decision that has grown old is not acted on. Decides nothing and
repeats nothing; what a call did is for the next pass to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, assert_never

import structlog

from eni_failover.core.decision import Attach, Call, Decision, Detach, KeepOnTermination, StopInstance
from eni_failover.core.model import Mutation, Outcome, Verdict
from eni_failover.core.policy import AttachmentId, EniId, InstanceId

DECISION_TTL = 3.0

_EVENTS = {
    Mutation.DETACH: "ec2.detach",
    Mutation.ATTACH: "ec2.attach",
    Mutation.STOP: "ec2.stop",
    Mutation.KEEP_ON_TERMINATION: "ec2.keep_on_termination",
}


class Ec2Writes(Protocol):
    """The calls of the takeover path; each is bounded in time by the adapter and never raises."""

    async def detach(self, *, eni_id: EniId, attachment_id: AttachmentId, force: bool) -> Outcome:
        """Detaches exactly this attachment."""
        ...

    async def attach(self, *, eni_id: EniId, instance_id: InstanceId, device_index: int) -> Outcome:
        """Attaches the ENI on network card 0."""
        ...

    async def stop_instance(self, instance_id: InstanceId) -> Outcome:
        """Stops the instance with force."""
        ...

    async def keep_on_termination(self, *, eni_id: EniId, attachment_id: AttachmentId) -> Outcome:
        """Sets DeleteOnTermination false."""
        ...


class Actor:
    """Makes calls for this instance. `ec2` may be replaced between two passes."""

    def __init__(self, *, ec2: Ec2Writes, instance_id: InstanceId, clock: Callable[[], float]) -> None:
        self.ec2 = ec2
        self._instance_id = instance_id
        self._clock = clock
        self._log = structlog.get_logger()

    async def act(self, decision: Decision, *, decided_at: float) -> list[Outcome]:
        """Makes the calls side by side; each answers within the adapter's deadline.

        A process that was stopped since it decided (SIGSTOP, a disk that hangs) calls nothing: the
        world may be another by now.
        """
        age = self._clock() - decided_at
        if decision.calls and age > DECISION_TTL:
            self._log.warning("decision.stale", seconds=round(age, 3))
            return [self._unsent(call) for call in decision.calls]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._make(call), name=type(call).__name__) for call in decision.calls]
        outcomes = [task.result() for task in tasks]
        for outcome in outcomes:
            self._report(outcome, decision)
        return outcomes

    async def _make(self, call: Call) -> Outcome:
        match call:
            case Detach():
                return await self.ec2.detach(
                    eni_id=call.eni_id, attachment_id=call.attachment_id, force=call.force
                )
            case Attach():
                return await self.ec2.attach(
                    eni_id=call.eni_id, instance_id=self._instance_id, device_index=call.device_index
                )
            case StopInstance():
                return await self.ec2.stop_instance(call.instance_id)
            case KeepOnTermination():
                return await self.ec2.keep_on_termination(
                    eni_id=call.eni_id, attachment_id=call.attachment_id
                )
            case _:
                assert_never(call)

    def _unsent(self, call: Call) -> Outcome:
        now = self._clock()
        mutation, target = _names(call)
        return Outcome(
            mutation=mutation, target=target, verdict=Verdict.BUSY, sent_at=now, ended_at=now, not_sent=True
        )

    def _report(self, outcome: Outcome, decision: Decision) -> None:
        what = "instance_id" if outcome.mutation is Mutation.STOP else "eni_id"
        keys = {
            what: outcome.target,
            "verdict": str(outcome.verdict),
            "code": outcome.code,
            "reason": str(decision.reason),
            "seconds": round(outcome.ended_at - outcome.sent_at, 3),
        }
        if outcome.attachment_id:
            keys["attachment_id"] = outcome.attachment_id
        if outcome.verdict is Verdict.ACCEPTED:
            self._log.info(_EVENTS[outcome.mutation], **keys)
        else:
            self._log.warning(_EVENTS[outcome.mutation], error=outcome.detail, **keys)


def _names(call: Call) -> tuple[Mutation, str]:
    match call:
        case Detach():
            return Mutation.DETACH, call.eni_id
        case Attach():
            return Mutation.ATTACH, call.eni_id
        case StopInstance():
            return Mutation.STOP, call.instance_id
        case KeepOnTermination():
            return Mutation.KEEP_ON_TERMINATION, call.eni_id
        case _:
            assert_never(call)
