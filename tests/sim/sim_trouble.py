"""What goes wrong with EC2 itself, and what people do: the other half of the faults."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.sim.sim_faults import Fault, Mend, one_of, service_down
from tests.sim.sim_plan import Plan, Table

if TYPE_CHECKING:
    from tests.sim.sim_world import World

ACTIONS = ("*", "Describe*", "DescribeNetworkInterfaces", "DescribeInstances", "A*", "De*", "St*")
MUTATIONS = ("AttachNetworkInterface", "DetachNetworkInterface")
CODES = (
    "RequestLimitExceeded",
    "InternalError",
    "Unavailable",
    "IncorrectState",
    "InvalidParameterValue",
    "OperationNotPermitted",
    "UnauthorizedOperation",
    "RequestExpired",
    "AuthFailure",
    "AttachmentLimitExceeded",
    "InvalidNetworkInterfaceID.NotFound",
    "InvalidInstanceID.NotFound",
    "SomethingNew",
)
CHANGES: tuple[dict[str, str | int], ...] = (
    {"cooldown": "1s"},
    {"stagger": "3s"},
    {"force_detach_after": "7s"},
    {"takeover": "observe"},
    {"fence": "none"},
    {"cooldown": "soon"},
)
LONGEST_DELAY = 4.5  # an answer that takes longer than both time-outs is a call of another age


def api_errors(world: World, rng: random.Random) -> Mend:
    """The next calls are refused, with any code there is."""
    action, code = rng.choice((*ACTIONS, *MUTATIONS)), rng.choice(CODES)
    return script(world, "error", action, caller=_maybe(world, rng), count=rng.randint(1, 12), code=code)


def api_answers_lost(world: World, rng: random.Random) -> Mend:
    """The next calls take effect, or not, and no answer says so."""
    kind = rng.choice(("lost", "truncated", "close", "html", "hang", "late", "delay"))
    action = rng.choice((*ACTIONS, *MUTATIONS, *MUTATIONS))
    seconds = rng.uniform(0.5, LONGEST_DELAY)
    caller, count = _maybe(world, rng), rng.randint(1, 4)
    return script(world, kind, action, caller=caller, count=count, seconds=seconds)


def api_reads_lie(world: World, rng: random.Random) -> Mend:
    """The next describes are old, or find nothing."""
    kind = rng.choice(("stale", "stale", "empty"))
    action, seconds = rng.choice(ACTIONS[1:4]), rng.uniform(0.5, 8.0)
    caller, count = _maybe(world, rng), rng.randint(1, 2 if kind == "empty" else 6)
    return script(world, kind, action, caller=caller, count=count, seconds=seconds)


def api_reads_lack_one(world: World, rng: random.Random) -> Mend:
    """The next describes of one member lack another's instance, or each member's next one an ENI."""
    name = one_of(world, rng)
    if rng.random() < 0.5:
        unseen = rng.choice([one for one in world.members if one != name])
        item, count, askers = world.hosts[unseen].instance_id, rng.randint(1, 3), [name]
    else:
        item, count, askers = some_eni(world, rng), 1, list(world.members)
    world.say("fault", "api", "answers to", *askers, "lack", item, count)
    for asker in askers:
        world.wire.gaps.hide(item, asker=world.hosts[asker].instance_id, count=count)
    return world.wire.gaps.show_all


def script(world: World, kind: str, action: str, **how: object) -> Mend:
    """A fault of the lab's, for the next calls."""
    told = " ".join(f"{key}={value}" for key, value in how.items() if value is not None)
    world.say("fault", "api", kind, action, told)
    world.lab.fault(kind, action, **how)  # type: ignore[arg-type]
    return world.lab.clear_faults


def api_outage(world: World, rng: random.Random) -> Mend:
    """The API closes or hangs every connection of one member's, or of everybody's."""
    names = [one_of(world, rng)] if rng.random() < 0.6 else world.present()
    how = rng.choice(("close", "hang"))
    world.say("fault", "api", "outage", how, *names)
    for name in names:
        world.lab.unreachable(name, how)
    return world.api_back


