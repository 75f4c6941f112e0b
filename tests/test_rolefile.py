"""The role file: one word, replaced whole, and a failure that is told and not raised."""

import os
import stat
from pathlib import Path

import pytest

from eni_failover import rolefile
from eni_failover.core.vocabulary import Role
from eni_failover.rolefile import RoleFile


@pytest.mark.parametrize("role", list(Role))
def test_file_is_the_role_on_one_line(tmp_path: Path, role: Role) -> None:
    """The file is the role and a line end, whatever was there before, and nothing is left beside it."""
    path = tmp_path / "orders.role"
    path.write_text("something longer than any role\n")

    assert RoleFile(path).write(role) == ""
    assert path.read_text() == f"{role}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_readable_by_everybody_whatever_the_umask(tmp_path: Path) -> None:
    """The mode is 0644 under any umask."""
    path = tmp_path / "orders.role"
    before = os.umask(0o077)
    try:
        RoleFile(path).write(Role.ACTIVE)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_reader_that_has_the_old_file_keeps_the_old_line(tmp_path: Path) -> None:
    """The file is replaced, not rewritten: an open reader never sees half a line."""
    path = tmp_path / "orders.role"
    file = RoleFile(path)
    file.write(Role.STANDBY)
    with path.open() as reader:
        file.write(Role.ACTIVE)

        assert reader.read() == "standby\n"
    assert path.read_text() == "active\n"


def test_what_a_crash_left_is_written_over(tmp_path: Path) -> None:
    """A half-written new file of an earlier process does not stand in the way."""
    (tmp_path / ".orders.role.new").write_text("half of something much longer")
    path = tmp_path / "orders.role"

    assert RoleFile(path).write(Role.FAULT) == ""
    assert path.read_text() == "fault\n"


def test_a_fifo_in_the_new_files_place_is_not_waited_for(tmp_path: Path) -> None:
    """It is removed, as whatever a crash left."""
    os.mkfifo(tmp_path / ".orders.role.new")
    path = tmp_path / "orders.role"

    assert RoleFile(path).write(Role.FAULT) == ""
    assert path.read_text() == "fault\n"


def test_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    """A failure is returned as one line with the path; nothing is raised."""
    path = tmp_path / "missing" / "orders.role"

    assert RoleFile(path).write(Role.ACTIVE) == f"{path}: No such file or directory"


def test_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the new file cannot take its place, it is removed again."""
    path = tmp_path / "orders.role"
    path.mkdir()

    assert RoleFile(path).write(Role.ACTIVE) == f"{path}: Is a directory"
    assert list(tmp_path.iterdir()) == [path]


def test_link_in_the_new_files_place_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link that somebody put there does not lead the daemon to another file."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / ".orders.role.new").symlink_to(precious)

    assert RoleFile(tmp_path / "orders.role").write(Role.ACTIVE) == ""
    assert (tmp_path / "orders.role").read_text() == "active\n"
    assert not (tmp_path / "orders.role").is_symlink()
    assert precious.read_text() == "precious"


def test_file_gives_way_to_another(tmp_path: Path) -> None:
    """Nobody rewrites it any more: it would say this role for ever."""
    old, new = tmp_path / "old.role", tmp_path / "new.role"
    file, successor = RoleFile(old), RoleFile(new)
    file.write(Role.ACTIVE)
    successor.write(Role.ACTIVE)

    assert file.give_way(successor) == ""
    assert list(tmp_path.iterdir()) == [new]


def test_file_that_is_gone_already_gives_way(tmp_path: Path) -> None:
    """Somebody was faster: nothing to tell."""
    successor = RoleFile(tmp_path / "new.role")
    successor.write(Role.ACTIVE)

    assert RoleFile(tmp_path / "old.role").give_way(successor) == ""


def test_file_does_not_give_way_to_itself_by_another_name(tmp_path: Path) -> None:
    """/var/run and /run are one directory: the new file must stay."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to(tmp_path / "run")
    file, successor = RoleFile(tmp_path / "run" / "role"), RoleFile(tmp_path / "var" / "role")
    file.write(Role.ACTIVE)
    successor.write(Role.ACTIVE)

    assert file.give_way(successor) == ""
    assert (tmp_path / "var" / "role").read_text() == "active\n"


def test_file_that_cannot_give_way_is_told(tmp_path: Path) -> None:
    """A failure is returned as one line with the path."""
    old, new = tmp_path / "old.role", tmp_path / "new.role"
    old.mkdir()
    RoleFile(new).write(Role.ACTIVE)

    assert RoleFile(old).give_way(RoleFile(new)) == f"{old}: Is a directory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room is an answer, not an exception, and the old role stays."""
    path = tmp_path / "orders.role"
    file = RoleFile(path)
    file.write(Role.STANDBY)
    monkeypatch.setattr(rolefile, "open_fresh", lambda path: os.open("/dev/full", os.O_WRONLY))
    monkeypatch.setattr(os, "fchmod", lambda descriptor, mode: None)

    assert file.write(Role.ACTIVE) == f"{path}: No space left on device"
    assert path.read_text() == "standby\n"
