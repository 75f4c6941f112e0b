"""A cause as a whole: what, why, since when, about which attachment, and what holds it back."""

from dataclasses import replace
from typing import Any

import pytest

from eni_failover.core import triggers
from eni_failover.core.health import Health
from eni_failover.core.model import Observation
from eni_failover.core.policy import FailbackMode, Policy
from eni_failover.core.state import AbsentHolder, Durable, EniObservation, State
from eni_failover.core.triggers import Cause
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Reason, Trigger
from tests.core.builders import (
    MEMBERS,
    WEB,
    attached,
    detaching,
    free,
    instance,
    instances,
    named,
    obs,
    policy,
    probe,
)

NOW = 2000.0


def view(seen: Observation, asked: Policy | None = None, **state: Any) -> View:
    asked = asked or policy()
    known = {"last_answer_at": NOW, "me": instance(asked.me.name), **state}
    return View(State(started_at=0.0, **known), seen, asked)


def seen(*shapes, **changes) -> Observation:
    return obs(*shapes, now=NOW, **changes)


@pytest.mark.parametrize(("since", "cause_at"), [(NOW - 5, NOW - 5), (None, NOW)])
def test_an_eni_on_nobody(since, cause_at):
    """Since it was first seen so."""
    found = triggers.unowned(view(seen(free()), unowned_since=since))

    assert found == Cause(
        trigger=Trigger.UNOWNED, reason=Reason.ENI_UNOWNED, cause_at=cause_at, attachment_id=None
    )


def test_an_eni_whose_detach_is_stuck():
    """With the attachment that does not go."""
    seen_eni = EniObservation(
        eni_id="eni-1", status="detaching", attachment_id="att-1", since=NOW - 99, seen_at=NOW - 20
    )
    found = triggers.unowned(view(seen(detaching("alpha")), observed=(seen_eni,), unowned_since=NOW - 5))

    assert found == Cause(
        trigger=Trigger.UNOWNED, reason=Reason.STUCK_DETACHING, cause_at=NOW - 5, attachment_id="att-1"
    )


@pytest.mark.parametrize(("moved_at", "cause_at"), [(NOW - 10, NOW - 10), (None, NOW)])
def test_a_split_group(moved_at, cause_at):
    """Since the last move."""
    found = triggers.split(view(seen(attached("beta"), free()), policy(enis=2), moved_at=moved_at))

    assert found == Cause(
        trigger=Trigger.SPLIT, reason=Reason.GROUP_SPLIT, cause_at=cause_at, attachment_id="att-1"
    )


@pytest.mark.parametrize(("turn", "cause_at"), [(NOW - 3, NOW - 3), (None, NOW)])
def test_a_holder_that_ec2_says_is_stopped(turn, cause_at):
    """Since the condition holds."""
    stopped = instances(instance("alpha", "stopped"), instance("beta"), at=NOW)
    found = triggers.ec2(view(seen(attached("alpha"), instances=stopped), turn_ec2=turn))

    assert found == Cause(
        trigger=Trigger.EC2, reason=Reason.HOLDER_STOPPED, cause_at=cause_at, attachment_id="att-1"
    )


def test_a_holder_that_ec2_does_not_know():
    """After the second answer without it, and only when it is that instance that was doubted."""
    absent = seen(attached("alpha"), instances=instances(instance("beta"), at=NOW))
    doubt = AbsentHolder(instance_id="i-alpha", since=NOW - 3, confirmed=True)
    found = triggers.ec2(view(absent, absent_holder=doubt))

    assert found == Cause(trigger=Trigger.EC2, reason=Reason.HOLDER_GONE, cause_at=NOW, attachment_id="att-1")
    assert triggers.ec2(view(absent, absent_holder=replace(doubt, confirmed=False))) is None
    assert triggers.ec2(view(absent, absent_holder=replace(doubt, instance_id="i-gamma"))) is None
    assert triggers.ec2(view(absent)) is None


def down(name: str, since: float | None) -> Health:
    return Health(
        probe=named(name),
        member=MEMBERS["alpha"],
        verdict=Answer.DOWN,
        streak=Answer.DOWN,
        consecutive=3,
        down_since=since,
    )


