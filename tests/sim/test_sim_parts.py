"""Parts of the simulation that would make it blind without a word, were they wrong."""

from __future__ import annotations

import random

from eni_failover.adapters.ec2_model import Operation
from eni_failover.core.vocabulary import Answer
from tests.sim.sim_clockwork import Clockwork
from tests.sim.sim_disk import Disk, Health
from tests.sim.sim_facts import Verdict
from tests.sim.sim_gaps import Gaps
from tests.sim.sim_stalls import Stalls

ENIS = {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}, {"NetworkInterfaceId": "eni-2"}]}


def shown(gaps: Gaps, asker: str) -> list[str]:
    answer = gaps.punched(Operation.DESCRIBE_ENIS, asker, ENIS)
    return [one["NetworkInterfaceId"] for one in answer["NetworkInterfaces"]]


def test_an_item_is_hidden_from_one_asker_and_so_often():
    """From then on, and from all others, answers are whole."""
    gaps = Gaps()
    gaps.hide("eni-1", asker="i-a", count=2)

    assert [shown(gaps, "i-b"), *(shown(gaps, "i-a") for _ in range(3))] == [
        ["eni-1", "eni-2"],
        ["eni-2"],
        ["eni-2"],
        ["eni-1", "eni-2"],
    ]


def test_an_instance_is_hidden_with_its_reservation():
    """EC2 answers for each instance in a reservation of its own."""
    gaps = Gaps()
    gaps.hide("i-1", asker="i-a", count=1)
    answer = {"Reservations": [{"Instances": [{"InstanceId": name}]} for name in ("i-1", "i-2")]}

    assert gaps.punched(Operation.DESCRIBE_INSTANCES, "i-a", answer) == {
        "Reservations": [{"Instances": [{"InstanceId": "i-2"}]}]
    }


def test_a_stall_that_was_cut_short_is_not_told():
    """The daemon need not have noticed it."""
    clockwork, told = Clockwork(), []
    stalls = Stalls(clockwork)
    stalls.begin(5.0, over=told.append)
    clockwork.run(10.0)
    stalls.begin(7.0, over=told.append)
    clockwork.run(1.0)
    stalls.cut_short()
    clockwork.run(10.0)

    assert told == [5.0]


def test_a_write_may_take_its_time_until_a_while_after_the_disk_is_mended(tmp_path):
    """What hung is done at that moment, and what followed it comes later still."""
    clockwork = Clockwork()
    disk = Disk(clockwork, random.Random(1), tmp_path)  # noqa: S311 - a test, no secret
    before = disk.delays(within=3.0)
    disk.health = Health.HANGS
    ill = disk.delays(within=3.0)
    disk.mend()
    clockwork.run(2.0)
    soon = disk.delays(within=3.0)
    clockwork.run(2.0)

    assert [before, ill, soon, disk.delays(within=3.0)] == [False, True, True, False]


def verdict(*answers: Answer) -> Verdict:
    """One answer a second, from 1 on; it is evidence for two seconds."""
    found = Verdict(("web", "i-alpha", "10.0.1.1"), lasts=2.0)
    for now, answer in enumerate(answers, start=1):
        found.take(answer, float(now), rise=1, fall=2, began_at=float(now))
    return found


def test_downs_from_before_a_stall_are_forgotten_and_what_was_up_stays_up():
    """A verdict of down is none any more; one failure of something up is none."""
    up, down = verdict(Answer.UP, Answer.DOWN), verdict(Answer.DOWN, Answer.DOWN)
    up.forget_downs(2.0)
    down.forget_downs(2.0)
    up.take(Answer.DOWN, 3.0, rise=1, fall=2, began_at=3.0)

    assert (up.answer, up.count, up.is_down) == (Answer.UP, 1, False)
    assert (down.answer, down.is_down) == (Answer.UNKNOWN, False)


def test_downs_are_evidence_as_long_as_the_newest_is_young_and_nothing_was_up():
    """Of what was so a moment ago one asks within so many seconds."""
    old, broken = verdict(Answer.DOWN, Answer.DOWN), verdict(Answer.DOWN, Answer.DOWN, Answer.UP)

    assert [old.was_evidence(at, within=0.5) for at in (2.0, 4.5, 4.6)] == [True, True, False]
    assert [broken.was_evidence(at, within=0.5) for at in (3.5, 3.6)] == [True, False]
