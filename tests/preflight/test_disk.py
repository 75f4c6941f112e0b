"""Looks at a state directory, on a real one."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from eni_failover.journal_file import FILE, LOCK
from eni_failover.preflight.disk import look
from eni_failover.preflight.facts import LockState


def test_a_directory_in_health(tmp_path):
    """It can be written, has room and a free lock, and nothing is left in it."""
    found = look(tmp_path, daemon_answers=False)

    assert (found.exists, found.problem, found.lock) == (True, "", LockState.FREE)
    assert found.write_seconds is not None
    assert found.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_yet(tmp_path):
    """The room is that of the disk on which it will be."""
    found = look(tmp_path / "eni-failover" / "orders", daemon_answers=False)

    assert (found.exists, found.problem, found.write_seconds) == (False, "", None)
    assert found.free_bytes > 0


def test_a_file_in_its_place(tmp_path):
    """It is a problem, whoever asks."""
    (tmp_path / "state").write_text("")
    found = look(tmp_path / "state", daemon_answers=False)

    assert (found.problem, found.is_ours) == ("Not a directory", True)


def test_what_is_no_journal_is_a_problem_though_the_directory_is_in_health(tmp_path):
    """A FIFO is not waited for, and not the lock either."""
    os.mkfifo(tmp_path / FILE)
    os.mkfifo(tmp_path / LOCK)
    found = look(tmp_path, daemon_answers=False)

    assert (found.problem, found.is_ours) == (f"{FILE}: not a regular file", True)


def test_a_journal_in_health_stays_as_it_is(tmp_path):
    """It is only opened."""
    (tmp_path / FILE).write_text("{}\n")

    assert look(tmp_path, daemon_answers=False).problem == ""
    assert (tmp_path / FILE).read_text() == "{}\n"


@pytest.mark.parametrize(("uid", "is_ours"), [(0, False), (1, True)])
def test_a_refusal_counts_for_the_directorys_owner_alone(monkeypatch, tmp_path, uid, is_ours):
    """What another user may not do says little about the daemon."""

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1 - uid)
    found = look(tmp_path, daemon_answers=True)

    assert (found.problem, found.is_ours) == ("Permission denied", is_ours)


def test_a_full_disk_is_a_problem_whoever_asks(monkeypatch, tmp_path):
    """It is no matter of permission."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    found = look(tmp_path, daemon_answers=True)

    assert (found.problem, found.is_ours) == ("No space left on device", True)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_process(tmp_path):
    """It is taken, unless the daemon of this group answers: then it is its lock."""
    with (tmp_path / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        alone = look(tmp_path, daemon_answers=False)
        beside = look(tmp_path, daemon_answers=True)

    assert (alone.lock, beside.lock) == (LockState.TAKEN, LockState.OURS)


def test_a_look_does_not_keep_the_lock(tmp_path):
    """A daemon can take it right after."""
    (tmp_path / LOCK).write_text("")
    look(tmp_path, daemon_answers=False)
    with (tmp_path / LOCK).open("w") as taking:
        fcntl.flock(taking, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert look(tmp_path, daemon_answers=False).lock is LockState.FREE
