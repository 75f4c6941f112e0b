"""The exec probe with real programs."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ExecSettings, Target
from eni_failover.core.words import Answer
from tests.adapters.probes.servers import LOCAL

UP = ProbeResult(answer=Answer.UP, answered=True, detail="exit 0")
DOWN = ProbeResult(answer=Answer.DOWN, answered=True, detail="exit 1")


def run(*command: str, target: Target = LOCAL) -> ProbeResult:
    async def main():
        probe = ExecProbe(ExecSettings(command=command))
        try:
            return await probe(target)
        finally:
            await probe.close()

    return asyncio.run(main())


def sh(script: str, *arguments: str) -> ProbeResult:
    return run("/bin/sh", "-c", script, "sh", *arguments)


@pytest.mark.parametrize(
    ("code", "answer", "answered"),
    [
        (0, Answer.UP, True),
        (1, Answer.DOWN, True),
        (2, Answer.DOWN, True),
        (3, Answer.UNKNOWN, False),
        (4, Answer.DOWN, True),
        (127, Answer.DOWN, True),
        (255, Answer.DOWN, True),
    ],
)
def test_the_exit_status_is_the_answer(code, answer, answered):
    """0 is up, 3 unknown, all else down, and a word about the target."""
    assert ProbeResult(answer=answer, answered=answered, detail=f"exit {code}") == sh(f"exit {code}")


def test_a_program_killed_by_a_signal_is_down():
    """Not an exit of its own, so no sign of life of the target either."""
    expected = ProbeResult(answer=Answer.DOWN, answered=False, detail="killed by signal 9")

    assert expected == sh("kill -9 $$")


def test_a_program_that_cannot_be_started_is_unknown(tmp_path):
    """Missing, not executable, not a program: this host's own trouble."""
    plain, broken = tmp_path / "plain", tmp_path / "broken"
    plain.write_text("#!/bin/sh\nexit 1\n")
    broken.write_bytes(b"\x7fnothing")
    broken.chmod(0o755)
    details = {
        run(str(path)).detail: run(str(path)).answer
        for path in (tmp_path / "missing", plain, broken, tmp_path)
    }

    assert details == {
        "not started: No such file or directory": Answer.UNKNOWN,
        "not started: Permission denied": Answer.UNKNOWN,
        "not started: Exec format error": Answer.UNKNOWN,
    }


def test_placeholders_are_filled_and_no_shell_looks_at_them():
    """Each word is a template, and stays one word."""
    odd = Target(member="a b; exit 7", address="10.0.1.11", instance_id="i-0aaaaaaaaaaaaaaa1")
    script = '[ "$1" = "10.0.1.11" ] && [ "$2" = "a b; exit 7" ] && [ "$3" = "id=i-0aaaaaaaaaaaaaaa1" ]'
    words = ("{address}", "{member}", "id={instance_id}")

    assert run("/bin/sh", "-c", script, "sh", *words, target=odd) == UP


def test_input_is_empty_and_output_goes_nowhere():
    """A program that reads ends at once, and 20 MB of output on both streams block nobody."""
    script = "cat; head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2"
    read, write = os.pipe()
    mine = os.dup(0)
    os.dup2(read, 0)  # an input of ours that never ends
    try:
        result = sh(script)
    finally:
        os.dup2(mine, 0)
        for descriptor in (read, write, mine):
            os.close(descriptor)

    assert result == UP


def test_credentials_and_the_notification_socket_stay_here(monkeypatch):
    """The program gets the environment, without what could speak in the daemon's name."""
    secrets = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "NOTIFY_SOCKET")
    for name in secrets:
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert sh("env | grep -E '^(AWS_[A-Z_]*(KEY|TOKEN)|NOTIFY_SOCKET)' > /dev/null") == DOWN
    assert sh('[ "$AWS_REGION" = eu-west-1 ]') == UP


def living(group: int) -> list[str]:
    """The processes of this group that run: a zombie, which nobody has reaped yet, does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(its_group) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path):
    """Cancelled, nothing of the program's process group is left, and the program is reaped."""
    started = tmp_path / "started"
    os.mkfifo(started)
    # The child deaf to SIGTERM shows that the group is not asked politely.
    script = "(trap '' TERM HUP; sleep 1000) & echo $$ > $1; sleep 1000"

    async def main():
        probe = ExecProbe(ExecSettings(command=("/bin/sh", "-c", script, "sh", str(started))))
        attempt = asyncio.create_task(probe(LOCAL))
        group = int(await asyncio.to_thread(started.read_text))
        before = living(group)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        async with asyncio.timeout(10):
            while living(group):  # noqa: ASYNC110 - the kernel ends them, and tells nobody here
                await asyncio.sleep(0.001)
        return len(before), group

    before, group = asyncio.run(main())

    assert before >= 2  # the shell and its child
    assert not Path(f"/proc/{group}").exists()


def test_a_timeout_ends_the_program_before_the_attempt_ends():
    """The deadline's TimeoutError comes out of an attempt whose program is gone already."""

    async def main():
        probe = ExecProbe(ExecSettings(command=("/bin/sleep", "1000")))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await probe(LOCAL)

    asyncio.run(main())
    with pytest.raises(ChildProcessError):  # no child is left to wait for
        os.waitpid(-1, os.WNOHANG)


def test_a_program_that_cannot_be_watched_is_ended_and_unknown(monkeypatch):
    """The last descriptor went while it started: killed, reaped, and no word about the target."""

    def exhausted(pid):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", exhausted)
    result = run("/bin/sleep", "1000")
    detail = "not started: Too many open files"

    assert ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail) == result
    with pytest.raises(ChildProcessError):  # no child is left to wait for
        os.waitpid(-1, os.WNOHANG)


def test_what_a_program_leaves_in_the_background_does_not_delay_its_answer():
    """The answer is the program's own exit; a child that holds its output open changes nothing."""
    script = "sleep 1000 & echo $! > $1; exit 0"

    async def main(file):
        probe = ExecProbe(ExecSettings(command=("/bin/sh", "-c", script, "sh", str(file))))
        return await probe(LOCAL)

    read, write = os.pipe()
    try:
        result = asyncio.run(main(f"/proc/{os.getpid()}/fd/{write}"))
        os.kill(int(os.read(read, 100)), 9)
    finally:
        os.close(read)
        os.close(write)

    assert result == UP
