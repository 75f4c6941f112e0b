"""Pause and resume: the newest word wins in the whole group, and outlives its author."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.core.model import PauseKind, PauseRecord, PauseRequest
from eni_failover.core.pause import FOLLOWS_WITHIN, FURTHEST_AHEAD, LONGEST, adopt, is_refused, stamp
from eni_failover.core.publish import snapshot
from eni_failover.core.snapshot import DecisionLine
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Answer, Reason, Trigger
from eni_failover.status import acknowledged
from tests.core.bench import Bench
from tests.core.builders import EPOCH, attached, attempt, detach, free, obs, peer

PAUSE = PauseRequest(kind=PauseKind.PAUSE, by="op")
RESUME = PauseRequest(kind=PauseKind.RESUME, by="op")
LINE = DecisionLine(action=Action.WAIT, reason=Reason.PAUSED, at_wall=EPOCH)
LAST_SECOND_OF_9998 = 253_370_764_799.0


def record(kind: str, at: float, **changes) -> PauseRecord:
    return PauseRecord(kind=PauseKind(kind), at=at, **changes)


def asked(bench: Bench, *requests: PauseRequest) -> Bench:
    bench.peek(requests=requests)
    return bench


def test_a_pause_is_stamped_with_its_time_its_end_and_its_author():
    """It travels as a record with wall-clock times."""
    bench = Bench(attached("alpha"))
    asked(bench, replace(PAUSE, duration=1800.0, reason="upgrade"))
    wall = EPOCH + bench.now

    assert bench.state.durable.pause == PauseRecord(
        kind=PauseKind.PAUSE,
        at=wall,
        until=wall + 1800.0,
        ends_at=bench.now + 1800.0,
        reason="upgrade",
        by="op",
    )


def test_a_pause_without_an_end_ends_after_a_week():
    """Nobody is forgotten in a pause."""
    bench = asked(Bench(attached("alpha")), PAUSE)

    assert bench.state.durable.pause.ends_at == bench.now + LONGEST


def test_a_record_does_not_come_back_to_its_author_as_a_newer_one():
    """Its time has the grain of the text by which it travels: what a peer shows of it is the same record.

    Found by the simulation: rounded up on its way, a resume came back, and forgave its author the takeovers
    that had been made since it was given.
    """
    asked_at = 1_800_078_787.4487436
    told = stamp(replace(RESUME, duration=None), None, now=1.0, wall=asked_at)
    paused = stamp(replace(PAUSE, duration=60.0), told, now=1.0, wall=asked_at)

    assert told.at == 1_800_078_787.448744
    assert (paused.at, paused.until) == (1_800_078_787.449744, 1_800_078_847.448744)


def test_a_resume_has_no_end():
    """Only a pause expires."""
    bench = asked(Bench(attached("alpha")), replace(RESUME, duration=60.0))

    assert bench.state.durable.pause.until is None
    assert bench.view.is_paused is False


def test_paused_nothing_starts():
    """The reason is the pause."""
    bench = asked(Bench(attached("alpha")), PAUSE)
    bench.says(web="down")

    assert bench.idle(60).reason is Reason.PAUSED


def test_resumed_probes_start_afresh():
    """Downs that were counted during the pause do not act: three fresh ones do."""
    bench = asked(Bench(attached("alpha")), PAUSE)
    bench.says(web="down")
    bench.idle(30)
    asked(bench, RESUME)
    fresh = bench.state.health[0].verdict
    began = bench.now

    assert fresh is Answer.UNKNOWN
    assert bench.act(within=10).calls == (detach(),)
    assert bench.now - began > 2.0


@pytest.mark.parametrize("ends", ["asked", "adopted", "expired"])
def test_downs_from_before_the_end_of_a_pause_count_no_more(ends):
    """Also those that the pass which ends it is the first to hear of, and one under way at that moment."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, duration=30.0))
    bench.idle(20)
    before = tuple(attempt("web", "down", at=bench.now - ago) for ago in (2.0, 1.0, 0.0))
    match ends:
        case "asked":
            bench.peek(attempts=before, requests=(RESUME,))
        case "adopted":
            bench.peers = (peer("alpha", pause=record("resume", EPOCH + bench.now)),)
            bench.peek(attempts=before)
        case _:
            bench.now += 20
            bench.peek(attempts=before)
    late = replace(attempt("web", "down", at=bench.now), started_at=bench.now)
    bench.now += 0.5
    bench.peek(attempts=(late,))

    assert not bench.view.is_paused
    assert bench.state.health[0].verdict is not Answer.DOWN
    assert bench.state.health[0].down_since is None


