"""The journal on a real disk: what survives a restart, and what a bad disk may do."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from eni_failover import history
from eni_failover.core.model import PauseKind, PauseRecord
from eni_failover.core.snapshot import History
from eni_failover.core.state import Durable, Move, Past, Sent, Takeover
from eni_failover.core.words import Phase, Reason, Result, Trigger
from eni_failover.history import Journal, JournalLockedError, Moment
from eni_failover.journal_lines import FILE

GROUP, INSTANCE, BOOT = "orders", "i-0bbbbbbbbbbbbbbb2", "boot-1"

TAKEOVER = Takeover(
    takeover_id="t1",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    started_at=100.0,
    started_wall=1_000.0,
    cause_at=97.0,
    matched_at=99.5,
    moves=(Move(eni_id="eni-1", recorded="eni-attach-1", detach=Sent.ACCEPTED, detach_sent_at=100.0),),
    committed=True,
)
DURABLE = Durable(
    last_had="i-alpha",
    lost_at=50.0,
    past=(Past(trigger=Trigger.PROBES, ended_at=40.0),),
    pause=PauseRecord(kind=PauseKind.PAUSE, at=990.0, until=2_000.0, reason="work", by="root@alpha"),
    takeover=TAKEOVER,
)
ENDED = History(
    takeover_id="t0",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    to_member="beta",
    started_wall=900.0,
    ended_wall=906.0,
    result=Result.SUCCESS,
    phases=((Phase.DETACH, 3.1), (Phase.ATTACH, 2.1)),
)


def journal(directory, *, instance=INSTANCE, group=GROUP, boot=BOOT):
    return Journal(directory, group=group, instance_id=instance, boot=boot)


def write(directory, *, durable=DURABLE, ended=(), now=110.0, wall=1_010.0, **kwargs):
    async def body():
        one = journal(directory, **kwargs)
        for line in ended:
            await one.record(line, Moment(now=now, wall=wall))
        if durable is not None:
            await one.remember(durable, Moment(now=now, wall=wall))
        one.close()
        return one.problem

    return asyncio.run(body())


def load(directory, *, now=10.0, wall=1_030.0, **kwargs):
    one = journal(directory, **kwargs)
    recovered = one.load(Moment(now=now, wall=wall), me="i-beta")
    one.close()
    return recovered


def test_a_restart_finds_the_takeover_with_its_times_on_the_new_clock(tmp_path):
    """Twenty wall-clock seconds and another monotonic clock later, the detach is 30 s ago."""
    problem = write(tmp_path)

    recovered = load(tmp_path)

    assert problem == ""
    assert recovered.problems == ()
    assert recovered.durable.takeover.moves[0].detach_sent_at == pytest.approx(10.0 - 30.0)
    assert recovered.durable.past[0].ended_at == pytest.approx(10.0 - 90.0)
    assert recovered.durable.pause == DURABLE.pause
    assert recovered.durable.takeover.takeover_id == "t1"
    assert recovered.durable.takeover.is_committed


def test_the_last_memory_line_counts(tmp_path):
    """A journal is appended to; what was written last is what is remembered."""
    write(tmp_path)
    write(tmp_path, durable=replace(DURABLE, takeover=None))

    assert load(tmp_path).durable.takeover is None


def test_an_empty_directory_is_an_empty_memory(tmp_path):
    """A first start remembers nothing and has nothing to complain about."""
    recovered = load(tmp_path)

    assert recovered == history.Recovered()


def test_an_operators_takeover_that_moved_nothing_does_not_live_over_a_restart(tmp_path):
    """It comes back already expired, so that the first pass drops it."""
    manual = replace(
        TAKEOVER,
        trigger=Trigger.MANUAL,
        committed=False,
        deadline_at=220.0,
        moves=(Move(eni_id="eni-1", recorded="a"),),
    )
    write(tmp_path, durable=replace(DURABLE, takeover=manual))

    takeover = load(tmp_path).durable.takeover

    assert takeover.deadline_at == takeover.started_at


def test_a_reboot_excuses_a_loss(tmp_path):
    """The machine was not running since it lost the ENI: row 11 may forgive that."""
    write(tmp_path)

    assert load(tmp_path).durable.excused is False
    assert load(tmp_path, boot="boot-2").durable.excused is True


@pytest.mark.parametrize(
    ("number", "kwargs", "word"),
    [
        (1, {"instance": "i-0ccccccccccccccc3"}, "another machine"),
        (2, {"group": "other"}, "group"),
        (3, {"wall": 1_000.0}, "future"),
    ],
)
def test_lines_that_are_not_ours_are_reported_and_ignored(tmp_path, number, kwargs, word):
    """A machine image, a shared directory or a clock set back must not make us act."""
    write(tmp_path, ended=(ENDED,))

    recovered = load(tmp_path, **kwargs)

    assert recovered.durable == Durable()
    assert recovered.history == ()
    assert len(recovered.problems) == 2
    assert all(word in problem for problem in recovered.problems)


def test_a_torn_last_line_is_ignored_and_the_next_line_is_whole(tmp_path):
    """A power cut in the middle of a write costs that line only."""
    write(tmp_path, ended=(ENDED,))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind":"memory","group":"ord')
    write(tmp_path, durable=None, ended=(replace(ENDED, takeover_id="t2"),))

    recovered = load(tmp_path)

    assert [one.takeover_id for one in recovered.history] == ["t0", "t2"]
    assert recovered.durable.takeover.takeover_id == "t1"
    assert recovered.problems == ("journal line 3 is torn or not ours: ignored",)


@pytest.mark.parametrize(
    "raw", [b"[]", b"\xff\xfe", b"{}", b'{"kind":1}', b"nonsense", b'{"kind":"memory","group":"orders"}']
)
def test_nonsense_in_the_journal_never_stops_a_start(tmp_path, raw):
    """Whatever is in the file, the worst is a reported line."""
    (tmp_path / FILE).write_bytes(raw + b"\n")

    recovered = load(tmp_path)

    assert recovered.durable == Durable()
    assert len(recovered.problems) == 1


def test_a_memory_of_wrong_shape_is_reported_and_ignored(tmp_path):
    """An older or newer version's memory that cannot be understood is as good as none."""
    write(tmp_path)
    path = tmp_path / FILE
    line = json.loads(path.read_text())
    line["data"]["takeover"]["trigger"] = "sunspots"
    path.write_text(json.dumps(line) + "\n")

    recovered = load(tmp_path)

    assert recovered.durable == Durable()
    assert "not understood" in recovered.problems[0]


