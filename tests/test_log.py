"""The log lines: their keys, their order, what is hidden, and that losing them hurts nobody."""

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from eni_failover.core.vocabulary import Reason
from eni_failover.log import configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Terminal(io.StringIO):
    """A stream in memory that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def started(stream: io.StringIO | None = None, **changes) -> io.StringIO:
    """The log on a stream in memory."""
    out = stream or io.StringIO()
    arguments = {
        "log_format": "auto",
        "level": "info",
        "environment": {},
        "group": "orders",
        "member": "beta",
    }
    configure(stream=out, **{**arguments, **changes})
    return out


def broken(text: str) -> None:
    """Something that fails."""
    raise OSError(text)


def lines(out: io.StringIO) -> list[dict]:
    """The JSON lines so far."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_line_has_its_keys_first() -> None:
    """A JSON line begins with timestamp, level, event, group and member; bound keys and values follow."""
    out = started()
    with structlog.contextvars.bound_contextvars(pass_id=7):
        structlog.get_logger("x").info("takeover.started", reason=Reason.HOLDER_DOWN, seconds=1.5, n=None)
    line = lines(out)[0]
    at = datetime.fromisoformat(line.pop("timestamp"))

    assert out.getvalue().startswith('{"timestamp": "')
    assert at.tzinfo == UTC
    assert "Z" in out.getvalue()[:45]
    assert list(line.items())[:4] == [
        ("level", "info"),
        ("event", "takeover.started"),
        ("group", "orders"),
        ("member", "beta"),
    ]
    assert {key: line[key] for key in list(line)[4:]} == {
        "pass_id": 7,
        "reason": "holder_down",
        "seconds": 1.5,
        "n": None,
    }


def test_level_is_the_least_that_is_written() -> None:
    """Lines below the level are not written; a second configure changes it."""
    out = started(level="warning")
    log = structlog.get_logger()
    log.info("a")
    log.warning("b")
    started(out, level="debug")
    log.debug("c")

    assert [line["event"] for line in lines(out)] == ["b", "c"]


def test_member_that_is_not_known_yet_is_absent() -> None:
    """Before the member is known its key is left out; a bound value wins over the configured one."""
    out = started(member="")
    structlog.get_logger().info("start", group="other")

    assert {key: lines(out)[0].get(key) for key in ("group", "member")} == {"group": "other", "member": None}


@pytest.mark.parametrize(
    ("log_format", "terminal", "as_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("console", False, False),
    ],
)
def test_format_follows_the_setting_and_the_stream(log_format: str, terminal: bool, as_json: bool) -> None:
    """Auto is console on a terminal and JSON elsewhere; json and console are what they say."""
    out = started(Terminal() if terminal else io.StringIO(), log_format=log_format)
    structlog.get_logger().info("one.event")

    assert as_json == out.getvalue().startswith("{")
    assert "one.event" in out.getvalue()


@pytest.mark.parametrize(
    ("environment", "terminal", "colored"),
    [
        ({}, True, True),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({}, False, False),
    ],
)
def test_colors_are_for_terminals_that_want_them(environment: dict, terminal: bool, colored: bool) -> None:
    """Colors only on a terminal, and not with NO_COLOR set to anything (no-color.org) or a dumb one."""
    out = started(Terminal() if terminal else io.StringIO(), log_format="console", environment=environment)
    structlog.get_logger().error("one.event", key="value")

    assert colored == ("\x1b[" in out.getvalue())


def test_exception_is_in_its_line() -> None:
    """A traceback is one key of the JSON line, without the values of local variables."""
    out = started()
    password = "a value of a local variable"
    try:
        broken(f"{len(password)} characters")
    except OSError:
        structlog.get_logger().exception("it.broke")
    line = lines(out)[0]

    assert line["level"] == "error"
    assert "OSError: 27 characters" in line["exception"]
    assert password not in out.getvalue().replace("password = ", "")


def test_libraries_are_heard_from_warning_on() -> None:
    """A library's warning is an event of ours; its info and debug lines are not taken, at any level."""
    out = started(level="debug")
    library = logging.getLogger("botocore.auth")
    library.debug("StringToSign: secret")
    library.info("chatter")
    library.warning("retry in %d s", 5)
    library.critical("gone")
    logging.getLogger("aiohttp.server").error("bad %d", "format")
    kept = [{key: line[key] for key in ("level", "event", "logger", "message")} for line in lines(out)]

    assert kept == [
        {"level": "warning", "event": "log.external", "logger": "botocore.auth", "message": "retry in 5 s"},
        {"level": "error", "event": "log.external", "logger": "botocore.auth", "message": "gone"},
        {"level": "error", "event": "log.external", "logger": "aiohttp.server", "message": "bad %d"},
    ]


def test_odd_level_of_a_library_is_a_warning() -> None:
    """A library's own level between warning and error does not break the log."""
    out = started()
    logging.getLogger("odd").log(35, "between")

    assert [line["level"] for line in lines(out)] == ["warning"]


def test_python_warnings_are_lines() -> None:
    """A warning of Python's goes the same way instead of to standard error."""
    out = started()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)

    assert "DeprecationWarning: old thing" in lines(out)[0]["message"]


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE/" * 12


