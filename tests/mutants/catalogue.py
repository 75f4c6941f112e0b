"""Mistakes that the checks must notice: each a small change of the program, by its text.

A mutant's `edits` are (file, old text, new text); each old text must occur exactly once, so that a change
of the program that touches one is noticed here. `caught_by` is a test that fails with it, found by
`python -m tests.mutants.run`, and asked again by `test_mutants.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One planted mistake."""

    name: str
    says: str
    edits: tuple[tuple[str, str, str], ...]


CORE = "core/"
MUTANTS = (
    Mutant(
        name="fall_off_by_one",
        says="fall - 1 downs decide",
        edits=(
            (
                CORE + "health.py",
                "self.consecutive >= self.probe.fall",
                "self.consecutive + 1 >= self.probe.fall",
            ),
        ),
    ),
    Mutant(
        name="unknown_is_down",
        says="an attempt that could not be made counts as down",
        edits=(
            (
                CORE + "health.py",
                "        return replace(health, detail=attempt.detail)\n",
                "        attempt = replace(attempt, answer=Answer.DOWN)\n",
            ),
        ),
    ),
    Mutant(
        name="rereads_the_attachment",
        says="the detach takes whatever attachment is there now, not the recorded one",
        edits=(
            (
                CORE + "moves.py",
                "    allowed = attachment.attachment_id == move.recorded\n",
                "    allowed = True\n",
            ),
            (
                CORE + "outcomes.py",
                "        and attachment.attachment_id != takeover.move(eni.eni_id).recorded\n    )\n\n\ndef _first",
                "        and False\n    )\n\n\ndef _first",
            ),
        ),
    ),
    Mutant(
        name="no_intent_on_disk",
        says="nothing is written before the first detach",
        edits=(
            (
                "reconciler.py",
                "            if self.state.durable != before.durable:\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        name="no_lag_guard",
        says="failures seen while this process stood still count",
        edits=(
            (
                CORE + "update.py",
                "    for stall in view.obs.stalls:\n",
                "    if True:\n        return state\n    for stall in view.obs.stalls:\n",
            ),
        ),
    ),
    Mutant(
        name="cooldown_ignored",
        says="an automatic takeover follows the one before it at once",
        edits=((CORE + "triggers.py", "    if cooldown_until(view) > view.now:", "    if False:"),),
    ),
    Mutant(
        name="limit_ignored",
        says="max_takeovers does not hold",
        edits=((CORE + "triggers.py", "    if limit_until(view) > view.now:", "    if False:"),),
    ),
    Mutant(
        name="turns_ignored",
        says="every standby acts at once",
        edits=(
            (
                CORE + "triggers.py",
                '    return float("inf") if since is None else since + wait',
                "    return view.now",
            ),
        ),
    ),
    Mutant(
        name="last_holder_not_left_out",
        says="the member that last had the ENI takes its turn like any other",
        edits=(
            (
                CORE + "view.py",
                "        out = self.holder.instance_id if self.holder else last_had\n",
                "        out = self.holder.instance_id if self.holder else None\n",
            ),
        ),
    ),
    Mutant(
        name="detaching_is_had",
        says="a member still has an ENI that is detaching from it",
        edits=(
            (
                CORE + "view.py",
                (
                    "        if attachment is None or attachment.status is AttachmentStatus.DETACHING:\n"
                    "            return None\n        return self.policy.member_of"
                ),
                "        if attachment is None:\n            return None\n        return self.policy.member_of",
            ),
        ),
    ),
    Mutant(
        name="no_confirmation",
        says="a takeover starts without one more describe",
        edits=((CORE + "takeover.py", "    if not fresh or too_old:\n", "    if too_old:\n"),),
    ),
    Mutant(
        name="taken_away_unseen",
        says="an attach that another member undoes before a look showed it is made again",
        edits=((CORE + "outcomes.py", "and _is_taken_away(view, takeover, view.first):", "and False:"),),
    ),
    Mutant(
        name="everybody_confirms_early",
        says="a member confirms before the verdict that it will act on later, in its turn",
        edits=((CORE + "takeover.py", "or view.turn != 0 or", "or view.turn is None or"),),
    ),
    Mutant(
        name="early_confirmation_never_ages",
        says="a describe from long before the verdict confirms it",
        edits=((CORE + "takeover.py", "CONFIRM_LATEST if confirm.early else ", ""),),
    ),
    Mutant(
        name="moving_ignored",
        says="row 10 starts while EC2 is moving something",
        edits=(
            (
                CORE + "triggers.py",
                "    if view.is_moving:\n        yield Reason.MOVING\n    if view.takeover",
                "    if view.takeover",
            ),
        ),
    ),
    Mutant(
        name="lock_ignored",
        says="other ENIs are detached before the first one's detach was accepted",
        edits=(
            (
                CORE + "moves.py",
                "    return lock is not None and takeover.move(lock).detach is Sent.ACCEPTED",
                "    return True",
            ),
        ),
    ),
    Mutant(
        name="unproven_ignored",
        says="a holder never seen up is judged down at once",
        edits=(
            (
                CORE + "triggers.py",
                "    if holder_record is None or holder_record.since is None or holder_record.proven:\n        return 0.0",
                "    if holder_record is None or holder_record.since is None or True:\n        return 0.0",
            ),
        ),
    ),
    Mutant(
        name="witnesses_ignored",
        says="a member that is cut off itself takes over",
        edits=((CORE + "triggers.py", "    if not view.witnesses_up:", "    if False:"),),
    ),
    Mutant(
        name="unfit_starts",
        says="a member that is not fit starts a takeover by probes",
        edits=(
            (
                CORE + "triggers.py",
                "    unfit = why_not_fit(view)\n    if unfit is not None:\n        yield unfit\n",
                "",
            ),
        ),
    ),
    Mutant(
        name="observe_acts",
        says="observe mode takes over",
        edits=(
            (
                CORE + "takeover.py",
                "    if trigger is not Trigger.MANUAL and view.policy.takeover is TakeoverMode.OBSERVE:",
                "    if False:",
            ),
        ),
    ),
    Mutant(
        name="never_lost",
        says="a takeover that another member has overtaken goes on",
        edits=(
            (
                CORE + "outcomes.py",
                "        and attachment.attachment_id != takeover.move(eni.eni_id).recorded\n    )\n\n\ndef _first",
                "        and False\n    )\n\n\ndef _first",
            ),
        ),
    ),
    Mutant(
        name="never_forced",
        says="a stuck detach is waited for for ever",
        edits=(
            (
                CORE + "moves.py",
                "        and (detaching or move.bad_state)\n    )",
                "        and False\n    )",
            ),
        ),
    ),
    Mutant(
        name="one_stale_read_is_missing",
        says="an ENI absent from one answer does not exist",
        edits=(
            (
                CORE + "view.py",
                "        if seen_eni and self.obs.enis.began_at - seen_eni.seen_at >= CONFIRM_AFTER:\n            return eni",
                "        return eni",
            ),
        ),
    ),
    Mutant(
        name="failback_without_excuse",
        says="a primary that was fit all the time takes back what it lost",
        edits=(
            (
                CORE + "triggers.py",
                "    if durable.lost_at is None or not (durable.unfit_since_loss or was_absent):",
                "    if durable.lost_at is None:",
            ),
        ),
    ),
    Mutant(
        name="rescue_needs_fitness",
        says="nobody takes an ENI on nobody while every self probe is down",
        edits=(
            (
                CORE + "triggers.py",
                (
                    "    if is_rescue_due(view) and (me is None or not me.state.is_ended):\n"
                    "        return None\n"
                ),
                "",
            ),
        ),
    ),
    Mutant(
        name="pause_keeps_probes",
        says="downs seen during a pause act when it ends",
        edits=((CORE + "update.py", "    if state.was_paused and not paused:", "    if False:"),),
    ),
    Mutant(
        name="ec2_without_doubt",
        says="one answer without the holder's instance is its death",
        edits=(
            (
                CORE + "update.py",
                "    confirmed = absent.confirmed or survey.began_at - absent.since >= CONFIRM_AFTER",
                "    confirmed = True",
            ),
        ),
    ),
    Mutant(
        name="evidence_without_age",
        says="a down of a minute ago acts when a cooldown ends",
        edits=(
            (
                CORE + "triggers.py",
                "    unsure = old if len(down) - len(old) < view.policy.down_needed else ()\n",
                "    unsure = ()\n",
            ),
        ),
    ),
    Mutant(
        name="evidence_kept_over_a_reload",
        says="verdicts, and downs that wait to be read, are of the probe of that name, whatever it asks now",
        edits=(
            (
                CORE + "update.py",
                "    known = {(health.probe, health.member): health for health in state.health}\n",
                "    known = {health.probe.name: health for health in state.health}\n",
            ),
            (
                CORE + "update.py",
                "        health = known.get((probe, target)) or healths.fresh(probe, target, view.now)\n",
                (
                    "        health = known.get(probe.name) or healths.fresh(probe, target, view.now)\n"
                    "        same = health.member == target\n"
                    "        health = replace(health, probe=probe) if same else healths.fresh(probe, target, view.now)\n"
                ),
            ),
            (
                CORE + "update.py",
                "            if (attempt.probe, attempt.member) != (probe, target):\n",
                "            if (attempt.probe.name, attempt.member) != (probe.name, target):\n",
            ),
        ),
    ),
    Mutant(
        name="newcomer_judges_at_once",
        says="a holder found at the first start of a daemon is judged without having been seen up",
        edits=(
            (
                CORE + "update.py",
                "    is_known = attachment_id == state.durable.last_up and",
                "    is_known = at_start or attachment_id == state.durable.last_up and",
            ),
        ),
    ),
    Mutant(
        name="witnesses_without_age",
        says="a witness that was up before the cut is up after it",
        edits=(
            (
                CORE + "triggers.py",
                "    return (*unsure, *_old_witnesses(view, down))\n",
                "    return unsure\n",
            ),
        ),
    ),
    Mutant(
        name="proven_by_another_question",
        says="a holder that was seen up on one port is proven on another",
        edits=(
            (
                CORE + "update.py",
                "    if record is not None and record.asked != asked:\n",
                "    if False:\n",
            ),
        ),
    ),
    Mutant(
        name="one_read_is_a_loss",
        says="one stale read makes a member with all its links a standby",
        edits=(
            (
                CORE + "publish.py",
                "        if before is Role.ACTIVE and view.takeover is None and doubted_until(view) is not None:\n",
                "        if False:\n",
            ),
        ),
    ),
    Mutant(
        name="able_by_a_fresh_look",
        says="without DescribeInstances nobody takes over",
        edits=((CORE + "fitness.py", " or me is None:\n", " or not view.instances.answered:\n"),),
    ),
    Mutant(
        name="a_refusal_is_tried_again",
        says="who is refused an attach in earnest keeps the ENI unattached, and tries again",
        edits=((CORE + "moves.py", "    if move.barred:\n", "    if False:\n"),),
    ),
    Mutant(
        name="an_index_is_waited_for",
        says="who has no free index any more after its detach keeps the ENI unattached, as `taking`",
        edits=(
            (
                CORE + "moves.py",
                "    return Reason.NO_INDEX if index is None else None\n",
                "    return None\n",
            ),
        ),
    ),
    Mutant(
        name="one_up_proves",
        says="a holder of which one probe is up has been seen up, whatever the others say",
        edits=(
            (
                CORE + "update.py",
                "    return bool(ups) and len(of_holder) - len(ups) < policy.down_needed\n",
                "    return bool(ups)\n",
            ),
        ),
    ),
    Mutant(
        name="any_lock_is_the_lock",
        says="who had another first ENI comes last for the one that a stranger gives back",
        edits=(
            (
                CORE + "view.py",
                "durable.lock in {None, self.first.eni_id}\n",
                "True\n",
            ),
        ),
    ),
    Mutant(
        name="a_refusal_is_forgotten",
        says="who was refused an attach in earnest takes the next time that it may",
        edits=((CORE + "fitness.py", "    if barred_until(view) > view.now:\n", "    if False:\n"),),
    ),
    Mutant(
        name="attaching_is_never_stuck",
        says="an attach to a member that has died is waited for as long as EC2 does not end it",
        edits=(
            (
                CORE + "view.py",
                "                return None if waits else seen_eni.seen_at + STUCK_ATTACHING_AFTER",
                "                return None",
            ),
        ),
    ),
    Mutant(
        name="attaching_is_stuck_at_once",
        says="what is attaching to a living member is taken from it",
        edits=((CORE + "view.py", "seen_eni.seen_at + STUCK_ATTACHING_AFTER", "seen_eni.seen_at + 20.0"),),
    ),
    Mutant(
        name="no_yield_to_taking",
        says="what another member is taking is attached by whoever's turn it is",
        edits=(
            (
                CORE + "triggers.py",
                "    if view.takeover is None and view.somebody_takes:",
                "    if False:",
            ),
        ),
    ),
    Mutant(
        name="a_rest_of_a_whole_cooldown",
        says="an attach that hung twice is left for a whole cooldown, though nobody has the ENI",
        edits=(
            (CORE + "state.py", "return min(policy.cooldown, LONGEST_UNATTACHED)", "return policy.cooldown"),
        ),
    ),
    Mutant(
        name="a_pause_ends_a_fence",
        says="a takeover whose stop was accepted ends in a pause, and nobody has the ENI until resume",
        edits=(
            (
                CORE + "decide.py",
                "    if takeover.fence is not Sent.NO and view.holder is not None:\n",
                "    if takeover.fence is not Sent.NO and view.holder is not None and not view.is_paused:\n",
            ),
        ),
    ),
    Mutant(
        name="missing_stops_the_rest",
        says="one ENI that was deleted keeps the others where they are",
        edits=(
            (
                CORE + "triggers.py",
                "        return Reason.FOREIGN_HOLDER\n    if view.is_paused:",
                (
                    "        return Reason.FOREIGN_HOLDER\n    if view.missing:\n"
                    "        return Reason.ENI_MISSING\n    if view.is_paused:"
                ),
            ),
        ),
    ),
    Mutant(
        name="foreign_waits_for_nothing",
        says="the rest of the group goes on at once when a foreign instance takes one ENI",
        edits=(
            (
                CORE + "triggers.py",
                "    if view.foreign_until > view.now:\n        return",
                "    if False:\n        return",
            ),
        ),
    ),
    Mutant(
        name="silence_excuses",
        says="a primary that EC2 did not answer for a while may undo an operator's takeover",
        edits=(
            (
                CORE + "fitness.py",
                "    return any(obstacle is not Reason.EC2_SILENT for obstacle in obstacles(view))",
                "    return why_not_able(view) is not None",
            ),
        ),
    ),
    Mutant(
        name="short_stalls_spoil_nothing",
        says="what probes lost in a stall shorter than max_loop_lag counts",
        edits=(
            (
                CORE + "update.py",
                "    shortest = min(view.policy.max_loop_lag, health.probe.timeout / 2)\n",
                "    shortest = view.policy.max_loop_lag\n",
            ),
        ),
    ),
    Mutant(
        name="last_had_by_name",
        says="who had the ENI last is known by its name, which a reload gives to another member",
        edits=(
            (
                CORE + "update.py",
                "        durable=_had(view, view.holder.instance_id, at_start=at_start),",
                "        durable=_had(view, view.holder.name, at_start=at_start),",
            ),
            (
                CORE + "update.py",
                "    durable, local = view.state.durable, view.policy.me.instance_id\n    durable = changed",
                "    durable, local = view.state.durable, view.policy.me.name\n    durable = changed",
            ),
            (
                CORE + "view.py",
                "        last_had = durable.last_had if is_same_lock else None\n",
                (
                    "        named = [one for one in self.policy.members if one.name == durable.last_had]\n"
                    "        last_had = named[0].instance_id if named and is_same_lock else None\n"
                ),
            ),
        ),
    ),
    Mutant(
        name="silence_ends_the_confirmation",
        says="a describe that failed drops the confirmation that it was asked for",
        edits=(
            (
                CORE + "decide.py",
                "    if decision.action is not Action.CONFIRM and not view.unknown:\n",
                "    if decision.action is not Action.CONFIRM:\n",
            ),
        ),
    ),
    Mutant(
        name="confirmed_before_its_cause",
        says="a holder that came back and died again meanwhile counts as confirmed",
        edits=(
            (
                CORE + "takeover.py",
                "not is_same or confirm.since < cause.cause_at < view.now:\n",
                "not is_same:\n",
            ),
        ),
    ),
    Mutant(
        name="throttled_with_looks",
        says="a throttled detach looks at the ENIs all the while",
        edits=(
            (
                CORE + "polls.py",
                "    if view.waits_for_quota:\n",
                "    if False:\n",
            ),
        ),
    ),
    Mutant(
        name="peers_by_name",
        says="a member whose file calls another one differently does not hear its pause",
        edits=(
            (
                "status.py",
                "    return instance_id == member.instance_id if instance_id else name == member.name\n",
                "    return name == member.name\n",
            ),
        ),
    ),
    Mutant(
        name="pauses_by_the_clock",
        says="a pause ends when the receiver's wall clock says so",
        edits=(
            (
                CORE + "pause.py",
                "            taken = counted(record, remaining(record, obs.now), now=obs.now, wall=obs.wall)\n",
                (
                    "            left = None if record.until is None else record.until - obs.wall\n"
                    "            taken = counted(record, left, now=obs.now, wall=obs.wall)\n"
                ),
            ),
        ),
    ),
    Mutant(
        name="tag_as_it_is",
        says="a Name tag is a member's name whatever it says",
        edits=(
            (
                "discovery.py",
                "    wanted = {one.instance_id: name_in(one.name_tag) for one in taken}\n",
                "    wanted = {one.instance_id: one.name_tag for one in taken}\n",
            ),
        ),
    ),
    Mutant(
        name="last_had_by_anothers_name",
        says="a member that is called by another's instance id is taken for the last holder",
        edits=(
            (
                "assembly.py",
                "    if last_had is None or is_like_an_id(last_had):\n",
                "    if last_had is None:\n",
            ),
        ),
    ),
    Mutant(
        name="pauses_in_a_row",
        says="a record may be an hour newer than the known one, however far ahead that is",
        edits=(
            (
                CORE + "pause.py",
                "record.at <= known.at + FOLLOWS_WITHIN\n",
                "record.at <= known.at + FURTHEST_AHEAD\n",
            ),
        ),
    ),
    Mutant(
        name="writes_what_it_cannot_read",
        says="a memory that no start understands hides the one before it",
        edits=(
            (
                "history.py",
                "            if not can_be_read(DURABLE, memory):\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        name="journal_fails_unseen",
        says="a journal that cannot be written is no check",
        edits=(
            (
                "own_files.py",
                '    problems = {"journal": journal, ',
                '    problems = {"journal": "", ',
            ),
        ),
    ),
    Mutant(
        name="yields_for_ever",
        says="a member that says for ever that it is taking keeps the ENI without a holder",
        edits=(
            (
                CORE + "triggers.py",
                "    if is_rescue_due(view) and (me is None or not me.state.is_ended):\n",
                "    if is_rescue_due(view) and not view.somebody_takes and (me is None or not me.state.is_ended):\n",
            ),
        ),
    ),
)
