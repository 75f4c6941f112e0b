"""The layers are code: the import contracts of pyproject.toml hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_import_contracts_hold():
    """Arrows point down only, the core is pure, the lab stands apart."""
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_daemon_loads_no_command_line_library_and_not_the_lab():
    """`run` must not keep typer, rich or the fake EC2 in memory for as long as it lives."""
    code = "import sys, eni_failover.daemon; print({'typer', 'eni_failover.lab'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
