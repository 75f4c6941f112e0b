"""After the last fault: everything is mended, time passes, and the group must be whole again.

Owns what "in the end" means: how long it may take, and what must then be so.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from eni_failover.core.policy import FailbackMode, FenceMode, TakeoverMode
from eni_failover.core.vocabulary import Role, Scope
from tests.sim.sim_faults import taker_dies_attaching
from tests.sim.sim_host import Service
from tests.sim.sim_invariants import recovery_seen
from tests.sim.sim_plan import SELF
from tests.sim.sim_trouble import detached_by_hand

if TYPE_CHECKING:
    from tests.sim.sim_member import Member
    from tests.sim.sim_world import World

SETTLED_WITHIN = 420.0  # a hung attach twice, a cooldown, a rescue
BOOTED_WITHIN = 120.0
STAYS_FOR = 45.0
LATE = 90.0
FORGOTTEN_AFTER = 10.0  # beyond three observe intervals: an answer of EC2 is old then
SHIFT = 30.0
MOST_SPOILT = 8  # indexes that force has cost an instance; then it is started anew, and has them all again


def heal(world: World, *, but: str = "", stuck: bool = False, sick: bool = False) -> None:
    """No more faults: everything that can be mended is. Clocks that were set stay set.

    The member `but` is left as it is; with `stuck` a detach that hangs goes on hanging; `sick` are the
    services on all hosts: they go down and stay so.
    """
    world.say("heal", "all but", but) if but else world.say("heal", "everything")
    world.end_of_faults()
    world.network.heal_all()
    lab = world.lab
    lab.clear_faults()
    lab.allow()
    lab.fill()
    world.wire.gaps.show_all()
    world.api_back()
    lab.configure(durations=world.plan.durations, lag=world.plan.lag)
    for eni in world.floating():
        if not stuck:
            lab.unstick_detach(eni.id)
        if eni.attachment is None or eni.attachment.id not in world.endless:
            lab.unstick_attach(eni.id)
        world.release(eni.id)
    world.guests.is_sick = sick
    for name in world.present():
        if len(lab.instance(name).poisoned) > MOST_SPOILT:
            lab.change_instance(name, poisoned=frozenset())
    for name, member in world.members.items():
        if name != but:
            _heal_member(world, name, member)
    world.refresh()


def _heal_member(world: World, name: str, member: Member) -> None:
    host = world.hosts[name]
    member.spare()
    member.thaw()
    host.is_hung = False
    host.is_deaf = False
    host.disk.mend()
    if host.is_on:
        host.service = Service.DOWN if world.guests.is_sick else Service.UP
    world.guests.replug(name)
    member.restore_config()
    member.start()


def settle(world: World, rng: random.Random) -> None:
    """Give the group its time, and say what is wrong when it is not whole after it.

    Now and then one member's instance stays stopped meanwhile, or detaches go on hanging where the
    policy says to force them: the others, and force, must do. Or no service comes back, so that no member
    is fit by its own probes: what is on nobody must be taken all the same.
    """
    sick = SELF in world.plan.probes and rng.random() < 0.3
    _settle(world, rng, sick=sick)
    if sick:
        heal(world)


def _settle(world: World, rng: random.Random, *, sick: bool) -> None:
    often = 0.3 if _endless_attach(world) is None else 0.8
    but = _left_out(world) if not sick and rng.random() < often else ""
    forces = world.plan.policy.get("force_detach_after") != "never"
    stuck = forces and rng.random() < 0.5
    for eni in world.floating() if stuck and rng.random() < 0.5 else ():
        world.lab.stick_detach(eni.id)
    heal(world, but=but, stuck=stuck, sick=sick)
    if sick and rng.random() < 0.5:
        detached_by_hand(world, rng)
    _wait(world, BOOTED_WITHIN, but=but)
    heal(world, but=but, stuck=stuck, sick=sick)  # what came up meanwhile
    world.run(_until_seen(world, sick=sick))
    _wait(world, SETTLED_WITHIN, but=but)
    if not _is_settled(world, but):
        # A pause, the takeover limit or an unproven holder may hold everybody back: let it run out.
        _wait(world, _longest_block(world) + SETTLED_WITHIN, but=but)
    if not _is_settled(world, but):
        world.audit.wrong("in_the_end_one_member_holds_everything", _picture(world))
        return
    _stays(world, but)
    if not but and not sick and not world.audit.violations and len(_running(world)) > 1:
        chance = rng.random()
        if chance < 0.15:
            _take_without_describe_instances(world)
        elif chance < 0.25:
            _die_attaching(world, rng)


def _running(world: World) -> list[str]:
    """The members whose daemon runs, of a group that is to take over by itself."""
    found = {name: member.daemon for name, member in world.members.items() if member.daemon is not None}
    policies = [daemon.reconciler.policy for daemon in found.values()]
    observes = any(policy.takeover is TakeoverMode.OBSERVE for policy in policies)
    return [] if observes else list(found)


def _die_attaching(world: World, rng: random.Random) -> None:
    """An operator's takeover: the taker's host dies while EC2 attaches, and EC2 neither ends that nor
    knows.
    """
    taker = rng.choice([name for name in _running(world) if name != world.holder()])
    taker_dies_attaching(world, rng, silently=True)
    world.members[taker].console.take_over(timeout=60.0)
    world.run(LATE, until=lambda: _endless_attach(world) is not None)
    world.when_attaching_no_more()
    if _endless_attach(world) == taker:
        _must_settle_without(world, taker, "an_endless_attach_is_taken")
    heal(world)


def _take_without_describe_instances(world: World) -> None:
    """The holder's host dies while this one operation fails: what is known of oneself is enough."""
    holder = world.holder()
    daemons = [member.daemon for member in world.members.values() if member.daemon is not None]
    knows = all(one.reconciler.state.me is not None for one in daemons)
    policy = daemons[0].reconciler.policy
    if policy.fence is FenceMode.STOP:
        return
    if not knows or len(daemons) < 2 or not world.is_running(holder):
        return
    world.say("fault", "api", "denies DescribeInstances", "everybody")
    world.lab.deny("DescribeInstances", None)
    world.run(3 * policy.observe_interval + FORGOTTEN_AFTER)
    if world.holder() != holder or not world.is_running(holder):
        heal(world)
        return
    world.say("fault", holder, "stops")
    world.lab.stop_instance(holder, force=True)
    _must_settle_without(world, holder, "a_takeover_needs_no_describe_instances")
    heal(world)


