"""Rise and fall: which sequence of answers makes which verdict."""

from dataclasses import replace

import pytest

from eni_failover.core.health import Health, advance, forget_downs, fresh, lapse
from eni_failover.core.vocabulary import Answer
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

    assert answered.detail == "down"
    assert unknown.detail == "unknown"


@pytest.mark.parametrize(
    ("started_at", "answer", "consecutive"),
    [(9.9, "down", 0), (10.0, "down", 0), (10.1, "down", 1), (9.9, "up", 1), (9.9, "unknown", 0)],
)
def test_a_down_from_before_the_mark_counts_for_nothing(started_at, answer, consecutive):
    """A pause, a stall or a sleep ended then. An up from before it is a sign of life all the same."""
    marked = forget_downs(fresh(POLICY, MEMBERS["alpha"], 0.0), 10.0)
    health = advance(marked, replace(attempt(answer=answer, at=11.0), started_at=started_at))

    assert consecutive == health.consecutive


@pytest.mark.parametrize(
    ("settings", "longest"),
    [
        ({}, 2.0),
        ({"timeout": 0.2, "fast_interval": 0.1}, 1.2),
        ({"timeout": 4.0}, 5.0),
        ({"interval": 60.0, "fast_interval": 60.0}, 6.0),
        ({"interval": 60.0, "fast_interval": 60.0, "timeout": 10.0}, 11.0),
    ],
)
def test_a_down_may_be_acted_on_for_a_while(settings, longest):
    """max(timeout, min(fast_interval, 5 s)) + 1 s since it was asked for."""
    health = replace(fresh(probe(**settings), MEMBERS["alpha"], 0.0), newest_at=0.0)

    assert health.is_young(longest)
    assert not health.is_young(longest + 0.001)


@pytest.mark.parametrize(
    ("answers", "is_down"),
    [
        ("down down down", True),
        ("down unknown down down", True),
        ("down down down unknown unknown unknown unknown", True),
        ("down down down up", False),
        ("down down down up down", False),
        ("down down down up down down down", True),
        ("down down", False),
    ],
)
def test_only_the_newest_answers_are_evidence(answers, is_down):
    """The verdict stays down until `rise`; a takeover rests on `fall` downs in a row, up to now."""
    assert is_down is after(*answers.split()).is_down


def test_a_verdict_that_nothing_renews_is_none_any_more():
    """Three intervals without an up or a down: unknown is not down, and not up either."""
    health = after("up", "up")

    assert lapse(health, 1.99 + 3.0).verdict is Answer.UP
    assert lapse(health, 1.99 + 3.1).verdict is Answer.UNKNOWN
    assert lapse(health, 1.99 + 3.1).undecided_since == pytest.approx(1.99)
    assert lapse(health, 1.99 + 3.1).member == MEMBERS["alpha"]


def test_a_slow_probe_has_longer():
    """One that is asked each minute is no older after two."""
    slow = replace(after("up", "up"), probe=probe(interval=60.0))

    assert lapse(slow, 180.0).verdict is Answer.UP
    assert lapse(slow, 190.0).verdict is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("answers", "verdict", "consecutive"),
    [
        ("up up", "up", 2),
        ("up up down down", "up", 0),
        ("down down", "unknown", 0),
        ("down down down", "unknown", 0),
        ("down down down up", "unknown", 1),
    ],
)
def test_after_a_stall_what_failed_must_fail_afresh(answers, verdict, consecutive):
    """A stall of our own clears failures and the verdicts made of them; what was up stays up."""
    health = forget_downs(after(*answers.split()), 20.0)

    assert verdict == health.verdict
    assert consecutive == health.consecutive
    assert health.down_since is None


def test_after_a_stall_a_run_of_downs_is_dated_afresh():
    """The detect phase begins with the first attempt after the stall, whatever failed before it."""
    health = forget_downs(after("up", "up", "down"), 20.0)
    health = advance(health, attempt(answer="down", at=21.0))

    assert health.down_since == pytest.approx(20.99)


def test_a_forgotten_verdict_was_about_the_same_member():
    """Only the count starts over."""
    assert forget_downs(after("down", "down", "down"), 20.0).member == MEMBERS["alpha"]


def test_a_forgotten_verdict_is_undecided_from_then_on():
    """A stalled daemon does not look ready on old evidence."""
    health = forget_downs(after("down", "down", "down"), 20.0)

    assert health.undecided_since == 20.0
