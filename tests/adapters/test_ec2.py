"""The EC2 adapter against the lab, and against answers that the lab would never give."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenacity import wait_none

from eni_failover.adapters import ec2_client
from eni_failover.adapters.ec2 import Ec2
from eni_failover.core.model import AttachmentStatus, InstanceState, Mutation, Presence, TypeLimits, Verdict
from eni_failover.lab import Durations, LabThread, Settings, World

FIRST, SECOND, ABSENT = "eni-0ffffffffffffff01", "eni-0ffffffffffffff02", "eni-0123456789abcdef0"
ALPHA, BETA, GONE = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2", "i-0123456789abcdef0"
FOREVER = float("inf")


@pytest.fixture(scope="module")
def lab() -> Iterator[LabThread]:
    """Two members, two ENIs on alpha; what EC2 moves stays where it is until the test places it."""
    durations = Durations(attach=FOREVER, detach=FOREVER, force_detach=0.0)
    world = World.pair(enis=2, settings=Settings(latency=0.0, throttle=False, durations=durations))
    with LabThread(world) as served:
        yield served


@pytest.fixture(scope="module")
def member(lab) -> Iterator[Ec2]:
    """Beta's EC2, with its credentials from its IMDS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_EC2_METADATA_DISABLED",
            "AWS_PROFILE",
        ):
            patch.delenv(name, raising=False)
        for name, value in lab.env("beta").items():
            patch.setenv(name, value)
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "")
        ec2 = Ec2(
            region=None,
            group="orders",
            version="1.2.3",
            connect_timeout=1.0,
            read_timeout=2.0,
            on_request=lambda report: None,
        )
        asyncio.run(ec2.warm())
    yield ec2
    ec2.close()


@pytest.fixture
def world(lab) -> World:
    """The lab's world, with both ENIs on alpha again and no faults."""
    lab.world.clear_faults()
    lab.world.allow("*")
    for index, name in enumerate(("floating-1", "floating-2"), start=1):
        lab.world.place(name, "alpha", index=index)
    lab.world.clear_calls()
    return lab.world


def test_enis_are_surveyed_in_the_order_asked(member, world):
    """One call, by filter: what is there is known, a deleted one is missing."""
    surveyed = asyncio.run(member.describe_enis((SECOND, ABSENT, FIRST)))

    assert surveyed.error is None
    assert surveyed.survey.answered is True
    assert [(eni.eni_id, eni.presence) for eni in surveyed.survey.enis] == [
        (SECOND, Presence.KNOWN),
        (ABSENT, Presence.MISSING),
        (FIRST, Presence.KNOWN),
    ]
    eni = surveyed.survey.enis[2]
    assert (eni.attachment.instance_id, eni.attachment.device_index) == (ALPHA, 1)
    assert eni.attachment.attachment_id == world.eni("floating-1").attachment.id
    assert (eni.addresses, eni.unmovable) == (("10.0.1.101",), None)
    assert len(world.calls) == 1


def test_instances_are_surveyed_by_filter(member, world):
    """A forgotten instance is absent, and the others tell their zone, type, indexes and MACs."""
    surveyed = asyncio.run(member.describe_instances((ALPHA, GONE, BETA)))

    assert surveyed.survey.answered is True
    assert surveyed.survey.find(GONE) is None
    alpha, beta = surveyed.survey.find(ALPHA), surveyed.survey.find(BETA)
    assert alpha.state is InstanceState.RUNNING
    assert sorted(index for _, index in alpha.eni_indexes) == [0, 1, 2]
    assert (beta.zone, beta.instance_type) == ("eu-central-1a", "m5.large")
    assert [index for _, index in beta.eni_indexes] == [0]
    assert surveyed.macs[BETA] == (world.eni("eni-0bbbbbbbbbbbbbbb2").mac,)


def test_a_detach_names_the_attachment_and_starts_it(member, world):
    """The outcome is accepted and the next survey shows the same attachment detaching."""
    attachment_id = world.eni("floating-1").attachment.id

    outcome = asyncio.run(member.detach(eni_id=FIRST, attachment_id=attachment_id, force=False))
    attachment = asyncio.run(member.describe_enis((FIRST,))).survey.enis[0].attachment

    assert (outcome.mutation, outcome.target, outcome.verdict) == (Mutation.DETACH, FIRST, Verdict.ACCEPTED)
    assert outcome.sent_at <= outcome.ended_at
    assert (attachment.attachment_id, attachment.status) == (attachment_id, AttachmentStatus.DETACHING)


