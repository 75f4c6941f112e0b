"""The takeovers in a journal, for those who run no daemon."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eni_failover.core.snapshot import History
from eni_failover.core.words import Reason, Result, Trigger
from eni_failover.history import Journal, Moment
from eni_failover.journal_lines import read_history

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

    async def body():
        journal = Journal(directory, group=group, instance_id=instance, boot=boot)
        for name in names:
            await journal.record(replace(ENDED, takeover_id=name), Moment(now=110.0, wall=wall))
        journal.close()

    asyncio.run(body())


def test_history_is_read_without_a_daemon(tmp_path):
    """`eni-failover history` needs the file only."""
    write(tmp_path, "t0", "t2")

    assert [one.takeover_id for one in read_history(tmp_path, group=GROUP)] == ["t0", "t2"]
    assert read_history(tmp_path, group="other") == ()


def test_no_journal_is_an_empty_history_and_no_directory_an_error(tmp_path):
    """Nothing happened yet, and nothing is there, are two things."""
    assert read_history(tmp_path, group=GROUP) == ()
    with pytest.raises(FileNotFoundError):
        read_history(tmp_path / "absent", group=GROUP)
