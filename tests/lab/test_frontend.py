"""The EC2 endpoint as a real boto3 client sees it."""

import http.client
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from eni_failover.lab import LabThread, Settings, World

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI = "eni-0ffffffffffffff01"
T0 = datetime.fromtimestamp(1_800_000_000, UTC)


@pytest.fixture
def rich(world):
    """The floating ENI with everything an ENI can have."""
    world.change_eni(
        ENI,
        addresses=(*world.eni(ENI).addresses, *world.eni("eni-0bbbbbbbbbbbbbbb2").addresses),
        ipv6=("2001:db8::10", "2001:db8::11"),
        ipv4_prefixes=("10.0.1.208/28",),
        ipv6_prefixes=("2001:db8:0:1::/80",),
        groups=(("sg-0aaaaaaaaaaaaaaaa", "web"),),
        source_dest_check=False,
        requester_id="123456789012",
        operator="x.amazonaws.com",
        tags={"Name": "floating-1", "weird": "<&>\"'"},
    )
    return world


ASSOCIATION = {
    "PublicIp": "203.0.113.1",
    "PublicDnsName": "ec2-203-0-113-1.eu-central-1.compute.amazonaws.com",
    "AllocationId": "eipalloc-000000000cb007101",
    "AssociationId": "eipassoc-000000000cb007101",
    "IpOwnerId": "123456789012",
}

FLOATING = {
    "NetworkInterfaceId": ENI,
    "Status": "in-use",
    "Attachment": {
        "AttachmentId": "eni-attach-00000000000000003",
        "InstanceId": ALPHA,
        "InstanceOwnerId": "123456789012",
        "DeviceIndex": 1,
        "NetworkCardIndex": 0,
        "Status": "attached",
        "AttachTime": T0,
        "DeleteOnTermination": False,
    },
    "AvailabilityZone": "eu-central-1a",
    "AvailabilityZoneId": "euc1-az1",
    "SubnetId": "subnet-0123456789abcdef0",
    "VpcId": "vpc-0123456789abcdef0",
    "OwnerId": "123456789012",
    "MacAddress": "0a:ff:00:00:00:01",
    "PrivateIpAddress": "10.0.1.101",
    "PrivateDnsName": "ip-10-0-1-101.eu-central-1.compute.internal",
    "PrivateIpAddresses": [
        {
            "PrivateIpAddress": "10.0.1.101",
            "PrivateDnsName": "ip-10-0-1-101.eu-central-1.compute.internal",
            "Primary": True,
            "Association": ASSOCIATION,
        },
        {
            "PrivateIpAddress": "10.0.1.12",
            "PrivateDnsName": "ip-10-0-1-12.eu-central-1.compute.internal",
            "Primary": False,
        },
    ],
    "Association": ASSOCIATION,
    "Ipv6Addresses": [
        {"Ipv6Address": "2001:db8::10", "IsPrimaryIpv6": False},
        {"Ipv6Address": "2001:db8::11", "IsPrimaryIpv6": False},
    ],
    "Ipv6Address": "2001:db8::10",
    "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.208/28"}],
    "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:1::/80"}],
    "Groups": [{"GroupId": "sg-0aaaaaaaaaaaaaaaa", "GroupName": "web"}],
    "SourceDestCheck": False,
    "InterfaceType": "interface",
    "RequesterId": "123456789012",
    "RequesterManaged": False,
    "Operator": {"Managed": True, "Principal": "x.amazonaws.com"},
    "Description": "floating 1",
    "TagSet": [{"Key": "Name", "Value": "floating-1"}, {"Key": "weird", "Value": "<&>\"'"}],
}


def test_describe_network_interfaces_field_by_field(rich, lab, client_of):
    """An ENI with everything is described with every field, as boto3 parses it."""
    answer = client_of(lab).describe_network_interfaces(NetworkInterfaceIds=[ENI])

    assert answer["NetworkInterfaces"] == [FLOATING]
    assert "NextToken" not in answer


