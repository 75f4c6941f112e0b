"""Attaching, detaching and changing ENIs by EC2's rules.

Owns: the order and wording of the refusals, and the states that an accepted call makes. Must not know: who
calls, permissions, DryRun, wire formats. Does not guarantee: the order of two refusals that apply to one
call; AWS documents none.

An attachment of any status, `detaching` too, occupies the ENI, its device index and its slot.
"""

from dataclasses import replace
from math import inf

from eni_failover.lab.errors import Ec2Error, attachment_not_found, unauthorized_resource
from eni_failover.lab.instance_types import INSTANCE_TYPES
from eni_failover.lab.lifecycle import Moment, durations_of
from eni_failover.lab.values import Attachment, AttachmentStatus, Eni, Instance, InstanceState, State

_ATTACHABLE = frozenset({InstanceState.RUNNING, InstanceState.STOPPED})


def attach(
    state: State, eni: Eni, instance: Instance, moment: Moment, *, index: int, card: int, new_id: str
) -> State:
    """Begin to attach; the attachment `new_id` is attaching until the ENI's attach duration has passed.

    Raises Ec2Error with the code that names the rule which forbids it.
    """
    _check_eni(eni, moment)
    _check_place(state, eni, instance, moment, index=index, card=card)
    _check_limits(state, eni, instance, moment, card=card)
    duration = inf if eni.attach_stuck else durations_of(eni, moment.settings).attach
    attachment = Attachment(
        id=new_id,
        instance_id=instance.id,
        device_index=index,
        card_index=card,
        status=AttachmentStatus.ATTACHING,
        attach_time=moment.wall,
        attached_at=moment.now + duration,
    )
    return state.with_eni(replace(eni, attachment=attachment))


def _check_eni(eni: Eni, moment: Moment) -> None:
    if eni.requester_managed or eni.operator:
        raise unauthorized_resource(eni.id)
    if eni.attachment:
        raise Ec2Error(moment.settings.in_use_code, f"Interface: [{eni.id}] is currently in use.")
    if eni.interface_type.startswith("efa"):
        raise Ec2Error(
            "UnsupportedOperation",
            f"Interface type '{eni.interface_type}' of '{eni.id}' can be attached at launch only.",
        )


def _check_place(
    state: State, eni: Eni, instance: Instance, moment: Moment, *, index: int, card: int
) -> None:
    if index < 0 or (index == 0 and card == 0):
        raise Ec2Error(
            "InvalidParameterValue",
            f"Invalid value '{index}' for deviceIndex. Device index 0 is the primary network interface's.",
        )
    if instance.state not in _ATTACHABLE:
        raise Ec2Error(
            moment.settings.instance_state_code,
            f"Instance '{instance.id}' is '{instance.state}': it must be 'running' or 'stopped'.",
        )
    if state.zone_of(eni.subnet_id) != state.zone_of(instance.subnet_id):
        raise Ec2Error(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same "
            "availability zone",
        )
    taken = {
        (other.attachment.card_index, other.attachment.device_index)
        for other in state.attached_to(instance.id)
        if other.attachment
    }
    if (card, index) in taken | instance.poisoned:
        raise Ec2Error(
            "InvalidParameterValue",
            f"Instance '{instance.id}' already has an interface attached at device index '{index}'.",
        )


def _check_limits(state: State, eni: Eni, instance: Instance, moment: Moment, *, card: int) -> None:
    kind = INSTANCE_TYPES[instance.type]
    if not 0 <= card < len(kind.enis_per_card):
        raise Ec2Error(
            "InvalidParameterValue",
            f"Network card index '{card}' is not valid for instance type {kind.name}.",
        )
    attached = [other.attachment for other in state.attached_to(instance.id) if other.attachment]
    on_card = [attachment for attachment in attached if attachment.card_index == card]
    if len(on_card) >= kind.enis_per_card[card]:
        raise Ec2Error(
            "AttachmentLimitExceeded",
            f"Interface count {len(attached) + 1} exceeds the limit for {kind.name}",
        )
    ipv4, ipv6 = len(eni.addresses) + len(eni.ipv4_prefixes), len(eni.ipv6) + len(eni.ipv6_prefixes)
    if max(ipv4, ipv6) > kind.ips_per_eni:
        raise Ec2Error(
            moment.settings.ip_limit_code,
            f"The number of private IP addresses of '{eni.id}' exceeds the limit of {kind.ips_per_eni} "
            f"for {kind.name}",
        )


