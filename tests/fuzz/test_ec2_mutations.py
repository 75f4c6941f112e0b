"""Mutations whose answer is none: nobody may take them for accepted, or for refused."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eni_failover.adapters.ec2 import Ec2
from eni_failover.core.model import Outcome, TypeLimits, Verdict
from tests.fuzz import ec2_bodies as bodies
from tests.fuzz.raw_server import http

Send = Callable[[Ec2], Awaitable[Outcome]]

SENDS: dict[str, Send] = {
    "attach": lambda ec2: ec2.attach(eni_id=bodies.ENI, instance_id=bodies.BETA, device_index=1),
    "detach": lambda ec2: ec2.detach(eni_id=bodies.ENI, attachment_id="att-1", force=False),
    "stop": lambda ec2: ec2.stop_instance(bodies.ALPHA),
    "keep": lambda ec2: ec2.keep_on_termination(eni_id=bodies.ENI, attachment_id="att-1"),
}

ACCEPTED = {
    "attach": bodies.answer("AttachNetworkInterface", "<attachmentId>att-2</attachmentId>"),
    "detach": bodies.answer("DetachNetworkInterface", "<return>true</return>"),
    "stop": bodies.answer("StopInstances", "<instancesSet/>"),
    "keep": bodies.answer("ModifyNetworkInterfaceAttribute", "<return>true</return>"),
}

UNREADABLE = {
    "nothing": "",
    "json": '{"return": true}',
    "a page": "<html><body>Sign in</body></html>",
    "an encoding nobody knows": '<?xml version="1.0" encoding="x-none"?><r/>',
    "NUL": "<r>\0</r>",
}

STRANGE = {
    "another root": "<foo/>",
    "an error though 200": bodies.ERROR.format(code="IncorrectState"),
    "another action's answer": bodies.both(),
}


def outcome_of(ec2: Ec2, what: str) -> Outcome:
    return asyncio.run(SENDS[what](ec2))


@pytest.mark.parametrize("what", SENDS)
def test_the_whole_answers_are_accepted(ec2, server, what):
    """What is spoiled below is a good answer to begin with."""
    server.says(http(ACCEPTED[what]))

    outcome = outcome_of(ec2, what)
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.attachment_id == ("att-2" if what == "attach" else None)


@pytest.mark.parametrize("what", SENDS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_cannot_be_read_leaves_the_mutation_unanswered(ec2, server, what, name):
    """The call may have taken effect: only a describe can tell."""
    server.says(http(UNREADABLE[name]))

    assert outcome_of(ec2, what).verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("what", SENDS)
@pytest.mark.parametrize("name", bodies.TRANSPORT)
def test_a_broken_connection_leaves_the_mutation_unanswered(ec2, server, what, name):
    """It was sent, and no answer came."""
    server.says(bodies.TRANSPORT[name])

    outcome = outcome_of(ec2, what)
    assert (outcome.verdict, outcome.not_sent) == (Verdict.UNANSWERED, False)


@pytest.mark.parametrize("what", SENDS)
def test_an_answer_cut_anywhere_leaves_the_mutation_unanswered(ec2, server, what):
    """No beginning of an answer is a shorter yes."""
    document = ACCEPTED[what].encode()
    for end in range(0, len(document), 17):
        server.says(http(document[:end]))
        assert outcome_of(ec2, what).verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("what", SENDS)
@pytest.mark.parametrize("name", bodies.REFUSALS)
def test_a_refusal_is_never_accepted(ec2, server, what, name):
    """Without a code of EC2's own the mutation is unanswered; only a 4xx that has one is a refusal."""
    status, body = bodies.REFUSALS[name]
    server.says(http(body, status=status))

    expected = Verdict.REFUSED if name == "a code nobody knows" else Verdict.UNANSWERED
    assert outcome_of(ec2, what).verdict is expected


@pytest.mark.parametrize("inner", ["", "<attachmentId/>", "<attachmentId><a>b</a></attachmentId>"])
def test_an_attach_without_a_new_attachment_is_unanswered(ec2, server, inner):
    """Which attachment is ours is what the answer is for."""
    server.says(http(bodies.answer("AttachNetworkInterface", inner)))

    outcome = outcome_of(ec2, "attach")
    assert (outcome.verdict, outcome.attachment_id) == (Verdict.UNANSWERED, None)


@pytest.mark.parametrize(
    "inner",
    [
        "<attachmentId>att-2</attachmentId><attachmentId>att-3</attachmentId>",
        "<attachmentId> </attachmentId>",
    ],
    ids=["two", "blank"],
)
def test_an_attach_whose_new_attachment_is_no_id_is_unanswered(ec2, server, inner):
    """Of two ids none is ours, and a blank is none."""
    server.says(http(bodies.answer("AttachNetworkInterface", inner)))

    assert outcome_of(ec2, "attach").verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("what", SENDS)
@pytest.mark.parametrize("name", STRANGE)
def test_an_answer_to_something_else_leaves_the_mutation_unanswered(ec2, server, what, name):
    """Accepted is the point of no return: it takes the answer of this very action."""
    server.says(http(STRANGE[name]))

    assert outcome_of(ec2, what).verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("name", [*UNREADABLE, *STRANGE])
def test_an_unreadable_dry_run_says_neither_yes_nor_no(ec2, server, name):
    """The permission to attach stays as it was known."""
    server.says(http({**UNREADABLE, **STRANGE}[name]))

    assert asyncio.run(ec2.may_attach(eni_id=bodies.ENI, instance_id=bodies.BETA, device_index=1)) is None


@pytest.mark.parametrize("name", [*UNREADABLE, *STRANGE])
def test_an_unreadable_limit_is_none(ec2, server, name):
    """How many ENIs the type takes is not known then."""
    server.says(http({**UNREADABLE, **STRANGE}[name]))

    assert asyncio.run(ec2.type_limits("m5.large")) in {None, TypeLimits()}


@pytest.mark.parametrize("number", ["0", "-1", "one", "", "9" * 5000, "1.5"])
def test_an_odd_limit_is_none(ec2, server, number):
    """Only a positive whole number is a limit."""
    cards = f"<networkInfo><maximumNetworkInterfaces>{number}</maximumNetworkInterfaces></networkInfo>"
    server.says(
        http(
            bodies.answer("DescribeInstanceTypes", f"<instanceTypeSet><item>{cards}</item></instanceTypeSet>")
        )
    )

    assert asyncio.run(ec2.type_limits("m5.large")) in {None, TypeLimits()}
