import pytest

from eni_failover.config.mistakes import dotted, explain


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ((), ""),
        (("group",), "group"),
        (("probe", 0, "headers", "X-Try"), "probe[0].headers.X-Try"),
        (("eni", "ids", 12), "eni.ids[12]"),
        (("a b", "c\nd", "é", ""), '"a b"."c\\nd"."é".""'),
        (("\u2028",), '"\\u2028"'),
    ],
)
def test_dotted(key, expected):
    """A key is shown as TOML writes it, positions in brackets, on one line whatever is in it."""
    assert expected == dotted(key)


def test_long_key_is_cut():
    """A key of any length stays a readable line."""
    assert len(dotted(("a" * 5000,))) < 80


def test_unforeseen_type_of_error():
    """A finding that this code has no words for is told in pydantic's, not as a traceback."""
    mistake = explain({"type": "new_type", "loc": ("group",), "msg": "Odd {thing}", "input": 1})

    assert mistake.key == ("group",)
    assert mistake.text == "is not accepted: Odd {thing}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(10**12, "1000000000000"), (10**5000, "one of more than 20 digits")],
    ids=["shown", "long"],
)
def test_number_that_is_too_large(value, shown):
    """It is shown, or said to be long where Python refuses to print it: never "not a whole number"."""
    ctx = {"le": 1000}
    mistake = explain(
        {"type": "less_than_equal", "loc": ("policy", "max_takeovers"), "ctx": ctx, "input": value}
    )

    assert mistake.text == f"must be 1000 or less, not {shown}"
