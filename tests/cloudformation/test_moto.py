"""A second pair of eyes: moto makes a stack of the template. Names and references, not AWS's behaviour.

moto 5.2 cannot make an instance from a launch template, so the two instances are left out; the types that it
warns about are left out by itself.
"""

from __future__ import annotations

import ast
import base64
import json

import boto3
import pytest
from moto import mock_aws

from tests.cloudformation.stack import ENI, SWITCHES, canonical, document, resolved

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:Tried to parse .*(EIPAssociation|GroupEgress|PlacementGroup|TopicPolicy|Subscription) "
    ),
]


@pytest.fixture
def network(monkeypatch):
    """moto's AWS, with a VPC and a subnet: the parameters that name the two."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        yield {"VpcId": vpc, "SubnetId": subnet}


def create(parameters):
    """The ids of a new stack's resources, by logical id."""
    template = document()
    del template["Metadata"], template["Rules"]
    for name in ("Alpha", "Beta"):
        del template["Resources"][name]
    for name in ("AlphaInstance", "BetaInstance", "LogIn"):
        del template["Outputs"][name]
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName="pair",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName="pair")["Stacks"]
    made = cloudformation.list_stack_resources(StackName="pair")["StackResourceSummaries"]

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in made}


@pytest.mark.parametrize("switches", [{}, SWITCHES], ids=["plain", "everything"])
def test_moto_makes_the_same(switches, network):
    """The floating ENI is on nobody; role and user data are as these tests' own resolver has them."""
    expected = resolved(**switches)
    required = {"ClientCidr": "10.0.0.0/16", "GroupName": "orders", "PackageBucket": "packages"}
    ids = create({**required, **switches, **network})
    ec2, iam = boto3.client("ec2"), boto3.client("iam")
    (eni,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[ids["FloatingEni"]])["NetworkInterfaces"]
    shown = iam.get_role_policy(RoleName=ids["MemberRole"], PolicyName="eni-failover")["PolicyDocument"]
    policy = ast.literal_eval(shown)  # moto shows the policy of a stack's role as Python writes it
    (template,) = ec2.describe_launch_template_versions(LaunchTemplateId=ids["MemberTemplate"])[
        "LaunchTemplateVersions"
    ]
    script = base64.b64decode(template["LaunchTemplateData"]["UserData"]).decode()

    # moto leaves None where AWS::NoValue takes an item away.
    statements = [
        {key: [item for item in one if item] if isinstance(one, list) else one for key, one in each.items()}
        for each in policy["Statement"]
        if each
    ]

    assert eni["Status"] == "available"
    assert {one.replace(eni["NetworkInterfaceId"], ENI) for one in canonical(statements)} == canonical(
        expected.statements("eni-failover")
    )
    assert f'ids = ["{eni["NetworkInterfaceId"]}"]' in script
    assert expected.config.replace(ENI, eni["NetworkInterfaceId"]) in script
