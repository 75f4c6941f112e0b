"""`policy`: where account and region come from, and what is said when nobody knows them."""

from __future__ import annotations

import json

import pytest

BOTH = ("--account", "210987654321", "--region", "eu-west-3")


def arns(result) -> set[str]:
    """The beginnings of the ARNs in the printed policy: region and account."""
    statements = json.loads(result.out)["Statement"]
    return {arn.rsplit(":", 1)[0] for one in statements for arn in one["Resource"]} - {"*"}


@pytest.fixture
def alone(monkeypatch):
    """No IMDS, no region and no credentials."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_what_is_written_is_taken(run, member, alone):
    """Nobody is asked when both are given."""
    result = run("policy", "--config", member.config, *BOTH)

    assert (result.code, result.err) == (0, "")
    assert arns(result) == {"arn:aws:ec2:eu-west-3:210987654321"}


def test_the_account_is_the_enis_owner(run, lab_member, on_beta, world):
    """EC2 tells it with a describe; the region is the environment's."""
    world.change_eni("floating-1", owner_id="999988887777")
    result = run("policy", "--config", lab_member.config)

    assert (result.code, result.err) == (0, "")
    assert arns(result) == {"arn:aws:ec2:eu-central-1:999988887777"}
    assert [one.action for one in world.calls] == ["DescribeNetworkInterfaces"]


def test_the_region_is_this_instances(run, lab_member, on_beta, monkeypatch):
    """IMDS tells it where the environment does not."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    result = run("policy", "--config", lab_member.config, "--account", "123456789012")

    assert (result.code, arns(result)) == (0, {"arn:aws:ec2:eu-central-1:123456789012"})


def test_a_written_region_is_the_one_that_is_asked(run, lab_member, on_beta, world):
    """It wins over the environment."""
    result = run("policy", "--config", lab_member.config, "--region", "us-gov-west-1")

    assert (result.code, arns(result)) == (0, {"arn:aws-us-gov:ec2:us-gov-west-1:123456789012"})


def test_what_nobody_knows_is_a_placeholder(run, member, alone):
    """A line about each on standard error, and exit 1: the policy cannot be used as it is."""
    result = run("policy", "--config", member.config)

    assert (result.code, arns(result)) == (1, {"arn:aws:ec2:REGION:ACCOUNT"})
    assert [line.split()[1] for line in result.err.splitlines()] == ["ACCOUNT", "REGION"]
    assert [line.rsplit()[-1] for line in result.err.splitlines()] == ["--account", "--region"]
    assert "set AWS_REGION" in result.err


@pytest.mark.parametrize("change", [lambda w: w.deny("*"), lambda w: w.remove_eni("floating-1")])
def test_an_account_that_ec2_does_not_tell_is_a_placeholder(run, lab_member, on_beta, world, change):
    """Denied, or no such ENI: the region is known all the same."""
    change(world)
    result = run("policy", "--config", lab_member.config)

    assert (result.code, arns(result)) == (1, {"arn:aws:ec2:eu-central-1:ACCOUNT"})
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--account", "12345"),
        ("--account", "12345678901a"),
        ("--region", "Frankfurt"),
        ("--region", "eu-central-1\n"),
    ],
)
def test_a_malformed_option_is_exit_2(run, member, option, value):
    """It would make ARNs that mean nothing."""
    result = run("policy", "--config", member.config, option, value)

    assert (result.code, result.out) == (2, "")
    assert option in result.err


def test_a_bad_file_is_exit_2(run, member):
    """With every mistake, as everywhere."""
    member.config.write_text('group = "Orders"\n')
    result = run("policy", "--config", member.config, *BOTH)

    assert (result.code, result.out) == (2, "")


def test_discovery_is_known(run, member, alone):
    """The members are named by their tag."""
    text = member.config.read_text()
    members = text[text.index("[[member]]") : text.index("[[probe]]")]
    member.config.write_text(text.replace(members, '[discovery]\ntag = "eni-failover-group"\n'))
    result = run("policy", "--config", member.config, *BOTH)

    assert result.code == 0
    assert "ec2:ResourceTag/eni-failover-group" in result.out
