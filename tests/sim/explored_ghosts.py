"""What the invariants remember of a member from pass to pass, read from the observations themselves.

Owns a second, plainer reading of the rules for probes, of the point of no return and of the takeover
limit, so that the core is not measured by its own memory. Moves nothing and decides nothing.
"""

from __future__ import annotations

from eni_failover.core.decision import Attach, Decision, Detach
from eni_failover.core.group import View
from eni_failover.core.model import (
    AttachmentStatus,
    Attempt,
    InstanceState,
    Mutation,
    Observation,
    PauseKind,
    Presence,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import InstanceId, Policy
from eni_failover.core.state import State
from eni_failover.core.words import Answer, Result, Scope, Trigger
from tests.sim.explored_node import Ghost, Heard, Intent

LIMITED = {Trigger.PROBES, Trigger.FAILBACK}
STALE_AFTER = 3  # unknown answers in a row leave no verdict

_ENDED = {
    InstanceState.STOPPING,
    InstanceState.STOPPED,
    InstanceState.SHUTTING_DOWN,
    InstanceState.TERMINATED,
}


def take_in(ghost: Ghost, before: State, view: View) -> Ghost:
    """What this pass's observation says; the decision is not looked at."""
    obs, policy = view.obs, view.policy
    tenure = view.state.tenure
    me = policy.me.instance_id
    holder = tenure.instance_id if tenure and tenure.instance_id != me else None
    if before.was_paused and not view.is_paused:
        # Nothing heard during a pause may count after it.
        ghost = ghost._replace(holder=Heard(), myself=Heard(), witness=Heard(), causes=(None, None, None))
    ghost = ghost._replace(
        holder=_hear(ghost.holder, Scope.HOLDER, holder, obs, policy),
        myself=_hear(ghost.myself, Scope.SELF, me, obs, policy),
        witness=_hear(ghost.witness, Scope.WITNESS, me, obs, policy),
    )
    ghost = ghost._replace(causes=_causes(ghost, view))
    if ghost.intent is None:
        return ghost
    intent = _aim(ghost.intent, view)
    if intent.shot == "yes" and not intent.counted:
        intent = intent._replace(counted=True)
        if intent.trigger in LIMITED:
            ghost = ghost._replace(ledger=(*ghost.ledger, obs.now))
    return ghost._replace(intent=intent)


def _hear(heard: Heard, scope: Scope, about: InstanceId | None, obs: Observation, policy: Policy) -> Heard:
    probe = next((one for one in policy.probes if one.scope is scope), None)
    if probe is None:
        return heard
    if heard.about != about:
        heard = Heard(about=about)
    for one in obs.attempts:
        if one.probe == probe and one.member.instance_id == about:
            heard = _listen(heard, one, probe.rise, probe.fall)
    if heard.verdict != Answer.DOWN:
        return heard._replace(since=None)
    return heard if heard.since is not None else heard._replace(since=obs.now)


def _listen(heard: Heard, one: Attempt, rise: int, fall: int) -> Heard:
    if one.answer is Answer.UNKNOWN:
        unknowns = heard.unknowns + 1
        if unknowns >= STALE_AFTER:
            return Heard(about=heard.about, unknowns=unknowns)
        return heard._replace(unknowns=unknowns)
    word = str(one.answer)
    run = heard.run + 1 if word == heard.streak else 1
    verdict = word if run >= (rise if one.answer is Answer.UP else fall) else heard.verdict
    return heard._replace(verdict=verdict, streak=word, run=min(run, 9), unknowns=0)


def _causes(ghost: Ghost, view: View) -> tuple[float | None, float | None, float | None]:
    """Since when each cause has been there without a break; a blind pass breaks all."""
    if not view.obs.enis.answered or view.first is None:
        return None, None, None
    attachment = view.first.attachment
    elsewhere = attachment is not None and attachment.instance_id != view.policy.me.instance_id
    down = elsewhere and ghost.holder.verdict == Answer.DOWN
    loose = attachment is None or attachment.status is AttachmentStatus.DETACHING
    ended = elsewhere and is_ended(view)
    now = view.now
    since = [
        (old if old is not None else now) if there else None
        for there, old in zip((down, loose, ended), ghost.causes, strict=True)
    ]
    return since[0], since[1], since[2]


def is_ended(view: View) -> bool:
    """Whether EC2's newest answer has the holder as stopping or stopped, or does not have it."""
    survey = view.obs.instances
    if not survey.answered or view.first is None or view.first.attachment is None:
        return False
    instance = survey.find(view.first.attachment.instance_id)
    if instance is None:
        return survey.find(view.policy.me.instance_id) is not None
    return instance.state in _ENDED


def _aim(intent: Intent, view: View) -> Intent:
    """What is known now of the takeover's own calls."""
    for one in view.obs.outcomes:
        if one.mutation not in {Mutation.DETACH, Mutation.ATTACH} or intent.shot == "yes":
            continue
        if one.verdict is Verdict.ACCEPTED:
            intent = intent._replace(shot="yes")
        elif one.verdict is Verdict.UNANSWERED:
            intent = intent._replace(shot="maybe", shot_at=one.sent_at)
        else:
            intent = intent._replace(shot="no")
    survey = view.obs.enis
    if intent.shot != "maybe" or not survey.answered or survey.began_at < intent.shot_at:
        return intent
    eni, recorded = survey.enis[intent.place], intent.recorded[intent.place]
    attachment = eni.attachment
    if eni.presence is not Presence.KNOWN:
        return intent
    if intent.attaches:
        took = view.is_mine(eni)
    else:
        same = attachment is not None and attachment.attachment_id == recorded
        took = not same or attachment is None or attachment.status is AttachmentStatus.DETACHING
    if took:
        return intent._replace(shot="yes")
    # An attach that somebody else's attachment has come before can have done nothing.
    beaten = intent.attaches and attachment is not None
    late = beaten or survey.began_at >= intent.shot_at + view.policy.call_timeout
    return intent._replace(shot="no") if late else intent


def intended(ghost: Ghost, before: State, view: View) -> Intent | None:
    """The takeover under way after the decision: the one known, or the one that this pass began."""
    takeover = view.takeover
    if takeover is None:
        return ghost.intent if before.durable.takeover is not None else None
    if before.durable.takeover is not None:
        return ghost.intent
    request = before.request or next(
        (one for one in view.obs.requests if isinstance(one, TakeoverRequest)), None
    )
    recorded = tuple(
        None if eni.attachment is None or eni not in view.usable else str(eni.attachment.attachment_id)
        for eni in view.enis
    )
    manual = takeover.trigger is Trigger.MANUAL
    deadline = request.deadline if request and manual else None
    return Intent(trigger=takeover.trigger, recorded=recorded, deadline=deadline)


def settle_up(ghost: Ghost, intent: Intent | None, before: State, view: View, decision: Decision) -> Ghost:
    """After the decision: what was sent, what has ended, what an operator has cleared."""
    if view.takeover is None:
        intent = None
    moving = [call for call in decision.calls if isinstance(call, (Detach, Attach))]
    if intent is not None and moving and intent.shot != "yes":
        place = view.policy.eni_ids.index(moving[0].eni_id)
        attaches = isinstance(moving[0], Attach)
        intent = intent._replace(shot="maybe", shot_at=view.now, place=place, attaches=attaches)
    ended = decision.ended
    cleared = ended is not None and ended.result is Result.SUCCESS and ended.trigger is Trigger.MANUAL
    old, new = before.durable, view.state.durable
    for record, known in ((new.pause, old.pause), (new.local_pause, old.local_pause)):
        cleared = cleared or (record is not None and record is not known and record.kind is PauseKind.RESUME)
    told = view.state.role if view.state.role_known else ghost.told
    return ghost._replace(intent=intent, ledger=() if cleared else ghost.ledger, told=told)