def test_the_file_is_rotated_and_keeps_memory_and_recent_history(tmp_path, monkeypatch):
    """The journal does not grow for ever, and rotation loses nothing that counts."""
    monkeypatch.setattr(history, "ROTATE_AT", 4_000)
    monkeypatch.setattr(history, "KEPT_HISTORY", 3)

    async def body():
        one = journal(tmp_path)
        for number in range(30):
            await one.record(replace(ENDED, takeover_id=f"t{number}"), Moment(now=110.0, wall=1_010.0))
            await one.remember(DURABLE, Moment(now=110.0, wall=1_010.0))
        one.close()

    asyncio.run(body())

    recovered = load(tmp_path)
    assert (tmp_path / FILE).stat().st_size <= 4_000
    assert [one.takeover_id for one in recovered.history][-1] == "t29"
    assert recovered.durable.takeover is not None


def test_an_unusable_directory_is_a_problem_and_no_exception(tmp_path):
    """A full or read-only disk is loud, and never in the way of a takeover."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    one = journal(blocked)

    one.lock()
    locked = one.problem
    asyncio.run(one.remember(DURABLE, Moment(now=1.0, wall=1.0)))
    one.close()

    assert "state directory" in locked
    assert "Not a directory" in one.problem


def test_the_problem_goes_away_when_the_disk_works_again(tmp_path):
    """Readiness shows the disk as it is now, not as it once was."""
    directory = tmp_path / "later"
    one = journal(directory)

    async def body():
        await one.remember(DURABLE, Moment(now=1.0, wall=1.0))
        before = one.problem
        directory.mkdir()
        await one.remember(DURABLE, Moment(now=1.0, wall=1.0))
        return before

    before = asyncio.run(body())
    one.close()

    assert "No such file" in before
    assert one.problem == ""


@pytest.fixture
def running(tmp_path):
    """The journal of a daemon that has written a takeover and its memory; its directory is `state`."""
    one = journal(tmp_path / "state")
    one.lock()
    write_on(one)
    yield one
    one.close()


def write_on(one, takeover_id="t0") -> list[str]:
    """What is wrong after each of two writes."""

    async def body():
        await one.record(replace(ENDED, takeover_id=takeover_id), Moment(now=110.0, wall=1_010.0))
        recorded = one.problem
        await one.remember(DURABLE, Moment(now=110.0, wall=1_010.0))
        return [recorded, one.problem]

    return asyncio.run(body())


@pytest.mark.parametrize("how", ["removed", "moved away", "emptied", "made anew", "journal removed"])
def test_a_state_directory_that_goes_is_told_and_begun_anew(running, tmp_path, how):
    """The first write after it puts everything back, and says so; the next one is a write like any."""
    state = tmp_path / "state"
    if how == "moved away":
        state.rename(tmp_path / "elsewhere")
    else:
        for path in state.iterdir():
            if how != "journal removed" or path.name == FILE:
                path.unlink()
    if how in {"removed", "made anew"}:
        state.rmdir()
    if how == "made anew":
        state.mkdir()
    problems = write_on(running, "t1")

    assert problems == ["the journal was removed while this daemon ran: written anew", ""]
    assert [one.takeover_id for one in load(state).history] == ["t0", "t1"]
    assert load(state).durable.takeover.takeover_id == "t1"
    with pytest.raises(JournalLockedError):
        journal(state).lock()


def test_the_second_write_of_a_pass_does_not_cover_what_the_first_has_found(running, tmp_path):
    """A takeover that ends is a change of the memory, then a line of history; the problem is read last."""
    (tmp_path / "state" / FILE).unlink()

    async def body():
        await running.remember(DURABLE, Moment(now=110.0, wall=1_010.0))
        await running.record(ENDED, Moment(now=110.0, wall=1_010.0))
        return running.problem

    assert asyncio.run(body()) == "the journal was removed while this daemon ran: written anew"
    assert write_on(running)[-1] == ""


def test_a_state_directory_that_another_daemon_has_taken_is_left_to_it(running, tmp_path):
    """Two daemons in one journal would each read the other's memory as its own."""
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    other = journal(tmp_path / "state")
    other.lock()
    problems = write_on(running, "t1")
    other.close()
    later = write_on(running, "t2")

    assert problems == [f"{tmp_path / 'state'}: another eni-failover daemon uses this"] * 2
    assert later == ["the journal was removed while this daemon ran: written anew", ""]


