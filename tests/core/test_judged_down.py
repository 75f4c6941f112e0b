"""Judged down: how many holder probes, and the holder that has never been seen up."""

import pytest

from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Reason
from tests.core.bench import Bench
from tests.core.builders import (
    SELF,
    WEB,
    WITNESS,
    attached,
    attaching,
    attempt,
    detach,
    foreign,
    free,
    missing,
    probe,
    takeover_request,
)


def downs(bench: Bench, count: int = 3, name: str = "web", about: str = "alpha") -> None:
    """So many downs arrive in one pass."""
    bench.peek(attempts=tuple(attempt(name, "down", about=about, at=bench.now) for _ in range(count)))


# Judged down ---------------------------------------------------------------------------------------

WEB_SSH = (WEB, probe("ssh"), probe("db"))


@pytest.mark.parametrize(
    ("needed", "down", "judged"),
    [
        (3, ("web", "ssh", "db"), True),
        (3, ("web", "ssh"), False),
        (2, ("web", "db"), True),
        (2, ("db",), False),
        (1, ("db",), True),
        (1, (), False),
    ],
)
def test_down_when_says_how_many_must_be_down(needed, down, judged):
    """all, N, any of three holder probes."""
    bench = Bench(attached("alpha"), probes=WEB_SSH, down_needed=needed)
    for name in down:
        downs(bench, name=name)
    bench.look()

    assert judged is bool(bench.decision.calls)


def test_a_probe_without_a_verdict_is_not_down():
    """`all` of two, one of which could never be sent."""
    bench = Bench(attached("alpha"), probes=(WEB, probe("ssh")))
    bench.says(web="down", ssh="unknown")

    assert bench.idle(60).calls == ()


def test_self_and_witness_probes_judge_no_holder():
    """down_when counts holder probes only."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF, WITNESS), down_needed=1)
    bench.says(disk="down", gateway="down")

    assert bench.idle(30).reason is Reason.HOLDER_UP


def test_no_holder_probe_is_never_all_down():
    """Without one only EC2's word, an ENI on nobody, an operator or a failback start anything."""
    bench = Bench(attached("alpha"), probes=(SELF,))

    assert bench.idle(60).reason is Reason.NO_HOLDER_PROBE


def test_the_cause_dates_from_the_first_down_of_the_earliest_probe():
    """The detect phase of `any` and of `all` alike."""
    bench = Bench(attached("alpha"), probes=(WEB, probe("ssh")))
    bench.says(ssh="down")
    bench.idle(5)
    first = bench.now
    bench.says(web="down")
    bench.act(within=10)

    assert bench.takeover.cause_at < first - 3


# Unproven ------------------------------------------------------------------------------------------


def unproven(answer: str, **changes) -> Bench:
    """A member that has just become holder, and has never been up here: gamma watches beta."""
    bench = Bench(attached("alpha"), local="gamma", members=3, stagger=0.0, **changes)
    bench.says(web=answer)
    bench.see(attached("beta", "att-9"))
    bench.look()
    return bench


def test_an_unproven_holder_that_refuses_is_judged_after_the_cooldown():
    """A slow start of the service is not a death."""
    bench = unproven("down")
    held_back = bench.idle(59)

    assert held_back.reason is Reason.UNPROVEN_HOLDER
    assert bench.act(within=3).calls == (detach(1, "att-9"),)


def test_an_unproven_holder_that_gives_no_answer_is_judged_after_the_grace():
    """A partition or a closed security group is as likely as a death."""
    bench = unproven("silent")
    held_back = bench.idle(299)

    assert held_back.reason is Reason.UNPROVEN_HOLDER
    assert bench.act(within=3).calls == (detach(1, "att-9"),)


def test_a_refusal_shortens_the_grace_to_the_cooldown():
    """One sign of life, and it is a host with a dead service."""
    bench = unproven("silent")
    bench.idle(100)
    downs(bench, 1, about="beta")

    assert bench.act(within=3).calls == (detach(1, "att-9"),)


