"""The wire format of closer looks against moto, which the project's own fake does not share a line with."""

import asyncio
import logging
from collections.abc import Iterator

import boto3
import pytest

pytestmark = pytest.mark.slow  # moto alone takes seconds to import: not at the top, either


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_moto_understands_the_closer_looks(make_ec2, moto_url):
    """Details, limits, subnets and two DryRuns come through: the parameters are EC2's."""
    client = boto3.client(
        "ec2",
        endpoint_url=moto_url,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    subnet = client.describe_subnets()["Subnets"][0]
    image = client.describe_images()["Images"][0]["ImageId"]
    launched = client.run_instances(
        ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"]
    )
    instance_id = launched["Instances"][0]["InstanceId"]
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "eni-failover-group", "Value": "orders"}]}]
    made = client.create_network_interface(SubnetId=subnet["SubnetId"], TagSpecifications=tags)
    eni_id = made["NetworkInterface"]["NetworkInterfaceId"]
    client.close()
    inspection = make_ec2(endpoint_url=moto_url, read_timeout=5.0).inspection()

    (eni,) = asyncio.run(inspection.tagged_enis("eni-failover-group", "orders"))
    (instance,) = asyncio.run(inspection.instances([instance_id]))
    limits = asyncio.run(inspection.type_limits("m5.large"))

    assert (eni.eni.eni_id, eni.vpc_id, eni.interface_type) == (eni_id, subnet["VpcId"], "interface")
    assert eni.owner_id == "123456789012"
    assert (instance.vpc_id, instance.subnet_id) == (subnet["VpcId"], subnet["SubnetId"])
    assert instance.primary is not None
    assert (limits.interfaces, limits.ipv4_per_interface) == (3, 10)
    assert asyncio.run(inspection.subnets([subnet["SubnetId"]])) == {subnet["SubnetId"]}
    assert asyncio.run(inspection.may_stop(instance_id)).allowed is True
    assert abs(inspection.clock_skew) < 60
