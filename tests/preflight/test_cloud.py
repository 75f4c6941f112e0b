"""Asking EC2 and IMDS, against the lab."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.imds import Imds
from eni_failover.core.policy import FenceMode
from eni_failover.lab.world import floating_eni_id
from eni_failover.preflight import cloud
from eni_failover.preflight.facts import Missed
from tests.preflight.builders import ALPHA, BETA, ENI, SUBNET, MovingGate, config

YES = Permission(allowed=True)
DENIAL = "You are not authorized to perform this operation."


@pytest.fixture
def gather(make_ec2, on_beta, world):
    """Gathers for beta; `changes` are fields of the configuration. Forgets the calls before."""

    def gathered(*, wall=time.time, me=True, imds=None, patience=2.0, gate=None, **changes):
        file = replace(config(), **changes)
        ec2 = make_ec2(read_timeout=patience)
        world.clear_calls()
        asked = cloud.Asked(
            ec2=ec2.inspection(wall=wall),
            imds=Imds({"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds or on_beta.imds_url("beta")}),
            config=file,
            me=file.members[1] if me else None,
            credentials_until=ec2.credentials_expiry,
            tried=file.eni_ids,
            stopped=cloud.to_stop(file, file.members[1] if me else None),
            gate=gate or asyncio.Semaphore(cloud.SIDE_BY_SIDE),
        )
        return asyncio.run(cloud.gather(asked))

    return gathered


def actions(world) -> list[tuple[str, str, bool]]:
    return sorted((one.action, one.code, one.dry_run) for one in world.calls)


def test_everything_is_found_in_a_group_in_health(gather, world):
    """Details, limits, subnets, IMDS and permissions are there, and nothing in EC2 has changed."""
    before = world.state
    found = gather()

    assert not [name for name in found.__slots__ if isinstance(getattr(found, name), Missed)]
    assert [one.eni.eni_id for one in found.enis] == [ENI]
    assert [one.instance.instance_id[:4] for one in found.instances] == ["i-0a", "i-0b"]
    assert (found.limits.interfaces, found.limits.ipv4_per_interface) == (3, 10)
    assert found.subnets == {SUBNET}
    assert [one.device_index for one in found.listed] == [0]
    assert (found.attach, found.detach, found.keep, found.stop) == ({ENI: YES}, {ENI: YES}, {ENI: YES}, {})
    assert world.state == before


def test_few_calls_are_made(gather, world):
    """One describe of each kind, and one DryRun of each change for one ENI."""
    gather()

    assert actions(world) == [
        ("AttachNetworkInterface", "DryRunOperation", True),
        ("DescribeInstanceTypes", "ok", False),
        ("DescribeInstances", "ok", False),
        ("DescribeNetworkInterfaces", "ok", False),
        ("DescribeSubnets", "ok", False),
        ("DetachNetworkInterface", "DryRunOperation", True),
        ("ModifyNetworkInterfaceAttribute", "DryRunOperation", True),
    ]


def test_fencing_asks_about_the_others(gather):
    """Each other member may have to be stopped; this one never."""
    found = gather(fence=FenceMode.STOP)

    assert (found.stop, found.unstoppable) == ({"alpha": YES}, {"alpha": ""})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"disable_api_stop": True}, "is protected from being stopped (DisableApiStop)"),
        ({"spot": "one-time"}, "is a Spot Instance of a one-time request"),
        ({"spot": "persistent"}, ""),
        ({"root_device": "instance-store"}, "has an instance store as its root device"),
    ],
)
def test_what_ec2_never_stops_is_found_before_the_takeover(gather, world, fields, expected):
    """A DryRun looks at permissions only."""
    world.change_instance("alpha", **fields)
    found = gather(fence=FenceMode.STOP)

    assert (found.stop, found.unstoppable) == ({"alpha": YES}, {"alpha": expected})


@pytest.mark.parametrize(
    ("action", "fields"),
    [("DescribeInstanceAttribute", {}), ("DescribeSpotInstanceRequests", {"spot": "one-time"})],
)
def test_what_may_not_be_asked_about_a_fence_is_missed(gather, world, action, fields):
    """Without the permission it is not known."""
    world.change_instance("alpha", **fields)
    world.deny(action, "beta")

    assert gather(fence=FenceMode.STOP).unstoppable["alpha"].denied


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("AttachNetworkInterface", "attach"),
        ("DetachNetworkInterface", "detach"),
        ("ModifyNetworkInterfaceAttribute", "keep"),
    ],
)
def test_a_denied_change_is_told_by_its_dry_run(gather, world, action, name):
    """One action is denied, the others are allowed."""
    world.deny(action, "beta")
    found = gather()
    said = {each: getattr(found, each)[ENI].allowed for each in ("attach", "detach", "keep")}

    assert said == {"attach": True, "detach": True, "keep": True, name: False}


def test_a_denied_stop_is_told_by_its_dry_run(gather, world):
    """With EC2's words."""
    world.deny("StopInstances", "beta")
    found = gather(fence=FenceMode.STOP)

    assert found.stop["alpha"].allowed is False
    assert found.stop["alpha"].detail.startswith(DENIAL)


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("DescribeNetworkInterfaces", "enis"),
        ("DescribeInstances", "instances"),
        ("DescribeSubnets", "subnets"),
        ("DescribeInstanceTypes", "limits"),
    ],
)
def test_a_denied_describe_is_missed_alone(gather, world, action, name):
    """The fact says that IAM denied it; the API is reached all the same."""
    world.deny(action, "beta")
    found = gather()

    assert getattr(found, name).denied is True
    assert getattr(found, name).why.startswith(DENIAL)
    assert not isinstance(found.api, Missed)


