"""What must never be so, whatever goes wrong: named functions over facts of the running world.

Each gives what is wrong, or nothing. The audit asks them of every call that EC2 accepted, of every takeover
that ended and of everything that a member shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eni_failover.core.policy import FailbackMode, Policy, TakeoverMode
from eni_failover.core.vocabulary import Answer, Result, Scope, Trigger
from tests.sim.sim_facts import Counted, Taking

DECISION_AGE = 3.0  # how old a decision may be that is still acted on
LAG_AND_CALLS = 3.0  # a stall too short to be one, and two exchanges with EC2
KNOWLEDGE_AGE = 30.0  # since the last answered describe: hangs, retries and a refusal's delay
RESCUE_AFTER = 60.0
STUCK_ATTACHING_AFTER = 180.0
CLOCK_GRAIN = 0.01
PASS_AGE = 2.5  # two writes to a disk that hangs, and a little
READ_LAG = 10.0  # no describe of the simulation is older, its own way included


def a_serving_holder_is_left_alone(one: Taking) -> str | None:
    """Nobody takes by probes from a holder whose service its probes could see up for long enough."""
    if one.trigger is not Trigger.PROBES or one.committed or not one.from_another:
        return None
    return "took from a holder that serves" if one.up_for > recovery_seen(one.policy) else None


def probes_decide_by_falls(one: Taking) -> str | None:
    """A takeover by probes rests on `fall` downs of enough probes in this life; unknown is not down.

    They are the newest answers to the question asked now, and young. Of a holder that was asked to stop only
    an answer that it is up counts.
    """
    if one.trigger is not Trigger.PROBES or one.committed or not one.from_another:
        return None
    names = {probe.name: probe.settings for probe in one.policy.probes if probe.scope is Scope.HOLDER}
    asked = [
        verdict
        for name, verdict in one.life.verdicts.items()
        if name in names and verdict.about[:2] == (names[name], one.holder_instance)
    ]
    if one.fenced:
        up = [verdict for verdict in asked if verdict.streak is Answer.UP]
        return "the holder is up" if len(names) - len(up) < one.policy.down_needed else None
    down = [verdict for verdict in asked if verdict.was_evidence(one.at, within=DECISION_AGE)]
    return None if len(down) >= one.policy.down_needed else "probes did not say so"


def an_up_answer_starts_nothing(one: Taking) -> str | None:
    """No takeover by probes begins when the latest answer of the probes that decide is up."""
    if one.trigger is not Trigger.PROBES or one.committed or one.fenced or not one.from_another:
        return None
    names = {probe.name for probe in one.policy.probes if probe.scope is Scope.HOLDER}
    verdicts = [verdict for name, verdict in one.life.verdicts.items() if name in names]
    up = [verdict for verdict in verdicts if verdict.up_since < one.matched_at - CLOCK_GRAIN]
    return "the last answers were up" if len(verdicts) - len(up) < one.policy.down_needed else None


def an_unproven_holder_has_its_grace(one: Taking) -> str | None:
    """A holder never seen up by the taker is given its time, from its coming or the taker's start."""
    if one.trigger is not Trigger.PROBES or one.committed or one.fenced or not one.from_another:
        return None
    record = one.life.holder_record
    if record is None or record.proven or record.since is None or record.attachment_id != one.attachment_id:
        return None
    grace = one.policy.cooldown if record.answered else max(one.policy.cooldown, one.policy.unproven_grace)
    known_for = one.at - record.since
    return (
        None if known_for >= grace - CLOCK_GRAIN else f"took from an unproven holder after {known_for:.1f} s"
    )


def ec2s_word_was_heard(one: Taking) -> str | None:
    """A takeover by EC2's word rests on an answer of this life that the holder does not run."""
    if one.trigger is not Trigger.EC2 or one.committed or not one.from_another:
        return None
    return None if one.life.heard_it_ended(one.holder_instance) else "EC2 did not say so"


