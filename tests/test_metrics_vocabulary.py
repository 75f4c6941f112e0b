"""The codes of EC2's answers that are counted from 0 on."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from eni_failover.adapters import ec2_errors
from eni_failover.adapters.ec2_model import Operation
from eni_failover.core.policy import FenceMode
from eni_failover.metrics import Metrics, vocabulary
from tests.core import builders

LINE = 'eni_failover_ec2_requests_total{{code="{code}",group="orders",operation="{operation}"}} {count}'
ANY_CALL = {
    "ok",
    "timeout",
    "connection",
    "RequestLimitExceeded",
    "UnauthorizedOperation",
    "AuthFailure",
    "RequestExpired",
    "InternalError",
    "Unavailable",
    "ServiceUnavailable",
}
OWN = {
    Operation.ATTACH: {
        "DryRunOperation",
        "InvalidNetworkInterface.InUse",
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidInstanceID.NotFound",
        "InvalidParameterValue",
        "InvalidParameterCombination",
        "AttachmentLimitExceeded",
        "PrivateIpAddressLimitExceeded",
        "OperationNotPermitted",
        "UnsupportedOperation",
        "IncorrectState",
        "IncorrectInstanceState",
    },
    Operation.DETACH: {
        "DryRunOperation",
        "InvalidAttachmentID.NotFound",
        "IncorrectState",
        "OperationNotPermitted",
    },
    Operation.MODIFY_ENI: {
        "DryRunOperation",
        "InvalidAttachmentID.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
    },
    Operation.DESCRIBE_INSTANCE_ATTRIBUTE: {"InvalidInstanceID.NotFound"},
    Operation.STOP: {
        "DryRunOperation",
        "InvalidInstanceID.NotFound",
        "IncorrectInstanceState",
        "OperationNotPermitted",
        "UnsupportedOperation",
    },
}


FENCING = builders.policy(fence=FenceMode.STOP)


@pytest.fixture
def metrics() -> Metrics:
    """Of a daemon that makes every call that there is."""
    metrics = Metrics(registry=CollectorRegistry(), group="orders", version="0.1.0")
    metrics.configured(FENCING)
    return metrics


def counted(metrics: Metrics) -> set[str]:
    """The lines of the page that count EC2 requests."""
    lines = metrics.page().decode().splitlines()
    return {line for line in lines if line.startswith("eni_failover_ec2_requests_total{")}


def test_each_call_has_its_known_codes_at_zero(metrics):
    """What any call may be answered, and what EC2 is known to say to this one."""
    expected = {
        LINE.format(code=code, operation=operation, count=0.0)
        for operation in Operation
        for code in ANY_CALL | OWN.get(operation, set())
    }

    assert expected == counted(metrics)


def test_another_code_appears_when_it_is_first_seen(metrics):
    """EC2 has no closed list of its codes."""
    before = counted(metrics)
    metrics.ec2_request("AttachNetworkInterface", "OptInRequired", 0.1)

    assert {LINE.format(code="OptInRequired", operation=Operation.ATTACH, count=1.0)} == (
        counted(metrics) - before
    )


def test_the_codes_are_spelt_as_the_adapter_knows_them():
    """A code that nobody sends would be a series for nothing."""
    ours = {"ok", ec2_errors.TIMEOUT, ec2_errors.CONNECTION, ec2_errors.DRY_RUN}
    codes = {code for _, code in vocabulary.ec2_requests(FENCING)} - ours

    assert set() == {code for code in codes if code.lower() not in ec2_errors._TABLE}
