"""Every command on terminals and files that cannot take what it prints."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path

import pytest

from eni_failover.__main__ import main
from eni_failover.core.model import History, PauseKind, PauseRecord
from eni_failover.history import Journal
from tests.cli.test_app import COMMANDS
from tests.cli.test_history import Moment, took_over

ODD = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{RIGHTWARDS ARROW} \u540d \x1b[31m"
WRITTEN = ODD[:8]
PROGRAM = str(Path(sys.executable).with_name("eni-failover"))
# Each shows what somebody has written; most of them from a daemon.
ASKING = [
    ["status"],
    ["status", "--json"],
    ["history"],
    ["history", "--json"],
    ["check", "--offline"],
    ["check", "--offline", "--json"],
    ["pause", "--local", "--reason", WRITTEN],
    ["resume", "--local"],
    ["reload"],
    ["takeover", "--yes", "--no-wait", "--reason", WRITTEN],
    ["policy"],
]

# By each way of writing: a table, plain lines, typer's help, argparse's.
SOME = [["status"], ["check", "--offline"], ["--help"], ["run", "--help"]]


@pytest.fixture
def odd(daemon, desk, standby, member):
    """A group in which everything that people write has letters of theirs."""
    probe = replace(standby().probes[0], detail=ODD)
    pause = PauseRecord(kind=PauseKind.PAUSE, at=1.0, until=2e9, reason=WRITTEN, by=WRITTEN)
    desk.script = [standby(probes=(probe,), pause=pause, paused=True)]
    desk.pause_record = pause
    journal = Journal(member.state, group="orders", instance_id="i-0bbbbbbbbbbbbbbb2")
    journal.lock()
    line: History = replace(took_over(1), detail=ODD)
    asyncio.run(journal.record(line, Moment(now=1.0, wall=1_700_000_010.0)))
    journal.close()
    text = member.config.read_text()
    member.config.write_text(f"# {WRITTEN}\n{text}")
    return member


def printed(encoding: str, *words: str) -> tuple[int, str, str]:
    """The exit status and what is written to streams of this encoding, which refuse other characters."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = end.code
        out.flush()
        err.flush()
    written = "utf-8" if encoding == "ascii" else encoding
    return int(code or 0), out.buffer.getvalue().decode(written), err.buffer.getvalue().decode(written)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_terminal_without_the_letters(odd, desk, encoding, words):
    """What cannot be shown is a question mark; exit status and everything else are as they are elsewhere."""
    desk.problems = (ODD,)
    place = ["--config", str(odd.config)]
    code, out, err = printed("utf-8", *words, *place)
    replaced = lambda text: text.encode(encoding, "replace").decode(encoding)  # noqa: E731

    assert printed(encoding, *words, *place) == (code, replaced(out), replaced(err))
    assert "Traceback" not in err
    if "--json" in words:
        for line in out.splitlines():
            json.loads(line)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_an_ascii_terminal(odd, words):
    """Typer takes a terminal that calls itself ASCII for one of UTF-8, as most are: nothing is lost."""
    place = ["--config", str(odd.config)]

    assert printed("ascii", *words, *place) == printed("utf-8", *words, *place)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_on_an_ascii_terminal(words):
    """Help is plain text."""
    code, out, err = printed("ascii", *words)

    assert (code, err) == (0, "")
    assert out


def test_json_of_a_daemon_of_another_version_stays_json(odd, monkeypatch):
    """Letters that it sends as they are come out as escapes, and none is lost."""
    document = {"group": ODD}
    text = json.dumps(document, ensure_ascii=False)
    answer = type("Answer", (), {"text": text, "document": document})
    monkeypatch.setattr("eni_failover.client.Client.status", lambda _: answer)

    code, out, _ = printed("latin-1", "status", "--json", "--config", str(odd.config))

    assert (code, json.loads(out)) == (0, document)


def test_a_path_that_is_no_text():
    """The bytes of a file's name are whatever somebody made of them."""
    done = subprocess.run(
        [PROGRAM, "check", "--offline", "--config", b"/caf\xe9.toml"],
        capture_output=True,
        check=False,
        timeout=20,
    )

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"cannot be read" in done.stderr


SURROUNDINGS = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "dumb": {"TERM": "dumb", "LC_ALL": "C.UTF-8"},
    "no colour": {"NO_COLOR": "1", "LC_ALL": "C.UTF-8"},
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_narrow_terminal(odd, name):
    """20 columns of a real terminal: folded, whole words of it still there, and no traceback."""
    env = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES", "LC_ALL"}}
    command = [PROGRAM, "status", "--config", str(odd.config)]
    code, screen = on_terminal(command, {**env, "TERM": "xterm", **SURROUNDINGS[name]}, columns=20)

    assert (code, b"Traceback" in screen) == (0, False)
    assert b"orders" in screen


def on_terminal(command, env, *, columns):
    """The exit status and what the command writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 65536):
                said += chunk
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        return process.wait(20), said


@pytest.mark.parametrize("words", [*SOME, ["status", "--json"], ["reload"], ["policy"]], ids=" ".join)
def test_a_full_disk(odd, words):
    """One line that says so, and 1: not a success whose output is nowhere."""
    place = [] if words[-1] in {"--help", "--version"} else ["--config", str(odd.config)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, *words, *place],
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=20,
        )

    assert done.stderr.splitlines()[-1:] == ["eni-failover: standard output: No space left on device"]
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("words", SOME, ids=" ".join)
@pytest.mark.parametrize("closing", [">&- 2>&-", "2>&-", "| :"])
def test_closed_streams(odd, words, closing):
    """No traceback where standard output or error are closed, or nobody reads them."""
    place = [] if words[-1] == "--help" else ["--config", str(odd.config)]
    command = ["sh", "-c", f'"$@" {closing}', "sh", PROGRAM, *words, *place]
    done = subprocess.run(command, capture_output=True, check=False, timeout=20)

    assert b"Traceback" not in done.stdout + done.stderr
