"""What is laid open to mutmut is the same program, and mutmut then finds all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eni_failover.core import view
from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.mutate import constants, laid_open, why

SOURCE = '''"""Words."""
LIMIT = 2.5
NAME = "a"


class Box:
    @property
    def twice(self) -> float:
        """Both."""
        # Two of them.
        return self.one() + LIMIT

    def one(self) -> float:
        """Only one."""
        return LIMIT if NAME else 0.0
'''

OPEN = '''"""Words."""
LIMIT = 2.5
NAME = "a"


class Box:
    @property
    def twice(self) -> float:
        """Both."""
        return self.twice_value()

    def twice_value(self) -> float:
        # Two of them.
        return self.one() + 2.5

    def one(self) -> float:
        """Only one."""
        return 2.5 if NAME else 0.0
'''


def test_properties_and_numbers_are_laid_open():
    """mutmut changes neither what is decorated nor what stands outside of functions."""
    assert constants([SOURCE]) == {"LIMIT": "2.5"}
    assert laid_open(SOURCE, constants([SOURCE])) == OPEN


def test_every_term_of_the_table_can_be_laid_open():
    """The module that consists of properties: each has its body in a method then, and compiles."""
    source = Path(view.__file__).read_text()
    opened = laid_open(source, constants([source]))
    compile(opened, "group.py", "exec")

    assert source.count("property\n    def ") == opened.count("_value(self)") > 20


def test_only_the_change_that_is_meant_is_explained():
    """The same function, what goes, and what comes instead or that nothing does."""
    record = "eni_failover.core.moves.x__record__mutmut_9"
    gone = "--- a\n+++ a\n@@ -1 +1 @@\n-        detach_sent_at=None,\n"

    assert why(record, gone) is not None
    assert why(record, gone + '+        detach_sent_at="",\n') is None
    assert why(record, gone.replace("sent", "began")) is None
    assert why(record.replace("_record", "_detach"), gone) is None


@pytest.mark.parametrize("one", EQUIVALENT, ids=lambda one: f"{one.function}: {one.old}")
def test_what_is_explained_is_still_there(one):
    """A change of the program that touches one is noticed here."""
    module, name = one.function.split(".", 1)
    source = Path(view.__file__).with_name(f"{module}.py").read_text()

    assert f"def {name.rpartition('.')[2].removesuffix('_value')}(" in source
    assert one.old in laid_open(source, constants([source]))
