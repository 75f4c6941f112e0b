"""The actions that change something.

Owns: which ids each of them needs, and what it does with them. Must not know: permissions, DryRun, faults,
wire formats. Does not guarantee: that an action on several instances tells of more than the first refusal;
it changes all of them or none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from eni_failover.lab.attachments import attach, detach, refuse_service_owned, set_delete_on_termination
from eni_failover.lab.errors import Ec2Error, attachment_not_found
from eni_failover.lab.lifecycle import Moment, reboot, start, stop, terminate
from eni_failover.lab.reading import Parameters, check_forms, require_enis, require_instances
from eni_failover.lab.replies import Reply, state_reply
from eni_failover.lab.values import Eni, Instance, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One action: `find` raises for ids that are malformed or unknown, `apply` makes the new state.

    `apply` gets the id that an attachment made by it would have.
    """

    find: Callable[[State, Parameters, Moment], None]
    apply: Callable[[State, Parameters, Moment, str], tuple[State, Reply]]


def _find_attach(state: State, parameters: Parameters, _moment: Moment) -> None:
    require_enis(state, [parameters["NetworkInterfaceId"]])
    require_instances(state, [parameters["InstanceId"]])


def _attach(state: State, parameters: Parameters, moment: Moment, new_id: str) -> tuple[State, Reply]:
    card = parameters.get("NetworkCardIndex", 0)
    after = attach(
        state,
        state.enis[parameters["NetworkInterfaceId"]],
        state.instances[parameters["InstanceId"]],
        moment,
        index=parameters["DeviceIndex"],
        card=card,
        new_id=new_id,
    )
    return after, {"AttachmentId": new_id, "NetworkCardIndex": card}


def _attached_eni(state: State, attachment_id: str, moment: Moment) -> Eni:
    check_forms("attachment", [attachment_id])
    refuse_service_owned(attachment_id, moment)
    eni = state.by_attachment(attachment_id)
    if eni is None:
        raise attachment_not_found(attachment_id)
    return eni


def _find_detach(state: State, parameters: Parameters, moment: Moment) -> None:
    _attached_eni(state, parameters["AttachmentId"], moment)


def _detach(state: State, parameters: Parameters, moment: Moment, _new_id: str) -> tuple[State, Reply]:
    eni = _attached_eni(state, parameters["AttachmentId"], moment)
    return detach(state, eni, moment, force=parameters.get("Force", False)), {}


def _find_modify(state: State, parameters: Parameters, _moment: Moment) -> None:
    require_enis(state, [parameters["NetworkInterfaceId"]])


_MODIFIABLE: Final = ("Attachment", "Description", "Groups", "SourceDestCheck")


def _modify(state: State, parameters: Parameters, moment: Moment, _new_id: str) -> tuple[State, Reply]:
    changes = [name for name in parameters if name not in {"NetworkInterfaceId", "DryRun"}]
    if not changes:
        raise Ec2Error("InvalidParameterCombination", "No attributes specified.")
    if len(changes) > 1:
        raise Ec2Error("InvalidParameterCombination", "Fields for multiple attribute types specified")
    if changes[0] not in _MODIFIABLE:
        raise Ec2Error("UnsupportedOperation", f"The lab cannot modify {changes[0]}.")
    eni = state.enis[parameters["NetworkInterfaceId"]]
    value = parameters[changes[0]]
    match changes[0]:
        case "Attachment":
            return _modify_attachment(state, eni, value, moment), {}
        case "Description":
            return state.with_eni(replace(eni, description=value.get("Value", ""))), {}
        case "Groups":
            names = {group_id: name for other in state.enis.values() for group_id, name in other.groups}
            groups = tuple((group_id, names.get(group_id, group_id)) for group_id in value)
            return state.with_eni(replace(eni, groups=groups)), {}
        case _:
            return state.with_eni(replace(eni, source_dest_check=value.get("Value", True))), {}


def _modify_attachment(state: State, eni: Eni, value: Mapping[str, Any], moment: Moment) -> State:
    attachment_id = value.get("AttachmentId")
    if attachment_id is None:
        raise Ec2Error("MissingParameter", "The request must contain the parameter attachmentId")
    check_forms("attachment", [attachment_id])
    refuse_service_owned(attachment_id, moment)
    wanted = value.get("DeleteOnTermination")
    if wanted is None:
        raise Ec2Error("InvalidParameterCombination", "No attributes specified.")
    return set_delete_on_termination(state, eni, attachment_id, value=wanted)


def _find_listed(state: State, parameters: Parameters, _moment: Moment) -> None:
    require_instances(state, parameters["InstanceIds"])


Step = Callable[[State, Instance, Moment, Parameters], State]


def _each(key: str | None, step: Step) -> Change:
    def apply(state: State, parameters: Parameters, moment: Moment, _new_id: str) -> tuple[State, Reply]:
        after = state
        for instance_id in parameters["InstanceIds"]:
            after = step(after, after.instances[instance_id], moment, parameters)
        if key is None:
            return after, {}
        return after, {key: _state_changes(state, after, parameters["InstanceIds"])}

    return Change(find=_find_listed, apply=apply)


def _state_changes(before: State, after: State, instance_ids: list[str]) -> list[Reply]:
    return [
        {
            "InstanceId": instance_id,
            "PreviousState": state_reply(before.instances[instance_id].state),
            "CurrentState": state_reply(after.instances[instance_id].state),
        }
        for instance_id in instance_ids
    ]


def _stop(state: State, instance: Instance, moment: Moment, parameters: Parameters) -> State:
    return stop(state, instance, moment, force=parameters.get("Force", False))


CHANGES: Final[Mapping[str, Change]] = {
    "AttachNetworkInterface": Change(find=_find_attach, apply=_attach),
    "DetachNetworkInterface": Change(find=_find_detach, apply=_detach),
    "ModifyNetworkInterfaceAttribute": Change(find=_find_modify, apply=_modify),
    "RebootInstances": _each(None, lambda state, instance, moment, _: reboot(state, instance, moment)),
    "StartInstances": _each(
        "StartingInstances", lambda state, instance, moment, _: start(state, instance, moment)
    ),
    "StopInstances": _each("StoppingInstances", _stop),
    "TerminateInstances": _each(
        "TerminatingInstances", lambda state, instance, moment, _: terminate(state, instance, moment)
    ),
}
"""By action."""
