import pytest

from eni_failover.lab import Ec2Error, NoAnswerError
from eni_failover.lab.values import AttachmentStatus

ALPHA, BETA, GAMMA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2", "i-0ccccccccccccccc3"
ENI, SECOND = "eni-0ffffffffffffff01", "eni-0ffffffffffffff02"
NOWHERE = "eni-00000000000000bad"


def attach(world, eni=ENI, instance=BETA, index=1, caller="operator", **more):
    parameters = {"NetworkInterfaceId": eni, "InstanceId": instance, "DeviceIndex": index, **more}
    return world.call("AttachNetworkInterface", parameters, caller=caller)


def detach(world, attachment_id=None, caller="operator", **more):
    held = attachment_id or world.eni(ENI).attachment.id
    return world.call("DetachNetworkInterface", {"AttachmentId": held, **more}, caller=caller)


def refused(function, *args, **kwargs):
    with pytest.raises(Ec2Error) as caught:
        function(*args, **kwargs)
    return caught.value


def seen(world, eni=ENI):
    """(ENI status, attachment status, instance) as DescribeNetworkInterfaces tells."""
    answer = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [eni]})["NetworkInterfaces"][0]
    attachment = answer.get("Attachment", {})
    return answer["Status"], attachment.get("Status"), attachment.get("InstanceId")


def test_attach_takes_its_time(world, clock):
    """An attach is attaching until its duration has passed, and attached then."""
    world.place(ENI, None)

    attach(world)
    before = seen(world)
    clock.advance(1.999)
    still = seen(world)
    clock.advance(0.001)

    assert before == ("in-use", "attaching", BETA)
    assert before == still
    assert seen(world) == ("in-use", "attached", BETA)


def test_detach_takes_its_time(world, clock):
    """A detach is detaching until its duration has passed, and then the ENI has no attachment at all."""
    detach(world)
    before = seen(world)
    clock.advance(2.999)
    still = seen(world)
    clock.advance(0.001)

    assert before == ("in-use", "detaching", ALPHA)
    assert before == still
    assert seen(world) == ("available", None, None)


def test_moving_status_can_be_transitional(make_world):
    """With moving_status=transitional the ENI's own Status follows its attachment's."""
    world = make_world(settings={"moving_status": "transitional"})

    at_rest = seen(world)
    detach(world)

    assert at_rest == ("in-use", "attached", ALPHA)
    assert seen(world) == ("detaching", "detaching", ALPHA)


def test_attach_time_is_when_the_attach_began(world, clock):
    """AttachTime does not change when attaching becomes attached."""
    world.place(ENI, None)
    attach(world)
    clock.advance(10)

    answer = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})

    assert answer["NetworkInterfaces"][0]["Attachment"]["AttachTime"].timestamp() == 1_800_000_000


def test_each_attach_has_a_new_id(world, clock):
    """An attachment id is never used again: the old one is not found while the new one is there."""
    old = world.eni(ENI).attachment.id
    detach(world)
    clock.advance(3)
    new = attach(world, instance=ALPHA)["AttachmentId"]

    assert new != old
    assert new.startswith("eni-attach-0")
    assert refused(detach, world, old).code == "InvalidAttachmentID.NotFound"


@pytest.mark.parametrize("status", ["attaching", "attached", "detaching"])
def test_eni_in_use_is_refused_in_every_status(world, clock, status):
    """An attach of an ENI that has an attachment of any status is InvalidNetworkInterface.InUse."""
    if status == "attaching":
        world.place(ENI, None)
        attach(world, instance=ALPHA)
    elif status == "detaching":
        detach(world)

    assert world.eni(ENI).attachment.status == status
    assert refused(attach, world).code == "InvalidNetworkInterface.InUse"


def other_zone(world):
    world.add_subnet("subnet-0bbbbbbbbbbbbbbbb", "eu-central-1b", "10.0.2.0/24")
    world.add_instance("i-0eeeeeeeeeeeeeee5", subnet_id="subnet-0bbbbbbbbbbbbbbbb", address="10.0.2.5")


def full_type(world):
    for number in (7, 8):
        world.add_eni(f"eni-0000000000000000{number}", addresses=[f"10.0.1.{number}"])
        world.place(f"eni-0000000000000000{number}", BETA, index=number)


