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
            (CORE + "health.py", "decided = consecutive >= needed", "decided = consecutive + 1 >= needed"),
        ),
    ),
    Mutant(
        name="unknown_is_down",
        says="an attempt that could not be made counts as down",
        edits=(
            (
                CORE + "health.py",
                "    if attempt.answer is Answer.UNKNOWN:\n        unknowns = health.unknowns + 1",
                (
                    "    if attempt.answer is Answer.UNKNOWN:\n"
                    "        attempt = replace(attempt, answer=Answer.DOWN)\n"
                    "    if attempt.answer is Answer.UNKNOWN:\n"
                    "        unknowns = health.unknowns + 1"
                ),
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
                CORE + "absorb.py",
                "    if not long:\n        return view.state\n    kept",
                "    if long or True:\n        return view.state\n    kept",
            ),
        ),
    ),
    Mutant(
        name="cooldown_ignored",
        says="an automatic takeover follows the one before it at once",
        edits=((CORE + "candidates.py", "    if cooldown_until(view) > view.now:", "    if False:"),),
    ),
    Mutant(
        name="limit_ignored",
        says="max_takeovers does not hold",
        edits=((CORE + "candidates.py", "    if limit_until(view) > view.now:", "    if False:"),),
    ),
    Mutant(
        name="turns_ignored",
        says="every standby acts at once",
        edits=(
            (
                CORE + "candidates.py",
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
                CORE + "group.py",
                "        out = self.holder.name if self.holder else self.state.durable.last_had",
                '        out = self.holder.name if self.holder else ""',
            ),
        ),
    ),
    Mutant(
        name="detaching_is_had",
        says="a member still has an ENI that is detaching from it",
        edits=(
            (
                CORE + "group.py",
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
        edits=((CORE + "starting.py", "    if not fresh:\n", "    if False:\n"),),
    ),
    Mutant(
        name="moving_ignored",
        says="row 10 starts while EC2 is moving something",
        edits=(
            (
                CORE + "candidates.py",
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
                CORE + "candidates.py",
                "    if tenure is None or tenure.since is None or tenure.proven:\n        return 0.0",
                "    if tenure is None or tenure.since is None or True:\n        return 0.0",
            ),
        ),
    ),
    Mutant(
        name="witnesses_ignored",
        says="a member that is cut off itself takes over",
        edits=((CORE + "candidates.py", "    if not view.witnesses_up:", "    if False:"),),
    ),
    Mutant(
        name="unfit_starts",
        says="a member that is not fit starts a takeover by probes",
        edits=(
            (
                CORE + "candidates.py",
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
                CORE + "starting.py",
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
                CORE + "group.py",
                "        if sight and self.obs.enis.began_at - sight.seen_at >= CONFIRM_AFTER:\n            return eni",
                "        return eni",
            ),
        ),
    ),
    Mutant(
        name="failback_without_excuse",
        says="a primary that was fit all the time takes back what it lost",
        edits=(
            (
                CORE + "candidates.py",
                "    if durable.lost_at is None or not (durable.excused or was_absent):",
                "    if durable.lost_at is None:",
            ),
        ),
    ),
    Mutant(
        name="rescue_needs_fitness",
        says="nobody takes an ENI on nobody while every self probe is down",
        edits=(
            (
                CORE + "candidates.py",
                (
                    "    if view.now - since >= RESCUE_AFTER and instance and instance.state is InstanceState.RUNNING:\n"
                    "        return None\n"
                ),
                "",
            ),
        ),
    ),
    Mutant(
        name="pause_keeps_probes",
        says="downs seen during a pause act when it ends",
        edits=((CORE + "absorb.py", "    if state.was_paused and not paused:", "    if False:"),),
    ),
    Mutant(
        name="ec2_without_doubt",
        says="one answer without the holder's instance is its death",
        edits=(
            (
                CORE + "absorb.py",
                "    sure = unseen.sure or survey.began_at - unseen.since >= CONFIRM_AFTER",
                "    sure = True",
            ),
        ),
    ),
)
