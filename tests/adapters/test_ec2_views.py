"""What one ENI or instance of an answer means, shape by shape."""

import pytest

from eni_failover.adapters.ec2_views import (
    macs_of,
    read_enis,
    read_instances,
    read_type_limits,
    unknown_enis,
)
from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    Instance,
    InstanceState,
    Presence,
    TypeLimits,
)
from eni_failover.core.vocabulary import Reason

ENI = "eni-0ffffffffffffff01"
ATTACHMENT = {
    "AttachmentId": "eni-attach-1",
    "InstanceId": "i-0aaaaaaaaaaaaaaa1",
    "DeviceIndex": 1,
    "NetworkCardIndex": 0,
    "Status": "attached",
    "DeleteOnTermination": False,
}


def raw_eni(status="in-use", attachment=ATTACHMENT, **fields):
    raw = {"NetworkInterfaceId": ENI, "Status": status, "InterfaceType": "interface", **fields}
    return raw if attachment is None else {**raw, "Attachment": attachment}


def without(raw, key):
    return {name: value for name, value in raw.items() if name != key}


def read(raw):
    return read_enis((ENI,), [raw])[0]


def test_an_eni_is_read_whole():
    """Identity, addresses in order of rank, and the attachment all come from the one answer."""
    raw = raw_eni(
        AvailabilityZone="eu-central-1a",
        MacAddress="02:00:00:00:00:0A",
        SubnetId="subnet-1",
        PrivateIpAddress="10.0.1.101",
        PrivateIpAddresses=[
            {"PrivateIpAddress": "10.0.1.102", "Primary": False, "Association": {"PublicIp": "203.0.113.2"}},
            {"PrivateIpAddress": "10.0.1.101", "Primary": True, "Association": {"PublicIp": "203.0.113.1"}},
        ],
        Association={"PublicIp": "203.0.113.1"},
        Ipv6Addresses=[{"Ipv6Address": "2001:db8::1"}],
        Groups=[{"GroupId": "sg-1", "GroupName": "web"}],
    )

    eni = read(raw)

    expected = Eni(
        eni_id=ENI,
        presence=Presence.KNOWN,
        attachment=Attachment(
            attachment_id="eni-attach-1",
            instance_id="i-0aaaaaaaaaaaaaaa1",
            status=AttachmentStatus.ATTACHED,
            device_index=1,
        ),
        zone="eu-central-1a",
        mac="02:00:00:00:00:0a",
        subnet_id="subnet-1",
        addresses=("10.0.1.101", "10.0.1.102"),
        ipv6_addresses=("2001:db8::1",),
        public_addresses=("203.0.113.1", "203.0.113.2"),
        groups=("sg-1",),
    )
    assert expected == eni


@pytest.mark.parametrize(
    ("raw", "attachment_status"),
    [
        (raw_eni("available", None), None),
        (raw_eni("associated", None), None),
        (raw_eni("in-use", {**ATTACHMENT, "Status": "attaching"}), AttachmentStatus.ATTACHING),
        (raw_eni("attaching", {**ATTACHMENT, "Status": "attaching"}), AttachmentStatus.ATTACHING),
        (raw_eni("detaching", {**ATTACHMENT, "Status": "detaching"}), AttachmentStatus.DETACHING),
        (raw_eni("available", {**ATTACHMENT, "Status": "detaching"}), AttachmentStatus.DETACHING),
        (raw_eni("available", {**ATTACHMENT, "Status": "detached"}), None),
        (raw_eni("in-use", {**ATTACHMENT, "Status": "detached"}), None),
        (raw_eni("detaching", {"Status": "detached"}), None),
    ],
)
def test_an_understood_attachment_is_what_counts(raw, attachment_status):
    """The attachment's own status decides, and a detached one is none."""
    eni = read(raw)

    assert Presence.KNOWN is eni.presence
    assert attachment_status == (eni.attachment and eni.attachment.status)


