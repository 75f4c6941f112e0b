"""Carrying a takeover on: which call each ENI needs next, and when it may be made again."""

from dataclasses import replace
from itertools import pairwise

import pytest

from eni_failover.core.model import TypeLimits
from eni_failover.core.moves import carry_on
from eni_failover.core.state import Move, Sent
from eni_failover.core.vocabulary import Reason, Result
from tests.core.bench import Bench, outcome
from tests.core.builders import (
    LOCAL,
    attach,
    attached,
    attaching,
    detach,
    detaching,
    foreign,
    free,
    missing,
    obs,
    unknown,
)


def detaching_bench(*shapes, **changes) -> Bench:
    """Beta has just sent its first detach, by probes."""
    bench = Bench(*(shapes or (attached("alpha"),)), **changes)
    bench.says(web="down")
    bench.act(within=10)
    return bench


def attaching_bench(*, enis: int = 1, **changes) -> Bench:
    """Everything is detached; beta has just sent the attach of the first ENI."""
    bench = detaching_bench(*[attached("alpha")] * enis, **changes)
    bench.see(*[free()] * enis)
    bench.accepted()
    bench.act(within=5)
    return bench


# The order -----------------------------------------------------------------------------------------


def test_the_first_detach_goes_alone():
    """The lock's detach must be accepted before any other ENI is touched."""
    bench = detaching_bench(*[attached("alpha")] * 3)

    assert bench.decision.calls == (detach(1),)


def test_the_others_are_detached_when_the_locks_detach_was_accepted():
    """All at once, in one pass, one call each."""
    bench = detaching_bench(*[attached("alpha")] * 3)
    others = bench.accepted()

    assert others.calls == (detach(2), detach(3))
    assert others.reason is Reason.DETACHING


@pytest.mark.parametrize("verdict", ["busy", "denied", "refused", "gone", "bad_state"])
def test_the_others_are_not_detached_when_the_locks_detach_was_refused(verdict):
    """A loser of the race for the lock moves nothing."""
    bench = detaching_bench(*[attached("alpha")] * 3)

    assert bench.answered(verdict).calls == ()


def test_the_others_wait_for_an_unanswered_lock():
    """Unanswered is not accepted: they are detached when EC2 shows the effect."""
    bench = detaching_bench(*[attached("alpha")] * 2)
    pending = bench.answered("unanswered", after=5.0)
    bench.see(detaching("alpha"), attached("alpha"))

    assert pending.calls == ()
    assert bench.act(within=1.5).calls == (detach(2),)


def test_the_lock_is_the_first_that_exists_and_is_not_foreign():
    """The first in the file was detached, and is on a stranger now: the second goes before the third."""
    bench = detaching_bench(*[attached("alpha")] * 3)
    one, *others = bench.takeover.moves
    takeover = replace(bench.takeover, moves=(replace(one, detach=Sent.ACCEPTED), *others))
    view = replace(bench.view, obs=obs(foreign(), attached("alpha"), attached("alpha"), now=bench.now))

    assert carry_on(view, takeover).calls == (detach(2),)


def test_nothing_is_attached_before_the_lock():
    """The second ENI is available first; it waits for the first one's attach to be accepted."""
    bench = detaching_bench(*[attached("alpha")] * 2)
    bench.accepted()
    bench.see(detaching("alpha"), free())
    bench.accepted()
    waiting = bench.idle(3)
    bench.see(free(), free())
    lock = bench.act(within=1.5)

    assert waiting.reason is Reason.DETACHING
    assert lock.calls == (attach(1),)
    assert bench.accepted().calls == (attach(2),)


def test_the_others_are_attached_as_soon_as_the_locks_attach_was_accepted():
    """They do not wait for it to be attached."""
    bench = attaching_bench(enis=3)

    assert bench.decision.calls == (attach(1),)
    assert bench.accepted().calls == (attach(2), attach(3))


@pytest.mark.parametrize("verdict", ["in_use", "busy", "denied", "unanswered"])
def test_the_others_are_not_attached_when_the_locks_attach_was_not_accepted(verdict):
    """Else several ENIs end up split."""
    bench = attaching_bench(enis=3)

    assert bench.answered(verdict).calls == ()


