"""EC2 is asked beside the loop: when it is due, never twice for one wish, and hanging hurts nobody."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    EniSurvey,
    Instance,
    InstanceState,
    InstanceSurvey,
    Presence,
    TypeLimits,
)
from eni_failover.core.policy import Member
from eni_failover.errors import TransientError
from eni_failover.surveys import (
    LIMIT_RETRY,
    PERMISSION_INTERVAL,
    PERMISSION_RETRY,
    PERMISSION_SPREAD,
    Surveys,
)

_spec = importlib.util.spec_from_file_location("virtual_loop", Path(__file__).with_name("virtual_loop.py"))
virtual_loop = sys.modules.setdefault("virtual_loop", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(virtual_loop)

ME = Member(name="beta", instance_id="i-b", address="10.0.0.2")


@dataclass
class Policy:
    """As much of a policy as surveys look at."""

    eni_ids: tuple = ("eni-1",)
    members: tuple = (ME,)
    me: Member = ME
    device_index: int | None = None


MOVING = Attachment(
    attachment_id="eni-attach-1", instance_id="i-a", status=AttachmentStatus.DETACHING, device_index=1
)


@dataclass
class Answer:
    survey: object
    error: object = None
    macs: dict = field(default_factory=dict)


class Ec2:
    """Answers after `latency`; records when it was asked for what."""

    def __init__(self, latency=0.04):
        self.latency, self.asked, self.error = latency, [], None
        self.limits, self.allowed = TypeLimits(interfaces=3), True
        self.denied, self.moving, self.missing = "", False, ""

    def _now(self):
        return asyncio.get_running_loop().time()

    def times(self, what):
        return [round(at, 3) for at, one in self.asked if one == what]

    async def describe_enis(self, eni_ids):
        began = self._now()
        self.asked.append((began, "enis"))
        await asyncio.sleep(self.latency)
        presence = Presence.UNKNOWN if self.error else Presence.KNOWN
        held = replace(
            MOVING, status=AttachmentStatus.DETACHING if self.moving else AttachmentStatus.ATTACHED
        )
        enis = tuple(
            Eni(eni_id=one, presence=Presence.MISSING)
            if one == self.missing
            else Eni(eni_id=one, presence=presence, attachment=held)
            for one in eni_ids
        )
        return Answer(EniSurvey(began_at=began, answered=self.error is None, enis=enis), self.error)

    async def describe_instances(self, instance_ids):
        began = self._now()
        self.asked.append((began, "instances"))
        await asyncio.sleep(self.latency)
        mine = Instance(instance_id="i-b", state=InstanceState.RUNNING, instance_type="m5.large")
        return Answer(
            InstanceSurvey(began_at=began, answered=True, instances=(mine,)), macs={"i-b": ("02:00",)}
        )

    async def type_limits(self, instance_type):
        self.asked.append((self._now(), "limits"))
        return self.limits

    async def may_attach(self, *, eni_id, instance_id, device_index):
        self.asked.append((self._now(), f"dry run {eni_id}"))
        if eni_id == self.missing:
            return None
        return False if eni_id == self.denied else self.allowed


def run(body, ec2=None, **policy):
    """Runs `body(surveys, ec2)` beside the surveys in virtual time."""
    ec2 = ec2 or Ec2()

    async def scene():
        woken = []
        surveys = Surveys(
            ec2=ec2,
            policy=Policy(**policy),
            zone="z",
            clock=asyncio.get_running_loop().time,
            wake=lambda: woken.append(asyncio.get_running_loop().time()),
        )
        task = asyncio.ensure_future(surveys.run())
        try:
            return await body(surveys, woken)
        finally:
            task.cancel()

    return virtual_loop.run(scene()), ec2


def test_nothing_is_known_before_the_first_answer():
    """At the start every ENI is unknown and the first looks are due at once."""

    async def body(surveys, _woken):
        before = surveys.enis
        await asyncio.sleep(1)
        return before, surveys.enis

    (before, after), ec2 = run(body)

    assert [eni.presence for eni in before.enis] == [Presence.UNKNOWN]
    assert before.answered is False
    assert after.answered is True
    assert ec2.times("enis") == [0.0]
    assert ec2.times("instances") == [0.0]


def test_each_look_waits_for_the_core_to_ask():
    """After an answer nothing is due until a pass says when."""

    async def body(surveys, _woken):
        await asyncio.sleep(1)
        surveys.ask(enis_at=5.0, instances_at=7.0)
        await asyncio.sleep(20)

    _, ec2 = run(body)

    assert ec2.times("enis") == [0.0, 5.0]
    assert ec2.times("instances") == [0.0, 7.0]


def test_a_look_may_be_asked_for_sooner():
    """A due moment moves while it is waited for."""

    async def body(surveys, _woken):
        await asyncio.sleep(1)
        surveys.ask(enis_at=50.0, instances_at=60.0)
        await asyncio.sleep(1)
        surveys.ask(enis_at=2.0, instances_at=60.0)
        await asyncio.sleep(10)

    _, ec2 = run(body)

    assert ec2.times("enis") == [0.0, 2.0]


def test_a_wish_repeated_while_the_answer_is_under_way_is_not_asked_twice():
    """Passes go on during a slow describe and repeat what they want."""

    async def body(surveys, _woken):
        await asyncio.sleep(1)
        surveys.ask(enis_at=2.0, instances_at=99.0)
        for _ in range(20):
            await asyncio.sleep(0.25)
            surveys.ask(enis_at=2.0, instances_at=99.0)
            if surveys.enis.began_at >= 2.0:
                surveys.ask(enis_at=99.0, instances_at=99.0)

    _, ec2 = run(body, Ec2(latency=3.0))

    assert ec2.times("enis") == [0.0, 3.0]


def test_a_hanging_look_at_the_enis_keeps_the_instances_fresh():
    """One failed thing is one failed thing."""

    async def body(surveys, _woken):
        await asyncio.sleep(1)
        surveys.ask(enis_at=1.0, instances_at=2.0)
        await asyncio.sleep(10)

    class Hanging(Ec2):
        async def describe_enis(self, eni_ids):
            await asyncio.sleep(1000)

    _, ec2 = run(body, Hanging())

    assert ec2.times("instances") == [0.0, 2.0]


def test_every_answer_wakes_the_loop():
    """Also one that is no answer."""

    async def body(_surveys, woken):
        await asyncio.sleep(1)
        return woken

    ec2 = Ec2()
    ec2.error = TransientError("throttled", code="RequestLimitExceeded")
    woken, _ = run(body, ec2)

    assert len(woken) >= 2


def test_the_types_limits_are_asked_until_they_are_known():
    """DescribeInstanceTypes may be denied for a while; what a part of an answer says counts meanwhile."""

    async def body(surveys, _woken):
        await asyncio.sleep(LIMIT_RETRY + 1)
        unknown = surveys.local.limits
        ec2.limits = TypeLimits(ipv4_per_interface=10)
        await asyncio.sleep(LIMIT_RETRY + 1)
        partly = surveys.local.limits
        ec2.limits = TypeLimits(interfaces=3, ipv4_per_interface=10)
        await asyncio.sleep(LIMIT_RETRY + 1)
        return unknown, partly, surveys.local.limits

    ec2 = Ec2()
    ec2.limits = None
    (unknown, partly, known), _ = run(body, ec2)

    assert unknown == TypeLimits()
    assert partly == TypeLimits(ipv4_per_interface=10)
    assert known == TypeLimits(interfaces=3, ipv4_per_interface=10)
    assert [round(at) for at in ec2.times("limits")[:6]] == [0, 2, 6, 14, 30, 62]


async def calm(surveys) -> None:
    """What a pass says that has nothing to do."""
    await asyncio.sleep(1)
    surveys.ask(enis_at=1e9, instances_at=1e9)


def test_no_answer_of_the_dry_run_keeps_the_last():
    """A denial stands until EC2 says otherwise; silence says nothing."""

    async def body(surveys, _woken):
        await calm(surveys)
        seen = []
        for allowed in (False, None, True):
            ec2.allowed = allowed
            await asyncio.sleep(PERMISSION_RETRY)
            seen.append(surveys.local.attach_allowed)
        return seen

    ec2 = Ec2()
    seen, _ = run(body, ec2)

    assert seen == [False, False, True]


def test_an_allowed_attach_is_tried_once_an_hour_for_each_eni():
    """Soon after the start, then hourly with jitter: a good neighbour in the account."""

    async def body(surveys, _woken):
        await calm(surveys)
        await asyncio.sleep(3 * PERMISSION_INTERVAL)

    _, ec2 = run(body, Ec2(), eni_ids=("eni-1", "eni-2"))
    times = [[at for at, what in ec2.asked if what == f"dry run {eni}"] for eni in ("eni-1", "eni-2")]

    for own in times:
        assert own[0] < 2.0
        assert all(
            PERMISSION_INTERVAL <= later - sooner <= PERMISSION_INTERVAL + PERMISSION_SPREAD + 1
            for sooner, later in itertools.pairwise(own)
        )
        assert len(own) == 3


def test_only_what_is_not_allowed_is_tried_sooner():
    """A corrected policy is noticed within a minute; the other ENI's permission is known."""

    async def body(surveys, _woken):
        await calm(surveys)
        await asyncio.sleep(PERMISSION_RETRY * 2.5)
        before = surveys.local.attach_allowed
        ec2.allowed = True
        await asyncio.sleep(PERMISSION_RETRY)
        return before, surveys.local.attach_allowed

    ec2 = Ec2()
    ec2.denied = "eni-2"
    (before, after), _ = run(body, ec2, eni_ids=("eni-1", "eni-2"))
    tried = [what for _, what in ec2.asked if what.startswith("dry run")]

    assert (before, after) == (False, False)
    assert tried == ["dry run eni-1", *["dry run eni-2"] * 4]


