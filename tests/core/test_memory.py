"""What one more observation changes of the memory, and that it changes nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from eni_failover.core.model import Eni, Stall
from eni_failover.core.policy import Policy, question_of
from eni_failover.core.state import (
    AbsentHolder,
    Confirm,
    Durable,
    EniObservation,
    HolderRecord,
    RecentTakeover,
    State,
)
from eni_failover.core.update import update
from eni_failover.core.vocabulary import Answer, Trigger
from tests.core.builders import (
    SELF,
    attached,
    attaching,
    attempt,
    detaching,
    free,
    instance,
    instances,
    missing,
    obs,
    policy,
    silence,
    survey,
    unknown,
)

THEN, NOW = 1990.0, 2000.0
BETA = policy(probes=())


def steady(*shapes: Eni, asked: Policy = BETA, **state: Any) -> State:
    """What is known at THEN of a world that has been so for a while."""
    known = State(started_at=0.0, **state)
    for moment in (THEN - 10, THEN):
        known = update(known, obs(*shapes, now=moment, enis=survey(*shapes, at=moment)), asked)
    return known


def later(
    known: State, *shapes: Eni, asked: Policy = BETA, at: float = NOW, **changes: Any
) -> dict[str, Any]:
    """The fields that one more look, ten seconds later, has changed."""
    seen = {"enis": survey(*shapes, at=at), **changes}
    after = update(known, obs(*shapes, now=NOW, **seen), asked)
    return {
        name: getattr(after, name)
        for name in State.__dataclass_fields__
        if getattr(after, name) != getattr(known, name)
    }


LOOKED = {"surveyed_at": NOW, "last_answer_at": NOW, "instances": obs(now=NOW).instances}


def eni_observation(status: str, attachment_id: str | None = None, since: float = NOW) -> EniObservation:
    """So since then; nobody has it unless it is attaching or attached."""
    owned = status in {"attaching", "attached"}
    return EniObservation(
        eni_id="eni-1",
        status=status,
        attachment_id=attachment_id,
        since=since,
        seen_at=NOW,
        unowned_since=None if owned else since,
    )


def test_a_look_at_the_same_world_renews_what_is_known():
    """Nothing has moved."""
    assert later(steady(attached("alpha")), attached("alpha")) == LOOKED


def test_the_same_look_again_tells_nothing():
    """A pass between two describes."""
    known = steady(attached("alpha"))

    assert later(known, attached("alpha"), at=THEN, instances=known.instances) == {}


def test_a_look_that_failed_is_counted():
    """What was known stays known."""
    known = steady(attached("alpha"))
    failed = later(known, enis=silence(1, at=NOW), instances=instances(at=NOW, answered=False))

    assert failed == {
        "surveyed_at": NOW,
        "describe_failures": 1,
        "instances_failures": 1,
        "instances_failed_at": NOW,
    }


def test_a_look_at_the_instances_that_failed_is_counted_once():
    """However many passes hear of it."""
    failed = instances(at=NOW, answered=False)
    known = replace(steady(attached("alpha")), instances_failures=3, instances_failed_at=NOW)

    assert later(known, attached("alpha"), at=THEN, instances=failed) == {}


def test_an_answer_ends_the_count_of_failures():
    """However many there were."""
    known = replace(steady(attached("alpha")), describe_failures=4, instances_failures=3)

    assert later(known, attached("alpha")) == {**LOOKED, "describe_failures": 0, "instances_failures": 0}


def test_a_partial_answer_moves_no_holder():
    """It was an answer all the same."""
    known = steady(attached("alpha"))

    assert later(known, unknown()) == LOOKED


def test_an_eni_on_nobody_has_moved():
    """The holder_record ends; who had it last is remembered."""
    known = steady(attached("alpha"))

    assert later(known, free()) == {
        **LOOKED,
        "observed": (eni_observation("known"),),
        "moved_at": NOW,
        "holder_record": None,
        "unowned_since": NOW,
    }


def test_a_late_answer_dates_the_move_from_when_it_was_taken():
    """A stall lay between the question and the answer: bounds count from the answer."""
    changed = later(steady(attached("alpha")), free(), at=NOW - 5)

    assert changed["observed"] == (eni_observation("known", since=NOW - 5),)
    assert changed["moved_at"] == NOW


def test_the_first_eni_is_on_nobody_whatever_is_known_of_the_others():
    """And nothing is said of it while it is unknown itself."""
    two = policy(probes=(), enis=2)
    known = steady(attached("alpha"), attached("alpha"), asked=two)

    assert later(known, free(), unknown(), asked=two)["unowned_since"] == NOW
    assert "unowned_since" not in later(known, unknown(), free(), asked=two)


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        (detaching("alpha"), eni_observation("detaching", "att-1")),
        (missing(), eni_observation("missing")),
    ],
)
def test_each_change_of_an_eni_is_dated(shape, seen):
    """By the describe that showed it first."""
    changed = later(steady(attached("alpha")), shape)

    assert changed["observed"] == (seen,)
    assert changed["moved_at"] == NOW


def test_another_holder_is_new_in_office():
    """Since this pass, and unproven."""
    asked = policy(probes=(), members=3)
    known = steady(attached("alpha"), asked=asked)
    found = later(known, attaching("gamma", "att-9"), asked=asked)

    assert found["holder_record"] == HolderRecord(
        instance_id="i-gamma", attachment_id="att-9", since=NOW, asked=question_of(())
    )
    assert found["holder_changed_at"] == NOW
    assert found["durable"] == Durable(last_had="i-gamma", lock="eni-1")


def test_the_same_holder_with_another_attachment_is_new_in_office_too():
    """But the holder has not changed."""
    found = later(steady(attached("alpha")), attached("alpha", "att-9"))

    assert found["holder_record"] == HolderRecord(
        instance_id="i-alpha", attachment_id="att-9", since=NOW, asked=question_of(())
    )
    assert {"holder_changed_at", "durable"} & found.keys() == set()


def test_what_comes_here_is_here_and_not_ready():
    """Its link has not been looked for."""
    known = steady(attached("alpha"), durable=Durable(lost_at=5.0, unfit_since_loss=True, lost_unseen=True))
    found = later(known, attached("beta", "att-9"))

    assert found["here"] == ("eni-1",)
    assert found["not_ready_since"] == NOW
    assert found["durable"] == Durable(last_had="i-beta", lock="eni-1")


def test_what_another_takes_from_here_is_lost():
    """Seen by this daemon, which was fit."""
    found = later(steady(attached("beta")), attached("alpha", "att-9"))

    assert found["here"] == ()
    assert found["not_ready_since"] is None
    assert found["durable"] == Durable(last_had="i-alpha", lock="eni-1", lost_at=NOW)


def test_a_member_that_recovers_in_the_pass_that_shows_its_loss_was_unfit_when_it_lost():
    """The loss is older than the answer that it is up."""
    asked = policy(probes=(replace(SELF, rise=1),))
    known = steady(attached("beta"), asked=asked)
    known = replace(known, health=(replace(known.health[0], verdict=Answer.DOWN),))
    up = attempt(asked.probes[0], "up", about="beta", at=NOW)
    found = later(known, attached("alpha", "att-9"), asked=asked, attempts=(up,))

    assert found["health"][0].verdict is Answer.UP
    assert found["durable"].unfit_since_loss is True


@pytest.mark.parametrize(("ago", "blocked"), [(3600.0, True), (3601.0, False)])
def test_a_loss_within_the_window_after_a_failback_blocks_the_next(ago, blocked):
    """To its last second."""
    known = steady(attached("beta"))
    known = replace(known, durable=replace(known.durable, failback_at=NOW - ago))

    assert later(known, attached("alpha", "att-9"))["durable"].failback_blocked is blocked


def test_the_waits_for_what_is_so_are_dated_once():
    """On nobody, or not ready: since the first pass that found it so."""
    bare = steady(free())
    waiting = steady(attached("beta"))

    assert bare.unowned_since == THEN - 10
    assert later(bare, free()) == LOOKED
    assert waiting.not_ready_since == THEN - 10
    assert later(waiting, attached("beta")) == LOOKED


def test_a_member_is_fit_since_the_pass_that_found_it_so():
    """A break starts it over."""
    known = steady(attached("alpha"))
    full = instances(instance("alpha"), instance("beta", interface_count=15), at=NOW)

    assert known.fit_since == THEN - 10
    assert later(known, attached("alpha"), instances=full) == {
        **LOOKED,
        "instances": full,
        "me": full.instances[1],
        "fit_since": None,
    }


def test_a_holder_that_an_answer_does_not_know_is_doubted_and_then_gone():
    """Two seconds apart; an answer that does not know this member either proves nothing."""
    known = steady(attached("alpha"))
    alone = instances(instance("beta"), at=NOW)
    doubted = replace(known, absent_holder=AbsentHolder(instance_id="i-alpha", since=NOW - 2))
    early = replace(known, absent_holder=AbsentHolder(instance_id="i-alpha", since=NOW - 1))
    nobody = instances(instance("gamma"), at=NOW)

    assert later(known, attached("alpha"), instances=alone)["absent_holder"] == AbsentHolder(
        instance_id="i-alpha", since=NOW
    )
    assert later(doubted, attached("alpha"), instances=alone)["absent_holder"] == AbsentHolder(
        instance_id="i-alpha", since=NOW - 2, confirmed=True
    )
    assert "absent_holder" not in later(early, attached("alpha"), instances=alone)
    assert later(doubted, attached("alpha"))["absent_holder"] is None
    assert "absent_holder" not in later(doubted, attached("alpha"), instances=nobody)
    assert later(doubted, attached("beta", "att-9"))["absent_holder"] is None


def test_a_long_stall_makes_everything_start_over():
    """What waited, what was to be confirmed, and whose turn it was."""
    known = replace(
        steady(attached("beta")),
        turn_unowned=1.0,
        turn_ec2=2.0,
        turn_probes=3.0,
        confirm=Confirm(trigger=Trigger.PROBES, attachment_id="att-1", since=4.0),
    )
    long = Stall(from_at=NOW - 3, to_at=NOW - 1.9)
    short = Stall(from_at=NOW - 1.5, to_at=NOW - 0.5)
    began = {"turn_unowned": None, "turn_ec2": None, "turn_probes": None, "confirm": None}

    assert later(known, attached("beta"), stalls=(short,)) == LOOKED
    assert later(known, attached("beta"), stalls=(long, short)) == {
        **LOOKED,
        **began,
        "stalled_at": NOW - 1.9,
        "not_ready_since": NOW,
    }


def test_takeovers_are_remembered_for_the_longer_of_window_and_cooldown():
    """And not a moment longer."""
    asked = policy(probes=(), max_takeovers_window=100.0, cooldown=200.0)
    old, last = (RecentTakeover(trigger=Trigger.PROBES, ended_at=NOW - age) for age in (200.5, 200.0))
    known = replace(steady(attached("alpha")), durable=Durable(last_had="i-alpha", past=(old, last)))

    assert later(known, attached("alpha"), asked=asked)["durable"].past == (last,)


def asked_before_a_stall() -> State:
    """What is known of a probe after a stall that ended a second ago."""
    asked = policy()
    stall = Stall(from_at=NOW - 4, to_at=NOW - 1)
    return update(steady(attached("alpha"), asked=asked), obs(attached("alpha"), stalls=(stall,)), asked)


@pytest.mark.parametrize(("started_at", "consecutive"), [(NOW - 1, 0), (NOW - 0.9, 1)])
def test_a_failure_begun_before_a_stall_was_over_does_not_count(started_at, consecutive):
    """Up to its very end; told in an earlier pass, it is remembered."""
    failed = replace(attempt("web", "down", at=NOW), started_at=started_at)
    seen = obs(attached("alpha"), now=NOW, attempts=(failed,))
    after = update(asked_before_a_stall(), seen, policy())

    assert after.health[0].consecutive == consecutive


def test_an_answer_after_a_spoilt_one_counts_in_the_same_pass():
    """Only what was begun before the stall was over is left out."""
    spoilt = replace(attempt("web", "down", at=NOW - 0.9), started_at=NOW - 2)
    good = attempt("web", "down", at=NOW)
    seen = obs(attached("alpha"), now=NOW, attempts=(spoilt, good))
    after = update(asked_before_a_stall(), seen, policy())

    assert after.health[0].consecutive == 1


def test_the_facts_about_this_instance_stay_until_there_are_newer_ones():
    """A look that failed, and one that does not have this instance, take nothing back."""
    known = steady(attached("alpha"))
    failed = instances(at=NOW, answered=False)
    without = instances(instance("alpha"), at=NOW)
    newer = instances(instance("beta", instance_type="c7g.large"), at=NOW)

    assert known.me == instance("beta")
    assert "me" not in later(known, attached("alpha"), instances=failed)
    assert "me" not in later(known, attached("alpha"), instances=without)
    assert later(known, attached("alpha"), instances=newer)["me"] == newer.instances[0]


def test_new_facts_about_this_instance_end_what_an_attach_was_refused_for():
    """Something else about it may make EC2 think otherwise; the same facts again do not."""
    known = replace(steady(attached("alpha")), barred_at=NOW - 60)
    newer = instances(instance("beta", used_indexes=(0, 2)), at=NOW)

    assert "barred_at" not in later(known, attached("alpha"))
    assert later(known, attached("alpha"), instances=newer)["barred_at"] is None
