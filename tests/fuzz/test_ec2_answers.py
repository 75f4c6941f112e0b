"""Answers that are none: whatever comes over the wire, nothing is known of any ENI or instance."""

import asyncio
import socket
import threading
from collections.abc import Iterable

import pytest

from eni_failover.adapters import ec2_client
from eni_failover.adapters.ec2 import Ec2, SurveyedEnis, SurveyedInstances
from eni_failover.core.model import Presence
from eni_failover.errors import AdapterError
from tests.fuzz import ec2_bodies as bodies
from tests.fuzz.clients import client_of
from tests.fuzz.raw_server import http

ASKED = (bodies.ENI, bodies.OTHER_ENI)
LONGEST_DETAIL = 300


def describe(ec2: Ec2) -> SurveyedEnis:
    return asyncio.run(ec2.describe_enis(ASKED))


def describe_instances(ec2: Ec2) -> SurveyedInstances:
    return asyncio.run(ec2.describe_instances((bodies.ALPHA, bodies.BETA)))


def check_unanswered(surveyed: SurveyedEnis) -> None:
    assert not surveyed.survey.answered
    assert [eni.eni_id for eni in surveyed.survey.enis] == list(ASKED)
    assert {eni.presence for eni in surveyed.survey.enis} == {Presence.UNKNOWN}
    assert {eni.attachment for eni in surveyed.survey.enis} == {None}
    assert isinstance(surveyed.error, AdapterError)
    assert len(str(surveyed.error)) <= LONGEST_DETAIL
    assert "\n" not in str(surveyed.error)


def check_nobody(surveyed: SurveyedInstances) -> None:
    assert not surveyed.survey.answered
    assert surveyed.survey.instances == ()
    assert surveyed.macs == {}


def cuts(document: bytes, step: int) -> Iterable[bytes]:
    """The document's beginnings, every `step` bytes, and the longest one."""
    return (document[:end] for end in (*range(0, len(document) - 1, step), len(document) - 1))


def test_the_whole_answers_are_understood(ec2, server):
    """What is spoiled below is a good answer to begin with."""
    server.says(http(bodies.both()))
    enis = describe(ec2).survey
    server.says(http(bodies.members()))
    instances = describe_instances(ec2).survey

    assert [(eni.presence, eni.attachment.instance_id) for eni in enis.enis] == [
        (Presence.KNOWN, bodies.ALPHA),
        (Presence.KNOWN, bodies.ALPHA),
    ]
    assert [(one.instance_id, one.state) for one in instances.instances] == [
        (bodies.ALPHA, "running"),
        (bodies.BETA, "running"),
    ]


@pytest.mark.parametrize("name", bodies.NOT_AN_ANSWER)
def test_a_body_that_is_no_answer_tells_nothing(ec2, server, name):
    """Status 200 is not enough: every ENI is unknown, the error is one short line."""
    server.says(http(bodies.NOT_AN_ANSWER[name]))

    check_unanswered(describe(ec2))


@pytest.mark.parametrize("name", bodies.TRANSPORT)
def test_a_connection_that_brings_no_answer_tells_nothing(ec2, server, name):
    """Closed, cut, garbled: unknown, for ENIs and instances alike."""
    server.says(bodies.TRANSPORT[name])

    check_unanswered(describe(ec2))
    check_nobody(describe_instances(ec2))


@pytest.mark.parametrize("name", bodies.REFUSALS)
def test_a_refusal_tells_nothing(ec2, server, name):
    """No status but success is an answer about ENIs, whatever its body says."""
    status, body = bodies.REFUSALS[name]
    server.says(http(body, status=status))

    check_unanswered(describe(ec2))
    check_nobody(describe_instances(ec2))


@pytest.mark.parametrize(
    "kind", ["text/html", "application/json", "text/xml; charset=utf-16", "\u00e4", "/;=", "x" * 5000]
)
def test_the_content_type_means_nothing(ec2, server, kind):
    """An answer of EC2 is one by its body: a proxy that renames it does no harm."""
    server.says(http(bodies.both(), headers=f"Content-Type: {kind}\r\n"))

    surveyed = describe(ec2)
    assert surveyed.survey.answered
    assert [eni.presence for eni in surveyed.survey.enis] == [Presence.KNOWN, Presence.KNOWN]


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_an_answer_cut_anywhere_tells_nothing(ec2, server, step):
    """No beginning of an answer is taken for a shorter answer, in which an ENI would be missing."""
    for beginning in cuts(bodies.both().encode(), step):
        server.says(http(beginning))
        check_unanswered(describe(ec2))
    for beginning in cuts(bodies.members().encode(), step):
        server.says(http(beginning))
        check_nobody(describe_instances(ec2))


@pytest.mark.parametrize("step", [97, pytest.param(5, marks=pytest.mark.slow)])
def test_a_connection_cut_anywhere_tells_nothing(ec2, server, step):
    """The announced length does not come."""
    for beginning in cuts(http(bodies.both()), step):
        server.says(beginning)
        check_unanswered(describe(ec2))


def test_thousands_of_enis_that_nobody_asked_for_are_left_out(ec2, server):
    """A gigantic answer is read in time, and no other ENI's facts become ours."""
    strangers = (bodies.eni(f"eni-{number:08x}", attached="") for number in range(2000))
    server.says(http(bodies.enis(bodies.eni(), *strangers)))

    surveyed = describe(ec2)
    assert surveyed.survey.answered
    assert [eni.eni_id for eni in surveyed.survey.enis] == list(ASKED)
    assert surveyed.survey.enis[0].attachment.attachment_id == "att-1"


def test_an_answer_that_drips_is_given_up(monkeypatch, aws, server):
    """One byte at a time renews a socket's patience for ever; the call has its own."""
    document = http(bodies.both())

    def drip(connection: socket.socket, _asked: bytes) -> None:
        try:
            for byte in document:
                connection.sendall(bytes([byte]))
                if stopped.wait(0.02):
                    return
        except OSError:
            return

    stopped = threading.Event()
    monkeypatch.setattr(ec2_client, "_START_WITHIN", 0.1)
    ec2 = client_of(server.url, read_timeout=0.2)
    server.follows(drip)
    try:
        check_unanswered(describe(ec2))
    finally:
        stopped.set()
        ec2.close()


def test_a_server_that_says_nothing_is_given_up(aws, server):
    """The read timeout ends it."""
    released = threading.Event()
    server.follows(lambda _connection, _asked: released.wait(10))
    ec2 = client_of(server.url, read_timeout=0.1)
    try:
        check_unanswered(describe(ec2))
    finally:
        released.set()
        ec2.close()
