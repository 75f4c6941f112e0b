"""The program as a whole: its mistakes, its help, its exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eni_failover import __version__
from eni_failover.exitcodes import ExitCode

COMMANDS = [
    "run",
    "reload",
    "check",
    "status",
    "takeover",
    "pause",
    "resume",
    "history",
    "policy",
    "init",
    "drill",
    "lab",
    "demo",
]


def test_version(run):
    """--version prints the program's name and version."""
    result = run("--version")

    assert (0, f"eni-failover {__version__}\n", "") == (result.code, result.out, result.err)


def test_help_lists_the_commands(run):
    """The help lists every command of this version once, in the order of the contract, and no other."""
    result = run("--help")
    listed = result.out.partition("Commands:\n")[2].split("\n\n")[0].splitlines()

    assert result.code == 0
    assert [line.split()[0] for line in listed] == COMMANDS


def test_no_command_lists_them(run):
    """The help, on standard error, and 2: a script that has lost its command has not succeeded."""
    result, asked = run(), run("--help")

    assert (result.code, result.out, result.err) == (2, "", asked.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_the_status_of_a_mistake(run, command):
    """2 is in each command's list: every command has options that can be wrong."""
    listed = " ".join(run(command, "--help").out.lower().partition("exit status:")[2].split())

    assert re.search(r"\b2 (bad configuration|refused with the errors|a wrong option|or this)", listed), (
        listed
    )


@pytest.mark.parametrize(
    "command", ["check", "check --offline", "status", "status --watch", "history", "drill"]
)
def test_json_of_a_bad_file(run, member, command):
    """A program reads on standard output what is wrong; the lines for people are the same."""
    member.config.write_text("group = 3\n")
    result = run(*command.split(), "--json", "--config", member.config)
    document = json.loads(result.out)

    assert (result.code, document["result"]) == (2, "fail")
    assert [f"eni-failover: {line}" for line in document["errors"]] == result.err.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(run, command):
    """Every command's help shows how it is used and what its exit status means."""
    result = run(command, "--help")

    assert (result.code, result.err) == (0, "")
    assert f"eni-failover {command}" in result.out.lower().partition("examples:")[2]
    assert "exit status: 0" in result.out.lower()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["stat"], "No such command 'stat'. Did you mean 'status'? (see 'eni-failover --help')"),
        (["status", "--jso"], "No such option: --jso (Possible options: --json)"),
        (["history", "-n", "0"], "Invalid value for '-n'"),
        (["history", "-n", "many"], "Invalid value for '-n'"),
        (["takeover", "--timeout", "12"], 'write the unit: "12s" for seconds'),
        (
            ["takeover", "--timeout", "2h"],
            "must be 1h or shorter, not 2h (see 'eni-failover takeover --help')",
        ),
        (["pause", "--for", "0s"], "must be longer than zero"),
        (["lab", "--api", "-1s"], "a duration is not negative"),
        (["status", "extra"], "unexpected extra argument"),
        (["status", "--is-active", "--json"], "leave out --json and --watch"),
        (["run", "--wrong"], "unrecognized arguments: --wrong (see 'eni-failover run --help')"),
        (["run", "--mem", "alpha"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, line):
    """A mistake on the command line is exit 2 and one line that says where help is."""
    result = run(*arguments)

    assert (result.code, result.out) == (2, "")
    assert line in result.err
    assert result.err.count("\n") == 1
    assert result.err.startswith("eni-failover")


def test_config_and_group_contradict(run, member):
    """--config and --group together are refused: both name the file."""
    result = run("status", "--config", member.config, "--group", "orders")

    assert result.code == 2
    assert result.err == "eni-failover: --config and --group both name the file: give one of them\n"


def test_a_missing_file_is_one_line(run, tmp_path):
    """A file that is not there is exit 2 with its path, not a traceback."""
    result = run("status", "--config", tmp_path / "no.toml")

    assert result.code == 2
    assert f"eni-failover: {tmp_path}/no.toml: cannot be read: No such file or directory\n" == result.err


def test_the_group_names_the_file(run):
    """--group NAME means /etc/eni-failover/NAME.toml."""
    result = run("check", "--offline", "--group", "no-such-group")

    assert result.code == 2
    assert "/etc/eni-failover/no-such-group.toml" in result.err


def test_the_environment_names_the_file(run, member, monkeypatch):
    """ENI_FAILOVER_CONFIG names the file where no option does."""
    monkeypatch.setenv("ENI_FAILOVER_CONFIG", str(member.config))
    result = run("check", "--offline")

    assert result.code == 0


def test_no_daemon_is_3(run, member):
    """Every client command says in one line that no daemon answers, exit 3."""
    for command in ("status", "takeover", "pause", "resume", "reload"):
        result = run(command, "--config", member.config)

        assert result.code == ExitCode.UNREACHABLE
        assert (
            f"eni-failover: no daemon answers at {member.socket}: is it running on this host?\n" == result.err
        )


def test_completion_proposes_commands():
    """The shell is offered the commands that begin as typed."""
    env = {
        **os.environ,
        "_ENI_FAILOVER_COMPLETE": "complete_bash",
        "COMP_WORDS": "eni-failover re",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([_program()], env=env, capture_output=True, text=True, check=False)

    assert sorted(done.stdout.split()) == ["reload", "resume"]


def test_completion_can_be_shown():
    """--show-completion prints a script for the shell that calls it."""
    bash = subprocess.run(
        ["bash", "-c", f"{_program()} --show-completion; true"], capture_output=True, text=True, check=False
    )

    assert "_ENI_FAILOVER_COMPLETE=complete_bash" in bash.stdout


def test_a_closed_pipe_is_no_traceback(member):
    """A reader that goes away ends the program without a word on standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [_program(), "check", "--offline", "--config", str(member.config)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert done.stderr == ""


def test_a_full_disk_is_one_line(member):
    """Standard output that cannot be written: the reason on standard error, and 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [_program(), "check", "--offline", "--config", str(member.config)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.stderr == "eni-failover: standard output: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["check --offline", "status"])
def test_a_closed_standard_output_changes_nothing_else(daemon, member, command):
    """Started with standard output closed, as by a cron job: no traceback, the same exit status."""
    line = f'"{_program()}" {command} --config "{member.config}" >&- <&-'
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("no_color", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honoured(daemon, member, no_color, coloured):
    """A terminal gets colours, and none with NO_COLOR."""
    env = {**os.environ, "TERM": "xterm-256color", **no_color}
    if not no_color:
        env.pop("NO_COLOR", None)
    screen = _on_terminal([_program(), "status", "--config", str(member.config)], env)

    assert coloured == ("\x1b[32m" in screen)
    assert "alpha" in screen


def _on_terminal(command: list[str], env: dict[str, str]) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, env=env)
    os.close(theirs)
    said = b""
    while chunk := _read(ours):
        said += chunk
    os.close(ours)
    process.wait(20)
    return said.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


def _program() -> str:
    return str(Path(sys.executable).with_name("eni-failover"))
