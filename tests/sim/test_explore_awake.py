"""The explorer is awake: a decision core with one promise taken out of it is found out."""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core import decide, health, moves, takeover, triggers
from eni_failover.core.vocabulary import Answer
from tests.sim.explore_configs import CONFIGS
from tests.sim.explore_search import Finding, Limits, Search, is_confirmed

STATES = 4000


def found(name: str, **changes) -> Finding:
    """What the explorer finds in a small part of this configuration."""
    config = replace(CONFIGS[name], **changes)
    finding = Search(config, Limits(states=STATES, settle_every=20)).run().finding
    assert finding is not None, "nothing was found"
    assert is_confirmed(config, finding)
    return finding


def test_a_member_that_does_not_wait_for_its_turn_is_found(monkeypatch):
    """The last holder attaches again what has just been taken from it."""
    monkeypatch.setattr(triggers, "turn_at", lambda view, trigger: view.now)

    assert found("pair").name == "nobody_acts_out_of_turn"


def test_unknown_that_counts_as_down_is_found(monkeypatch):
    """Probes that could not be sent take from a holder that is up."""
    advance = health.advance

    def mistaken(known, attempt):
        answer = Answer.DOWN if attempt.answer is Answer.UNKNOWN else attempt.answer
        return advance(known, replace(attempt, answer=answer))

    monkeypatch.setattr(health, "advance", mistaken)

    assert (
        found("pair", hears=("unknown",), faults=(), starts=("quiet",)).name == "no_up_holder_is_taken_from"
    )


def test_an_attachment_id_that_is_read_again_is_found(monkeypatch):
    """A takeover detaches whoever has the first ENI now, not whom it was begun against."""
    carry_on = moves.carry_on

    def mistaken(view, takeover):
        for eni in view.usable:
            if eni.attachment is not None and not view.is_mine(eni):
                move = replace(takeover.move(eni.eni_id), recorded=eni.attachment.attachment_id)
                takeover = takeover.with_move(move)
        return carry_on(view, takeover)

    monkeypatch.setattr(moves, "carry_on", mistaken)
    monkeypatch.setattr(moves, "why_lost", lambda view, takeover: None)
    names = {"the_first_is_detached_by_the_recorded_id", "the_lock_is_taken_by_the_id_of_the_intent"}

    assert found("slow").name in names


def test_an_intent_whose_cause_is_not_asked_again_is_found(monkeypatch):
    """The holder has recovered, or the operator's time is over, and it is detached all the same."""
    monkeypatch.setattr(decide, "_why_gone", lambda view, takeover: None)

    assert found("grace", faults=("busy",), starts=("sent",)).name == "no_up_holder_is_taken_from"


def test_a_pause_that_holds_nobody_back_is_found(monkeypatch):
    """Probes take from a holder in a pause."""
    monkeypatch.setattr(triggers, "why_rest_waits", lambda view: None)

    names = {"a_pause_starts_nothing_but_the_last_resort", "paused_or_observing_takes_nothing_unasked"}

    assert found("paused").name in names


def test_a_limit_that_is_not_kept_is_found(monkeypatch):
    """A second takeover by probes within the window."""
    monkeypatch.setattr(triggers, "limit_until", lambda view: 0.0)

    assert found("again").name == "the_limit_holds_over_restarts"


def test_a_detach_that_does_not_wait_for_the_fence_is_found(monkeypatch):
    """The instance has been told to stop, and runs."""
    monkeypatch.setattr(takeover, "_is_stopped", lambda view, takeover: True)

    assert found("fence").name == "nothing_is_detached_before_the_fence"


def test_an_eni_that_is_left_on_the_floor_is_found(monkeypatch):
    """Its taker died between detach and attach, and nobody looks for it."""
    monkeypatch.setattr(triggers, "unowned", lambda view: None)

    assert found("pair", starts=("detaching",)).name in {
        "the_first_eni_finds_a_member_while_one_lives",
        "who_may_act_acts",
    }
