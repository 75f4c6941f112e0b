"""`run`: from arguments to the daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import eni_failover
from eni_failover.cli.group_commands import app
from eni_failover.errors import ConfigError


@pytest.fixture
def started(monkeypatch) -> list[tuple[Path, str | None]]:
    """In the daemon's place something that notes how it was started, and stops with 0."""
    starts: list[tuple[Path, str | None]] = []

    def run(path: Path, *, member: str | None, env: object) -> int:
        starts.append((path, member))
        return 0

    stand_in = ModuleType("eni_failover.daemon")
    stand_in.run = run
    monkeypatch.setitem(sys.modules, "eni_failover.daemon", stand_in)
    monkeypatch.setattr(eni_failover, "daemon", stand_in, raising=False)
    return starts


def test_run_starts_the_daemon(run, started):
    """File and member go to the daemon as they were given."""
    result = run("run", "--config", "/x/orders.toml", "--member", "alpha")

    assert result.code == 0
    assert [(Path("/x/orders.toml"), "alpha")] == started


def test_run_without_arguments(run, started, monkeypatch):
    """Without arguments the default file is served, and the instance says which member it is."""
    run("run")
    monkeypatch.setenv("ENI_FAILOVER_MEMBER", "")
    run("run")

    assert [(Path("/etc/eni-failover/config.toml"), None)] * 2 == started


def test_run_takes_the_environment(run, started, monkeypatch):
    """ENI_FAILOVER_MEMBER names the member where --member does not; --member comes first."""
    monkeypatch.setenv("ENI_FAILOVER_MEMBER", "beta")
    run("run", "--group", "orders")
    run("run", "--group", "orders", "--member", "alpha")

    assert [(Path("/etc/eni-failover/orders.toml"), name) for name in ("beta", "alpha")] == started


def test_run_complains_in_one_line(run, started):
    """Contradicting arguments are exit 2 and one line, and no daemon is started."""
    result = run("run", "--config", "/x.toml", "--group", "orders")

    assert (result.code, result.out) == (2, "")
    assert result.err == "eni-failover: --config and --group both name the file: give one of them\n"
    assert started == []


def test_an_interrupted_run(run, started, monkeypatch):
    """Ctrl-C where nobody handles it is the shell's 130, without a traceback."""

    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["eni_failover.daemon"], "run", interrupted)
    result = run("run")

    assert (result.code, result.out, result.err) == (130, "", "")


def test_typers_run_is_the_same(started):
    """The `run` that help and completion know starts the daemon too."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["run", "--group", "orders", "--member", "alpha"])

    assert None is result.exception
    assert [(Path("/etc/eni-failover/orders.toml"), "alpha")] == started


def test_a_config_error_of_the_daemon(run, started, monkeypatch):
    """A mistake that the daemon leaves to its caller is exit 2, one line for each."""

    def refuse(*_: object, **__: object) -> int:
        raise ConfigError("one", "two")

    monkeypatch.setattr(sys.modules["eni_failover.daemon"], "run", refuse)
    result = run("run")

    assert (result.code, result.err) == (2, "eni-failover: one\neni-failover: two\n")
