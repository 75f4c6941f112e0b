"""EC2 asked more closely than a pass does: details, and by DryRun whether IAM would allow a change.

Owns the parameters of these calls, how long the newest one took, and how far EC2's clock is from ours.
Must not know what an answer is good for. Changes nothing: every mutation here carries DryRun. Does not
guarantee that an allowed change would succeed: a DryRun looks at permissions only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from eni_failover.adapters.ec2_client import Ec2Client
from eni_failover.adapters.ec2_details import (
    EniDetail,
    InstanceDetail,
    read_eni_details,
    read_instance_details,
)
from eni_failover.adapters.ec2_errors import CONNECTION, DRY_RUN, verdict_of
from eni_failover.adapters.ec2_model import Operation
from eni_failover.adapters.ec2_pages import PAGE, Ask, all_pages
from eni_failover.adapters.ec2_views import read_subnets, read_type_limits
from eni_failover.core.model import TypeLimits, Verdict
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from eni_failover.errors import AdapterError, DeniedError, UnansweredError

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

_OUR_CARD = 0
# A DryRun does not look whether it is free.
_ANY_INDEX = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a DryRun said: allowed, denied, or (None) neither; `detail` is EC2's word.

    `gone`: the attachment that it named is no more, which says nothing of permissions.
    """

    allowed: bool | None
    detail: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the client sends its requests."""

    url: str
    region: str


class Ec2Inspection:
    """Reads through the client of an `Ec2`, with its timeouts, by its `ask`. `wall` is Unix seconds.

    Every method raises the AdapterError of its last attempt, but the DryRuns never raise one.
    """

    def __init__(self, calls: Ec2Client, *, ask: Ask, wall: Callable[[], float] = time.time) -> None:
        self._calls = calls
        self._ask_in_turn = ask
        self._wall = wall
        self.latency: float | None = None
        self.clock_skew: float | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where EC2 is. Raises InvariantError before the client was built."""
        meta = self._calls.client.meta
        return Endpoint(url=meta.endpoint_url, region=meta.region_name)

    async def enis(self, eni_ids: Sequence[EniId]) -> tuple[EniDetail, ...]:
        """The ENIs with these ids, as many as there are, in the order asked."""
        found = await self._enis("network-interface-id", eni_ids)
        by_id = {one.eni.eni_id: one for one in found}
        return tuple(by_id[eni_id] for eni_id in eni_ids if eni_id in by_id)

    async def tagged_enis(self, key: str, value: str) -> tuple[EniDetail, ...]:
        """The ENIs with this tag."""
        return await self._enis(f"tag:{key}", (value,))

    async def instances(self, instance_ids: Sequence[InstanceId]) -> tuple[InstanceDetail, ...]:
        """The instances with these ids, as many as EC2 still describes."""
        reservations = await all_pages(
            self._ask,
            Operation.DESCRIBE_INSTANCES,
            "Reservations",
            lambda client, more: client.describe_instances(
                Filters=[{"Name": "instance-id", "Values": list(instance_ids)}], MaxResults=PAGE, **more
            ),
        )
        return read_instance_details(raw for one in reservations for raw in one.get("Instances") or [])

    async def subnets(self, subnet_ids: Sequence[str]) -> frozenset[str]:
        """Those of these subnets that EC2 shows."""
        raws = await all_pages(
            self._ask,
            Operation.DESCRIBE_SUBNETS,
            "Subnets",
            lambda client, more: client.describe_subnets(
                Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}], MaxResults=PAGE, **more
            ),
        )
        return frozenset(one.subnet_id for one in read_subnets(raws))

    async def type_limits(self, instance_type: str) -> TypeLimits:
        """What this instance type takes."""
        kinds: Any = [instance_type]  # the stub lists the types of its day
        answer = await self._ask(
            Operation.DESCRIBE_INSTANCE_TYPES,
            lambda client: client.describe_instance_types(InstanceTypes=kinds),
        )
        return read_type_limits(answer.get("InstanceTypes") or [])

    async def is_stop_protected(self, instance_id: InstanceId) -> bool:
        """Whether EC2 refuses to stop this instance until its attribute DisableApiStop is changed."""
        answer = await self._ask(
            Operation.DESCRIBE_INSTANCE_ATTRIBUTE,
            lambda client: client.describe_instance_attribute(
                InstanceId=instance_id, Attribute="disableApiStop"
            ),
        )
        value = (answer.get("DisableApiStop") or {}).get("Value")
        if not isinstance(value, bool):
            raise UnansweredError("the answer does not say DisableApiStop", code=CONNECTION)
        return value

    async def is_one_time_spot(self, instance_id: InstanceId) -> bool:
        """Whether this Spot Instance is of a one-time request: EC2 cannot stop it."""
        raws = await all_pages(
            self._ask,
            Operation.DESCRIBE_SPOT_REQUESTS,
            "SpotInstanceRequests",
            lambda client, more: client.describe_spot_instance_requests(
                Filters=[{"Name": "instance-id", "Values": [instance_id]}], MaxResults=PAGE, **more
            ),
        )
        kinds = {raw.get("Type") for raw in raws if raw.get("InstanceId") == instance_id}
        if len(kinds) != 1:
            raise UnansweredError(f"EC2 does not show the Spot request of {instance_id}", code=CONNECTION)
        return kinds == {"one-time"}

    async def may_attach(self, *, eni_id: EniId, instance_id: InstanceId) -> Permission:
        """Whether IAM allows to attach this ENI to this instance."""
        return await self._try(
            Operation.ATTACH,
            lambda client: client.attach_network_interface(
                NetworkInterfaceId=eni_id,
                InstanceId=instance_id,
                DeviceIndex=_ANY_INDEX,
                NetworkCardIndex=_OUR_CARD,
                DryRun=True,
            ),
        )

    async def may_detach(self, attachment_id: AttachmentId) -> Permission:
        """Whether IAM allows to detach this attachment, which names its ENI and its instance."""
        return await self._try(
            Operation.DETACH,
            lambda client: client.detach_network_interface(AttachmentId=attachment_id, DryRun=True),
        )

    async def may_keep(self, *, eni_id: EniId, attachment_id: AttachmentId) -> Permission:
        """Whether IAM allows to make the ENI outlive the instance that has it."""
        return await self._try(
            Operation.MODIFY_ENI,
            lambda client: client.modify_network_interface_attribute(
                NetworkInterfaceId=eni_id,
                Attachment={"AttachmentId": attachment_id, "DeleteOnTermination": False},
                DryRun=True,
            ),
        )

    async def may_stop(self, instance_id: InstanceId) -> Permission:
        """Whether IAM allows to stop this instance."""
        return await self._try(
            Operation.STOP,
            lambda client: client.stop_instances(InstanceIds=[instance_id], Force=True, DryRun=True),
        )

    async def _enis(self, name: str, values: Sequence[str]) -> tuple[EniDetail, ...]:
        raws = await all_pages(
            self._ask,
            Operation.DESCRIBE_ENIS,
            "NetworkInterfaces",
            lambda client, more: client.describe_network_interfaces(
                Filters=[{"Name": name, "Values": list(values)}], MaxResults=PAGE, **more
            ),
        )
        return read_eni_details(raws)

    async def _try(
        self, operation: Operation, send: Callable[[EC2Client], Mapping[str, Any] | None]
    ) -> Permission:
        """One DryRun. EC2 answers a permitted one with an error, too."""
        try:
            await self._ask(operation, lambda client: send(client) or {})
        except DeniedError as error:
            return Permission(allowed=False, detail=str(error))
        except AdapterError as error:
            if error.code == DRY_RUN:
                return Permission(allowed=True)
            gone = verdict_of(error) is Verdict.GONE
            return Permission(allowed=None, detail=f"{error.code}: {error}", gone=gone)
        return Permission(allowed=None, detail="the answer does not say that it was a DryRun")

    async def _ask(self, operation: Operation, send: Callable[[EC2Client], Mapping[str, Any]]) -> Any:
        """A call that changes nothing, with the client's few retries; notes its time and EC2's clock."""
        began = time.monotonic()
        try:
            answer = await self._ask_in_turn(operation, send)
        except AdapterError as error:
            if isinstance(error.__cause__, ClientError):
                self._note_clock(error.__cause__.response)
            raise
        self.latency = time.monotonic() - began
        self._note_clock(answer)
        return answer

    def _note_clock(self, answer: Mapping[str, Any]) -> None:
        """From the Date of an answer, a refusal's too: EC2 tells it also when it does not accept ours.

        It has whole seconds, so half of one is the best guess of the rest.
        """
        headers: Mapping[str, str] = (answer.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
        try:
            said: datetime = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return
        self.clock_skew = self._wall() - said.timestamp() - 0.5
