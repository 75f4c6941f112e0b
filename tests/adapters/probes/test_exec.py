"""The exec probe with real programs."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from eni_failover import programs
from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ExecSettings, Target
from eni_failover.core.vocabulary import Answer
from tests.adapters.probes.servers import LOCAL

TOO_LONG = "not started: Argument list too long"
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
        (126, Answer.UNKNOWN, False),
        (127, Answer.UNKNOWN, False),
        (128, Answer.DOWN, True),
        (255, Answer.DOWN, True),
    ],
)
def test_the_exit_status_is_the_answer(code, answer, answered):
    """0 is up; 3, and a shell's 126 and 127, unknown; all else down, and a word about the target."""
    assert ProbeResult(answer=answer, answered=answered, detail=f"exit {code}") == sh(f"exit {code}")


@pytest.mark.parametrize("number", [9, 11, 15])
def test_a_program_killed_by_a_signal_is_unknown(number):
    """The kernel's OOM killer says nothing about the target, whatever the program had printed."""
    detail = f"killed by signal {number}"
    expected = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)

    assert expected == sh(f"echo checking; kill -{number} $$")


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("echo first; echo '3 of 4 disks are there'; exit 1", "3 of 4 disks are there"),
        ("echo out; echo why >&2; exit 1", "why"),
        ("printf 'no end of line'; exit 1", "no end of line"),
        ("printf 'last\\n\\n  \\n'; exit 1", "last"),
        ("printf 'a\\tb\\rc\\n'; exit 1", "a b c"),
        ("printf '\\033[31mred\\033[0m \\007bell'; exit 1", "red \N{REPLACEMENT CHARACTER}bell"),
        ("printf 'caf\\351'; exit 1", "caf\N{REPLACEMENT CHARACTER}"),
        ("printf 'caf\\303\\251'; exit 1", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("echo; exit 1", "exit 1"),
        ("head -c 300000 /dev/zero | tr '\\0' x; exit 1", "x" * 197 + "..."),
        ("no-such-program; exit 1", "sh: 1: no-such-program: not found"),
    ],
)
def test_the_last_line_of_output_is_the_detail(script, detail):
    """Of both streams, one printable line of bounded length; without any, the exit status."""
    assert ProbeResult(answer=Answer.DOWN, answered=True, detail=detail) == sh(script)


def test_words_that_no_program_can_be_given_are_unknown():
    """NUL, and characters that the locale of this process has not."""
    expected = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="not started: ValueError")

    assert expected == run("/bin/true", "a\0b")
    assert run("/bin/true", "\ud800").detail == "not started: UnicodeEncodeError"


def test_more_words_than_a_program_can_be_given_are_unknown():
    """E2BIG is this host's own limit."""
    expected = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=TOO_LONG)

    assert expected == run("/bin/true", "x" * 3_000_000)


def test_a_process_that_cannot_be_had_is_unknown(monkeypatch):
    """No memory for it, or at the limit of processes: nothing was asked."""
    for code in (errno.ENOMEM, errno.EAGAIN):

        def refused(*_, code=code, **__):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(programs, "Popen", refused)
        detail = f"not started: {os.strerror(code)}"

        assert ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail) == run("/bin/true")


def test_a_thread_that_cannot_be_had_is_unknown(monkeypatch):
    """Threads count as processes; what Python raises says neither."""

    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    detail = "not started: Resource temporarily unavailable"

    assert ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail) == run("/bin/true")


def test_an_exit_status_that_somebody_else_took_is_unknown():
    """Python's own word for a child that is gone would be 0: up."""
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        result = run("/bin/false")
    finally:
        signal.signal(signal.SIGCHLD, handler)

    assert result.answer is Answer.UNKNOWN
    # Taken before there was a descriptor to watch it by, or after.
    assert result.detail in {"not started: No such process", "not started: No child processes"}


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


def test_input_is_empty_and_output_blocks_nobody():
    """A program that reads ends at once, and so does one that writes 20 MB to both streams."""
    script = "cat; head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; echo; echo exit 0"
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


def test_it_gets_the_environment_of_a_hook_and_no_more(monkeypatch):
    """No credential, no proxy's password, no socket of systemd's: what a shell needs, and nothing else."""
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"),
        *("HTTPS_PROXY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "INVOCATION_ID"),
        *("CREDENTIALS_DIRECTORY", "LD_PRELOAD_X", "PYTHONPATH", "ENI_FAILOVER_CONFIG"),
    ):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("HOME", "/var/lib/eni-failover")
    monkeypatch.delenv("PATH")
    script = "import os; print(*sorted(os.environ), os.environ['HOME'], os.environ['PATH'], os.getcwd())"
    names, _, rest = run(sys.executable, "-I", "-c", script).detail.partition(" /")

    assert set(names.split()) <= {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
    }
    assert rest == "var/lib/eni-failover /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /"


def test_it_inherits_no_descriptor():
    """Not one that the daemon forgot to close on exec either."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        result = sh("echo $(ls /proc/self/fd)")
    finally:
        os.close(read)
        os.close(write)

    assert result.detail == "0 1 2 3"  # the last is what `ls` reads


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


def test_a_timeout_ends_the_program_before_the_attempt_ends(tmp_path):
    """The deadline's TimeoutError comes out of an attempt whose program is gone already."""
    started = tmp_path / "started"
    os.mkfifo(started)

    async def main():
        loop = asyncio.get_running_loop()
        script = "echo > $1; exec sleep 1000"
        probe = ExecProbe(ExecSettings(command=("/bin/sh", "-c", script, "sh", str(started))))

        async def expire(deadline):
            await asyncio.to_thread(started.read_text)
            while probe.unsent:  # noqa: ASYNC110 - the program runs a moment before this process knows it
                await asyncio.sleep(0.001)
            deadline.reschedule(loop.time())

        async def attempt():
            async with asyncio.timeout(30) as deadline, asyncio.TaskGroup() as group:
                group.create_task(expire(deadline))
                await probe(LOCAL)

        with pytest.raises(TimeoutError):
            await attempt()

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
