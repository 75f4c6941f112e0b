"""The kill matrix as a test: every point of a takeover, each in one of the manners, with real processes.

`make kill` plays every point in every manner.
"""

from __future__ import annotations

import pytest

from tests.kill.matrix import MANNERS, matrix

JOBS = 4


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("first", "manner"), list(enumerate(MANNERS)))
def test_a_takeover_is_finished_whatever_ends_the_standby_and_wherever(first, manner):
    """Killed, stopped for longer than every time-out, or killed together with the old holder."""
    played = list(matrix([manner], jobs=JOBS, first=first, step=len(MANNERS)))

    assert [(one.point, one.problem) for one in played if one.problem] == []
    # About thirty points: each EC2 call and journal write of it, before and after.
    assert sum(one.reached for one in played) >= 24 / len(MANNERS)
