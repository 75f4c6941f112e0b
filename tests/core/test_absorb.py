"""Taking in an observation: what is remembered of the holder, the probes, the stalls and the surveys."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Stall
from eni_failover.core.state import Durable
from eni_failover.core.words import Answer, Role
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attached,
    attaching,
    attempt,
    detaching,
    free,
    missing,
    peer,
    probe,
    unknown,
)


def verdict(bench: Bench, name: str = "web") -> Answer:
    return next(one.verdict for one in bench.state.health if one.probe == name)


# The holder ----------------------------------------------------------------------------------------


def test_the_last_holder_is_remembered_while_the_eni_is_on_nobody():
    """The turn leaves it out."""
    bench = Bench(attached("alpha"))
    bench.see(detaching("alpha"))
    bench.look()
    bench.see(free())
    bench.look()

    assert bench.state.durable.last_had == "alpha"
    assert bench.state.tenure is None


def test_a_holder_found_at_the_start_has_no_beginning():
    """It is judged at once, on fresh counters."""
    bench = Bench(attached("alpha"), settle=False)
    bench.look()

    assert bench.state.tenure.since is None


def test_a_holder_found_by_the_first_whole_answer_has_no_beginning():
    """A deleted ENI makes the first answer a partial one; the holder was there all the same."""
    bench = Bench(attached("alpha"), missing(), settle=False)
    bench.idle(5)

    assert bench.state.tenure.since is None


def test_a_holder_found_after_an_api_outage_at_the_start_has_no_beginning():
    """Describes that fail say nothing about the holder's age."""
    bench = Bench(attached("alpha"), settle=False)
    bench.ec2_answers = False
    bench.idle(5)
    bench.ec2_answers = True
    bench.idle(10)

    assert bench.state.tenure.since is None


def test_a_new_holder_begins_when_it_is_first_seen():
    """From `attaching` on: a member has what is attaching to it."""
    bench = Bench(attached("alpha"), members=3, local="gamma")
    bench.see(attaching("beta", "att-9"))
    bench.look()
    began = bench.now
    bench.see(attached("beta", "att-9"))
    bench.idle(3)

    assert bench.state.tenure.since == began
    assert bench.state.tenure.member == "beta"


def test_the_same_member_by_a_new_attachment_is_a_new_holder():
    """It lost the ENI and has it again: what was seen of it before does not count."""
    bench = Bench(attached("alpha"))
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.state.tenure.since == bench.now
    assert bench.state.tenure.proven is False


def test_a_holder_seen_up_is_proven():
    """Rise decides what up is."""
    bench = Bench(attached("alpha"))

    assert bench.state.tenure.proven is True


@pytest.mark.parametrize(("answer", "answered"), [("silent", False), ("unknown", False), ("down", True)])
def test_a_refusal_is_a_sign_of_life(answer, answered):
    """A timeout and an attempt that could not be sent are none."""
    bench = Bench(attached("alpha"), settle=False)
    bench.says(web=answer)
    bench.idle(2)

    assert answered is bench.state.tenure.answered
    assert bench.state.tenure.proven is False


def test_an_unknown_answer_may_carry_a_sign_of_life():
    """A refused peer probe is unknown, and its host is alive."""
    bench = Bench(attached("alpha"), settle=False)
    bench.look()
    refused = replace(attempt(answer="unknown", at=bench.now), answered=True)
    bench.peek(attempts=(refused,))

    assert bench.state.tenure.answered is True
    assert verdict(bench) is Answer.UNKNOWN


def test_self_probes_say_nothing_of_the_holder():
    """Only holder probes prove a holder."""
    bench = Bench(attached("alpha"), probes=(SELF,))

    assert verdict(bench, "disk") is Answer.UP
    assert bench.state.tenure.proven is False
    assert bench.state.tenure.answered is False


def test_a_survey_that_failed_changes_no_tenure():
    """Nothing was seen: the holder is who it was."""
    bench = Bench(attached("alpha"))
    before = bench.state.tenure
    bench.ec2_answers = False
    bench.look()

    assert bench.state.tenure == before


