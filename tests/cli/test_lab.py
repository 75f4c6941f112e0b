"""`lab`: a fake EC2 for a person."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture
def lab():
    """The command with short times, in a process of its own; its output up to the last line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eni_failover", "lab", "--detach", "7s", "--members", "3", "--enis", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    yield process, said
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_lab_serves_what_it_prints(lab):
    """The printed endpoint answers with the members, ENIs and times that were asked for."""
    _, said = lab
    url = re.search(r"AWS_ENDPOINT_URL_EC2=(\S+)", said)[1]
    with urllib.request.urlopen(f"{url}/_lab/state", timeout=10) as answer:  # noqa: S310 - loopback
        world = json.load(answer)

    assert len(world["state"]["instances"]) == 3
    assert len(world["state"]["enis"]) == 5
    assert world["settings"]["durations"]["detach"] == 7.0
    assert world["settings"]["latency"] == 0.04
    assert said.count("export AWS_EC2_METADATA_SERVICE_ENDPOINT=") == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_ends_when_told_to(lab, number):
    """SIGINT and SIGTERM end the lab with 0 and nothing on standard error."""
    process, _ = lab
    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (0, "")


def test_lab_on_a_taken_port(run):
    """A port that is taken is one line, exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("lab", "--port", taken.getsockname()[1])

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("eni-failover: the lab cannot listen: ")
    assert result.err.count("\n") == 1


def test_lab_on_a_full_standard_output():
    """Nobody is told how to reach it: exit 1, and the line names what failed."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "eni_failover", "lab"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )

    expected = "eni-failover: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize(("members", "port"), [(2, 65535), (50, 65487)])
def test_lab_without_ports_for_all(run, members, port):
    """The first member's IMDS has this port, the others the next: they must exist. A wrong option, exit 2."""
    result = run("lab", "--members", members, "--imds-port", port)

    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert f"--imds-port: must be {65536 - members} or less: each of {members} members has one" in result.err