def test_a_cooldown_longer_than_the_grace_counts():
    """Unproven and silent waits for both."""
    bench = unproven("silent", cooldown=60.0, unproven_grace=10.0)

    assert bench.idle(59).reason is Reason.UNPROVEN_HOLDER
    assert bench.act(within=3).calls == (detach(1, "att-9"),)


def test_a_proven_holder_is_judged_at_once():
    """It was up since it became holder."""
    bench = unproven("up")
    bench.idle(5)
    bench.says(web="silent")

    assert bench.act(within=5).calls == (detach(1, "att-9"),)


def found(answer: str, *, last_up: str | None = None, **changes) -> Bench:
    """Gamma has just been started, and finds beta with the ENI."""
    durable = Durable(last_had="i-beta", last_up=last_up)
    bench = Bench(
        attached("beta"), local="gamma", members=3, stagger=0.0, durable=durable, settle=False, **changes
    )
    bench.says(web=answer)
    return bench


def test_a_holder_found_at_the_start_that_was_seen_up_is_judged_at_once():
    """By the attachment of the journal, on fresh counters: down since before this daemon was started."""
    bench = found("silent", last_up="att-1")

    assert bench.act(within=6).calls == (detach(),)


@pytest.mark.parametrize("last_up", [None, "att-0"], ids=["nobody", "another attachment"])
@pytest.mark.parametrize(("answer", "grace"), [("silent", 300), ("down", 60)])
def test_any_other_holder_found_at_the_start_is_unproven(last_up, answer, grace):
    """A newcomer behind a closed security group takes from nobody: each scale-out is a first start."""
    bench = found(answer, last_up=last_up)
    held_back = bench.idle(grace - 1)

    assert held_back.reason is Reason.UNPROVEN_HOLDER
    assert bench.act(within=4).calls == (detach(),)


def test_a_newcomer_that_reaches_the_holder_has_no_grace():
    """Once it has seen it up, it is a standby as any other."""
    bench = found("up")
    bench.idle(5)
    bench.says(web="silent")

    assert bench.act(within=5).calls == (detach(),)


def test_a_restart_behind_a_closed_security_group_keeps_the_grace():
    """It was never seen up: not before, and not since."""
    bench = found("silent")
    bench.idle(100)
    after = Bench(
        attached("beta"),
        local="gamma",
        members=3,
        durable=bench.state.durable,
        at=bench.now + 1,
        settle=False,
    )
    after.says(web="silent")

    assert after.idle(250).reason is Reason.UNPROVEN_HOLDER


def test_a_newcomer_follows_ec2s_word_at_once():
    """Row 9 asks no probe."""
    bench = found("silent")
    bench.machine("beta", "stopped")

    assert bench.act(within=3).calls == (detach(),)


def test_a_newcomer_obeys_an_operator_at_once():
    """Row 5 asks none either."""
    bench = found("silent")
    bench.idle(3)
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))

    assert bench.act(within=1.5).calls == (detach(),)


WEB_AND_SSH = (WEB, probe("ssh"))


@pytest.mark.parametrize("newcomer", [found, unproven], ids=["a newcomer", "a new holder"])
def test_one_probe_of_many_proves_no_holder_that_the_others_judge_down(newcomer):
    """With `any`, the port that the security group lets through says nothing of the one that it does not."""
    bench = newcomer("silent", probes=WEB_AND_SSH, down_needed=1)
    bench.says(ssh="up")
    held_back = bench.idle(50)

    assert held_back.reason is Reason.UNPROVEN_HOLDER
    assert bench.state.durable.last_up != bench.state.holder_record.attachment_id
    assert bench.act(within=600).calls != ()


