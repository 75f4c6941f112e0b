"""Rise and fall: which sequence of answers makes which verdict."""

from dataclasses import replace

import pytest

from eni_failover.core.health import Health, advance, forget_failures, fresh, is_spoilt
from eni_failover.core.model import Attempt, Stall
from eni_failover.core.words import Answer
from tests.core.builders import MEMBERS, attempt, probe

POLICY = probe(fall=3, rise=2)


def after(*answers: str, start: str = "unknown") -> Health:
    """The standing after these answers, one a second."""
    health = replace(fresh(POLICY, MEMBERS["alpha"], 0.0), verdict=Answer(start))
    for second, answer in enumerate(answers, start=1):
        health = advance(health, attempt(answer=answer, at=float(second)))
    return health


@pytest.mark.parametrize(
    ("start", "answers", "verdict"),
    [
        ("unknown", "", "unknown"),
        ("unknown", "down", "unknown"),
        ("unknown", "down down", "unknown"),
        ("unknown", "down down down", "down"),
        ("unknown", "up", "unknown"),
        ("unknown", "up up", "up"),
        ("unknown", "up down up", "unknown"),
        ("up", "down down", "up"),
        ("up", "down down down", "down"),
        ("up", "down down up down down", "up"),
        ("up", "down down up down down down", "down"),
        ("down", "up", "down"),
        ("down", "up down up", "down"),
        ("down", "up up", "up"),
        ("down", "up down up up", "up"),
        # Unknown moves neither counter.
        ("unknown", "down down unknown down", "down"),
        ("unknown", "unknown down unknown down unknown down", "down"),
        ("unknown", "down unknown unknown down down", "down"),
        ("unknown", "up unknown up", "up"),
        ("up", "unknown unknown", "up"),
        ("down", "unknown unknown", "down"),
        # But three unknowns in a row leave no verdict, and no count.
        ("up", "unknown unknown unknown", "unknown"),
        ("down", "unknown unknown unknown", "unknown"),
        ("unknown", "down down unknown unknown unknown down", "unknown"),
        ("unknown", "down down unknown unknown unknown down down down", "down"),
        ("up", "unknown unknown up unknown unknown", "up"),
    ],
)
def test_a_sequence_of_answers_makes_a_verdict(start, answers, verdict):
    """The third consecutive down decides, the second consecutive up decides, unknown decides nothing."""
    health = after(*answers.split(), start=start)

    assert verdict == health.verdict


def test_down_down_unknown_down_is_down():
    """An unknown between the second and the third down neither counts nor resets."""
    health = after("down", "down", "unknown", "down", start="up")

    assert health.verdict is Answer.DOWN
    assert health.consecutive == 3


def test_fall_one_decides_at_the_first_down():
    """`fall = 1` means that the first down decides."""
    health = advance(fresh(probe(fall=1), MEMBERS["alpha"], 0.0), attempt(answer="down", at=1.0))

    assert health.verdict is Answer.DOWN


def test_down_since_is_the_start_of_the_first_attempt_of_the_run():
    """The detect phase begins with the attempt that first met the failure."""
    health = after("up", "down", "down", "down")

    assert health.down_since == pytest.approx(1.99)


def test_an_up_ends_the_run_of_downs():
    """After an up there is no run of downs to date."""
    health = after("down", "down", "up")

    assert health.down_since is None


def test_unknown_answers_keep_the_run_of_downs():
    """An unknown inside a run of downs leaves its beginning where it was."""
    health = after("down", "unknown", "down")

    assert health.down_since == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("answers", "undecided_since"),
    [
        ("", 0.0),
        ("down", 0.0),
        ("down down down", None),
        ("up up down", None),
        ("up up unknown unknown unknown", 5.0),
        ("up up unknown unknown unknown unknown", 5.0),
        ("unknown unknown unknown", 0.0),
    ],
)
def test_undecided_since_dates_the_lack_of_a_verdict(answers, undecided_since):
    """It begins with the probe, ends with a verdict, and begins again when a verdict has gone stale."""
    health = after(*answers.split())

    assert undecided_since == health.undecided_since


def test_the_detail_is_that_of_the_last_answer():
    """Operators see what the newest attempt said, also when it was unknown."""
    answered = after("up", "down")
    unknown = after("up", "unknown")
    stale = after("up", "up", "unknown", "unknown", "unknown")

    assert answered.detail == "down"
    assert unknown.detail == "unknown"
    assert stale.detail == "unknown"


def spanned(start: float, end: float, answer: str = "down") -> Attempt:
    return replace(attempt(answer=answer, at=end), started_at=start)


@pytest.mark.parametrize(
    ("started_at", "ended_at", "answer", "spoilt"),
    [
        (8.0, 9.0, "down", False),
        (9.0, 10.0, "down", True),
        (9.5, 10.5, "down", True),
        (10.5, 11.5, "down", True),
        (11.9, 12.9, "down", True),
        (12.0, 12.9, "down", True),
        (12.1, 12.9, "down", False),
        (8.0, 14.0, "down", True),
        (10.5, 11.5, "unknown", True),
        (10.5, 11.5, "up", False),
    ],
)
def test_a_failure_during_a_stall_may_be_our_own(started_at, ended_at, answer, spoilt):
    """A failed attempt that overlaps a stall of this process is spoilt; an up is an up."""
    stall = Stall(from_at=10.0, to_at=12.0)
    result = is_spoilt(spanned(started_at, ended_at, answer), [stall])

    assert spoilt is result


def test_without_a_stall_nothing_is_spoilt():
    """A failure on a timely host counts."""
    assert is_spoilt(spanned(1.0, 2.0), []) is False


@pytest.mark.parametrize(
    ("answers", "verdict", "consecutive"),
    [
        ("up up", "up", 2),
        ("up up down down", "up", 0),
        ("down down", "unknown", 0),
        ("down down down", "unknown", 0),
        ("down down down up", "unknown", 0),
    ],
)
def test_after_a_stall_what_failed_must_fail_afresh(answers, verdict, consecutive):
    """A stall of our own clears failures and the verdicts made of them; what was up stays up."""
    health = forget_failures(after(*answers.split()), 20.0)

    assert verdict == health.verdict
    assert consecutive == health.consecutive
    assert health.down_since is None


def test_after_a_stall_a_run_of_downs_is_dated_afresh():
    """The detect phase begins with the first attempt after the stall, whatever failed before it."""
    health = forget_failures(after("up", "up", "down"), 20.0)
    health = advance(health, attempt(answer="down", at=21.0))

    assert health.down_since == pytest.approx(20.99)


def test_a_forgotten_verdict_was_about_the_same_member():
    """Only the count starts over."""
    assert forget_failures(after("down", "down", "down"), 20.0).member == MEMBERS["alpha"]


def test_a_forgotten_verdict_is_undecided_from_then_on():
    """A stalled daemon does not look ready on old evidence."""
    health = forget_failures(after("down", "down", "down"), 20.0)

    assert health.undecided_since == 20.0


def test_a_verdict_that_nobody_renews_was_about_the_same_member():
    """It is still asked, and still undecided since the first answer that said nothing."""
    health = after("down", "down", "unknown", "unknown", "unknown")

    assert health.member == MEMBERS["alpha"]
    assert (health.verdict, health.streak, health.consecutive) == (Answer.UNKNOWN, Answer.UNKNOWN, 0)