def throttling(world: World, rng: random.Random) -> Mend:
    """Other tenants of the account empty the token buckets, again and again for a while."""
    action = rng.choice(("DescribeNetworkInterfaces", "DescribeInstances", *MUTATIONS))
    world.say("fault", "api", "buckets empty", action)
    for second in range(rng.randint(1, 40)):
        world.later(float(second), lambda: world.lab.drain(action))
    return world.lab.fill


def denial(world: World, rng: random.Random) -> Mend:
    """IAM denies an action to one member or to all."""
    action = rng.choice((*MUTATIONS, "StopInstances", "DescribeInstances", "DescribeNetworkInterfaces"))
    caller = _maybe(world, rng)
    world.say("fault", "api", "denies", action, caller or "everybody")
    world.lab.deny(action, caller)
    return world.lab.allow


def one_operation_fails(world: World, rng: random.Random) -> Mend:
    """For long, for one member or for all, while all other operations work: denied, or throttled."""
    action = rng.choice(("DescribeInstances", "DescribeNetworkInterfaces", *MUTATIONS, "StopInstances"))
    seconds, caller = rng.uniform(20.0, 200.0), _maybe(world, rng)
    world.say("fault", "api", f"fails alone for {seconds:.0f} s", action, caller or "everybody")
    if rng.random() < 0.5:
        world.lab.deny(action, caller)
    else:
        world.lab.fault("error", action, caller=caller, count=None, code="RequestLimitExceeded")
    world.later(seconds, lambda: _works_again(world))
    return None


def _works_again(world: World) -> None:
    world.lab.allow()
    world.lab.clear_faults()


def read_lag(world: World, rng: random.Random) -> Mend:
    """Describes lag more than usual."""
    seconds = rng.uniform(1.0, 6.0)
    world.say("fault", "api", f"reads lag {seconds:.3f} s")
    world.lab.set_lag(seconds)
    return lambda: world.lab.set_lag(world.plan.lag)


def stuck_detach(world: World, rng: random.Random) -> Mend:
    """Plain detaches of an ENI do not end."""
    eni = some_eni(world, rng)
    world.say("fault", "detach stuck", eni)
    world.lab.stick_detach(eni)
    return lambda: _if_there(world, eni, world.lab.unstick_detach)


def stuck_attach(world: World, rng: random.Random) -> Mend:
    """Attaches of an ENI do not end."""
    eni = some_eni(world, rng)
    world.say("fault", "attach stuck", eni)
    world.lab.stick_attach(eni)
    return lambda: _if_there(world, eni, world.lab.unstick_attach)


def _if_there(world: World, eni: str, what: Callable[[str], object]) -> None:
    if eni in world.lab.state.enis:
        what(eni)


def slow_moves(world: World, rng: random.Random) -> Mend:
    """EC2 takes its time with every move."""
    seconds = rng.uniform(5.0, 40.0)
    world.say("fault", "moves take", f"{seconds:.3f} s")
    world.lab.set_durations(attach=seconds, detach=seconds)
    return lambda: world.lab.configure(durations=world.plan.durations)


def foreign_holder(world: World, rng: random.Random) -> Mend:
    """Somebody attaches an ENI to an instance that is no member."""
    eni = some_eni(world, rng)
    if rng.random() < 0.5:
        return None
    world.say("fault", "foreign instance takes", eni)
    world.lab.take(eni)
    return lambda: world.release(eni)


def second_eni_deleted(world: World, rng: random.Random) -> Mend:
    """Somebody deletes an ENI of the group, not the first, for good."""
    others = world.floating()[1:]
    if others and rng.random() < 0.3:
        world.say("fault", "somebody deletes", others[-1].id)
        world.lab.remove_eni(others[-1].id)
    return None


def some_eni(world: World, rng: random.Random) -> str:
    """One of the group's that exists."""
    return rng.choice(world.floating()).id


def detached_by_hand(world: World, rng: random.Random) -> Mend:
    """Somebody detaches an ENI: it is on nobody at once."""
    eni = some_eni(world, rng)
    world.say("fault", "somebody detaches", eni)
    world.lab.place(eni, None)
    return None


# People --------------------------------------------------------------------------------------------


