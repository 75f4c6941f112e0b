import re

import pytest

from eni_failover.config import http_request


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["200-399"], ((200, 399),)),
        (["200", 429, "500-500"], ((200, 200), (429, 429), (500, 500))),
        ([100, 599], ((100, 100), (599, 599))),
    ],
)
def test_statuses(value, expected):
    """Statuses are inclusive ranges, whether written as text or as numbers."""
    assert expected == http_request.statuses(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        "200",
        {},
        ["2xx"],
        [""],
        ["600"],
        [99],
        [600],
        ["300-200"],
        ["200-"],
        [True],
        [200.0],
        [["200"]],
        ["٢00"],
    ],
)
def test_no_statuses(value):
    """Anything else is refused with the form that is wanted."""
    with pytest.raises(ValueError, match=r"^must be a list of statuses 100 to 599 such as "):
        http_request.statuses(value)


@pytest.mark.parametrize("value", ["ok", "", "[[a]b]", "(?i)^ok$", "{x}"])
def test_pattern(value):
    """A regular expression is kept as it is; one that merely looks odd gives no warning."""
    assert value == http_request.pattern(value)
    assert re.compile(re.escape(value))


@pytest.mark.parametrize("value", ["(", "[", "a{99999999999}", "(?P<a\nb>x)", "*", "(" * 3000 + ")" * 3000])
def test_no_pattern(value):
    """What Python's re does not take is refused in one line."""
    with pytest.raises(ValueError, match=r"^must be a regular expression \(Python's re\): .+") as caught:
        http_request.pattern(value)

    assert len(str(caught.value).splitlines()) == 1


def test_headers_are_case_insensitive():
    """Two headers whose names differ only in case are one header twice."""
    with pytest.raises(ValueError, match=r'^must not have the header "HOST" twice$'):
        http_request.headers({"Host": "a", "HOST": "b"})