@pytest.mark.parametrize(
    ("one", "other", "cause_at"),
    [(NOW - 9, NOW - 4, NOW - 9), (NOW - 4, NOW - 9, NOW - 9), (NOW - 4, None, NOW - 4), (None, None, NOW)],
)
def test_a_holder_that_the_probes_say_is_down(one, other, cause_at):
    """Since the first attempt that met it, of any probe."""
    asked = policy(probes=(WEB, probe("port")))
    found = triggers.probes(
        view(seen(attached("alpha")), asked, health=(down("web", one), down("port", other)))
    )

    assert found == Cause(
        trigger=Trigger.PROBES, reason=Reason.HOLDER_DOWN, cause_at=cause_at, attachment_id="att-1"
    )


def test_a_primary_that_has_recovered():
    """Since its delay is over."""
    asked = replace(policy("alpha", probes=()), failback=FailbackMode.AUTOMATIC)
    found = triggers.failback(
        view(
            seen(attached("beta")),
            asked,
            fit_since=NOW - 90,
            holder_changed_at=NOW - 120,
            durable=Durable(last_had="i-beta", lost_at=NOW - 120, unfit_since_loss=True),
        )
    )

    assert found == Cause(
        trigger=Trigger.FAILBACK, reason=Reason.PRIMARY_RECOVERED, cause_at=NOW - 30, attachment_id="att-1"
    )


def test_the_failback_delay_counts_from_the_later_of_both():
    """Of becoming fit and of the last change of holder; an unfit member has none."""
    asked = policy("alpha")
    one = view(seen(attached("beta")), asked, fit_since=NOW - 90, holder_changed_at=NOW - 20)

    assert triggers.failback_at(one) == NOW + 40
    assert triggers.failback_at(replace(one, state=replace(one.state, holder_changed_at=None))) == NOW - 30
    assert triggers.failback_at(replace(one, state=replace(one.state, fit_since=None))) is None


@pytest.mark.parametrize(
    ("trigger", "local", "due"),
    [
        (Trigger.UNOWNED, "beta", NOW - 30 + 2),
        (Trigger.UNOWNED, "gamma", NOW - 30 + 4),
        (Trigger.EC2, "beta", NOW - 20),
        (Trigger.EC2, "gamma", NOW - 20 + 2),
        (Trigger.PROBES, "beta", NOW - 10),
        (Trigger.PROBES, "gamma", NOW - 10 + 2),
        (Trigger.SPLIT, "gamma", NOW),
        (Trigger.FAILBACK, "gamma", NOW),
    ],
)
def test_a_turn_comes_so_long_after_its_condition(trigger, local, due):
    """Each row has its own clock; split and failback have no turns."""
    asked = policy(local, members=3)
    one = view(seen(attached("alpha")), asked, turn_unowned=NOW - 30, turn_ec2=NOW - 20, turn_probes=NOW - 10)
    never = replace(one, state=State(started_at=0.0))

    assert triggers.turn_at(one, trigger) == due
    assert triggers.turn_at(never, trigger) == (NOW if due == NOW else float("inf"))


def test_the_clocks_of_the_turns_run_on_and_stop_with_their_condition():
    """And all of them while an ENI is unknown."""
    clocks = {"turn_unowned": NOW - 3, "turn_ec2": NOW - 2, "turn_probes": NOW - 1}
    free_one = triggers.turns(view(seen(free()), **clocks))
    stopped = instances(instance("alpha", "stopped"), instance("beta"), at=NOW)
    gone = triggers.turns(
        view(seen(attached("alpha"), instances=stopped), health=(down("web", NOW - 9),), **clocks)
    )
    begins = triggers.turns(view(seen(free())))

    assert (free_one.turn_unowned, free_one.turn_ec2, free_one.turn_probes) == (NOW - 3, None, None)
    assert (gone.turn_unowned, gone.turn_ec2, gone.turn_probes) == (None, NOW - 2, NOW - 1)
    assert begins.turn_unowned == NOW