def _must_settle_without(world: World, but: str, promise: str) -> None:
    """The others must have everything in the end."""
    world.run(_until_seen(world))
    _wait(world, SETTLED_WITHIN, but=but)
    if not _is_settled(world, but):
        _wait(world, _longest_block(world) + SETTLED_WITHIN, but=but)
    if not _is_settled(world, but):
        world.audit.wrong(promise, _picture(world))


def _endless_attach(world: World) -> str | None:
    """The member that the first ENI is attaching to for ever."""
    first = next(iter(world.floating()), None)
    attachment = first.attachment if first else None
    endless = attachment is not None and attachment.id in world.endless
    return world.name_of(attachment.instance_id) if attachment and endless else None


def _left_out(world: World) -> str:
    """The member whose instance stays stopped: one whose takeover was interrupted, or the holder."""
    attaching = _endless_attach(world)
    if attaching is not None and len(world.present()) > 1 and not world.hosts[attaching].is_alive:
        return attaching
    present = [name for name in world.present() if not world.is_starting(name)]
    if len(world.present()) < 2 or not present:
        return ""
    dead = [name for name in present if not world.hosts[name].is_on or world.members[name].daemon is None]
    holder = [name for name in present if name == world.holder()]
    name = (dead or holder or present)[0]
    if world.is_running(name):
        world.say("fault", name, "stops and stays so")
        world.lab.stop_instance(name)
    return name


def _until_seen(world: World, *, sick: bool = False) -> float:
    """Until when a daemon may still act on what it saw before everything was mended, or fell sick."""
    policies = [member.daemon.reconciler.policy for member in world.members.values() if member.daemon]
    seen = max(map(recovery_seen, policies), default=0.0)
    own = (probe.worst_case for policy in policies for probe in policy.probes if probe.scope is Scope.SELF)
    return seen + (max(own, default=0.0) if sick else 0.0)


def _wait(world: World, seconds: float, *, but: str = "") -> None:
    """Let time pass until the group is whole; who looks after the machines starts those that stopped."""
    end = world.now + seconds
    while world.now < end and not _is_settled(world, but):
        for name in world.members:
            if name != but:
                world.guests.power_on(name)
        world.run(min(SHIFT, end - world.now), until=lambda: _is_settled(world, but))


def _stays(world: World, but: str) -> None:
    """What is whole stays so, but for a failback that was due."""
    holder = world.where()[0]
    if _may_fail_back(world):
        world.run(STAYS_FOR * 2)
        _wait(world, SETTLED_WITHIN, but=but)
    else:
        world.run(STAYS_FOR)
        if world.where()[:1] != (holder,):
            world.audit.wrong("nobody_takes_without_a_cause", f"{holder} held it, now {_picture(world)}")
            return
    if not _is_settled(world, but):
        world.audit.wrong("what_is_whole_stays_whole", _picture(world))


def _may_fail_back(world: World) -> bool:
    """Whether the primary may still be waiting to take back."""
    primary = next(iter(world.members.values()))
    daemon = primary.daemon
    return daemon is not None and daemon.reconciler.policy.failback is FailbackMode.AUTOMATIC


def _is_settled(world: World, but: str) -> bool:
    """One member has every ENI and says so, all others stand by, and nothing is under way.

    The member `but` does not count, and must not be the holder.
    """
    where = set(world.where())
    if len(where) != 1:
        return False
    (holder,) = where
    return (
        holder in world.members
        and holder != but
        and all(
            _is_well(member, Role.ACTIVE if name == holder else Role.STANDBY)
            for name, member in world.members.items()
            if name != but and not world.is_gone(name)
        )
    )


def _is_well(member: Member, role: Role) -> bool:
    state = member.state
    return (
        state is not None
        and member.is_responsive
        and state.role is role
        and state.role_known
        and state.durable.takeover is None
    )


def _longest_block(world: World) -> float:
    """Seconds until every pause, limit and grace has run out."""
    longest = 0.0
    for member in world.members.values():
        if member.daemon is None:
            continue
        policy, state = member.daemon.reconciler.policy, member.daemon.reconciler.state
        longest = max(longest, policy.max_takeovers_window, policy.unproven_grace, policy.cooldown)
        for record in (state.durable.pause, state.durable.local_pause):
            if record is not None and record.ends_at is not None:
                longest = max(longest, record.ends_at - member.daemon.reconciler._clock())
    return longest


def _picture(world: World) -> str:
    roles = {name: str(one.state.role) if one.state else "no daemon" for name, one in world.members.items()}
    reasons = {
        name: str(one.daemon.reconciler._decision.reason) for name, one in world.members.items() if one.daemon
    }
    return f"{world.where()} {roles} {reasons}"
