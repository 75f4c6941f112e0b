"""What EC2 says, kept fresh beside the loop, so that no pass ever waits for an answer.

Owns the newest look at the ENIs and at the members' instances (each asked when the core wants it),
the limits of this member's instance type (once), and the DryRun of attach, hourly and never
during a move. Each new answer wakes the loop. Decides nothing: when to look is the core's word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol
from zlib import crc32

import structlog

from eni_failover.core.model import (
    AttachmentStatus,
    Eni,
    EniSurvey,
    InstanceSurvey,
    Local,
    Presence,
    Subnet,
    TypeLimits,
)
from eni_failover.core.policy import EniId, InstanceId, Policy
from eni_failover.errors import AdapterError

PERMISSION_INTERVAL = 3600.0  # at least, between two DryRuns of one attach that are allowed
PERMISSION_SPREAD = 600  # seconds more, different for each member
PERMISSION_RETRY = 60.0  # of one that is denied or not answered: a corrected policy is noticed
LIMIT_RETRY_FIRST = 2.0  # of what the instance type takes, doubled up to
LIMIT_RETRY = 60.0
SUBNET_RETRY = 5.0
LEAST_GAP = 0.01  # between two looks, whatever the core says: no loop of ours may flood EC2


class SurveyedEnis(Protocol):
    """What a describe of the ENIs gave."""

    @property
    def survey(self) -> EniSurvey:
        """The survey; all unknown when there was no answer."""
        ...

    @property
    def error(self) -> AdapterError | None:
        """Why there was no answer."""
        ...


class SurveyedInstances(Protocol):
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
    """The reading calls; each is bounded in time by the adapter and never raises."""

    async def describe_enis(self, eni_ids: tuple[EniId, ...]) -> SurveyedEnis:
        """The group's ENIs."""
        ...

    async def describe_instances(self, instance_ids: tuple[InstanceId, ...]) -> SurveyedInstances:
        """The members' instances."""
        ...

    async def describe_subnets(self, subnet_ids: Sequence[str]) -> tuple[Subnet, ...]:
        """The subnets; raises AdapterError when EC2 does not answer."""
        ...

    async def type_limits(self, instance_type: str) -> TypeLimits | None:
        """What the type takes, None when EC2 does not answer."""
        ...

    async def may_attach(self, *, eni_id: EniId, instance_id: InstanceId, device_index: int) -> bool | None:
        """Whether the DryRun of attach is allowed, None when it gave no answer."""
        ...