def test_an_eni_on_a_third_member_is_taken_once_the_lock_is_here():
    """Its attachment was not there to be recorded: the one just observed is, now."""
    bench = detaching_bench(attached("alpha"), attached("alpha"), members=3)
    recorded = bench.accepted()
    bench.see(free(), attached("gamma", "att-8"))
    bench.answered("gone")
    lock = bench.act(within=5)
    bench.see(attaching("beta", "att-9"), attached("gamma", "att-8"))
    bench.accepted()

    assert recorded.calls == (detach(2),)
    assert lock.calls == (attach(1),)
    assert bench.act(within=1.5).calls == (detach(2, "att-8"),)


def test_what_was_tried_on_another_attachment_counts_no_more():
    """The move of the one just observed begins afresh; only indexes that EC2 refused stay refused."""
    bench = attaching_bench(enis=2)
    old = Move(
        eni_id="eni-2",
        recorded="att-2",
        detach=Sent.ACCEPTED,
        detach_sent_at=1.0,
        detach_began_at=1.0,
        bad_state=True,
        attach=Sent.ACCEPTED,
        attach_sent_at=1.0,
        refused_indexes=(1,),
    )
    view = replace(bench.view, obs=obs(attached("beta", "att-9"), attached("alpha", "att-8"), now=bench.now))
    after = carry_on(view, bench.takeover.with_move(old))

    assert after.calls == (detach(2, "att-8"),)
    assert after.takeover.move("eni-2") == Move(
        eni_id="eni-2",
        recorded="att-8",
        detach=Sent.UNANSWERED,
        detach_sent_at=bench.now,
        detach_began_at=bench.now,
        refused_indexes=(1,),
    )


def test_an_eni_on_a_third_member_is_not_taken_before_the_lock_is_here():
    """Whoever has the lock brings the others; this member does not have it yet."""
    bench = detaching_bench(attached("alpha"), attached("alpha"), members=3)
    bench.see(detaching("alpha"), attached("gamma", "att-8"))
    bench.accepted()
    bench.answered("gone")

    assert bench.idle(10).reason is Reason.DETACHING


# Asking again --------------------------------------------------------------------------------------


def test_an_unanswered_detach_is_not_sent_again_on_an_old_describe():
    """Only a describe begun when the call can no longer take effect may bring a second detach."""
    bench = detaching_bench()
    after = bench.answered("unanswered", after=5.0)

    assert after.calls == ()
    assert after.reason is Reason.ANSWER_PENDING


def test_an_unanswered_detach_is_sent_again_after_the_call_timeout():
    """The describe shows the attachment untouched, and the holder is still down."""
    bench = detaching_bench()
    sent = bench.now
    bench.answered("unanswered", after=1.0)
    again = bench.act(within=10)

    assert again.calls == (detach(),)
    assert bench.now - sent > 5.0


def test_an_unanswered_detach_is_not_sent_again_during_an_outage():
    """No describe answers: nothing is known, nothing is sent."""
    bench = detaching_bench()
    bench.answered("unanswered", after=5.0)
    bench.ec2_answers = False

    assert bench.idle(120).reason is Reason.ENI_UNKNOWN


def test_an_accepted_detach_without_effect_is_sent_again_after_the_call_timeout():
    """EC2 said yes and shows nothing for five seconds: the same attachment is named again."""
    bench = detaching_bench()
    bench.accepted()
    quiet = bench.idle(4)
    again = bench.act(within=3)

    assert quiet.reason is Reason.DETACHING
    assert again.calls == (detach(),)
    assert again.reason is Reason.DETACHING


def test_a_detach_that_somebody_else_began_counts_from_when_it_was_first_seen():
    """The force ladder has its beginning, also without a call of this member's."""
    bench = detaching_bench(attached("alpha"), attached("alpha"))
    (lock,) = bench.decision.calls
    bench.see(detaching("alpha"), detaching("alpha"))
    bench.look(outcomes=(outcome(lock, "accepted", sent_at=bench.now, ended_at=bench.now),))

    assert bench.decision.calls == ()
    assert bench.takeover.moves[1].detach_began_at == bench.view.observed("eni-2").seen_at


def test_a_detach_that_shows_its_effect_is_not_sent_again():
    """`detaching` is waited for."""
    bench = detaching_bench()
    bench.see(detaching("alpha"))
    bench.accepted()

    assert bench.idle(14).reason is Reason.DETACHING


