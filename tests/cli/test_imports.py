"""What each command costs: the libraries it must not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Runs a command, then says which of the libraries were imported by it.
SCRIPT = """
import json, sys
from eni_failover.__main__ import main
try:
    main(sys.argv[2:])
except SystemExit:
    pass
print("\\n" + json.dumps([name for name in json.loads(sys.argv[1]) if sys.modules.get(name)]))
"""
LIBRARIES = ["typer", "rich", "aiohttp", "boto3", "botocore", "prometheus_client", "structlog", "pyroute2"]


def imported_by(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(LIBRARIES), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "libraries"),
    [
        (["run", "--help"], []),
        (["run", "--wrong"], []),
        (["--help"], ["typer"]),
        (["check", "--offline", "--json"], ["typer"]),
        (["check", "--offline"], ["typer", "rich"]),
        (["status", "--is-active"], ["typer"]),
        (["status", "--json"], ["typer"]),
        (["status"], ["typer", "rich"]),
        (["takeover", "--yes"], ["typer"]),
        (["pause"], ["typer"]),
        (["resume"], ["typer"]),
        (["reload"], ["typer"]),
        (["history", "--json"], ["typer"]),
    ],
)
def test_a_command_imports_what_it_needs(*, daemon, desk, member, standby, arguments, libraries):
    """No client command pays for boto3 or aiohttp, and none for rich that draws no table."""
    desk.script = [standby(role="active", holder="beta", peers=())]
    place = [] if "--help" in arguments or "run" in arguments else ["--config", str(member.config)]

    assert libraries == imported_by(*arguments, *place)


def test_run_never_imports_the_command_line(member):
    """The daemon itself runs without typer and rich in its memory."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    libraries = imported_by("run", "--config", str(member.config))

    assert not {"typer", "rich"} & set(libraries)
