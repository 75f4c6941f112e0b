"""The programs of hooks and exec probes, looked at as files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from eni_failover.preflight import commands
from eni_failover.preflight.facts import Missed, ProgramFact
from tests.preflight.builders import FILE, config, facts, said


def looked_at(program, *, hook=False):
    """What is said about this program, of a hook or of an exec probe."""
    words = json.dumps([str(program), "-x"])
    table = f"[hooks]\non_fault = {words}\n"
    if not hook:
        table = f'[[probe]]\nname = "own"\ntype = "exec"\nscope = "self"\ncommand = {words}\n'
    file = config(FILE + table)
    return said(commands.programs(facts(file, of_host={"programs": commands.look(file)})))


@pytest.fixture
def script(tmp_path):
    """Writes a file and gives its path."""

    def make(content: bytes, mode: int = 0o755):
        path = tmp_path / "check"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return make


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"#! /bin/sh -e\nexit\n", b"\x7fELF", b"#!/bin/sh"])
def test_a_program_that_can_be_run_passes(script, content):
    """Found by its path, with an interpreter that is there."""
    path = script(content)

    assert looked_at(path) == ("pass", str(path))


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (b"#!/bin/sh\n", 0o644, "is not executable"),
        (b"#!/bin/sh\r\n", 0o755, "has line ends of Windows, which end its interpreter's name"),
        (b"#!/none/sh\n", 0o755, "asks for the interpreter /none/sh, which does not exist"),
        (b"#!\n", 0o755, "asks for an interpreter, but names none"),
    ],
)
def test_a_program_that_cannot_be_run_fails(script, content, mode, problem):
    """For a hook as for a probe."""
    path = script(content, mode)

    assert looked_at(path) == ("fail", f"probe own: {path} {problem}")
    assert looked_at(path, hook=True) == ("fail", f"on_fault: {path} {problem}")


def test_what_is_not_there_or_no_file_fails(tmp_path):
    """A missing program, and a directory."""
    assert looked_at(tmp_path / "none") == ("fail", f"probe own: {tmp_path}/none does not exist")
    assert looked_at(tmp_path) == ("fail", f"probe own: {tmp_path} is not a file")


def test_what_the_kernel_may_know_how_to_run_is_a_doubt(script):
    """Neither ELF nor #!: only binfmt_misc could say."""
    path = script(b"exit 0\n")

    assert looked_at(path) == ("warn", f"probe own: {path} is no program, and has no #! line")


def test_a_name_is_looked_for_where_the_service_would(tmp_path, monkeypatch, script):
    """In the PATH of a service: this user's may be another."""
    name = script(b"#!/bin/sh\n").name
    before = looked_at(name)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert looked_at("sh") == ("pass", "sh")
    assert before[0] == "fail"
    assert looked_at(name) == ("warn", f"probe own: check is in {tmp_path}/check only")


def test_a_program_whose_name_has_a_placeholder_is_another_for_each_member():
    """It is not looked for."""
    assert looked_at("/opt/{member}/check") == ("pass", "")


def test_a_directory_that_is_closed_to_this_user_is_a_doubt(monkeypatch, script):
    """The daemon's user may well see into it."""
    path = script(b"#!/bin/sh\n")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.statvfs", refused)

    assert looked_at(path) == ("warn", f"probe own: {path} cannot be seen: Permission denied")


def test_a_file_system_that_hangs_is_unknown():
    """Neither good nor bad."""
    why = Missed(why="a file system did not answer within 5 s")

    assert said(commands.programs(facts(of_host={"programs": why})))[0] == "warn"


def test_what_is_certain_goes_before_a_doubt():
    """One fails the check, the other is not said before that is put right."""
    certain = ProgramFact(what="on_active", program="/x", problem="is odd")
    doubt = replace(certain, what="notify", is_certain=False)
    check = commands.programs(facts(of_host={"programs": (doubt, certain)}))

    assert said(check) == ("fail", "on_active: /x is odd")
