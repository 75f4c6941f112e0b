"""One run of contenders of the takeover benchmark, on loopback and with EC2's shortest times."""

from __future__ import annotations

import pytest

from benchmarks import takeover
from benchmarks.contenders import CONTENDERS
from benchmarks.places import LoopbackPlace

BY_NAME = {contender.name: contender for contender in CONTENDERS}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", ["eni-failover", "boto3"])
def test_the_parts_of_a_run_are_its_gap(name):
    """Detection, EC2 and what was added are the time from the death; the gap began just before it."""
    run = takeover.one_run(BY_NAME[name], "1/0.5", loopback=True, moment=0.3)

    assert run.problem == ""
    assert run.gap == pytest.approx(run.detection + run.ec2 + run.added, abs=0.5)
    assert 1.5 < run.detection <= 3.5
    assert 0 < run.added < 10
    assert run.calls >= 4


def test_keepalived_does_not_run_without_hosts_of_its_own():
    """It says so instead of being left out."""
    assert BY_NAME["keepalived"].obstacle(LoopbackPlace.name) == "VRRP needs hosts of its own: run as root"