ATTACH_REFUSALS = [
    # situation, arrange(world), parameters, code, part of the message
    (1, None, {"eni": NOWHERE}, "InvalidNetworkInterfaceID.NotFound", NOWHERE),
    (2, None, {"eni": "vol-123"}, "InvalidNetworkInterfaceId.Malformed", "vol-123"),
    (3, None, {"instance": "i-00000000000000bad"}, "InvalidInstanceID.NotFound", "i-00000000000000bad"),
    (4, None, {"instance": "beta"}, "InvalidInstanceID.Malformed", "beta"),
    (5, None, {"index": 0}, "InvalidParameterValue", "Device index 0"),
    (6, None, {"index": -1}, "InvalidParameterValue", "-1"),
    (7, lambda w: w.set_state(BETA, "pending"), {}, "IncorrectInstanceState", "'pending'"),
    (8, lambda w: w.set_state(BETA, "stopping"), {}, "IncorrectInstanceState", "'stopping'"),
    (9, lambda w: w.set_state(BETA, "shutting-down"), {}, "IncorrectInstanceState", "'shutting-down'"),
    (10, lambda w: w.set_state(BETA, "terminated"), {}, "IncorrectInstanceState", "'terminated'"),
    (11, other_zone, {"instance": "i-0eeeeeeeeeeeeeee5"}, "InvalidParameterCombination", "availability zone"),
    (
        12,
        lambda w: w.place(SECOND, BETA, index=1),
        {},
        "InvalidParameterValue",
        f"Instance '{BETA}' already has an interface attached at device index '1'.",
    ),
    (
        13,
        full_type,
        {},
        "AttachmentLimitExceeded",
        "Interface count 4 exceeds the limit for m5.large",
    ),
    (14, None, {"NetworkCardIndex": 1}, "InvalidParameterValue", "Network card index '1'"),
    (
        15,
        lambda w: w.add_eni(NOWHERE, addresses=[f"10.0.1.{n}" for n in range(20, 31)]),
        {"eni": NOWHERE},
        "PrivateIpAddressLimitExceeded",
        "limit of 10",
    ),
    (
        19,
        lambda w: w.change_eni(ENI, ipv6=("2001:db8::1",), ipv6_prefixes=("2001:db8:1::/80",) * 10),
        {},
        "PrivateIpAddressLimitExceeded",
        "limit of 10",
    ),
    (16, lambda w: w.change_eni(ENI, requester_managed=True), {}, "OperationNotPermitted", ENI),
    (17, lambda w: w.change_eni(ENI, operator="eks.amazonaws.com"), {}, "OperationNotPermitted", ENI),
    (18, lambda w: w.change_eni(ENI, interface_type="efa"), {}, "UnsupportedOperation", "efa"),
]


@pytest.mark.parametrize(("number", "arrange", "parameters", "code", "text"), ATTACH_REFUSALS)
def test_attach_refusals(*, make_world, number, arrange, parameters, code, text):
    """Each rule refuses an attach with its own code, and nothing changes."""
    world = make_world(enis=2)
    world.place(ENI, None)
    world.place(SECOND, None)
    if arrange:
        arrange(world)
    before = world.state

    error = refused(attach, world, **parameters)

    assert code == error.code
    assert text in error.message
    assert before == world.state


CODES = [
    (1, "in_use_code", "InvalidParameterValue", lambda w: w.place(ENI, ALPHA)),
    (2, "instance_state_code", "IncorrectState", lambda w: w.set_state(BETA, "pending")),
    (
        3,
        "ip_limit_code",
        "InvalidParameterValue",
        lambda w: w.change_eni(ENI, ipv4_prefixes=tuple(f"10.0.1.{n}/28" for n in range(10))),
    ),
]


@pytest.mark.parametrize(("number", "setting", "code", "arrange"), CODES)
def test_undocumented_codes_are_settings(make_world, number, setting, code, arrange):
    """Where AWS documents no code, or two, the other plausible one is a setting."""
    world = make_world(settings={setting: code})
    world.place(ENI, None)
    arrange(world)

    assert refused(attach, world).code == code


def test_attach_to_a_stopped_instance_works(world, clock):
    """A stopped instance takes an ENI (a warm attach)."""
    world.place(ENI, None)
    world.set_state(BETA, "stopped")
    attach(world)
    clock.advance(2)

    assert seen(world) == ("in-use", "attached", BETA)


