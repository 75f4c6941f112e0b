import re
from xml.etree import ElementTree as ET

import pytest
from botocore.parsers import EC2QueryParser
from botocore.serialize import EC2Serializer

from eni_failover.lab import Ec2Error
from eni_failover.lab.changing import CHANGES
from eni_failover.lab.query import parse, serialise, serialise_error, service_model
from eni_failover.lab.reading import DESCRIBES

REQUESTS = [
    ("DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["eni-1", "eni-2"], "DryRun": True}),
    (
        "DescribeNetworkInterfaces",
        {"Filters": [{"Name": "tag:A b", "Values": ["x", "y"]}, {"Name": "status", "Values": ["in-use"]}]},
    ),
    ("DescribeNetworkInterfaces", {"MaxResults": 5, "NextToken": "abc=="}),
    ("DescribeInstances", {"InstanceIds": [f"i-{n}" for n in range(12)], "DryRun": False}),
    ("DescribeInstances", {"MaxResults": 1000}),
    ("DescribeInstanceStatus", {"IncludeAllInstances": True, "InstanceIds": ["i-1"]}),
    ("DescribeInstanceTypes", {"InstanceTypes": ["m5.large"]}),
    ("DescribeInstanceAttribute", {"InstanceId": "i-1", "Attribute": "disableApiStop"}),
    ("DescribeSpotInstanceRequests", {"Filters": [{"Name": "instance-id", "Values": ["i-1"]}]}),
    ("DescribeSubnets", {"SubnetIds": ["subnet-1"]}),
    ("DescribeAvailabilityZones", {"ZoneNames": ["a"], "ZoneIds": ["b"]}),
    ("DescribeTags", {"Filters": [{"Name": "key", "Values": ["v"]}]}),
    (
        "AttachNetworkInterface",
        {"NetworkInterfaceId": "e", "InstanceId": "i", "DeviceIndex": 2, "NetworkCardIndex": 0},
    ),
    ("DetachNetworkInterface", {"AttachmentId": "a", "Force": True}),
    (
        "ModifyNetworkInterfaceAttribute",
        {"NetworkInterfaceId": "e", "Attachment": {"AttachmentId": "a", "DeleteOnTermination": False}},
    ),
    ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "e", "SourceDestCheck": {"Value": False}}),
    ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "e", "Groups": ["sg-1", "sg-2"]}),
    ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "e", "Description": {"Value": ""}}),
    ("StopInstances", {"InstanceIds": ["i-1"], "Force": True}),
    ("StartInstances", {"InstanceIds": ["i-1"]}),
    ("TerminateInstances", {"InstanceIds": ["i-1"]}),
    ("RebootInstances", {"InstanceIds": ["i-1"]}),
]


@pytest.mark.parametrize(("action", "parameters"), REQUESTS)
def test_parse_undoes_botocores_serializer(action, parameters):
    """What botocore writes for parameters is read back as those parameters."""
    request = EC2Serializer().serialize_to_request(parameters, service_model().operation_model(action))
    fields = {name: str(value) for name, value in request["body"].items()}

    assert parameters == parse(fields)


