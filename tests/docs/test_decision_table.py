"""The decision table's page: the rules in their order, each with its rows, and the tests that it names."""

import re

from eni_failover.core.decide import RULES
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "design" / "decision-table.md"
ROW = re.compile(r"^\| ([\d, ]+) \| `(\w+)` \|", re.MULTILINE)


def rules():
    """The page's rules in their order, each with its rows: two may share one, and one may have several."""
    told: list[tuple[str, list[str]]] = []
    for rows, rule in ROW.findall(PAGE.read_text()):
        if told and told[-1][0] == rule:
            told[-1][1].extend(rows.split(", "))
        else:
            told.append((rule, rows.split(", ")))
    return told


def test_the_page_has_the_rules_in_the_order_in_which_they_are_asked():
    assert [rule for rule, _ in rules()] == [rule.__name__ for rule in RULES]


def test_each_rule_says_its_rows():
    """`Row 3.`, `Rows 2 and 7.` or `Rows 8 to 11.` at the start of its docstring."""
    for rule, (name, rows) in zip(RULES, rules(), strict=True):
        (first, last), words = (rows[0], rows[-1]), {1: "Row {0}.", 2: "Rows {0} and {1}."}
        said = words.get(len(rows), "Rows {0} to {1}.").format(first, last)
        assert (rule.__doc__ or "").startswith(said), f"{name}: {said}"


def test_every_row_is_there():
    assert {row for _, rows in rules() for row in rows} == {str(number) for number in range(1, 13)}


def test_the_tests_that_it_names_exist():
    named = re.findall(r"`(tests/[\w/.]+)`", PAGE.read_text())

    assert len(named) > 12
    assert [path for path in named if not (ROOT / path).exists()] == []
