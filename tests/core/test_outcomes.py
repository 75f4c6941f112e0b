"""The point of no return: what is known of a takeover's own calls."""

import pytest

from eni_failover.core.model import Mutation, Outcome, Verdict
from eni_failover.core.outcomes import backoff
from eni_failover.core.vocabulary import Reason, Result
from tests.core.bench import Bench
from tests.core.builders import attached, attaching, attempt, detach, detaching, free, missing


def started(*shapes, **changes) -> Bench:
    """Beta's first detach has just been sent, by probes."""
    bench = Bench(*(shapes or (attached("alpha"),)), **changes)
    bench.says(web="down")
    bench.act(within=10)
    return bench


def recovered(bench: Bench) -> None:
    """The holder is up again, and this member knows it."""
    bench.says(web="up")
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))


def ending(bench: Bench) -> list[tuple[str, str]]:
    return [(one.result, one.reason) for one in bench.ended]


# Accepted ------------------------------------------------------------------------------------------


def test_an_accepted_detach_is_the_point_of_no_return():
    """The holder's recovery changes nothing any more."""
    bench = started()
    bench.see(detaching("alpha"))
    bench.accepted()
    recovered(bench)

    assert bench.takeover.committed is True
    assert ending(bench) == []


def test_the_effect_alone_is_the_point_of_no_return():
    """No answer came, and EC2 shows the attachment detaching."""
    bench = started()
    bench.see(detaching("alpha"))
    bench.answered("unanswered", after=1.0)
    bench.look()
    recovered(bench)

    assert bench.takeover.committed is True
    assert ending(bench) == []


@pytest.mark.parametrize("shape", [free(), detaching("alpha")], ids=["free", "detaching"])
def test_an_effect_seen_by_a_describe_from_before_the_call_proves_nothing(shape):
    """Only a describe begun after the call can show what the call did."""
    bench = started()
    earlier = bench.view.obs.enis
    bench.see(shape)
    bench.peek(enis=earlier)

    assert bench.takeover.committed is False


@pytest.mark.parametrize("verdict", ["busy", "denied", "refused", "gone", "bad_state", "limit"])
def test_a_refused_detach_is_not(verdict):
    """Nothing has moved: the recovered holder keeps everything."""
    bench = started()
    bench.answered(verdict)
    recovered(bench)

    assert ending(bench) == [("failed", "cause_gone")]
    assert bench.idle(60).reason is Reason.HOLDER_UP


def test_an_effect_that_a_refused_detach_cannot_have_had_is_somebody_elses():
    """Gamma detaches what beta was refused: beta's intent ends, it does not join the race."""
    bench = started(members=3)
    bench.answered("busy")
    bench.see(detaching("alpha"))
    bench.look()

    assert ending(bench) == [("failed", "cause_gone")]


def test_a_refused_repetition_takes_nothing_back():
    """The first detach was accepted; the second one, throttled, does not undo that."""
    bench = started()
    bench.accepted()
    bench.act(within=8)
    bench.answered("busy")
    recovered(bench)

    assert bench.takeover.committed is True
    assert ending(bench) == []


# Unanswered ----------------------------------------------------------------------------------------


def test_an_unanswered_detach_counts_as_accepted():
    """The recovered holder may have lost the ENI already: the takeover goes on until it is known."""
    bench = started()
    bench.answered("unanswered", after=0.5)
    bench.says(web="up")
    bench.idle(3)

    assert ending(bench) == []
    assert bench.decision.reason is Reason.ANSWER_PENDING


def test_an_untouched_attachment_after_the_call_timeout_undoes_that():
    """A describe begun then shows it as recorded: the starting row is asked again, and says no."""
    bench = started()
    sent = bench.now
    bench.answered("unanswered", after=0.5)
    bench.says(web="up")
    bench.idle(4)
    before = ending(bench)
    bench.idle(3)

    assert before == []
    assert ending(bench) == [("failed", "cause_gone")]
    assert bench.now - sent < 8


def test_an_untouched_attachment_before_the_call_timeout_undoes_nothing():
    """The call may still be on its way."""
    bench = started()
    bench.answered("unanswered", after=0.5)
    bench.says(web="up")
    bench.run(3.5)

    assert bench.takeover.is_committed is True
    assert ending(bench) == []


def test_an_outage_keeps_the_question_open():
    """No describe answers: still counted as accepted, and nothing is done."""
    bench = started()
    bench.ec2_answers = False
    bench.answered("unanswered", after=5.0)
    bench.says(web="up")
    bench.idle(200)

    assert ending(bench) == []
    assert bench.decision.reason is Reason.ENI_UNKNOWN


def test_after_the_outage_a_recovered_holder_keeps_everything():
    """The intent was written before a long outage: it must not detach now."""
    bench = started()
    bench.ec2_answers = False
    bench.answered("unanswered", after=5.0)
    bench.says(web="up")
    bench.idle(200)
    bench.ec2_answers = True
    bench.idle(60)

    assert ending(bench) == [("failed", "cause_gone")]


def test_an_attach_that_counts_commits_an_unowned_takeover():
    """Row 6 detaches nothing: its accepted attach is its point of no return."""
    bench = Bench(free(), settle=False)
    bench.act(within=10)
    sent = bench.takeover.is_committed
    bench.accepted()

    assert sent is True
    assert bench.takeover.committed is True


def test_a_refused_attach_of_an_unowned_takeover_does_not():
    """Another member was faster: there is nothing to carry on."""
    bench = Bench(free(), members=3, settle=False)
    bench.act(within=10)
    bench.see(attaching("gamma", "att-9"))
    bench.answered("in_use")
    bench.idle(3)

    assert ending(bench) == [("failed", "cause_gone")]