# Lost ----------------------------------------------------------------------------------------------


def test_losing_the_first_eni_is_dated_when_another_member_has_it():
    """Not while it is on nobody: it may come back here."""
    bench = Bench(attached("alpha"), local="alpha")
    bench.see(free())
    bench.look()
    on_nobody = bench.state.durable.lost_at
    bench.see(attaching("beta", "att-9"))
    bench.look()

    assert on_nobody is None
    assert bench.state.durable.lost_at == bench.now
    assert bench.state.durable.lost_unseen is False


def test_a_loss_found_at_the_start_was_not_seen():
    """The daemon was down when it happened: row 11 asks the holder how it came."""
    bench = Bench(attached("beta"), local="alpha", durable=Durable(last_had="alpha"), settle=False)
    bench.look()

    assert bench.state.durable.lost_unseen is True


def test_having_it_again_clears_the_loss():
    """What is held is not lost."""
    lost = Durable(last_had="beta", lost_at=1.0, excused=True, lost_unseen=True)
    bench = Bench(attached("alpha"), local="alpha", durable=lost)

    assert bench.state.durable == Durable(last_had="alpha")


def test_a_second_change_among_others_keeps_the_date_of_the_loss():
    """Beta, then gamma: alpha lost it once."""
    bench = Bench(attached("alpha"), local="alpha", members=3)
    bench.see(attached("beta", "att-8"))
    bench.look()
    lost_at = bench.state.durable.lost_at
    bench.idle(5)
    bench.see(attached("gamma", "att-9"))
    bench.look()

    assert bench.state.durable.lost_at == lost_at
    assert bench.state.durable.last_had == "gamma"


def test_an_unfit_member_is_excused_when_it_loses():
    """Its self probe was down: the primary may take back once it has recovered."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(5)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.excused is True


def test_a_member_that_becomes_unfit_after_the_loss_is_excused_too():
    """Row 11: unfit when or since I lost it."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.see(attached("beta", "att-9"))
    bench.look()
    fit = bench.state.durable.excused
    bench.says(disk="down")
    bench.idle(5)

    assert fit is False
    assert bench.state.durable.excused is True


def test_a_member_that_never_had_it_is_not_excused():
    """Row 11 is for what was lost."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(5)

    assert bench.state.durable.excused is False


# A failback that fails -----------------------------------------------------------------------------


def failed_back(**changes) -> Bench:
    """Alpha took the group back 60 s ago."""
    return Bench(attached("alpha"), local="alpha", durable=Durable(last_had="alpha", failback_at=940.0), **changes)


def test_a_takeover_soon_after_a_failback_blocks_the_next_one():
    """Else a broken but fit primary takes back, fails, takes back."""
    bench = failed_back()
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is True


def test_an_operators_takeover_after_a_failback_blocks_nothing():
    """Beta says that it was asked to."""
    bench = failed_back()
    bench.peers = (peer("beta", takeover_trigger="manual"),)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is False


def test_what_beta_is_doing_counts_and_not_what_it_did_last_week():
    """A takeover by probes is under way there; its last one was an operator's."""
    bench = failed_back()
    bench.peers = (peer("beta", takeover_trigger="probes", last_takeover_trigger="manual"),)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is True


def test_a_takeover_long_after_a_failback_blocks_nothing():
    """The window is max_takeovers_window."""
    bench = failed_back(max_takeovers_window=30.0)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is False


# Probes --------------------------------------------------------------------------------------------


def test_three_downs_in_one_pass_decide():
    """Answers that come together count one by one."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now + number / 10) for number in range(3)))

    assert verdict(bench) is Answer.DOWN


def test_answers_about_another_member_do_not_count():
    """An attempt that was under way when the holder changed is about the old holder."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", about="gamma", at=bench.now) for _ in range(3)))

    assert verdict(bench) is Answer.UP


