"""Well-formed answers with odd facts: what each makes of an ENI, and of an instance."""

import asyncio

import pytest

from eni_failover.core.model import Presence
from eni_failover.core.vocabulary import Reason
from tests.fuzz import ec2_bodies as bodies
from tests.fuzz.raw_server import http

HELD = ("known", "att-1", None)
FREE = ("known", None, None)
UNKNOWN = ("unknown", None, None)
MISSING = ("missing", None, None)

ENIS = {
    "on nobody": (bodies.free(), FREE),
    "deleted": ("", MISSING),
    "in use without an attachment": (bodies.eni(attached=""), UNKNOWN),
    "in use with an empty attachment": (bodies.eni(attached="<attachment/>"), UNKNOWN),
    "a status nobody knows": (bodies.eni(status="frobbing"), UNKNOWN),
    "a status nobody knows, on nobody": (bodies.eni(status="frobbing", attached=""), UNKNOWN),
    "no status": (bodies.free().replace("<status>available</status>", ""), UNKNOWN),
    "an attachment's status nobody knows": (bodies.eni(attached=bodies.attachment(status="odd")), UNKNOWN),
    "attaching though available": (
        bodies.eni(status="available", attached=bodies.attachment(status="attaching")),
        HELD,
    ),
    "attached though available": (bodies.eni(status="available"), HELD),
    "an attachment without an id": (bodies.eni(attached=bodies.attachment("")), UNKNOWN),
    "a negative index": (bodies.eni(attached=bodies.attachment(index="-1")), HELD),
    "the index of a primary": (
        bodies.eni(attached=bodies.attachment(index="-0")),
        ("known", "att-1", Reason.ENI_PRIMARY),
    ),
    "an index of thirty digits": (bodies.eni(attached=bodies.attachment(index="9" * 30)), HELD),
    "a kind nobody knows": (
        bodies.eni().replace(">interface<", ">teleporter<"),
        ("known", "att-1", Reason.SERVICE_MANAGED),
    ),
    "the same twice": (bodies.eni() * 2, HELD),
}

INSTANCES = {
    "running": (bodies.instance(), {"i-alpha": "running"}),
    "a state nobody knows": (bodies.instance(state="frobbing"), {"i-alpha": "unknown"}),
    "no state": (bodies.instance().replace("<name>running</name>", ""), {"i-alpha": "unknown"}),
    "forgotten": ("", {}),
}


@pytest.mark.parametrize("name", ENIS)
def test_an_eni_is_what_its_answer_proves(ec2, server, name):
    """Known only where status, attachment, holder and index agree; unmovable where EC2 would refuse."""
    items, expected = ENIS[name]
    server.says(http(bodies.enis(items)))

    survey = asyncio.run(ec2.describe_enis((bodies.ENI,))).survey
    (eni,) = survey.enis
    assert survey.answered
    assert expected == (
        eni.presence,
        eni.attachment.attachment_id if eni.attachment else None,
        eni.unmovable,
    )


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_is_what_its_answer_proves(ec2, server, name):
    """A state that this version does not know is unknown: neither running nor ended."""
    items, expected = INSTANCES[name]
    server.says(http(bodies.instances(items)))

    survey = asyncio.run(ec2.describe_instances((bodies.ALPHA,))).survey
    assert survey.answered
    assert expected == {one.instance_id: one.state for one in survey.instances}


@pytest.mark.parametrize(
    "items",
    [
        bodies.eni() + bodies.free(),
        bodies.eni() + bodies.eni(attached=bodies.attachment("att-9", holder="i-9")),
    ],
    ids=["held and free", "held by two"],
)
def test_an_eni_that_is_described_twice_and_differently_is_unknown(ec2, server, items):
    """An answer that contradicts itself proves nothing: the ENI is not free because it says so last."""
    server.says(http(bodies.enis(items)))

    survey = asyncio.run(ec2.describe_enis((bodies.ENI,))).survey
    assert survey.enis[0].presence is Presence.UNKNOWN


def test_an_instance_that_is_described_twice_and_differently_has_not_ended(ec2, server):
    """Stopped and running in one answer: neither is known."""
    server.says(http(bodies.instances(bodies.instance(state="stopped"), bodies.instance())))

    survey = asyncio.run(ec2.describe_instances((bodies.ALPHA,))).survey
    assert not survey.answered or not survey.find(bodies.ALPHA).state.is_ended


@pytest.mark.parametrize("found", ["eni-9", "ENI-1", " eni-1", ""])
def test_an_answer_about_others_does_not_say_that_ours_is_missing(ec2, server, found):
    """A filtered describe brings what was asked for and nothing else: this is the answer to another call."""
    server.says(http(bodies.enis(bodies.eni(found))))

    survey = asyncio.run(ec2.describe_enis((bodies.ENI,))).survey
    assert survey.enis[0].presence is Presence.UNKNOWN
