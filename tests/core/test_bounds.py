"""The very moment of a bound: the pass that was woken for it acts, and none before it does.

Times are whole seconds here: a sum of others is not always what it should be to the last bit.
"""

from dataclasses import replace
from typing import Any

import pytest

from eni_failover.core import triggers
from eni_failover.core.decide import attach_unattached, start_takeover
from eni_failover.core.decision import Call
from eni_failover.core.health import Health
from eni_failover.core.model import Eni, PauseKind, PauseRecord, PauseRequest
from eni_failover.core.moves import carry_on, has_hung_twice, why_lost
from eni_failover.core.policy import FailbackMode
from eni_failover.core.state import (
    Durable,
    EniObservation,
    HolderRecord,
    RecentTakeover,
    Rest,
    Sent,
    State,
    Takeover,
)
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Answer, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    EPOCH,
    ME,
    MEMBERS,
    SELF,
    attach,
    attached,
    attaching,
    detach,
    detaching,
    free,
    instance,
    keep,
    missing,
    named,
    obs,
    policy,
    survey,
    takeover_request,
)
from tests.core.test_hold_attached import arrived
from tests.core.test_moves import attaching_bench, detaching_bench

NOW = 2000.0


def at(bench: Bench, moment: float, **changes: Any) -> Bench:
    """The pass of that moment, with what is known already."""
    bench.now = moment
    bench.peek(**changes)
    return bench


def taken_over(bench: Bench, **changes: Any) -> Bench:
    """The takeover under way, changed by hand."""
    takeover = replace(bench.takeover, **changes)
    bench.state = replace(bench.state, durable=replace(bench.state.durable, takeover=takeover))
    return bench


# Before a takeover ---------------------------------------------------------------------------------


def judged(*, durable: Durable | None = None, since: float | None = None, **state: Any) -> View:
    """Beta has just judged alpha down."""
    down = Health(
        probe=named("web"), member=MEMBERS["alpha"], verdict=Answer.DOWN, streak=Answer.DOWN, consecutive=3
    )
    known: dict[str, Any] = {
        "health": (down,),
        "holder_record": HolderRecord(instance_id="i-alpha", attachment_id="att-1", since=since),
        "last_answer_at": NOW,
        "me": ME,
        "durable": durable or Durable(last_had="i-alpha"),
    }
    return View(State(started_at=0.0, **{**known, **state}), obs(attached("alpha"), now=NOW), policy())


def past(*ended_at: float) -> Durable:
    return Durable(past=tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=one) for one in ended_at))


