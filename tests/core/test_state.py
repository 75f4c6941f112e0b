"""Frozen values over a restart, where monotonic times are carried to the next clock, and over a change."""

from dataclasses import replace

from eni_failover.core.frozen import changed, rebase
from eni_failover.core.model import PauseKind, PauseRecord
from eni_failover.core.state import Durable, Move, RecentTakeover, State, Takeover
from eni_failover.core.vocabulary import Reason, Trigger

TAKEOVER = Takeover(
    takeover_id="t-1",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    started_at=100.0,
    started_wall=1_800_000_100.0,
    cause_at=97.0,
    matched_at=99.0,
    moves=(Move(eni_id="eni-1", recorded="att-1", detach_sent_at=101.0, attaching_since=102.0, attempts=3),),
    detach_at=101.0,
)
PAUSE = PauseRecord(kind=PauseKind.PAUSE, at=1_800_000_050.0, until=1_800_000_080.0, ends_at=80.0)
DURABLE = Durable(
    last_had="i-alpha",
    lost_at=50.0,
    failback_at=40.0,
    past=(
        RecentTakeover(trigger=Trigger.EC2, ended_at=30.0),
        RecentTakeover(trigger=Trigger.PROBES, ended_at=35.0),
    ),
    pause=PAUSE,
    takeover=TAKEOVER,
)


def test_every_monotonic_time_moves_with_the_clock():
    """Down through takeovers, their moves and the past."""
    moved = rebase(DURABLE, 1000.0)

    assert moved.lost_at == 1050.0
    assert moved.failback_at == 1040.0
    assert [one.ended_at for one in moved.past] == [1030.0, 1035.0]
    assert moved.takeover.started_at == 1100.0
    assert moved.takeover.moves[0].detach_sent_at == 1101.0
    assert moved.takeover.moves[0].attaching_since == 1102.0


def test_wall_clock_times_and_everything_else_stay():
    """The stamp of a pause is the same for all hosts, its end is not; counts and ids are no times."""
    moved = rebase(DURABLE, 1000.0)

    assert moved.pause == replace(PAUSE, ends_at=1080.0)
    assert moved.takeover.started_wall == 1_800_000_100.0
    assert moved.takeover.moves[0].attempts == 3
    assert moved.takeover.moves[0].recorded == "att-1"


def test_a_time_that_is_not_set_stays_unset():
    """None is no moment."""
    moved = rebase(replace(DURABLE, lost_at=None), 1000.0)

    assert moved.lost_at is None
    assert moved.takeover.fenced_at is None


def test_there_and_back_is_the_same():
    """The original is untouched, and a rebase can be undone by another."""
    before = replace(DURABLE)

    assert rebase(rebase(DURABLE, 1000.0), -1000.0) == DURABLE
    assert before == DURABLE


def test_a_move_of_an_unknown_eni_has_nothing_recorded():
    """An ENI that came back later may not be detached by this takeover's record."""
    assert TAKEOVER.move("eni-9") == Move(eni_id="eni-9", recorded=None)


def test_a_moves_successor_replaces_it_and_a_new_one_is_added():
    """The order of the ENIs stays."""
    one = replace(TAKEOVER.moves[0], attempts=4)
    two = Move(eni_id="eni-2", recorded=None)

    assert TAKEOVER.with_move(one).moves == (one,)
    assert TAKEOVER.with_move(two).moves == (TAKEOVER.moves[0], two)


def test_a_change_that_makes_no_difference_gives_the_very_same_value():
    """What is worked out for a state holds for it: it need not be worked out again."""
    state = State(started_at=1.0, moved_at=2.0)

    assert changed(state, moved_at=2.0, absent_holder=None) is state


def test_a_change_makes_a_new_value_and_leaves_the_old_one():
    """As `replace` does, also when only one of the fields differs."""
    state = State(started_at=1.0, moved_at=2.0)
    after = changed(state, moved_at=2.0, unowned_since=3.0)

    assert after == replace(state, unowned_since=3.0)
    assert state.unowned_since is None
