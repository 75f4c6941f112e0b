"""From EC2's answers to details: pure translation."""

from eni_failover.adapters.ec2_details import (
    find_instance,
    read_eni_details,
    read_instance_details,
)

ENI = {
    "NetworkInterfaceId": "eni-01",
    "Status": "in-use",
    "VpcId": "vpc-1",
    "OwnerId": "123456789012",
    "InterfaceType": "interface",
    "Description": "floating",
    "TagSet": [{"Key": "Name", "Value": "f"}, {"Key": "empty"}],
    "Attachment": {
        "AttachmentId": "eni-attach-1",
        "InstanceId": "i-01",
        "InstanceOwnerId": "amazon-aws",
        "Status": "attached",
        "DeviceIndex": 1,
    },
}
INSTANCE = {
    "InstanceId": "i-01",
    "State": {"Name": "running"},
    "VpcId": "vpc-1",
    "SubnetId": "subnet-1",
    "Tags": [{"Key": "Name", "Value": "alpha"}],
    "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "optional", "HttpPutResponseHopLimit": 2},
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-02",
            "MacAddress": "0A:00:00:00:00:01",
            "Attachment": {"DeviceIndex": 0, "NetworkCardIndex": 0},
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.1.11", "Association": {"PublicIp": "203.0.113.1"}},
                {"PrivateIpAddress": "10.0.1.12"},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}],
            "Association": {"PublicIp": "203.0.113.1"},
        },
        {"NetworkInterfaceId": "eni-03", "Attachment": {"DeviceIndex": 1, "NetworkCardIndex": 1}},
        {"NetworkInterfaceId": "eni-04"},
    ],
}


def test_an_enis_details_are_read():
    """What tells whose it is, beside what a pass reads."""
    (found,) = read_eni_details([ENI])

    assert (found.eni.eni_id, found.eni.attachment.attachment_id) == ("eni-01", "eni-attach-1")
    assert (found.vpc_id, found.owner_id, found.instance_owner) == ("vpc-1", "123456789012", "amazon-aws")
    assert (found.interface_type, found.description) == ("interface", "floating")
    assert found.tags == {"Name": "f", "empty": ""}


def test_an_eni_that_is_not_understood_is_left_out():
    """Its status is none that this version knows."""
    assert read_eni_details([{**ENI, "Status": "teleporting"}, {}]) == ()


def test_an_instances_details_are_read():
    """With its interfaces; one whose index is not told is left out."""
    (found,) = read_instance_details([INSTANCE])

    assert (found.vpc_id, found.subnet_id, found.tags) == ("vpc-1", "subnet-1", {"Name": "alpha"})
    assert (found.imds_tokens, found.imds_hop_limit) == ("optional", 2)
    assert [(one.eni_id, one.card_index, one.device_index) for one in found.interfaces] == [
        ("eni-02", 0, 0),
        ("eni-03", 1, 1),
    ]
    assert found.primary.mac == "0a:00:00:00:00:01"
    assert found.primary.addresses == ("10.0.1.11", "10.0.1.12", "2001:db8::1")
    assert found.primary.public_addresses == ("203.0.113.1",)


def test_a_bare_instance_is_read():
    """A terminated one has hardly anything."""
    (found,) = read_instance_details([{"InstanceId": "i-02", "State": {"Name": "terminated"}}, {}])

    assert (found.primary, found.interfaces, found.imds_hop_limit) == (None, (), 0)
    assert find_instance([found], "i-02") is found
    assert find_instance([found], "i-03") is None
