"""The loop in virtual time, on the lab's world without its sockets: the order in which things happen."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from eni_failover.acting import DECISION_TTL, Actor
from eni_failover.adapters.ec2_views import read_enis, read_instances
from eni_failover.core.decision import RequestFate
from eni_failover.core.model import (
    Attempt,
    EniSurvey,
    InstanceSurvey,
    Link,
    Mutation,
    Outcome,
    PauseKind,
    PauseRequest,
    TakeoverRequest,
    TypeLimits,
    Verdict,
)
from eni_failover.core.policy import (
    Member,
)
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Answer, ProbeType, Reason, Result, Role
from eni_failover.lab import Durations, Settings, World
from eni_failover.lag import LoopLag
from eni_failover.reconciler import Reconciler
from eni_failover.surveys import Surveys
from tests.core import builders

_spec = importlib.util.spec_from_file_location("virtual_loop", Path(__file__).with_name("virtual_loop.py"))
virtual_loop = sys.modules.setdefault("virtual_loop", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(virtual_loop)

LATENCY = 0.04
WALL = 1_800_000_000.0
WEB = builders.probe(type=ProbeType.TCP, rise=1)


def policy(world, local="beta"):
    members = tuple(
        Member(name=name, instance_id=world.instance(name).id, address=address)
        for name, address in (("alpha", "10.0.1.11"), ("beta", "10.0.1.12"))
    )
    me = members[("alpha", "beta").index(local)]
    return replace(
        builders.policy(local, probes=(WEB,)), me=me, members=members, eni_ids=(world.eni("floating-1").id,)
    )


class WorldEc2:
    """The adapter's surface on the lab's world, in virtual time."""

    def __init__(self, world, events):
        self.world, self.events = world, events
        self.hang = 0.0
        self.denied = False

    def _now(self):
        return asyncio.get_running_loop().time()

    async def describe_enis(self, eni_ids):
        began = self._now()
        await asyncio.sleep(LATENCY)
        filters = [{"Name": "network-interface-id", "Values": list(eni_ids)}]
        answer = self.world.call("DescribeNetworkInterfaces", {"Filters": filters}, caller="beta")
        enis = read_enis(eni_ids, answer["NetworkInterfaces"])
        return SimpleNamespace(survey=EniSurvey(began_at=began, answered=True, enis=enis), error=None)

    async def describe_instances(self, instance_ids):
        began = self._now()
        await asyncio.sleep(LATENCY)
        filters = [{"Name": "instance-id", "Values": list(instance_ids)}]
        answer = self.world.call("DescribeInstances", {"Filters": filters}, caller="beta")
        raws = [raw for one in answer["Reservations"] for raw in one["Instances"]]
        survey = InstanceSurvey(began_at=began, answered=True, instances=read_instances(raws))
        return SimpleNamespace(survey=survey, error=None, macs={})

    async def type_limits(self, instance_type):
        return TypeLimits(interfaces=3)

    async def may_attach(self, **_):
        return True

    async def _mutate(self, mutation, target, action, parameters):
        sent = self._now()
        self.events.append((mutation, target))
        await asyncio.sleep(LATENCY + self.hang)
        answer = self.world.call(action, parameters, caller="beta")
        return Outcome(
            mutation=mutation,
            target=target,
            verdict=Verdict.ACCEPTED,
            sent_at=sent,
            ended_at=self._now(),
            attachment_id=answer.get("AttachmentId"),
        )

    async def detach(self, *, eni_id, attachment_id, force):
        parameters = {"AttachmentId": attachment_id, "Force": force}
        return await self._mutate(Mutation.DETACH, eni_id, "DetachNetworkInterface", parameters)

    async def attach(self, *, eni_id, instance_id, device_index):
        if self.denied:
            now = self._now()
            self.events.append(("denied", eni_id))
            return Outcome(
                mutation=Mutation.ATTACH, target=eni_id, verdict=Verdict.DENIED, sent_at=now, ended_at=now
            )
        parameters = {"NetworkInterfaceId": eni_id, "InstanceId": instance_id, "DeviceIndex": device_index}
        return await self._mutate(Mutation.ATTACH, eni_id, "AttachNetworkInterface", parameters)


class Scene:
    """A reconciler with everything around it in view."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.events, self.ended, self.roles, self.answers = [], [], [], []
        settings = Settings(latency=0, durations=Durations(attach=2.0, detach=3.0))
        self.world = World.pair(settings=settings, clock=self.loop.time, wall=self.wall)
        self.ec2 = WorldEc2(self.world, self.events)
        self.policy = policy(self.world)
        self.journal_delay = 0.0
        self.problem = ""
        self.retried = []
        self.links = None
        self.surveys = Surveys(
            ec2=self.ec2,
            policy=self.policy,
            zone="",
            clock=self.loop.time,
            wake=self.wake,
        )
        self.lag = LoopLag(clock=self.loop.time, threshold=1.0, on_lag=lambda _: None, on_stall=lambda: None)
        self.reconciler = Reconciler(
            policy=self.policy,
            state=State(started_at=self.loop.time()),
            version="0",
            actor=Actor(ec2=self.ec2, instance_id=self.policy.me.instance_id, clock=self.loop.time),
            surveys=self.surveys,
            links=self,
            peers=tuple,
            lag=self.lag,
            journal=self,
            listener=self,
            clock=self.loop.time,
            wall=self.wall,
            draw=lambda: 0.5,
        )
        self.reconciler.on_answer = self.answers.append
        self.probe_answer = Answer.UP

    def wake(self):
        self.reconciler.wake()

    def wall(self):
        return WALL + self.loop.time()

    # The journal, the links, the listener.
    async def remember(self, durable, _moment):
        self.events.append(("journal", "intent" if durable.takeover else "memory"))
        await asyncio.sleep(self.journal_delay)

    def retry(self, moment):
        self.retried.append(moment.now)

    async def record(self, _ended, _moment):
        self.events.append(("journal", "history"))

    def state(self, eni):
        return Link(eni_id=eni.eni_id, watched=False) if self.links is None else self.links

    def published(self, view, state):
        if not self.roles or self.roles[-1] is not state.role:
            self.roles.append(state.role)

    def pass_ended(self, seconds, wall, *, good):
        pass

    def decided(self, decision, state):
        pass

    def took_over(self, ended):
        self.ended.append(ended)

    async def probe(self):
        while True:
            now = self.loop.time()
            attempt = Attempt(
                probe=WEB,
                member=self.reconciler.policy.members[0],
                answer=self.probe_answer,
                answered=True,
                started_at=now,
                ended_at=now,
            )
            self.reconciler.take_attempt(attempt)
            self.reconciler.wake()
            await asyncio.sleep(1.0)


