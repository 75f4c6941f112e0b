"""What an answer, or a describe, leaves of a takeover: the whole of it, so that nothing else changes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from eni_failover.core.model import Eni, Mutation, Outcome, Verdict
from eni_failover.core.outcomes import learn
from eni_failover.core.state import Move, Sent, State, Takeover
from eni_failover.core.view import View
from tests.core.builders import attached, attaching, detaching, free, intent, obs, policy, silence, survey

NOW = 2000.0
OLD = NOW - 50  # a describe from before the calls
BASE = intent(began_at=NOW - 40)
SENT = Move(
    eni_id="eni-1",
    recorded="att-1",
    detach=Sent.UNANSWERED,
    detach_sent_at=NOW - 10,
    detach_began_at=NOW - 10,
)
ASKED = Move(
    eni_id="eni-1",
    recorded="att-1",
    attach=Sent.UNANSWERED,
    attach_sent_at=NOW - 10,
    attach_index=3,
    attempts=2,
    retry_at=NOW - 20,
)


def learned(takeover: Takeover, *shapes: Eni, at: float = OLD, answers: Sequence[Outcome] = ()) -> Takeover:
    """The takeover after these answers, and a describe of that time."""
    seen = obs(now=NOW, enis=survey(*shapes, at=at), outcomes=tuple(answers), jitter=1.0)
    return learn(View(State(started_at=0.0), seen, policy(enis=len(shapes))), takeover)


def answer(
    mutation: str, verdict: str, *, sent_at: float = NOW - 1, ended_at: float = NOW - 0.5, **how: Any
) -> Outcome:
    target = "i-alpha" if mutation == "stop" else "eni-1"
    return Outcome(
        mutation=Mutation(mutation),
        target=target,
        verdict=Verdict(verdict),
        sent_at=sent_at,
        ended_at=ended_at,
        **how,
    )


# Answers -------------------------------------------------------------------------------------------

AGAIN = replace(SENT, detach=Sent.ACCEPTED, bad_state=True, attempts=3)


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (
            replace(SENT, attempts=3, bad_state=True),
            answer("detach", "accepted"),
            replace(SENT, detach=Sent.ACCEPTED, detach_began_at=NOW - 0.5),
        ),
        (AGAIN, answer("detach", "accepted"), replace(SENT, detach=Sent.ACCEPTED)),
        (SENT, answer("detach", "unanswered"), replace(SENT, detach_sent_at=NOW - 1)),
        (
            SENT,
            answer("detach", "unanswered", sent_at=NOW - 7, ended_at=NOW),
            replace(SENT, detach_sent_at=NOW - 7),
        ),
        (
            SENT,
            answer("detach", "unanswered", sent_at=NOW - 8, ended_at=NOW),
            replace(SENT, detach_sent_at=NOW, detach_began_at=None),
        ),
        (
            SENT,
            answer("detach", "busy"),
            replace(SENT, detach=Sent.NO, detach_began_at=None, attempts=1, retry_at=NOW + 0.5),
        ),
        (
            SENT,
            answer("detach", "bad_state"),
            replace(SENT, detach=Sent.NO, bad_state=True, attempts=1, retry_at=NOW + 0.5),
        ),
        (
            replace(SENT, bad_state=True),
            answer("detach", "busy"),
            replace(SENT, detach=Sent.NO, bad_state=True, attempts=1, retry_at=NOW + 0.5),
        ),
        (AGAIN, answer("detach", "busy"), replace(AGAIN, attempts=4, retry_at=NOW + 4)),
        (
            SENT,
            answer("detach", "busy", not_sent=True),
            replace(SENT, detach=Sent.NO, detach_began_at=None, retry_at=NOW + 0.25),
        ),
    ],
)
def test_an_answer_to_a_detach(before, outcome, after):
    """The force ladder counts from what EC2 took or refused as out of order; a refusal takes nothing back."""
    result = learned(replace(BASE, moves=(before,)), attached("alpha"), answers=[outcome])

    assert result == replace(BASE, moves=(after,), committed=outcome.verdict is Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (
            ASKED,
            answer("attach", "accepted"),
            replace(ASKED, attach=Sent.ACCEPTED, attempts=0, retry_at=None),
        ),
        (ASKED, answer("attach", "unanswered"), replace(ASKED, attach_sent_at=NOW - 1)),
        (ASKED, answer("attach", "busy"), replace(ASKED, attach=Sent.NO, attempts=3, retry_at=NOW + 2)),
        (
            ASKED,
            answer("attach", "index_taken"),
            replace(ASKED, attach=Sent.NO, refused_indexes=(3,), retry_at=None),
        ),
        (
            replace(ASKED, refused_indexes=(1, 3)),
            answer("attach", "index_taken"),
            replace(ASKED, attach=Sent.NO, refused_indexes=(1, 3, 3), attempts=3, retry_at=NOW + 2),
        ),
    ],
)
def test_an_answer_to_an_attach(before, outcome, after):
    """An index that is taken is skipped at once, the second time after a while."""
    result = learned(replace(BASE, moves=(before,)), detaching("alpha"), answers=[outcome])

    assert result == replace(BASE, moves=(after,), committed=outcome.verdict is Verdict.ACCEPTED)


def test_an_accepted_attach_commits_while_the_describes_fail():
    """The answer alone is the point of no return."""
    seen = obs(now=NOW, enis=silence(1, at=NOW), outcomes=(answer("attach", "accepted"),))
    result = learn(View(State(started_at=0.0), seen, policy()), replace(BASE, moves=(ASKED,)))

    assert result.committed is True


FENCING = replace(BASE, fence=Sent.UNANSWERED, fence_attempts=1, fence_retry_at=NOW - 5, moves=(ASKED,))


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        ("accepted", replace(FENCING, fence=Sent.ACCEPTED, fence_attempts=0, fence_retry_at=None)),
        ("denied", replace(FENCING, fence=Sent.NO, fence_refused=True)),
        ("refused", replace(FENCING, fence=Sent.NO, fence_refused=True)),
        ("limit", replace(FENCING, fence=Sent.NO, fence_refused=True)),
        ("unanswered", replace(FENCING, fence_attempts=2, fence_retry_at=NOW + 1)),
        ("busy", replace(FENCING, fence=Sent.NO, fence_attempts=2, fence_retry_at=NOW + 1)),
    ],
)
def test_an_answer_to_a_fence(verdict, after):
    """Refused is the end of it; what may still work is asked again after a while."""
    assert learned(FENCING, detaching("alpha"), answers=[answer("stop", verdict)]) == after


# Describes -----------------------------------------------------------------------------------------

TAKEN = replace(SENT, detach=Sent.ACCEPTED)


@pytest.mark.parametrize(
    ("before", "shape", "at", "after", "committed"),
    [
        (SENT, detaching("alpha"), NOW - 10.5, SENT, False),
        (SENT, detaching("alpha"), NOW - 10, TAKEN, True),
        (SENT, attached("alpha", "att-8"), NOW - 10, TAKEN, True),
        (SENT, attached("alpha"), NOW - 5.5, SENT, False),
        (SENT, attached("alpha"), NOW - 5, replace(SENT, detach=Sent.NO, detach_began_at=None), False),
        (
            replace(SENT, bad_state=True),
            attached("alpha"),
            NOW - 5,
            replace(SENT, detach=Sent.NO, bad_state=True),
            False,
        ),
        (TAKEN, attached("alpha"), NOW, TAKEN, False),
        (replace(SENT, detach=Sent.NO), detaching("alpha"), NOW, replace(SENT, detach=Sent.NO), False),
    ],
)
def test_what_a_describe_says_of_a_detach(before, shape, at, after, committed):
    """From the moment it was sent an effect is its own, from the call timeout on no effect is none."""
    result = learned(replace(BASE, moves=(before,)), shape, at=at)

    assert replace(result, gone_at=None) == replace(BASE, moves=(after,), committed=committed)


DONE = replace(ASKED, attach=Sent.ACCEPTED)
MINE = attaching("beta", "att-9")


@pytest.mark.parametrize(
    ("before", "shape", "at", "after"),
    [
        (ASKED, MINE, NOW - 10.5, replace(ASKED, attaching_since=NOW)),
        (ASKED, MINE, NOW - 10, replace(DONE, attaching_since=NOW)),
        (replace(DONE, attaching_since=NOW - 7), MINE, NOW, replace(DONE, attaching_since=NOW - 7)),
        (replace(DONE, attaching_since=NOW - 7), attached("beta", "att-9"), NOW, DONE),
        (replace(DONE, attaching_since=NOW - 7), detaching("beta"), NOW - 10.5, DONE),
        (ASKED, free(), NOW - 5.5, ASKED),
        (ASKED, free(), NOW - 5, replace(ASKED, attach=Sent.NO)),
        (ASKED, attached("alpha"), NOW - 10.5, ASKED),
        (ASKED, attached("alpha"), NOW - 10, replace(ASKED, attach=Sent.NO)),
    ],
)
def test_what_a_describe_says_of_an_attach(before, shape, at, after):
    """What is here was attached; what is elsewhere, or free for too long, was not."""
    result = learned(replace(BASE, moves=(before,)), shape, at=at)

    assert result.moves == (after,)
    assert result.committed is (after.attach is Sent.ACCEPTED)


HAD = replace(BASE, moves=(TAKEN,), had_first=True)


@pytest.mark.parametrize(
    ("before", "shape", "after"),
    [
        (BASE, MINE, {"had_first": True, "available_at": NOW}),
        (replace(HAD, gone_at=NOW - 2), MINE, {"gone_at": None, "available_at": NOW}),
        (HAD, attaching("beta"), {"had_first": False, "available_at": NOW}),
        (HAD, free(), {"gone_at": NOW - 1, "available_at": NOW}),
        (replace(HAD, gone_at=NOW - 2, available_at=NOW - 9), free(), {}),
        (replace(BASE, moves=(TAKEN,)), attached("alpha"), {}),
        (replace(BASE, moves=(TAKEN,)), attached("alpha", "att-9"), {"gone_at": NOW - 1}),
        (replace(BASE, moves=(TAKEN,), gone_at=NOW - 3), attached("alpha", "att-9"), {}),
        (replace(BASE, moves=(TAKEN,), gone_at=NOW - 3), attached("alpha"), {"gone_at": None}),
        (replace(BASE, moves=(TAKEN,), gone_at=NOW - 3), free(), {"gone_at": None, "available_at": NOW}),
        (
            BASE,
            attached("beta", "att-9"),
            {"had_first": True, "available_at": NOW, "attached_at": NOW, "link_since": NOW},
        ),
        (
            replace(HAD, available_at=NOW - 9, attached_at=NOW - 8, link_since=NOW - 7),
            attached("beta", "att-9"),
            {},
        ),
        (
            replace(HAD, available_at=NOW - 9, attached_at=NOW - 8, link_since=NOW - 7),
            detaching("beta", "att-9"),
            {"gone_at": NOW - 1, "attached_at": None, "link_since": None},
        ),
    ],
)
def test_what_a_describe_says_of_the_takeover(before, shape, after):
    """Whether it has had the first ENI, when that was gone, and when its phases began."""
    result = learned(before, shape, at=NOW - 1)
    told = replace(result, moves=before.moves, committed=before.committed)

    assert told == replace(before, **after)


def test_a_describe_that_failed_says_nothing():
    """Nor does one in which the first ENI is unknown say anything of it."""
    seen = obs(now=NOW, enis=silence(1, at=NOW))

    assert learn(View(State(started_at=0.0), seen, policy()), HAD) == HAD


def test_what_is_on_its_way_is_not_yet_free():
    """The attach phase begins when the last of the ENIs is free or here."""
    two = replace(BASE, moves=(replace(TAKEN), replace(TAKEN, eni_id="eni-2", recorded="att-2")))

    assert learned(two, free(), detaching("alpha"), at=NOW - 1).available_at is None
    assert learned(two, attaching("beta", "att-9"), free(), at=NOW - 1).available_at == NOW