@pytest.mark.parametrize(
    ("before", "there", "reason"),
    [
        (judged(durable=past(NOW - 59)), judged(durable=past(NOW - 60)), Reason.COOLDOWN),
        (
            judged(durable=past(NOW - 3599, NOW - 300, NOW - 200)),
            judged(durable=past(NOW - 3600, NOW - 300, NOW - 200)),
            Reason.LIMIT_REACHED,
        ),
        (judged(since=NOW - 299), judged(since=NOW - 300), Reason.UNPROVEN_HOLDER),
        (judged(rests=((Rest.FENCE, NOW + 1),)), judged(rests=((Rest.FENCE, NOW),)), Reason.FENCE_REFUSED),
        (judged(stalled_at=NOW - 0.5), judged(stalled_at=NOW - 1), Reason.LOOP_LAG),
        (judged(last_answer_at=NOW - 31), judged(last_answer_at=NOW - 30), Reason.EC2_SILENT),
        (judged(barred_at=NOW - 599), judged(barred_at=NOW - 600), Reason.ATTACH_REFUSED),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_a_takeover_by_probes_back_ends_with_its_time(before, there, reason):
    """And not a moment later."""
    assert triggers.probes(before).block is reason
    assert triggers.probes(there).block is None
    assert triggers.probes(there).attachment_id == "att-1"


def test_a_new_holder_that_answers_has_no_grace_beyond_the_cooldown():
    """Without a cooldown it is judged at once; one that gave no answer has its grace."""
    silent = replace(judged(since=NOW), policy=policy(cooldown=0.0))
    holder_record = replace(silent.state.holder_record, answered=True)
    refusing = replace(silent, state=replace(silent.state, holder_record=holder_record))

    assert triggers.unproven_until(silent) == NOW + 300
    assert triggers.unproven_until(refusing) == NOW
    assert triggers.probes(refusing).block is None


def test_the_failback_delay_ends_with_its_time():
    """Counted from the later of becoming fit and the last change of holder."""
    home = replace(policy("alpha", probes=(SELF,)), failback=FailbackMode.AUTOMATIC)
    fit = Health(probe=named("disk"), member=MEMBERS["alpha"], verdict=Answer.UP)
    state = State(
        started_at=0.0,
        health=(fit,),
        last_answer_at=NOW,
        me=instance("alpha"),
        fit_since=NOW - 100,
        holder_changed_at=NOW - 60,
        durable=Durable(last_had="i-beta", lost_at=NOW - 60, unfit_since_loss=True),
    )
    there = View(state, obs(attached("beta"), now=NOW), home)
    before = View(replace(state, holder_changed_at=NOW - 59), there.obs, home)

    assert triggers.failback(before).block is Reason.FAILBACK_DELAY
    assert triggers.failback(there).block is None
    assert triggers.failback(there).attachment_id == "att-1"


def test_a_split_is_mended_two_seconds_after_the_last_move():
    """And not while the pieces move."""
    seen = obs(attached("beta"), attached("alpha"), now=NOW)
    state = State(started_at=0.0, last_answer_at=NOW, me=ME, moved_at=NOW - 2)
    there = View(state, seen, policy(enis=2))
    before = View(replace(state, moved_at=NOW - 1), seen, policy(enis=2))

    assert triggers.split(before).block is Reason.MOVING
    assert triggers.split(there).block is None
    assert triggers.split(there).attachment_id == "att-1"


def test_a_member_rests_from_row_6_until_its_time():
    """After an attach that hung twice."""
    rests = ((Rest.RESCUE, NOW),)
    state = State(started_at=0.0, last_answer_at=NOW, me=ME, unowned_since=NOW - 5, rests=rests)
    there = View(state, obs(free(), now=NOW), policy())
    before = View(replace(state, rests=((Rest.RESCUE, NOW + 1),)), there.obs, policy())

    assert triggers.unowned(before).block is Reason.COOLDOWN
    assert triggers.unowned(there).block is None


def test_whoever_runs_acts_at_the_sixtieth_second():
    """Row 6, paused: not before, and in that very pass."""
    bench = Bench(free(), settle=False)
    bench.look(requests=(PauseRequest(kind=PauseKind.PAUSE),))
    bench.state = replace(bench.state, unowned_since=NOW - 60)

    assert at(bench, NOW - 1).decision.reason is Reason.PAUSED
    assert at(bench, NOW).decision.action is Action.CONFIRM


def test_a_turn_comes_at_its_moment():
    """Row 6 and row 10: the second in line after its time, and not before."""
    rescue = View(
        State(started_at=0.0, last_answer_at=NOW, me=ME, turn_unowned=NOW - 4),
        obs(free(), now=NOW),
        policy(),
    )
    early = replace(rescue, state=replace(rescue.state, turn_unowned=NOW - 3))
    asked = policy("gamma", members=3)
    probes = replace(
        judged(turn_probes=NOW - 2), policy=asked, obs=obs(attached("alpha"), now=NOW, members=3)
    )
    soon = replace(probes, state=replace(probes.state, turn_probes=NOW - 1))

    assert (attach_unattached(early), start_takeover(soon)) == (None, None)
    assert attach_unattached(rescue) is not None
    assert start_takeover(probes) is not None


def test_a_move_counts_up_to_its_bound_and_a_stuck_one_after_it():
    """`force_detach_after`: at that moment both are still, and no longer, so."""
    seen_eni = EniObservation(
        eni_id="eni-1", status="detaching", attachment_id="att-1", since=NOW - 99, seen_at=NOW - 15
    )
    seen = obs(detaching("alpha"), now=NOW)
    there = View(State(started_at=0.0, observed=(seen_eni,)), seen, policy())
    after = View(there.state, replace(seen, now=NOW + 1), policy())

    assert (there.is_moving, there.is_unowned) == (True, False)
    assert (after.is_moving, after.is_unowned) == (False, True)


def test_a_pause_and_the_start_up_grace_end_with_their_time():
    """To the moment."""
    until = PauseRecord(kind=PauseKind.PAUSE, at=EPOCH, ends_at=NOW)
    state = State(started_at=NOW - 30, durable=Durable(pause=until))
    graced = replace(policy(), startup_grace=30.0)
    before = View(state, obs(free(), now=NOW - 1), graced)
    there = View(state, obs(free(), now=NOW), graced)

    assert (before.is_paused, before.in_grace) == (True, True)
    assert (there.is_paused, there.in_grace) == (False, False)


def test_an_absence_is_believed_two_seconds_after_the_first():
    """Since the first was taken, and to when the second was asked for."""
    seen_eni = EniObservation(
        eni_id="eni-1", status="missing", attachment_id=None, since=NOW - 99, seen_at=NOW - 2
    )
    there = obs(now=NOW, enis=survey(missing(), at=NOW))
    before = obs(now=NOW, enis=survey(missing(), at=NOW - 1))
    state = State(started_at=0.0, observed=(seen_eni,))

    assert len(View(state, there, policy()).missing) == 1
    assert len(View(state, before, policy()).unknown) == 1


# During a takeover ---------------------------------------------------------------------------------


def test_a_link_is_late_at_the_sixtieth_second():
    """The ENI is detached to be attached afresh."""
    bench = taken_over(arrived(), link_since=NOW - 60)

    assert at(bench, NOW - 1).decision.calls == ()
    assert at(bench, NOW).decision.reason is Reason.LINK_NOT_READY


def test_a_holders_link_is_late_at_the_sixtieth_second():
    """Without a takeover it is only said; and only on a look from then, give or take a call."""
    bench = Bench(attached("beta"))
    bench.link(present=True, missing=("rule",))
    bench.look()
    bench.state = replace(bench.state, not_ready_since=NOW - 60)
    stale, fresh = (survey(attached("beta"), at=NOW - age) for age in (5.1, 5.0))

    assert at(bench, NOW, enis=stale).decision.reason is Reason.LINK_WAIT
    assert at(bench, NOW - 0.1, enis=fresh).decision.reason is Reason.LINK_WAIT
    assert at(bench, NOW, enis=fresh).decision.reason is Reason.LINK_NOT_READY


def test_delete_on_termination_is_asked_again_at_its_time():
    """A minute after the last time."""
    bench = Bench(attached("beta", delete_on_termination=True), settle=False)
    bench.look()
    bench.state = replace(bench.state, rests=((Rest.KEEP, NOW),))

    assert at(bench, NOW - 1).decision.calls == ()
    assert at(bench, NOW).decision.calls == (keep(),)
    assert bench.state.rests == ((Rest.KEEP, NOW + 60),)


def test_a_request_ends_with_its_deadline():
    """EC2 is silent, and not for long enough to refuse it for that."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    end = bench.now + 5
    bench.look(requests=(takeover_request(deadline=end),))

    assert at(bench, end - 1).replies == []
    assert [one.reason for one in at(bench, end).replies] == [Reason.REQUEST_EXPIRED]
    assert bench.state.request is None


def test_an_operators_intent_ends_with_its_deadline():
    """Its detach was refused: nothing has moved."""
    bench = Bench(attached("alpha"))
    bench.look(requests=(takeover_request(deadline=NOW),))
    bench.look()
    bench.answered("busy")
    waiting = at(bench, bench.now + 0.01).takeover
    at(bench, NOW)

    assert waiting is not None
    assert [one.reason for one in bench.ended] == [Reason.REQUEST_EXPIRED]


def refused_attach() -> Bench:
    """Beta's attach was refused, and may be asked again from NOW on."""
    bench = attaching_bench()
    bench.answered("busy")
    move = replace(bench.takeover.moves[0], retry_at=NOW, attach_sent_at=NOW - 5)
    return taken_over(bench, moves=(move,))


def test_a_refused_attach_is_asked_again_at_its_time():
    """On a describe that began no earlier than the refused one was sent."""
    seen = survey(free(), at=NOW - 5)
    old = replace(seen, began_at=NOW - 6)

    assert at(refused_attach(), NOW - 1, enis=seen).decision.calls == ()
    assert at(refused_attach(), NOW, enis=old).decision.calls == ()
    assert at(refused_attach(), NOW, enis=seen).decision.calls == (attach(),)


def detached(shape: Eni, **move: Any) -> tuple[View, Takeover]:
    """Beta's takeover, its detach accepted five seconds ago, and this describe of the ENI."""
    bench = detaching_bench()
    bench.accepted()
    known = {"detach_sent_at": NOW - 5, "detach_began_at": NOW - 5, **move}
    moves = (replace(bench.takeover.moves[0], **known),)
    return replace(bench.view, obs=obs(shape, now=NOW)), replace(bench.takeover, moves=moves)


def called(view: View, takeover: Takeover, *, described_at: float) -> tuple[Call, ...]:
    """The calls on a describe of that time."""
    seen = replace(view.obs.enis, began_at=described_at)
    return carry_on(replace(view, obs=replace(view.obs, enis=seen)), takeover).calls


def test_an_accepted_detach_is_asked_again_after_the_call_timeout():
    """On a describe of that very moment that shows it untouched."""
    view, takeover = detached(attached("alpha"))

    assert called(view, takeover, described_at=NOW - 1) == ()
    assert called(view, takeover, described_at=NOW) == (detach(),)


def test_a_refused_detach_is_asked_again_at_its_time():
    """Whatever the describes say."""
    view, takeover = detached(attached("alpha"), detach=Sent.NO, retry_at=NOW)

    assert called(replace(view, obs=replace(view.obs, now=NOW - 1)), takeover, described_at=NOW) == ()
    assert called(view, takeover, described_at=NOW) == (detach(),)


def test_force_comes_at_its_time_whatever_was_sent_a_moment_ago():
    """By the describe's time; it waits for no call timeout."""
    view, takeover = detached(detaching("alpha"), detach_began_at=NOW - 15, detach_sent_at=NOW - 1)
    after = carry_on(replace(view, obs=replace(view.obs, enis=survey(detaching("alpha"), at=NOW))), takeover)

    assert called(view, takeover, described_at=NOW - 0.5) == ()
    assert after.calls == (detach(force=True),)
    assert after.takeover.moves[0].retry_at == NOW + 5


def test_an_attach_has_hung_at_the_sixtieth_second():
    """By the describe's time: undone, and the second time given up."""
    view, takeover = detached(attaching("beta", "att-9"), attach=Sent.ACCEPTED, attaching_since=NOW - 60)
    again = takeover.with_move(replace(takeover.moves[0], reattached=True))
    before = replace(view, obs=replace(view.obs, enis=survey(attaching("beta", "att-9"), at=NOW - 1)))
    there = replace(view, obs=replace(view.obs, enis=survey(attaching("beta", "att-9"), at=NOW)))

    assert carry_on(before, takeover).calls == ()
    assert carry_on(there, takeover).calls == (detach(1, "att-9"),)
    assert not has_hung_twice(before, again)
    assert has_hung_twice(there, again)


def test_what_was_here_is_gone_after_a_second_look():
    """A second after the first that did not show it."""
    view, takeover = detached(free())
    gone = replace(takeover, gone_at=NOW - 1)
    there = replace(view, obs=replace(view.obs, enis=survey(free(), at=NOW)))
    before = replace(view, obs=replace(view.obs, enis=survey(free(), at=NOW - 0.5)))

    assert why_lost(before, gone) is None
    assert why_lost(there, gone) is Reason.ATTACHMENT_GONE
