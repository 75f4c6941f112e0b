"""The directory of a pair by hand: what is accepted as one, what is kept, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from eni_failover.config import load
from eni_failover.lab import directory
from eni_failover.lab.directory import DirectoryError, opened

URLS = {"alpha": "http://127.0.0.1:2", "beta": "http://127.0.0.1:3", "gamma": "http://127.0.0.1:4"}
LAB = SimpleNamespace(
    ec2_url="http://127.0.0.1:1",
    imds_url=URLS.__getitem__,
    env=lambda member=None: {"AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1", "WHO": member or "operator"},
)


def written(path, *, members=2, enis=1):
    """The files of a lab in this directory, and what it tells."""
    with opened(path, members=members, enis=enis) as place:
        return place, place.write(LAB)


def run_lab(path):
    """The command, which must refuse: its status and the one line on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "eni_failover", "lab", "--write", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


@pytest.fixture
def short_path():
    """A directory whose path leaves room for a socket's, wherever the tests' own are."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize(("members", "enis"), [(2, 1), (3, 2)])
def test_each_members_file_is_a_configuration(short_path, members, enis):
    """The files load without a warning; only what two hosts have each for itself differs."""
    path = short_path / 'a "pair" of $HOME'
    place, told = written(path, members=members, enis=enis)
    configs = [load(path / f"{member.name}.toml", {}) for member in place.members]

    assert path.stat().st_mode & 0o777 == 0o700
    assert [config.warnings for config in configs] == [()] * members
    assert len({config.config_hash for config in configs}) == 1
    assert len({config.socket for config in configs}) == members
    assert len({config.state_directory for config in configs}) == members
    assert told.count("# --- terminal") == members + 1


def test_the_variables_of_a_member_are_set_by_sourcing(tmp_path):
    """What would lead elsewhere is unset, and `on` runs a command with the rest."""
    path = tmp_path / "it's a pair"
    written(path)
    env = {**os.environ, "AWS_PROFILE": "mine", "HTTPS_PROXY": "http://proxy", "no_proxy": "x"}
    done = subprocess.run(
        ["sh", str(path / "on"), "beta", "env"], env=env, capture_output=True, text=True, check=True
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    assert seen["ENI_FAILOVER_CONFIG"] == str(path / "beta.toml")
    assert (seen["ENI_FAILOVER_MEMBER"], seen["WHO"]) == ("beta", "beta")
    assert not {"AWS_PROFILE", "HTTPS_PROXY", "no_proxy"} & set(seen)


def test_the_same_directory_again(tmp_path):
    """Ports, addresses and ids stay; a file that was edited is kept beside the new one."""
    before, told = written(tmp_path)
    edited = (tmp_path / "alpha.toml").read_text() + "# mine\n"
    (tmp_path / "alpha.toml").write_text(edited)
    after, again = written(tmp_path)

    assert after.members == before.members
    assert again == told
    assert (tmp_path / "alpha.toml~").read_text() == edited
    assert not (tmp_path / "beta.toml~").exists()


def test_a_pid_of_yesterday_is_forgotten(tmp_path):
    """The number in a pid file is another process's when the service does not answer any more."""
    written(tmp_path)
    (tmp_path / "alpha.pid").write_text("1\n")
    written(tmp_path)

    assert not (tmp_path / "alpha.pid").exists()


def test_one_more_member_than_last_time(tmp_path):
    """The others keep nothing but the address of EC2: all members share their ports."""
    first, _ = written(tmp_path)
    second, _ = written(tmp_path, members=3)

    assert [member.name for member in second.members] == ["alpha", "beta", "gamma"]
    assert second.addresses[:2] == first.addresses
    assert len({member.port for member in second.members}) == 1


def test_one_loopback_address(tmp_path, monkeypatch):
    """Where 127.0.0.1 is the only one, ports tell two members apart; three have no place."""
    monkeypatch.setattr(directory, "_is_here", lambda address, port=0: address in {"127.0.0.1", "localhost"})
    place, _ = written(tmp_path / "two")
    alpha, beta = (load(tmp_path / "two" / f"{name}.toml", {}) for name in ("alpha", "beta"))

    assert place.addresses == ("127.0.0.1", "localhost")
    assert len({port for member in place.members for port in (member.port, member.service_port)}) == 4
    assert f":{place.members[1].service_port}/" in str(alpha.probes[0])
    assert f":{place.members[0].service_port}/" in str(beta.probes[0])
    with pytest.raises(DirectoryError, match="one loopback address"):
        written(tmp_path / "three", members=3)


def not_empty(path):
    path.mkdir()
    (path / "thesis.tex").write_text("x")


def a_file(path):
    path.write_text("x")


def broken(path):
    written(path)
    (path / "lab.json").write_text('{"ec2": 1}')


def dangling(path):
    path.symlink_to("/nonexistent")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (not_empty, "has files in it and is no directory of a lab"),
        (a_file, "is not a directory"),
        (broken, "cannot be read: remove it, or the directory"),
        (dangling, "is not a directory"),
    ],
)
def test_what_is_no_place_for_a_lab(tmp_path, prepare, said):
    """One line, exit 2, and nothing is written."""
    path = tmp_path / "place"
    prepare(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DirectoryError, match=said):
        written(path)

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [("x" * 120, "too long for the sockets"), ("a\nb", "printable"), ("no/where", "cannot use")],
)
def test_a_path_that_cannot_be(tmp_path, name, said):
    """A socket's path has its limit, and a name with a line break would be two commands."""
    with pytest.raises(DirectoryError, match=said):
        written(tmp_path / name)


def test_the_command_refuses_with_one_line(tmp_path):
    """A directory with foreign files: exit 2."""
    not_empty(tmp_path / "place")
    code, said = run_lab(tmp_path / "place")

    assert code == 2
    assert said.endswith("place has files in it and is no directory of a lab\n")


def test_two_labs_in_one_directory(tmp_path):
    """The second is refused while the first one runs."""
    with opened(tmp_path, members=2, enis=1), pytest.raises(DirectoryError, match="used by a lab that runs"):
        written(tmp_path)


def test_the_directory_of_somebody_else(tmp_path, monkeypatch):
    """Its owner could change what is sourced."""
    monkeypatch.setattr(directory.os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(DirectoryError, match="belongs to another user"):
        written(tmp_path)


def test_a_marker_has_what_the_next_lab_needs(tmp_path):
    """The ports at which the lab listened."""
    written(tmp_path)
    saved = json.loads(Path(tmp_path / "lab.json").read_text())

    assert saved["ec2"] == 1
    assert [member["imds"] for member in saved["members"].values()] == [2, 3]