@pytest.mark.parametrize(
    "keys",
    [
        {"token": "abc"},
        {"bearer_token_file": "abc"},
        {"Authorization": "abc"},
        {"db_password": "abc"},
        {"credentials": {"id": "abc"}},
        {"credentials": ["abc"]},
        {"api_key": b"abc"},
        {"aws_secret_access_key": "abc"},
        {"headers": {"X-Auth-Token": "abc"}},
        {"headers": [{"deep": {"Cookie": "abc"}}]},
    ],
    ids=repr,
)
def test_secret_keys_are_hidden_however_deep(keys: dict) -> None:
    """What a key's name calls a secret is not written, in any container."""
    out = started()
    structlog.get_logger().info("x", **keys)

    assert "abc" not in out.getvalue()
    assert "[redacted]" in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        SECRET,
        TOKEN,
        f"Authorization: Bearer {'x1Y' * 9}",
        "http://user:hunter2@proxy:3128/",
    ],
)
def test_values_shaped_like_keys_are_hidden(text: str) -> None:
    """An AWS key, a bearer token and a URL's password are written nowhere: event, value or exception."""
    secret = "hunter2" if "hunter2" in text else text.rsplit(maxsplit=1)[-1]
    out = started()
    log = structlog.get_logger()
    event = f"x {text} y"
    log.info(event)
    log.info("x", error=f"before {text} after", things=[{"inner": (text,)}])
    log.info("x", thing=ValueError(text))
    try:
        broken(text)
    except OSError:
        log.exception("x")
    logging.getLogger("botocore").warning("said %s", text)

    assert len(lines(out)) == 5
    assert secret not in out.getvalue()
    assert out.getvalue().count("[redacted]") >= 5


@pytest.mark.parametrize(
    "keys",
    [
        {"config_hash": "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"eni_id": "eni-0ffffffffffffff0", "instance_id": "i-0aaaaaaaaaaaaaaa1"},
        {"credentials_expiry": 1795000000.5},
        {"path": "/var/lib/eni-failover/orders/journal.jsonl"},
        {"takeover_id": "19b8d2f3a40-beta", "seconds": 0.25, "good": True},
        {"url": "http://10.0.1.11:8080/healthz"},
    ],
    ids=repr,
)
def test_what_is_no_secret_stays(keys: dict) -> None:
    """Hashes, ids, paths, URLs and numbers are written as they are."""
    out = started()
    structlog.get_logger().info("x", **keys)
    line = lines(out)[0]

    assert {key: line[key] for key in keys} == keys


def test_odd_values_do_not_break_a_line() -> None:
    """Keys that are no text, values without JSON form, endless nesting, lone surrogates: all come out."""
    nested: dict = {}
    nested["self"] = nested
    out = started()
    structlog.get_logger().info("x", odd={(1, 2): {3, 4}}, thing=object, nested=nested, text="\ud800")

    assert lines(out)[0]["odd"] == {"(1, 2)": [3, 4]}


def journal_of(descriptor: int) -> dict[str, str]:
    """What systemd sets for a service whose output is this stream."""
    found = os.fstat(descriptor)
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_under_journald_each_line_carries_its_priority(log_format: str) -> None:
    """When JOURNAL_STREAM names this stream, every line, of a traceback too, begins with its priority."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as stream:
        configure(
            log_format=log_format, level="debug", stream=stream, environment=journal_of(stream.fileno())
        )
        log = structlog.get_logger()
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")
        log.critical("e")
        try:
            broken("f")
        except OSError:
            log.exception("g")
        stream.close()
        received = source.read().splitlines()

    assert [line[:3] for line in received[:5]] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert {line[:3] for line in received[5:]} == {"<3>"}
    assert (len(received) > 6) == (log_format == "console")


def test_journal_stream_of_another_stream_means_nothing() -> None:
    """A JOURNAL_STREAM that was inherited and names another stream adds no prefix."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as stream, Path(os.devnull).open() as other:
        environment = journal_of(other.fileno())
        configure(log_format="json", level="info", stream=stream, environment=environment)
        structlog.get_logger().info("a")
        stream.close()

        assert source.read().startswith("{")


def test_reader_that_is_gone_costs_lines_only() -> None:
    """A broken pipe raises nowhere."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        configure(log_format="json", level="info", stream=stream, environment={})
        for _ in range(3):
            structlog.get_logger().info("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_costs_lines_only() -> None:
    """A device without room raises nowhere, neither at the line nor at the stream's end."""
    with Path("/dev/full").open("w") as stream:
        configure(log_format="json", level="info", stream=stream, environment={})
        structlog.get_logger().info("a")


def test_closed_stream_costs_lines_only() -> None:
    """A stream that somebody closed raises nowhere."""
    out = started()
    out.close()
    structlog.get_logger().info("a")

    assert out.closed


def test_reader_that_does_not_read_costs_lines_and_is_told_how_many() -> None:
    """A full pipe does not hold the daemon up; the first line after it says how many were lost."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "w") as stream:
        configure(log_format="json", level="info", stream=stream, environment={})
        log = structlog.get_logger()
        for number in range(300):
            log.info("a", number=number, filler="x" * 1000)
        first = source.read(1 << 20)
        log.info("again")
        second = source.read(1 << 20)
    numbers = [json.loads(line)["number"] for line in first.splitlines()[:-1]]
    again = json.loads(second.splitlines()[-1])

    assert numbers == list(range(len(numbers)))
    assert 30 < len(numbers) < 300
    assert again["event"] == "again"
    assert again["lines_lost"] in {300 - len(numbers), 299 - len(numbers)}


def test_line_longer_than_the_pipe_is_cut_and_the_next_begins_anew() -> None:
    """A line that does not fit is torn, not waited for, and the next one is a line of its own."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "w") as stream:
        configure(log_format="json", level="info", stream=stream, environment={})
        log = structlog.get_logger()
        log.info("long", filler="x" * 200_000)
        torn = source.read(1 << 20)
        log.info("next")
        received = source.read(1 << 20).splitlines()

    assert 0 < len(torn) < 200_000
    assert received[0] == b""
    assert json.loads(received[1])["event"] == "next"
    assert json.loads(received[1])["lines_lost"] == 1