def detach(state: State, eni: Eni, moment: Moment, *, force: bool) -> State:
    """Begin to detach; the attachment is detaching until the ENI's detach duration has passed.

    With `force` also when it is detaching already: it then ends no later than it would have. A forced detach
    from a running instance leaves the index unusable there (a setting).
    Raises Ec2Error for an attachment that must not or cannot be detached.
    """
    attachment = eni.attachment
    if attachment is None:
        raise attachment_not_found("")
    _check_detachable(state, attachment, moment, force=force)
    durations = durations_of(eni, moment.settings)
    if force:
        ends_at = min(attachment.ends_at, moment.now + durations.force_detach)
    elif attachment.status is AttachmentStatus.DETACHING:
        ends_at = attachment.ends_at
    else:
        ends_at = inf if eni.detach_stuck else moment.now + durations.detach
    attached = attachment.status is not AttachmentStatus.ATTACHING
    leaving = replace(
        attachment,
        attached_at=attachment.attached_at if attached else inf,
        status=AttachmentStatus.DETACHING,
        ends_at=ends_at,
        forced=force or attachment.forced,
    )
    state = state.with_eni(replace(eni, attachment=leaving))
    return _poison(state, leaving) if force and moment.settings.poison_after_force else state


def _check_detachable(state: State, attachment: Attachment, moment: Moment, *, force: bool) -> None:
    settings = moment.settings
    if attachment.device_index == 0 and attachment.card_index == 0:
        raise Ec2Error(
            "OperationNotPermitted",
            "The network interface at device index 0 and networkCard index 0 cannot be detached.",
        )
    refused = {
        AttachmentStatus.DETACHING: settings.refuse_second_detach and not force,
        AttachmentStatus.ATTACHING: settings.refuse_detach_while_attaching,
        AttachmentStatus.ATTACHED: False,
    }[attachment.status]
    holder = state.instances.get(attachment.instance_id)
    if holder and holder.state is InstanceState.SHUTTING_DOWN and settings.refuse_detach_while_shutting_down:
        refused = True
    if refused:
        raise Ec2Error(
            "IncorrectState",
            f"The attachment '{attachment.id}' is '{attachment.status}': it cannot be detached now.",
        )


def _poison(state: State, attachment: Attachment) -> State:
    holder = state.instances.get(attachment.instance_id)
    if holder is None or holder.state is InstanceState.STOPPED:
        return state
    spoilt = holder.poisoned | {(attachment.card_index, attachment.device_index)}
    return state.with_instance(replace(holder, poisoned=spoilt))


def refuse_service_owned(attachment_id: str, moment: Moment) -> None:
    """Raise for an attachment that belongs to a service: nobody else can detach or change it."""
    if attachment_id.startswith("ela-attach-"):
        raise Ec2Error(
            moment.settings.service_owned_code, "You are not allowed to manage 'ela-attach' attachments."
        )


def set_delete_on_termination(state: State, eni: Eni, attachment_id: str, *, value: bool) -> State:
    """Change DeleteOnTermination of the attachment that the ENI has now.

    Raises Ec2Error InvalidAttachmentID.NotFound when that is another one, or none.
    """
    if eni.attachment is None or eni.attachment.id != attachment_id:
        raise attachment_not_found(attachment_id)
    return state.with_eni(replace(eni, attachment=replace(eni.attachment, delete_on_termination=value)))