# Answers that concern nobody -----------------------------------------------------------------------


@pytest.mark.parametrize("mutation", [Mutation.DETACH, Mutation.ATTACH])
def test_an_answer_about_an_eni_that_is_not_moved_changes_nothing(mutation):
    """A reload may have taken the ENI out of the group meanwhile."""
    bench = started()
    before = bench.takeover
    stray = Outcome(
        mutation=mutation, target="eni-9", verdict=Verdict.ACCEPTED, sent_at=bench.now, ended_at=bench.now
    )
    bench.peek(outcomes=(stray,))

    assert bench.takeover == before


def test_an_answer_about_termination_is_no_part_of_a_takeover():
    """DeleteOnTermination is repaired beside it."""
    bench = started()
    before = bench.takeover
    stray = Outcome(
        mutation=Mutation.KEEP_ON_TERMINATION,
        target="eni-1",
        verdict=Verdict.ACCEPTED,
        sent_at=bench.now,
        ended_at=bench.now,
    )
    bench.peek(outcomes=(stray,))

    assert bench.takeover == before


def test_an_answer_after_the_end_changes_nothing():
    """The takeover is over; its late answer finds none."""
    bench = started()
    bench.answered("denied")
    recovered(bench)
    late = Outcome(
        mutation=Mutation.DETACH, target="eni-1", verdict=Verdict.ACCEPTED, sent_at=1.0, ended_at=bench.now
    )
    bench.peek(outcomes=(late,))

    assert bench.takeover is None


def test_a_late_answer_to_a_detach_that_a_describe_settled_counts_all_the_same():
    """Accepted is accepted, whenever it is told."""
    bench = started()
    sent = bench.decision
    bench.see(detaching("alpha"))
    bench.look()
    bench.decision = sent
    bench.accepted()

    assert bench.takeover.committed is True
    assert bench.takeover.moves[0].detach == "accepted"


# Lost ----------------------------------------------------------------------------------------------


def test_another_members_attachment_that_is_not_the_recorded_one_is_lost():
    """It is newer than the intent."""
    bench = started(members=3)
    bench.accepted()
    bench.see(attaching("gamma", "att-9"))
    bench.idle(2)

    assert ending(bench) == [("lost", "lost_to_another")]
    assert bench.takeover is None


def test_the_recorded_attachment_is_never_lost():
    """A describe that lags behind the accepted detach shows the old holder."""
    bench = started()
    bench.accepted()
    bench.idle(4)

    assert ending(bench) == []


def test_an_eni_that_was_here_and_is_gone_is_lost_after_a_second_look():
    """One describe may be stale; a second one, a second later, is not."""
    bench = started()
    bench.see(free())
    bench.accepted()
    bench.act(within=2)
    bench.see(attaching("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    bench.see(free())
    bench.look()
    one = ending(bench)
    bench.idle(1.5)

    assert one == []
    assert ending(bench) == [("lost", "attachment_gone")]


def test_a_lost_takeover_touches_nothing_more():
    """Also when the ENI moves again: else a loser grabs it at the next move of anybody."""
    bench = started(members=3)
    bench.accepted()
    bench.see(attached("gamma", "att-9"))
    bench.idle(10)
    bench.see(detaching("gamma", "att-9"))

    assert bench.idle(14).calls == ()
    assert [one.result for one in bench.ended] == [Result.LOST]


def test_lost_to_a_stranger_when_every_eni_is_foreign():
    """A foreign instance has it: nothing of the group is left to carry on with."""
    bench = started()
    bench.accepted()
    bench.see(attached("stranger", "att-9"))
    bench.idle(2)

    assert ending(bench) == [("lost", "foreign_holder")]


def test_a_deleted_eni_beside_others_ends_nothing():
    """The others are brought all the same."""
    bench = started(attached("alpha"), attached("alpha"))
    bench.see(detaching("alpha"), missing())
    bench.accepted()
    bench.idle(5)

    assert bench.view.missing
    assert ending(bench) == []
    assert bench.takeover is not None


def test_a_deleted_eni_ends_the_takeover_as_failed():
    """Two answers two seconds apart do not have it: nobody can hold it."""
    bench = started()
    bench.accepted()
    bench.see(missing())
    bench.idle(2)
    one = ending(bench)
    bench.idle(2)

    assert one == []
    assert ending(bench) == [("failed", "eni_missing")]


# Backoff -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "jitter", "delay"),
    [
        (0, 1.0, 0.25),
        (1, 1.0, 0.5),
        (2, 1.0, 1.0),
        (4, 1.0, 4.0),
        (5, 1.0, 5.0),
        (9999, 1.0, 5.0),
        (2, 0.0, 0.5),
    ],
)
def test_backoff_doubles_up_to_five_seconds_and_is_jittered_down_to_half(attempts, jitter, delay):
    """The random number comes with the observation."""
    assert backoff(attempts, jitter) == delay


def test_the_second_detach_of_an_intent_names_the_recorded_attachment():
    """Never the attachment that is there by then."""
    bench = started()
    bench.answered("busy")
    again = bench.act(within=2)

    assert again.calls == (detach(1, "att-1"),)


def test_an_intent_ends_when_the_attachment_is_another_one():
    """The holder has it by a new attachment: this cause is gone, whatever the probes say."""
    bench = started()
    bench.answered("busy")
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert ending(bench) == [("failed", "cause_gone")]