def test_a_state_directory_that_cannot_be_made_again_is_a_problem(running, tmp_path):
    """Reported at each write like a full disk, and the daemon goes on."""
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    (tmp_path / "state").write_text("")
    problems = write_on(running, "t1")

    assert all("state" in problem for problem in problems)
    assert (tmp_path / "state").read_text() == ""


def test_a_journal_found_at_the_start_is_missed_too(tmp_path):
    """The daemon has not written yet, but has read."""
    write(tmp_path, ended=(ENDED,))
    one = journal(tmp_path)
    one.lock()
    one.load(Moment(now=10.0, wall=1_030.0), me="i-beta")
    (tmp_path / FILE).unlink()
    problems = write_on(one, "t1")
    one.close()

    assert "removed" in problems[0]
    assert [found.takeover_id for found in load(tmp_path).history] == ["t0", "t1"]


def test_a_hanging_disk_is_left_behind(tmp_path, monkeypatch):
    """A write that does not end is reported once its time is over, and the next is not queued behind."""
    monkeypatch.setattr(history, "WRITE_TIMEOUT", 0.01)
    release = threading.Event()
    one = journal(tmp_path)
    written = []
    monkeypatch.setattr(one, "_write", lambda line: (release.wait(10), written.append(line)))

    async def body():
        await one.remember(DURABLE, Moment(now=1.0, wall=1.0))
        slow = one.problem
        await one.remember(DURABLE, Moment(now=2.0, wall=2.0))
        hanging = one.problem
        release.set()
        await one._writing
        return slow, hanging

    slow, hanging = asyncio.run(body())
    one.close()

    assert "slow" in slow
    assert "hangs" in hanging
    assert len(written) == 1


def test_a_second_daemon_of_the_group_is_refused(tmp_path):
    """The lock is held for the process's life, and goes with it."""
    first, second = journal(tmp_path), journal(tmp_path)
    first.lock()

    with pytest.raises(JournalLockedError, match="another eni-failover daemon"):
        second.lock()
    first.close()
    second.close()
    third = journal(tmp_path)
    third.lock()
    third.close()

    assert third.problem == ""


def test_the_lock_goes_with_a_killed_process(tmp_path):
    """A kill -9 leaves nothing behind that would keep the next start out."""
    code = (
        "import pathlib,sys;from eni_failover.history import Journal;"
        "j=Journal(pathlib.Path(sys.argv[1]),group='orders',instance_id='i');j.lock();print('x',flush=True);"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()
        other = journal(tmp_path)
        with pytest.raises(JournalLockedError):
            other.lock()
        other.close()
    finally:
        process.kill()
        process.communicate()

    mine = journal(tmp_path)
    mine.lock()
    mine.close()

    assert mine.problem == ""


def test_each_line_is_flushed_to_the_disk(tmp_path, monkeypatch):
    """The intent survives a power cut: fsync comes before the write is called done."""
    synced = []
    real = os.fsync
    monkeypatch.setattr(history.os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor)))

    write(tmp_path)

    assert len(synced) == 1
