"""The takeovers in a journal, for those who run no daemon."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from eni_failover.core.model import History
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger
from eni_failover.history import Journal, Moment
from eni_failover.journal_file import FILE
from eni_failover.journal_lines import read_history, since_boot

GROUP, INSTANCE, OTHER = "orders", "i-0bbbbbbbbbbbbbbb2", "i-0ccccccccccccccc3"
ENDED = History(
    takeover_id="t0",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    to_member="beta",
    started_wall=900.0,
    ended_wall=906.0,
    result=Result.SUCCESS,
    phases=(),
)


def write(directory, *names, wall=1_010.0, instance=INSTANCE, group=GROUP, boot="boot-1"):
    """Appends an ended takeover for each name, as that machine's daemon does."""
    journal = Journal(directory, group=group, instance_id=instance, boot=boot)
    for name in names:
        asyncio.run(journal.record(replace(ENDED, takeover_id=name), Moment(now=110.0, wall=wall)))
    journal.close()


def remember(directory):
    """Appends a memory line."""
    journal = Journal(directory, group=GROUP, instance_id=INSTANCE, boot="boot-1")
    asyncio.run(journal.remember(Durable(), Moment(now=110.0, wall=1_010.0)))
    journal.close()


def names(directory, *, wall=2_000.0, boot="boot-9", group=GROUP) -> list[str]:
    found = read_history(directory, group=group, wall=wall, boot=boot)
    return [one.takeover_id for one in found.takeovers]


def left_out(directory, *, wall=2_000.0, boot="boot-9", group=GROUP) -> dict[str, int]:
    return dict(read_history(directory, group=group, wall=wall, boot=boot).left_out)


def test_history_is_read_without_a_daemon(tmp_path):
    """`eni-failover history` needs the file only."""
    write(tmp_path, "t0", "t2")

    assert names(tmp_path) == ["t0", "t2"]
    assert left_out(tmp_path) == {}


def test_another_groups_lines_are_left_out(tmp_path):
    """A directory that two groups have been given."""
    write(tmp_path, "t0")
    write(tmp_path, "t1", group="other")

    assert names(tmp_path) == ["t0"]
    assert left_out(tmp_path) == {"of another group": 1}


def test_lines_from_the_future_are_left_out(tmp_path):
    """As the daemon does; so near a future is no more than a clock that was set."""
    write(tmp_path, "t0", wall=5_600.0)
    write(tmp_path, "t1", wall=5_601.0)

    assert names(tmp_path) == ["t0"]
    assert left_out(tmp_path) == {"from the future": 1}


def test_what_this_boot_has_written_is_of_the_past(tmp_path):
    """Whatever has been done to the clock since."""
    write(tmp_path, "t0", wall=9_000.0)

    assert names(tmp_path, wall=20.0, boot="boot-1") == ["t0"]
    assert left_out(tmp_path, wall=20.0, boot="boot-1") == {}


def test_a_takeover_that_is_not_understood_is_counted(tmp_path):
    """One of a later version, after a downgrade: what of it is new and has a place to be left out is."""
    write(tmp_path, "t0", "t1", "t2")
    path = tmp_path / FILE
    first, second, third = path.read_text().splitlines()
    second = second.replace('"probes"', '"sunspots"')
    third = third.replace('"phases":[]', '"phases":[["drain",1.5],["detach",3.0]]')
    path.write_text(f"{first}\n{second}\n{third}\n")
    found = read_history(tmp_path, group=GROUP, wall=2_000.0, boot="boot-9")

    assert [ended.takeover_id for ended in found.takeovers] == ["t0", "t2"]
    assert found.takeovers[1].phases == ((Phase.DETACH, 3.0),)
    assert dict(found.left_out) == {"not understood": 1}


def test_a_fifo_is_no_history(tmp_path):
    """Nobody waits for its other end."""
    os.mkfifo(tmp_path / FILE)

    with pytest.raises(OSError, match="not a regular file"):
        names(tmp_path)


@pytest.mark.root
def test_the_uptime_is_the_hosts_in_every_container():
    """A time namespace has clocks of its own: the daemon in it has written the same journal before."""
    code = "import eni_failover.journal_lines as lines; print(lines.since_boot())"
    inside = subprocess.run(
        ["unshare", "--time", "--boottime", "100000", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )

    assert abs(float(inside.stdout) - since_boot()) < 60.0


def test_the_newest_line_says_which_machine_this_is(tmp_path):
    """A disk copied from another machine: since the first start here the newest line is ours."""
    write(tmp_path, "t0", "t1", instance=OTHER)
    before = names(tmp_path)
    write(tmp_path, "t2")

    assert before == ["t0", "t1"]
    assert names(tmp_path) == ["t2"]
    assert left_out(tmp_path) == {"of another machine": 2}


def test_a_memory_line_says_so_too(tmp_path):
    """A machine that has taken nothing over yet has a memory all the same."""
    write(tmp_path, "t0", instance=OTHER)
    remember(tmp_path)

    assert names(tmp_path) == []
    assert left_out(tmp_path) == {"of another machine": 1}


def test_a_line_of_this_boot_knows_better_than_the_newest(tmp_path):
    """A directory that two machines share by mistake: the kernel's boot id is this machine's alone."""
    write(tmp_path, "t0", boot="boot-9")
    write(tmp_path, "t1", instance=OTHER, boot="boot-2")

    assert names(tmp_path) == ["t0"]
    assert names(tmp_path, boot="boot-2") == ["t1"]
    assert names(tmp_path, boot="") == ["t1"]


def test_lines_without_a_boot_id_are_of_no_boot(tmp_path):
    """Where the kernel has none, it is empty on both sides, and equal for no reason."""
    write(tmp_path, "t0", boot="")
    write(tmp_path, "t1", instance=OTHER, boot="boot-2")

    assert names(tmp_path, boot="") == ["t1"]


def test_a_line_that_is_left_out_is_not_the_newest(tmp_path):
    """Neither another group's nor one from the future tells which machine this is."""
    write(tmp_path, "t0")
    write(tmp_path, "t1", instance=OTHER, group="other")
    write(tmp_path, "t2", instance=OTHER, wall=9_000.0)

    assert names(tmp_path) == ["t0"]


def test_no_journal_is_an_empty_history_and_no_directory_an_error(tmp_path):
    """Nothing happened yet, and nothing is there, are two things."""
    assert names(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        names(tmp_path / "absent")