def test_a_free_eni_has_no_attachment(world, lab, client_of):
    """The whole Attachment key is missing when an ENI is attached to nothing."""
    world.place(ENI, None)
    eni = client_of(lab).describe_network_interfaces(NetworkInterfaceIds=[ENI])["NetworkInterfaces"][0]

    assert "Attachment" not in eni
    assert eni["Status"] == "available"


def primary(number, group):
    return {
        "NetworkInterfaceId": f"eni-0{group * 15}{number}",
        "Status": "in-use",
        "Attachment": {
            "AttachmentId": f"eni-attach-0000000000000000{number}",
            "DeviceIndex": 0,
            "NetworkCardIndex": 0,
            "Status": "attached",
            "AttachTime": T0,
            "DeleteOnTermination": True,
        },
        "SubnetId": "subnet-0123456789abcdef0",
        "VpcId": "vpc-0123456789abcdef0",
        "OwnerId": "123456789012",
        "PrivateIpAddress": f"10.0.1.1{number}",
        "PrivateDnsName": f"ip-10-0-1-1{number}.eu-central-1.compute.internal",
        "PrivateIpAddresses": [
            {
                "PrivateIpAddress": f"10.0.1.1{number}",
                "PrivateDnsName": f"ip-10-0-1-1{number}.eu-central-1.compute.internal",
                "Primary": True,
            }
        ],
        "Ipv6Addresses": [],
        "Groups": [{"GroupId": "sg-0123456789abcdef0", "GroupName": "default"}],
        "SourceDestCheck": True,
        "InterfaceType": "interface",
        "Operator": {"Managed": False},
        "Description": "",
    }


def test_describe_instances_field_by_field(world, lab, client_of):
    """An instance is described with every field that the lab knows, as boto3 parses it."""
    answer = client_of(lab).describe_instances(InstanceIds=[BETA])
    mac = world.eni("eni-0bbbbbbbbbbbbbbb2").mac

    expected = {
        "InstanceId": BETA,
        "InstanceType": "m5.large",
        "ImageId": "ami-0123456789abcdef0",
        "State": {"Code": 16, "Name": "running"},
        "StateTransitionReason": "",
        "LaunchTime": T0,
        "AmiLaunchIndex": 0,
        "Architecture": "x86_64",
        "EnaSupport": True,
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "PlatformDetails": "Linux/UNIX",
        "Monitoring": {"State": "disabled"},
        "Placement": {
            "AvailabilityZone": "eu-central-1a",
            "AvailabilityZoneId": "euc1-az1",
            "GroupName": "",
            "Tenancy": "default",
        },
        "SubnetId": "subnet-0123456789abcdef0",
        "VpcId": "vpc-0123456789abcdef0",
        "IamInstanceProfile": {
            "Arn": "arn:aws:iam::123456789012:instance-profile/eni-failover",
            "Id": "AIPALABLABLABLABLAB00",
        },
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
            "HttpProtocolIpv6": "disabled",
            "InstanceMetadataTags": "enabled",
        },
        "ProductCodes": [],
        "BlockDeviceMappings": [],
        "NetworkInterfaces": [{**primary(2, "b"), "MacAddress": mac}],
        "Tags": [
            {"Key": "Name", "Value": "beta"},
            {"Key": "eni-failover-group", "Value": "orders"},
            {"Key": "eni-failover-rank", "Value": "2"},
        ],
        "RootDeviceType": "ebs",
        "PrivateDnsName": "ip-10-0-1-12.eu-central-1.compute.internal",
        "PublicDnsName": "",
        "SourceDestCheck": True,
        "SecurityGroups": [{"GroupId": "sg-0123456789abcdef0", "GroupName": "default"}],
        "PrivateIpAddress": "10.0.1.12",
    }
    reservation = answer["Reservations"][0]
    assert [expected] == reservation.pop("Instances")
    assert reservation == {"ReservationId": "r-0bbbbbbbbbbbbbbb2", "OwnerId": "123456789012", "Groups": []}


