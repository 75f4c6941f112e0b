"""What the invariants remember of a member from pass to pass, read from the observations themselves.

Owns a second, plainer reading of the rules for probes and evidence, of the point of no return and of the
takeover limit, so that the core is not measured by its own memory. Moves nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from eni_failover.core.decision import Attach, Decision, Detach, StopInstance
from eni_failover.core.model import (
    AttachmentStatus,
    Attempt,
    InstanceState,
    Mutation,
    Observation,
    PauseKind,
    PauseRequest,
    Presence,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import InstanceId, Member, ProbePolicy
from eni_failover.core.state import State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Result, Scope, Trigger
from tests.sim.explored_node import FOREIGN, Ghost, Heard, Intent, Met, Seen

LIMITED = {Trigger.PROBES, Trigger.FAILBACK}
EARNEST = {Verdict.LIMIT, Verdict.REFUSED}
NEVER = float("-inf")
VERDICT_LASTS = 3  # intervals without an up or a down leave no verdict
STUCK_AFTER = 180.0
REFUSED_FOR = 600.0
SAME_RECORD = 0.0005  # the times of two pauses differ by more

_ENDED = {
    InstanceState.STOPPING,
    InstanceState.STOPPED,
    InstanceState.SHUTTING_DOWN,
    InstanceState.TERMINATED,
}


def take_in(ghost: Ghost, before: State, view: View) -> Ghost:
    """What this pass's observation says; the decision is not looked at."""
    obs, policy = view.obs, view.policy
    spoilt_until = obs.now if before.was_paused and not view.is_paused else NEVER
    if spoilt_until == obs.now:
        ghost = ghost._replace(causes=(None, None, None))
    holder_record = view.state.holder_record
    holder = policy.member_of(holder_record.instance_id) if holder_record else None
    holder = None if holder is None or holder.instance_id == policy.me.instance_id else holder
    ghost = _refused(_look(ghost, view), view)
    ghost = ghost._replace(
        holder=_hear(ghost.holder, Scope.HOLDER, holder, view, spoilt_until),
        myself=_hear(ghost.myself, Scope.SELF, policy.me, view, spoilt_until),
        witness=_hear(ghost.witness, Scope.WITNESS, policy.me, view, spoilt_until),
    )
    ghost = _meet(ghost, holder, view)
    ghost = ghost._replace(causes=_causes(ghost, view))
    if ghost.intent is None:
        return ghost
    intent = _fenced(_aim(ghost.intent, view), obs)
    if intent.shot == "yes" and not intent.counted:
        intent = intent._replace(counted=True)
        if intent.trigger in LIMITED:
            ghost = ghost._replace(ledger=(*ghost.ledger, obs.now))
    return ghost._replace(intent=intent)


# What probes say -----------------------------------------------------------------------------------


def _hear(heard: Heard, scope: Scope, whom: Member | None, view: View, spoilt_until: float) -> Heard:
    """The question asked now, after this pass's answers; nothing begun before `spoilt_until` is a down."""
    obs, policy = view.obs, view.policy
    probe = next((one for one in policy.probes if one.scope is scope), None)
    if probe is None:
        return heard
    about = _question(probe, whom)
    if heard.about != about:
        heard = Heard(about=about)
    spoils = [stall.to_at for stall in obs.stalls if probe.timeout < 2 * (stall.to_at - stall.from_at)]
    spoilt_until = max([spoilt_until, *spoils])
    if spoilt_until > NEVER and heard.word == Answer.DOWN:
        heard = heard._replace(word="", run=0, is_down=False)
    for one in obs.attempts:
        counts = one.answer is Answer.UP or one.started_at > spoilt_until
        if counts and whom is not None and _question(one.probe, one.member) == about:
            heard = _listen(heard, one, probe.rise, probe.fall)
    longest = VERDICT_LASTS * max(probe.interval, probe.timeout)
    lapsed = heard.newest_at is not None and obs.now - heard.newest_at > longest
    return heard._replace(is_up=False, run=0, word="") if lapsed else heard


def _question(probe: ProbePolicy, whom: Member | None) -> tuple[object, ...]:
    """Who is asked what. A member by another name is asked afresh: that costs time, and takes from nobody."""
    return () if whom is None else (probe.scope, probe.settings, whom)


