"""Row 2: part of the group is missing, or on an instance that is no member; the rest goes on."""

import pytest

from eni_failover.core.model import Eni, PauseKind, PauseRequest
from eni_failover.core.policy import FailbackMode, TakeoverMode
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Reason, Role, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    SELF,
    WEB,
    attach,
    attached,
    attaching,
    detach,
    detaching,
    foreign,
    free,
    missing,
    peer,
    takeover_request,
    unknown,
)

FAILBACK = {
    "local": "alpha",
    "probes": (WEB, SELF),
    "failback": FailbackMode.AUTOMATIC,
    "failback_delay": 1.0,
    "durable": Durable(last_had="i-beta", last_up="att-1", lost_at=900.0, unfit_since_loss=True),
}


def judged(*shapes: Eni, after: float = 0.0) -> Bench:
    """Alpha's service has been down for some seconds."""
    bench = Bench(*shapes)
    bench.idle(after)
    bench.says(web="down")
    return bench


def stopped(*shapes: Eni, after: float = 0.0) -> Bench:
    bench = Bench(*shapes)
    bench.idle(after)
    bench.machine("alpha", "stopped")
    return bench


def recovered(*shapes: Eni, after: float = 0.0) -> Bench:
    """Beta holds, and alpha, the primary, has recovered."""
    theirs = tuple(attached("beta") if shape == attached("alpha") else shape for shape in shapes)
    bench = Bench(*theirs, settle=False, **FAILBACK)
    bench.peers = (peer("beta"),)
    bench.idle(after)
    return bench


def asked(*shapes: Eni, after: float = 0.0) -> Bench:
    bench = Bench(*shapes)
    bench.idle(after)
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))
    return bench


ROWS = {"probes": judged, "ec2": stopped, "failback": recovered, "manual": asked}


# A missing one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", ROWS)
@pytest.mark.parametrize(
    ("shapes", "number"),
    [((attached("alpha"), missing()), 1), ((missing(), attached("alpha")), 2)],
    ids=["the second", "the first"],
)
def test_a_missing_eni_stops_no_takeover_of_the_others(trigger, shapes, number):
    """Deleted by accident: the other one is needed all the more. Whichever is left first is the lock."""
    bench = ROWS[trigger](*shapes)

    assert bench.act(within=25).calls == (detach(number, "att-1" if number == 1 else "att-2"),)
    assert bench.takeover.trigger == trigger


def test_a_missing_eni_stops_no_split():
    """Row 8 brings what exists."""
    bench = Bench(attached("beta"), missing(), attached("alpha"), settle=False)

    assert bench.act(within=6).calls == (detach(3),)
    assert bench.takeover.trigger is Trigger.SPLIT


def test_a_takeover_of_what_is_left_succeeds():
    """All that exist are here: active, and the history says success."""
    bench = judged(attached("alpha"), missing())
    bench.act(within=10)
    bench.see(free(), missing())
    bench.accepted()
    bench.act(within=2)
    bench.see(attached("beta", "att-9"), missing())
    bench.accepted()
    bench.idle(2)

    assert [one.result for one in bench.ended] == ["success"]
    assert bench.role is Role.ACTIVE


def test_an_eni_that_goes_missing_during_a_takeover_does_not_stop_it():
    """It was to be brought as well; the rest is."""
    bench = judged(attached("alpha"), attached("alpha"))
    bench.act(within=10)
    bench.see(free(), missing())
    bench.answered("accepted")

    assert bench.act(within=5).calls == (attach(1),)


def test_an_eni_that_comes_back_is_brought_by_the_holder():
    """Seen again, unattached: row 8."""
    bench = Bench(attached("beta"), missing())
    bench.see(attached("beta"), free())

    assert bench.act(within=15).calls == (attach(2),)


