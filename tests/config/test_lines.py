import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.config.lines import Lines

TEXT = """\
# [no.table]
top = 1

[eni]  # a comment with " and ' and [
"ids" = [
  "one", # ]
  "two]",
]
index = 3

[[probe]]
name = "a"
headers.first = "x"
[probe.more.deep]
x = 1

  [[probe]]
body = \"\"\"
[log]
level = 1\\\"\"\"\"
quotes = '''
it's ''[[probe]]'' '''''
method = "\\"[" # "
[[probe.part]]
y = 1
[[probe.part]]
y = { z = [
  { w = 2 },
] }
[log]
level = 'info'
"""


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (2, ("top",)),
        (4, ("eni",)),
        (5, ("eni", "ids")),
        (9, ("eni", "index")),
        (11, ("probe",)),
        (11, ("probe", 0)),
        (12, ("probe", 0, "name")),
        (13, ("probe", 0, "headers")),
        (13, ("probe", 0, "headers", "first")),
        (14, ("probe", 0, "more")),
        (14, ("probe", 0, "more", "deep")),
        (15, ("probe", 0, "more", "deep", "x")),
        (17, ("probe", 1)),
        (18, ("probe", 1, "body")),
        (21, ("probe", 1, "quotes")),
        (23, ("probe", 1, "method")),
        (24, ("probe", 1, "part", 0)),
        (25, ("probe", 1, "part", 0, "y")),
        (26, ("probe", 1, "part", 1)),
        (27, ("probe", 1, "part", 1, "y", "z")),
        (30, ("log",)),
        (31, ("log", "level")),
    ],
)
def test_line_of(line, key):
    """A key is on the line where its statement begins, a table on that of its header."""
    assert "probe" in tomllib.loads(TEXT)
    assert line == Lines(TEXT).line_of(key)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (1, ()),
        (1, ("missing",)),
        (1, ("missing", "too")),
        (4, ("eni", "missing")),
        (5, ("eni", "ids", 1)),
        (17, ("probe", 1, "missing")),
        (27, ("probe", 1, "part", 1, "y", "z", 0, "w")),
    ],
)
def test_line_of_what_is_not_written(line, key):
    """What has no line of its own is on that of the nearest table or key around it, else on line 1."""
    assert line == Lines(TEXT).line_of(key)


def test_explicit_header_comes_before_the_implied_one():
    """A table that first appeared inside a longer header is on the line of its own header."""
    lines = Lines("[a.b]\nx = 1\n[a]\ny = 1\n")

    assert lines.line_of(("a",)) == 3
    assert lines.line_of(("a", "b")) == 1


NAMES = st.sampled_from(["plain", "'a.b'", '"c # d"', '"e\\"["', "7", "''"])
VALUES = st.sampled_from(
    [
        "1",
        '"#"',
        "'['",
        '"""\n[x]\n"""',
        "'''\n# \"\n'''",
        '"""a"""""',
        "[\n1, # ]\n2,\n]",
        "{ a = [\n'}'\n] }",
        "1979-05-27",
        '"\\\\"',
    ]
)
BETWEEN = st.lists(st.sampled_from(["", "# ' \" [ {", "   "]), max_size=2)


@given(st.lists(st.tuples(NAMES, VALUES, BETWEEN), max_size=6, unique_by=lambda item: item[0]))
def test_every_statement_is_found(statements):
    """Whatever stands before it, a key is found on the line on which it was written."""
    text, expected = "", {}
    for number, (name, value, between) in enumerate(statements):
        text += "".join(f"{line}\n" for line in between) + f"[t{number}]\n"
        [key] = tomllib.loads(f"{name} = 1")
        expected[(f"t{number}", key)] = text.count("\n") + 1
        text += f"{name} = {value}\n"
    tomllib.loads(text)

    lines = Lines(text)

    assert expected == {key: lines.line_of(key) for key in expected}