def test_attach_to_another_subnet_of_the_zone_works(world):
    """Only the zone must agree, not the subnet."""
    world.add_subnet("subnet-0cccccccccccccccc", "eu-central-1a", "10.0.3.0/24")
    world.change_eni(ENI, subnet_id="subnet-0cccccccccccccccc")
    world.place(ENI, None)

    attach(world)

    assert world.eni(ENI).attachment.instance_id == BETA


def test_detaching_still_occupies_index_and_slot(make_world, clock):
    """While an attachment is detaching its index is taken and it counts against the type's limit."""
    world = make_world(enis=2, instance_type="t3.micro")
    world.place(SECOND, None)
    detach(world)

    same_index = refused(attach, world, eni=SECOND, instance=ALPHA, index=1)
    other_index = refused(attach, world, eni=SECOND, instance=ALPHA, index=2)
    clock.advance(3)
    attach(world, eni=SECOND, instance=ALPHA, index=1)

    assert (same_index.code, other_index.code) == ("InvalidParameterValue", "AttachmentLimitExceeded")
    assert world.eni(SECOND).attachment.instance_id == ALPHA


def test_limits_count_per_network_card(make_world):
    """A card of a type with several cards takes its own number of ENIs, the next card more."""
    world = make_world(members=1, enis=0, instance_type="c6in.32xlarge")
    for number in range(1, 9):
        world.add_eni(f"eni-0000000000000001{number}", addresses=[f"10.0.1.{number}"])
    for number in range(1, 8):
        attach(world, eni=f"eni-0000000000000001{number}", instance=ALPHA, index=number)

    first_card = refused(attach, world, eni="eni-00000000000000018", instance=ALPHA, index=8)
    attach(world, eni="eni-00000000000000018", instance=ALPHA, index=1, NetworkCardIndex=1)

    assert first_card.code == "AttachmentLimitExceeded"
    assert world.eni("eni-00000000000000018").attachment.card_index == 1


DETACH_REFUSALS = [
    # situation, attachment id, code
    (1, "eni-attach-00000000000000bad", "InvalidAttachmentID.NotFound"),
    (2, ENI, "InvalidNetworkInterfaceAttachmentId.Malformed"),
    (3, "eni-attach-XYZ", "InvalidNetworkInterfaceAttachmentId.Malformed"),
    (4, "primary", "OperationNotPermitted"),
    (5, "ela-attach-0123456789abcdef0", "OperationNotPermitted"),
]


@pytest.mark.parametrize(("number", "attachment_id", "code"), DETACH_REFUSALS)
def test_detach_refusals(world, number, attachment_id, code):
    """Each rule refuses a detach with its own code, and nothing changes."""
    if attachment_id == "primary":
        attachment_id = world.eni("eni-0aaaaaaaaaaaaaaa1").attachment.id
    before = world.state

    assert code == refused(detach, world, attachment_id).code
    assert before == world.state


def test_service_owned_code_is_a_setting(make_world):
    """A detach of an ela-attach attachment can be AuthFailure instead."""
    world = make_world(settings={"service_owned_code": "AuthFailure"})

    error = refused(detach, world, "ela-attach-0123456789abcdef0")

    assert (error.code, error.status) == ("AuthFailure", 401)


def test_second_detach_is_refused_without_force(world, clock):
    """A plain detach of what is detaching is IncorrectState, and the first one goes on."""
    detach(world)
    clock.advance(1)

    assert refused(detach, world).code == "IncorrectState"
    assert seen(world) == ("in-use", "detaching", ALPHA)
    clock.advance(2)
    assert seen(world) == ("available", None, None)


def test_second_detach_can_be_accepted(make_world, clock):
    """With refuse_second_detach off a second plain detach is accepted and changes nothing."""
    world = make_world(settings={"refuse_second_detach": False})
    detach(world)
    clock.advance(2)
    detach(world)
    clock.advance(1)

    assert seen(world) == ("available", None, None)


def test_force_hurries_a_detach(world, clock):
    """Force on what is detaching ends it after the forced duration, with the same attachment id."""
    world.set_durations(ENI, detach=100.0)
    detach(world)
    clock.advance(5)
    detach(world, Force=True)
    clock.advance(0.9)
    before = seen(world)
    clock.advance(0.1)

    assert before == ("in-use", "detaching", ALPHA)
    assert seen(world) == ("available", None, None)


