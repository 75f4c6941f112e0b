from math import inf

import pytest

from eni_failover.lab import Ec2Error

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI = "eni-0ffffffffffffff01"


def state(world, instance=ALPHA):
    return world.state.instances[instance].state.value


def act(world, action, instance=ALPHA, **more):
    return world.call(action, {"InstanceIds": [instance], **more})


def test_stop_and_start(world, clock):
    """Running, stopping, stopped, pending, running, each for its duration, and the ENIs stay attached."""
    seen = [state(world)]
    act(world, "StopInstances")
    seen.append(state(world))
    clock.advance(5)
    seen.append(state(world))
    act(world, "StartInstances")
    seen.append(state(world))
    clock.advance(2)
    seen.append(state(world))

    assert seen == ["running", "stopping", "stopped", "pending", "running"]
    assert world.eni(ENI).attachment.status == "attached"
    assert world.eni(ENI).attachment.instance_id == ALPHA


def test_stop_tells_both_states(world):
    """StopInstances answers with the state before and the state now."""
    answer = act(world, "StopInstances")

    expected = {
        "InstanceId": ALPHA,
        "PreviousState": {"Code": 16, "Name": "running"},
        "CurrentState": {"Code": 64, "Name": "stopping"},
    }
    assert [expected] == answer["StoppingInstances"]


def test_force_hurries_a_stop(world, clock):
    """A stop that never ends is ended by a forced one."""
    world.set_durations("alpha", stop=inf)
    act(world, "StopInstances")
    clock.advance(3600)
    act(world, "StopInstances")
    stuck = state(world)
    act(world, "StopInstances", Force=True)
    clock.advance(1)

    assert stuck == "stopping"
    assert state(world) == "stopped"


def test_detach_from_a_stopped_instance_works(world, clock):
    """An ENI can be detached from a stopped instance."""
    world.set_state("alpha", "stopped")
    world.call("DetachNetworkInterface", {"AttachmentId": world.eni(ENI).attachment.id})
    clock.advance(3)

    assert world.eni(ENI).attachment is None


def test_terminate_frees_the_eni_only_at_terminated(world, clock):
    """While an instance shuts down its ENIs are in use; at terminated they are free, its primary is gone."""
    held = world.eni(ENI).attachment.id
    act(world, "TerminateInstances")
    clock.advance(4.9)
    during = (state(world), world.eni(ENI).attachment.status)
    with pytest.raises(Ec2Error) as in_use:
        world.call(
            "AttachNetworkInterface", {"NetworkInterfaceId": ENI, "InstanceId": BETA, "DeviceIndex": 1}
        )
    clock.advance(0.1)
    with pytest.raises(Ec2Error) as gone:
        world.call("DetachNetworkInterface", {"AttachmentId": held})

    assert during == ("shutting-down", "attached")
    assert in_use.value.code == "InvalidNetworkInterface.InUse"
    assert gone.value.code == "InvalidAttachmentID.NotFound"
    assert (state(world), world.eni(ENI).attachment) == ("terminated", None)
    assert "eni-0aaaaaaaaaaaaaaa1" not in world.state.enis


def test_terminate_destroys_what_is_to_be_deleted(world, clock):
    """A floating ENI with DeleteOnTermination dies with its holder."""
    world.place(ENI, "alpha", delete_on_termination=True)
    act(world, "TerminateInstances")
    clock.advance(5)

    assert ENI not in world.state.enis


def test_attachments_can_survive_termination(make_world, clock):
    """With attachments_survive_termination the ENI stays attached to an instance that is no longer there."""
    world = make_world(settings={"attachments_survive_termination": True})
    act(world, "TerminateInstances")
    clock.advance(5 + 600)

    answer = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})["NetworkInterfaces"][0]

    assert ALPHA not in world.state.instances
    assert answer["Attachment"]["InstanceId"] == ALPHA
    world.call("DetachNetworkInterface", {"AttachmentId": answer["Attachment"]["AttachmentId"]})
    clock.advance(3)
    assert world.eni(ENI).attachment is None


def test_terminated_instances_vanish(world, clock):
    """A terminated instance is described without a network for a while, then not at all."""
    act(world, "TerminateInstances")
    clock.advance(5 + 599)
    shown = world.call("DescribeInstances", {"InstanceIds": [ALPHA]})["Reservations"][0]["Instances"][0]
    clock.advance(1)
    with pytest.raises(Ec2Error) as caught:
        world.call("DescribeInstances", {"InstanceIds": [ALPHA]})

    assert shown["State"] == {"Code": 48, "Name": "terminated"}
    assert (shown["NetworkInterfaces"], shown.get("SubnetId"), shown.get("PrivateIpAddress")) == (
        [],
        None,
        None,
    )
    assert caught.value.code == "InvalidInstanceID.NotFound"


