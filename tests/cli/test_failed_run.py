"""A `run` that does not get as far as serving leaves nothing behind: real processes, beside a lab."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from eni_failover.history import Journal, JournalLockedError
from eni_failover.lab import LabThread, Settings, World, demo_places
from eni_failover.lab.demo import ENI
from eni_failover.lab.world import instance_id_of


class Stage:
    """A member's file, and what a `run` of it finds."""

    def __init__(self, directory, stack: ExitStack) -> None:
        addresses = demo_places.loopback_addresses()
        world = World.pair(addresses=addresses, settings=Settings(latency=0.0))
        ids = {"alpha": instance_id_of(1), "beta": instance_id_of(2)}
        peer, own = demo_places.places(ids, addresses, directory, stack)
        self.own, self.file, self.directory, self.stack = own, own.config, directory, stack
        self.more: list[str] = []
        self.file.write_text(demo_places.config_text(own, peer, eni_id=ENI, interval="200ms"))
        lab = stack.enter_context(LabThread(world))
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.env |= lab.env("beta")

    def replace(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def there(self) -> set[str]:
        """Every file and directory, with the sockets."""
        return {str(path.relative_to(self.directory)) for path in self.directory.rglob("*")}

    def start(self) -> subprocess.Popen[str]:
        return self.stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "eni_failover", "run", "--config", str(self.file), *self.more],
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )


@pytest.fixture
def stage(tmp_path):
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def _another_member(stage: Stage) -> None:
    stage.more = ["--member", "alpha"]


def _no_member(stage: Stage) -> None:
    stage.more = ["--member", "nobody"]


def _port_in_use(stage: Stage) -> None:
    own = stage.own
    stage.stack.enter_context(socket.create_server((own.address, own.port)))


def _no_such_address(stage: Stage) -> None:
    stage.replace(f'listen = "{{address}}:{stage.own.port}"', f'listen = "192.0.2.1:{stage.own.port}"')


def _socket_in_no_directory(stage: Stage) -> None:
    stage.replace(f'socket = "{stage.own.socket_path}"', f'socket = "{stage.directory}/no/such.sock"')


def _a_file_in_the_sockets_place(stage: Stage) -> None:
    stage.own.socket_path.touch()


def _no_region(stage: Stage) -> None:
    """The name of the member comes from the option, and nobody says the region."""
    stage.more = ["--member", "beta"]
    stage.env = {name: value for name, value in stage.env.items() if not name.startswith("AWS_REGION")}
    for name in ("AWS_DEFAULT_REGION", "AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        stage.env.pop(name, None)
    stage.env |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}


def _state_cannot_be_made(stage: Stage) -> None:
    _port_in_use(stage)
    (stage.directory / "file").touch()
    stage.replace(
        f'directory = "{stage.own.directory / stage.own.name}.state"',
        f'directory = "{stage.directory}/file/state"',
    )


def _state_deep_down(stage: Stage) -> None:
    _port_in_use(stage)
    stage.replace(f"{stage.own.directory / stage.own.name}.state", f"{stage.directory}/a/b/c")


def _state_is_there(stage: Stage) -> None:
    """As systemd makes it; only the lock is new."""
    _port_in_use(stage)
    stage.replace(f"{stage.own.directory / stage.own.name}.state", f"{stage.directory}/made")
    (stage.directory / "made").mkdir()


@pytest.mark.parametrize(
    ("arrange", "code", "line"),
    [
        (_another_member, 2, "alpha"),
        (_state_deep_down, 1, "is in use by another program"),
        *(
            pytest.param(*rest, marks=pytest.mark.slow)
            for rest in (
                (_no_member, 2, "nobody"),
                (_port_in_use, 1, "is in use by another program"),
                (_no_such_address, 1, "this host does not have that address"),
                (_socket_in_no_directory, 1, "does not exist"),
                (_a_file_in_the_sockets_place, 1, "exists and is not a socket"),
                (_no_region, 1, "set AWS_REGION"),
                (_state_cannot_be_made, 1, "is in use by another program"),
                (_state_is_there, 1, "is in use by another program"),
            )
        ),
    ],
)
@pytest.mark.timeout(60)
def test_a_failed_start_leaves_nothing(stage, arrange, code, line):
    """Neither socket nor role file, neither lock nor a directory; one line says why."""
    arrange(stage)
    before = stage.there()
    process = stage.start()
    _, err = process.communicate(timeout=50)

    assert (process.returncode, line in err) == (code, True), err
    assert err.count("\n") == 1, err
    assert stage.there() == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_stop_during_the_start_leaves_nothing(stage, number):
    """It waits for who it is, and is told to stop: 0."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stage.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = stage.there()
        process = stage.start()
        silent.accept()[0].close()  # it has asked
        process.send_signal(number)
        _, err = process.communicate(timeout=50)

    assert (process.returncode, err) == (0, "")
    assert stage.there() == before


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_second_daemon_leaves_the_firsts(stage):
    """What the one that runs has made stays, its lock above all."""
    first = stage.start()
    while "daemon.started" not in (line := first.stdout.readline()):
        assert line
    lock = stage.directory / "beta.state" / "lock"
    before, inode = stage.there(), lock.stat().st_ino
    second = stage.start()
    _, err = second.communicate(timeout=50)
    first.terminate()
    first.communicate(timeout=20)

    assert (second.returncode, "another eni-failover daemon uses this" in err) == (1, True)
    assert (before - stage.there(), lock.stat().st_ino) == ({"beta.sock"}, inode)


def test_a_lock_that_is_taken_away_meanwhile_is_none(tmp_path, monkeypatch):
    """A start that failed removes its lock: who has opened that just before must not run without one."""
    real = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        (tmp_path / "state" / "lock").unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    journal = Journal(tmp_path / "state", group="orders", instance_id="i-0bbbbbbbbbbbbbbb2")
    with pytest.raises(JournalLockedError):
        journal.lock()
