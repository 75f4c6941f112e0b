"""What must hold of every step of every walk: named functions, one sentence each.

Each takes the scene of one pass, or of one call's effect, and raises AssertionError. They are the
promises of the manual over the explorer's own reading of what a member has seen; the invariants of a
single pass, which need no history, stand in `tests.core.invariants` and are asked as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eni_failover.core.decision import Attach, Detach, StopInstance
from eni_failover.core.model import AttachmentStatus, Eni, InstanceState, PauseKind
from eni_failover.core.moves import ATTACH_BOUND
from eni_failover.core.policy import FailbackMode, FenceMode, MemberName, TakeoverMode
from eni_failover.core.view import READY_BOUND, View, not_ready
from eni_failover.core.vocabulary import Answer, Reason, Result, Role, Scope, Trigger
from tests.core import invariants as of_a_pass
from tests.core.invariants import Pass
from tests.sim.explored_ghosts import LIMITED, is_ended, is_evidence, is_freed, is_stuck, place_of
from tests.sim.explored_node import FOREIGN, Ghost, Heard, Intent, Node

FOREIGN_FOR = 60.0
CLOCK_GRAIN = 0.01


@dataclass(frozen=True)
class Scene:
    """One pass of one member, with what the explorer knows: `ghost` before the decision, `intent` with it."""

    one: Pass
    view: View
    node: Node
    ghost: Ghost
    intent: Intent | None

    @property
    def past_return(self) -> bool:
        """Whether the takeover was past its point of no return before this pass decided."""
        return self.ghost.intent is not None and self.ghost.intent.shot != "no"

    @property
    def taken(self) -> list[tuple[Detach, MemberName]]:
        """The detaches of what another member has, with that member."""
        found = []
        for call in self.one.decision.calls:
            if isinstance(call, Detach):
                owner = self.view.owner(self.eni(call))
                if owner is not None and owner.name != self.node.name:
                    found.append((call, owner.name))
        return found

    def eni(self, call: Detach | Attach) -> Eni:
        """The ENI of this call, as the pass saw it."""
        return next(one for one in self.view.enis if one.eni_id == call.eni_id)

    def is_first(self, call: Detach | Attach) -> bool:
        """Whether this call is about the group's lock."""
        return self.view.first is not None and call.eni_id == self.view.first.eni_id


def no_up_holder_is_taken_from(scene: Scene) -> None:
    """Only an operator, failback, split, EC2's word, young downs, an endless attach, or one past return
    detach.
    """
    for call, owner in scene.taken:
        if scene.past_return:
            continue
        assert scene.intent is not None
        match scene.intent.trigger:
            case Trigger.MANUAL | Trigger.FAILBACK:
                pass
            case Trigger.SPLIT:
                assert not scene.is_first(call)
            case Trigger.EC2:
                assert is_ended(scene.view)
            case Trigger.PROBES:
                heard = scene.ghost.holder
                assert heard.about[-1] == scene.view.owner(scene.eni(call))
                assert may_be_down(scene, heard)
            case Trigger.UNOWNED:
                assert scene.is_first(call)
                assert is_stuck(scene.ghost, scene.view)
            case _:
                raise AssertionError(f"{scene.intent.trigger} detaches what {owner} has")


def the_first_is_detached_by_the_recorded_id(scene: Scene) -> None:
    """Every detach of another member's first ENI names the attachment seen when the takeover began."""
    for call in scene.one.decision.calls:
        if not isinstance(call, Detach) or not scene.is_first(call):
            continue
        attachment = scene.eni(call).attachment
        assert attachment is not None
        if attachment.instance_id != scene.view.policy.me.instance_id:
            assert scene.intent is not None
            place = scene.view.policy.eni_ids.index(call.eni_id)
            assert scene.intent.recorded[place] == call.attachment_id