def test_one_answer_without_it_is_not_yet_missing():
    """A stale read: nothing starts for the two seconds that it takes to be sure."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.see(attached("alpha"), missing())
    bench.look()
    bench.machine("alpha", "stopped")
    first = bench.run(1.5)
    bench.act(within=5)

    assert (first.reason, first.calls) == (Reason.ENI_UNKNOWN, ())
    assert bench.decision.calls == (detach(1),)


def test_what_is_wrong_is_said_when_there_is_nothing_else():
    """A cause goes before it; the holder that is up does not."""
    bench = Bench(attached("alpha"), missing())
    quiet = bench.decision.reason
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert quiet is Reason.ENI_MISSING
    assert bench.decision.reason is Reason.PAUSED


def test_a_group_that_is_missing_as_a_whole_is_waited_for():
    """There is nothing to take over."""
    bench = Bench(missing(), missing())
    bench.says(web="down")
    bench.machine("alpha", "stopped")

    assert bench.idle(300).reason is Reason.ENI_MISSING


def test_observe_reports_the_takeover_of_what_is_left():
    """As it would of the whole."""
    bench = Bench(attached("alpha"), missing(), takeover=TakeoverMode.OBSERVE)
    bench.says(web="down")
    bench.idle(10)

    assert bench.would == [Trigger.PROBES]


# A foreign one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", ["probes", "ec2", "failback"])
@pytest.mark.parametrize("first", [False, True], ids=["the second", "the first"])
def test_while_an_eni_has_just_become_foreign_the_rest_waits(trigger, first):
    """Somebody is at it: they may take the others, too, or bring it back."""
    shapes = (foreign(), attached("alpha")) if first else (attached("alpha"), foreign())
    bench = ROWS[trigger](*shapes)

    assert bench.idle(50).reason is Reason.FOREIGN_HOLDER


@pytest.mark.parametrize("trigger", ROWS)
@pytest.mark.parametrize(
    ("shapes", "number"),
    [((attached("alpha"), foreign()), 1), ((foreign(), attached("alpha")), 2)],
    ids=["the second", "the first"],
)
def test_after_a_minute_the_rest_goes_on_without_it(trigger, shapes, number):
    """Whoever has it keeps it; the others are not without a takeover for good."""
    bench = ROWS[trigger](*shapes, after=60.0 if trigger == "manual" else 50.0)

    assert bench.act(within=30).calls == (detach(number, "att-1" if number == 1 else "att-2"),)
    assert bench.takeover.trigger == trigger


def test_a_split_goes_on_without_it_after_a_minute():
    """Row 8 is one of the rest."""
    bench = Bench(attached("beta"), foreign(), attached("alpha"), settle=False)
    began = bench.now
    bench.act(within=70)

    assert bench.decision.calls == (detach(3),)
    assert 60 <= bench.now - began < 64


def test_the_minute_counts_from_when_it_was_first_seen_there():
    """A group that has been whole for an hour waits its minute, too."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.idle(600)
    bench.see(attached("alpha"), foreign("att-9"))
    bench.look()
    began = bench.now
    bench.says(web="down")
    bench.act(within=70)

    assert 60 <= bench.now - began < 62


def test_each_move_of_it_starts_the_minute_over():
    """From one stranger to another: somebody is still at it."""
    bench = Bench(attached("alpha"), foreign())
    bench.says(web="down")
    bench.idle(40)
    bench.see(attached("alpha"), foreign("att-9"))
    bench.look()
    began = bench.now
    bench.act(within=70)

    assert bench.now - began >= 60


def test_an_eni_that_turns_foreign_ends_a_takeover_that_has_moved_nothing():
    """The row is asked again, and waits; the intent is not kept over that minute."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.answered("busy")
    bench.see(attached("alpha"), foreign("att-9"))
    bench.look()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.FOREIGN_HOLDER)]


def test_a_foreign_eni_is_never_touched():
    """The takeover of the rest names only the rest."""
    bench = Bench(attached("alpha"), foreign(), attached("alpha"))
    bench.idle(60)
    bench.says(web="down")
    bench.act(within=10)
    others = bench.accepted().calls
    bench.see(free(), foreign(), free())
    bench.accepted()
    lock = bench.act(within=2).calls
    rest = bench.accepted().calls

    assert others == (detach(3),)
    assert (lock, rest) == ((attach(1),), (attach(3, index=2),))


def test_an_eni_that_is_foreign_since_before_the_start_waits_from_the_start():
    """A daemon that has just started knows of no earlier."""
    bench = judged(attached("alpha"), foreign())

    assert bench.idle(50).reason is Reason.FOREIGN_HOLDER
    assert bench.act(within=10).calls == (detach(1),)


@pytest.mark.parametrize("other", [missing(), foreign()], ids=["missing", "foreign"])
def test_what_is_left_is_the_lock_for_row_6(other):
    """It goes on at once, and in its turn."""
    bench = Bench(other, attached("alpha"))
    bench.see(other, free())
    bench.look()
    began = bench.now
    bench.act(within=10)

    assert bench.decision.calls == (attach(2, index=1),)
    assert bench.now - began < 5


@pytest.mark.parametrize(("local", "turn"), [("beta", 0), ("alpha", 1)])
def test_a_first_eni_that_a_stranger_gives_back_goes_to_who_has_the_rest(local, turn):
    """Nobody of the group had it last: who has the others comes first, and not the side that lost them."""
    bench = Bench(foreign(), attached("beta"), local=local, stagger=5.0)
    bench.idle(70)
    bench.see(free(), attached("beta"))
    bench.look()
    bench.idle(5 * (turn + 1) - 0.5)
    (call,) = bench.act(within=2).calls

    assert call.eni_id == "eni-1"


@pytest.mark.parametrize("shape", [unknown(), missing()], ids=["unknown", "absent from one answer"])
def test_an_unknown_eni_stops_the_rest_all_the_same(shape):
    """Row 1: what is not known is neither missing nor foreign."""
    bench = Bench(attached("alpha"), foreign(), attached("alpha"))
    bench.idle(60)
    bench.says(web="down")
    bench.idle(2.4)
    bench.see(attached("alpha"), foreign(), shape)
    bench.look()

    assert bench.decision.reason is Reason.ENI_UNKNOWN
    assert bench.decision.calls == ()


@pytest.mark.parametrize("shape", [attaching("stranger"), detaching("stranger")], ids=["coming", "leaving"])
def test_an_eni_that_moves_at_a_stranger_is_foreign_too(shape):
    """It is not the group's, and does not count as the group moving."""
    bench = Bench(attached("alpha"), shape)
    waiting = bench.decision.reason
    bench.idle(60)
    bench.says(web="down")

    assert waiting is Reason.FOREIGN_HOLDER
    assert bench.act(within=10).calls == (detach(1),)
