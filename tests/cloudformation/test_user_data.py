"""The user data script: what it installs, what it writes, and that the stack hears how it ended.

It is run here with stubs in the place of the programs of Amazon Linux, and with every path of its own below a
temporary root. Not tried: dnf, pip and systemd on an Amazon Linux of AWS.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eni_failover import __version__
from eni_failover.config import load
from eni_failover.core.policy import FenceMode
from tests.cloudformation.stack import ENI, ROOT, SWITCHES, resolved

README = (ROOT / "README.md").read_text()
OWN_PATHS = ("/opt/", "/etc/", "/usr/local/")

STUB = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "${0##*/} $*" in $FAILS) exit 9 ;; esac
"""
PROGRAMS = {
    "dnf": "",
    "systemctl": "",
    "systemd-sysusers": "",
    "cfn-signal": "",
    "cloud-init": "echo i-0aaaaaaaaaaaaaaa1",
    "aws": """case "$*" in
    *describe-instances*) echo Alpha ;;
    *service.sh*) echo 'echo the service >>"$CALLS"' >"$5" ;;
    *) touch "${4##*/}" ;;
esac""",
    # A virtual environment: `pip` puts the package's files where a wheel does.
    "python3.11": """mkdir -p "$3/bin" && cp "$TOOLS/pip" "$TOOLS/eni-failover" "$3/bin" """,
    "pip": """case "$*" in
    *whl) share="${0%/*}/../share/eni-failover"
        [ -e "$4" ] && mkdir -p "$share" && cp -R "$DEPLOY/." "$share" ;;
    *) [ -e requirements.lock ] ;;
esac""",
    "eni-failover": """case "$1" in
    check) "$PYTHON" -m eni_failover check --offline --config "$ROOT/etc/eni-failover/config.toml" ;;
esac""",
}


class Host:
    """A root folder, the stubs, and what was called."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._tools = folder / "tools"
        self._calls = folder / "calls"
        self._tools.mkdir()
        for name, body in PROGRAMS.items():
            path = self._tools / name
            path.write_text(STUB + body + "\n")
            path.chmod(0o755)
        for there in ("opt/aws/bin", "etc/systemd/system", "usr/local/bin"):
            (self.root / there).mkdir(parents=True)
        shutil.copy(self._tools / "cfn-signal", self.root / "opt" / "aws" / "bin")

    def run(self, script: str, *, fails: str = "-") -> subprocess.CompletedProcess:
        """Runs the script; the call that matches `fails`, a pattern of sh, ends with 9."""
        for path in OWN_PATHS:
            script = re.sub(rf"(?<![\w.]){path}", f"{self.root}{path}", script)
        self._calls.write_text("")
        return subprocess.run(
            ["/bin/bash", "-c", script],
            env={
                "PATH": f"{self._tools}:/usr/bin:/bin",
                "CALLS": str(self._calls),
                "FAILS": fails,
                "TOOLS": str(self._tools),
                "DEPLOY": str(ROOT / "deploy"),
                "PYTHON": sys.executable,
                "PYTHONPATH": str(ROOT),
                "ROOT": str(self.root),
                "TMPDIR": str(self.root.parent),
                "HOME": os.environ.get("HOME", "/"),
            },
            cwd=self.root.parent,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """The calls of the stubs, in order, without the root in their paths."""
        return self._calls.read_text().replace(str(self.root), "").splitlines()

    def read(self, path: str) -> str:
        """A file below the root."""
        return (self.root / path.lstrip("/")).read_text()


@pytest.fixture
def host(tmp_path):
    """A host that has run nothing yet."""
    return Host(tmp_path)


@pytest.mark.parametrize("parameters", [{}, SWITCHES], ids=["plain", "everything"])
def test_bash_and_shellcheck_accept_it(parameters):
    """No syntax error; no remark of shellcheck either, where that is installed."""
    script = resolved(**parameters).script
    parsed = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False
    )

    assert (parsed.returncode, parsed.stderr) == (0, "")
    assert len(script.encode()) < 16 * 1024  # what EC2 takes


@pytest.mark.parametrize("parameters", [{}, SWITCHES], ids=["plain", "everything"])
def test_shellcheck_has_nothing_to_say(parameters):
    """Constant conditions are the parameters' doing; everything else would be a remark."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed: the user data was parsed, not checked")
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--exclude=SC2157,SC2194", "-"],
        input=resolved(**parameters).script,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def config(tmp_path, **parameters):
    """The configuration that the user data writes, as the daemon reads it."""
    file = tmp_path / "config.toml"
    file.write_text(resolved(**parameters).config)
    return load(file, {})


def test_the_configuration_says_what_the_parameters_say(tmp_path):
    """Group, ENI, discovery and one http probe of the service; nothing to warn about."""
    made = config(tmp_path, ServicePort="9000", HealthPath="/up")
    (probe,) = made.probes

    assert (made.group, made.eni_ids, made.members, made.warnings) == ("orders", (ENI,), (), ())
    assert made.discovery.tag == "eni-failover-group"
    assert (probe.policy.name, made.fence) == ("service", FenceMode.NONE)
    assert 'url = "http://{address}:9000/up"' in resolved(ServicePort="9000", HealthPath="/up").config


def test_the_configuration_takes_every_switch(tmp_path):
    """A tcp probe without a path, a witness, fencing: still a valid file without warnings."""
    made = config(tmp_path, **SWITCHES)

    assert [(one.policy.name, one.policy.scope) for one in made.probes] == [
        ("service", "holder"),
        ("witness", "witness"),
    ]
    assert (made.fence, made.warnings) == (FenceMode.STOP, ())


