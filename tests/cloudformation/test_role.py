"""The members' role: exactly what `eni-failover policy` prints, and the right to read the package."""

from __future__ import annotations

import json

import pytest

from eni_failover.config import load
from eni_failover.preflight.iam import policy
from tests.cloudformation.stack import ACCOUNT, SWITCHES, canonical, resolved


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.parametrize("parameters", [{}, SWITCHES, {"Fence": "stop"}, {"GroupName": "db-1"}])
def test_the_policy_is_the_programs(parameters, region, tmp_path):
    """The role's statements are the program's for the configuration in the same user data."""
    stack = resolved(region=region, **parameters)
    file = tmp_path / "config.toml"
    file.write_text(stack.config)
    printed = policy(load(file, {}), account=ACCOUNT, region=region)

    assert canonical(stack.statements("eni-failover")) == canonical(printed["Statement"])
    assert len(stack.statements("eni-failover")) == len(printed["Statement"])


def test_the_command_prints_the_same(tmp_path, capsys):
    """What a user compares: the output of the command itself."""
    from eni_failover.cli.policy import policy as command

    file = tmp_path / "config.toml"
    file.write_text(resolved().config)
    code = command(load(file, {}), account=ACCOUNT, region="eu-central-1")

    assert code == 0
    assert canonical(json.loads(capsys.readouterr().out)["Statement"]) == canonical(
        resolved().statements("eni-failover")
    )


def test_fencing_alone_adds_the_right_to_stop():
    """And only on instances that carry the group's tag."""
    (stop,) = (
        one
        for one in resolved(Fence="stop").statements("eni-failover")
        if "ec2:StopInstances" in one["Action"]
    )

    assert "StopInstances" not in json.dumps(resolved().resources)
    assert stop["Condition"] == {"StringEquals": {"ec2:ResourceTag/eni-failover-group": "orders"}}


def test_nothing_else_is_allowed():
    """One object prefix to read, no tag to write; only EC2 may assume the role."""
    stack = resolved(**SWITCHES)
    role = stack.resources["MemberRole"]["Properties"]
    (read,) = stack.statements("install")

    assert [one["PolicyName"] for one in role["Policies"]] == ["eni-failover", "install"]
    assert (read["Action"], read["Resource"]) == (["s3:GetObject"], ["arn:aws:s3:::packages/eni-failover/*"])
    assert "Tags" not in json.dumps([one["PolicyDocument"] for one in role["Policies"]])
    assert role["AssumeRolePolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }


def test_session_manager_is_the_only_managed_policy():
    """It is AWS's own for the agent, allows nothing of EC2, and can be left out."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    document = json.dumps(json.loads(aws_managed_policies_data)["AmazonSSMManagedInstanceCore"]["Document"])
    role = resolved().resources["MemberRole"]["Properties"]

    assert role["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]
    assert '"ec2:' not in document
    assert "ssmmessages:" in document
    assert "ManagedPolicyArns" not in resolved(SessionManager="no").resources["MemberRole"]["Properties"]
