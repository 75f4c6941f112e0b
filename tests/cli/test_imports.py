"""What each command costs: the libraries it must not import."""

from __future__ import annotations

import json
import subprocess
import sys

# Runs the commands one after the other; after each, says which of the libraries are imported by now.
SCRIPT = """
import io, json, sys
from contextlib import redirect_stdout
from eni_failover.__main__ import main

libraries, commands = json.loads(sys.argv[1])
seen = []
for command in commands:
    with redirect_stdout(io.StringIO()):
        try:
            main(command)
        except SystemExit:
            pass
    seen.append([name for name in libraries if sys.modules.get(name)])
print(json.dumps(seen))
"""
LIBRARIES = ["typer", "rich", "aiohttp", "boto3", "botocore", "prometheus_client", "structlog", "pyroute2"]


def imported_by(*commands: list[str]) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([LIBRARIES, commands])],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_command_imports_what_it_needs(daemon, desk, member, standby):
    """No client command pays for boto3 or aiohttp, and only one that draws a table for rich."""
    desk.script = [standby(role="active", holder="beta", peers=())]
    place = ["--config", str(member.config)]
    expected = [
        (["run", "--help"], []),
        (["run", "--wrong"], []),
        (["--help"], ["typer"]),
        (["check", "--offline", "--json", *place], ["typer"]),
        (["status", "--is-active", *place], ["typer"]),
        (["status", "--json", *place], ["typer"]),
        (["takeover", "--yes", *place], ["typer"]),
        (["pause", *place], ["typer"]),
        (["resume", *place], ["typer"]),
        (["reload", *place], ["typer"]),
        (["history", "--json", *place], ["typer"]),
        (["status", *place], ["typer", "rich"]),
        (["check", "--offline", *place], ["typer", "rich"]),
        (["history", *place], ["typer", "rich"]),
    ]
    seen = imported_by(*(command for command, _ in expected))

    assert [(command, libraries) for (command, _), libraries in zip(expected, seen, strict=True)] == expected


def test_run_never_imports_the_command_line(member):
    """The daemon itself runs without typer and rich in its memory, though structlog would import rich."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    (libraries,) = imported_by(["run", "--config", str(member.config)])

    assert "structlog" in libraries
    assert not {"typer", "rich"} & set(libraries)


# Says which modules of pyroute2 are there after a socket was opened, and whether its own names still are.
PARTS = """
import json, sys
from eni_failover.cli import run
run._import_no_more_than_asked_for("pyroute2")
from eni_failover.adapters.link import netlink
netlink.open_socket()
few = sum(name.startswith("pyroute2") for name in sys.modules)
from pyroute2 import NDB, AsyncIPRoute
from pyroute2.iproute import AsyncIPRoute as same
print(json.dumps([few, AsyncIPRoute is same]))
"""


def test_links_need_a_part_of_pyroute2():
    """Half of its modules; whoever asks for the rest gets it."""
    done = subprocess.run([sys.executable, "-c", PARTS], capture_output=True, text=True, check=True)
    few, is_same = json.loads(done.stdout)

    assert few < 120
    assert is_same
