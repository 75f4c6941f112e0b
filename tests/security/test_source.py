"""What the package's own source may not do: no shell, no evaluation of text, no unpickling."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "eni_failover").rglob("*.py"))
UNITS = sorted((ROOT / "deploy").rglob("*.service"))

SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "busybox", "env"}
THROUGH_A_SHELL = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
    "asyncio.subprocess.create_subprocess_shell",
    "pty.spawn",
}
STARTS = {"Popen", "run", "call", "check_call", "check_output"}
EVALUATES = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {"pickle", "marshal", "shelve", "dill", "yaml"}
TEXTS = (ast.Constant, ast.JoinedStr, ast.BinOp)


def findings(source: str) -> list[str]:
    """What in this source is forbidden, with its line."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    return sorted(f"{node.lineno}: {what}" for node in ast.walk(tree) for what in _forbidden(node, names))


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each name that an import makes, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield (
                    one.asname or one.name.partition(".")[0],
                    one.name if one.asname else one.name.partition(".")[0],
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def _forbidden(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (f"import {one}" for one in modules if one.partition(".")[0] in UNPICKLES)
    if isinstance(node, ast.List | ast.Tuple) and node.elts and _is_shell(node.elts[0]):
        yield "an argv of a shell"
    if not isinstance(node, ast.Call):
        return
    called = _full_name(node.func, names)
    if called in THROUGH_A_SHELL or called.startswith(("os.spawn", "commands.")):
        yield called
    if called in EVALUATES:
        yield called
    for keyword in node.keywords:
        if keyword.arg == "shell" and not _is_false(keyword.value):
            yield "shell="
    starts = called.startswith(("subprocess.", "asyncio.")) and called.rpartition(".")[2] in STARTS
    if starts and called.startswith("subprocess.") and node.args and isinstance(node.args[0], TEXTS):
        yield f"{called} of a text"


def _full_name(function: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return ".".join(["?", *reversed(parts)])
    return ".".join([names.get(function.id, function.id), *reversed(parts)])


def _is_shell(word: ast.expr) -> bool:
    return (
        isinstance(word, ast.Constant)
        and str(word.value).rpartition("/")[2] in SHELLS
        and word.value != "env"
    )


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_goes_through_a_shell(path):
    """Programs are started by argv, and no text is ever run as code."""
    assert findings(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import os\nos.system('x')", "os.system"),
        ("from os import popen as p\np(x)", "os.popen"),
        ("import subprocess as s\ns.run(x, shell=True)", "shell="),
        ("from subprocess import Popen\nPopen(argv, shell=flag)", "shell="),
        ("import subprocess\nsubprocess.run('ls -l')", "subprocess.run of a text"),
        ("import subprocess\nsubprocess.check_output(f'ls {x}')", "subprocess.check_output of a text"),
        ("import subprocess\nsubprocess.Popen('a' + b)", "subprocess.Popen of a text"),
        ("from subprocess import getoutput\ngetoutput(x)", "subprocess.getoutput"),
        ("import asyncio\nasyncio.create_subprocess_shell(x)", "asyncio.create_subprocess_shell"),
        ("argv = ['/bin/sh', '-c', x]", "an argv of a shell"),
        ("argv = ('bash', '-c', x)", "an argv of a shell"),
        ("eval(x)", "eval"),
        ("import pickle", "import pickle"),
    ],
)
def test_the_check_finds_what_it_looks_for(source, what):
    """Each forbidden thing by itself is one finding."""
    assert [one.partition(": ")[2] for one in findings(source)] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import subprocess\nsubprocess.Popen(argv)",
        "import asyncio\nasyncio.run(main())",
        "import re\nre.compile('x')",
        "SHELLS = 'sh'",
    ],
)
def test_the_check_leaves_the_rest_alone(source):
    """An argv is no shell, and other modules have functions of the same names."""
    assert findings(source) == []


def test_there_is_something_to_check():
    """The folder is where this test thinks it is."""
    assert len(SOURCES) > 100
    assert UNITS


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_no_unit_starts_a_shell(path):
    """systemd starts the program itself."""
    commands = [line.partition("=")[2] for line in path.read_text().splitlines() if line.startswith("Exec")]
    programs = {command.lstrip("-+!@:").split()[0].rpartition("/")[2] for command in commands}

    assert commands
    assert not programs & SHELLS