def test_a_holder_whose_probes_are_up_in_turn_has_never_been_up():
    """Each was up once, and never so many at a time that it was not judged down."""
    bench = found("up", probes=WEB_AND_SSH, down_needed=1)
    bench.says(web="up", ssh="down")
    bench.idle(10)
    bench.says(web="down", ssh="up")
    bench.idle(10)

    assert bench.decision.reason is Reason.UNPROVEN_HOLDER
    assert bench.state.durable.last_up is None


@pytest.mark.parametrize(("needed", "proven"), [(1, False), (2, True)], ids=["any", "all"])
def test_as_many_ups_prove_it_as_keep_it_from_being_judged_down(needed, proven):
    """With `all`, one that is up is enough."""
    bench = found("up", probes=WEB_AND_SSH, down_needed=needed)
    bench.says(web="up", ssh="down")
    bench.idle(10)

    assert (bench.state.durable.last_up == "att-1") is proven


def test_an_up_of_before_it_became_holder_proves_nothing():
    """The same member by another attachment: the service is started anew."""
    bench = Bench(attached("alpha"), stagger=0.0)
    bench.says(web="unknown")
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.state.holder_record.attachment_id == "att-9"
    assert not bench.state.holder_record.proven


@pytest.mark.parametrize(
    "seen",
    [free(), missing(), attached("gamma", "att-0"), attaching("alpha", "att-0"), foreign("att-0")],
    ids=["free", "missing", "another holder", "an older attachment", "a stranger"],
)
def test_one_stale_read_takes_no_proof_away(seen):
    """The attachment that was seen up is there again: it is the same holder, and it was up."""
    bench = Bench(attached("alpha"), local="beta", members=3, stagger=0.0)
    bench.idle(5)
    bench.see(seen)
    bench.look()
    bench.see(attached("alpha"))
    bench.look()
    bench.says(web="down")

    assert bench.act(within=6).calls == (detach(),)


def test_another_first_eni_is_no_other_holder():
    """The first was deleted, or went to a stranger: the holder of the rest was up all the time."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.idle(5)
    bench.see(missing(), attached("alpha"))
    bench.idle(10)
    bench.says(web="silent")

    assert bench.act(within=6).calls == (detach(2),)


def test_a_reload_with_another_question_proves_nothing():
    """The new port may be one that the security group drops: as at a first start."""
    bench = Bench(attached("alpha"))
    bench.set_policy(probes=(probe("web", settings="another port"),))
    bench.says(web="silent")

    assert bench.idle(250).reason is Reason.UNPROVEN_HOLDER


def test_a_restart_with_another_question_proves_nothing_either():
    """The journal has the attachment, seen up by the port of before."""
    before = Bench(attached("alpha"))
    after = Bench(
        attached("alpha"),
        durable=before.state.durable,
        at=before.now + 1,
        settle=False,
        probes=(probe("web", settings="another port"),),
    )
    after.says(web="silent")

    assert after.idle(250).reason is Reason.UNPROVEN_HOLDER


def test_another_name_or_rhythm_is_the_same_question():
    """Names are for show, and how often it is asked is no matter."""
    bench = Bench(attached("alpha"))
    bench.set_policy(probes=(probe("site", interval=2.0, fall=2),))
    bench.answers["site"] = "silent"

    assert bench.act(within=12).calls == (detach(),)


# Witnesses -----------------------------------------------------------------------------------------


def test_a_witness_from_before_the_cut_says_nothing_of_after_it():
    """The same cable: a witness that is asked seldom was up a moment ago. It is asked once more."""
    slow = probe("gateway", "witness", interval=60.0, fast_interval=1.0)
    bench = Bench(attached("alpha"), probes=(WEB, slow))
    bench.says(web="silent", gateway="not asked")
    bench.idle(6)

    assert bench.decision.action == "confirm"
    assert bench.state.asked == ("gateway",)


def test_a_witness_that_answers_since_is_enough():
    """One attempt begun after the holder's first down."""
    bench = Bench(attached("alpha"), probes=(WEB, WITNESS))
    bench.says(web="down")

    assert bench.act(within=5).calls == (detach(),)