def test_public_and_ipv6_addresses_of_an_instance(world, lab, client_of):
    """The addresses of its primary ENI are the instance's own; an instance without a role has no profile."""
    world.change_eni("eni-0bbbbbbbbbbbbbbb2", addresses=world.eni(ENI).addresses, ipv6=("2001:db8::5",))
    world.change_instance("beta", role=None)
    instance = client_of(lab).describe_instances(InstanceIds=[BETA])["Reservations"][0]["Instances"][0]

    assert "IamInstanceProfile" not in instance
    assert [
        instance[key] for key in ("PrivateIpAddress", "PublicIpAddress", "PublicDnsName", "Ipv6Address")
    ] == [
        "10.0.1.101",
        "203.0.113.1",
        "ec2-203-0-113-1.eu-central-1.compute.amazonaws.com",
        "2001:db8::5",
    ]
    association = instance["NetworkInterfaces"][0]["Association"]
    assert association["PublicIp"] == "203.0.113.1"
    assert "AllocationId" not in association


def test_describe_instance_status_field_by_field(lab, client_of):
    """An instance's status is described with every field, as boto3 parses it."""
    answer = client_of(lab).describe_instance_status(InstanceIds=[ALPHA])
    passed = {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}

    expected = {
        "InstanceId": ALPHA,
        "AvailabilityZone": "eu-central-1a",
        "AvailabilityZoneId": "euc1-az1",
        "InstanceState": {"Code": 16, "Name": "running"},
        "InstanceStatus": passed,
        "SystemStatus": passed,
        "AttachedEbsStatus": passed,
        "Events": [],
    }
    assert [expected] == answer["InstanceStatuses"]


def test_the_other_describes(lab, client_of):
    """Subnets, types, zones and tags arrive with the world's values."""
    client = client_of(lab)

    subnet = client.describe_subnets()["Subnets"][0]
    assert (
        subnet["SubnetId"],
        subnet["CidrBlock"],
        subnet["AvailabilityZone"],
    ) == ("subnet-0123456789abcdef0", "10.0.1.0/24", "eu-central-1a")
    network = client.describe_instance_types(InstanceTypes=["c6in.32xlarge"])["InstanceTypes"][0][
        "NetworkInfo"
    ]
    assert (
        network["MaximumNetworkInterfaces"],
        network["MaximumNetworkCards"],
        network["Ipv4AddressesPerInterface"],
        network["EfaSupported"],
    ) == (16, 2, 50, True)
    assert [zone["ZoneId"] for zone in client.describe_availability_zones()["AvailabilityZones"]] == [
        "euc1-az1"
    ]
    tags = client.describe_tags(Filters=[{"Name": "resource-id", "Values": [ENI]}])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Name": "floating-1",
        "eni-failover-group": "orders",
    }


def test_a_move_over_the_wire(world, lab, clock, client_of):
    """Detach, wait, attach, wait: the answers carry the attachment ids, the ENI is on the other member."""
    client = client_of(lab, "beta")
    detached = client.detach_network_interface(AttachmentId=world.eni(ENI).attachment.id)
    clock.advance(3)
    attached = client.attach_network_interface(NetworkInterfaceId=ENI, InstanceId=BETA, DeviceIndex=1)
    clock.advance(2)
    eni = client.describe_network_interfaces(NetworkInterfaceIds=[ENI])["NetworkInterfaces"][0]

    assert detached["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (attached["AttachmentId"], attached["NetworkCardIndex"]) == (eni["Attachment"]["AttachmentId"], 0)
    assert (eni["Attachment"]["InstanceId"], eni["Attachment"]["Status"]) == (BETA, "attached")


def test_instance_actions_over_the_wire(lab, clock, client_of):
    """Stop, start, reboot and terminate work through boto3."""
    client = client_of(lab)
    stopping = client.stop_instances(InstanceIds=[ALPHA], Force=True)["StoppingInstances"][0]
    clock.advance(5)
    starting = client.start_instances(InstanceIds=[ALPHA])["StartingInstances"][0]
    client.reboot_instances(InstanceIds=[BETA])
    ending = client.terminate_instances(InstanceIds=[BETA])["TerminatingInstances"][0]

    assert (stopping["PreviousState"]["Name"], stopping["CurrentState"]["Name"]) == ("running", "stopping")
    assert (starting["PreviousState"]["Name"], starting["CurrentState"]["Name"]) == ("stopped", "pending")
    assert (ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]) == ("running", "shutting-down")