@pytest.mark.parametrize("verdict", ["busy", "denied", "refused"])
def test_a_refused_call_is_tried_again_with_growing_delays(verdict):
    """Backoff from half a second up to five, jittered by the observation."""
    bench = detaching_bench()
    bench.jitter = 1.0
    sent = [bench.now]
    for _ in range(7):
        bench.answered(verdict)
        bench.act(within=6)
        sent.append(bench.now)
    delays = [later - earlier for earlier, later in pairwise(sent)]

    assert delays[:4] == pytest.approx([0.54, 1.04, 2.04, 4.04], abs=0.3)
    assert max(delays) < 5.4


def test_a_call_that_was_not_sent_is_made_again_soon():
    """The decision had grown old: nothing was refused, and no detach has begun."""
    bench = detaching_bench()
    bench.answered("busy", not_sent=True)
    again = bench.act(within=0.5)

    assert again.calls == (detach(),)
    assert bench.takeover.moves[0].attempts == 0


def test_the_delays_of_a_refused_detach_do_not_delay_the_attach():
    """Throttled up to five seconds, and then it is free: it is attached with the next look."""
    bench = detaching_bench()
    bench.jitter = 1.0
    for _ in range(4):
        bench.answered("busy")
        bench.act(within=6)
    bench.see(free())
    bench.accepted()

    assert bench.act(within=0.5).calls == (attach(),)


def test_an_attach_says_whether_it_was_answered():
    """Until a describe shows its effect."""
    pending = attaching_bench().answered("unanswered", after=1.0)
    accepted = attaching_bench().accepted()

    assert (pending.calls, pending.reason) == ((), Reason.ANSWER_PENDING)
    assert (accepted.calls, accepted.reason) == ((), Reason.ATTACHING)


def test_an_unanswered_attach_is_settled_by_a_describe_after_the_call_timeout():
    """Still available five seconds later: it had no effect."""
    bench = attaching_bench()
    sent = bench.now
    bench.answered("unanswered", after=1.0)
    again = bench.act(within=10)

    assert again.calls == (attach(),)
    assert bench.now - sent > 5.0


def test_an_unanswered_attach_that_took_effect_is_ours():
    """The describe shows it here: the takeover goes on."""
    bench = attaching_bench()
    bench.see(attaching("beta", "att-9"))
    bench.answered("unanswered", after=1.0)
    bench.idle(2)
    bench.see(attached("beta", "att-9"))
    bench.idle(2)

    assert [one.result for one in bench.ended] == [Result.SUCCESS]


def test_an_accepted_attach_that_shows_nothing_is_made_again_after_the_call_timeout():
    """A lost effect is no reason to leave the ENI on the floor."""
    bench = attaching_bench()
    bench.accepted()

    assert bench.idle(4).reason is Reason.ATTACHING
    assert bench.act(within=3).calls == (attach(),)


# Indexes -------------------------------------------------------------------------------------------


def test_a_taken_index_is_skipped_at_once():
    """The next free one is tried in the same pass."""
    bench = attaching_bench()

    assert bench.answered("index_taken").calls == (attach(index=2),)


