"""Taking in an observation: what is remembered of the holder, the probes, the stalls and the surveys."""

from dataclasses import replace

import pytest

from eni_failover.core import update
from eni_failover.core.state import Durable, HolderRecord, State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Role
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    attached,
    attaching,
    attempt,
    detaching,
    free,
    missing,
    obs,
    policy,
    unknown,
)


def verdict(bench: Bench, name: str = "web") -> Answer:
    return next(one.verdict for one in bench.state.health if one.probe.name == name)


# The holder ----------------------------------------------------------------------------------------


def test_the_last_holder_is_remembered_while_the_eni_is_on_nobody():
    """The turn leaves it out."""
    bench = Bench(attached("alpha"))
    bench.see(detaching("alpha"))
    bench.look()
    bench.see(free())
    bench.look()

    assert bench.state.durable.last_had == "i-alpha"
    assert bench.state.holder_record is None


KNOWN = Durable(last_had="i-alpha", last_up="att-1")


def test_a_holder_found_at_the_start_that_was_seen_up_has_no_beginning():
    """By the attachment in the journal: it is judged at once, on fresh counters."""
    bench = Bench(attached("alpha"), durable=KNOWN, settle=False)
    bench.look()

    assert bench.state.holder_record.since is None


@pytest.mark.parametrize(
    "durable",
    [Durable(), Durable(last_had="i-alpha"), replace(KNOWN, last_up="att-0")],
    ids=["a first start", "never seen up", "seen up by another attachment"],
)
def test_any_other_holder_found_at_the_start_counts_from_the_start(durable):
    """Nothing shows that this member can reach it: it is unproven."""
    bench = Bench(attached("alpha"), durable=durable, settle=False)
    bench.look()

    assert bench.state.holder_record.since == bench.state.started_at
    assert bench.state.holder_record.proven is False


def test_a_holder_found_by_the_first_whole_answer_is_found_at_the_start():
    """A deleted ENI makes the first answer a partial one; the holder was there all the same."""
    bench = Bench(attached("alpha"), missing(), durable=KNOWN, settle=False)
    bench.idle(5)

    assert bench.state.holder_record.since is None


def test_a_holder_found_after_an_api_outage_at_the_start_is_found_at_the_start():
    """Describes that fail say nothing about the holder's age."""
    bench = Bench(attached("alpha"), durable=KNOWN, settle=False)
    bench.ec2_answers = False
    bench.idle(5)
    bench.ec2_answers = True
    bench.idle(10)

    assert bench.state.holder_record.since is None


def test_the_attachment_whose_holder_was_seen_up_is_remembered():
    """In the journal, until another holder is seen up: downs, silence and a new holder change nothing."""
    bench = Bench(attached("alpha"), local="gamma", members=3)
    seen = [bench.state.durable.last_up]
    bench.says(web="down")
    bench.idle(2)
    seen.append(bench.state.durable.last_up)
    bench.see(attached("beta", "att-9"))
    bench.idle(8)
    seen.append(bench.state.durable.last_up)
    bench.says(web="up")
    bench.idle(3)

    assert seen == ["att-1"] * 3
    assert bench.state.durable.last_up == "att-9"


def test_a_new_holder_begins_when_it_is_first_seen():
    """From `attaching` on: a member has what is attaching to it."""
    bench = Bench(attached("alpha"), members=3, local="gamma")
    bench.see(attaching("beta", "att-9"))
    bench.look()
    began = bench.now
    bench.see(attached("beta", "att-9"))
    bench.idle(3)

    assert bench.state.holder_record.since == began
    assert bench.state.holder_record.instance_id == "i-beta"


def test_the_same_member_by_a_new_attachment_is_a_new_holder():
    """It lost the ENI and has it again: what was seen of it before does not count."""
    bench = Bench(attached("alpha"))
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.state.holder_record.since == bench.now
    assert bench.state.holder_record.proven is False


def test_a_holder_seen_up_is_proven():
    """Rise decides what up is."""
    bench = Bench(attached("alpha"))

    assert bench.state.holder_record.proven is True


@pytest.mark.parametrize(("answer", "answered"), [("silent", False), ("unknown", False), ("down", True)])
def test_a_refusal_is_a_sign_of_life(answer, answered):
    """A timeout and an attempt that could not be sent are none."""
    bench = Bench(attached("alpha"), settle=False)
    bench.says(web=answer)
    bench.idle(2)

    assert answered is bench.state.holder_record.answered
    assert bench.state.holder_record.proven is False


def test_an_unknown_answer_may_carry_a_sign_of_life():
    """A refused peer probe is unknown, and its host is alive."""
    bench = Bench(attached("alpha"), settle=False)
    bench.look()
    refused = replace(attempt(answer="unknown", at=bench.now), answered=True)
    bench.peek(attempts=(refused,))

    assert bench.state.holder_record.answered is True
    assert verdict(bench) is Answer.UNKNOWN