def test_a_stale_attachment_id_cannot_hurt_a_newer_holder(member, world):
    """EC2 does not know the old id: that is the compare-and-swap."""
    old = world.eni("floating-1").attachment.id
    new = world.place("floating-1", "beta", index=3)

    outcome = asyncio.run(member.detach(eni_id=FIRST, attachment_id=old, force=True))

    assert (outcome.verdict, outcome.code) == (Verdict.GONE, "InvalidAttachmentID.NotFound")
    assert world.eni("floating-1").attachment.id == new


def test_a_forced_detach_ends_a_stuck_one(member, world):
    """The same attachment id, with force."""
    attachment_id = world.eni("floating-1").attachment.id

    verdicts = [
        asyncio.run(member.detach(eni_id=FIRST, attachment_id=attachment_id, force=force)).verdict
        for force in (False, False, True)
    ]

    assert verdicts == [Verdict.ACCEPTED, Verdict.BAD_STATE, Verdict.ACCEPTED]
    assert world.calls[-1].parameters["Force"] is True


def test_an_attach_tells_its_new_attachment(member, world):
    """The id that EC2 gave is what a later detach or `lost` compares with."""
    world.place("floating-1", None)

    outcome = asyncio.run(member.attach(eni_id=FIRST, instance_id=BETA, device_index=1))

    attachment = world.eni("floating-1").attachment
    assert (outcome.verdict, outcome.attachment_id) == (Verdict.ACCEPTED, attachment.id)
    assert (attachment.instance_id, attachment.device_index, attachment.card_index) == (BETA, 1, 0)


def test_refused_attaches_say_why(member, world):
    """In use, index taken, and no slot are three different things to do next."""
    world.place("floating-2", "beta", index=2)
    in_use = asyncio.run(member.attach(eni_id=FIRST, instance_id=BETA, device_index=1))
    world.place("floating-1", None)
    taken = asyncio.run(member.attach(eni_id=FIRST, instance_id=BETA, device_index=2))
    world.add_eni("eni-0ffffffffffffff09", addresses=["10.0.1.109"])
    world.place("eni-0ffffffffffffff09", "beta", index=3)
    limit = asyncio.run(member.attach(eni_id=FIRST, instance_id=BETA, device_index=4))
    world.place("eni-0ffffffffffffff09", None)
    world.remove_eni("eni-0ffffffffffffff09")

    assert [one.verdict for one in (in_use, taken, limit)] == [
        Verdict.IN_USE,
        Verdict.INDEX_TAKEN,
        Verdict.LIMIT,
    ]


def test_a_lost_answer_is_unanswered_although_it_took_effect(member, world):
    """The verdict says only what is known; the next survey shows the truth."""
    attachment_id = world.eni("floating-1").attachment.id
    world.fault("lost", action="DetachNetworkInterface")

    outcome = asyncio.run(member.detach(eni_id=FIRST, attachment_id=attachment_id, force=False))
    attachment = asyncio.run(member.describe_enis((FIRST,))).survey.enis[0].attachment

    assert (outcome.verdict, attachment.status) == (Verdict.UNANSWERED, AttachmentStatus.DETACHING)
    assert len([call for call in world.calls if call.action == "DetachNetworkInterface"]) == 1


@pytest.mark.parametrize("kind", ["html", "truncated", "close"])
def test_a_describe_survives_one_broken_answer(member, world, kind, monkeypatch):
    """What changes nothing is asked again."""
    monkeypatch.setattr(ec2_client, "_BACKOFF", wait_none())
    world.fault(kind, action="DescribeNetworkInterfaces")

    surveyed = asyncio.run(member.describe_enis((FIRST,)))

    assert surveyed.survey.answered is True
    assert len(world.calls) == 2


def test_a_denied_describe_is_not_answered(member, world):
    """Every ENI is then unknown, and the reason is at hand to be logged."""
    world.deny("DescribeNetworkInterfaces")
    world.deny("DescribeInstances")

    enis = asyncio.run(member.describe_enis((FIRST, ABSENT)))
    instances = asyncio.run(member.describe_instances((ALPHA,)))

    assert (enis.survey.answered, [eni.presence for eni in enis.survey.enis]) == (
        False,
        [Presence.UNKNOWN, Presence.UNKNOWN],
    )
    assert (enis.error.code, instances.error.code) == ("UnauthorizedOperation", "UnauthorizedOperation")
    assert (instances.survey.answered, instances.survey.instances) == (False, ())


