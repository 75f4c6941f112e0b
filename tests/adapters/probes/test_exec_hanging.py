"""The exec probe with a program on a file system that hangs: the kernel waits for another process's word."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

import pytest

from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.spec import ExecSettings
from eni_failover.core.vocabulary import Answer
from tests.adapters.probes.servers import LOCAL

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: programs whose start hangs are not tested"),
]

# Until this process ends, execve(2) of the file waits (fanotify(7), FAN_OPEN_EXEC_PERM). It ends by itself:
# a probe that waits for the kernel fails the test and does not stop it.
HANG = """
import ctypes, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
descriptor = libc.fanotify_init(0x4, os.O_RDONLY)
file = os.fsencode(sys.argv[1])
if descriptor < 0 or libc.fanotify_mark(descriptor, 0x1, ctypes.c_uint64(0x40000), -100, file) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("ready", flush=True)
select.select([descriptor], [], [], 20)
print("hanging", flush=True)
select.select([0], [], [], 20)
"""


def test_a_start_that_hangs_is_unknown_and_stops_nobody_else(tmp_path):
    """The loop goes on, the attempt ends when it is to, and no second start is begun meanwhile."""
    program, ran = tmp_path / "check", tmp_path / "ran"
    shutil.copy(shutil.which("touch"), program)
    probe = ExecProbe(ExecSettings(command=(str(program), str(ran))))

    async def main(hanging):
        loop = asyncio.get_running_loop()
        hangs = asyncio.Event()
        loop.add_reader(hanging.stdout, hangs.set)
        attempt = asyncio.create_task(probe(LOCAL))
        await hangs.wait()  # this loop goes on while the kernel waits
        loop.remove_reader(hanging.stdout)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        cut_short, second = probe.unsent, await probe(LOCAL)
        hanging.stdin.close()
        while (third := await probe(LOCAL)).answer is Answer.UNKNOWN:  # noqa: ASYNC110 - only the kernel knows
            await asyncio.sleep(0.01)
        return cut_short, second, third

    words = [sys.executable, "-c", HANG, str(program)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hanging:
        assert hanging.stdout.readline() == b"ready\n"
        cut_short, second, third = asyncio.run(main(hanging))

    assert cut_short
    assert (second.answer, second.detail) == (Answer.UNKNOWN, "not started: an earlier start hangs")
    assert (third.answer, ran.exists(), probe.unsent) == (Answer.UP, True, "")