def test_force_never_delays_a_detach(world, clock):
    """Force just before the plain detach would have ended does not make it end later."""
    detach(world)
    clock.advance(2.9)
    detach(world, Force=True)
    clock.advance(0.1)

    assert seen(world) == ("available", None, None)


def test_stuck_detach_needs_force(world, clock):
    """A stuck detach never ends by itself; a forced one does."""
    world.stick_detach(ENI)
    detach(world)
    clock.advance(86400)
    stuck = seen(world)
    detach(world, Force=True)
    clock.advance(1)

    assert stuck == ("in-use", "detaching", ALPHA)
    assert seen(world) == ("available", None, None)


def test_stick_detach_catches_one_under_way_and_lets_go(world, clock):
    """A detach that is under way gets stuck too, and ends once it is let go."""
    detach(world)
    world.stick_detach(ENI)
    clock.advance(60)
    stuck = seen(world)
    world.unstick_detach(ENI, after=2.0)
    clock.advance(1.9)
    not_yet = seen(world)
    clock.advance(0.1)

    assert stuck == not_yet == ("in-use", "detaching", ALPHA)
    assert seen(world) == ("available", None, None)


def test_stick_detach_spares_a_forced_one(world, clock):
    """A forced detach under way is not stuck by it."""
    detach(world, Force=True)
    world.stick_detach(ENI)
    clock.advance(1)

    assert seen(world) == ("available", None, None)


def test_stuck_attach(world, clock):
    """A stuck attach stays attaching; it can be detached, and let go."""
    world.place(ENI, None)
    world.stick_attach(ENI)
    attach(world)
    clock.advance(600)
    stuck = seen(world)
    detach(world)
    clock.advance(3)
    attach(world)
    world.unstick_attach(ENI)

    assert stuck == ("in-use", "attaching", BETA)
    assert seen(world) == ("in-use", "attached", BETA)


def test_detach_while_attaching_can_be_refused(make_world, clock):
    """With refuse_detach_while_attaching a detach waits for attached."""
    world = make_world(settings={"refuse_detach_while_attaching": True})
    world.place(ENI, None)
    attach(world)

    early = refused(detach, world).code
    clock.advance(2)
    detach(world)

    assert early == "IncorrectState"
    assert seen(world) == ("in-use", "detaching", BETA)


def test_forced_detach_poisons_the_index(world, clock):
    """A forced detach spoils that index of that instance, no other, until it is stopped and started."""
    detach(world, Force=True)
    clock.advance(1)

    same = refused(attach, world, instance=ALPHA, index=1)
    attach(world, instance=ALPHA, index=2)
    detach_id = world.eni(ENI).attachment.id
    clock.advance(2)
    detach(world, detach_id)
    clock.advance(3)
    world.reboot_instance("alpha")
    after_reboot = refused(attach, world, instance=ALPHA, index=1)
    world.stop_instance("alpha")
    clock.advance(5)
    world.start_instance("alpha")
    clock.advance(2)
    attach(world, instance=ALPHA, index=1)

    assert {same.code, after_reboot.code} == {"InvalidParameterValue"}
    assert "device index '1'" in same.message
    assert seen(world) == ("in-use", "attaching", ALPHA)


def test_poison_is_a_setting(make_world, clock):
    """With poison_after_force off the index is free again."""
    world = make_world(settings={"poison_after_force": False})
    detach(world, Force=True)
    clock.advance(1)

    attach(world, instance=ALPHA, index=1)

    assert seen(world) == ("in-use", "attaching", ALPHA)


def test_forced_detach_from_a_stopped_instance_poisons_nothing(world, clock):
    """A stopped instance has no guest whose index could be spoilt."""
    world.set_state(ALPHA, "stopped")
    detach(world, Force=True)
    clock.advance(1)
    attach(world, instance=ALPHA, index=1)

    assert seen(world) == ("in-use", "attaching", ALPHA)


def test_two_attaches_one_winner(make_world):
    """Of two attaches of one ENI exactly one wins, the other is told that it is in use."""
    world = make_world(members=3)
    world.place(ENI, None)

    attach(world, instance=GAMMA, caller="gamma")
    lost = refused(attach, world, instance=BETA, caller="beta")

    assert lost.code == "InvalidNetworkInterface.InUse"
    assert world.eni(ENI).attachment.instance_id == GAMMA
    assert [call.accepted for call in world.calls] == [True, False]


