"""One element of a good answer spoiled, each in turn and in every way: no exception, no false report.

The truth behind every answer here is the same: two ENIs attached to alpha, alpha and beta running. What
is spoiled may make them unknown; it must never make an ENI missing or free, nor an instance absent or ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from eni_failover.adapters.ec2 import Ec2, SurveyedEnis, SurveyedInstances
from eni_failover.core.model import EniSurvey, InstanceState, InstanceSurvey, Presence
from eni_failover.core.state import Durable
from tests.core import builders
from tests.core.bench import Bench
from tests.fuzz import ec2_bodies as bodies
from tests.fuzz.raw_server import RawServer, http
from tests.fuzz.xml_mutations import MUTATIONS, spoiled

# An answer of EC2's own without them: the ENI, or all ENIs, have been deleted.
LEGITIMATE = (
    ("left out", "item"),
    ("emptied", "networkInterfaceSet"),
    ("emptied", "reservationSet"),
    ("blanks", "networkInterfaceSet"),
    ("blanks", "reservationSet"),
)
# By these an ENI or an instance is found in its answer.
NAMES = ("networkInterfaceSet", "item", "networkInterfaceId", "reservationSet", "instancesSet", "instanceId")

SHAPES = (builders.attached("alpha", "att-1"), builders.attached("alpha", "att-2", index=2))
PASSES, APART = 25, 4.0  # over a minute: until then row 6 waits for whoever is fitter


@pytest.fixture(params=["alpha", "beta"])
def bench(request) -> Bench:
    """The holder, and the standby, after five quiet seconds."""
    return Bench(*SHAPES, local=request.param, durable=Durable(last_had="i-alpha"))


@dataclass(frozen=True)
class Case:
    """One spoiled answer, and what came of it."""

    kind: str
    element: str
    enis: SurveyedEnis | None = None
    instances: SurveyedInstances | None = None
    raised: str = ""

    @property
    def is_about_a_name(self) -> bool:
        return self.element.partition(" ")[0] in NAMES

    @property
    def denies_an_eni(self) -> bool:
        shown = self.enis.survey.enis if self.enis else ()
        return any(
            one.presence is Presence.MISSING or (one.presence is Presence.KNOWN and one.attachment is None)
            for one in shown
        )

    @property
    def denies_an_instance(self) -> bool:
        if self.instances is None or not self.instances.survey.answered:
            return False
        found = {one.instance_id: one.state for one in self.instances.survey.instances}
        return set(found) != {bodies.ALPHA, bodies.BETA} or any(one.is_ended for one in found.values())


@pytest.fixture(scope="module")
def cases(ec2: Ec2, server: RawServer) -> list[Case]:
    """Every case, through the real client."""

    async def all_of_them() -> list[Case]:
        found = []
        for kind in MUTATIONS:
            for element, body in spoiled(bodies.both(), kind):
                server.says(http(body))
                found.append(await _about_enis(ec2, kind, element))
            for element, body in spoiled(bodies.members(), kind):
                server.says(http(body))
                found.append(await _about_instances(ec2, kind, element))
        return [one for one in found if (one.kind, one.element.partition(" ")[0]) not in LEGITIMATE]

    return asyncio.run(all_of_them())


async def _about_enis(ec2: Ec2, kind: str, element: str) -> Case:
    try:
        surveyed = await ec2.describe_enis((bodies.ENI, bodies.OTHER_ENI))
        hash(surveyed.survey)  # a value of the core is frozen through and through
    except Exception as error:  # noqa: BLE001 - that there is none is what is tested
        return Case(kind, element, raised=f"{kind}: {element}: {type(error).__name__}: {error}")
    return Case(kind, element, enis=surveyed)


async def _about_instances(ec2: Ec2, kind: str, element: str) -> Case:
    try:
        surveyed = await ec2.describe_instances((bodies.ALPHA, bodies.BETA))
        hash(surveyed.survey)  # a value of the core is frozen through and through
    except Exception as error:  # noqa: BLE001 - that there is none is what is tested
        return Case(kind, element, raised=f"{kind}: {element}: {type(error).__name__}: {error}")
    return Case(kind, element, instances=surveyed)


@pytest.mark.parametrize("kind", MUTATIONS)
def test_no_spoiled_element_raises(cases, kind):
    """Nor makes what is no value: an exception out of the adapter would end the daemon."""
    assert [one.raised for one in cases if one.kind == kind and one.raised] == []


def test_a_spoiled_fact_never_denies_an_eni(cases):
    """Status, attachment, holder, index, anything but what an ENI is found by: attached, or unknown."""
    assert [one for one in cases if one.denies_an_eni and not one.is_about_a_name] == []


def test_a_spoiled_fact_never_denies_an_instance(cases):
    """Its state, its ENIs, its place: running, or unknown."""
    assert [one for one in cases if one.denies_an_instance and not one.is_about_a_name] == []


def test_a_spoiled_name_never_denies_an_eni(cases):
    """An item without a readable id may be the very ENI that was asked for."""
    assert [one for one in cases if one.denies_an_eni and one.is_about_a_name] == []


def test_a_spoiled_name_never_denies_an_instance(cases):
    """Nor may a holder be declared gone because its item had no readable id."""
    assert [one for one in cases if one.denies_an_instance and one.is_about_a_name] == []


def calls_over_time(bench: Bench, enis: EniSurvey | None, instances: InstanceSurvey | None) -> list[object]:
    """What a settled member calls while EC2 says this, and nothing else new, for a hundred seconds."""
    state, now = bench.state, bench.now
    calls: list[object] = []
    for _ in range(PASSES):
        bench.now += APART
        began_at = bench.now - 0.04
        seen = builders.survey(*SHAPES, at=began_at)
        running = builders.instances(builders.instance("alpha"), builders.instance("beta"), at=began_at)
        decision = bench.peek(
            enis=replace(enis, began_at=began_at) if enis else seen,
            instances=replace(instances, began_at=began_at) if instances else running,
        )
        calls += decision.calls
    bench.state, bench.now = state, now
    return calls


def distinct(surveys: list[EniSurvey | InstanceSurvey]) -> list[EniSurvey | InstanceSurvey]:
    """Each that says something else, whenever it was asked."""
    return list(dict.fromkeys(replace(one, began_at=0.0) for one in surveys))


def test_spoiled_answers_about_enis_move_nothing(cases, bench):
    """Seen again and again for a hundred seconds, by the holder and by the standby: no call."""
    surveys = distinct([one.enis.survey for one in cases if one.enis])

    assert len(surveys) > 20
    for survey in surveys:
        assert (survey, calls_over_time(bench, survey, None)) == (survey, [])


def test_spoiled_facts_about_instances_move_nothing(cases, bench):
    """A state that nobody knows, a zone that is gone: no call."""
    surveys = distinct([one.instances.survey for one in cases if one.instances and not one.is_about_a_name])

    assert len(surveys) > 5
    for survey in surveys:
        assert (survey, calls_over_time(bench, None, survey)) == (survey, [])


@pytest.mark.parametrize("bench", ["beta"], indirect=True)
def test_spoiled_names_of_instances_move_nothing(cases, bench):
    """Twice an answer that does not show the holder, because its id was lost on the way, is no death."""
    surveys = distinct([one.instances.survey for one in cases if one.instances and one.is_about_a_name])

    for survey in surveys:
        assert (survey, calls_over_time(bench, None, survey)) == (survey, [])


@pytest.mark.parametrize("bench", ["beta"], indirect=True)
def test_the_same_bench_moves_for_a_true_death(bench):
    """The check above can fail: a holder that EC2 calls stopped is taken from."""
    ended = replace(builders.instance("alpha"), state=InstanceState.STOPPED)
    survey = builders.instances(ended, builders.instance("beta"), at=0.0)

    assert calls_over_time(bench, None, survey) != []