def test_a_new_holder_is_probed_afresh():
    """Nothing that was seen of the old holder is known of the new one."""
    bench = Bench(attached("alpha"), members=3, local="gamma")
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert verdict(bench) is Answer.UNKNOWN


def test_the_holder_probes_no_holder():
    """Alpha holds: its holder probes have no target."""
    bench = Bench(attached("alpha"), local="alpha")

    assert [one.member for one in bench.state.health] == [None]
    assert verdict(bench) is Answer.UNKNOWN


def test_self_and_witness_probes_are_about_this_member():
    """They go on whoever holds."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF, WITNESS))

    assert [one.member for one in bench.state.health] == ["alpha", "beta", "beta"]
    assert [one.verdict for one in bench.state.health] == ["up", "up", "up"]


def test_a_probe_that_a_reload_added_begins_with_nothing():
    """And one that it removed is forgotten."""
    bench = Bench(attached("alpha"))
    bench.set_policy(probes=(probe("ssh"),))
    bench.peek()

    assert [(one.probe, one.verdict) for one in bench.state.health] == [("ssh", "unknown")]


# Stalls --------------------------------------------------------------------------------------------


def stalled(bench: Bench, seconds: float) -> Stall:
    return Stall(from_at=bench.now - seconds, to_at=bench.now)


def test_a_long_stall_clears_the_downs_seen_so_far():
    """down down STALL down is not down."""
    bench = Bench(attached("alpha"))
    for second in range(2):
        bench.peek(attempts=(attempt(answer="down", at=bench.now + second),))
    bench.peek(stalls=(stalled(bench, 2.0),))
    bench.now += 3
    bench.peek(attempts=(attempt(answer="down", at=bench.now),))

    assert verdict(bench) is Answer.UP


def test_a_stall_within_bounds_clears_nothing():
    """max_loop_lag is 1 s here."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now) for _ in range(2)))
    bench.peek(stalls=(stalled(bench, 1.0),))
    bench.now += 1
    bench.peek(attempts=(attempt(answer="down", at=bench.now),))

    assert verdict(bench) is Answer.DOWN


def test_a_failure_during_the_stall_does_not_count():
    """It is told together with the stall."""
    bench = Bench(attached("alpha"), probes=(probe(fall=1),))
    bench.peek(stalls=(stalled(bench, 2.0),), attempts=(attempt(answer="down", at=bench.now - 1),))

    assert verdict(bench) is Answer.UP


def test_a_failure_begun_during_the_stall_and_told_later_does_not_count():
    """The attempt's timeout was already running while this process stood still."""
    bench = Bench(attached("alpha"), probes=(probe(fall=1),))
    bench.peek(stalls=(stalled(bench, 2.0),))
    late = replace(attempt(answer="down", at=bench.now + 0.5), started_at=bench.now - 0.4)
    bench.now += 0.6
    bench.peek(attempts=(late,))

    assert verdict(bench) is Answer.UP


def test_a_stall_drops_what_was_to_be_confirmed_and_the_turns():
    """Everything that holds one back begins afresh."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now) for _ in range(3)))
    confirming = bench.state.confirm
    bench.peek(stalls=(stalled(bench, 2.0),))

    assert confirming is not None
    assert bench.state.confirm is None
    assert bench.state.turn_probes is None


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
    before = bench.state.sights
    bench.see(attached("alpha"), unknown())
    bench.look()

    assert bench.state.sights == before


def test_a_change_of_status_and_of_attachment_begin_a_new_sight():
    """What is timed from them: stuck detaches, moving, split."""
    bench = Bench(attached("alpha"))
    bench.see(detaching("alpha"))
    bench.look()
    first = bench.state.sights[0].since
    bench.see(detaching("alpha"))
    bench.look()
    second = bench.state.sights[0].since
    bench.see(detaching("alpha", "att-9"))
    bench.look()

    assert first == second
    assert bench.state.sights[0].since > second


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
