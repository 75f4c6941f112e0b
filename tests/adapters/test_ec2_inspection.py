"""Closer looks at EC2: what is sent, and what each answer means, on real botocore."""

import asyncio
from email.utils import formatdate

import pytest

from eni_failover.adapters.ec2_inspection import Ec2Inspection, Permission
from eni_failover.errors import AdapterError, UnansweredError

WALL = 1_800_000_000.0
ENI, BETA = "eni-0ffffffffffffff01", "i-0bbbbbbbbbbbbbbb2"


@pytest.fixture
def inspection(scripted) -> Ec2Inspection:
    return scripted.ec2.inspection(wall=lambda: WALL)


TRIES = {
    "AttachNetworkInterface": lambda one: one.may_attach(eni_id=ENI, instance_id=BETA),
    "DetachNetworkInterface": lambda one: one.may_detach("eni-attach-1"),
    "ModifyNetworkInterfaceAttribute": lambda one: one.may_keep(eni_id=ENI, attachment_id="eni-attach-1"),
    "StopInstances": lambda one: one.may_stop(BETA),
}


@pytest.mark.parametrize("action", TRIES)
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (412, "DryRunOperation", Permission(allowed=True)),
        (403, "UnauthorizedOperation", Permission(allowed=False, detail="because")),
        (400, "IncorrectState", Permission(allowed=None, detail="IncorrectState: because")),
        (
            400,
            "InvalidAttachmentID.NotFound",
            Permission(allowed=None, detail="InvalidAttachmentID.NotFound: because", gone=True),
        ),
    ],
)
def test_a_dry_run_is_understood(scripted, inspection, action, *, status, code, expected):
    """Allowed, denied, or neither; whatever EC2 says, it was told that it is a DryRun."""
    scripted.will_refuse(status, code)
    permission = asyncio.run(TRIES[action](inspection))

    assert permission == expected
    assert [(one["Action"], one["DryRun"]) for one in scripted.requests] == [(action, "true")]


def test_a_dry_run_that_is_accepted_proves_nothing(scripted, inspection):
    """EC2 answers a DryRun with an error, always."""
    scripted.will_accept("DetachNetworkInterface", "<return>true</return>")

    assert asyncio.run(inspection.may_detach("eni-attach-1")).allowed is None


def test_a_modify_names_the_attachment_alone(scripted, inspection):
    """Nothing else of the ENI would be changed."""
    scripted.will_refuse(412, "DryRunOperation")
    asyncio.run(inspection.may_keep(eni_id=ENI, attachment_id="eni-attach-1"))
    (sent,) = scripted.requests

    assert {name: value for name, value in sent.items() if name not in {"Action", "Version"}} == {
        "NetworkInterfaceId": ENI,
        "Attachment.AttachmentId": "eni-attach-1",
        "Attachment.DeleteOnTermination": "false",
        "DryRun": "true",
    }


def test_all_pages_are_read_in_the_order_asked(scripted, inspection):
    """An empty page with a token is no end; EC2's order is not ours."""
    item = "<item><networkInterfaceId>{}</networkInterfaceId><status>available</status></item>"
    found = item.format("eni-02") + item.format("eni-01")
    scripted.will_accept("DescribeNetworkInterfaces", "<networkInterfaceSet/><nextToken>more</nextToken>")
    scripted.will_accept("DescribeNetworkInterfaces", f"<networkInterfaceSet>{found}</networkInterfaceSet>")
    enis = asyncio.run(inspection.enis(["eni-01", "eni-02", "eni-03"]))

    assert [one.eni.eni_id for one in enis] == ["eni-01", "eni-02"]
    assert scripted.requests[1]["NextToken"] == "more"


def test_tagged_enis_are_asked_for_by_their_tag(scripted, inspection):
    """The filter is EC2's own."""
    scripted.will_accept("DescribeNetworkInterfaces", "<networkInterfaceSet/>")

    assert asyncio.run(inspection.tagged_enis("eni-failover-group", "orders")) == ()
    assert scripted.requests[0]["Filter.1.Name"] == "tag:eni-failover-group"
    assert scripted.requests[0]["Filter.1.Value.1"] == "orders"


def test_an_answer_without_its_list_is_no_answer(scripted, inspection):
    """Well-formed XML of somebody else."""
    for _ in range(3):
        scripted.will_accept("DescribeSubnets")
    with pytest.raises(UnansweredError, match="Subnets"):
        asyncio.run(inspection.subnets(["subnet-1"]))


def test_what_keeps_ec2_from_answering_is_raised(scripted, inspection):
    """The adapters' own errors, with EC2's code."""
    scripted.will_refuse(403, "UnauthorizedOperation")
    with pytest.raises(AdapterError) as caught:
        asyncio.run(inspection.type_limits("m5.large"))

    assert caught.value.code == "UnauthorizedOperation"


@pytest.mark.parametrize("seconds", [-400.0, 0.0, 90.0])
def test_the_clock_is_compared_with_the_answers_date(inspection, seconds):
    """Ahead is positive; half a second stands for the fraction that the header does not have."""
    headers = {"date": formatdate(WALL - seconds, usegmt=True)}
    inspection._note_clock({"ResponseMetadata": {"HTTPHeaders": headers}})

    assert inspection.clock_skew == seconds - 0.5


@pytest.mark.parametrize("answer", [{}, {"ResponseMetadata": {"HTTPHeaders": {"date": "yesterday"}}}])
def test_an_answer_without_a_date_tells_no_time(inspection, answer):
    """A proxy may have taken it away."""
    inspection._note_clock(answer)

    assert inspection.clock_skew is None


def test_the_latency_is_that_of_the_newest_answer(scripted, inspection):
    """A refusal is no measure."""
    before = inspection.latency
    scripted.will_refuse(403, "UnauthorizedOperation")
    asyncio.run(inspection.may_stop(BETA))
    refused = inspection.latency
    scripted.will_accept("DescribeSubnets", "<subnetSet/>")
    asyncio.run(inspection.subnets(["subnet-1"]))

    assert (before, refused) == (None, None)
    assert 0 < inspection.latency < 5


def test_the_endpoint_is_told(inspection):
    """Where the requests go, and the region they are signed for."""
    endpoint = inspection.endpoint

    assert (endpoint.url, endpoint.region) == ("http://127.0.0.1:9", "eu-central-1")