def _listen(heard: Heard, one: Attempt, rise: int, fall: int) -> Heard:
    if one.answer is Answer.UNKNOWN:
        return heard
    word = str(one.answer)
    run = heard.run + 1 if word == heard.word else 1
    fell = word == Answer.DOWN and run >= fall
    is_up = run >= rise or heard.is_up if word == Answer.UP else heard.is_up and not fell
    return heard._replace(word=word, run=min(run, 9), newest_at=one.started_at, is_up=is_up, is_down=fell)


def is_evidence(heard: Heard, view: View) -> bool:
    """Whether the holder probe says down by its newest answers, and the newest is young."""
    probe = next(one for one in view.policy.probes if one.scope is Scope.HOLDER)
    longest = max(probe.timeout, min(probe.fast_interval, 5.0)) + 1.0
    return heard.is_down and heard.newest_at is not None and view.now - heard.newest_at <= longest


def _meet(ghost: Ghost, holder: Member | None, view: View) -> Ghost:
    """The holder as this daemon has come to know it, and whether it was ever seen up."""
    holder_record = view.state.holder_record
    if holder_record is None or holder is None:
        return ghost._replace(met=None)
    met, lock = ghost.met, view.first.eni_id if view.first else ""
    question = next((one.settings for one in view.policy.probes if one.scope is Scope.HOLDER), None)
    if met is not None and met.holder == holder.instance_id and met.lock != lock:
        met = met._replace(attachment_id=str(holder_record.attachment_id), lock=lock)
    if met is None or met.attachment_id != holder_record.attachment_id:
        known = holder_record.attachment_id == ghost.last_up and question == ghost.last_up_by
        since = view.now if ghost.has_looked else view.state.started_at
        attachment_id = str(holder_record.attachment_id)
        met = Met(attachment_id, None if known else since, holder.instance_id, lock, question)
    if met.question != question:
        met = met._replace(question=question, since=view.now, answered=False)
    for one in view.obs.attempts:
        if one.probe.scope is Scope.HOLDER and one.member.instance_id == holder.instance_id:
            met = met._replace(answered=met.answered or one.answered)
    if ghost.holder.is_up:
        met = met._replace(since=None)
    if met.since is None:
        ghost = ghost._replace(last_up=met.attachment_id, last_up_by=question)
    return ghost._replace(met=met)


def hear_pause(ghost: Ghost, view: View, said: Iterable[tuple[float, float]]) -> Ghost:
    """The group's pause that this member knows now: an operator's at its own door, or another member's.

    `said` is what the others know of theirs, whatever their clocks say.
    """
    record, known = view.state.durable.pause, ghost.pause
    if record is None or record.kind is not PauseKind.PAUSE:
        return ghost._replace(pause=None)
    if known is not None and _is_same(known[0], record.at):
        return ghost
    asked = [one for one in view.obs.requests if isinstance(one, PauseRequest) and not one.local]
    lengths = [one.duration for one in asked if one.kind is PauseKind.PAUSE and one.duration is not None]
    heard = [until for at, until in said if _is_same(at, record.at)]
    if heard:
        return ghost._replace(pause=(record.at, max(heard)))
    return ghost._replace(pause=(record.at, view.now + lengths[-1]) if lengths else None)


def _is_same(one: float, other: float) -> bool:
    return abs(one - other) < SAME_RECORD


# What EC2 shows ------------------------------------------------------------------------------------


def _look(ghost: Ghost, view: View) -> Ghost:
    """Each ENI as the newest answer shows it, and since when."""
    survey = view.obs.enis
    if not survey.answered:
        return ghost
    old = ghost.seen or (Seen(),) * len(survey.enis)
    shown = []
    for before, eni in zip(old, survey.enis, strict=True):
        attachment = eni.attachment
        word = "missing" if eni.presence is Presence.MISSING else "free"
        if attachment is not None:
            is_member = view.policy.member_of(attachment.instance_id) is not None
            word = str(attachment.status) if is_member else FOREIGN
        now = Seen(word, attachment.attachment_id if attachment else None, view.now)
        shown.append(before if before[:2] == now[:2] else now)
    if view.holder is None:
        return ghost._replace(seen=tuple(shown))
    return ghost._replace(seen=tuple(shown), last_had=view.holder.instance_id, lock=view.first.eni_id)