PARSE_REFUSALS = [
    (1, {}, "MissingAction"),
    (2, {"Action": "MakeCoffee"}, "InvalidAction"),
    (3, {"Action": "DescribeTags", "Version": "2010-01-01"}, "NoSuchVersion"),
    (4, {"Action": "DescribeTags", "Colour": "red"}, "UnknownParameter"),
    (5, {"Action": "DescribeInstances", "InstanceIds.1": "i-1"}, "UnknownParameter"),
    (6, {"Action": "DescribeInstances", "InstanceId": "i-1"}, "UnknownParameter"),
    (7, {"Action": "DescribeInstances", "InstanceId.x": "i-1"}, "UnknownParameter"),
    (8, {"Action": "DescribeInstances", "InstanceId.1": "a", "InstanceId.1.Deep": "b"}, "UnknownParameter"),
    (9, {"Action": "DescribeInstances", "DryRun.Value": "true"}, "UnknownParameter"),
    (10, {"Action": "DescribeInstances", "Filter.1": "name"}, "UnknownParameter"),
    (11, {"Action": "DescribeInstances", "MaxResults": "many"}, "InvalidParameterValue"),
    (12, {"Action": "DescribeInstances", "DryRun": "yes"}, "InvalidParameterValue"),
    (13, {"Action": "DetachNetworkInterface"}, "MissingParameter"),
    (
        14,
        {"Action": "AttachNetworkInterface", "NetworkInterfaceId": "e", "InstanceId": "i"},
        "MissingParameter",
    ),
    (15, {"Action": "StopInstances"}, "MissingParameter"),
    (16, {"Action": "DescribeInstances", "Filter": "status"}, "UnknownParameter"),
    (
        17,
        {"Action": "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId": "e", "Attachment": "a"},
        "UnknownParameter",
    ),
    (18, {"Action": "DescribeInstances", "InstanceId.1.Deep": "b", "InstanceId.1": "a"}, "UnknownParameter"),
]


@pytest.mark.parametrize(("number", "fields", "code"), PARSE_REFUSALS)
def test_parse_refusals(number, fields, code):
    """A request that is not one of EC2's is refused with the code that says why."""
    with pytest.raises(Ec2Error) as caught:
        parse(fields)

    assert code == caught.value.code


def test_signature_fields_are_no_parameters():
    """A presigned GET carries fields that are not the action's."""
    fields = {
        "Action": "DescribeTags",
        "Version": "2016-11-15",
        "X-Amz-Signature": "0",
        "X-Amz-Credential": "A/b",
    }

    assert parse(fields) == {}


@pytest.mark.parametrize("action", sorted({**DESCRIBES, **CHANGES}))
def test_every_action_is_botocores(action):
    """Each action of the lab exists in the model under this name."""
    assert action in service_model().operation_names


REQUIRED = {"DescribeInstanceAttribute": {"InstanceId": "i-0aaaaaaaaaaaaaaa1", "Attribute": "disableApiStop"}}


@pytest.mark.parametrize("action", sorted(DESCRIBES))
def test_answers_parse_back(make_world, action):
    """Each describe's XML, read by botocore's parser, is the answer that the world gave."""
    world = make_world(members=3, enis=3)
    world.impair("beta", system="impaired")
    answer = world.call(action, REQUIRED.get(action))
    shape = service_model().operation_model(action).output_shape
    xml = serialise(action, answer, "the-request")
    parsed = EC2QueryParser().parse({"status_code": 200, "headers": {}, "body": xml}, shape)

    assert parsed.pop("ResponseMetadata")["RequestId"] == "the-request"
    assert answer == parsed


def test_a_field_that_ec2_does_not_have_cannot_be_written():
    """An answer that the model does not know is a defect of the lab and raises."""
    with pytest.raises(ValueError, match="Colour"):
        serialise("DescribeTags", {"Tags": [{"Colour": "red"}]}, "r")


def test_actions_without_an_answer_return_true():
    """DetachNetworkInterface and the like answer with <return>true</return>, as EC2 does."""
    root = ET.fromstring(serialise("DetachNetworkInterface", {}, "r"))  # noqa: S314 - our own XML

    assert [re.sub(r"\{.*\}", "", node.tag) for node in root.iter()] == [
        "DetachNetworkInterfaceResponse",
        "requestId",
        "return",
    ]
    assert root[1].text == "true"


def test_errors_parse_back():
    """An error's XML, read by botocore's parser, has its code, message (any characters) and request id."""
    xml = serialise_error("InvalidParameterValue", "<'&\"> ü", "the-request")
    parsed = EC2QueryParser().parse({"status_code": 400, "headers": {}, "body": xml}, None)

    assert parsed["Error"] == {"Code": "InvalidParameterValue", "Message": "<'&\"> ü"}
    assert parsed["ResponseMetadata"]["RequestId"] == "the-request"
