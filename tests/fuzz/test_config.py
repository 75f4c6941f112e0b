"""Any structure, any value, any bytes: a usable configuration comes out, or lines that say where and why."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from pathlib import Path
from pprint import pformat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from eni_failover.adapters.probes.expected_body import ExpectedBody
from eni_failover.adapters.probes.spec import ExecSettings, HttpSettings, IcmpSettings, Target, TcpSettings
from eni_failover.config import Config, load
from eni_failover.config.targets import has_placeholder
from eni_failover.core.policy import InstanceId
from eni_failover.errors import ConfigError
from tests.fuzz.config_texts import GOOD, documents, near_documents, written
from tests.fuzz.efforts import FEW, LONG, QUICK

HOST = re.compile(r"[a-z0-9_.:%-]+", re.IGNORECASE)


def outcome(content: bytes) -> tuple[Path, Config | tuple[str, ...]]:
    """What loading this content ends with: the configuration, or the problems."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.toml"
        path.write_bytes(content)
        try:
            return path, load(path, {})
        except ConfigError as error:
            return path, error.problems


def check(content: bytes) -> None:
    """The oracle: no other exception, no empty or unprintable complaint, no unusable value."""
    path, found = outcome(content)
    if isinstance(found, Config):
        check_usable(found)
        problems = found.warnings
    else:
        assert found
        problems = found
    for problem in problems:
        place = re.fullmatch(rf"{re.escape(str(path))}(?::(\d+))?: .+", problem)
        assert place, problem
        assert problem.isprintable()
        assert 1 <= int(place[1] or 1) <= content.count(b"\n") + 1


def check_usable(config: Config) -> None:
    """What the daemon does with a configuration at its start cannot fail for its values."""
    assert config.eni_ids
    assert config.down_needed >= 1
    assert config.discovery is not None or len(config.members) >= 2
    with pytest.raises(ConfigError):
        config.policy_for(InstanceId(""))
    for path in (config.socket, config.role_file, config.state_directory):
        assert path.is_absolute()
        assert "\0" not in str(path)
    assert len(os.fsencode(config.socket)) <= 100
    for member in config.members:
        assert config.policy_for(member.instance_id).me == member
        host, port = config.listen_at(member.address)
        assert HOST.fullmatch(host)
        assert 0 <= port <= 65535
        for probe in config.probes:
            check_probe(probe.settings, Target.of(member))
    for probe in config.probes:
        policy = probe.policy
        assert 0 < policy.fast_interval <= policy.interval
        assert policy.timeout > 0
        assert 1 <= policy.fall <= 1000
        assert 1 <= policy.rise <= 1000


def check_probe(settings: object, target: Target) -> None:
    """The member can be asked: a host to connect to, a URL that the client takes, an argv."""
    match settings:
        case HttpSettings():
            url = URL(target.fill(settings.url))
            assert url.scheme in {"http", "https"}
            assert url.host
            assert url.password is None
            for name, value in settings.headers:
                assert not re.search(r"[\r\n\0]", name + target.fill(value))
            ExpectedBody(settings.expect_body or "")
        case TcpSettings():
            assert HOST.fullmatch(target.fill(settings.host))
            assert 1 <= settings.port <= 65535
        case IcmpSettings():
            assert HOST.fullmatch(target.fill(settings.host))
        case ExecSettings():
            words = [target.fill(word) for word in settings.command]
            assert words
            assert all(word and "\0" not in word for word in words)
            assert not any(has_placeholder(word) for word in words)


@QUICK
@given(documents())
def test_any_structure(document):
    """Tables, keys and values of any kind in any place."""
    check(written(document).encode())


@QUICK
@given(near_documents())
def test_any_value_of_the_right_kind(document):
    """Values at the limits of what their keys take: what is accepted can be used."""
    check(written(document).encode())


@pytest.mark.slow
@pytest.mark.timeout(600)
@LONG
@given(documents() | near_documents())
def test_any_structure_at_length(document):
    """The same, for minutes."""
    check(written(document).encode())


@settings(QUICK, max_examples=120)
@given(documents())
def test_what_is_written_is_what_was_meant(document):
    """The generator writes TOML: what it makes fails for its content, not for its syntax."""
    parsed = tomllib.loads(written(document))

    assert pformat(document) == pformat(parsed)  # in the keys' order; NaN is not equal to itself


ENCODINGS = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "two byte order marks": lambda text: b"\xef\xbb\xbf" * 2 + text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Latin-1": lambda text: f"{text}# \u00e9\n".encode("latin-1"),
    "no last line end": lambda text: text.rstrip().encode(),
    "NUL at the end": lambda text: text.encode() + b"\0",
    "a lone surrogate": lambda text: text.encode() + b'x = "\xed\xa0\x80"',
    "an overlong slash": lambda text: text.encode() + b'x = "\xc0\xaf"',
    "control-Z": lambda text: text.encode() + b"\x1a",
    "every line twice": lambda text: "".join(f"{line}\n{line}\n" for line in text.splitlines()).encode(),
    "the file twice": lambda text: (text + "\n" + text).encode(),
    "tabs": lambda text: text.replace(" = ", "\t=\t").encode(),
    "line separators": lambda text: text.replace("\n", "\u2028").encode(),
}
STILL_GOOD = {"a byte order mark", "CRLF", "no last line end", "tabs"}


@pytest.mark.parametrize("fixture", GOOD)
@pytest.mark.parametrize("name", ENCODINGS)
def test_any_encoding(name, fixture):
    """What editors and tools make of a good file: read as it was meant, or refused with the line."""
    content = ENCODINGS[name](GOOD[fixture])

    check(content)
    assert isinstance(outcome(content)[1], Config) is (name in STILL_GOOD)


@FEW
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_bytes_in_any_place(fixture, data):
    """Bytes of any kind, set into a good file: where they stand is said."""
    content = GOOD[fixture].encode()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content = content[:at] + data.draw(st.binary(min_size=1, max_size=6)) + content[at:]

    check(content)


@FEW
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_line_twice(fixture, data):
    """A key or a table that is written twice is said with the line of the second."""
    lines = GOOD[fixture].splitlines(keepends=True)
    written_lines = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    number = data.draw(st.sampled_from(written_lines))
    content = "".join([*lines[: number + 1], lines[number], *lines[number + 1 :]]).encode()

    check(content)
    assert not isinstance(outcome(content)[1], Config)


def test_all_fixtures_are_usable():
    """The oracle accepts the files that the rest starts from."""
    for text in GOOD.values():
        check(text.encode())
        assert isinstance(outcome(text.encode())[1], Config)
