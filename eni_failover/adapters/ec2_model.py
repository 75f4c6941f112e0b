"""The EC2 calls this program makes, and boto3's data cut down to them.

Owns the list of operations. Must not know parameters or answers. Does not guarantee that a later
botocore keeps its data files in this shape: the tests would say so.

boto3 keeps EC2's whole model in memory, some 700 operations, and the endpoints of some 300 services. Cut down
to what is used, they are 2 MB instead of 22, for all clients of the process together (botocore 1.44).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from botocore.loaders import Loader, create_loader
from botocore.session import Session

# By their endpoints' names: EC2, and whom the chain of credentials may ask.
_SERVICES = {"ec2", "sts", "sso", "portal.sso", "oidc", "signin"}


class Operation(StrEnum):
    """EC2's names, as in CloudTrail and IAM policies; the label of the metrics."""

    DESCRIBE_ENIS = "DescribeNetworkInterfaces"
    DESCRIBE_INSTANCES = "DescribeInstances"
    DESCRIBE_INSTANCE_TYPES = "DescribeInstanceTypes"
    DESCRIBE_SUBNETS = "DescribeSubnets"
    DESCRIBE_INSTANCE_ATTRIBUTE = "DescribeInstanceAttribute"
    DESCRIBE_SPOT_REQUESTS = "DescribeSpotInstanceRequests"
    ATTACH = "AttachNetworkInterface"
    DETACH = "DetachNetworkInterface"
    STOP = "StopInstances"
    MODIFY_ENI = "ModifyNetworkInterfaceAttribute"


def trim_model(session: Session) -> None:
    """Have this session's clients made of the cut data; call it before making one."""
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))


def preload(environment: Mapping[str, str]) -> None:
    """Read and cut the data now. Of what is freed, whatever is imported afterwards can be made.

    A session whose AWS configuration file names another `data_path` reads its own.
    """
    _loader(environment.get("AWS_DATA_PATH"))


@lru_cache(maxsize=1)
def _loader(data_path: str | None) -> Loader:
    """One loader for all sessions: it keeps what it has read, so clients find it cut, and it is read once."""
    loader = create_loader(data_path)
    _cut_model(loader.load_service_model("ec2", "service-2"))
    for partition in loader.load_data("endpoints")["partitions"]:
        services = partition["services"]
        for name in set(services) - _SERVICES:
            del services[name]
    return loader


def _cut_model(model: dict[str, Any]) -> None:
    operations, shapes = model["operations"], model["shapes"]
    for name in set(operations) - set(Operation):
        del operations[name]
    used: set[str] = set()
    reached = set(_shapes_in(operations))
    while reached:
        used |= reached
        reached = {name for one in reached for name in _shapes_in(shapes[one])} - used
    for name in set(shapes) - used:
        del shapes[name]


def _shapes_in(part: object) -> Iterator[str]:
    """The names of the shapes that a part of the model refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _shapes_in(one)
