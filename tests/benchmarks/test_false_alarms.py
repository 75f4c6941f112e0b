"""The simulation of false alarms, where arithmetic knows the answer."""

from __future__ import annotations

import random

import pytest

from benchmarks import false_alarms
from benchmarks.lossy_path import Attempts, Path, probe
from eni_failover.core.vocabulary import Answer


def test_a_lost_packet_is_a_missing_answer():
    """A SYN or its SYN-ACK: 1 - 0.9 * 0.9 of the attempts."""
    attempts = Attempts(Path(name="bad", loss=0.1), probe(1.0, 1.0, 3), random.Random(1))
    downs = sum(attempts.next().answer is Answer.DOWN for _ in range(20_000))

    assert downs / 20_000 == pytest.approx(0.19, abs=0.01)


def test_the_kernel_sends_again_within_a_long_timeout():
    """Two seconds are enough for a second SYN: both of two have to be lost."""
    attempts = Attempts(Path(name="bad", loss=0.1), probe(2.0, 2.0, 3), random.Random(1))
    downs = sum(attempts.next().answer is Answer.DOWN for _ in range(20_000))

    assert downs / 20_000 == pytest.approx(0.19**2, abs=0.005)


def test_bursts_take_their_share_of_the_time():
    """Ten percent of the time nothing comes through."""
    path = Path(name="bursts", loss=0.1, burst=1.0)
    attempts = Attempts(path, probe(0.1, 0.1, 3), random.Random(1))
    downs = sum(attempts.next().answer is Answer.DOWN for _ in range(200_000))

    assert downs / 200_000 == pytest.approx(0.1, abs=0.015)


def test_attempts_never_overlap_and_keep_their_slots():
    """A timeout of two intervals: the next attempt begins when the last one ends, on the grid."""
    attempts = Attempts(Path(name="dead", loss=1.0), probe(0.1, 0.2, 3), random.Random(1))

    assert [round(attempts.next().started_at, 6) for _ in range(4)] == [0.0, 0.2, 0.4, 0.6]


def test_what_is_rare_is_estimated_rightly():
    """Of the downs that follow an up one in 1 / 0.0199 ** 2 is the first of three."""
    found = false_alarms.moves_a_year(Path(name="1%", loss=0.01), (1.0, 1.0), hours=3, futures=4000, seed=1)
    (three, is_estimate) = found[1]
    ups = 8766 * 3600 * (1 - 0.0199)

    assert is_estimate
    assert three == pytest.approx(ups * 0.0199**3, rel=0.4)


def test_a_silent_holder_is_found_within_the_worst_case():
    """The configuration's own bound, with the time to the first attempt in it."""
    took = false_alarms.detection((1.0, 1.0), 3, seed=1)

    assert min(took) >= 3.0
    assert max(took) <= probe(1.0, 1.0, 3).worst_case
