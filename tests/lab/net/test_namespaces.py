"""A creator that was killed leaves a mess; the next one sweeps it, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eni_failover.lab.net.namespaces import Namespace, own_name, sweep
from tests.lab.net.guests import eventually, needs_net

pytestmark = [pytest.mark.root, needs_net]

CREATOR = """
import signal, subprocess, sys
from eni_failover.lab.net import NetWorld
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored
with NetWorld(ipv6=True) as net:
    net.spawn("alpha", ["sh", "-c", "setsid sleep 300 & echo $!; wait"], user="nobody", stdout=sys.stdout)
    sys.stdin.read()
"""


def names_of(pid: int) -> list[Path]:
    return sorted(Path("/run/netns").glob(f"enif-{pid}-*"))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def creator() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a net world, and the id of a process inside that does not end with it."""
    with subprocess.Popen(
        [sys.executable, "-c", CREATOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, int(process.stdout.readline())
        process.kill()
    sweep()


def test_what_a_killed_creator_left_is_swept(creator):
    """Its namespaces are removed, and the processes inside are killed."""
    process, orphan = creator
    process.kill()
    process.wait(10)
    left = len(names_of(process.pid)), is_alive(orphan)
    sweep()

    assert left == (7, True)
    assert (names_of(process.pid), is_alive(orphan)) == ([], False)


def test_a_creator_that_nobody_has_waited_for_is_dead(creator):
    """A zombie still has its process id, but it will not clean up."""
    process, _ = creator
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(process.pid))
    sweep()

    assert names_of(process.pid) == []


def test_what_a_living_creator_has_is_left_alone(creator):
    """Several net worlds may run beside each other."""
    process, orphan = creator
    sweep()

    assert (len(names_of(process.pid)), is_alive(orphan)) == (7, True)


def test_an_interrupted_creator_cleans_up_by_itself(creator):
    """Ctrl-C is an ordinary end."""
    process, orphan = creator
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    process.wait(20)

    assert (names_of(process.pid), is_alive(orphan)) == ([], False)


def test_other_peoples_namespaces_are_left_alone():
    """The sweep goes by the form of the name."""
    others = [Namespace(name) for name in ("other-999999999-0-x", "enif-x-0-alpha", "enif-999999999")]
    try:
        for namespace in others:
            namespace.create()
        sweep()

        assert [namespace.path.exists() for namespace in others] == [True] * 3
    finally:
        for namespace in others:
            namespace.remove()


def test_a_name_that_is_taken_is_an_error():
    """Two hosts never share a namespace by mistake."""
    namespace = Namespace(own_name(9999, "twice"))
    namespace.create()
    try:
        with pytest.raises(FileExistsError):
            namespace.create()
    finally:
        namespace.remove()


def test_removing_what_is_gone_is_well():
    """Two sweeps at once may find the same namespace."""
    namespace = Namespace(own_name(9999, "gone"))
    namespace.create()
    namespace.remove()
    namespace.remove()

    assert not namespace.path.exists()
