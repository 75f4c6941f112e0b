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
