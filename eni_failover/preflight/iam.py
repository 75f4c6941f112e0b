"""The least-privilege IAM policy for one configuration: what its members' role must allow, and no more.

Owns which action needs which resource. Pure. Must not know where the account and the region come from.
Does not guarantee that AWS decides as its documents say: actions, resource types and condition keys are
those of the Service Authorization Reference, and were not tried against AWS
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eni_failover.config import Config, NetworkMode
from eni_failover.core.policy import FenceMode

Statement = dict[str, Any]

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
_MOVE = ["ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface"]


def policy(config: Config, *, account: str, region: str) -> dict[str, Any]:
    """The policy document, the same for every member: a detach names the instance of the failed one."""
    arns = _Arns(config, account=account, region=region)
    return {"Version": "2012-10-17", "Statement": list(_statements(config, arns, region))}


def partition_of(region: str) -> str:
    """The partition in the ARNs of this region."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


class _Arns:
    """The ARNs of the file's ENIs and members, and the condition that narrows them, if any."""

    def __init__(self, config: Config, *, account: str, region: str) -> None:
        base = f"arn:{partition_of(region)}:ec2:{region}:{account}"
        self.enis = [f"{base}:network-interface/{eni_id}" for eni_id in config.eni_ids]
        self.members = [f"{base}:instance/{one.instance_id}" for one in config.members]
        self.condition: Statement = {}
        if config.discovery is not None:
            self.members = [f"{base}:instance/*"]
            tag = f"ec2:ResourceTag/{config.discovery.tag}"
            self.condition = {"Condition": {"StringEquals": {tag: config.group}}}


def _statements(config: Config, arns: _Arns, region: str) -> Iterator[Statement]:
    reads = ["ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces"]
    if config.network.mode in {NetworkMode.AUTO, NetworkMode.MANAGE}:
        reads.append("ec2:DescribeSubnets")
    if config.fence is FenceMode.STOP:
        reads.append("ec2:DescribeSpotInstanceRequests")
    # Describes have no resource to name: the region is all that can narrow them.
    yield _allow("Read", reads, ["*"]) | {"Condition": {"StringEquals": {"ec2:Region": region}}}
    # Attach and detach are allowed only when the ENI and the instance both are.
    if arns.condition:
        # A statement of its own: the condition would ask for the tag on the ENIs, too.
        yield _allow("MoveEnis", _MOVE, arns.enis)
        yield _allow("OnMembers", _MOVE, arns.members) | arns.condition
    else:
        yield _allow("MoveEnisBetweenMembers", _MOVE, [*arns.enis, *arns.members])
    modify = ["ec2:ModifyNetworkInterfaceAttribute"]
    # For DeleteOnTermination, an attribute of the attachment: the instance is concerned, too.
    if arns.condition:
        yield _allow("KeepEnisOnTermination", modify, arns.enis)
        yield _allow("KeepEnisOfMembers", modify, arns.members) | arns.condition
    else:
        yield _allow("KeepEnisOnTermination", modify, [*arns.enis, *arns.members])
    if config.fence is FenceMode.STOP:
        fence = ["ec2:DescribeInstanceAttribute", "ec2:StopInstances"]
        yield _allow("FenceMembers", fence, arns.members) | arns.condition


def _allow(sid: str, actions: list[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
