"""Who may start what, and when: rules whose breach EC2 would let pass, and the group would pay for.

Named functions over a detach or attach that EC2 accepted, as in `sim_invariants`. What a probe said is
counted here a second time, from what the daemon was told; the journal is read as the next process would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from eni_failover.core.vocabulary import Scope, Trigger
from tests.sim.sim_facts import Taking

DECISION_AGE = 3.0  # how old a decision may be that is still acted on
CLOCK_GRAIN = 0.01
PASS_AGE = 2.5  # two writes to a disk that hangs, and a little
LAST_HOLDER_AFTER = 10.0
FIRST_TURN_AFTER = 2.0
RESCUE_AFTER = 60.0
FOREIGN_FOR = 60.0
FORESEEN = 1.0


def _starts(one: Taking, *triggers: Trigger) -> bool:
    """Whether it is the first move of a takeover for one of these causes, the stop of its holder included."""
    return one.trigger in triggers and not one.committed and not one.fenced


def _ups(one: Taking, scope: Scope) -> tuple[int, int]:
    """How many probes of this scope there are, and how many of them are up."""
    names = [probe.name for probe in one.policy.probes if probe.scope is scope]
    verdicts = [one.life.verdicts[name] for name in names if name in one.life.verdicts]
    return len(names), sum(verdict.was_up(one.at, within=one.old) for verdict in verdicts)


def the_intent_is_on_disk(one: Taking) -> str | None:
    """Nothing is called before the takeover is in the journal, unless that cannot be written."""
    return None if one.on_disk else "the journal does not know of it"


def who_is_cut_off_takes_nothing(one: Taking) -> str | None:
    """Without a witness that answers, a holder that does not answer may be as well as this member."""
    if not _starts(one, Trigger.PROBES, Trigger.FAILBACK):
        return None
    witnesses, up = _ups(one, Scope.WITNESS)
    return "no witness was up" if witnesses and not up else None


def who_is_unfit_takes_nothing(one: Taking) -> str | None:
    """A member takes from a holder of its own accord only while all its own probes are up."""
    if not _starts(one, Trigger.PROBES, Trigger.FAILBACK, Trigger.EC2):
        return None
    own, up = _ups(one, Scope.SELF)
    return f"{own - up} of its own probes were not up" if up < own else None


def a_takeover_is_followed_by_rest(one: Taking) -> str | None:
    """After a takeover of its own accord a member starts no other by probes or failback for `cooldown`."""
    if not _starts(one, Trigger.PROBES, Trigger.FAILBACK) or not one.from_another:
        return None
    least = one.begun_under.cooldown - PASS_AGE - one.stalled_for
    return None if one.rested_for >= least else f"only {one.rested_for:.1f} s after the one before"


def a_foreign_eni_makes_the_rest_wait(one: Taking) -> str | None:
    """For a minute after a foreign instance has one of the group, nothing is taken from a member."""
    if not _starts(one, Trigger.PROBES, Trigger.FAILBACK, Trigger.EC2, Trigger.SPLIT):
        return None
    known = [since for since in one.life.foreign_since.values() if since < one.matched_at - CLOCK_GRAIN]
    waited = one.at - max(known, default=float("-inf"))
    return f"a foreign instance has one for {waited:.1f} s" if waited < FOREIGN_FOR - CLOCK_GRAIN else None


def a_fresh_look_comes_first(one: Taking) -> str | None:
    """Nothing is moved on the look that the cause was found on: EC2 is asked once more.

    By probes, and first in turn, a moment before the answer that decides.
    """
    if one.intent is None or one.committed:
        return None
    early = FORESEEN if one.trigger is Trigger.PROBES and one.turn == 0 else 0.0
    least = one.matched_at - early - CLOCK_GRAIN
    return None if one.life.enis_asked_at >= least else "EC2 was not asked again"


def each_waits_for_its_turn(one: Taking) -> str | None:
    """By probes, each member waits `stagger` longer than the one before it in the file."""
    if not _starts(one, Trigger.PROBES) or not one.from_another:
        return None
    names = {probe.name for probe in one.policy.probes if probe.scope is Scope.HOLDER}
    since = sorted(
        verdict.down_since
        for name, verdict in one.life.verdicts.items()
        if name in names and verdict.was_down(one.at, within=DECISION_AGE)
    )[: one.policy.down_needed]
    waited = one.at - max(since, default=one.at)
    wait = one.begun_under.stagger * one.turn - CLOCK_GRAIN
    return None if waited >= wait else f"waited {waited:.1f} s of {wait:.1f} s"


def what_somebody_takes_is_left_to_him(
    trigger: Trigger, taking: Collection[str], free_for: float
) -> str | None:
    """What nobody has is left to a reachable member that says it is taking, but for the last resort.

    `taking` are the members that said so to the pass that began; `free_for` is for how long nobody has had
    it.
    """
    wrong = trigger is Trigger.UNOWNED and taking and free_for < RESCUE_AFTER - CLOCK_GRAIN
    return f"{sorted(taking)} said that they are taking" if wrong else None


def who_had_it_last_comes_last(one: Taking) -> str | None:
    """What nobody has is left alone for two seconds, and for ten by the member that had it last."""
    free_since = one.life.lock_free_since
    if not _starts(one, Trigger.UNOWNED) or not one.is_first or free_since is None:
        return None
    members, stagger = len(one.policy.members), one.begun_under.stagger
    if one.life.lock_last_on == one.flight.instance_id:
        wait = max(LAST_HOLDER_AFTER, members * stagger)
    else:
        wait = max(FIRST_TURN_AFTER, stagger)
    waited = one.at - free_since
    return None if waited >= wait - CLOCK_GRAIN else f"waited {waited:.1f} s of {wait:.1f} s"


STARTS: tuple[Callable[[Taking], str | None], ...] = (
    the_intent_is_on_disk,
    who_is_cut_off_takes_nothing,
    who_is_unfit_takes_nothing,
    a_takeover_is_followed_by_rest,
    a_foreign_eni_makes_the_rest_wait,
    a_fresh_look_comes_first,
    each_waits_for_its_turn,
    who_had_it_last_comes_last,
)
"""Asked, as `sim_invariants.ACCEPTED`, of every detach and attach that EC2 accepted."""
