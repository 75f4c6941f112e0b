import re

import pytest

from eni_failover.config import durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 0.25),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("30m", 1800.0),
        ("1h", 3600.0),
        ("0.1s", 0.1),
        ("3ms", 0.003),
        ("1.5d", 129600.0),
        ("365d", 31536000.0),
        ("1ms", 0.001),
        ("007s", 7.0),
    ],
)
def test_one_number_and_one_unit(text, expected):
    """A duration is one number and one unit, in seconds without rounding errors of ours."""
    assert expected == durations.seconds(text)
    assert expected == durations.positive_seconds(text)
    assert expected == durations.seconds_or_never(text)


@pytest.mark.parametrize("text", ["0s", "0ms", "0.0d"])
def test_zero(text):
    """Zero is a duration, and is refused where something longer is needed."""
    assert durations.seconds(text) == 0.0
    with pytest.raises(ValueError, match="longer than zero"):
        durations.positive_seconds(text)
    with pytest.raises(ValueError, match=r'longer than zero, not .*; or "never"'):
        durations.seconds_or_never(text)


def test_never():
    """The word "never" is None, where it is allowed."""
    assert durations.seconds_or_never("never") is None
    with pytest.raises(ValueError, match='not "never"'):
        durations.seconds("never")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "1",
        "1.",
        ".5s",
        "1.s",
        "+1s",
        "-1s",
        "1e3s",
        "1s ",
        " 1s",
        "1s500ms",
        "1 s",
        "1S",
        "1us",
        "1w",
        "1,5s",
    ],
)
def test_other_texts(value):
    """Any other text is refused and shown."""
    with pytest.raises(
        ValueError, match=r'^must be one number and one of ms s m h d, such as "250ms" or "30m", not "'
    ):
        durations.seconds(value)


@pytest.mark.parametrize("value", ["١s", "1٢s", "²s"])  # noqa: RUF001 - digits that are not ASCII
def test_other_digits(value):
    """Digits of other scripts are no digits here."""
    with pytest.raises(ValueError, match=r"^must be one number"):
        durations.seconds(value)


@pytest.mark.parametrize("value", [1, 1.5, -3, True, None, [], {}])
def test_other_types(value):
    """A value that is no text is refused, whatever it is."""
    with pytest.raises(ValueError, match=r"^must be text: one number"):
        durations.seconds(value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (30, "; the unit is missing"),
        ("30", '; write the unit: "30s" for seconds'),
        ("-30s", "; a duration is not negative"),
        ("1m30s", "; one unit only"),
        ("1 MS", "; without spaces and in lower case"),
        ("soon", 'not "soon"'),
    ],
)
def test_hints(value, hint):
    """A common slip is told together with its cure."""
    with pytest.raises(ValueError, match=f"{re.escape(hint)}$"):
        durations.seconds(value)


@pytest.mark.parametrize(
    ("value", "text"), [("0.9ms", "1ms or longer"), ("366d", "365d or shorter"), ("999999999999d", "365d")]
)
def test_bounds(value, text):
    """A duration is 1 ms to 365 days, or zero."""
    with pytest.raises(ValueError, match=text):
        durations.seconds(value)


def test_too_many_digits():
    """A number of hundreds of digits is refused, cut short in the message."""
    with pytest.raises(ValueError, match=r'9\.\.\."$') as caught:
        durations.seconds("9" * 400 + "d")

    assert len(str(caught.value)) < 200