def unknown_answers_alone_move_nothing(scene: Scene) -> None:
    """A pass calls EC2 only on a describe that was answered, and for probes only after downs.

    Or EC2 has let go of what an instance had that has ended: then the probes have nobody to ask any more.
    """
    if not scene.one.decision.calls:
        return
    assert scene.one.obs.enis.answered
    if scene.intent and scene.intent.trigger is Trigger.PROBES and not scene.past_return:
        assert may_be_down(scene, scene.ghost.holder) or is_freed(scene.ghost, scene.view)


def may_be_down(scene: Scene, heard: Heard) -> bool:
    """Whether the holder is down by young answers; once it was asked to stop, whether it is not seen up."""
    fenced = scene.intent is not None and scene.intent.fence != "no"
    return is_evidence(heard, scene.view) or (fenced and heard.word != Answer.UP)


def nobody_is_stopped_on_old_downs(scene: Scene) -> None:
    """StopInstances is asked for on young downs, or again after it was asked for."""
    if any(isinstance(call, StopInstance) for call in scene.one.decision.calls):
        asked = scene.ghost.intent is not None and scene.ghost.intent.fence != "no"
        assert asked or is_evidence(scene.ghost.holder, scene.view)


def an_unproven_holder_has_its_time(scene: Scene) -> None:
    """A holder that was never seen up is taken from by probes only after cooldown, a silent one after its
    grace.
    """
    met, policy = scene.ghost.met, scene.view.policy
    if scene.one.started is Trigger.PROBES and met is not None and met.since is not None:
        grace = policy.cooldown if met.answered else max(policy.cooldown, policy.unproven_grace)
        assert scene.view.now - met.since >= grace


def a_foreign_eni_makes_the_rest_wait(scene: Scene) -> None:
    """For a minute after a foreign instance has one, only what is on nobody is taken."""
    if scene.one.started not in {None, Trigger.UNOWNED}:
        since = [seen.since for seen in scene.ghost.seen if seen.word == FOREIGN]
        assert all(scene.view.now - at >= FOREIGN_FOR for at in since)


def what_somebody_takes_is_left_to_him(scene: Scene) -> None:
    """What nobody has is not taken while a reachable member says that it is taking, but for the last
    resort.
    """
    if scene.one.started is Trigger.UNOWNED and not scene.one.rescues:
        assert not any(peer.reachable and peer.role == Role.TAKING for peer in scene.one.obs.peers)


def a_fence_is_carried_on(scene: Scene) -> None:
    """Once its stop was accepted no pause, restart or silence ends a takeover: the holder serves nobody.

    But for a holder that answers again, another attachment, a refusal, or another file.
    """
    intent, ended, first = scene.ghost.intent, scene.one.decision.ended, scene.view.first
    if intent is None or intent.fence != "accepted" or ended is None or scene.past_return:
        return
    attachment = first.attachment if first else None
    changed = attachment is None or attachment.attachment_id not in intent.recorded
    unable = scene.node.denied or not scene.node.allowed or scene.ghost.refused_at is not None
    observes = scene.view.policy.takeover is TakeoverMode.OBSERVE
    assert changed or unable or observes or scene.ghost.holder.word == Answer.UP, ended.reason


def is_paused(scene: Scene) -> bool:
    """Whether a pause that this member knows of has not run out."""
    durable, now = scene.view.state.durable, scene.one.obs.now
    records = [one for one in (durable.pause, durable.local_pause) if one and one.kind is PauseKind.PAUSE]
    return any(one.ends_at is None or one.ends_at > now for one in records)


def paused_or_observing_takes_nothing_unasked(scene: Scene) -> None:
    """In a pause or in observe mode only an operator's takeover, or one past return, takes from a holder.

    In a pause also one whose holder was asked to stop.
    """
    if not (is_paused(scene) or scene.view.policy.takeover is TakeoverMode.OBSERVE):
        return
    for _ in scene.taken:
        assert scene.intent is not None
        fenced = scene.intent.trigger is Trigger.PROBES and scene.intent.fence != "no"
        assert scene.past_return or scene.intent.trigger is Trigger.MANUAL or (is_paused(scene) and fenced)