def test_an_index_refused_a_second_time_waits():
    """The only free one is tried again, slower and slower."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", used_indexes=(0, *range(2, 32)))
    bench.local = replace(LOCAL, limits=TypeLimits(interfaces=40))
    bench.look()
    bench.see(free())
    bench.look()
    bench.act(within=5)
    first = bench.answered("index_taken")
    second = bench.answered("index_taken")

    assert first.calls == (attach(index=1),)
    assert second.calls == ()
    assert bench.act(within=6).calls == (attach(index=1),)


def test_a_written_index_that_is_taken_is_not_tried_again():
    """There is no next one: EC2 would refuse it for ever, and another member may have it free."""
    bench = attaching_bench(device_index=4)
    ended = bench.answered("index_taken")

    assert (ended.calls, ended.reason) == ((), Reason.ATTACH_REFUSED)
    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.ATTACH_REFUSED)]


def test_without_a_free_index_the_eni_is_left_to_the_others():
    """The written index is in use now: this member is not able, and takes it as soon as the index is free."""
    bench = detaching_bench(device_index=4)
    bench.machine("beta", used_indexes=(0, 4))
    bench.see(detaching("alpha"))
    bench.accepted()
    bench.idle(3)
    bench.see(free())
    bench.act(within=2)
    bench.answered("index_taken")
    waiting = bench.idle(40)
    bench.machine("beta")

    assert waiting.reason is Reason.COOLDOWN
    assert bench.takeover is None
    assert bench.act(within=65).calls == (attach(index=4),)


# A stale read --------------------------------------------------------------------------------------


def test_one_stale_read_of_an_eni_that_was_here_asks_again_and_calls_nothing():
    """Attached, then seen available: a second describe a second later decides."""
    bench = attaching_bench(enis=2)
    bench.accepted()
    bench.see(attaching("beta", "att-8"), attaching("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    bench.see(free(), attaching("beta", "att-9"))
    stale = bench.look()
    bench.see(attaching("beta", "att-8"), attaching("beta", "att-9"))
    bench.idle(2)

    assert (stale.calls, stale.reason) == ((), Reason.ATTACHMENT_GONE)
    assert bench.ended == []


def test_one_stale_read_of_an_earlier_holder_ends_nothing():
    """The answer is from before the move that made the recorded attachment: the ENI is taken anyway."""
    bench = Bench(attached("alpha", "att-2"), members=3)
    bench.says(web="down")
    bench.act(within=10)
    bench.accepted()
    bench.see(attached("gamma", "att-1"))
    called = bench.look().calls
    bench.see(free())

    assert called == ()
    assert bench.act(within=1.5).calls == (attach(),)


def test_a_call_that_a_stale_read_held_back_is_not_taken_as_sent():
    """After the stale read the second ENI is attached at once, not after a call timeout."""
    bench = detaching_bench(attached("alpha"), attached("alpha"))
    bench.accepted()
    bench.see(free(), detaching("alpha"))
    bench.accepted()
    bench.act(within=2)
    bench.see(attaching("beta", "att-8"), detaching("alpha"))
    bench.accepted()
    bench.idle(1)
    bench.see(free(), free())
    held_back = bench.look()
    bench.see(attaching("beta", "att-8"), free())

    assert held_back.calls == ()
    assert bench.act(within=0.5).calls == (attach(2),)


# Partial knowledge ---------------------------------------------------------------------------------


def test_an_unknown_eni_is_left_and_the_others_go_on():
    """Row 4 goes on with what is known."""
    bench = detaching_bench(*[attached("alpha")] * 3)
    bench.see(detaching("alpha"), unknown(), attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    silent = bench.decision
    bench.ec2_answers = True

    assert silent.calls == ()
    assert bench.act(within=8).calls == (detach(3),)


def test_while_the_lock_is_unknown_the_others_are_still_brought():
    """It was here a moment ago, and one answer does not show it."""
    bench = detaching_bench(attached("alpha"), attached("alpha"))
    bench.accepted()
    bench.see(free(), detaching("alpha"))
    bench.answered("accepted")
    bench.act(within=2)
    bench.see(attaching("beta", "att-8"), detaching("alpha"))
    bench.accepted()
    bench.idle(1)
    bench.see(missing(), free())
    calls = bench.act(within=1.5).calls

    assert [call.eni_id for call in calls] == ["eni-2"]


def test_while_the_lock_is_unknown_and_was_never_here_nothing_is_attached():
    """Its detach was accepted: the others may be detached, and wait."""
    bench = detaching_bench(*[attached("alpha")] * 3)
    call = bench.decision.calls[0]
    answer = outcome(call, "accepted", sent_at=bench.now, ended_at=bench.now + 0.01)
    bench.see(missing(), attached("alpha"), free())
    bench.look(outcomes=(answer,))

    assert bench.view.first is None
    assert bench.decision.calls == (detach(2),)


def test_an_outage_after_the_first_detach_only_waits():
    """Nothing known, nothing called; it goes on when EC2 answers."""
    bench = detaching_bench()
    bench.ec2_answers = False
    bench.accepted()
    waiting = bench.idle(100)
    bench.ec2_answers = True
    bench.see(free())

    assert waiting.reason is Reason.ENI_UNKNOWN
    assert bench.act(within=6).calls == (attach(),)
