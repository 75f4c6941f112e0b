"""The user data of docs/hosts.md: what it adds to the README's steps is run against the fake EC2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eni_failover.config import load
from eni_failover.lab import LabThread, World
from tests.docs.markdown import ROOT, blocks, shell_lines

PAGE = ROOT / "docs" / "hosts.md"
SCRIPTS = Path(sys.executable).parent


def user_data():
    """The script that the page shows for cloud-init."""
    (script,) = [text for text in blocks(PAGE, "sh") if text.startswith("#!")]
    return script


def test_the_user_data_is_a_script():
    """bash can read it, and each of its ways to fail ends it."""
    subprocess.run(["bash", "-n"], input=user_data(), text=True, check=True)

    assert user_data().splitlines()[1] == "set -euo pipefail"


def test_the_user_data_installs_as_the_readme_does():
    """Units, users and the program's place are those of the README's first step."""
    wanted = [line for line in shell_lines(ROOT / "README.md") if line.startswith(("install -", "cd /opt"))]
    wanted = [line for line in wanted if "man1" not in line]

    assert wanted
    assert [line for line in wanted if line not in user_data()] == []


@pytest.mark.parametrize("comes_later", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_loop_waits_for_the_other_instance(tmp_path, comes_later):
    """With one tagged instance init is tried again; with two there is a file that loads."""
    file, waited = tmp_path / "config.toml", tmp_path / "waited"
    loop = re.search(r"^for attempt .*?^done$", user_data(), re.MULTILINE | re.DOTALL)[0]
    loop = loop.replace("/etc/eni-failover/config.toml", str(file))
    script = f"set -euo pipefail\nsleep() {{ touch {waited}; command sleep 0.1; }}\n{loop}\n"
    with LabThread(World.pair(members=2)) as lab:
        beta = lab.world.instance("beta")
        tags = dict(beta.tags)
        if comes_later:
            lab.world.change_instance("beta", tags={"Name": "beta"})
        dropped = ("AWS_", "ENI_FAILOVER_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        env |= {**lab.env("alpha"), "PATH": f"{SCRIPTS}:{env['PATH']}"}
        with subprocess.Popen(["bash", "-c", script], env=env, stderr=subprocess.PIPE, text=True) as process:
            if comes_later:
                said = process.stderr.readline()
                lab.world.change_instance(beta.id, tags=tags)
            _, rest = process.communicate(timeout=30)

    assert process.returncode == 0, rest
    assert waited.exists() == comes_later
    if comes_later:
        assert "a group has two members or more" in said
    assert [member.name for member in load(file, {}).members] == ["alpha", "beta"]
