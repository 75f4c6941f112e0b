"""Times, lengths and markup: the page's small pieces."""

import pytest

from eni_failover.control.page.markup import Html, element, trusted
from eni_failover.control.page.moments import age, length, when
from tests.control.support import WALL


@pytest.mark.parametrize(
    ("away", "expected"),
    [
        (0, "just now"),
        (-1.4, "just now"),
        (2, "2 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_ages_are_one_number_and_a_unit(away: float, expected: str) -> None:
    """An age is told in the largest unit that fits, before or after now."""
    assert age(WALL - away, WALL) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.00 s"),
        (0.314, "0.31 s"),
        (12.34, "12.3 s"),
        (59.9, "59.9 s"),
        (65, "1 min 05 s"),
        (600, "10 min 00 s"),
    ],
)
def test_lengths_have_the_digits_that_matter(seconds: float, expected: str) -> None:
    """A length has hundredths below ten seconds, tenths below a minute, then minutes."""
    assert length(seconds) == expected


def test_times_have_their_zone_twice() -> None:
    """A time is shown with UTC beside it, and machine-readable in full."""
    assert when(WALL, WALL + 5).markup == (
        '<time datetime="2026-11-18T11:06:40.000000Z">2026-11-18 11:06:40 UTC</time>'
        ' <span class="age" data-at="1795000000.000">(5 s ago)</span>'
    )


def test_text_is_never_markup() -> None:
    """Children and attributes that are text are escaped; elements are nested as they are."""
    made = element("p", "<b>&", element("i", '"'), None, title="\"'<", hidden=True, lang=None, inert=False)

    assert made == Html('<p title="&quot;&#x27;&lt;" hidden>&lt;b&gt;&amp;<i>&quot;</i></p>')


def test_only_trusted_text_goes_out_as_it_is() -> None:
    """The package's own texts are not escaped; names of attributes lose the underscore's tail."""
    made = element("style", trusted("a > b {}"), class_="x", data_own=True)

    assert made.markup == '<style class="x" data-own>a > b {}</style>'


@pytest.mark.parametrize("bad", ["\n", "\r", "\x00", "\u202e", "\u2028", "\udc80", "\x1b[31m"])
def test_unprintable_text_is_marked(bad: str) -> None:
    """Line ends, controls, direction marks and lone surrogates become a visible mark."""
    made = element("p", f"a{bad}b").markup

    assert made.startswith("<p>a\ufffd")
    assert made.encode().decode().isprintable()
