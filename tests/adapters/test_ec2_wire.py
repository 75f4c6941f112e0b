"""The wire format against moto, which the project's own fake does not share a line with.

Never for behaviour: moto attaches at once, steals ENIs in use, and knows no IAM denial of EC2's kind.
"""

import asyncio
from collections.abc import Iterator

import pytest

from eni_failover.adapters.ec2 import Ec2
from eni_failover.core.model import AttachmentStatus, InstanceState, Presence, Verdict
from tests.moto_server import moto_client, moto_server

pytestmark = pytest.mark.slow  # moto alone takes seconds to import: not at the top, either


class Cloud:
    """A subnet, two instances and a floating ENI on the first one, in moto."""

    def __init__(self, client) -> None:
        self.client = client
        image = self.client.describe_images()["Images"][0]["ImageId"]
        subnet = self.client.describe_subnets()["Subnets"][0]
        launched = self.client.run_instances(
            ImageId=image, InstanceType="m5.large", MinCount=2, MaxCount=2, SubnetId=subnet["SubnetId"]
        )
        self.holder, self.standby = (one["InstanceId"] for one in launched["Instances"])
        made = self.client.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]
        self.eni_id, self.mac, self.address = (
            made["NetworkInterfaceId"],
            made["MacAddress"],
            made["PrivateIpAddress"],
        )
        self.zone = subnet["AvailabilityZone"]

    def attach(self) -> str:
        return self.client.attach_network_interface(
            NetworkInterfaceId=self.eni_id, InstanceId=self.holder, DeviceIndex=1
        )["AttachmentId"]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="module")
def cloud(moto_url) -> Iterator[Cloud]:
    with moto_client(moto_url) as client:
        yield Cloud(client)


@pytest.fixture
def ec2(make_ec2, moto_url) -> Ec2:
    return make_ec2(endpoint_url=moto_url, read_timeout=5.0)


def test_an_available_eni_is_understood(ec2, cloud):
    """Identity fields come through, and the ENI has no attachment."""
    eni = asyncio.run(ec2.describe_enis((cloud.eni_id,))).survey.enis[0]

    assert (eni.presence, eni.attachment, eni.unmovable) == (Presence.KNOWN, None, None)
    assert (eni.mac, eni.addresses, eni.zone) == (cloud.mac, (cloud.address,), cloud.zone)


def test_an_unknown_eni_is_missing(ec2):
    """The filter answers an empty list, not an error."""
    surveyed = asyncio.run(ec2.describe_enis(("eni-0123456789abcdef0",)))

    assert (surveyed.survey.answered, surveyed.survey.enis[0].presence) == (True, Presence.MISSING)


def test_instances_are_understood(ec2, cloud):
    """State, zone and type come through; an unknown id is absent."""
    surveyed = asyncio.run(ec2.describe_instances((cloud.standby, "i-0123456789abcdef0")))

    (instance,) = surveyed.survey.instances
    assert (instance.instance_id, instance.state) == (cloud.standby, InstanceState.RUNNING)
    assert (instance.zone, instance.instance_type) == (cloud.zone, "m5.large")
    assert [index for _, index in instance.eni_indexes] == [0]
    assert len(surveyed.macs[cloud.standby]) == 1


def test_an_attach_is_written_and_read(ec2, cloud):
    """The new attachment id of the answer is the one that the next describe shows."""
    outcome = asyncio.run(ec2.attach(eni_id=cloud.eni_id, instance_id=cloud.standby, device_index=1))
    attachment = asyncio.run(ec2.describe_enis((cloud.eni_id,))).survey.enis[0].attachment
    cloud.client.detach_network_interface(AttachmentId=attachment.attachment_id)

    assert (outcome.verdict, outcome.attachment_id) == (Verdict.ACCEPTED, attachment.attachment_id)
    assert (attachment.instance_id, attachment.device_index) == (cloud.standby, 1)
    assert attachment.status in set(AttachmentStatus)


def test_a_detach_is_written_and_read(ec2, cloud):
    """A known attachment is accepted, an unknown one is gone."""
    attachment_id = cloud.attach()

    accepted = asyncio.run(ec2.detach(eni_id=cloud.eni_id, attachment_id=attachment_id, force=True))
    gone = asyncio.run(
        ec2.detach(eni_id=cloud.eni_id, attachment_id="eni-attach-0123456789abcdef0", force=False)
    )

    assert (accepted.verdict, gone.verdict) == (Verdict.ACCEPTED, Verdict.GONE)


def test_keeping_an_eni_on_termination_is_written(ec2, cloud):
    """moto accepts the nested attachment parameter."""
    attachment_id = cloud.attach()

    outcome = asyncio.run(ec2.keep_on_termination(eni_id=cloud.eni_id, attachment_id=attachment_id))
    cloud.client.detach_network_interface(AttachmentId=attachment_id)

    assert outcome.verdict is Verdict.ACCEPTED


def test_a_types_limit_is_read(ec2, cloud):
    """moto has the real table: an m5.large takes three ENIs."""
    assert asyncio.run(ec2.type_limits("m5.large")).interfaces == 3


def test_stopping_an_instance_is_written(ec2, cloud):
    """The next describe shows that it does not serve."""
    outcome = asyncio.run(ec2.stop_instance(cloud.holder))
    instance = asyncio.run(ec2.describe_instances((cloud.holder,))).survey.find(cloud.holder)

    assert (outcome.verdict, instance.state.is_ended) == (Verdict.ACCEPTED, True)
