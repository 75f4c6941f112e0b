"""`init`: where the file goes. Everything is written, so nobody is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib

import pytest

WRITTEN = (
    *("--group", "orders", "--eni", "eni-0ffffffffffffff01"),
    *("--member", "alpha=i-0aaaaaaaaaaaaaaa1@10.0.1.11"),
    *("--member", "beta=i-0bbbbbbbbbbbbbbb2@10.0.1.12"),
)


def test_a_file_is_never_overwritten_by_itself(run, tmp_path):
    """--force does, and then wholly; it is readable for the service's user."""
    file = tmp_path / "orders.toml"
    file.write_text("mine")
    refused = run("init", *WRITTEN, "--output", file)
    kept = file.read_text()
    forced = run("init", *WRITTEN, "--output", file, "--force")

    assert (refused.code, kept) == (1, "mine")
    assert "--force" in refused.err
    assert (forced.code, forced.out) == (0, "")
    assert tomllib.loads(file.read_text())["group"] == "orders"
    assert oct(file.stat().st_mode & 0o777) == "0o644"
    assert [one.name for one in tmp_path.iterdir()] == ["orders.toml"]


def test_a_place_that_cannot_be_written_is_one_line(run, tmp_path):
    """No such directory."""
    result = run("init", *WRITTEN, "--output", tmp_path / "no" / "orders.toml")

    assert (result.code, result.out) == (1, "")
    assert f"{tmp_path}/no/orders.toml: No such file or directory" in result.err


def test_a_write_that_fails_leaves_the_old_file(run, tmp_path, monkeypatch):
    """And nothing beside it."""
    file = tmp_path / "orders.toml"
    file.write_text("mine")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    result = run("init", *WRITTEN, "--output", file, "--force")

    assert (result.code, file.read_text()) == (1, "mine")
    assert [one.name for one in tmp_path.iterdir()] == ["orders.toml"]


def test_a_link_to_nowhere_is_a_file_that_exists(run, tmp_path):
    """Somebody means something by it."""
    link = tmp_path / "orders.toml"
    link.symlink_to(tmp_path / "no")
    refused = run("init", *WRITTEN, "--output", link)

    assert (refused.code, link.is_symlink()) == (1, True)
    assert "--force" in refused.err


def test_a_dash_is_standard_output(run, tmp_path, monkeypatch):
    """As for other programs; no file has this name afterwards."""
    monkeypatch.chdir(tmp_path)
    result = run("init", *WRITTEN, "--output", "-")

    assert (result.code, tomllib.loads(result.out)["group"]) == (0, "orders")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [(), ("--output", "-")])
def test_a_full_standard_output_is_named(more):
    """Where the file was to go nobody has named a file."""
    words = [sys.executable, "-m", "eni_failover", "init", *WRITTEN, *more]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False)

    expected = "eni-failover: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_no_room_to_check_the_file(run, monkeypatch, tmp_path):
    """It is checked in a temporary directory: one line too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no"))
    result = run("init", *WRITTEN)

    assert (result.code, result.out) == (1, "")
    assert result.err == "eni-failover: the file cannot be checked: No such file or directory\n"
