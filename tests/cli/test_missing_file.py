"""A file that is not there: what is there instead is named, and nothing is taken by itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

loading = importlib.import_module("eni_failover.config.load")


@pytest.fixture
def etc(tmp_path, monkeypatch):
    """Stands for /etc/eni-failover."""
    directory = tmp_path / "etc"
    monkeypatch.setattr(loading, "DIRECTORY", directory)
    monkeypatch.setattr(loading, "DEFAULT_PATH", directory / "config.toml")
    return directory


@pytest.mark.parametrize("command", ["status", "check --offline", "history", "run", "pause", "policy"])
@pytest.mark.parametrize(
    ("files", "option", "hint"),
    [
        (None, [], ": write one with 'eni-failover init'"),
        ([], [], ": write one with 'eni-failover init'"),
        (["orders.toml"], [], ": try --group orders"),
        (["orders.toml", "billing.toml"], [], ": there are billing, orders: name one with --group"),
        (["orders.toml.bak", "Bad Name.toml", "x.toml~"], [], ": write one with 'eni-failover init'"),
        (["orders.toml"], ["--group", "order"], ": try --group orders"),
        (["config.toml"], ["--group", "orders"], ": there is config.toml, leave out --group"),
    ],
)
def test_what_is_there_is_named(*, run, etc, command, files, option, hint):
    """One line, and 2."""
    for name in files or ():
        etc.mkdir(exist_ok=True)
        (etc / name).write_text('group = "orders"\n')
    if files == []:
        etc.mkdir()
    result = run(*command.split(), *option)
    file = f"{option[1]}.toml" if option else "config.toml"

    assert (result.code, result.out) == (2, "")
    assert result.err == f"eni-failover: {etc / file}: cannot be read: No such file or directory{hint}\n"


def test_a_file_elsewhere_is_not_guessed(run, etc, tmp_path):
    """Whoever names a path knows where the files are."""
    result = run("status", "--config", tmp_path / "no.toml")

    assert result.err == f"eni-failover: {tmp_path}/no.toml: cannot be read: No such file or directory\n"


def test_a_directory_that_cannot_be_listed_says_nothing(run, etc, monkeypatch):
    """What is not seen is not claimed to be absent."""

    def refuse(_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    result = run("status")

    assert result.err == f"eni-failover: {etc}/config.toml: cannot be read: No such file or directory\n"
