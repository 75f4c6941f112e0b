"""The role file of a broadcast, over reloads that name another one."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from eni_failover.broadcast import Broadcast
from eni_failover.rolefile import RoleFile
from tests.core.bench import Bench
from tests.core.builders import attached


@pytest.fixture
def broadcast(tmp_path):
    """Beta's, which stands by; its role file is `old`."""
    return Broadcast(
        policy=Bench(attached("alpha")).policy,
        prober=Mock(),
        metrics=Mock(),
        hooks=Mock(),
        role_file=RoleFile(tmp_path / "old"),
        notifier=Mock(),
        credentials_expiry=lambda: None,
    )


def passes(broadcast) -> list[str]:
    """One pass; the events about the role file."""
    bench = Bench(attached("alpha"))
    bench.run(1)
    with capture_logs() as lines:
        broadcast.published(bench.snapshot(), bench.state)
    return [line["event"] for line in lines if line["event"].startswith("role_file.")]


def names(tmp_path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_the_old_role_file_goes_when_the_new_one_is_written(broadcast, tmp_path):
    """It would say this role for ever."""
    passes(broadcast)
    broadcast.role_file = RoleFile(tmp_path / "new")
    before = names(tmp_path)
    told = passes(broadcast)

    assert before == ["old"]
    assert (names(tmp_path), told) == (["new"], [])
    assert (tmp_path / "new").read_text() == "standby\n"


def test_the_old_role_file_stays_until_the_new_one_is_written(broadcast, tmp_path):
    """A role that is a moment old is better than none; a third file takes the first one's place."""
    passes(broadcast)
    broadcast.role_file = RoleFile(tmp_path / "missing" / "role")
    told = passes(broadcast)
    meanwhile = names(tmp_path)
    broadcast.role_file = RoleFile(tmp_path / "third")
    passes(broadcast)

    assert told == ["role_file.failed"]
    assert meanwhile == ["old"]
    assert names(tmp_path) == ["third"]


def test_a_way_back_keeps_the_file(broadcast, tmp_path):
    """Two reloads between two passes."""
    passes(broadcast)
    broadcast.role_file = RoleFile(tmp_path / "old")
    passes(broadcast)

    assert names(tmp_path) == ["old"]


def test_an_old_role_file_that_stays_is_told_once(broadcast, tmp_path):
    """Best effort: the pass goes on, and does not try for ever."""
    passes(broadcast)
    (tmp_path / "old").unlink()
    (tmp_path / "old").mkdir()
    broadcast.role_file = RoleFile(tmp_path / "new")

    assert passes(broadcast) == ["role_file.not_removed"]
    assert passes(broadcast) == []
    assert names(tmp_path) == ["new", "old"]