def unowned_means_unowned(one: Taking) -> str | None:
    """A rescue takes from nobody who has the ENI: only a stuck detach, or an attach without an end."""
    if one.trigger is not Trigger.UNOWNED or one.committed or not one.from_another:
        return None
    endless = one.status == "attaching" and one.attaching_for > STUCK_ATTACHING_AFTER
    return None if endless or one.status == "detaching" else "rescued what somebody has"


def a_split_takes_no_lock(one: Taking) -> str | None:
    """Gathering a split group never takes the first ENI from another member."""
    wrong = one.trigger is Trigger.SPLIT and one.is_first and one.from_another
    return "a split took the lock" if wrong else None


def an_operator_has_asked(one: Taking) -> str | None:
    """A manual takeover moves something only when it was asked for in this life and has not expired."""
    if one.trigger is not Trigger.MANUAL or one.committed or not one.from_another:
        return None
    return None if one.at <= one.life.asked_until + DECISION_AGE else "nobody has asked, or long ago"


def failback_is_the_primarys(one: Taking) -> str | None:
    """A failback is the primary's, and only where the file says so."""
    if one.trigger is not Trigger.FAILBACK or one.committed:
        return None
    told = one.policy.failback is FailbackMode.AUTOMATIC and one.policy.is_primary
    return None if told else "took back without being told to"


def nothing_without_an_intent(one: Taking) -> str | None:
    """Every detach and attach belongs to a takeover that was written down first."""
    return "no takeover on disk" if one.intent is None else None


def a_pause_takes_from_nobody(one: Taking) -> str | None:
    """Paused, a member takes from a holder only for an operator or past the point of no return.

    A stop that was accepted is such a point.
    """
    told = one.committed or one.fenced or one.trigger is Trigger.MANUAL
    wrong = one.paused and one.from_another and not told
    return "took while paused" if wrong and one.status not in {"detaching", "attaching"} else None


def a_pause_lasts_as_long_as_was_said(one: Taking) -> str | None:
    """Whatever the clocks say: who knows the record is held back until then, and no sooner takes from
    anybody.
    """
    told = one.committed or one.fenced or one.trigger in {Trigger.MANUAL, Trigger.UNOWNED}
    wrong = one.from_another and not told and one.at < one.pause_until - CLOCK_GRAIN
    return f"the pause lasts {one.pause_until - one.at:.1f} s more" if wrong else None


def a_pause_reaches_who_can_be_told(one: Taking) -> str | None:
    """Whatever the file calls the members: a pause on one holds back all that it can tell."""
    told = one.committed or one.fenced or one.trigger in {Trigger.MANUAL, Trigger.UNOWNED}
    wrong = one.from_another and not told and one.unheard
    return f"{one.unheard} is paused, and could have told it" if wrong else None


def a_pause_lets_the_unowned_wait(one: Taking) -> str | None:
    """Paused, a member attaches what nobody has only after a minute, or for an operator."""
    wrong = one.paused and not one.committed and one.trigger is Trigger.UNOWNED
    waited = max(one.free_for, one.attaching_for - STUCK_ATTACHING_AFTER)
    return "rescued at once while paused" if wrong and waited < RESCUE_AFTER - 1.0 else None


def observe_takes_from_nobody(one: Taking) -> str | None:
    """In observe mode a member acts only for an operator or past the point of no return."""
    observes = one.policy.takeover is TakeoverMode.OBSERVE
    wrong = observes and not one.committed and one.trigger is not Trigger.MANUAL
    return "took in observe mode" if wrong else None


def only_what_was_seen_is_detached(one: Taking) -> str | None:
    """A detach names an attachment that EC2 has shown to this very process, not long ago."""
    if not one.attachment_id:
        return None
    if one.attachment_id not in one.life.attachments:
        return "never saw that attachment"
    heard_at = one.life.enis_heard_at
    # A process that was stopped past its point of no return goes on with what it had: EC2 compares the id.
    fresh = heard_at is not None and one.at - heard_at <= KNOWLEDGE_AGE + one.stalled_for
    return None if fresh else "acted without an answer of EC2"


def the_lock_goes_first(one: Taking) -> str | None:
    """No other ENI is taken before the lock's detach was accepted or the lock is here."""
    if one.is_first or one.intent is None or not one.from_another:
        return None
    return None if one.committed or one.first_is_here else "another ENI before the lock"