def test_pagination_by_botocores_paginator(make_world, client_of):
    """botocore's own paginator walks all pages."""
    with LabThread(make_world(members=12, enis=0)) as lab:
        pages = list(
            client_of(lab).get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
        )

    assert [len(page["Reservations"]) for page in pages] == [5, 5, 2]


ERRORS = [
    (
        1,
        "describe_network_interfaces",
        {"NetworkInterfaceIds": ["eni-00000000000000bad"]},
        "InvalidNetworkInterfaceID.NotFound",
        400,
    ),
    (
        2,
        "detach_network_interface",
        {"AttachmentId": "eni-attach-00000000000000bad"},
        "InvalidAttachmentID.NotFound",
        400,
    ),
    (
        3,
        "attach_network_interface",
        {"NetworkInterfaceId": ENI, "InstanceId": BETA, "DeviceIndex": 1},
        "InvalidNetworkInterface.InUse",
        400,
    ),
    (4, "describe_instances", {"DryRun": True}, "DryRunOperation", 412),
    (5, "describe_tags", {}, "UnauthorizedOperation", 403),
    (6, "describe_subnets", {}, "RequestLimitExceeded", 503),
    (7, "run_instances", {"MinCount": 1, "MaxCount": 1}, "InvalidAction", 400),
]


@pytest.mark.parametrize(("number", "method", "parameters", "code", "status"), ERRORS)
def test_client_errors(*, world, lab, client_of, number, method, parameters, code, status):
    """A refusal is a ClientError with EC2's code and HTTP status."""
    world.deny("DescribeTags")
    world.drain("DescribeSubnets")
    with pytest.raises(ClientError) as caught:
        getattr(client_of(lab), method)(**parameters)
    response = caught.value.response

    assert code == response["Error"]["Code"]
    assert status == response["ResponseMetadata"]["HTTPStatusCode"]
    assert response["ResponseMetadata"]["RequestId"]


def test_expired_credentials_over_the_wire(world, lab, client_of):
    """A member whose credentials have ended is refused, a client with the new ones is not."""
    old = client_of(lab, "beta")
    world.expire_credentials("beta")
    with pytest.raises(ClientError) as caught:
        old.describe_tags()
    client_of(lab, "beta").describe_tags()

    assert caught.value.response["Error"]["Code"] == "RequestExpired"


def test_the_record_knows_caller_and_user_agent(world, lab, client_of):
    """The record has the member behind the access key, and its user agent."""
    client_of(lab, "beta", user_agent_extra="eni-failover/9 group/orders").describe_tags()
    record = world.calls[-1]

    assert (record.caller, record.action) == (BETA, "DescribeTags")
    assert "eni-failover/9 group/orders" in record.user_agent


UNANSWERED = [
    # kind, what boto3 raises, whether the detach took effect
    (1, "close", ConnectionClosedError, False),
    (2, "hang", ReadTimeoutError, False),
    (3, "lost", ConnectionClosedError, True),
    (4, "late", ReadTimeoutError, True),
    (5, "truncated", ResponseParserError, True),
    (6, "html", ClientError, False),
]


