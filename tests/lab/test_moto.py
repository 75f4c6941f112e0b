"""Field names of the two big describes against moto, an independent fake: wire format, never behaviour."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.moto_server import moto_client, moto_server

pytestmark = pytest.mark.slow  # moto takes seconds to import

pytest.importorskip("moto.server", reason="moto is a development extra", exc_type=ImportError)


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    """A client of a moto server with one instance that has a second ENI with an Elastic IP address."""
    with moto_server() as url, moto_client(url) as client:
        yield client


@pytest.fixture(scope="module")
def moto_answers(moto):
    """(ENI, instance) as moto describes them."""
    image = moto.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "alpha"}]}]
    launched = moto.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)["Instances"][
        0
    ]
    eni_id = moto.create_network_interface(
        SubnetId=launched["SubnetId"],
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "f"}]}],
    )["NetworkInterface"]["NetworkInterfaceId"]
    moto.attach_network_interface(NetworkInterfaceId=eni_id, InstanceId=launched["InstanceId"], DeviceIndex=1)
    address = moto.allocate_address(Domain="vpc")
    moto.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni_id)
    eni = moto.describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"][0]
    instance = moto.describe_instances(InstanceIds=[launched["InstanceId"]])["Reservations"][0]["Instances"][
        0
    ]
    return eni, instance


def names(value, path=""):
    """The paths of all fields of an answer; lists do not count."""
    if isinstance(value, dict):
        return {f"{path}{key}" for key in value} | {
            n for k, v in value.items() for n in names(v, f"{path}{k}.")
        }
    if isinstance(value, list):
        return {name for item in value for name in names(item, path)}
    return set()


def test_eni_field_names(moto_answers, world, lab, client_of):
    """Every field that moto describes an ENI with, the lab does too."""
    world.change_eni("floating-1", requester_id="123456789012")
    ours = client_of(lab).describe_network_interfaces(NetworkInterfaceIds=["eni-0ffffffffffffff01"])
    theirs = names(moto_answers[0])

    assert set() == theirs - names(ours["NetworkInterfaces"][0])
    assert {"Attachment.Status", "PrivateIpAddresses.Primary", "TagSet.Key"} <= theirs


NO_NOTION = {
    "BlockDeviceMappings",
    "ClientToken",
    "EbsOptimized",
    "HibernationOptions",
    "KernelId",
    "KeyName",
    "Platform",
    "RootDeviceName",
    "RootDeviceType",
    "SriovNetSupport",
}
"""Fields of matters that the lab has no notion of: disks, keys, Windows."""


def test_instance_field_names(moto_answers, world, lab, client_of):
    """Every field that moto describes an instance with, the lab does too, but for NO_NOTION."""
    world.change_eni("eni-0aaaaaaaaaaaaaaa1", addresses=world.eni("floating-1").addresses)
    world.stop_instance("alpha")
    ours = client_of(lab).describe_instances(InstanceIds=["i-0aaaaaaaaaaaaaaa1"])["Reservations"][0][
        "Instances"
    ][0]
    theirs = {name for name in names(moto_answers[1]) if name.partition(".")[0] not in NO_NOTION}

    assert set() == theirs - names(ours)
    assert {"NetworkInterfaces.Attachment.DeviceIndex", "Placement.AvailabilityZone"} <= theirs
