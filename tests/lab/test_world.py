import time
from math import inf

import pytest

from eni_failover.lab import Durations, Settings, World
from eni_failover.lab.world import floating_eni_id, instance_id_of

ENI = "eni-0ffffffffffffff01"


def test_the_usual_pair(make_world):
    """Members alpha, beta, ... in one zone, each with its primary ENI; the floating ENIs are on the first."""
    world = make_world(members=3, enis=2, instance_type="m5.xlarge")
    state = world.state

    assert [(i.id, i.name, i.state.value, i.type) for i in state.instances.values()] == [
        ("i-0aaaaaaaaaaaaaaa1", "alpha", "running", "m5.xlarge"),
        ("i-0bbbbbbbbbbbbbbb2", "beta", "running", "m5.xlarge"),
        ("i-0ccccccccccccccc3", "gamma", "running", "m5.xlarge"),
    ]
    placed = [(e.id, e.attachment.instance_id[-1], e.attachment.device_index) for e in state.enis.values()]
    assert placed == [
        ("eni-0aaaaaaaaaaaaaaa1", "1", 0),
        ("eni-0bbbbbbbbbbbbbbb2", "2", 0),
        ("eni-0ccccccccccccccc3", "3", 0),
        ("eni-0ffffffffffffff01", "1", 1),
        ("eni-0ffffffffffffff02", "1", 2),
    ]
    assert {True} == {e.attachment.delete_on_termination for e in list(state.enis.values())[:3]}
    assert {False} == {e.attachment.delete_on_termination for e in list(state.enis.values())[3:]}


def test_ids_and_macs_are_distinct(make_world):
    """Ids, MACs and addresses of a large world are all different, and the ids have EC2's form."""
    world = make_world(members=30, enis=20, instance_type="c5n.18xlarge")
    enis = list(world.state.enis.values())

    assert len({eni.mac for eni in enis}) == len(enis) == 50
    assert len({eni.addresses[0].ip for eni in enis}) == 50
    assert {19} == {len(instance_id) for instance_id in world.state.instances}
    assert {21} == {len(floating_eni_id(number)) for number in (1, 20, 200)}
    assert instance_id_of(7) not in {instance_id_of(number) for number in range(1, 7)}
    assert (world.instance("alpha").name, world.instance("member-30").name) == ("alpha", "member-30")


def test_members_can_have_other_addresses(make_world):
    """Addresses of the members can be given, for processes on loopback."""
    world = make_world(addresses=("127.0.0.11",))

    assert [world.eni(eni).addresses[0].ip for eni in ("eni-0aaaaaaaaaaaaaaa1", "eni-0bbbbbbbbbbbbbbb2")] == [
        "127.0.0.11",
        "10.0.1.12",
    ]


def test_what_was_set_up_does_not_lag(make_world):
    """A lagging describe of a new world sees it set up, not empty."""
    world = make_world(settings={"lag": 30.0})

    assert len(world.call("DescribeInstances")["Reservations"]) == 2


def test_place_makes_a_new_attachment(world):
    """Placing is at once, with an id of its own, and to nothing makes the ENI available."""
    old = world.eni(ENI).attachment
    new = world.place("floating-1", "beta", index=5)

    assert new != old.id
    assert (
        world.eni(ENI).attachment.instance_id,
        world.eni(ENI).attachment.device_index,
        world.eni(ENI).attachment.status,
    ) == ("i-0bbbbbbbbbbbbbbb2", 5, "attached")
    assert world.place("floating-1", None) is None
    assert world.eni(ENI).attachment is None


def test_take(world):
    """A foreign instance takes the ENI; it is described like any other."""
    world.take(ENI)
    world.place(ENI, "alpha")
    world.take(ENI)
    answer = world.call("DescribeInstances", {"InstanceIds": [world.eni(ENI).attachment.instance_id]})

    assert answer["Reservations"][0]["Instances"][0]["Tags"] == [{"Key": "Name", "Value": "foreign"}]
    assert answer["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"] == ENI


def test_take_by_a_member(world):
    """Another member can take it just so."""
    world.take(ENI, by="beta", index=2)

    assert world.eni(ENI).attachment.instance_id == "i-0bbbbbbbbbbbbbbb2"


def test_remove(world):
    """What is removed is unknown; an ENI of a removed instance is free."""
    world.remove_instance("alpha")

    assert world.eni(ENI).attachment is None
    world.remove_eni(ENI)
    with pytest.raises(KeyError, match="floating-1"):
        world.eni("floating-1")
    with pytest.raises(KeyError, match="alpha"):
        world.instance("alpha")


def test_durations_of_an_instance(world, clock):
    """An instance can be slower than the others."""
    world.set_durations("alpha", stop=60.0)
    world.stop_instance("alpha")
    world.stop_instance("beta")
    clock.advance(5)

    assert (world.instance("alpha").state, world.instance("beta").state) == ("stopping", "stopped")


def test_set_state_stays(world, clock):
    """A state that was set stays, transitional ones too."""
    world.set_state("alpha", "stopping")
    clock.advance(1e6)

    assert world.instance("alpha").state == "stopping"


BAD = [
    (1, lambda: Durations(attach=-1.0)),
    (2, lambda: Durations(attach=float("nan"))),
    (3, lambda: Settings(latency=-0.1)),
    (4, lambda: Settings().changed(latency=True)),
    (5, lambda: Settings().changed(moving_status="sideways")),
]


@pytest.mark.parametrize(("number", "make"), BAD)
def test_bad_settings_are_refused(number, make):
    """A duration is a number that is not negative; a switch has the values that it has."""
    with pytest.raises(ValueError, match=r"duration|sideways"):
        make()


def test_durations_can_be_for_ever():
    """None, as JSON has it, is for ever."""
    assert (inf, 2.0) == (Durations().changed(detach=None).detach, Durations().changed(detach=None).attach)


def test_the_default_clock_is_the_real_one():
    """Without a clock the world lives in real time."""
    world = World.pair()

    assert abs(world.now - time.monotonic()) < 5
    assert abs(world.eni(ENI).attachment.attach_time - time.time()) < 5