@pytest.mark.parametrize(("number", "kind", "error", "accepted"), UNANSWERED)
def test_calls_without_a_usable_answer(*, world, lab, client_of, number, kind, error, accepted):
    """A fault of the wire reaches boto3 as such an error, and the call took effect or did not."""
    world.fault(kind, "DetachNetworkInterface", seconds=30.0, status=502)
    client = client_of(lab, "beta", read_timeout=0.2)
    with pytest.raises(error):
        client.detach_network_interface(AttachmentId=world.eni(ENI).attachment.id)

    assert ("detaching" if accepted else "attached") == world.eni(ENI).attachment.status
    assert [accepted] == [call.accepted for call in world.calls]


def test_a_delayed_call_takes_effect_after_its_caller_has_gone(world, lab, client_of):
    """A call whose caller gave up waiting still takes effect: a timeout tells nothing."""
    world.fault("delay", "DetachNetworkInterface", seconds=0.5)
    moved = threading.Event()
    world.subscribe(lambda _: moved.set())
    with pytest.raises(ReadTimeoutError):
        client_of(lab, read_timeout=0.05).detach_network_interface(AttachmentId=world.eni(ENI).attachment.id)
    at_the_timeout = moved.is_set()

    assert not at_the_timeout
    assert moved.wait(10)
    assert world.eni(ENI).attachment.status == "detaching"


def test_unreachable_for_one_member_over_the_wire(world, lab, client_of):
    """One member cannot reach the API, the other can."""
    world.unreachable("beta")
    with pytest.raises(ConnectionClosedError):
        client_of(lab, "beta").describe_tags()

    assert client_of(lab, "alpha").describe_tags()["Tags"]


def test_latency_is_split_around_the_effect(client_of):
    """Half of the latency passes before the effect, and half between it and the answer."""
    world = World.pair(settings=Settings(latency=0.2))
    with LabThread(world) as lab:
        client_of(lab).detach_network_interface(AttachmentId=world.eni(ENI).attachment.id)
        answered = world.now
    record = world.calls[0]

    assert record.decided_at - record.at >= 0.099
    assert answered - record.decided_at >= 0.099


def test_two_concurrent_attaches_over_the_wire(make_world, client_of):
    """Of two attaches that are under way together exactly one wins."""
    world = make_world(members=3, settings={"latency": 0.05})
    world.place(ENI, None)

    def attach(client, instance):
        try:
            client.attach_network_interface(NetworkInterfaceId=ENI, InstanceId=instance, DeviceIndex=1)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "ok"

    with LabThread(world) as lab, ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(attach, client_of(lab, name), world.instance(name).id) for name in ("beta", "gamma")
        ]
        codes = sorted(job.result(10) for job in jobs)

    assert codes == ["InvalidNetworkInterface.InUse", "ok"]


def test_get_requests_and_presigned_keys(world, lab):
    """A GET works too, and its caller is found in X-Amz-Credential."""
    key = world.credentials("alpha").access_key_id
    scope = "%2F20270115%2Feu-central-1%2Fec2%2Faws4_request"
    query = f"Action=DescribeTags&Version=2016-11-15&X-Amz-Credential={key}{scope}"
    with urllib.request.urlopen(f"{lab.ec2_url}/?{query}", timeout=5) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()

    assert "<DescribeTagsResponse" in text
    assert world.calls[-1].caller == ALPHA


def test_unreadable_requests_get_ec2_errors(lab):
    """A request that is not EC2's is answered with an EC2 error, not with a page of the web framework."""
    connection = http.client.HTTPConnection(lab.ec2_url.removeprefix("http://"), timeout=5)
    connection.request("POST", "/", "Action=DescribeTags&Colour=red")
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()

    assert (response.status, response.getheader("Content-Type")) == (400, "text/xml; charset=utf-8")
    assert "<Code>UnknownParameter</Code>" in text
