"""A daemon that is not there yet: Python imports, or it waits for who it is, or for credentials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from eni_failover.lab import LabThread, Settings, World, demo_places
from eni_failover.lab.demo import ENI
from eni_failover.lab.world import instance_id_of
from tests.ports import common_port

IMPORTING = """
import sys, time, types
import eni_failover
from eni_failover.__main__ import main

stand_in = types.ModuleType("eni_failover.daemon")
stand_in.run = lambda *_, **__: (print("importing", flush=True), time.sleep(60))
sys.modules["eni_failover.daemon"] = eni_failover.daemon = stand_in
sys.argv = ["eni-failover", "run", "--config", "/x.toml"]
main()
"""


@pytest.fixture
def importing():
    """`run` as it is before its event loop, which here never comes."""
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "importing\n"
        yield process
        process.kill()


class Waiting:
    """A member's daemon whose IMDS does not answer before `let_it_start`."""

    def __init__(self, directory, stack: ExitStack, **environ: str) -> None:
        self._stack = stack
        self._imds_port = common_port()
        addresses = demo_places.loopback_addresses()
        self._world = World.pair(addresses=addresses, settings=Settings(latency=0.0))
        ids = {"alpha": instance_id_of(1), "beta": instance_id_of(2)}
        peer, own = demo_places.places(ids, addresses, directory, stack)
        self.file, self._log, self.url = own.config, own.log, f"http://{own.address}:{own.port}"
        self.file.write_text(demo_places.config_text(own, peer, eni_id=ENI, interval="200ms"))
        lab = stack.enter_context(LabThread(self._world))
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env |= lab.env("beta") | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self._imds_port}"}
        env = {name: value for name, value in (env | environ).items() if value}
        self.process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "eni_failover", "run", "--config", str(self.file)],
                env=env,
                stdout=stack.enter_context(self._log.open("wb")),
                stderr=subprocess.STDOUT,
            )
        )
        stack.callback(self.process.kill)

    def let_it_start(self) -> None:
        """Somebody answers where it asks who it is."""
        self._stack.enter_context(LabThread(self._world, imds_ports={"beta": self._imds_port}))

    def wait_for(self, event: str, count: int = 1) -> dict[str, object]:
        """The log line with this event, as soon as there are so many."""
        while True:  # pytest's own timeout bounds it
            lines = [json.loads(line) for line in self._log.read_text().splitlines() if line[:1] == "{"]
            found = [line for line in lines if line["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.02)


@pytest.fixture
def waiting(tmp_path):
    """A daemon in a process of its own that has asked in vain."""
    with ExitStack() as stack:
        daemon = Waiting(tmp_path, stack)
        daemon.wait_for("imds.waiting")
        yield daemon


def test_hup_and_usr1_during_the_imports(importing):
    """They are harmless: there is neither a file to read again nor a status yet."""
    importing.send_signal(signal.SIGHUP)
    importing.send_signal(signal.SIGUSR1)
    with pytest.raises(subprocess.TimeoutExpired):
        importing.wait(0.3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_imports(importing, number):
    """Stopped, as nothing has begun: 0, and not a word."""
    importing.send_signal(number)
    out, err = importing.communicate(timeout=10)

    assert (importing.returncode, out, err) == (0, "", "")


def test_a_parent_that_ignores_the_end_of_children_costs_no_exit_status():
    """SIGCHLD, ignored by a supervisor, is inherited; the kernel would reap every program of ours itself."""
    code = IMPORTING.replace("time.sleep(60)", "print(signal.getsignal(signal.SIGCHLD).name)")
    code = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "importing\nSIG_DFL\n", done.stderr


@pytest.mark.timeout(60)
def test_a_reload_while_starting_comes_with_the_start(waiting):
    """SIGHUP is remembered: what the file says by then is soon in force."""
    waiting.file.write_text(waiting.file.read_text() + 'level = "debug"\n')
    waiting.process.send_signal(signal.SIGHUP)
    waiting.wait_for("reload.waiting")
    waiting.let_it_start()
    taken = waiting.wait_for("config.accepted")

    assert taken["member"] == "beta"
    assert waiting.wait_for("daemon.started")["timestamp"] <= taken["timestamp"]

    waiting.process.send_signal(signal.SIGHUP)
    waiting.process.send_signal(signal.SIGUSR1)

    assert waiting.wait_for("config.accepted", 2)
    assert "detail" not in waiting.wait_for("status.dump")


@pytest.mark.timeout(60)
def test_a_dump_while_starting_says_so(waiting):
    """SIGUSR1 has no status to write yet, and the daemon goes on."""
    waiting.process.send_signal(signal.SIGUSR1)

    assert waiting.wait_for("status.dump")["detail"] == "the daemon is still starting"
    assert waiting.wait_for("imds.waiting", 2)


@pytest.mark.timeout(60)
def test_a_probes_program_ignores_no_signal(waiting, tmp_path):
    """What is ignored during the imports is not handed on to programs."""
    answer = tmp_path / "ignored"
    words = ["/bin/sh", "-c", f"grep SigIgn /proc/self/status > {answer}.new; mv {answer}.new {answer}"]
    probe = f'[[probe]]\nname = "own"\ntype = "exec"\nscope = "self"\ncommand = {json.dumps(words)}\n'
    waiting.file.write_text(waiting.file.read_text() + probe)
    waiting.process.send_signal(signal.SIGHUP)
    waiting.let_it_start()
    waiting.wait_for("config.accepted")
    while not answer.exists():
        time.sleep(0.02)
    ignored = int(answer.read_text().split()[1], 16)

    assert [one for one in (signal.SIGHUP, signal.SIGUSR1) if ignored & 1 << one - 1] == []


@pytest.mark.timeout(60)
def test_it_can_be_asked_while_credentials_are_waited_for(tmp_path):
    """A credential helper that hangs holds up the calls to EC2, not the operator who asks why."""
    helper, settings = tmp_path / "hangs", tmp_path / "aws"
    helper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/asked\nexec sleep 50\n")
    helper.chmod(0o755)
    settings.write_text(f"[default]\ncredential_process = {helper}\nregion = eu-central-1\n")
    no_keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    with ExitStack() as stack:
        daemon = Waiting(tmp_path, stack, AWS_CONFIG_FILE=str(settings), **no_keys)
        daemon.let_it_start()
        while not (tmp_path / "asked").exists():  # pytest's own timeout bounds it
            time.sleep(0.02)
        with pytest.raises(HTTPError) as caught:
            urlopen(f"{daemon.url}/status", timeout=10)  # noqa: S310 - an http URL of our own

        assert (caught.value.code, json.load(caught.value)["reason"]) == (503, "starting")
