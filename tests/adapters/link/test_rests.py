"""How soon each thing that others undo is done again."""

from itertools import pairwise

import pytest

from eni_failover.adapters.link.keeper import Step
from eni_failover.adapters.link.plan import Change
from eni_failover.adapters.link.rests import Rests

UP = Change(up=(7,))
STEP = Step("up", 7)


class Fight:
    """A program that undoes the same step as soon as it was made."""

    def __init__(self, change=UP, refused=()):
        self.now = 100.0
        self.change, self.refused = change, refused
        self.rests = Rests(lambda: self.now)

    def gaps(self, times):
        """How long each of so many repairs after the first one had to wait."""
        self.rests.made(self.change, self.refused)
        made = [self.now]
        for _ in range(times):
            _, again_at = self.rests.split(self.change)
            self.now = again_at
            assert self.rests.split(self.change) == (self.change, None)
            self.rests.made(self.change, self.refused)
            made.append(self.now)
        return [round(after - before, 3) for before, after in pairwise(made)]


def test_a_repair_waits_a_fifth_of_a_second_at_most():
    """The first one is done again after a moment."""
    assert Fight().gaps(5) == [0.05, 0.1, 0.2, 0.2, 0.2]


def test_a_fight_that_lasts_costs_little():
    """After fifty times without a calm minute once a second is enough."""
    assert Fight().gaps(60)[-1] == 1.0


def test_what_the_kernel_refuses_is_asked_for_less_and_less():
    """It has its reason, and will have it for longer."""
    assert Fight(refused={STEP}).gaps(9)[-2:] == [5.0, 5.0]


def test_a_calm_minute_forgets():
    """The next repair is a first one again."""
    fight = Fight()
    fight.gaps(4)
    fight.now += 61.0
    fight.rests.made(UP, ())

    assert fight.rests.split(UP)[1] == fight.now + 0.05


def test_a_step_waits_for_itself_alone():
    """Another one of the same change is done now."""
    fight = Fight()
    fight.rests.made(UP, ())
    both = Change(up=(7, 8), rules=("a rule",))

    assert fight.rests.split(both) == (Change(up=(8,), rules=("a rule",)), fight.now + 0.05)


@pytest.mark.parametrize("field", ["up", "addresses"])
def test_routes_wait_for_what_they_stand_on(field):
    """The kernel refuses a route by a link that is down, and one from an address that is not there."""
    fight = Fight(Change(**{field: (7,)}))
    fight.rests.made(fight.change, ())
    both = Change(**{field: (7,)}, routes=("a route",), stale_routes=("a competing one",))

    assert fight.rests.split(both)[0] == Change(stale_routes=("a competing one",))