def test_a_pause_that_expires_starts_probes_afresh_too():
    """Its end is a moment of its own: a pass is due then."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, duration=10.0))
    bench.says(web="down")
    bench.idle(9.9)
    before = bench.state.health[0].verdict
    bench.idle(0.5)

    assert before is Answer.DOWN
    assert bench.state.health[0].verdict is Answer.UNKNOWN
    assert bench.act(within=10).calls == (detach(),)


def test_turns_start_afresh_after_a_pause():
    """Gamma's stagger counts from the third fresh down, not from before the pause."""
    bench = asked(Bench(attached("alpha"), local="gamma", members=3), replace(PAUSE, duration=10.0))
    bench.says(web="down")
    bench.idle(10.1)
    began = bench.now
    bench.act(within=10)

    assert bench.now - began > 2.0 + 2.0


# The newest wins -----------------------------------------------------------------------------------


def test_a_peers_newer_pause_is_adopted():
    """Members adopt what they see in each other's status."""
    bench = Bench(attached("alpha"))
    news = record("pause", EPOCH + bench.now - 5.0, by="op@alpha", ends_at=2_000.0, until=EPOCH + 2_000.0)
    bench.peers = (peer("alpha", pause=news),)
    bench.peek()

    assert bench.state.durable.pause == news
    assert bench.decision.reason is Reason.PAUSED


def test_an_adopted_pause_is_kept_when_its_author_is_gone():
    """An unreachable peer takes nothing back."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", pause=record("pause", EPOCH)),)
    bench.peek()
    bench.peers = (peer("alpha", reachable=False),)
    bench.says(web="down")

    assert bench.idle(30).reason is Reason.PAUSED


@pytest.mark.parametrize(
    ("mine", "theirs", "winner"),
    [
        (record("pause", 5.0), record("resume", 6.0), "resume"),
        (record("pause", 6.0), record("resume", 5.0), "pause"),
        (record("pause", 5.0), record("resume", 5.0), "pause"),
        (record("resume", 5.0), record("pause", 6.0), "pause"),
        (None, record("pause", 1.0), "pause"),
    ],
)
def test_the_newest_of_pause_and_resume_wins(mine, theirs, winner):
    """By the record's own time, wherever it comes from; the same time changes nothing."""
    bench = Bench(attached("alpha"), durable=Durable(pause=mine))
    bench.peers = (peer("alpha", pause=theirs),)
    bench.peek()

    assert winner == bench.state.durable.pause.kind


def test_of_several_peers_the_newest_is_adopted():
    """Whatever the order in which they are asked."""
    bench = Bench(attached("alpha"), members=3)
    bench.peers = (peer("alpha", pause=record("pause", 9.0)), peer("gamma", pause=record("resume", 7.0)))
    bench.peek()

    assert (bench.state.durable.pause.kind, bench.state.durable.pause.at) == (PauseKind.PAUSE, 9.0)


def test_a_peers_local_pause_is_its_own():
    """`--local` never travels, even if a peer shows it."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", pause=record("pause", EPOCH, local=True)),)
    bench.peek()

    assert bench.state.durable.pause is None


def test_a_resume_at_a_slow_clock_is_still_newer():
    """Its record is stamped after the newest one known, whatever this host's clock says."""
    ahead = EPOCH + 1_000_000.0
    bench = Bench(attached("alpha"), durable=Durable(pause=record("pause", ahead)))
    asked(bench, RESUME)

    assert bench.state.durable.pause.kind is PauseKind.RESUME
    assert bench.state.durable.pause.at > ahead