def test_terminate_twice_is_no_error(world, clock):
    """A second terminate changes nothing and prolongs nothing."""
    act(world, "TerminateInstances")
    clock.advance(4)
    act(world, "TerminateInstances")
    clock.advance(1)

    assert state(world) == "terminated"


def test_detach_while_shutting_down_can_be_refused(make_world):
    """With refuse_detach_while_shutting_down a detach is IncorrectState until the instance is terminated."""
    world = make_world(settings={"refuse_detach_while_shutting_down": True})
    act(world, "TerminateInstances")
    with pytest.raises(Ec2Error) as caught:
        world.call("DetachNetworkInterface", {"AttachmentId": world.eni(ENI).attachment.id})

    assert caught.value.code == "IncorrectState"


def test_reboot_keeps_running(world):
    """A rebooting instance is running all the time."""
    act(world, "RebootInstances")

    assert state(world) == "running"


WRONG_STATES = [
    (1, "pending", "StopInstances"),
    (2, "shutting-down", "StopInstances"),
    (3, "terminated", "StopInstances"),
    (4, "stopping", "StartInstances"),
    (5, "shutting-down", "StartInstances"),
    (6, "terminated", "StartInstances"),
    (7, "stopped", "RebootInstances"),
]


@pytest.mark.parametrize(("number", "before", "action"), WRONG_STATES)
def test_wrong_states(world, code_of, number, before, action):
    """An action that the state does not allow is IncorrectInstanceState and changes nothing."""
    world.set_state("alpha", before)

    assert code_of(world, action, InstanceIds=[ALPHA]) == "IncorrectInstanceState"
    assert state(world) == before


UNSTOPPABLE = [
    (1, {"disable_api_stop": True}, "OperationNotPermitted"),
    (2, {"spot": "one-time"}, "UnsupportedOperation"),
    (3, {"root_device": "instance-store"}, "UnsupportedOperation"),
]


@pytest.mark.parametrize(("number", "fields", "code"), UNSTOPPABLE)
def test_what_cannot_be_stopped_is_refused(world, code_of, number, fields, code):
    """Stop protection, a one-time Spot request, an instance store: refused, and nothing changes."""
    world.change_instance("alpha", **fields)

    assert code_of(world, "StopInstances", InstanceIds=[ALPHA], Force=True) == code
    assert state(world) == "running"


def test_a_spot_instance_of_a_persistent_request_stops(world):
    """EC2 keeps its request."""
    world.change_instance("alpha", spot="persistent")
    act(world, "StopInstances")

    assert state(world) == "stopping"


NO_CHANGE = [
    (1, "stopped", "StopInstances"),
    (2, "running", "StartInstances"),
    (3, "pending", "StartInstances"),
]


@pytest.mark.parametrize(("number", "before", "action"), NO_CHANGE)
def test_what_is_so_already(world, code_of, number, before, action):
    """Stopping the stopped and starting the running is accepted and changes nothing."""
    world.set_state("alpha", before)

    assert code_of(world, action, InstanceIds=[ALPHA]) == "ok"
    assert state(world) == before


def test_all_or_none(world, code_of):
    """An action on several instances that one of them refuses changes none."""
    world.set_state("beta", "terminated")

    assert code_of(world, "StopInstances", InstanceIds=[ALPHA, BETA]) == "IncorrectInstanceState"
    assert state(world) == "running"


def test_transitions_happen_in_order_of_time(world, clock):
    """However long nobody looks, what was due happened in order, each at its own time."""
    changes = []
    world.subscribe(lambda change: changes.append((change.at, change.after.instances.get(ALPHA))))
    act(world, "TerminateInstances")
    clock.advance(10_000)
    _ = world.state

    times = [(at - 1000.0, instance.state.value if instance else None) for at, instance in changes]
    assert times == [(0.0, "shutting-down"), (5.0, "terminated"), (605.0, None)]


def test_next_change_tells_when(world, clock):
    """next_change is the time of the next thing that is due, and inf when nothing is."""
    idle = world.next_change()
    act(world, "StopInstances")
    world.call("DetachNetworkInterface", {"AttachmentId": world.eni(ENI).attachment.id})

    assert idle == inf
    assert world.next_change() == clock.now + 3.0


def test_checks_initialize_after_start(make_world, clock):
    """Status checks say initializing for a while after an instance began to run, if so set."""
    world = make_world()
    world.set_durations(initializing=60.0)
    world.set_state("alpha", "stopped")
    act(world, "StartInstances")
    clock.advance(2 + 59)
    early = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA]})["InstanceStatuses"][0]
    clock.advance(1)
    late = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA]})["InstanceStatuses"][0]

    assert (early["SystemStatus"]["Status"], late["SystemStatus"]["Status"]) == ("initializing", "ok")
