"""EC2 as the reconciler sees it: surveys, mutations with a verdict, and slow facts.

Owns which EC2 call is made, with which parameters, and that one ENI never has two mutations of ours in
flight. Must not know why a call is made; decides nothing and retries no mutation. Does not guarantee
that a refused or unanswered mutation left the world as it was: the verdict says what is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eni_failover.adapters.ec2_client import Ec2Client, RequestReport, Ticket
from eni_failover.adapters.ec2_errors import CONNECTION, DRY_RUN, attach_verdict, verdict_of
from eni_failover.adapters.ec2_inspection import Ec2Inspection
from eni_failover.adapters.ec2_items import instances_asked_for
from eni_failover.adapters.ec2_model import Operation
from eni_failover.adapters.ec2_pages import PAGE, Ask, all_pages
from eni_failover.adapters.ec2_roster import TaggedInstance, read_tagged
from eni_failover.adapters.ec2_views import (
    macs_of,
    read_enis,
    read_instances,
    read_subnets,
    read_type_limits,
    unknown_enis,
)
from eni_failover.adapters.quota import Quota
from eni_failover.core.model import EniSurvey, InstanceSurvey, Mutation, Outcome, Subnet, TypeLimits, Verdict
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from eni_failover.errors import AdapterError, DeniedError, ThrottledError, UnansweredError

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

_OUR_CARD = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedEnis:
    """A survey of the ENIs, and why it is not answered when it is not."""

    survey: EniSurvey
    error: AdapterError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedInstances:
    """A survey of the instances, why it is not answered when it is not, and the MACs of their ENIs."""

    survey: InstanceSurvey
    error: AdapterError | None = None
    macs: Mapping[InstanceId, tuple[str, ...]] = field(default_factory=dict)


class Ec2:
    """The EC2 API of one Region. Times are seconds of `clock`, which is monotonic.

    `region` is this instance's, used when the environment and the AWS configuration name none.
    Timeouts are seconds. `on_request` is called in the event loop for each attempt of each call.
    Every method that calls EC2 returns within connect plus read timeout and two seconds; paged
    answers and a first call without credentials in hand take correspondingly longer.
    """

    def __init__(
        self,
        *,
        region: str | None,
        group: str,
        version: str,
        connect_timeout: float,
        read_timeout: float,
        clock: Callable[[], float] = time.monotonic,
        on_request: Callable[[RequestReport], None],
        endpoint_url: str | None = None,
    ) -> None:
        self._clock = clock
        self._in_flight: dict[str, Ticket] = {}
        self._quota = Quota(clock)
        self._calls = Ec2Client(
            region=region,
            group=group,
            version=version,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            clock=clock,
            on_request=on_request,
            endpoint_url=endpoint_url,
        )

    async def warm(self) -> None:
        """Build the client and load the credentials; see `Ec2Client.warm` for what it raises."""
        await self._calls.warm()

    async def refresh_credentials(self) -> None:
        """Replace the credentials ahead of need; see `Ec2Client.refresh_credentials`."""
        await self._calls.refresh_credentials()

    @property
    def credentials_expiry(self) -> float | None:
        """When the credentials in hand expire, in Unix seconds; None when they last, or there are none."""
        return self._calls.credentials_expiry

    def inspection(self, *, wall: Callable[[], float] = time.time) -> Ec2Inspection:
        """Closer looks through the same client; `wall` is Unix seconds."""
        return Ec2Inspection(self._calls, ask=self._ask, wall=wall)

    def close(self) -> None:
        """Close the connections; calls in threads end by themselves."""
        self._calls.close()

    async def describe_enis(self, eni_ids: Sequence[EniId]) -> SurveyedEnis:
        """Ask for the ENIs by filter, so that a deleted one is missing and does not fail the call."""
        await self._quota.turn(Operation.DESCRIBE_ENIS)
        began_at = self._clock()
        try:
            raws = await all_pages(
                self._ask,
                Operation.DESCRIBE_ENIS,
                "NetworkInterfaces",
                lambda client, more: client.describe_network_interfaces(
                    Filters=[{"Name": "network-interface-id", "Values": list(eni_ids)}],
                    MaxResults=PAGE,
                    **more,
                ),
            )
        except AdapterError as error:
            lost = EniSurvey(
                began_at=began_at,
                answered=False,
                enis=unknown_enis(eni_ids),
                throttled=isinstance(error, ThrottledError),
            )
            return SurveyedEnis(survey=lost, error=error)
        enis = read_enis(eni_ids, raws)
        return SurveyedEnis(survey=EniSurvey(began_at=began_at, answered=True, enis=enis))

    async def describe_instances(self, instance_ids: Sequence[InstanceId]) -> SurveyedInstances:
        """Ask for the instances by filter: one that EC2 has forgotten is absent from the answer."""
        await self._quota.turn(Operation.DESCRIBE_INSTANCES)
        began_at = self._clock()
        try:
            reservations = await all_pages(
                self._ask,
                Operation.DESCRIBE_INSTANCES,
                "Reservations",
                lambda client, more: client.describe_instances(
                    Filters=[{"Name": "instance-id", "Values": list(instance_ids)}], MaxResults=PAGE, **more
                ),
            )
            found = instances_asked_for(reservations, instance_ids)
        except AdapterError as error:
            lost = InstanceSurvey(began_at=began_at, answered=False, instances=())
            return SurveyedInstances(survey=lost, error=error)
        return SurveyedInstances(
            survey=InstanceSurvey(began_at=began_at, answered=True, instances=read_instances(found.values())),
            macs={InstanceId(name): macs_of(raw) for name, raw in found.items()},
        )

    async def describe_tagged(self, tag: str, value: str) -> tuple[TaggedInstance, ...]:
        """The instances with this tag, in any state; raises AdapterError when EC2 does not answer."""
        reservations = await all_pages(
            self._ask,
            Operation.DESCRIBE_INSTANCES,
            "Reservations",
            lambda client, more: client.describe_instances(
                Filters=[{"Name": f"tag:{tag}", "Values": [value]}], MaxResults=PAGE, **more
            ),
        )
        return read_tagged(raw for one in reservations for raw in one.get("Instances", []))

    async def describe_subnets(self, subnet_ids: Sequence[str]) -> tuple[Subnet, ...]:
        """The subnets with these ids, as many as EC2 shows; raises AdapterError when it does not answer."""
        raws = await all_pages(
            self._ask,
            Operation.DESCRIBE_SUBNETS,
            "Subnets",
            lambda client, more: client.describe_subnets(
                Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}], MaxResults=PAGE, **more
            ),
        )
        return read_subnets(raws)

    async def type_limits(self, instance_type: str) -> TypeLimits | None:
        """What this type takes; None when EC2 did not answer."""
        kinds: Any = [instance_type]  # the stub lists the types of its day
        try:
            answer = await self._ask(
                Operation.DESCRIBE_INSTANCE_TYPES,
                lambda client: client.describe_instance_types(InstanceTypes=kinds),
            )
        except AdapterError:
            return None
        return read_type_limits(answer.get("InstanceTypes") or [])

    async def may_attach(self, *, eni_id: EniId, instance_id: InstanceId, device_index: int) -> bool | None:
        """Whether IAM allows the attach, asked by DryRun; None when EC2 said neither.

        A DryRun checks permissions, not whether the attach would succeed otherwise.
        """
        try:
            await self._paced(
                self._calls.call,
                Operation.ATTACH,
                lambda client: client.attach_network_interface(
                    NetworkInterfaceId=eni_id,
                    InstanceId=instance_id,
                    DeviceIndex=device_index,
                    NetworkCardIndex=_OUR_CARD,
                    DryRun=True,
                ),
            )
        except DeniedError:
            return False
        except AdapterError as error:
            return True if error.code == DRY_RUN else None
        return None

    async def attach(self, *, eni_id: EniId, instance_id: InstanceId, device_index: int) -> Outcome:
        """Attach at this index of network card 0; never raises an AdapterError."""
        return await self._mutate(
            Mutation.ATTACH,
            eni_id,
            Operation.ATTACH,
            lambda client: client.attach_network_interface(
                NetworkInterfaceId=eni_id,
                InstanceId=instance_id,
                DeviceIndex=device_index,
                NetworkCardIndex=_OUR_CARD,
            ),
            verdict=lambda error: attach_verdict(error, eni_id=eni_id, device_index=device_index),
        )

    async def detach(self, *, eni_id: EniId, attachment_id: AttachmentId, force: bool) -> Outcome:
        """Detach exactly this attachment, a compare-and-swap; never raises an AdapterError.

        EC2 never sees `eni_id`; it names the outcome's target.
        """
        return await self._mutate(
            Mutation.DETACH,
            eni_id,
            Operation.DETACH,
            lambda client: client.detach_network_interface(AttachmentId=attachment_id, Force=force),
        )

    async def stop_instance(self, instance_id: InstanceId) -> Outcome:
        """Stop without waiting for the guest's file systems (Force); never raises an AdapterError."""
        return await self._mutate(
            Mutation.STOP,
            instance_id,
            Operation.STOP,
            lambda client: client.stop_instances(InstanceIds=[instance_id], Force=True),
        )

    async def keep_on_termination(self, *, eni_id: EniId, attachment_id: AttachmentId) -> Outcome:
        """Make the ENI outlive the instance of this attachment; never raises an AdapterError."""
        return await self._mutate(
            Mutation.KEEP_ON_TERMINATION,
            eni_id,
            Operation.MODIFY_ENI,
            lambda client: client.modify_network_interface_attribute(
                NetworkInterfaceId=eni_id,
                Attachment={"AttachmentId": attachment_id, "DeleteOnTermination": False},
            ),
        )

    async def _ask(self, operation: Operation, send: Callable[[EC2Client], Mapping[str, Any]]) -> Any:
        """A call that changes nothing, in its turn, with the client's few retries. Raises AdapterError."""
        return await self._paced(self._calls.ask, operation, send)

    async def _paced(
        self, call: Ask, operation: Operation, send: Callable[[EC2Client], Mapping[str, Any]]
    ) -> Any:
        """This call when the quota allows one, which learns of its answer. Raises AdapterError."""
        await self._quota.turn(operation)
        try:
            answer = await call(operation, send)
        except ThrottledError as error:
            self._quota.refused(operation, retry_after=error.retry_after)
            raise
        self._quota.granted(operation)
        return answer

    async def _mutate(
        self,
        mutation: Mutation,
        target: str,
        operation: Operation,
        send: Callable[[EC2Client], Mapping[str, Any]],
        *,
        verdict: Callable[[AdapterError], Verdict] = verdict_of,
    ) -> Outcome:
        """One mutation, sent once; `busy` without sending while an earlier one has not ended."""
        asked_at = self._clock()
        before = self._in_flight.get(target)
        if before is not None and before.is_running:
            return Outcome(
                mutation=mutation,
                target=target,
                verdict=Verdict.BUSY,
                sent_at=asked_at,
                ended_at=asked_at,
                detail="an earlier call for it has not ended",
                not_sent=True,
            )
        ticket = self._in_flight[target] = self._calls.ticket()
        fate, code, detail, attachment_id = Verdict.ACCEPTED, "", "", None
        retry_after = 0.0
        try:
            answer = await self._calls.call(operation, send, ticket=ticket)
            if mutation is Mutation.ATTACH:
                attachment_id = _new_attachment(answer)
        except AdapterError as error:
            fate, code, detail = verdict(error), error.code, str(error)
            retry_after = error.retry_after if isinstance(error, ThrottledError) else 0.0
        return Outcome(
            mutation=mutation,
            target=target,
            verdict=fate,
            sent_at=asked_at if ticket.sent_at is None else ticket.sent_at,
            ended_at=self._clock(),
            attachment_id=attachment_id,
            code=code,
            detail=detail,
            not_sent=ticket.sent_at is None,
            retry_after=retry_after,
        )


def _new_attachment(answer: Mapping[str, Any]) -> AttachmentId:
    """The attachment that an accepted attach made; without it the answer is none."""
    found = answer.get("AttachmentId")
    if not isinstance(found, str) or not found.strip():
        raise UnansweredError("the answer has no attachment id", code=CONNECTION)
    return AttachmentId(found)