@pytest.mark.parametrize(
    "raw",
    [
        raw_eni("hibernating"),
        without(raw_eni(), "Status"),
        raw_eni("in-use", None),
        raw_eni("attaching", None),
        raw_eni("detaching", None),
        raw_eni("in-use", {}),
        raw_eni("in-use", without(ATTACHMENT, "AttachmentId")),
        raw_eni("in-use", without(ATTACHMENT, "Status")),
        raw_eni("in-use", {**ATTACHMENT, "Status": "busy"}),
        raw_eni("in-use", without(ATTACHMENT, "DeviceIndex")),
        raw_eni("available", {**ATTACHMENT, "Status": "busy"}),
    ],
)
def test_what_is_not_understood_is_unknown_and_not_missing(raw):
    """No decision may be built on an answer that this version cannot read."""
    assert Eni(eni_id=ENI, presence=Presence.UNKNOWN) == read(raw)


def test_an_unknown_eni_does_not_blind_the_others():
    """Each ENI is read for itself, in the order asked, and an absent one is missing."""
    other, absent = "eni-0ffffffffffffff02", "eni-0ffffffffffffff03"
    raws = [raw_eni("available", None, NetworkInterfaceId=other), raw_eni("hibernating")]

    enis = read_enis((ENI, absent, other), raws)

    assert [
        (ENI, Presence.UNKNOWN),
        (absent, Presence.MISSING),
        (other, Presence.KNOWN),
    ] == [(eni.eni_id, eni.presence) for eni in enis]


def test_after_a_failed_call_every_eni_is_unknown():
    """Not answered is not missing."""
    assert (Eni(eni_id=ENI, presence=Presence.UNKNOWN),) == unknown_enis((ENI,))


@pytest.mark.parametrize("missing", [{}, {"InstanceId": ""}])
def test_an_attachment_of_a_service_has_a_foreign_holder(missing):
    """Services attach without an instance id: that is a holder, and none of ours."""
    eni = read(raw_eni(attachment={**without(ATTACHMENT, "InstanceId"), **missing}))

    assert (eni.presence, eni.attachment.instance_id) == (Presence.KNOWN, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (raw_eni(), None),
        (without(raw_eni(), "InterfaceType"), None),
        (raw_eni(attachment={**ATTACHMENT, "DeviceIndex": 0}), Reason.ENI_PRIMARY),
        (raw_eni(RequesterManaged=True), Reason.REQUESTER_MANAGED),
        (raw_eni(RequesterManaged=False, Operator={"Managed": False}), None),
        (raw_eni(Operator={"Managed": True, "Principal": "eks"}), Reason.SERVICE_MANAGED),
        (raw_eni(InterfaceType="lambda"), Reason.SERVICE_MANAGED),
        (raw_eni(InterfaceType="of-next-year"), Reason.SERVICE_MANAGED),
        (raw_eni(attachment={**ATTACHMENT, "AttachmentId": "ela-attach-1"}), Reason.SERVICE_MANAGED),
        (raw_eni(OwnerId="1", attachment={**ATTACHMENT, "InstanceOwnerId": "1"}), None),
        (
            raw_eni(OwnerId="1", attachment={**ATTACHMENT, "InstanceOwnerId": "amazon-aws"}),
            Reason.SERVICE_MANAGED,
        ),
    ],
)
def test_what_ec2_would_never_let_us_move_is_named(raw, reason):
    """Primary, requester-managed and service-managed ENIs are refused before anything is detached."""
    assert reason is read(raw).unmovable


def test_without_the_list_the_primary_address_stands_alone():
    """PrivateIpAddress is enough when PrivateIpAddresses is absent."""
    assert read(raw_eni(PrivateIpAddress="10.0.1.101")).addresses == ("10.0.1.101",)


def test_delete_on_termination_is_read():
    """It is what would destroy the ENI together with the holder."""
    assert read(
        raw_eni(attachment={**ATTACHMENT, "DeleteOnTermination": True})
    ).attachment.delete_on_termination


