"""The checks of what IAM allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.link import DetectedMode, LinkMode
from eni_failover.core.policy import FenceMode
from eni_failover.preflight import permissions
from eni_failover.preflight.facts import Missed
from tests.preflight.builders import DENIED, ENI, ENI2, config, eni, facts, said

NO, YES = Permission(allowed=False, detail="You are not authorized"), Permission(allowed=True)
UNCLEAR = Permission(allowed=None, detail="RequestLimitExceeded: Request limit exceeded.")
FENCING = replace(config(), fence=FenceMode.STOP)
VERIFY = {"link_mode": DetectedMode(mode=LinkMode.VERIFY, reason="")}


@pytest.mark.parametrize(
    ("fact", "judge", "action", "result"),
    [
        ("attach", permissions.attach_permission, "ec2:AttachNetworkInterface", "fail"),
        ("detach", permissions.detach_permission, "ec2:DetachNetworkInterface", "fail"),
        ("keep", permissions.modify_permission, "ec2:ModifyNetworkInterfaceAttribute", "warn"),
    ],
)
def test_a_denial_names_the_action_and_the_eni(fact, judge, action, result):
    """One denied ENI of two is enough; without Modify a takeover works all the same."""
    check = judge(facts(of_cloud={fact: {ENI: YES, ENI2: NO}}))

    assert (result, f"IAM denies {action} for {ENI2}") == said(check)
    assert "eni-failover policy" in check.remedy


@pytest.mark.parametrize("said_by_ec2", [{}, {ENI: UNCLEAR}])
def test_a_dry_run_without_an_answer_is_unknown(said_by_ec2):
    """An ENI on nobody has no attachment to try, and a throttled call says nothing."""
    check = permissions.detach_permission(facts(of_cloud={"detach": said_by_ec2}))

    assert check.result == "warn"
    assert check.detail.startswith("unknown: ")


def test_a_denied_stop_fails_where_fencing_is_configured():
    """No takeover by probes would move anything."""
    denied = {"stop": {"alpha": NO}}

    assert said(permissions.stop_permission(facts(FENCING, of_cloud=denied))) == (
        "fail",
        "IAM denies ec2:StopInstances for alpha",
    )
    assert permissions.stop_permission(facts(of_cloud=denied)).result == "pass"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, ("warn", "unknown: there was no other member to ask about")),
        ({"alpha": ""}, ("pass", "EC2 can stop alpha")),
        (
            {"alpha": "is a Spot Instance of a one-time request", "gamma": Missed(why="denied")},
            ("fail", "EC2 cannot stop: alpha is a Spot Instance of a one-time request"),
        ),
        (
            {"alpha": "", "gamma": Missed(why="not allowed", denied=True)},
            ("warn", "unknown: gamma: not allowed"),
        ),
    ],
)
def test_a_fence_that_ec2_would_refuse_fails(found, expected):
    """It would be found out at the takeover else, and nothing would move."""
    check = permissions.fence(facts(FENCING, of_cloud={"unstoppable": found}))

    assert said(check) == expected
    assert permissions.fence(facts(of_cloud={"unstoppable": found})).result == "pass"


def test_attach_modify_and_stop_are_named_by_their_checks():
    """A denial of one action fails the check of that action alone."""
    found = facts(FENCING, of_cloud={"attach": {ENI: NO}, "stop": {"alpha": YES}})

    assert permissions.attach_permission(found).result == "fail"
    assert permissions.modify_permission(found).result == "pass"
    assert permissions.stop_permission(found).result == "pass"


def test_subnets_that_may_not_be_read_fail_where_the_daemon_sets_links_up():
    """Elsewhere nobody needs them."""
    denied = {"subnets": DENIED}

    assert permissions.subnets(facts(of_cloud=denied)).result == "fail"
    assert permissions.subnets(facts(of_cloud=denied, of_host=VERIFY)).result == "pass"


def test_a_subnet_that_ec2_does_not_show_fails():
    """Without it the router's address is not known."""
    check = permissions.subnets(facts(of_cloud={"enis": (eni(of_eni={"subnet_id": "subnet-0abc"}),)}))

    assert said(check) == ("fail", "EC2 does not show subnet-0abc")


def test_subnets_that_were_not_answered_are_unknown():
    """No answer is no denial."""
    check = permissions.subnets(facts(of_cloud={"subnets": Missed(why="timeout")}))

    assert said(check) == ("warn", "unknown: timeout")