def place_of(ghost: Ghost, view: View) -> int | None:
    """This member's place among those that may act, None for the one that has, or last had, the first ENI.

    When that is another ENI than before, who had the one before comes first.
    """
    order = [member.instance_id for member in view.policy.members]
    first = view.first.eni_id if view.first else ghost.lock
    if view.holder is not None:
        order.remove(view.holder.instance_id)
    elif ghost.last_had in order:
        order.remove(ghost.last_had)
        if ghost.lock != first:
            order.insert(0, ghost.last_had)
    me = view.policy.me.instance_id
    return order.index(me) if me in order else None


def _refused(ghost: Ghost, view: View) -> Ghost:
    """Whether EC2 has refused this member an attach in earnest, and has said nothing else of it since."""
    survey = view.obs.instances
    instance = survey.find(view.policy.me.instance_id) if survey.answered else None
    if instance is not None:
        facts = (instance.state, instance.eni_indexes)
        if facts != ghost.facts:
            ghost = ghost._replace(facts=facts, refused_at=None)
    if ghost.refused_at is not None and view.now - ghost.refused_at >= REFUSED_FOR:
        ghost = ghost._replace(refused_at=None)
    if any(one.mutation is Mutation.ATTACH and one.verdict in EARNEST for one in view.obs.outcomes):
        ghost = ghost._replace(refused_at=view.now, spoiled=True)
    return ghost


def _causes(ghost: Ghost, view: View) -> tuple[float | None, float | None, float | None]:
    """Since when each cause has been there without a break; a blind pass breaks all."""
    if not view.obs.enis.answered or view.first is None:
        return None, None, None
    attachment = view.first.attachment
    elsewhere = attachment is not None and attachment.instance_id != view.policy.me.instance_id
    down = elsewhere and ghost.holder.is_down
    loose = attachment is None or attachment.status is AttachmentStatus.DETACHING or is_stuck(ghost, view)
    ended = elsewhere and is_ended(view)
    now = view.now
    since = [
        (old if old is not None else now) if there else None
        for there, old in zip((down, loose, ended), ghost.causes, strict=True)
    ]
    return since[0], since[1], since[2]


def is_stuck(ghost: Ghost, view: View) -> bool:
    """Whether the first ENI has been attaching to another member for long, and that member is not up."""
    place = view.policy.eni_ids.index(view.first.eni_id) if view.first else 0
    seen = ghost.seen[place] if ghost.seen else Seen()
    mine = view.first is not None and view.is_mine(view.first)
    is_old = seen.word == "attaching" and view.now - seen.since > STUCK_AFTER
    return is_old and not mine and not ghost.holder.is_up


def is_freed(ghost: Ghost, view: View) -> bool:
    """Whether nobody has the first ENI, and EC2 says that the instance which had it last has ended."""
    instance = view.obs.instances.find(InstanceId(ghost.last_had or ""))
    free = view.first is not None and view.first.attachment is None
    return free and instance is not None and instance.state in _ENDED


def is_ended(view: View) -> bool:
    """Whether EC2's newest answer has the holder as stopping or stopped, or does not have it."""
    survey = view.obs.instances
    if not survey.answered or view.first is None or view.first.attachment is None:
        return False
    instance = survey.find(view.first.attachment.instance_id)
    if instance is None:
        return survey.find(view.policy.me.instance_id) is not None
    return instance.state in _ENDED


def _fenced(intent: Intent, obs: Observation) -> Intent:
    """How far the stop of the holder's instance is known to have got."""
    for one in obs.outcomes:
        if one.mutation is Mutation.STOP and one.verdict is not Verdict.UNANSWERED:
            intent = intent._replace(fence="accepted" if one.verdict is Verdict.ACCEPTED else "no")
    return intent


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
    if intent is not None and any(isinstance(call, StopInstance) for call in decision.calls):
        intent = intent._replace(fence="asked")
    ended = decision.ended
    if ended is not None and (before.durable.takeover is None or ended.trigger is not Trigger.MANUAL):
        ghost = ghost._replace(ended_at=view.now)
    cleared = ended is not None and ended.result is Result.SUCCESS and ended.trigger is Trigger.MANUAL
    old, new = before.durable, view.state.durable
    for record, known in ((new.pause, old.pause), (new.local_pause, old.local_pause)):
        cleared = cleared or (record is not None and record is not known and record.kind is PauseKind.RESUME)
    told = view.state.role if view.state.role_known else ghost.told
    looked = ghost.has_looked or view.state.known_at is not None
    ledger = () if cleared else ghost.ledger
    return ghost._replace(intent=intent, ledger=ledger, told=told, has_looked=looked)