class Surveys:
    """The newest answers, in `enis`, `instances` and `local`."""

    def __init__(
        self,
        *,
        ec2: Ec2Reads,
        policy: Policy,
        zone: str,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.ec2 = ec2
        self.enis = _nothing_known(policy, clock())
        self.instances = InstanceSurvey(began_at=clock(), answered=False, instances=())
        self.local = Local(zone=zone)
        self._policy = policy
        self._clock = clock
        self._wake = wake
        self._enis_due = _Due(clock)
        self._instances_due = _Due(clock)
        self._eni_trouble = _Trouble(failed="ec2.describe_enis_failed", ended="ec2.describe_enis_recovered")
        self._instance_trouble = _Trouble(
            failed="ec2.describe_instances_failed", ended="ec2.describe_instances_recovered"
        )
        self._macs: tuple[str, ...] = ()
        self._subnets: dict[str, Subnet] = {}
        self._permission_due = _Due(clock)
        self._is_busy = True
        self._calm = asyncio.Event()
        self._known = asyncio.Event()
        self._answered = asyncio.Event()

    def replace_policy(self, policy: Policy) -> None:
        """From now on asks about these members and ENIs."""
        if policy.eni_ids != self._policy.eni_ids:
            self.enis = _nothing_known(policy, self._clock())
        self._policy = policy
        self._permission_due.set(self._clock())
        self.ask(enis_at=self._clock(), instances_at=self._clock())

    def ask(self, *, enis_at: float, instances_at: float, busy: bool = False) -> None:
        """The core wants the next looks at these monotonic times; `busy`: a takeover is under way here."""
        self._is_busy = busy
        self._note_calm()
        self._enis_due.set(enis_at)
        self._instances_due.set(instances_at)

    def attach_denied(self) -> None:
        """EC2 has denied an attach in earnest: as good as a DryRun's denial, until the next one."""
        self.local = replace(self.local, attach_allowed=False)
        self._permission_due.set(self._clock() + PERMISSION_RETRY)

    async def calm(self) -> None:
        """Wait until no takeover is under way here and no ENI of the group moves: the time for slow calls."""
        await self._calm.wait()

    def _note_calm(self) -> None:
        held = (eni.attachment for eni in self.enis.enis)
        is_moving = any(one is not None and one.status is not AttachmentStatus.ATTACHED for one in held)
        if self._is_busy or is_moving:
            self._calm.clear()
        else:
            self._calm.set()

    async def own_macs(self) -> tuple[str, ...]:
        """The MACs of this instance's ENIs, as soon as EC2 has told them."""
        await self._known.wait()
        return self._macs

    @property
    def subnets(self) -> Mapping[str, Subnet]:
        """The subnets of the group's ENIs, as far as EC2 has told them; they never change."""
        return self._subnets

    async def follow_subnets(self, changed: Callable[[], None]) -> None:
        """Asks for each subnet that an ENI of the group is in, once, until cancelled."""
        trouble = _Trouble(failed="ec2.describe_subnets_failed", ended="ec2.describe_subnets_recovered")
        await self._answered.wait()
        while True:
            unknown = {eni.subnet_id for eni in self.enis.enis if eni.subnet_id} - self._subnets.keys()
            if unknown:
                try:
                    found = await self.ec2.describe_subnets(sorted(unknown))
                except AdapterError as error:
                    trouble.report(error)
                else:
                    trouble.report(None)
                    self._subnets |= {one.subnet_id: one for one in found}
                    changed()
                self._say_of_subnets(known=unknown <= self._subnets.keys())
            await asyncio.sleep(SUBNET_RETRY)

    def _say_of_subnets(self, *, known: bool) -> None:
        if known is not self.local.subnets_known:
            self.local = replace(self.local, subnets_known=known)
            self._wake()

    async def run(self) -> None:
        """Keeps the answers fresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(self._enis_due, self._look_at_enis), name="enis")
            group.create_task(self._watch(self._instances_due, self._look_at_instances), name="instances")
            group.create_task(self._learn_limits(), name="type limits")
            group.create_task(self._watch_permission(), name="attach permission")

    async def _watch(self, due: _Due, look: Callable[[], Awaitable[None]]) -> None:
        """Looks whenever it is due; after a look, the pass that it wakes says when the next one is."""
        while True:
            await due.wait()
            await look()
            due.forget()
            self._wake()

    async def _look_at_enis(self) -> None:
        policy = self._policy
        surveyed = await self.ec2.describe_enis(policy.eni_ids)
        self._eni_trouble.report(surveyed.error)
        if policy.eni_ids == self._policy.eni_ids:
            self.enis = surveyed.survey
            self._note_calm()
        if self.enis.answered:
            self._answered.set()

    async def _look_at_instances(self) -> None:
        ids = tuple(member.instance_id for member in self._policy.members)
        surveyed = await self.ec2.describe_instances(ids)
        self._instance_trouble.report(surveyed.error)
        self.instances = surveyed.survey
        self._macs = surveyed.macs.get(self._policy.me.instance_id, self._macs)
        if self.instances.find(self._policy.me.instance_id) is not None:
            self._known.set()

    def _own_type(self) -> str:
        instance = self.instances.find(self._policy.me.instance_id)
        return instance.instance_type if instance else ""

    async def _learn_limits(self) -> None:
        await self._known.wait()
        delay = LIMIT_RETRY_FIRST
        while self.local.limits.interfaces is None:
            limits = await self.ec2.type_limits(self._own_type())
            if limits is None or limits == self.local.limits:
                await asyncio.sleep(delay)
                delay = min(LIMIT_RETRY, 2 * delay)
                continue
            self.local = replace(self.local, limits=limits)
            self._wake()

    async def _watch_permission(self) -> None:
        """Each ENI's attach, soon after the start, then hourly; what is not allowed is asked about sooner."""
        await self._answered.wait()
        unsure: list[EniId] = []
        while True:
            await self._permission_due.wait()
            self._permission_due.forget()
            policy = self._policy
            unsure = await self._not_allowed(policy, unsure or policy.eni_ids)
            if policy is self._policy:
                again = PERMISSION_RETRY if unsure else PERMISSION_INTERVAL + _spread(policy)
                self._permission_due.set(self._clock() + again)
            else:
                unsure = []

    async def _not_allowed(self, policy: Policy, eni_ids: Sequence[EniId]) -> list[EniId]:
        """Those of these ENIs whose attach EC2 does not allow by its last word, or says nothing about."""
        answers: dict[EniId, bool | None] = {}
        missing = {eni.eni_id for eni in self.enis.enis if eni.presence is Presence.MISSING}
        for eni_id in (eni_id for eni_id in eni_ids if eni_id not in missing):
            await self.calm()
            answers[eni_id] = await self.ec2.may_attach(
                eni_id=eni_id, instance_id=policy.me.instance_id, device_index=policy.device_index or 1
            )
        denied = False in answers.values()
        if denied or (answers and all(answers.values())):
            self._say_of_attach(allowed=not denied)
        return [eni_id for eni_id, allowed in answers.items() if not allowed]

    def _say_of_attach(self, *, allowed: bool) -> None:
        if allowed is not self.local.attach_allowed:
            self.local = replace(self.local, attach_allowed=allowed)
            self._wake()


def _spread(policy: Policy) -> int:
    """Members that were started together do not ask together."""
    return crc32(policy.me.instance_id.encode()) % PERMISSION_SPREAD


class _Due:
    """A moment that may be moved while it is waited for, and forgotten; then nothing is due."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: float | None = clock()
        self._last = -1.0
        self._moved = asyncio.Event()

    def set(self, at: float) -> None:
        if at != self._at:
            self._at = at
            self._moved.set()

    def forget(self) -> None:
        self._at = None

    async def wait(self) -> None:
        while True:
            self._moved.clear()
            left = None if self._at is None else max(self._at, self._last + LEAST_GAP) - self._clock()
            if left is not None and left <= 0:
                self._last = self._clock()
                return
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                continue


class _Trouble:
    """Says once that a describe fails, and once that it works again."""

    def __init__(self, *, failed: str, ended: str) -> None:
        self._failed, self._ended = failed, ended
        self._word = ""
        self._log = structlog.get_logger()

    def report(self, error: AdapterError | None) -> None:
        word = "" if error is None else f"{type(error).__name__} {error.code}"
        if word == self._word:
            return
        self._word = word
        if error is None:
            self._log.info(self._ended)
        else:
            self._log.warning(self._failed, code=error.code, error=str(error))


def _nothing_known(policy: Policy, now: float) -> EniSurvey:
    enis = tuple(Eni(eni_id=eni_id, presence=Presence.UNKNOWN) for eni_id in policy.eni_ids)
    return EniSurvey(began_at=now, answered=False, enis=enis)
