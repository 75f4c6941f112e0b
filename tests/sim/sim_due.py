"""The lab works out what was due only when it is asked: this asks it then.

Owns the asking, in virtual time. Must not know what changes.
"""

from __future__ import annotations

from eni_failover.lab import World as Lab
from tests.sim.sim_clockwork import Clockwork


class DueChanges:
    """Of one lab, whose clock is the clockwork's."""

    def __init__(self, clockwork: Clockwork, lab: Lab) -> None:
        self._clockwork = clockwork
        self._lab = lab
        self._at = float("inf")

    def expect(self) -> None:
        """Something has changed: ask again when the next change is due."""
        due = self._lab.next_change()
        if due < self._at:
            self._at = due
            self._clockwork.push(due, None, self._ask)

    def _ask(self) -> None:
        self._at = float("inf")
        _ = self._lab.state
        self.expect()