def play(story):
    """Runs `story(scene)` beside the loop, in virtual time."""

    async def main():
        scene = Scene()
        tasks = [
            asyncio.ensure_future(one)
            for one in (
                scene.reconciler.run(),
                scene.surveys.run(),
                scene.lag.run(),
                scene.probe(),
                scene.reconciler._lag.run(),
            )
        ]
        try:
            await story(scene)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return scene

    return virtual_loop.run(main())


def test_the_intent_is_on_disk_before_the_first_detach():
    """Journal, detach, attach, history: in this order, and nothing else is called."""

    async def story(scene):
        await asyncio.sleep(5)
        scene.probe_answer = Answer.DOWN
        await asyncio.sleep(20)

    scene = play(story)

    calls = [one for one in scene.events if one[0] != "journal"]
    first_detach = scene.events.index(calls[0])
    assert [one[0] for one in calls] == [Mutation.DETACH, Mutation.ATTACH]
    assert ("journal", "intent") in scene.events[:first_detach]
    assert scene.events[-1] == ("journal", "history") or ("journal", "history") in scene.events
    assert [one.result for one in scene.ended] == [Result.SUCCESS]
    assert scene.roles == [Role.STANDBY, Role.TAKING, Role.ACTIVE]


def test_what_could_not_be_written_is_tried_again_while_nothing_changes():
    """The journal is asked by each pass that has nothing to remember, however long nothing happens."""

    async def story(scene):
        await asyncio.sleep(40)

    scene = play(story)
    gaps = [later - earlier for earlier, later in itertools.pairwise(scene.retried)]

    assert scene.retried[-1] > 34
    assert max(gaps) <= 5.0


