"""The catalogue of mistakes still fits the program: each text that a mutant changes is there, once."""

from __future__ import annotations

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import plant


def test_there_are_mistakes_enough():
    """Each has a name of its own."""
    names = [one.name for one in MUTANTS]

    assert len(names) == len(set(names)) >= 15


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_mistake_can_be_planted(mutant, tmp_path):
    """A change of the program that touches one is noticed here, not in the long run."""
    plant(mutant, tmp_path)

    for file, _, new in mutant.edits:
        assert new in (tmp_path / "eni_failover" / file).read_text()
