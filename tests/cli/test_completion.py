"""What real shells offer with the files below share/, and what that costs."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate.completions import PLACES
from eni_failover.cli import completion

ROOT = Path(__file__).parents[2]
PROGRAMS = str(Path(sys.executable).parent)
HOSTILE = '[[member]]\nname = "$(id)"\n[[member]]\nname = "*"\n'
MEMBERS = '[[member]]\nname = "alpha"\n[[member]]\nname = "beta"\n'

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_eni_failover_completion eni-failover
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
set -p fish_complete_path (path dirname $argv[1])
complete -C (string join ' ' -- $argv[2..])
"""
# The first press of the key in a new shell: zsh finds the file by itself and has not run it before.
ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; fpath=(${1:h} \\$fpath); autoload -Uz compinit; compinit -u -D; print rea''dy"
zpty -r -m z seen '*ready*'
shift
zpty -n -w z "$*"$'\\t'
zpty -r -m z seen "*$WANTED*"
print -r -- $seen
"""


def offered(shell, *words, **environment):
    """What the shell shows when the key is pressed behind these words."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its completion was not tried")
    options = {"bash": ["--norc", "-c", BASH], "fish": ["--no-config", "-c", FISH], "zsh": ["-f", "-c", ZSH]}
    first = [] if shell == "fish" else [shell]
    env = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "TERM": "dumb", **environment}
    done = subprocess.run(
        [shell, *options[shell], *first, ROOT / PLACES[shell], *words],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_commands_options_and_members_are_offered(shell, tmp_path):
    """The shell offers the commands as typed, a command's options, and the members of the named file."""
    (tmp_path / "team.toml").write_text(MEMBERS)
    named = ("check", "--config", str(tmp_path / "team.toml"), "--member")

    commands = [line.split()[0] for line in offered(shell, "eni-failover", "re").split("\n") if line]
    options = {line.split()[0] for line in offered(shell, "eni-failover", "status", "--").split("\n") if line}
    members = offered(shell, "eni-failover", *named, "").split()

    assert sorted(commands) == ["reload", "resume"]
    assert {"--config", "--group", "--json", "--watch", "--is-active"} < options
    assert members == ["alpha", "beta"]


def test_zsh_offers_at_the_first_press():
    """A new zsh, which finds the file in its fpath, offers commands the first time it is asked."""
    seen = offered("zsh", "eni-failover", "re", WANTED="End a pause")

    assert "reload" in seen
    assert "resume" in seen


def test_groups_are_those_with_a_file(tmp_path, monkeypatch):
    """--group is offered the names of the files below /etc/eni-failover, but not of the default one."""
    for name in ("config.toml", "orders.toml", "other.toml", "orders.toml.bak", "billing.toml", "$(id).toml"):
        (tmp_path / name).touch()
    loading = importlib.import_module("eni_failover.config.load")
    monkeypatch.setattr(loading, "DIRECTORY", tmp_path)
    monkeypatch.setattr(loading, "DEFAULT_PATH", tmp_path / "config.toml")

    assert completion.groups("") == ["billing", "orders", "other"]
    assert completion.groups("or") == ["orders"]


@pytest.mark.parametrize(
    "text", [None, "member = 3", "member = [1]\n", "[[member]]\nname = 3\n", "not TOML", HOSTILE]
)
def test_a_bad_file_offers_nothing(text, tmp_path):
    """A file that is missing or wrong, or holds no names, offers no member, and says nothing."""
    file = tmp_path / "team.toml"
    if text is not None:
        file.write_text(text)

    assert offered("bash", "eni-failover", "run", "--config", str(file), "--member", "").strip() == ""


def test_completion_imports_neither_boto3_nor_a_client():
    """Completion pays for the command line's library, and for nothing that a command needs to do its work."""
    code = """
import atexit, json, sys
names = ["boto3", "botocore", "aiohttp", "structlog", "pyroute2", "http.client", "eni_failover.config"]
atexit.register(lambda: print(json.dumps([name for name in names if name in sys.modules])))
from eni_failover.__main__ import main
main([])
"""
    env = {
        **os.environ,
        "_ENI_FAILOVER_COMPLETE": "complete_bash",
        "COMP_WORDS": "eni-failover re",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["reload", "resume", "[]"]