def test_a_takeover_adds_less_than_half_a_second_to_detection_and_ec2():
    """In virtual time the figure is exact: five calls of 40 ms, and polls that meet EC2's own times."""

    async def story(scene):
        await asyncio.sleep(5.5)
        scene.probe_answer = Answer.DOWN
        await asyncio.sleep(20)

    ended = play(story).ended[0]

    third_down = 8.0
    added = ended.ended_wall - WALL - third_down - 3.0 - 2.0
    assert added == pytest.approx(5 * LATENCY, abs=0.05)


def test_an_attach_that_ec2_denies_is_a_denial_before_the_next_dry_run():
    """Who is denied lets another member have the ENI, and after a minute without one tries again."""

    async def story(scene):
        await asyncio.sleep(5)
        scene.ec2.denied = True
        scene.probe_answer = Answer.DOWN
        await asyncio.sleep(14)
        scene.allowed = scene.surveys.local.attach_allowed
        scene.ec2.denied = False
        await asyncio.sleep(90)

    scene = play(story)

    assert ("denied", scene.policy.eni_ids[0]) in scene.events
    assert scene.allowed is False
    assert scene.surveys.local.attach_allowed is True
    assert [one.result for one in scene.ended] == [Result.FAILED, Result.SUCCESS]
    assert scene.ended[0].reason == "attach_refused"


def test_a_decision_that_grew_old_is_not_acted_on():
    """A process that was stopped between deciding and acting looks again instead."""

    async def story(scene):
        await asyncio.sleep(5)
        scene.journal_delay = DECISION_TTL + 1
        scene.probe_answer = Answer.DOWN
        await asyncio.sleep(5)
        scene.probe_answer = Answer.UP
        scene.journal_delay = 0
        await asyncio.sleep(10)

    scene = play(story)

    assert [one for one in scene.events if one[0] == Mutation.DETACH] == []
    assert [one.result for one in scene.ended] == [Result.FAILED]


def test_nothing_is_asked_of_ec2_more_than_fifteen_times_a_minute_at_rest():
    """Describes of a standby at rest, counted over ten minutes."""

    async def story(scene):
        await asyncio.sleep(60)
        before = len(scene.world.calls)
        await asyncio.sleep(600)
        scene.counted = len(scene.world.calls) - before

    scene = play(story)

    assert scene.counted / 10 <= 15 - 60 / 30  # the DryRun of attach is not counted by this stand-in


def test_a_request_is_answered_by_the_pass_that_takes_it():
    """A manual takeover: one answer, one takeover."""

    async def story(scene):
        await asyncio.sleep(5)
        request = TakeoverRequest(request_id="r1", deadline=scene.loop.time() + 120)
        await scene.reconciler.take_request(request)
        await asyncio.sleep(20)

    scene = play(story)

    assert [(one.request_id, one.fate) for one in scene.answers] == [("r1", RequestFate.STARTED)]
    assert [one.reason for one in scene.ended] == [Reason.OPERATOR]


def test_a_request_is_decided_on_a_look_that_began_after_it():
    """The ENI was here at the last look and is gone by now: the answer is not `held`."""

    async def story(scene):
        scene.world.place("floating-1", None)
        scene.world.place("floating-1", "beta")
        await asyncio.sleep(6)
        scene.world.place("floating-1", None)
        scene.world.place("floating-1", "alpha")
        request = TakeoverRequest(request_id="r1", deadline=scene.loop.time() + 120)
        await scene.reconciler.take_request(request)
        await asyncio.sleep(20)

    scene = play(story)

    assert [one.fate for one in scene.answers] == [RequestFate.STARTED]