def test_it_installs_configures_and_starts(host):
    """One run: the files are in place, the service starts before the daemon, the stack hears of success."""
    done = host.run(resolved().script)

    assert done.returncode == 0, done.stderr
    assert host.calls[-1].startswith(
        "cfn-signal --exit-code 0 --region eu-central-1 --stack arn:aws:cloudformation"
    )
    assert host.calls[-1].endswith("--resource Alpha")
    order = [host.calls.index(f"systemctl enable --now {unit}") for unit in ("placeholder", "eni-failover")]
    assert order == sorted(order)
    assert host.read("/etc/eni-failover/config.toml") == resolved().config
    unit = host.root / "etc" / "systemd" / "system" / "eni-failover.service"
    assert unit.read_bytes() == (ROOT / "deploy/systemd/eni-failover.service").read_bytes()
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert (
        host.read("/etc/sysusers.d/eni-failover.conf") == (ROOT / "deploy/systemd/sysusers.conf").read_text()
    )


def test_check_speaks_on_the_console(host):
    """What `check` finds stands in the output; here its offline part, on the file just written."""
    done = host.run(resolved().script)

    assert "service" in done.stdout
    assert "not all is well" not in done.stdout


def test_a_second_run_ends_well_and_changes_nothing(host):
    """Whoever runs it again, after a mistake of the network, finds the same files."""

    def files():
        return {
            path: path.read_bytes()
            for path in host.root.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    assert host.run(resolved().script).returncode == 0
    before = files()
    done = host.run(resolved().script)

    assert done.returncode == 0, done.stderr
    assert files() == before


STEPS = [
    "dnf install -y python3.11",
    "python3.11 -m venv*",
    "aws s3 cp*requirements.lock*",
    "aws s3 cp*whl*",
    "pip install --require-hashes*",
    "pip install --no-index*",
    "systemd-sysusers*",
    "systemctl daemon-reload",
    "systemctl enable --now placeholder",
    "systemctl enable --now eni-failover",
    "eni-failover status",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_ends_it_and_the_stack_hears(host, step):
    """Nothing after it is done, and the signal says failure: no stack that looks whole and is not."""
    done = host.run(resolved().script, fails=step)
    ending = [
        one for one in host.calls if not one.startswith(("cloud-init query", "aws ec2 describe-instances"))
    ]

    assert done.returncode == 9
    assert re.fullmatch(step.replace("*", ".*"), ending[-2])
    assert ending[-1].startswith("cfn-signal --exit-code 9 ")


def test_a_failed_check_or_signal_is_no_failed_start(host):
    """The other member may not be there yet; a stack that does not wait refuses the signal."""
    for tolerated in ("eni-failover check", "cfn-signal*"):
        done = host.run(resolved().script, fails=tolerated)

        assert done.returncode == 0
        assert "systemctl enable --now eni-failover" in host.calls


def test_the_owners_script_takes_the_placeholders_place(host):
    """It comes from beside the package and has run before the daemon starts; the index is the owner's."""
    script = resolved(**SWITCHES).script
    done = host.run(script)

    assert done.returncode == 0, done.stderr
    assert host.calls.index("the service") < host.calls.index("systemctl enable --now eni-failover")
    assert not any("placeholder" in one for one in host.calls)
    assert "index='https://packages.example/simple'" in script


def test_the_placeholder_answers_what_the_probe_asks(host):
    """Whatever the path: the file is below the folder that is served, and says which instance answers."""
    for path, file in (("/healthz", "healthz"), ("/", "index.html"), ("/a/b/", "a/b/index.html")):
        assert host.run(resolved(HealthPath=path).script).returncode == 0
        assert host.read(f"/usr/local/share/placeholder/{file}") == "i-0aaaaaaaaaaaaaaa1\n"
    assert host.run(resolved(HealthPath="").script).returncode == 0


def words(text: str) -> list[str]:
    """The commands in the text, those of one line apart, without comments and what is local to either."""
    lines = re.sub(r"\s+#.*", "", text).replace("ln -sf", "ln -s").splitlines()
    commands = [one.strip() for line in lines for one in re.split(r"&&|\|\|", line)]
    commands = [re.sub(r"^timeout \d+ ", "", one) for one in commands]
    commands = [re.sub(r"^/opt/eni-failover/bin/(?=eni-failover )", "", one) for one in commands]
    return [one.replace('"$wheel"', f"eni_failover-{__version__}-py3-none-any.whl") for one in commands]


def test_the_steps_are_the_readmes():
    """Each command of the README's section Install, in its order, but for two that the template replaces."""
    section = re.search(r"^## Install\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)[1]
    python = re.search(r"^\| Amazon Linux 2023 \| `(.*?)`", section, re.MULTILINE)[1]
    (block,) = re.findall(r"^```sh\n(.*?pip install.*?)^```", section, re.MULTILINE | re.DOTALL)
    own = ("install -D -m 644 examples/config.toml", "eni-failover policy")
    steps = [one for one in words(f"{python}\n{block}") if one and not one.startswith(own)]
    script = words(resolved().script)

    assert len(steps) > 8
    assert [one for one in steps if one not in script] == []
    assert [script.index(one) for one in steps] == sorted(script.index(one) for one in steps)


def test_the_default_version_is_this_one():
    """The wheel that the script asks for is the one that `make wheel` makes."""
    assert f"wheel='eni_failover-{__version__}-py3-none-any.whl'" in resolved().script


def test_it_shows_no_commands_of_its_own():
    """No trace of the shell on the console: what a later edit puts into the script stays out of there."""
    script = resolved(**SWITCHES).script

    assert "set -euo pipefail" in script
    assert not re.search(r"set -\w*x|xtrace", script)