def test_self_probes_say_nothing_of_the_holder():
    """Only holder probes prove a holder."""
    bench = Bench(attached("alpha"), probes=(SELF,))

    assert verdict(bench, "disk") is Answer.UP
    assert bench.state.holder_record.proven is False
    assert bench.state.holder_record.answered is False


def test_a_survey_that_failed_changes_no_tenure():
    """Nothing was seen: the holder is who it was."""
    bench = Bench(attached("alpha"))
    before = bench.state.holder_record
    bench.ec2_answers = False
    bench.look()

    assert bench.state.holder_record == before


# Surveys -------------------------------------------------------------------------------------------


def test_failed_describes_are_counted_and_an_answer_ends_the_count():
    """The delay before the next one grows with them."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    bench.look()
    failed = bench.state.describe_failures
    bench.ec2_answers = True
    bench.look()

    assert failed == 2
    assert bench.state.describe_failures == 0


def test_a_survey_seen_twice_is_one_survey():
    """Passes between describes learn nothing new from the old answer."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    bench.peek()

    assert bench.state.describe_failures == 1


def test_an_unknown_eni_keeps_its_last_sight():
    """An ENI that one answer did not show has not moved."""
    bench = Bench(attached("alpha"), detaching("alpha"))
    before = bench.state.observed
    bench.see(attached("alpha"), unknown())
    bench.look()

    assert bench.state.observed == before


def test_a_change_of_status_and_of_attachment_begin_a_new_sight():
    """What is timed from them: stuck detaches, moving, split."""
    bench = Bench(attached("alpha"))
    bench.see(detaching("alpha"))
    bench.look()
    first = bench.state.observed[0].since
    bench.see(detaching("alpha"))
    bench.look()
    second = bench.state.observed[0].since
    bench.see(detaching("alpha", "att-9"))
    bench.look()

    assert first == second
    assert bench.state.observed[0].since > second


# Roles before anything is known --------------------------------------------------------------------


def test_no_role_is_known_before_ec2_has_answered():
    """A restarted holder does not say standby for a moment."""
    bench = Bench(attached("beta"), settle=False)
    bench.ec2_answers = False
    bench.idle(5)
    silent = bench.state.role_known
    bench.ec2_answers = True
    bench.idle(5)

    assert silent is False
    assert bench.state.role_known is True
    assert bench.role is Role.ACTIVE


def test_no_role_is_known_from_a_partial_answer():
    """One ENI of two is not in the first answer: that makes no holder a standby."""
    bench = Bench(attached("beta"), missing(), settle=False)
    bench.look()
    partial = bench.state.role_known
    bench.idle(5)

    assert partial is False
    assert bench.role is Role.ACTIVE


# Memory --------------------------------------------------------------------------------------------


def test_past_takeovers_are_forgotten_after_the_longer_of_window_and_cooldown():
    """The journal does not grow for ever."""
    bench = Bench(attached("alpha"), max_takeovers_window=30.0, cooldown=60.0)
    bench.says(web="down")
    bench.act(within=10)
    bench.see(free())
    bench.accepted()
    bench.act(within=5)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(55)
    kept = len(bench.state.durable.past)
    bench.idle(20)

    assert kept == 1
    assert bench.state.durable.past == ()


def test_fit_since_begins_again_after_every_obstacle():
    """failback_delay counts from the last of them."""
    bench = Bench(attached("alpha"), local="beta")
    began = bench.state.fit_since
    bench.local = replace(LOCAL, attach_allowed=False)
    bench.peek()
    denied = bench.state.fit_since
    bench.local = LOCAL
    bench.peek()

    assert began is not None
    assert denied is None
    assert bench.state.fit_since == bench.now


# Links and losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shapes", [[attached("beta")], [attached("beta"), attached("alpha")]])
def test_a_link_is_waited_for_only_while_all_enis_are_here(shapes):
    """Ready, or in pieces: there is nothing to be late with."""
    bench = Bench(*shapes, local="beta", members=3, settle=False)
    bench.link(1, present=len(shapes) == 1)
    bench.peek()
    bench.look()

    assert bench.state.here == ("eni-1",)
    assert bench.state.not_ready_since is None


@pytest.mark.parametrize(
    ("state", "without"),
    [
        ({"known_at": None}, False),
        ({"holder_record": None}, True),
        ({"holder_record": HolderRecord(instance_id="i-alpha", attachment_id="att-1", since=1.0)}, True),
        ({"holder_record": HolderRecord(instance_id="i-beta", attachment_id="att-1", since=1.0)}, False),
        ({"durable": Durable(last_had="i-alpha")}, False),
        ({"durable": Durable(last_had="i-alpha", lost_at=1.0)}, True),
    ],
    ids=["not known yet", "on nobody", "on another", "here", "never here", "lost"],
)
def test_a_member_is_without_the_first_eni_once_it_is_known_to_have_left(state, without):
    """Row 11 asks how it was since: a daemon that has just started knows nothing of that yet."""
    known = {"known_at": 1.0, "durable": Durable(last_had="i-beta"), **state}
    seen = View(State(started_at=0.0, **known), obs(free()), policy())

    assert update._is_without(seen) is without
