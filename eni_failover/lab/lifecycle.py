"""The life of an instance, and the passing of time for everything in a state.

Owns: the transitions that happen by themselves (attaching becomes attached, stopping becomes stopped, ...)
and those that Start, Stop, Terminate and Reboot begin. Must not know: a clock; times come as arguments.
Does not guarantee: anything about the guest, which is not simulated.

    pending -> running -> stopping -> stopped -> pending ...
       any of these but shutting-down -> shutting-down -> terminated -> (no longer described)

Stopping detaches nothing. Terminating ends the attachments only at `terminated`; until then its ENIs are in
use. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from eni_failover.lab.errors import Ec2Error
from eni_failover.lab.settings import Durations, Settings
from eni_failover.lab.values import AttachmentStatus, CheckStatus, Eni, Instance, InstanceState, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something happens: `now` on the world's clock, `wall` in Unix seconds; under which switches."""

    now: float
    wall: float
    settings: Settings


def next_change(state: State) -> float:
    """The world's time of the earliest transition that is under way; `inf` when nothing is."""
    times = [instance.state_until for instance in state.instances.values()]
    times += [_attachment_due(eni) for eni in state.enis.values()]
    return min(times, default=inf)


def advance(state: State, until: float, settings: Settings) -> Iterator[tuple[float, State]]:
    """Each state that comes about up to and including `until`, with the time since which it holds."""
    while (at := next_change(state)) <= until and at < inf:
        state = _apply(state, at, settings)
        yield at, state


def _attachment_due(eni: Eni) -> float:
    match eni.attachment:
        case None:
            return inf
        case attachment if attachment.status is AttachmentStatus.ATTACHING:
            return attachment.attached_at
        case attachment if attachment.status is AttachmentStatus.DETACHING:
            return attachment.ends_at
        case _:
            return inf


def _apply(state: State, at: float, settings: Settings) -> State:
    for eni in tuple(state.enis.values()):
        if eni.attachment and _attachment_due(eni) <= at:
            done = (
                replace(eni.attachment, status=AttachmentStatus.ATTACHED)
                if eni.attachment.status is AttachmentStatus.ATTACHING
                else None
            )
            state = state.with_eni(replace(eni, attachment=done))
    for instance in tuple(state.instances.values()):
        if instance.state_until <= at:
            state = _instance_arrives(state, instance, at, settings)
    return state


def _instance_arrives(state: State, instance: Instance, at: float, settings: Settings) -> State:
    match instance.state:
        case InstanceState.PENDING:
            return state.with_instance(
                replace(instance, state=InstanceState.RUNNING, state_until=inf, running_since=at)
            )
        case InstanceState.STOPPING:
            return state.with_instance(replace(instance, state=InstanceState.STOPPED, state_until=inf))
        case InstanceState.SHUTTING_DOWN:
            vanishes = at + durations_of(instance, settings).vanish
            gone = replace(instance, state=InstanceState.TERMINATED, state_until=vanishes)
            return _end_attachments(state, instance.id, settings).with_instance(gone)
        case _:
            return state.without_instance(instance.id)


def _end_attachments(state: State, instance_id: str, settings: Settings) -> State:
    if settings.attachments_survive_termination:
        return state
    for eni in state.attached_to(instance_id):
        if eni.attachment and eni.attachment.delete_on_termination:
            state = state.without_eni(eni.id)
        else:
            state = state.with_eni(replace(eni, attachment=None))
    return state


def durations_of(owner: Instance | Eni, settings: Settings) -> Durations:
    """How long things take for this instance or ENI."""
    return owner.durations or settings.durations


def start(state: State, instance: Instance, moment: Moment) -> State:
    """Begin to start a stopped instance; a running or pending one stays as it is.

    Raises Ec2Error IncorrectInstanceState in any other state. Frees the indexes that a forced detach spoilt.
    """
    if instance.state in {InstanceState.RUNNING, InstanceState.PENDING}:
        return state
    if instance.state is not InstanceState.STOPPED:
        raise _wrong_state(instance, "started")
    return state.with_instance(
        replace(
            instance,
            state=InstanceState.PENDING,
            state_until=moment.now + durations_of(instance, moment.settings).start,
            state_reason=None,
            launch_time=moment.wall,
            poisoned=frozenset(),
            system_check=CheckStatus.OK,
            instance_check=CheckStatus.OK,
        )
    )


def stop(state: State, instance: Instance, moment: Moment, *, force: bool) -> State:
    """Begin to stop a running instance; with `force`, hurry one that is stopping already.

    Raises Ec2Error IncorrectInstanceState for one that is pending, shutting down or terminated, and another
    code for one that is protected from it or cannot be stopped at all.
    """
    if instance.state is InstanceState.STOPPED:
        return state
    if instance.state not in {InstanceState.RUNNING, InstanceState.STOPPING}:
        raise _wrong_state(instance, "stopped")
    _check_stoppable(instance)
    durations = durations_of(instance, moment.settings)
    until = moment.now + (durations.force_stop if force else durations.stop)
    if instance.state is InstanceState.STOPPING:
        until = min(until, instance.state_until) if force else instance.state_until
    return state.with_instance(
        replace(
            instance,
            state=InstanceState.STOPPING,
            state_until=until,
            state_reason=(
                "Client.UserInitiatedShutdown",
                "Client.UserInitiatedShutdown: User initiated shutdown",
            ),
        )
    )


def _check_stoppable(instance: Instance) -> None:
    """What EC2 never stops (the codes are from public reports; AWS documents none for StopInstances)."""
    if instance.disable_api_stop:
        raise Ec2Error(
            "OperationNotPermitted",
            f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance "
            "attribute and try again.",
        )
    if instance.spot == "one-time":
        raise Ec2Error(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot "
            "Instance request. You can only stop Spot Instances associated with persistent Spot Instance "
            "requests.",
        )
    if instance.root_device != "ebs":
        raise Ec2Error(
            "UnsupportedOperation",
            f"The instance '{instance.id}' does not have an 'ebs' root device type and cannot be stopped",
        )


def terminate(state: State, instance: Instance, moment: Moment) -> State:
    """Begin to terminate an instance in any state; again is no error."""
    if instance.state in {InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED}:
        return state
    until = moment.now + durations_of(instance, moment.settings).terminate
    return state.with_instance(
        replace(
            instance,
            state=InstanceState.SHUTTING_DOWN,
            state_until=until,
            state_reason=(
                "Client.UserInitiatedShutdown",
                "Client.UserInitiatedShutdown: User initiated shutdown",
            ),
        )
    )


def reboot(state: State, instance: Instance, moment: Moment) -> State:
    """Reboot: EC2's state stays `running`; only the status checks begin anew.

    Raises Ec2Error IncorrectInstanceState unless it is running.
    """
    if instance.state is not InstanceState.RUNNING:
        raise _wrong_state(instance, "rebooted")
    return state.with_instance(replace(instance, running_since=moment.now))


def _wrong_state(instance: Instance, verb: str) -> Ec2Error:
    return Ec2Error(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {verb}.",
    )