def the_lock_is_taken_by_its_recorded_id(one: Taking) -> str | None:
    """From another member the lock is detached only by the id that the intent has recorded."""
    if not one.is_first or not one.from_another or one.intent is None or not one.attachment_id:
        return None
    return None if one.recorded == one.attachment_id else f"the lock, and {one.recorded} was recorded"


ACCEPTED: tuple[Callable[[Taking], str | None], ...] = (
    a_serving_holder_is_left_alone,
    probes_decide_by_falls,
    an_up_answer_starts_nothing,
    an_unproven_holder_has_its_grace,
    ec2s_word_was_heard,
    unowned_means_unowned,
    a_split_takes_no_lock,
    an_operator_has_asked,
    failback_is_the_primarys,
    nothing_without_an_intent,
    a_pause_takes_from_nobody,
    a_pause_lasts_as_long_as_was_said,
    a_pause_reaches_who_can_be_told,
    a_pause_lets_the_unowned_wait,
    observe_takes_from_nobody,
    only_what_was_seen_is_detached,
    the_lock_goes_first,
    the_lock_is_taken_by_its_recorded_id,
)
"""Asked of every detach and attach that EC2 accepted."""


def the_limit_holds(before: Sequence[Counted], policy: Policy, now: float) -> str | None:
    """A member starts no more than max_takeovers by probes or failback within the window."""
    since = now - policy.max_takeovers_window
    ended = [one for one in before if one.ended_at is not None and one.ended_at > since]
    return None if len(ended) < policy.max_takeovers else f"{len(ended)} takeovers before this one"


def one_winner_for_each_observation(winners: set[str], member: str, result: Result) -> str | None:
    """Of those who acted on the same attachment one member at most succeeds."""
    wrong = result is Result.SUCCESS and bool(winners - {member})
    return f"{member} and {sorted(winners)} won the same" if wrong else None


def hooks_run_in_order(due: Sequence[str], begun: int, role: str, *, another_runs: bool) -> str | None:
    """Hooks run one after another, each change of role once, in the order of the changes."""
    if another_runs:
        return f"the hook for {role} began while another ran"
    if begun >= len(due) or due[begun] != role:
        return f"the hook for {role} ran, due were {list(due)[begun:]}"
    return None


def active_has_every_link(role: str, lost: Mapping[str, float | None], now: float) -> str | None:
    """Who calls itself active has a link for every ENI of the group.

    `lost` are the ENIs without a link and since when; a pass that waits for the disk shows what it saw
    two writes ago.
    """
    missing = [eni_id for eni_id, at in lost.items() if at is None or now - at > PASS_AGE]
    return f"active without {missing}" if role == "active" and missing else None


def who_has_everything_stays_active(before: str, role: str, *, had_for: float, absent: bool) -> str | None:
    """An active member is a standby only when it has lost something.

    `had_for` is for how long it has had every ENI, with its link ready; `absent` is whether EC2 has said
    twice that one does not exist.
    """
    gave_up = (before, role) == ("active", "standby") and had_for > READ_LAG and not absent
    return f"gave up what it has had for {had_for:.1f} s" if gave_up else None


def fault_has_a_cause(role: str, *, unready_for: float, gone_for: float | None) -> str | None:
    """A fault is a link that is not ready for a minute, or one lost while EC2 still shows it attached.

    `gone_for` is for how long EC2 has ended the attachment whose link was lost, None without such a loss.
    """
    if role != "fault" or unready_for >= RESCUE_AFTER - 1.0:
        return None
    return None if gone_for is not None and gone_for <= READ_LAG else "fault without a cause"


def recovery_seen(policy: Policy) -> float:
    """Within how many seconds a member has noticed that the holder serves, and acts on nothing older.

    What is down is asked at the fast interval, and one answer that is up ends the evidence.
    """
    seen = [2 * probe.timeout + probe.fast_interval for probe in policy.probes if probe.scope is Scope.HOLDER]
    return max(seen, default=0.0) + DECISION_AGE + LAG_AND_CALLS
