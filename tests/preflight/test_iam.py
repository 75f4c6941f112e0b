"""The policy document: what it allows, and that it says so in words that IAM knows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.adapters.ec2_model import Operation
from eni_failover.config import DiscoverySettings, NetworkMode, NetworkSettings
from eni_failover.core.policy import FenceMode
from eni_failover.preflight.iam import partition_of, policy
from tests.preflight.builders import ALPHA, BETA, ENI, ENI2, config

FACTS = json.loads(Path(__file__).with_name("iam_ec2.json").read_text())
BASE = "arn:aws:ec2:eu-central-1:123456789012"


def network(mode: NetworkMode) -> NetworkSettings:
    return NetworkSettings(mode=mode, path_check=False, ipv6_router="")


LISTED = config()
FENCING = config(fence=FenceMode.STOP, eni_ids=(ENI, ENI2))
DISCOVERED = config(members=(), discovery=DiscoverySettings(tag="eni-failover-group"), fence=FenceMode.STOP)
VERIFYING = config(network=network(NetworkMode.VERIFY))
FILES = {"listed": LISTED, "fencing": FENCING, "discovered": DISCOVERED, "verifying": VERIFYING}


def made(file):
    return policy(file, account="123456789012", region="eu-central-1")["Statement"]


def allowed(file) -> set[str]:
    return {action for one in made(file) for action in one["Action"]}


def test_listed_members_are_named_by_their_arns():
    """One statement moves: both types of resource, no condition, nothing but the file's own."""
    statements = made(LISTED)
    (move,) = (one for one in statements if "ec2:DetachNetworkInterface" in one["Action"])

    assert move == {
        "Sid": "MoveEnisBetweenMembers",
        "Effect": "Allow",
        "Action": ["ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface"],
        "Resource": [
            f"{BASE}:network-interface/{ENI}",
            f"{BASE}:instance/{ALPHA}",
            f"{BASE}:instance/{BETA}",
        ],
    }
    assert [one["Sid"] for one in statements] == ["Read", "MoveEnisBetweenMembers", "KeepEnisOnTermination"]


def test_discovered_members_are_narrowed_by_their_tag():
    """Every statement about instances has the condition; those about ENIs do not need the tag on them."""
    condition = {"StringEquals": {"ec2:ResourceTag/eni-failover-group": "orders"}}
    about = {
        one["Sid"]: (one["Resource"], one.get("Condition"))
        for one in made(DISCOVERED)
        if one["Sid"] != "Read"
    }

    assert about == {
        "MoveEnis": ([f"{BASE}:network-interface/{ENI}"], None),
        "OnMembers": ([f"{BASE}:instance/*"], condition),
        "KeepEnisOnTermination": ([f"{BASE}:network-interface/{ENI}"], None),
        "KeepEnisOfMembers": ([f"{BASE}:instance/*"], condition),
        "FenceMembers": ([f"{BASE}:instance/*"], condition),
    }


def test_stop_is_allowed_only_where_fencing_is_configured():
    """And on the members' instances alone."""
    (stop,) = (one for one in made(FENCING) if one["Sid"] == "FenceMembers")

    assert "ec2:StopInstances" not in allowed(LISTED)
    assert stop["Resource"] == [f"{BASE}:instance/{ALPHA}", f"{BASE}:instance/{BETA}"]


@pytest.mark.parametrize(
    ("mode", "needed"),
    [
        (NetworkMode.AUTO, True),
        (NetworkMode.MANAGE, True),
        (NetworkMode.VERIFY, False),
        (NetworkMode.OFF, False),
    ],
)
def test_subnets_are_read_only_where_the_daemon_may_set_links_up(mode, needed):
    """In mode auto it may come to that."""
    assert ("ec2:DescribeSubnets" in allowed(replace(LISTED, network=network(mode)))) is needed


def test_everything_that_the_program_calls_is_allowed():
    """The list of calls is the adapters' own."""
    assert allowed(FENCING) == {f"ec2:{operation}" for operation in Operation}


@pytest.mark.parametrize("name", FILES)
def test_every_action_gets_the_resource_types_that_it_requires(name):
    """AWS authorises a request only when each of its resources is allowed."""
    granted: dict[str, set[str]] = {}
    for one in made(FILES[name]):
        for action in one["Action"]:
            granted.setdefault(action, set()).update(_type_of(arn) for arn in one["Resource"])
    required = {
        action: {
            kind for kind, about in FACTS["actions"][action]["resource_types"].items() if about["required"]
        }
        for action in granted
    }

    assert {action for action, kinds in required.items() if not kinds <= granted[action]} == set()


@pytest.mark.parametrize("name", FILES)
def test_every_statement_is_one_that_iam_knows(name):
    """Each action exists, has each resource type of its statement, and each condition key for each type."""
    for one in made(FILES[name]):
        kinds = {_type_of(arn) for arn in one["Resource"]}
        keys = {_key(key) for test in one.get("Condition", {}).values() for key in test}
        for action in one["Action"]:
            known = FACTS["actions"][action]["resource_types"]

            assert kinds <= known.keys()
            assert all(keys <= set(known[kind]["condition_keys"]) for kind in kinds)


@pytest.mark.parametrize("name", FILES)
def test_every_arn_has_the_form_of_its_type(name):
    """As the Service Authorization Reference writes it, every part filled in."""
    arns = {arn for one in made(FILES[name]) for arn in one["Resource"]} - {"*"}

    assert arns
    assert {arn for arn in arns if not _form(FACTS["resources"][_type_of(arn)]).fullmatch(arn)} == set()


@pytest.mark.parametrize("name", FILES)
def test_only_describes_are_allowed_on_everything(name):
    """They have no resource type; the region narrows them."""
    wide = [one for one in made(FILES[name]) if one["Resource"] == ["*"]]

    assert [one["Sid"] for one in wide] == ["Read"]
    assert {FACTS["actions"][action]["access_level"] for action in wide[0]["Action"]} == {"List"}
    assert wide[0]["Condition"] == {"StringEquals": {"ec2:Region": "eu-central-1"}}


@pytest.mark.parametrize("name", FILES)
def test_the_document_fits_into_a_role(name):
    """Unique Sids of letters and digits, the version of the language, the size of an inline policy."""
    document = policy(FILES[name], account="123456789012", region="eu-central-1")
    sids = [one["Sid"] for one in document["Statement"]]

    assert document["Version"] == "2012-10-17"
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)
    assert len(re.sub(r"\s", "", json.dumps(document))) < 10240


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_other_partitions_have_their_own_arns(region, partition):
    """China, GovCloud and the isolated regions."""
    assert partition_of(region) == partition


def _type_of(arn: str) -> str:
    return "*" if arn == "*" else arn.split(":", 5)[5].partition("/")[0]


def _key(key: str) -> str:
    return re.sub(r"ResourceTag/.+", "ResourceTag/${TagKey}", key)


def _form(template: str) -> re.Pattern[str]:
    parts = {
        "Partition": "aws(-[a-z-]+)?",
        "Region": "[a-z]+-[a-z]+-[0-9]",
        "Account": "[0-9]{12}",
        "InstanceId": r"(i-[0-9a-f]{17}|\*)",
        "NetworkInterfaceId": "eni-[0-9a-f]{17}",
    }
    return re.compile(re.sub(r"\$\{(\w+)\}", lambda found: parts[found[1]], template))
