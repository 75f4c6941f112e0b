"""The programs of hooks and exec probes: whether each is there and can be run.

Owns the look, which is blocking, so it belongs in a thread, and its verdict. Runs nothing. What depends on
whose rights and PATH are asked about is no more than a doubt: the daemon may have others than this process.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from eni_failover.adapters.probes.spec import PLACEHOLDER, ExecSettings
from eni_failover.config import Config
from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Facts, Missed, ProgramFact
from eni_failover.preflight.verdicts import failed, passed, unknown, warned
from eni_failover.programs import PATH

_HOOKS = ("on_active", "on_standby", "on_fault", "notify")
_HEAD = 256  # what the kernel reads of a file to see how to run it (BINPRM_BUF_SIZE)


def look(config: Config) -> tuple[ProgramFact, ...]:
    """What there is to say about each program that the file names; a name with a placeholder is left out."""
    return tuple(
        _fact(what, program) for what, program in _named(config) if PLACEHOLDER.search(program) is None
    )


def programs(facts: Facts) -> Check:
    """Every hook and exec probe can be started."""
    found = facts.host.programs
    if isinstance(found, Missed):
        return unknown("programs", found)
    wrong = certain_problems(found)
    if wrong:
        return failed("programs", ", ".join(wrong), "install it, or correct the path, on this member")
    doubts = [_said(fact) for fact in found if fact.problem]
    if doubts:
        return warned("programs", ", ".join(doubts), "check as the service's user, and write absolute paths")
    return passed("programs", ", ".join(dict.fromkeys(fact.program for fact in found)))


def certain_problems(found: Iterable[ProgramFact]) -> list[str]:
    """What is wrong with programs whoever would start them, a line each."""
    return [_said(fact) for fact in found if fact.problem and fact.is_certain]


def _said(fact: ProgramFact) -> str:
    return f"{fact.what}: {fact.program} {fact.problem}"


def _named(config: Config) -> Iterator[tuple[str, str]]:
    for probe in config.probes:
        if isinstance(probe.settings, ExecSettings):
            yield f"probe {probe.policy.name}", probe.settings.command[0]
    for name in _HOOKS:
        words: tuple[str, ...] = getattr(config.hooks, name)
        if words:
            yield name, words[0]


def _fact(what: str, program: str) -> ProgramFact:
    problem, is_certain = _problem(program)
    return ProgramFact(what=what, program=program, problem=problem, is_certain=is_certain)


def _problem(program: str) -> tuple[str, bool]:
    if "/" in program:
        return _file_problem(Path(program))
    found = shutil.which(program, path=PATH)
    if found is not None:
        return _file_problem(Path(found))
    elsewhere = shutil.which(program)
    return (f"is not in {PATH}", True) if elsewhere is None else (f"is in {elsewhere} only", False)


def _file_problem(path: Path) -> tuple[str, bool]:
    try:
        mode = path.stat().st_mode
        is_mounted_noexec = bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    except FileNotFoundError:
        return "does not exist", True
    except OSError as error:
        return f"cannot be seen: {error.strerror}", False
    if not stat.S_ISREG(mode):
        return "is not a file", True
    if not mode & 0o111:
        return "is not executable", True
    if is_mounted_noexec:
        return "is on a file system mounted noexec", True
    return (
        _interpreter_problem(path) if os.access(path, os.X_OK) else ("is not executable for this user", False)
    )


def _interpreter_problem(path: Path) -> tuple[str, bool]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:  # a program need not be readable
        return "", True
    if not head.startswith(b"#!"):
        return ("", True) if head.startswith(b"\x7fELF") else ("is no program, and has no #! line", False)
    line = head[2:].partition(b"\n")[0]
    if line.endswith(b"\r"):
        return "has line ends of Windows, which end its interpreter's name", True
    interpreter = os.fsdecode(line.split()[0]) if line.split() else ""
    if not interpreter:
        return "asks for an interpreter, but names none", True
    if not Path(interpreter).exists():
        return f"asks for the interpreter {interpreter}, which does not exist", True
    return "", True