def operator_takes(world: World, rng: random.Random) -> Mend:
    """`eni-failover takeover`, on one member, or on two at once."""
    for name in rng.sample(list(world.members), rng.choice((1, 1, 2))):
        world.members[name].console.take_over(timeout=rng.choice((10.0, 120.0)))
    return None


def operator_pauses(world: World, rng: random.Random) -> Mend:
    """`eni-failover pause`, for a while, of the group or of one member."""
    world.members[one_of(world, rng)].console.pause(rng.uniform(5.0, 300.0), local=rng.random() < 0.3)
    return None


def short_pause(world: World, rng: random.Random) -> Mend:
    """A pause of the group that ends while what it was made for still goes on."""
    world.members[one_of(world, rng)].console.pause(rng.uniform(2.0, 10.0), local=False)
    return None


def operator_resumes(world: World, rng: random.Random) -> Mend:
    """`eni-failover resume`."""
    world.members[one_of(world, rng)].console.resume(local=rng.random() < 0.3)
    return None


def operator_reloads(world: World, rng: random.Random) -> Mend:
    """Another file on one member: other numbers, observe mode, or a mistake."""
    name = one_of(world, rng)
    changes = rng.choice(CHANGES)
    world.say("fault", name, "file", changes)
    world.members[name].write_config(**changes)
    world.members[name].console.reload()

    return world.members[name].restore_config


def operator_renames(world: World, rng: random.Random) -> Mend:
    """The members have each other's names in the file of one member, or of all."""
    names = world.plan.names
    return roll_out(world, rng, replace(world.plan, called=(*names[1:], names[0])))


def operator_tries_out(world: World, rng: random.Random) -> Mend:
    """A trial with a mistake: a holder probe asks for what is not there, and nothing is acted on."""
    other = replace(world.plan, policy={**world.plan.policy, "takeover": "observe"}, wrong_port=True)
    return roll_out(world, rng, other)


def operator_changes_more(world: World, rng: random.Random) -> Mend:
    """Slower probes, one member more in the file, or more patience with EC2."""
    plan = world.plan
    slow: Table = {**plan.probe_timing, "interval": "20s", "fast_interval": rng.choice(("1s", "20s"))}
    others = (
        replace(plan, probe_timing=slow),
        replace(plan, newcomer=True),
        replace(plan, aws={"read_timeout": "8s"}),
    )
    return roll_out(world, rng, rng.choice(others))


def roll_out(world: World, rng: random.Random, other: Plan) -> Mend:
    """The file of another plan, on one member or on all; then the right one again."""
    names = [one_of(world, rng)] if rng.random() < 0.5 else list(world.members)
    world.say("fault", *names, "another file")
    for name in names:
        world.members[name].write_config(other)
        world.members[name].console.reload()

    def mend() -> None:
        for name in names:
            world.members[name].restore_config()

    return mend


def everybody_observes(world: World, rng: random.Random) -> Mend:
    """The whole group is in observe mode, and then something is wrong with the holder."""
    for name, member in world.members.items():
        world.say("fault", name, "observes")
        member.write_config(takeover="observe")
        member.console.reload()
    down = service_down(world, rng)

    def mend() -> None:
        down()
        for member in world.members.values():
            member.restore_config()

    return mend


def _maybe(world: World, rng: random.Random) -> str | None:
    return one_of(world, rng) if rng.random() < 0.6 else None


TROUBLE: tuple[tuple[Fault, int], ...] = (
    (api_errors, 6),
    (api_answers_lost, 6),
    (api_reads_lie, 3),
    (api_reads_lack_one, 4),
    (api_outage, 3),
    (throttling, 3),
    (denial, 2),
    (read_lag, 2),
    (stuck_detach, 3),
    (stuck_attach, 2),
    (slow_moves, 2),
    (foreign_holder, 1),
    (detached_by_hand, 2),
    (operator_takes, 6),
    (operator_pauses, 2),
    (short_pause, 2),
    (operator_resumes, 2),
    (operator_reloads, 4),
    (operator_renames, 2),
    (operator_tries_out, 3),
    (operator_changes_more, 2),
    (one_operation_fails, 5),
    (second_eni_deleted, 1),
    (everybody_observes, 2),
)
"""Each with how often it is drawn."""