def test_stopping_an_instance_is_forced(member, world):
    """A fence does not wait for a guest that may hang."""
    world.set_state("alpha", "running")

    outcome = asyncio.run(member.stop_instance(ALPHA))

    assert (outcome.mutation, outcome.target, outcome.verdict) == (Mutation.STOP, ALPHA, Verdict.ACCEPTED)
    assert world.calls[-1].parameters["Force"] is True
    world.set_state("alpha", "stopped")
    world.start_instance("alpha")
    world.set_state("alpha", "running")


def test_an_eni_can_be_made_to_outlive_its_holder(member, world):
    """DeleteOnTermination of this attachment is cleared."""
    attachment_id = world.place("floating-1", "alpha", index=1, delete_on_termination=True)

    outcome = asyncio.run(member.keep_on_termination(eni_id=FIRST, attachment_id=attachment_id))

    attachment = asyncio.run(member.describe_enis((FIRST,))).survey.enis[0].attachment
    assert (outcome.verdict, attachment.delete_on_termination) == (Verdict.ACCEPTED, False)


def test_a_dry_run_tells_whether_an_attach_is_allowed(member, world):
    """True and False are EC2's answers; without one it is None. Nothing is attached."""
    world.place("floating-1", None)
    ask = {"eni_id": FIRST, "instance_id": BETA, "device_index": 1}

    allowed = asyncio.run(member.may_attach(**ask))
    world.deny("AttachNetworkInterface")
    denied = asyncio.run(member.may_attach(**ask))
    world.allow("*")
    world.fault("error", action="AttachNetworkInterface", code="InternalError", status=500)
    unknown = asyncio.run(member.may_attach(**ask))

    assert (allowed, denied, unknown) == (True, False, None)
    assert world.eni("floating-1").attachment is None


def test_an_attach_of_more_addresses_than_the_type_takes_is_a_limit(member, world):
    """EC2's refusal is one in earnest: trying again at another index would not help."""
    world.place("floating-1", None)
    world.change_eni("floating-1", ipv4_prefixes=tuple(f"10.0.{n}.0/28" for n in range(10)))

    outcome = asyncio.run(member.attach(eni_id=FIRST, instance_id=BETA, device_index=1))
    world.change_eni("floating-1", ipv4_prefixes=())

    assert (outcome.verdict, outcome.code) == (Verdict.LIMIT, "PrivateIpAddressLimitExceeded")
    assert world.eni("floating-1").attachment is None


def test_the_types_limit_is_asked(member, world):
    """An m5.large takes three; a type that EC2 does not know gives none."""
    limits = [asyncio.run(member.type_limits(name)) for name in ("m5.large", "m5.absent")]

    assert limits == [TypeLimits(interfaces=3, ipv4_per_interface=10, ipv6_per_interface=10), None]


def test_the_lab_sees_who_called(member, world):
    """The user agent carries version and group."""
    asyncio.run(member.describe_enis((FIRST,)))

    assert "eni-failover/1.2.3 group/orders" in world.calls[-1].user_agent


# Answers that the lab would never give.

PAGE = "<networkInterfaceSet>{}</networkInterfaceSet>{}"
ITEM = "<item><networkInterfaceId>{}</networkInterfaceId><status>available</status></item>"


def test_all_pages_are_read_even_after_an_empty_one(scripted):
    """A filtered describe may answer an empty page with a token."""
    scripted.will_accept("DescribeNetworkInterfaces", PAGE.format("", "<nextToken>t1</nextToken>"))
    scripted.will_accept(
        "DescribeNetworkInterfaces", PAGE.format(ITEM.format(SECOND), "<nextToken>t2</nextToken>")
    )
    scripted.will_accept("DescribeNetworkInterfaces", PAGE.format(ITEM.format(FIRST), ""))

    surveyed = asyncio.run(scripted.ec2.describe_enis((FIRST, SECOND)))

    assert [eni.presence for eni in surveyed.survey.enis] == [Presence.KNOWN, Presence.KNOWN]
    assert [request.get("NextToken") for request in scripted.requests] == [None, "t1", "t2"]
    assert {request["Filter.1.Name"] for request in scripted.requests} == {"network-interface-id"}
    assert not [key for key in scripted.requests[0] if key.startswith("NetworkInterfaceId")]


