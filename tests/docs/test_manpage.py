"""The manual page: whole, valid, and the same each time."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from docs.generate import manpage, manpage_words
from eni_failover.cli.app import app
from eni_failover.exitcodes import ExitCode

PAGE = Path(__file__).parents[2] / "share" / "man" / "man1" / "eni-failover.1"


def test_every_command_and_option_is_in_the_page():
    """Each command has its part, each option of it is named there, and each exit status is explained."""
    parts = re.split(r"^\.SS (.+)$", manpage.page().replace("\\", ""), flags=re.MULTILINE)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))
    commands = get_command(app).commands

    assert list(shown) == list(commands)
    for name, command in commands.items():
        assert [one.opts[0] for one in command.params if f"[fB{one.opts[0]}fP" not in shown[name]] == []
    assert set(manpage_words.STATUSES) == set(ExitCode)


def test_mandoc_accepts_the_page():
    """mandoc finds nothing in the page but that it has no date, which would differ from build to build."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed: the manual page was not checked")
    done = subprocess.run(["mandoc", "-T", "lint", PAGE], capture_output=True, text=True, check=False)

    assert [line.split(": ", 2)[2] for line in done.stdout.splitlines()] == [
        'WARNING: missing date, using "": TH'
    ]


def test_the_page_reads_well():
    """Rendered, the page has no escape left and its lines fit a terminal, but for examples to be copied."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed: the manual page was not rendered")
    done = subprocess.run(
        ["mandoc", "-T", "ascii", PAGE], capture_output=True, text=True, check=True, timeout=20
    )
    text = re.sub(".\b", "", done.stdout)

    assert "\\" not in text.replace("0 \\\n", "")
    assert [line for line in text.splitlines() if len(line) > 80 and "eni-failover" not in line] == [
        line for line in text.splitlines() if len(line) > 80 and "--member alpha=" in line
    ]
    assert "move a floating EC2 network interface to a standby" in " ".join(text.split())
