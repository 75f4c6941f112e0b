"""The slow facts, kept fresh beside the loop so that no pass ever waits for them.

Owns three things: the instances of the members (asked when the core wants them), this member's
interface limit (once), and the DryRun of attach (every half minute). Each new answer wakes the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from eni_failover.core.model import InstanceSurvey, Local
from eni_failover.core.policy import EniId, InstanceId, Policy
from eni_failover.errors import AdapterError

PERMISSION_INTERVAL = 30.0
LIMIT_RETRY = 60.0


class Surveyed(Protocol):
    """What a describe of instances gave."""

    @property
    def survey(self) -> InstanceSurvey:
        """The survey; empty and not answered when the call failed."""
        ...

    @property
    def error(self) -> AdapterError | None:
        """Why there was no answer."""
        ...

    @property
    def macs(self) -> Mapping[InstanceId, tuple[str, ...]]:
        """The MACs of each instance's ENIs."""
        ...


class Ec2Reads(Protocol):
    """The reading calls used here; each is bounded in time by the adapter and never raises."""

    async def describe_instances(self, instance_ids: tuple[InstanceId, ...]) -> Surveyed:
        """The members' instances."""
        ...

    async def max_interfaces(self, instance_type: str) -> int | None:
        """How many interfaces the type allows, None when EC2 does not say."""
        ...

    async def may_attach(self, *, eni_id: EniId, instance_id: InstanceId, device_index: int) -> bool | None:
        """Whether the DryRun of attach is allowed, None when it gave no answer."""
        ...


class SlowFacts:
    """Keeps the newest answers in `instances` and `local`."""

    def __init__(
        self,
        *,
        ec2: Ec2Reads,
        policy: Policy,
        zone: str,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.instances = InstanceSurvey(began_at=clock(), answered=False, instances=())
        self.local = Local(zone=zone)
        self._macs: tuple[str, ...] = ()
        self.ec2 = ec2
        self._policy = policy
        self._clock = clock
        self._wake = wake
        self._log = structlog.get_logger()
        self._error = ""
        self._due_at = clock()
        self._due = asyncio.Event()
        self._known = asyncio.Event()

    def replace_policy(self, policy: Policy) -> None:
        """From now on asks about these members and ENIs."""
        self._policy = policy
        self.ask_instances(self._clock())

    def ask_instances(self, at: float) -> None:
        """The core wants the next look at the instances at this monotonic time."""
        if at != self._due_at:
            self._due_at = at
            self._due.set()

    async def own_macs(self) -> tuple[str, ...]:
        """The MACs of this instance's ENIs, as soon as EC2 has told them."""
        await self._known.wait()
        return self._macs

    async def run(self) -> None:
        """Keeps the facts fresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_instances(), name="instances")
            group.create_task(self._learn_limit(), name="interface limit")
            group.create_task(self._watch_permission(), name="attach permission")

    async def _watch_instances(self) -> None:
        while True:
            await self._until_due()
            ids = tuple(member.instance_id for member in self._policy.members)
            surveyed = await self.ec2.describe_instances(ids)
            self._report(surveyed.error)
            self.instances = surveyed.survey
            self._macs = surveyed.macs.get(self._policy.me.instance_id, self._macs)
            # The next pass says when to look again; without one, not before a second.
            self._due_at = max(self._due_at, self._clock() + 1.0)
            if self.instances.find(self._policy.me.instance_id) is not None:
                self._known.set()
            self._wake()

    def _report(self, error: AdapterError | None) -> None:
        word = "" if error is None else f"{type(error).__name__} {error.code}"
        if word == self._error:
            return
        self._error = word
        if error is None:
            self._log.info("ec2.instances_known_again")
        else:
            self._log.warning("ec2.instances_unknown", code=error.code, error=str(error))

    async def _until_due(self) -> None:
        while (left := self._due_at - self._clock()) > 0:
            self._due.clear()
            try:
                async with asyncio.timeout(left):
                    await self._due.wait()
            except TimeoutError:
                return

    def _own_type(self) -> str:
        instance = self.instances.find(self._policy.me.instance_id)
        return instance.instance_type if instance else ""

    async def _learn_limit(self) -> None:
        await self._known.wait()
        while self.local.max_interfaces is None:
            limit = await self.ec2.max_interfaces(self._own_type())
            if limit is None:
                await asyncio.sleep(LIMIT_RETRY)
                continue
            self.local = replace(self.local, max_interfaces=limit)
            self._wake()

    async def _watch_permission(self) -> None:
        while True:
            allowed = await self.ec2.may_attach(
                eni_id=self._policy.eni_ids[0],
                instance_id=self._policy.me.instance_id,
                device_index=self._policy.device_index or 1,
            )
            if allowed is not None and allowed is not self.local.attach_allowed:
                self.local = replace(self.local, attach_allowed=allowed)
                self._wake()
            await asyncio.sleep(PERMISSION_INTERVAL)
