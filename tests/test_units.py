"""The systemd units: what they promise, and that systemd takes them as they are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eni_failover.config import load
from eni_failover.exitcodes import ExitCode

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = ("eni-failover.service", "eni-failover@.service")
PROGRAM = "/opt/eni-failover/bin/eni-failover"

# Written out, not read from the units: taking one away must be a decision.
PROMISES = {
    "Type": "notify",
    "NotifyAccess": "main",
    "WatchdogSec": "30",
    "Restart": "always",
    "RestartSec": "1s",
    "RestartPreventExitStatus": str(int(ExitCode.BAD_CONFIG)),
    "KillMode": "mixed",
    "TimeoutStopSec": "15",
    "OOMPolicy": "continue",
    "RuntimeDirectory": "eni-failover",
    "RuntimeDirectoryMode": "0755",
    "RuntimeDirectoryPreserve": "yes",
    "CapabilityBoundingSet": "CAP_NET_ADMIN",
    "AmbientCapabilities": "CAP_NET_ADMIN",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallFilter": "@system-service ~@resources",
}


def unit(name):
    """The unit's sections; what is set more than once, which adds up, with a blank between."""
    sections = {}
    for line in (SYSTEMD / name).read_text().splitlines():
        if line.startswith("["):
            settings = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings[key] = f"{settings[key]} {value}" if key in settings else value
    return sections


@pytest.fixture(scope="module")
def example():
    """The example configuration: the paths in it are the defaults."""
    return load(ROOT / "deploy" / "examples" / "config.toml", {})


@pytest.mark.parametrize("name", UNITS)
def test_both_units_keep_the_promises(name):
    """Restarts, watchdog, stop and sandbox are as promised in both units."""
    service = dict(unit(name)["Service"])

    assert {key: service.get(key) for key in PROMISES} == PROMISES


@pytest.mark.parametrize("name", UNITS)
def test_a_service_that_fails_often_is_still_started_again(name):
    """No number of failures makes systemd give up, and the network is up before the first start."""
    section = dict(unit(name)["Unit"])

    assert section["StartLimitIntervalSec"] == "0"
    assert section["Wants"] == section["After"] == "network-online.target"


@pytest.mark.parametrize(("name", "option"), [(UNITS[0], ""), (UNITS[1], " --group %i")])
def test_each_unit_runs_and_reloads_its_own_group(name, option):
    """The plain unit serves the default file, an instance of the template the group of its name."""
    service = unit(name)["Service"]

    assert service["ExecStart"] == f"{PROGRAM} run{option}"
    assert service["ExecReload"] == f"{PROGRAM} reload{option}"


def test_the_units_differ_in_their_group_only():
    """What holds for one unit holds for the other: only these settings differ."""
    plain, template = (unit(name) for name in UNITS)
    differing = {
        key
        for section in plain
        for key in {*plain[section], *template[section]}
        if plain[section].get(key) != template[section].get(key)
    }

    assert list(plain) == list(template)
    assert differing == {"Description", "ExecStart", "ExecReload", "StateDirectory"}


def test_the_directories_are_those_of_the_defaults(example):
    """systemd makes the directories that the configuration's defaults name, in both units."""
    plain, template = (unit(name)["Service"] for name in UNITS)

    assert Path("/var/lib", plain["StateDirectory"]) == example.state_directory.parent
    assert (
        Path("/var/lib", template["StateDirectory"].replace("%i", example.group)) == example.state_directory
    )
    assert Path("/run", plain["RuntimeDirectory"]) == example.socket.parent
    assert Path("/run", plain["RuntimeDirectory"]) == example.role_file.parent


@pytest.mark.parametrize("name", UNITS)
def test_the_services_user_is_made_by_sysusers(name):
    """The user and the group that the unit runs as are the ones that sysusers.conf makes."""
    rules = [line.split() for line in (SYSTEMD / "sysusers.conf").read_text().splitlines() if line[:1] != "#"]
    service = unit(name)["Service"]

    assert [rule[:2] for rule in rules] == [["u", "eni-failover"]]
    assert service["User"] == service["Group"] == rules[0][1]


needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (package systemd)"
)


def analyze(*arguments):
    """The finished systemd-analyze."""
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


@needs_analyze
@pytest.mark.parametrize(
    ("name", "instance"), [(UNITS[0], UNITS[0]), (UNITS[1], "eni-failover@orders.service")]
)
def test_systemd_has_nothing_to_say_about_a_unit(name, instance, tmp_path):
    """systemd-analyze verify finds no unknown key, no bad value and no missing command."""
    program = tmp_path / "eni-failover"
    program.touch(mode=0o755)
    copy = tmp_path / instance
    copy.write_text((SYSTEMD / name).read_text().replace(PROGRAM, str(program)))

    done = analyze("verify", "--man=no", str(copy))

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


RAW_SOCKETS = "[Service]\nCapabilityBoundingSet=CAP_NET_RAW\nAmbientCapabilities=CAP_NET_RAW\n"


@needs_analyze
@pytest.mark.parametrize("more", ["", RAW_SOCKETS], ids=["as it is", "with CAP_NET_RAW"])
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_exposes_little(name, more, tmp_path):
    """systemd-analyze security gives 2.0 or less of 10, also with the capability that icmp may need."""
    copy = tmp_path / UNITS[0]
    copy.write_text((SYSTEMD / name).read_text() + more)

    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(copy))
    figure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)[1])

    assert figure <= 2.0
    assert done.returncode == 0
