"""The way from a file to a `Config`, and which file it is.

Owns reading the file, its syntax errors, and the form `PATH:LINE: key: text` of every problem. Every
problem of a file comes out at once, in the order of its lines. No exception but ConfigError leaves
here, whatever the file holds. Of other files only is asked who may read the secrets that this one names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eni_failover.config import choices, identity, remarks
from eni_failover.config.build import build
from eni_failover.config.exposure import oddities, secrets_shown
from eni_failover.config.lines import Lines
from eni_failover.config.mistakes import Mistake, dotted
from eni_failover.config.reading import read
from eni_failover.config.rules import contradictions
from eni_failover.config.settings import Config, LogLevel
from eni_failover.config.wording import shown
from eni_failover.errors import ConfigError
from eni_failover.files import open_regular

CONFIG_VARIABLE = "ENI_FAILOVER_CONFIG"
LOG_LEVEL_VARIABLE = "ENI_FAILOVER_LOG_LEVEL"
DIRECTORY = Path("/etc/eni-failover")
DEFAULT_PATH = DIRECTORY / "config.toml"

LARGEST = 64 * 1024
# tomllib takes time and memory with the square of the parts of a key; no key of ours has more than 4.
# Texts are searched too: no host name or path of theirs has so many dots in a row. Of longer quoted
# parts a file has too few to matter; without a bound this search would have the same fault.
_MOST_PARTS = 16
_KEY_PART = r"""(?:[\w-]++|"(?:\\.|[^"\\\n]){0,64}+"|'[^'\n]{0,64}+')[ \t]*+\.[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_KEY_PART}){{{_MOST_PARTS}}}")
_LINE_IN_MESSAGE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def path_for(config: Path | None, group: str | None, env: Mapping[str, str]) -> Path:
    """The file that `--config`, `--group`, the environment or the default name, in this order.

    Raises ConfigError when both arguments are given, or the group's name is none.
    """
    if config is not None and group is not None:
        raise ConfigError("--config and --group both name the file: give one of them")
    if config is not None:
        return config
    if group is None:
        written = env.get(CONFIG_VARIABLE, "")
        return Path(written) if written else DEFAULT_PATH
    try:
        return DIRECTORY / f"{identity.group_name(group)}.toml"
    except ValueError as error:
        raise ConfigError(f"--group: {error}") from error


def groups_present() -> list[str] | None:
    """The groups that have a file of their own; None when that cannot be seen."""
    try:
        names = sorted(file.name for file in DIRECTORY.iterdir())
    except FileNotFoundError:
        return []
    except OSError:
        return None
    stems = [name.removesuffix(".toml") for name in names if name.endswith(".toml")]
    return [stem for stem in stems if stem != DEFAULT_PATH.stem and _is_group(stem)]


def _is_group(text: str) -> bool:
    try:
        identity.group_name(text)
    except ValueError:
        return False
    return True


def _instead(path: Path) -> str:
    """What is there when the default file, or a group's, is not: it is named, never taken by itself."""
    groups = groups_present() if path.parent == DIRECTORY else None
    if groups is None:
        return ""
    if not groups and path != DEFAULT_PATH and DEFAULT_PATH.exists():
        return f": there is {DEFAULT_PATH.name}, leave out --group"
    if not groups:
        return ": write one with 'eni-failover init'"
    if len(groups) == 1:
        return f": try --group {groups[0]}"
    return f": there are {', '.join(groups)}: name one with --group"


def load(path: Path, env: Mapping[str, str]) -> Config:
    """The checked configuration in this file, with the log level of ENI_FAILOVER_LOG_LEVEL if set.

    Raises ConfigError with every problem at once, each one line.
    """
    text, warnings = _read(path)
    raw, lines = _parse(path, text)
    draft, mistakes = read(raw)
    mistakes += contradictions(draft)
    if draft.document.control.role_file == path.absolute():
        text = "must not be this file: the daemon would write the role over it"
        mistakes = [*mistakes, Mistake(key=("control", "role_file"), text=text)]
    problems = _rendered(path, lines, mistakes)
    level, level_problems = _level(env)
    if problems or level_problems:
        raise ConfigError(*problems, *level_problems)
    return replace(
        build(draft.document, path=path, level=level),
        warnings=(
            *warnings,
            *_rendered(path, lines, (*remarks.warnings(draft.document), *secrets_shown(draft.document))),
        ),
    )


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """The file's text, and what is odd about the file. A byte order mark of an editor's is no part of it."""
    try:
        descriptor = open_regular(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(LARGEST + 1)
            warnings = tuple(f"{path}: {text}" for text in oddities(os.fstat(descriptor)))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{_instead(path)}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{shown(str(path))}: cannot be read: {error}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: is larger than {LARGEST // 1024} KiB, which no configuration is")
    try:
        return content.decode("utf-8-sig"), warnings
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text: byte 0x{content[error.start]:02x}") from error


def _parse(path: Path, text: str) -> tuple[dict[str, Any], Lines]:
    long_key = _LONG_KEY.search(text)
    if long_key is not None:
        line = text.count("\n", 0, long_key.start()) + 1
        raise ConfigError(f"{path}:{line}: not a configuration: more than {_MOST_PARTS} keys joined by dots")
    try:
        raw, lines = tomllib.loads(text), Lines(text)
    except RecursionError as error:
        raise ConfigError(f"{path}:1: not a configuration: brackets are nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and int() for a number of thousands of digits
        raise ConfigError(_syntax_problem(path, text, str(error))) from error
    if not raw:
        raise ConfigError(f"{path}:1: is empty: group, [eni] and [[member]] are required")
    return raw, lines


def _syntax_problem(path: Path, text: str, message: str) -> str:
    place = _LINE_IN_MESSAGE.search(message)
    said = _LINE_IN_MESSAGE.sub("", message)
    if place is None:
        return f"{path}:1: not valid TOML: {said}"
    if place[1] is None:
        return f"{path}:{text.rstrip().count(chr(10)) + 1}: not valid TOML: {said} at the end of the file"
    return f"{path}:{place[1]}: not valid TOML: {said}, column {place[2]}"


def _rendered(path: Path, lines: Lines, mistakes: Iterable[Mistake]) -> tuple[str, ...]:
    found = sorted((lines.line_of(one.key), dotted(one.key), one.text) for one in mistakes)
    return tuple(f"{path}:{line}: {key}: {text}" for line, key, text in found)


def _level(env: Mapping[str, str]) -> tuple[LogLevel | None, tuple[str, ...]]:
    """The level that the environment asks for, and the problem with it. An empty variable is none."""
    written = env.get(LOG_LEVEL_VARIABLE, "")
    if not written:
        return None, ()
    try:
        return choices.one_of(LogLevel)(written), ()
    except ValueError as error:
        return None, (f"{LOG_LEVEL_VARIABLE}: {error}",)