def test_an_attach_denied_in_earnest_is_tried_again_in_a_minute():
    """An hour after the last DryRun would be late."""

    async def body(surveys, _woken):
        await calm(surveys)
        await asyncio.sleep(10)
        surveys.attach_denied()
        denied = surveys.local.attach_allowed
        await asyncio.sleep(PERMISSION_RETRY + 1)
        return denied, surveys.local.attach_allowed

    (denied, after), ec2 = run(body)

    assert (denied, after) == (False, True)
    assert len(ec2.times("dry run eni-1")) == 2


def test_a_missing_eni_does_not_keep_a_denial_for_good():
    """EC2 says nothing about an attach of what does not exist: it is no part of the group."""

    async def body(surveys, _woken):
        await calm(surveys)
        await asyncio.sleep(10)
        surveys.attach_denied()
        denied = surveys.local.attach_allowed
        await asyncio.sleep(PERMISSION_RETRY + 1)
        return denied, surveys.local.attach_allowed

    ec2 = Ec2()
    ec2.missing = "eni-2"
    found, _ = run(body, ec2, eni_ids=("eni-1", "eni-2"))

    assert found == (False, True)
    assert ec2.times("dry run eni-2") == []


@pytest.mark.parametrize("why", ["takeover", "moving"])
def test_a_dry_run_is_never_in_the_way_of_a_takeover(why):
    """It waits for the end of a takeover here, and for an ENI that moves for anybody."""

    async def body(surveys, _woken):
        if why == "moving":
            ec2.moving = True
        surveys.ask(enis_at=1.0, instances_at=1e9, busy=why == "takeover")
        await asyncio.sleep(100)
        meanwhile = ec2.times("dry run eni-1")
        ec2.moving = False
        surveys.ask(enis_at=101.0, instances_at=1e9)
        await asyncio.sleep(5)
        return meanwhile, ec2.times("dry run eni-1")

    ec2 = Ec2()
    ec2.moving = why == "moving"
    (meanwhile, after), _ = run(body, ec2)

    assert meanwhile == []
    assert len(after) == 1


