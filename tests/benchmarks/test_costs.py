"""Each part of the cost benchmark measures something, in the shortest time that it can."""

from __future__ import annotations

import pytest

from benchmarks import cost_idle, cost_probes, cost_start, cost_takeovers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_start_has_figures_and_imports():
    """The adapter is among the dearest imports."""
    rows = cost_start.rows(1)

    assert [row.what.strip() for row in rows] == ["start to first pass", "of that: CPU", "resident then"]
    assert any("eni_failover" in line for line in cost_start.imports())


def test_an_idle_standby_is_measured():
    """CPU and memory have a verdict; of so short a time the number of EC2 calls has none."""
    assert [row.met is not None for row in cost_idle.rows(2)] == [True, True, True, False]


def test_probes_are_measured():
    """Ten of them are on time."""
    _, late = cost_probes.rows(2, numbers=(10,))

    assert late.what == "10 tcp probes a second: lateness p99, of the interval"


def test_nothing_of_the_daemon_grows_with_takeovers():
    """Neither objects nor tasks, in virtual time."""
    early, late = cost_takeovers.in_virtual_time(10)

    assert late["tasks"] == early["tasks"]
    assert late["objects"] <= early["objects"] * 1.1


def test_processes_take_over_from_each_other():
    """No thread and no descriptor more: one way and back."""
    early, late = cost_takeovers.in_processes(2)

    assert late["threads"] <= early["threads"] + 2
    assert late["descriptors"] <= early["descriptors"] + 4