def test_a_failed_second_page_is_no_answer_at_all(scripted):
    """Half a survey would make ENIs missing."""
    scripted.will_accept(
        "DescribeNetworkInterfaces", PAGE.format(ITEM.format(FIRST), "<nextToken>t1</nextToken>")
    )
    scripted.will_refuse(403, "UnauthorizedOperation")

    surveyed = asyncio.run(scripted.ec2.describe_enis((FIRST, SECOND)))

    assert (surveyed.survey.answered, surveyed.error.code) == (False, "UnauthorizedOperation")


def test_pages_without_end_are_no_answer(scripted):
    """The number of pages is bounded."""
    for _ in range(30):
        scripted.will_accept("DescribeInstances", "<reservationSet/><nextToken>again</nextToken>")

    surveyed = asyncio.run(scripted.ec2.describe_instances((ALPHA,)))

    assert (surveyed.survey.answered, len(scripted.requests)) == (False, 20)


@pytest.mark.parametrize(("method", "ids"), [("describe_enis", (FIRST,)), ("describe_instances", (ALPHA,))])
def test_an_answer_without_its_list_is_no_answer(scripted, method, ids):
    """EC2 writes an empty list as an empty element: nothing at all is something else."""
    scripted.will_accept("Something")

    surveyed = asyncio.run(getattr(scripted.ec2, method)(ids))

    assert (surveyed.survey.answered, surveyed.error.code) == (False, "connection")


def test_an_accepted_attach_without_an_attachment_id_is_unanswered(scripted):
    """Such an answer proves nothing."""
    scripted.will_accept("AttachNetworkInterface")

    outcome = asyncio.run(scripted.ec2.attach(eni_id=FIRST, instance_id=BETA, device_index=1))

    assert outcome.verdict is Verdict.UNANSWERED


def test_a_dry_run_that_is_answered_plainly_says_nothing(scripted):
    """EC2 answers a DryRun with an error always."""
    scripted.will_accept("AttachNetworkInterface", "<attachmentId>eni-attach-1</attachmentId>")

    allowed = asyncio.run(scripted.ec2.may_attach(eni_id=FIRST, instance_id=BETA, device_index=1))

    assert allowed is None
    sent = scripted.requests[0]
    assert (sent["DryRun"], sent["DeviceIndex"], sent["NetworkCardIndex"]) == ("true", "1", "0")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (412, "DryRunOperation", True),
        (403, "UnauthorizedOperation", False),
        (403, "AccessDenied", False),
        (403, "AuthFailure", False),
        (401, "AuthFailure", None),
        (503, "RequestLimitExceeded", None),
        (400, "InvalidNetworkInterfaceID.NotFound", None),
    ],
)
def test_only_a_denial_is_a_no(scripted, status, code, expected):
    """Anything that is not about the permission leaves it open."""
    scripted.will_refuse(status, code)

    allowed = asyncio.run(scripted.ec2.may_attach(eni_id=FIRST, instance_id=BETA, device_index=1))

    assert allowed is expected


_word = st.sampled_from(
    ["available", "in-use", "attached", "detached", "1", "0", "x", "", FIRST, "eni-attach-1"]
)
_tag = st.sampled_from(
    ["item", "attachment", "status", "deviceIndex", "networkInterfaceId", "attachmentId", "instanceId"]
)
_xml = st.recursive(
    _word,
    lambda inner: st.lists(st.tuples(_tag, inner), max_size=4).map(
        lambda pairs: "".join(f"<{tag}>{text}</{tag}>" for tag, text in pairs)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.sampled_from([200, 200, 200, 301, 400, 503]), inner=_xml, cut=st.integers(0, 400))
def test_no_answer_makes_a_survey_raise(scripted, status, inner, cut):
    """Whatever comes back, a survey says what it knows of the one ENI asked for."""
    scripted.reset()
    body = f"<R><requestId>r</requestId><networkInterfaceSet>{inner}</networkInterfaceSet></R>".encode()
    for _ in range(3):
        scripted.will_answer(status, body[: len(body) - cut] if cut < 40 else body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ec2_client, "_BACKOFF", wait_none())
        surveyed = asyncio.run(scripted.ec2.describe_enis((FIRST,)))

    assert [eni.eni_id for eni in surveyed.survey.enis] == [FIRST]
    assert surveyed.survey.answered is (surveyed.error is None)
    if not surveyed.survey.answered:
        assert surveyed.survey.enis[0].presence is Presence.UNKNOWN
