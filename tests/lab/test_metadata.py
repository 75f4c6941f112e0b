import json

import pytest

from eni_failover.lab.metadata import find, tree
from eni_failover.lab.values import Address

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI, MAC = "eni-0ffffffffffffff01", "0a:ff:00:00:00:01"


def item(world, path, instance=ALPHA):
    return find(tree(world, instance), path)


def macs(world, instance):
    listing = item(world, "meta-data/network/interfaces/macs/", instance) or ""
    return [mac.removesuffix("/") for mac in listing.splitlines()]


ITEMS = [
    ("ami-id", "ami-0123456789abcdef0"),
    ("instance-id", ALPHA),
    ("instance-type", "m5.large"),
    ("local-ipv4", "10.0.1.11"),
    ("hostname", "ip-10-0-1-11.eu-central-1.compute.internal"),
    ("placement/region", "eu-central-1"),
    ("placement/availability-zone", "eu-central-1a"),
    ("placement/availability-zone-id", "euc1-az1"),
    (f"network/interfaces/macs/{MAC}/device-number", "1"),
    (f"network/interfaces/macs/{MAC}/network-card", "0"),
    (f"network/interfaces/macs/{MAC}/interface-id", ENI),
    (f"network/interfaces/macs/{MAC}/local-ipv4s", "10.0.1.101\n10.0.1.77"),
    (f"network/interfaces/macs/{MAC}/ipv6s", "2001:db8::1"),
    (f"network/interfaces/macs/{MAC}/ipv4-prefix", "10.0.1.208/28"),
    (f"network/interfaces/macs/{MAC}/ipv6-prefix", None),
    (f"network/interfaces/macs/{MAC}/subnet-id", "subnet-0123456789abcdef0"),
    (f"network/interfaces/macs/{MAC}/subnet-ipv4-cidr-block", "10.0.1.0/24"),
    (f"network/interfaces/macs/{MAC}/vpc-id", "vpc-0123456789abcdef0"),
    (f"network/interfaces/macs/{MAC}/vpc-ipv4-cidr-blocks", "10.0.0.0/16"),
    (f"network/interfaces/macs/{MAC}/security-group-ids", "sg-0123456789abcdef0"),
    (f"network/interfaces/macs/{MAC}/owner-id", "123456789012"),
    (f"network/interfaces/macs/{MAC}/ipv4-associations/203.0.113.1", "10.0.1.101"),
]


@pytest.mark.parametrize(("path", "text"), ITEMS)
def test_items(world, path, text):
    """Each item has the world's value; one that does not apply is absent."""
    addresses = (*world.eni(ENI).addresses, Address(ip="10.0.1.77"))
    world.change_eni(ENI, addresses=addresses, ipv6=("2001:db8::1",), ipv4_prefixes=("10.0.1.208/28",))

    assert text == item(world, f"meta-data/{path}")


def test_the_top_level_mac_is_the_primary_one(world):
    """`mac` is that of the ENI at index 0."""
    assert world.eni("eni-0aaaaaaaaaaaaaaa1").mac == item(world, "meta-data/mac")


def test_identity_document(world):
    """The identity document says who the instance is."""
    document = json.loads(item(world, "dynamic/instance-identity/document"))

    assert (
        document["instanceId"],
        document["region"],
        document["accountId"],
        document["availabilityZone"],
        document["privateIp"],
    ) == (ALPHA, "eu-central-1", "123456789012", "eu-central-1a", "10.0.1.11")


def test_an_instance_without_a_role_has_no_iam_items(world):
    """Without a role there is no iam directory at all."""
    world.change_instance("alpha", role=None)

    assert item(world, "meta-data/iam/info") is None
    assert item(world, "meta-data/iam/security-credentials/") is None


def test_credentials_document(world):
    """The role's credentials are those that the world holds, with an expiration in UTC."""
    document = json.loads(item(world, "meta-data/iam/security-credentials/eni-failover"))

    assert (world.credentials("alpha").access_key_id, "Success", "2027-01-15T14:00:00Z") == (
        document["AccessKeyId"],
        document["Code"],
        document["Expiration"],
    )


def move(world, clock):
    world.call("DetachNetworkInterface", {"AttachmentId": world.eni(ENI).attachment.id})
    clock.advance(3)
    world.call("AttachNetworkInterface", {"NetworkInterfaceId": ENI, "InstanceId": BETA, "DeviceIndex": 1})


def test_an_attached_interface_appears(world, clock):
    """IMDS lists an interface once it is attached, not while attaching, and no longer once detached."""
    move(world, clock)
    attaching = macs(world, BETA)
    clock.advance(2)

    assert MAC not in attaching
    assert MAC in macs(world, BETA)
    assert MAC not in macs(world, ALPHA)


def test_interfaces_appear_late(make_world, clock):
    """With imds_appears_after an attached interface is listed that much later; the primary one at once."""
    world = make_world(settings={"imds_appears_after": 18.0})
    move(world, clock)
    clock.advance(2 + 17.9)
    early = macs(world, BETA)
    clock.advance(0.1)

    assert [world.eni("eni-0bbbbbbbbbbbbbbb2").mac] == early
    assert MAC in macs(world, BETA)


def test_what_was_never_attached_does_not_linger(make_world, clock):
    """An interface that was detached while it was attaching was never in the guest: IMDS never lists it."""
    world = make_world(settings={"imds_lingers": 300.0})
    move(world, clock)
    clock.advance(1)
    world.call("DetachNetworkInterface", {"AttachmentId": world.eni(ENI).attachment.id})
    listed = []
    for _ in range(5):
        clock.advance(1)
        listed.append(MAC in macs(world, BETA))

    assert listed == [False] * 5


def test_interfaces_linger(make_world, clock):
    """With imds_lingers a detached interface is listed that much longer, even while it is on another."""
    world = make_world(settings={"imds_lingers": 300.0})
    move(world, clock)
    clock.advance(299)
    late = (MAC in macs(world, ALPHA), MAC in macs(world, BETA))
    clock.advance(2)

    assert late == (True, True)
    assert (MAC in macs(world, ALPHA), MAC in macs(world, BETA)) == (False, True)