def a_pause_lasts_as_long_as_was_said(scene: Scene) -> None:
    """Whatever the clocks say: who knows of a pause starts nothing before its end but the last resort."""
    pause = scene.ghost.pause
    if pause is not None and scene.view.now < pause[1] - CLOCK_GRAIN:
        assert scene.one.started is None or scene.one.rescues


def past_return_ends_held_lost_or_stuck(scene: Scene) -> None:
    """A takeover past its point of no return ends with everything here, lost, hung in attach, or refused
    it.
    """
    if not scene.past_return or scene.view.takeover is not None:
        return
    ended, first = scene.one.decision.ended, scene.view.first
    assert ended is not None
    match ended.result:
        case Result.SUCCESS:
            assert scene.view.all_here
        case Result.LOST:
            assert first is None or not scene.view.is_attached_here(first)
        case Result.FAILED:
            hung = ended.reason is Reason.ATTACH_STUCK
            known = scene.ghost.refused_at is not None or scene.node.denied
            refused = ended.reason is Reason.ATTACH_REFUSED and known
            unattached = any(eni.attachment is None for eni in scene.view.usable)
            assert hung or (refused and unattached) or scene.view.all_here or not scene.view.usable


def the_limit_holds_over_restarts(scene: Scene) -> None:
    """No member has more than max_takeovers by probes or failback past return within the window."""
    assert len(scene.ghost.ledger) <= scene.view.policy.max_takeovers


def an_unfit_member_starts_nothing_of_its_own(scene: Scene) -> None:
    """What a member starts while unfit is an operator's takeover, a split, or the last resort of row 6."""
    trigger = scene.one.started
    if trigger is None or trigger is Trigger.SPLIT or scene.one.rescues:
        return
    if any(one.scope is Scope.SELF for one in scene.view.policy.probes):
        assert scene.ghost.myself.is_up
    assert scene.node.allowed
    assert not scene.node.denied
    assert scene.ghost.refused_at is None
    if trigger in LIMITED and any(one.scope is Scope.WITNESS for one in scene.view.policy.probes):
        assert scene.ghost.witness.is_up


def nobody_acts_out_of_turn(scene: Scene) -> None:
    """The n-th of the others waits n staggers, in row 6 one more and two seconds, the last holder ten."""
    trigger, view = scene.one.started, scene.view
    causes = dict(zip((Trigger.PROBES, Trigger.UNOWNED, Trigger.EC2), scene.ghost.causes, strict=True))
    if trigger not in causes or scene.one.rescues:
        return
    since, stagger = causes[trigger], view.policy.stagger
    place = place_of(scene.ghost, view)
    if trigger is Trigger.UNOWNED:
        wait = 10.0 if place is None else max(2.0, (place + 1) * stagger)
    else:
        assert place is not None
        wait = place * stagger
    assert since is not None
    assert view.now - since >= wait


def a_primary_takes_back_only_by_failback(scene: Scene) -> None:
    """A failback is the primary's, where it is configured, after it was unfit or not running; else none."""
    if scene.one.started is not Trigger.FAILBACK:
        return
    assert scene.view.policy.failback is FailbackMode.AUTOMATIC
    assert scene.node.index == 0
    assert scene.ghost.spoiled


def no_stale_intent_moves_anything(scene: Scene) -> None:
    """Before the point of no return each call is justified by what this very pass sees."""
    calls = [call for call in scene.one.decision.calls if isinstance(call, (Detach, Attach))]
    if not calls or scene.past_return:
        return
    intent, view = scene.intent, scene.view
    assert intent is not None
    assert view.first is not None
    if intent.trigger is Trigger.MANUAL:
        assert intent.deadline is None or view.now < intent.deadline
    if intent.trigger is Trigger.SPLIT:
        assert view.is_attached_here(view.first)
    if intent.trigger is Trigger.UNOWNED:
        assert view.owner(view.first) is None or is_stuck(scene.ghost, view)
    attachment = view.first.attachment
    if intent.trigger in {Trigger.PROBES, Trigger.EC2} and attachment is None:
        assert is_freed(scene.ghost, view)
    if attachment is not None and not view.is_mine(view.first):
        assert intent.recorded[view.policy.eni_ids.index(view.first.eni_id)] == attachment.attachment_id