# Clocks that differ -------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [-600.0, 600.0], ids=["slow", "fast"])
def test_a_pause_lasts_as_long_as_was_asked_whatever_its_authors_clock_says(off):
    """Given for two minutes on a member whose clock is ten minutes off."""
    bench = Bench(attached("alpha"))
    given = stamp(replace(PAUSE, duration=120.0), None, now=bench.now, wall=EPOCH + bench.now + off)
    bench.peers = (peer("alpha", pause=given),)
    bench.peek()
    began, shown = bench.now, bench.state.durable.pause.until
    bench.idle(119)
    before = bench.view.is_paused
    bench.idle(2)

    assert shown == EPOCH + began + 120.0
    assert (before, bench.view.is_paused) == (True, False)


def test_a_pause_heard_again_is_not_prolonged():
    """Its echo says what remained a moment ago: no news, however often."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, duration=120.0))
    given = bench.state.durable.pause
    bench.idle(60)
    bench.peers = (peer("alpha", pause=replace(given, ends_at=bench.now + 119.0)),)
    bench.idle(1)

    assert bench.state.durable.pause == given


def test_a_pause_of_another_member_lasts_a_week_at_most():
    """Whatever it says."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", pause=record("pause", EPOCH, ends_at=bench.now + 2 * LONGEST)),)
    bench.peek()

    assert bench.state.durable.pause.ends_at == bench.now + LONGEST


@pytest.mark.parametrize("kind", ["pause", "resume"])
@pytest.mark.parametrize(("ahead", "taken"), [(FURTHEST_AHEAD, True), (FURTHEST_AHEAD + 1.0, False)])
def test_a_record_from_the_far_future_is_refused(kind, ahead, taken):
    """It would win over all that operators say until then."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", pause=record(kind, EPOCH + bench.now + ahead)),)
    bench.peek()

    assert (bench.state.durable.pause is not None) is taken


def test_a_refused_record_is_taken_when_the_clock_has_been_corrected():
    """It holds back for what is left of it then."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", pause=record("pause", EPOCH + bench.now + 3_610.0, ends_at=bench.now + 60)),)
    bench.peek()
    refused, end = bench.view.is_paused, bench.now + 60
    bench.idle(20)

    assert (refused, bench.view.is_paused) == (False, True)
    assert bench.state.durable.pause.ends_at == pytest.approx(end)


def test_the_resume_of_a_pause_from_a_clock_that_was_fast_is_followed():
    """All were two hours fast when it was given, and have been corrected: its resume is stamped after it."""
    ahead = record("pause", EPOCH + 9_000.0)
    bench = Bench(attached("alpha"), durable=Durable(pause=ahead))
    bench.peers = (peer("alpha", pause=record("resume", ahead.at + 0.001)),)
    bench.peek()

    assert bench.state.durable.pause.kind is PauseKind.RESUME


@pytest.mark.parametrize("kind", ["pause", "resume"])
def test_no_row_of_lies_leads_further_ahead(kind):
    """Each record of a liar's follows its last by an hour: none but the first is taken."""
    bench = Bench(attached("alpha"))
    at = EPOCH + bench.now + FURTHEST_AHEAD
    for _ in range(50):
        bench.peers = (peer("alpha", pause=record(kind, at)),)
        bench.peek()
        at += FURTHEST_AHEAD

    assert bench.state.durable.pause.at <= EPOCH + bench.now + FURTHEST_AHEAD


