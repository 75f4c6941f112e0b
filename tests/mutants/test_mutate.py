"""What is laid open to mutmut is the same program, and mutmut then finds all of it."""

from __future__ import annotations

from pathlib import Path

from eni_failover.core import group
from tests.mutants.mutate import constants, laid_open

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
    source = Path(group.__file__).read_text()
    opened = laid_open(source, constants([source]))
    compile(opened, "group.py", "exec")

    assert source.count("property\n    def ") == opened.count("_value(self)") > 20
