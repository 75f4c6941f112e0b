"""Whatever a hand does to a good file: a configuration comes out, or ConfigError, and nothing else."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eni_failover.config import Config, load
from eni_failover.errors import ConfigError

GOOD = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "configs").glob("good_*.toml"))]
PIECES = [
    b"",
    b"\n",
    b'"',
    b"'",
    b'"""',
    b"'''",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"=",
    b"#",
    b".",
    b",",
    b"\\",
    b"\x00",
    b"\xff",
    b"\r",
    b"\xe2\x80\xa8",
    b"{x}",
    b"{address}",
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"true",
    b"2024-01-01",
    b"[probe]",
    b"[[policy]]",
    b"[member.x]",
    b"never",
    b"9999999999999999999s",
    b"10.0.1.11",
    b"http://",
    b"::1",
    b"%eth0",
    b"a{99999999999}",
    b"(",
]
VALUES = [
    b"1",
    b"-1",
    b"0x" + b"f" * 4000,
    b"1.5",
    b"inf",
    b"true",
    b'""',
    b'"x"',
    b'"1s"',
    b'"0s"',
    b'"never"',
    b"[]",
    b"[1]",
    b"[[]]",
    b'["", "a"]',
    b"[{}]",
    b"{}",
    b"{ a = 1 }",
    b'{ a = "x" }',
    b"{ a.b.c.d = [] }",
    b"12:00:00",
    b"2024-01-01T00:00:00Z",
    b'"\\u0000"',
    b'"\\u2028"',
    b'"{x}"',
    b'"http://[{address}"',
    b"'''\n\n'''",
]


def outcome(content):
    """What loading this content ends with: the configuration, or the problems."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.toml"
        path.write_bytes(content)
        try:
            return path, load(path, {})
        except ConfigError as error:
            return path, error.problems


def check(content):
    """Every problem is one line that begins with the path, a file's lines in order; a good file is whole."""
    path, found = outcome(content)

    if isinstance(found, Config):
        assert found.down_needed >= 1
        assert found.eni_ids
        assert found.discovery is not None or len(found.members) >= 2
        for member in found.members:
            assert found.policy_for(member.instance_id).me == member
            assert found.listen_at(member.address)
    else:
        lines = [int(re.fullmatch(rf"{path}:(\d+): .+", problem)[1]) for problem in found]
        assert lines
        assert sorted(lines) == lines
        assert all(1 <= line <= content.count(b"\n") + 1 for line in lines)
        assert all(problem.isprintable() for problem in found)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_any_cut_and_paste(data):
    """Pieces cut out and pasted in anywhere never make another exception than ConfigError."""
    content = data.draw(st.sampled_from(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 40)))
        content = content[:start] + data.draw(st.sampled_from(PIECES)) + content[end:]

    check(content)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_any_other_values(data):
    """Values of any type in any place never make another exception than ConfigError."""
    lines = data.draw(st.sampled_from(GOOD)).split(b"\n")
    places = [number for number, line in enumerate(lines) if re.match(rb"^[a-z_]+ = ", line)]
    for number in data.draw(st.sets(st.sampled_from(places), min_size=1, max_size=6)):
        key = lines[number].partition(b" = ")[0]
        lines[number] = key + b" = " + data.draw(st.sampled_from(VALUES))

    check(b"\n".join(lines))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_any_order_of_lines(data):
    """Lines left out, doubled and moved never make another exception than ConfigError."""
    lines = data.draw(st.sampled_from(GOOD)).split(b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        line = lines[data.draw(st.integers(0, len(lines) - 1))]
        if data.draw(st.booleans()):
            lines.remove(line)
        lines.insert(data.draw(st.integers(0, len(lines))), line)

    check(b"\n".join(lines))


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes(content):
    """Bytes of any kind never make another exception than ConfigError."""
    check(content)


@pytest.mark.parametrize("content", GOOD)
def test_unchanged(content):
    """The check above accepts the files that it starts from."""
    check(content)
    assert isinstance(outcome(content)[1], Config)
