"""The daemon as process 1 of a container: real PID namespaces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: the daemon as process 1 is not tested"),
]

# `run` with a stand-in for the daemon, which the test says.
PROCESS_1 = """
import asyncio, os, signal, subprocess, sys, time, types
from pathlib import Path
import eni_failover
from eni_failover.__main__ import main

def zombies():
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [stat.parent.name] if state == "Z" else []
    return found

def run(*_, **__):
    %s

stand_in = types.ModuleType("eni_failover.daemon")
stand_in.run = run
sys.modules["eni_failover.daemon"] = eni_failover.daemon = stand_in
sys.argv = ["eni-failover", "run", "--config", "/x.toml"]
main()
"""

PROGRAMS = """
    from eni_failover.adapters.probes.exec import ExecProbe
    from eni_failover.adapters.probes.spec import ExecSettings, Target
    from eni_failover.hooks import Hook, HookResult
    from eni_failover.hooks.process import Run

    async def programs():
        pipeline = ("/bin/sh", "-c", "sleep 1000 | sleep 1000")
        target = Target(member="alpha", address="127.0.0.1", instance_id="i-1")
        try:
            async with asyncio.timeout(0.2):
                await ExecProbe(ExecSettings(command=pipeline))(target)
        except TimeoutError:
            print("probe timed out")
        hook = Run()
        await hook.execute(pipeline, {"PATH": "/bin:/usr/bin"}, 0.2)
        print("hook", hook.result)
        # As botocore's credential_process: waited for by this process, and it leaves a child behind.
        done = await asyncio.to_thread(subprocess.run, ["/bin/sh", "-c", "sleep 0.01 & exit 7"])
        print("credential process", done.returncode)
        while zombies():
            await asyncio.sleep(0.01)
        print("no zombies", flush=True)

    asyncio.run(programs())
    return 0
"""


@contextmanager
def process_1(code):
    """A process 1 whose daemon does this. `unshare` is its parent, outside."""
    words = [sys.executable, "-c", PROCESS_1 % code.strip()]
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_programs_leave_no_zombies():
    """What a probe, a hook and a credential_process leave behind is reaped, and nobody's status is taken."""
    with process_1(PROGRAMS) as process:
        out, _ = process.communicate(timeout=20)

    assert out.splitlines() == ["probe timed out", "hook timeout", "credential process 7", "no zombies"]


HANDLERS = """
    numbers = {signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    print("daemon", os.getpid(), flush=True)
    for _ in range(2):
        print(signal.Signals(signal.sigwait(numbers)).name, flush=True)
    return 42
"""


def inside(process):
    """The process 1 that this `unshare` has made, by its pid here."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())


@pytest.mark.parametrize("names", [("SIGHUP", "SIGTERM"), ("SIGUSR1", "SIGINT")])
def test_signals_reach_the_daemon_and_its_exit_status_comes_out(names):
    """The daemon is a child of process 1, which is what an engine signals and whose status it sees."""
    with process_1(HANDLERS) as process:
        assert process.stdout.readline() == "daemon 2\n"
        for name in names:
            os.kill(inside(process), signal.Signals[name])
            assert process.stdout.readline() == f"{name}\n"

        assert process.wait(10) == 42


def test_a_daemon_that_was_killed_ends_the_container():
    """Exit status 137, as a shell says it: a restart policy then starts another one."""
    with process_1("os.kill(os.getpid(), signal.SIGKILL)") as process:
        assert process.wait(10) == 137


def test_without_a_second_process_the_daemon_is_process_1_itself():
    """A limit on processes keeps no daemon from running."""
    refuse = "os.fork = lambda: os.open('/proc/0', os.O_RDONLY); "
    code = PROCESS_1.replace("sys.argv =", refuse + "sys.argv =") % "print(os.getpid()); return 0"
    done = subprocess.run(
        ["unshare", "--pid", "--fork", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr == "eni-failover: orphans stay zombies: fork: No such file or directory\n"