def test_who_follows_as_fast_as_members_ask_never_gets_further_ahead():
    """What an honest member stamps after a known record is a thousandth later, and is taken at once."""
    bench = Bench(attached("alpha"))
    ahead = FURTHEST_AHEAD
    for number in range(100):
        kind = "resume" if number % 2 else "pause"
        known = bench.state.durable.pause
        at = EPOCH + bench.now + ahead if known is None else known.at + FOLLOWS_WITHIN
        bench.peers = (peer("alpha", pause=record(kind, at)),)
        bench.peek()
        assert bench.state.durable.pause.kind == kind
        bench.now += 2.0  # PeerWatcher's interval

    assert bench.state.durable.pause.at < EPOCH + bench.now + FURTHEST_AHEAD


@pytest.mark.parametrize("local", [False, True], ids=["resume", "resume --local"])
@given(st.floats(0.0, LAST_SECOND_OF_9998))
def test_an_operators_resume_wins_where_it_is_given(local, at):
    """And is newer than whatever record was adopted before, so that every member that has it follows."""
    known = record("pause", round(at, 6), ends_at=5_000.0, until=EPOCH + 5_000.0, local=local)
    durable = Durable(local_pause=known) if local else Durable(pause=known)
    seen = replace(obs(attached("alpha"), requests=(replace(RESUME, local=local),)), wall=EPOCH)
    before, after = adopt(durable, replace(seen, requests=())), adopt(durable, seen)
    old, new = (one.local_pause if local else one.pause for one in (before, after))

    assert new.kind is PauseKind.RESUME
    assert new.at > old.at
    assert local or not is_refused(new, old, EPOCH)


def test_a_pause_by_a_clock_that_is_ahead_holds_where_it_was_given_and_nowhere_else():
    """And says so: only its own member has acknowledged it."""
    ahead = 2 * FURTHEST_AHEAD
    author, other = Bench(attached("gamma"), local="alpha", members=3), Bench(attached("gamma"), members=3)
    author.peek(wall=EPOCH + author.now + ahead, requests=(PAUSE,))
    other.peers = (peer("alpha", pause=author.state.durable.pause, paused=True),)
    other.peek()
    author.peers = (peer("beta", pause=other.state.durable.pause, paused=other.view.is_paused),)
    author.peek(wall=EPOCH + author.now + ahead)
    shown = snapshot(author.view, version="0", last=LINE, takeovers=())

    assert (author.view.is_paused, other.view.is_paused) == (True, False)
    assert acknowledged(shown.pause, shown) == ("alpha",)


def test_the_end_is_shown_by_the_clock_as_it_is_now():
    """A clock that was set changes what is shown, and not when the pause ends; a moment is no step."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, duration=120.0))
    given = bench.state.durable.pause
    for by in (0.9, -600.0):
        seen = replace(obs(attached("alpha"), now=bench.now), wall=EPOCH + bench.now + by)
        shown = adopt(bench.state.durable, seen).pause
        assert shown == (given if by == 0.9 else replace(given, until=given.until - 600.0))


def test_a_pause_that_is_over_shows_when_it_ended():
    """By the clock as it was."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, duration=10.0))
    given = bench.state.durable.pause
    seen = replace(obs(attached("alpha"), now=bench.now + 20.0), wall=EPOCH)

    assert adopt(bench.state.durable, seen).pause == given


def test_a_restart_keeps_the_pause():
    """It is in the durable part."""
    paused = asked(Bench(attached("alpha")), PAUSE).state.durable
    bench = Bench(attached("alpha"), durable=paused)
    bench.says(web="down")

    assert bench.idle(30).reason is Reason.PAUSED


# Local ---------------------------------------------------------------------------------------------


def test_a_local_pause_is_kept_apart_from_the_groups():
    """The group's record, which peers adopt, does not change."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, local=True))

    assert bench.state.durable.pause is None
    assert bench.state.durable.local_pause.local is True
    assert bench.decision.reason is Reason.PAUSED


def test_the_groups_resume_does_not_end_a_local_pause():
    """It is this member's alone, until its own resume."""
    bench = asked(Bench(attached("alpha")), replace(PAUSE, local=True))
    asked(bench, RESUME)
    still = bench.view.is_paused
    asked(bench, replace(RESUME, local=True))

    assert still is True
    assert bench.view.is_paused is False


