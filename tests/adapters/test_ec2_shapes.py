"""Well-formed bodies that boto3 would misread, put to a real client."""

import asyncio

import pytest

from eni_failover.core.model import Verdict

STOPPED = (
    "<instancesSet>\n  <item>\n    <instanceId>i-1</instanceId><currentState><code>64</code></currentState>"
    "</item>\n</instancesSet>"
)


def stop(scripted, action, inner):
    scripted.will_accept(action, inner)
    return asyncio.run(scripted.ec2.stop_instance("i-1"))


@pytest.mark.parametrize(
    "inner",
    [
        STOPPED,
        "<instancesSet/>",
        STOPPED + "<news/><news/>",
        STOPPED.replace("<code>", "<news>1</news><news>2</news><code>"),
    ],
    ids=["indented", "empty", "new elements", "new elements deep inside"],
)
def test_an_answer_that_boto3_reads_aright_is_one(scripted, inner):
    """White space is indentation, and what the model does not know may be anything."""
    outcome = stop(scripted, "StopInstances", inner)

    assert (outcome.verdict, outcome.detail) == (Verdict.ACCEPTED, "")


@pytest.mark.parametrize(
    ("action", "inner", "detail"),
    [
        ("StartInstances", STOPPED, "not an answer to StopInstances"),
        ("StopInstances", STOPPED + STOPPED, "the answer has instancesSet twice in one place"),
        (
            "StopInstances",
            STOPPED.replace("<code>64</code>", "<code>64</code><code>16</code>"),
            "the answer has code twice in one place",
        ),
        (
            "StopInstances",
            STOPPED.replace("item>", "entry>"),
            "InstanceStateChangeList in the answer is no list",
        ),
        (
            "StopInstances",
            "<instancesSet>none</instancesSet>",
            "InstanceStateChangeList in the answer is no list",
        ),
        (
            "StopInstances",
            STOPPED.replace("</item>", "</item>and more"),
            "InstanceStateChangeList in the answer is no list",
        ),
    ],
    ids=["another action's", "a list twice", "a value twice", "other items", "text", "text behind an item"],
)
def test_an_answer_that_boto3_would_misread_is_none(scripted, action, inner, detail):
    """It leaves a mutation unanswered, and is told in words that are not its own."""
    outcome = stop(scripted, action, inner)

    assert (Verdict.UNANSWERED, "connection", detail) == (outcome.verdict, outcome.code, outcome.detail)


def test_an_error_is_not_asked_for_the_shape_of_an_answer(scripted):
    """A refusal has another root, and stays a refusal."""
    scripted.will_refuse(400, "InvalidParameterValue")

    assert asyncio.run(scripted.ec2.stop_instance("i-1")).verdict == Verdict.REFUSED