def test_an_instance_is_read_whole():
    """Indexes and interfaces are those of network card 0, whose limit counts; detaching ones too."""
    raw = {
        "InstanceId": "i-0bbbbbbbbbbbbbbb2",
        "State": {"Code": 16, "Name": "running"},
        "Placement": {"AvailabilityZone": "eu-central-1a"},
        "InstanceType": "m5.large",
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-2",
                "MacAddress": "02:00:00:00:00:0B",
                "Attachment": {"DeviceIndex": 2, "Status": "detaching"},
            },
            {"NetworkInterfaceId": "eni-3", "Attachment": {}},
            {"MacAddress": "02:00:00:00:00:0a", "Attachment": {"DeviceIndex": 0, "NetworkCardIndex": 0}},
            {"MacAddress": "02:00:00:00:00:0c", "Attachment": {"DeviceIndex": 1, "NetworkCardIndex": 1}},
            {},
        ],
    }

    (instance,) = read_instances([raw])

    expected = Instance(
        instance_id="i-0bbbbbbbbbbbbbbb2",
        state=InstanceState.RUNNING,
        zone="eu-central-1a",
        instance_type="m5.large",
        eni_indexes=(("", 0), ("", None), ("eni-2", 2), ("eni-3", None)),
    )
    assert expected == instance
    assert macs_of(raw) == ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c")


@pytest.mark.parametrize("state", [None, {}, {"Name": "napping"}])
def test_an_instance_state_that_is_not_known_is_unknown(state):
    """Only EC2's own words for an ended instance may justify a takeover."""
    (instance,) = read_instances([{"InstanceId": "i-1", "State": state}])

    assert InstanceState.UNKNOWN is instance.state


def test_an_instance_without_an_id_is_left_out():
    """It cannot be attributed to a member."""
    assert read_instances([{"State": {"Name": "running"}}]) == ()


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"MaximumNetworkInterfaces": 3}, 3),
        ({"MaximumNetworkInterfaces": 3, "NetworkCards": [{"MaximumNetworkInterfaces": 3}]}, 3),
        (
            {
                "MaximumNetworkInterfaces": 60,
                "NetworkCards": [
                    {"NetworkCardIndex": 1, "MaximumNetworkInterfaces": 45},
                    {"NetworkCardIndex": 0, "MaximumNetworkInterfaces": 15},
                ],
            },
            15,
        ),
        ({"NetworkCards": [{"NetworkCardIndex": 1}, {"NetworkCardIndex": 2}]}, None),
        ({"MaximumNetworkInterfaces": 0}, None),
        (None, None),
    ],
)
def test_the_limit_is_that_of_network_card_0(info, expected):
    """An ENI is attached to card 0, whatever the other cards have room for."""
    assert expected == read_type_limits([{"NetworkInfo": info}]).interfaces


@pytest.mark.parametrize(
    ("info", "ipv4", "ipv6"),
    [
        ({"Ipv4AddressesPerInterface": 50, "Ipv6AddressesPerInterface": 49}, 50, 49),
        ({"Ipv4AddressesPerInterface": 10, "Ipv6AddressesPerInterface": 0}, 10, 0),
        ({"Ipv6Supported": False}, None, 0),
        ({"Ipv6Supported": True}, None, None),
        ({"Ipv4AddressesPerInterface": 0, "Ipv6AddressesPerInterface": -1}, None, None),
    ],
)
def test_the_addresses_that_an_interface_takes_are_read(info, ipv4, ipv6):
    """A type without IPv6 takes none of them; a number that makes no sense is no limit."""
    limits = read_type_limits([{"NetworkInfo": info}])

    assert (limits.ipv4_per_interface, limits.ipv6_per_interface) == (ipv4, ipv6)


def test_a_type_that_the_answer_lacks_has_no_known_limits():
    """EC2 may not know it."""
    assert read_type_limits([]) == TypeLimits()