def test_a_move_keeps_everything_but_the_attachment(make_world, clock):
    """MAC, addresses, associations, groups, tags and flags are the same after a move."""
    world = make_world()
    world.change_eni(
        ENI,
        ipv6=("2001:db8::1",),
        ipv4_prefixes=("10.0.1.208/28",),
        groups=(("sg-0aaaaaaaaaaaaaaaa", "web"), ("sg-0bbbbbbbbbbbbbbbb", "db")),
        source_dest_check=False,
    )

    def described():
        answer = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})["NetworkInterfaces"][
            0
        ]
        return {key: value for key, value in answer.items() if key not in {"Attachment", "Status"}}

    before = described()
    detach(world)
    clock.advance(3)
    attach(world)
    clock.advance(2)

    assert before == described()
    assert before["Association"]["PublicIp"] == "203.0.113.1"


def test_own_durations_of_an_eni(make_world, clock):
    """An ENI can be slower than the others."""
    world = make_world(enis=2)
    world.set_durations(SECOND, detach=30.0)
    detach(world, world.eni(ENI).attachment.id)
    detach(world, world.eni(SECOND).attachment.id)
    clock.advance(3)

    assert world.eni(ENI).attachment is None
    assert world.eni(SECOND).attachment.status is AttachmentStatus.DETACHING


def modify(world, **parameters):
    return world.call("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": ENI, **parameters})


def test_modify_delete_on_termination(world):
    """DeleteOnTermination is changed through the id of the current attachment."""
    held = world.eni(ENI).attachment.id
    modify(world, Attachment={"AttachmentId": held, "DeleteOnTermination": True})

    assert world.eni(ENI).attachment.delete_on_termination is True


def test_modify_other_attributes(world):
    """Description, SourceDestCheck and Groups are changed one at a time."""
    modify(world, Description={"Value": "new words"})
    modify(world, SourceDestCheck={"Value": False})
    modify(world, Groups=["sg-0123456789abcdef0", "sg-0cccccccccccccccc"])
    eni = world.eni(ENI)

    assert (eni.description, eni.source_dest_check) == ("new words", False)
    assert eni.groups == (
        ("sg-0123456789abcdef0", "default"),
        ("sg-0cccccccccccccccc", "sg-0cccccccccccccccc"),
    )


MODIFY_REFUSALS = [
    (1, {"Attachment": {"DeleteOnTermination": True}}, "MissingParameter"),
    (
        2,
        {"Attachment": {"AttachmentId": "eni-attach-00000000000000bad", "DeleteOnTermination": True}},
        "InvalidAttachmentID.NotFound",
    ),
    (
        3,
        {"Attachment": {"AttachmentId": "eni-attach-00000000000000002", "DeleteOnTermination": True}},
        "InvalidAttachmentID.NotFound",  # another ENI's attachment
    ),
    (4, {"Attachment": {"AttachmentId": "nonsense"}}, "InvalidNetworkInterfaceAttachmentId.Malformed"),
    (5, {}, "InvalidParameterCombination"),
    (6, {"Description": {"Value": "x"}, "SourceDestCheck": {"Value": True}}, "InvalidParameterCombination"),
    (7, {"EnablePrimaryIpv6": True}, "UnsupportedOperation"),
    (8, {"NetworkInterfaceId": NOWHERE, "Description": {"Value": "x"}}, "InvalidNetworkInterfaceID.NotFound"),
    (9, {"Attachment": {"AttachmentId": "eni-attach-00000000000000003"}}, "InvalidParameterCombination"),
    (10, {"Attachment": {"AttachmentId": "ela-attach-00000000000000003"}}, "OperationNotPermitted"),
]


@pytest.mark.parametrize(("number", "parameters", "code"), MODIFY_REFUSALS)
def test_modify_refusals(world, number, parameters, code):
    """Each rule refuses a modification with its own code, and nothing changes."""
    before = world.state

    assert code == refused(modify, world, **parameters).code
    assert before == world.state


def test_lost_answer_took_effect(world):
    """A detach whose answer is lost has begun all the same."""
    world.fault("lost", "DetachNetworkInterface")
    with pytest.raises(NoAnswerError) as caught:
        detach(world)

    assert caught.value.executed is True
    assert seen(world) == ("in-use", "detaching", ALPHA)
