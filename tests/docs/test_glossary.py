"""docs/design/glossary.md says where each concept lives."""

import re

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "design" / "glossary.md"
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \| `([^`|]+)` \|$", PAGE.read_text(), re.MULTILINE)


def test_every_row_names_one_file_that_exists():
    """A file that has moved takes its rows along."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]

    assert len(ROWS) == len(lines) - 1  # the head of the table
    assert [path for _, path in ROWS if not (ROOT / path).is_file()] == []


def test_the_words_are_in_alphabetical_order_and_once_each():
    """A reader finds a word without searching."""
    words = [word.lower().replace("-", " ") for word, _ in ROWS]

    assert words == sorted(set(words))