def test_other_enis_are_tried_at_once():
    """A reload names ENIs of which nothing is known."""

    async def body(surveys, _woken):
        await calm(surveys)
        await asyncio.sleep(10)
        surveys.replace_policy(Policy(eni_ids=("eni-9",)))
        await asyncio.sleep(5)

    _, ec2 = run(body)

    assert len(ec2.times("dry run eni-9")) == 1


def test_own_macs_wait_for_ec2():
    """The link mode is chosen by them, and must not be guessed."""

    async def body(surveys, _woken):
        return await surveys.own_macs(), asyncio.get_running_loop().time()

    (macs, at), _ = run(body)

    assert macs == ("02:00",)
    assert at > 0


def test_other_enis_are_unknown_until_they_are_seen():
    """A reload to other ENIs must not show the old ones, nor an answer about them."""

    async def body(surveys, _woken):
        await asyncio.sleep(1)
        surveys.replace_policy(Policy(eni_ids=("eni-2",)))
        between = surveys.enis
        await asyncio.sleep(1)
        return between, surveys.enis

    (between, after), _ = run(body)

    assert [(eni.eni_id, eni.presence) for eni in between.enis] == [("eni-2", Presence.UNKNOWN)]
    assert [(eni.eni_id, eni.presence) for eni in after.enis] == [("eni-2", Presence.KNOWN)]
