"""Small fleets on small buckets: the same for the same seed, and their figures are what they say."""

from __future__ import annotations

import json
import math
import random
from xml.etree import ElementTree as ET

import pytest

from eni_failover.adapters.ec2_model import Operation
from tests.fleet import run
from tests.fleet.fleet_account import Account, by_operation
from tests.fleet.fleet_chart import svg
from tests.fleet.fleet_floor import floors, sorted_times, times
from tests.fleet.fleet_report import document, share_of_bucket, text
from tests.fleet.fleet_world import Measured, measure
from tests.other_process import told
from tests.sim.sim_clockwork import Clockwork

SCALE = 0.2


@pytest.fixture(scope="module")
def single() -> Measured:
    """The storm of one pair."""
    return measure("storm", 1, seed=1, seconds=30.0, start=1.0)


@pytest.fixture(scope="module")
def twenty() -> Measured:
    """The storm of twenty pairs on a fifth of the buckets, as far as twelve seconds bring it."""
    return measure("storm", 20, seed=1, seconds=12.0, scale=SCALE, start=3.0)


@pytest.fixture(scope="module")
def idle() -> Measured:
    """Ten idle pairs on a fifth of the buckets; each of them asks EC2 within two minutes."""
    return measure("idle", 10, seed=1, seconds=120.0, scale=SCALE, start=5.0)


def test_one_pair_is_served_as_soon_as_ec2_allows(single):
    """Alone on the account: nothing is refused, and beyond the floor there is only read lag and the way."""
    (pair,) = single.served
    refused = sum(refused for _, refused in single.made.values())

    assert refused == 0
    assert single.made[Operation.DETACH] == single.made[Operation.ATTACH] == (1, 0)
    assert floors(single) == [pytest.approx(pair.detected + 5.1)]
    assert 0.0 < pair.served - floors(single)[0] < 1.5
    assert pair.detected < pair.attached < pair.served < pair.active


def test_detection_takes_what_the_probes_imply(twenty):
    """Three silent answers, one a second, each known after its time-out of one second."""
    detected = sorted_times(twenty, "detected")

    assert 3.0 <= detected[0] <= detected[-1] <= 4.0
    assert detected[-1] - detected[0] > 0.5  # the daemons do not probe in step


def test_nobody_is_served_sooner_than_the_floor(twenty):
    """Else the floor would be none."""
    served = sorted_times(twenty, "served")

    assert all(moment >= least for moment, least in zip(served, floors(twenty), strict=True))


def test_the_floor_of_the_last_waits_for_the_bucket(twenty):
    """Twenty detaches, ten deep and one a second: ten seconds after the first one."""
    detected = sorted_times(twenty, "detected")

    assert twenty.sizes[Operation.DETACH] == (10.0, 1.0)
    assert floors(twenty)[-1] == pytest.approx(detected[0] + 10.0 + 5.1)
    assert times(twenty, "detected").median == detected[9]


def test_an_idle_fleet_moves_nothing(idle):
    """Both members of each pair agree, and EC2 is rarely asked."""
    made = sum(count for count, _ in idle.made.values())

    assert idle.needless == 0
    assert idle.made.keys() <= {*Operation, "AttachNetworkInterface (DryRun)"}
    assert 10 <= made <= 3 * 10
    assert 0.0 < share_of_bucket(idle, Operation.DESCRIBE_ENIS) < 0.5
    assert idle.stranger == {
        Operation.DESCRIBE_ENIS: (pytest.approx(48, abs=8), 0),
        Operation.DESCRIBE_INSTANCES: (pytest.approx(48, abs=8), 0),
    }


def test_the_stranger_and_the_pairs_share_the_buckets():
    """What others have taken is refused to the stranger, and nothing is before the buckets count."""
    clockwork = Clockwork()
    account = Account(clockwork, rng=random.Random(1))  # noqa: S311
    assert all(account.buckets.take(Operation.DESCRIBE_ENIS, 0.0, {}) for _ in range(1_000))

    account.limit()
    granted = sum(account.buckets.take(Operation.DESCRIBE_ENIS, 0.0, {}) for _ in range(150))
    for _ in range(200):
        clockwork.run(0.05)
        account.buckets.drain(Operation.DESCRIBE_ENIS, clockwork.now)
    strangers = by_operation(account.stranger_calls)

    assert granted == 100
    assert strangers[Operation.DESCRIBE_ENIS] == (
        pytest.approx(20, abs=4),
        strangers[Operation.DESCRIBE_ENIS][0],
    )
    assert strangers[Operation.DESCRIBE_INSTANCES] == (pytest.approx(20, abs=4), 0)


def test_the_same_seed_gives_the_same_figures():
    """Also in another process with other hashes of strings; another seed gives others."""
    program = (
        "from tests.fleet.fleet_report import document\n"
        "from tests.fleet.fleet_world import measure\n"
        "import json\n"
        "print(json.dumps(document([measure('storm', 2, seed=5, seconds=5.0, scale=0.02, start=1.0)])))"
    )
    here, other = (
        json.dumps(document([measure("storm", 2, seed=seed, seconds=5.0, scale=0.02, start=1.0)]))
        for seed in (5, 6)
    )

    assert here == told(program)
    assert here != other


def test_the_tables_have_the_figures_and_the_waterfall(single, idle):
    """Each situation in a table of its own, the calls by operation, and every call of the one takeover."""
    shown = text([idle, single])

    assert "floor(k) = max(detected(k)" in shown
    assert "| DetachNetworkInterface    | 1    | 0       |" in shown
    assert shown.count(" | DescribeNetworkInterfaces | ok ") == single.made[Operation.DESCRIBE_ENIS][0]
    for event in ("HOLDER DIES", "DETECTED", "ATTACHED", "SERVED", "ACTIVE"):
        assert event in shown


def test_who_is_never_served_is_said_so(twenty):
    """In the table by a word, in JSON by null; the chart leaves out what never came."""
    ends_early = measure("storm", 2, seed=1, seconds=6.0, start=1.0)
    values = document([ends_early])["runs"][0]

    assert "never" in text([ends_early])
    assert times(ends_early, "served").last == math.inf
    assert values["times"]["served"]["last"] is None
    ET.fromstring(svg([ends_early, twenty]))  # noqa: S314 - our own


def test_the_command_writes_json_and_a_chart(tmp_path, capsys):
    """As `make fleet` does, for one pair."""
    status = run.main(
        ["--pairs", "1", "--only", "storm", "--storm-seconds", "12", "--out", str(tmp_path), "--seed", "3"]
    )

    assert status == 0
    assert "All holders die at once" in capsys.readouterr().out
    assert json.loads((tmp_path / "fleet.json").read_text())["runs"][0]["seed"] == 3
    chart = (tmp_path / "fleet.svg").read_text()
    assert ET.fromstring(chart).tag.endswith("svg")  # noqa: S314 - our own
