"""The kill matrix as a test: every point of a takeover, in each manner, with real processes."""

from __future__ import annotations

import pytest

from tests.kill.matrix import MANNERS, matrix

JOBS = 4


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("manner", MANNERS)
def test_a_takeover_is_finished_whatever_ends_the_standby_and_wherever(manner):
    """Killed, stopped for longer than every time-out, or killed together with the old holder."""
    played = list(matrix([manner], jobs=JOBS))

    assert [(one.point, one.problem) for one in played if one.problem] == []
    assert sum(one.reached for one in played) > 30
