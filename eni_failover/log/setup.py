"""Sets structlog and the standard library's logging up, once at the start and again at a reload."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from eni_failover.log.redaction import redact
from eni_failover.log.sink import Sink, descriptor_of

# sd-daemon(3): journald takes a line's priority from this prefix.
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_current: Sink | None = None
_FIRST_KEYS = ("timestamp", "level", "event", "group", "member")


def configure(
    log_format: str,
    level: str,
    *,
    group: str = "",
    member: str = "",
    stream: TextIO | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Send every log line of this process to the stream, standard output unless given.

    `log_format` is auto, json or console; auto is console on a terminal, json else. `level` is the
    least severe that is written: debug, info, warning, error. Of libraries that use the standard
    logging only warnings and worse are taken, whatever the level: botocore's debug lines hold
    credentials. Under journald (JOURNAL_STREAM names this very stream) each line carries its priority.
    NO_COLOR is honoured.

    May be called again: after a reload, or when the member is known.
    """
    stream = sys.stdout if stream is None else stream
    environment = os.environ if environment is None else environment
    global _current  # noqa: PLW0603 - the log is the process's
    sink = _current = Sink(stream)
    least = logging.getLevelNamesMapping()[level.upper()]
    is_terminal = stream.isatty()
    as_console = log_format == "console" or (log_format == "auto" and is_terminal)
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        _identity({"group": group, "member": member}),
        structlog.processors.format_exc_info,
        _losses(sink),
        redact,
        _in_order,
        _console(colors=is_terminal and _wants_colors(environment)) if as_console else _json(),
    ]
    if _is_journal(stream, environment):
        processors.append(_with_priority)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def lines_lost() -> int:
    """How many lines have gone astray since the last one that was written."""
    return 0 if _current is None else _current.lost


class _Bridge(logging.Handler):
    """What libraries log becomes an event of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the library's arguments do not fit its own format
            message = str(record.msg)
        log = structlog.get_logger()
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say("log.external", logger=record.name, message=message, exc_info=record.exc_info)


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )


def _json() -> Processor:
    return structlog.processors.JSONRenderer()


def _wants_colors(environment: Mapping[str, str]) -> bool:
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """JOURNAL_STREAM is inherited: it counts only for the very stream that it names (systemd.exec(5))."""
    descriptor = descriptor_of(stream)
    if descriptor is None:
        return False
    found = os.fstat(descriptor)
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _identity(keys: Mapping[str, str]) -> Processor:
    known = {key: value for key, value in keys.items() if value}

    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**known, **event}

    return add


def _losses(sink: Sink) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, "lines_lost": sink.lost} if sink.lost else event

    return add


def _in_order(_logger: object, _method: str, event: EventDict) -> MutableMapping[str, Any]:
    first = {key: event[key] for key in _FIRST_KEYS if key in event}
    return {**first, **event}


def _with_priority(_logger: object, method: str, line: Any) -> str:
    prefix = f"<{_PRIORITIES.get(method, 6)}>"
    return "\n".join(prefix + part for part in str(line).split("\n"))