def an_operators_takeover_ends_with_its_daemon(scene: Scene) -> None:
    """What an operator asked of a daemon, and had moved nothing, is not begun by the daemon after it."""
    if scene.intent is not None and scene.intent.trigger is Trigger.MANUAL and not scene.past_return:
        assert scene.intent.born_here or not scene.one.decision.calls


def no_hook_runs_out_of_order(scene: Scene) -> None:
    """`active` is told and kept only with every link; `fault` and `taking` only with their cause."""
    view, state = scene.view, scene.view.state
    if not state.role_known:
        return
    gone = any(
        scene.node.lost[place] for place, eni_id in enumerate(view.policy.eni_ids) if eni_id in state.here
    )
    changed = state.role is not scene.ghost.told
    if state.role is Role.ACTIVE:
        assert not gone
        assert not changed or (view.all_here and not not_ready(view))
    if state.role is Role.FAULT and changed:
        late = state.not_ready_since is not None and view.now - state.not_ready_since >= READY_BOUND
        assert gone or late
    if state.role is Role.TAKING and changed:
        assert state.durable.takeover is not None


def nothing_is_detached_before_the_fence(scene: Scene) -> None:
    """With `fence = stop`, probes and EC2's word detach only from what EC2 shows stopped or gone."""
    if scene.view.policy.fence is not FenceMode.STOP or scene.past_return:
        return
    for call, _ in scene.taken:
        assert scene.intent is not None
        if scene.intent.trigger in {Trigger.PROBES, Trigger.EC2}:
            attachment = scene.eni(call).attachment
            assert attachment is not None
            instance = scene.one.obs.instances.find(attachment.instance_id)
            assert instance is None or instance.state in {InstanceState.STOPPED, InstanceState.TERMINATED}


def an_attach_is_not_given_up_early(scene: Scene) -> None:
    """An attach of one's own that hangs is undone only after row 4's bound."""
    takeover = scene.view.takeover
    for call in scene.one.decision.calls:
        if isinstance(call, Detach) and takeover is not None and not takeover.failing:
            attachment = scene.eni(call).attachment
            assert attachment is not None
            mine = attachment.instance_id == scene.view.policy.me.instance_id
            if mine and attachment.status is AttachmentStatus.ATTACHING:
                since = takeover.move(call.eni_id).attaching_since
                assert since is not None
                assert scene.view.now - since >= ATTACH_BOUND


def of_two_only_the_first_succeeds(which: int, token: int, won: tuple[tuple[int, int], ...]) -> None:
    """No member attaches an ENI on the look of it free on which another, that still is, has attached it."""
    assert all(ident != token or winner == which for ident, winner in won)


OF_A_WALK: tuple[Callable[[Scene], None], ...] = (
    no_up_holder_is_taken_from,
    the_first_is_detached_by_the_recorded_id,
    unknown_answers_alone_move_nothing,
    nobody_is_stopped_on_old_downs,
    an_unproven_holder_has_its_time,
    a_foreign_eni_makes_the_rest_wait,
    what_somebody_takes_is_left_to_him,
    a_fence_is_carried_on,
    paused_or_observing_takes_nothing_unasked,
    a_pause_lasts_as_long_as_was_said,
    past_return_ends_held_lost_or_stuck,
    the_limit_holds_over_restarts,
    an_unfit_member_starts_nothing_of_its_own,
    nobody_acts_out_of_turn,
    a_primary_takes_back_only_by_failback,
    no_stale_intent_moves_anything,
    an_operators_takeover_ends_with_its_daemon,
    no_hook_runs_out_of_order,
    nothing_is_detached_before_the_fence,
    an_attach_is_not_given_up_early,
)
COSTLY = (of_a_pass.a_function_of_values, of_a_pass.every_pass_can_be_shown)
OF_A_PASS: tuple[Callable[[Pass], None], ...] = tuple(one for one in of_a_pass.ALL if one not in COSTLY)