@pytest.mark.parametrize("how", ["close", "hang"])
def test_an_api_out_of_reach_misses_everything_of_ec2(gather, world, how):
    """Nothing raises, and what depends on the describes is not asked; IMDS still tells what it knows."""
    world.unreachable("beta", how)
    found = gather(patience=0.2)

    assert isinstance(found.api, Missed)
    assert {getattr(found, name).why for name in ("enis", "instances", "limits", "subnets")} == {
        "EC2 did not answer"
    }
    assert (found.attach, found.detach, found.keep) == ({}, {}, {})
    assert [one.device_index for one in found.listed] == [0]
    assert {one.action for one in world.calls} == {"DescribeNetworkInterfaces", "DescribeInstances"}


def test_a_wrong_clock_is_told_by_a_refusal_too(gather, world):
    """EC2's Date comes with its refusal; this clock is ten minutes ahead of it."""
    world.fault("error", count=None, code="RequestExpired")
    found = gather(wall=lambda: time.time() + 600)

    assert isinstance(found.api, Missed)
    assert round(found.clock_skew, -1) == 600


def test_an_eni_on_nobody_has_no_attachment_to_try(gather, world):
    """Detach and modify name an attachment: without one nothing is known about them."""
    world.place("floating-1", None)
    found = gather()

    assert (found.attach, found.detach, found.keep) == ({ENI: YES}, {}, {})


def test_an_eni_that_moves_meanwhile_is_asked_about_anew(gather, world):
    """The old attachment's absence says nothing of permissions: the new one is described and tried."""
    found = gather(gate=MovingGate(lambda: world.place("floating-1", BETA, index=1), before=(3,)))

    assert found.detach == {ENI: YES}
    assert [action for action in actions(world) if action[0] == "DetachNetworkInterface"] == [
        ("DetachNetworkInterface", "DryRunOperation", True),
        ("DetachNetworkInterface", "InvalidAttachmentID.NotFound", True),
    ]


@pytest.mark.parametrize(("then", "call", "tries"), [(ALPHA, 9, 2), (None, 8, 1)])
def test_an_eni_that_does_not_come_to_rest_is_left_out(gather, world, then, call, tries):
    """It has moved again, or is on nobody by now: asked about once more at most."""
    moves = iter((BETA, then))
    gate = MovingGate(lambda: world.place("floating-1", next(moves), index=1), before=(3, call))
    found = gather(gate=gate)
    codes = [code for action, code, _ in actions(world) if action == "DetachNetworkInterface"]

    assert (found.attach, found.detach) == ({ENI: YES}, {})
    assert codes == ["InvalidAttachmentID.NotFound"] * tries


def test_a_lost_describe_of_a_moved_eni_leaves_it_out(gather, world):
    """Describes are denied from the first half of the questions on."""

    def moved_and_denied():
        world.place("floating-1", BETA, index=1)
        world.deny("DescribeNetworkInterfaces", "beta")

    found = gather(gate=MovingGate(moved_and_denied, before=(3,)))

    assert (found.attach, found.detach) == ({ENI: YES}, {})


def test_every_eni_is_tried(gather, world):
    """Eight ENIs: none of the calls finds no thread."""
    ids = tuple(floating_eni_id(number) for number in range(1, 9))
    for number, eni_id in enumerate(ids[1:], start=2):
        world.add_eni(eni_id, addresses=[f"10.0.1.{100 + number}"])
        world.place(eni_id, ALPHA, index=number)
    found = gather(eni_ids=ids)

    assert [one.eni.eni_id for one in found.enis] == list(ids)
    assert found.attach == found.detach == found.keep == dict.fromkeys(ids, YES)


def test_an_instance_that_is_no_member_asks_less(gather):
    """Its type and its permission to attach are nobody's business."""
    found = gather(me=False)

    assert isinstance(found.limits, Missed)
    assert (found.attach, found.detach) == ({}, {ENI: YES})


def test_imds_out_of_reach_is_missed_alone(gather):
    """EC2 answers with the credentials in hand."""
    found = gather(imds="http://127.0.0.1:9")

    assert isinstance(found.listed, Missed)
    assert [name for name in found.__slots__ if isinstance(getattr(found, name), Missed)] == ["listed"]
