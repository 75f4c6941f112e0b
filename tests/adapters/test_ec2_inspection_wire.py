"""The wire format of closer looks against moto, which the project's own fake does not share a line with."""

import asyncio

import pytest

from tests.moto_server import moto_client, moto_server

pytestmark = pytest.mark.slow  # moto alone takes seconds to import: not at the top, either


def test_moto_understands_the_closer_looks(make_ec2):
    """Details, limits, subnets and two DryRuns come through: the parameters are EC2's."""
    with moto_server() as url, moto_client(url) as client:
        subnet = client.describe_subnets()["Subnets"][0]
        image = client.describe_images()["Images"][0]["ImageId"]
        launched = client.run_instances(
            ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"]
        )
        instance_id = launched["Instances"][0]["InstanceId"]
        tags = [
            {"ResourceType": "network-interface", "Tags": [{"Key": "eni-failover-group", "Value": "orders"}]}
        ]
        made = client.create_network_interface(SubnetId=subnet["SubnetId"], TagSpecifications=tags)
        eni_id = made["NetworkInterface"]["NetworkInterfaceId"]
        inspection = make_ec2(endpoint_url=url, read_timeout=5.0).inspection()

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