def test_a_request_does_not_wait_for_ever_for_ec2():
    """An API that hangs: the request is taken up after two seconds, and lives on to its deadline."""

    async def story(scene):
        await asyncio.sleep(5)

        async def hanging(eni_ids):
            await asyncio.sleep(1_000)

        scene.ec2.describe_enis = hanging
        before = scene.loop.time()
        request = TakeoverRequest(request_id="r1", deadline=before + 120)
        await scene.reconciler.take_request(request)
        scene.waited = scene.loop.time() - before

    assert play(story).waited == pytest.approx(2.0, abs=0.3)


def test_a_pause_is_in_force_when_its_request_is_done():
    """The operator's answer must not come before the pause does."""

    async def story(scene):
        await asyncio.sleep(5)
        await scene.reconciler.take_request(PauseRequest(kind=PauseKind.PAUSE, reason="work"))
        scene.paused = scene.reconciler.snapshot.paused

    assert play(story).paused is True


def test_other_enis_take_effect_when_nothing_is_moving():
    """A reload in the middle of a takeover waits for its end."""

    async def story(scene):
        applied = []
        other = replace(scene.policy, eni_ids=(*scene.policy.eni_ids, "eni-0fffffffffffffff9"))
        await asyncio.sleep(5)
        scene.probe_answer = Answer.DOWN
        await asyncio.sleep(4)
        scene.reconciler.take_policy(other, applied.append)
        await asyncio.sleep(1)
        scene.during = list(applied)
        await asyncio.sleep(20)
        scene.after = list(applied)

    scene = play(story)

    assert scene.during == []
    assert len(scene.after) == 1


def test_other_thresholds_take_effect_at_once():
    """What moves nothing need not wait."""

    async def story(scene):
        await asyncio.sleep(5)
        applied = []
        scene.reconciler.take_policy(replace(scene.policy, cooldown=1.0), applied.append)
        await asyncio.sleep(0.1)
        scene.after = list(applied)

    assert len(play(story).after) == 1


def test_a_link_that_vanishes_makes_a_standby_while_ec2_hangs():
    """The kernel's word needs no API: the pass does not wait for the describe."""

    async def story(scene):
        scene.world.place("floating-1", None)
        scene.world.place("floating-1", "beta")
        eni_id = scene.policy.eni_ids[0]
        scene.links = Link(eni_id=eni_id, watched=True, present=True)
        await asyncio.sleep(5)

        async def hanging(eni_ids):
            await asyncio.sleep(1_000)

        scene.ec2.describe_enis = hanging
        await asyncio.sleep(30)
        scene.links = Link(eni_id=eni_id, watched=True, present=False, lost_at=scene.loop.time())
        scene.reconciler.wake()
        await asyncio.sleep(0.1)

    scene = play(story)

    assert scene.roles[-2:] == [Role.ACTIVE, Role.STANDBY]


def test_a_holders_restart_shows_no_other_role_before_its_links_were_looked_at():
    """Hooks must not be told `standby` while the kernel has not been asked yet."""

    async def story(scene):
        scene.world.place("floating-1", None)
        scene.world.place("floating-1", "beta")
        eni_id = scene.policy.eni_ids[0]
        scene.links = Link(eni_id=eni_id, watched=True, is_known=False)
        await asyncio.sleep(3)
        scene.known = scene.reconciler.state.role_known
        scene.links = Link(eni_id=eni_id, watched=True, present=True)
        scene.reconciler.wake()
        await asyncio.sleep(1)

    scene = play(story)

    assert scene.known is False
    assert scene.reconciler.state.role is Role.ACTIVE