# What a resume clears ------------------------------------------------------------------------------

AT_LIMIT = Durable(
    last_had="i-alpha",
    past=tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (700.0, 800.0, 900.0)),
    failback_blocked=True,
)


@pytest.mark.parametrize("local", [False, True], ids=["resume", "resume --local"])
def test_a_resume_clears_the_limit_and_a_blocked_failback(local):
    """An operator has looked."""
    bench = Bench(attached("alpha"), durable=AT_LIMIT)
    bench.says(web="down")
    held_back = bench.idle(20).reason
    asked(bench, replace(RESUME, local=local))

    assert held_back is Reason.LIMIT_REACHED
    assert bench.state.durable.failback_blocked is False
    assert bench.act(within=10).calls == (detach(),)


def test_an_adopted_resume_clears_them_too():
    """The operator resumed at another member."""
    bench = Bench(attached("alpha"), durable=AT_LIMIT)
    bench.peers = (peer("alpha", pause=record("resume", EPOCH)),)
    bench.peek()

    assert [one.forgiven for one in bench.state.durable.past] == [True] * 3


def test_a_resume_clears_once():
    """Takeovers since count again, however long its record is the newest one."""
    resumed = replace(AT_LIMIT, pause=record("resume", EPOCH))
    bench = Bench(attached("alpha"), durable=resumed)
    bench.idle(5)

    assert bench.state.durable.past == AT_LIMIT.past
    assert bench.state.durable.failback_blocked is True


def test_a_pause_clears_nothing():
    """Only its end by a resume does."""
    bench = asked(Bench(attached("alpha"), durable=AT_LIMIT), PAUSE, replace(PAUSE, local=True))

    assert bench.state.durable.past == AT_LIMIT.past
    assert bench.state.durable.failback_blocked is True


def test_the_cooldown_is_not_cleared_by_a_resume():
    """It is there to let things settle, whoever looks."""
    past = (RecentTakeover(trigger=Trigger.PROBES, ended_at=990.0),)
    bench = asked(Bench(attached("alpha"), durable=Durable(past=past)), RESUME)
    bench.says(web="down")

    assert bench.idle(30).reason is Reason.COOLDOWN


def test_a_pause_and_a_resume_in_one_pass_are_taken_in_order():
    """The later one wins."""
    bench = asked(Bench(attached("alpha")), PAUSE, RESUME)
    resumed = bench.view.is_paused
    asked(bench, RESUME, PAUSE)

    assert resumed is False
    assert bench.view.is_paused is True


def test_a_paused_group_does_not_stop_row_6_for_ever():
    """Pause makes an ENI on nobody wait for the 60 s, no longer."""
    bench = asked(Bench(attached("alpha")), PAUSE)
    bench.see(free())
    bench.look()
    began = bench.now
    waited = bench.idle(59).reason
    bench.act(within=5)

    assert waited is Reason.PAUSED
    assert bench.now - began < 62


def test_a_pause_is_not_newer_than_itself():
    """What a peer tells of it has microseconds: the record has no more, or it would be adopted anew."""
    request = PauseRequest(kind=PauseKind.PAUSE, duration=1.0)
    record = stamp(request, None, now=5.0, wall=1_800_000_000.1234567)

    assert (record.at, record.until) == (1_800_000_000.123457, 1_800_000_001.123457)


def test_a_word_given_in_the_same_moment_is_later_by_a_thousandth():
    """The newest of the group's, and of this member's own."""
    first = stamp(PAUSE, None, now=5.0, wall=EPOCH)
    bench = asked(Bench(attached("alpha")), replace(PAUSE, local=True))
    local = bench.state.durable.local_pause
    asked(bench, replace(RESUME, local=True))

    assert stamp(RESUME, first, now=5.0, wall=EPOCH).at == EPOCH + 0.001
    assert bench.state.durable.local_pause.at == round(local.at + 0.001, 6)
