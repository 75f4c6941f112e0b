"""What `make docs` writes is what is committed."""

from pathlib import Path

import pytest

from docs.generate.__main__ import pages

ROOT = Path(__file__).parents[2]
PAGES = pages()


@pytest.mark.parametrize("place", PAGES, ids=str)
def test_the_committed_file_is_what_make_docs_writes(place):
    """A generated file is current; if not, `make docs` writes it anew."""
    assert (ROOT / place).read_text(encoding="utf-8") == PAGES[place]
