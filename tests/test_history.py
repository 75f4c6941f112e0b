"""The journal on a real disk: what survives a restart, and what a bad disk may do."""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from eni_failover import history, journal_file
from eni_failover.core.model import History, PauseKind, PauseRecord
from eni_failover.core.pause import LONGEST
from eni_failover.core.state import Durable, Move, RecentTakeover, Sent, Takeover
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger
from eni_failover.history import Journal, JournalLockedError, Moment
from eni_failover.journal_file import FILE

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
    past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=40.0),),
    pause=PauseRecord(
        kind=PauseKind.PAUSE, at=990.0, until=2_000.0, ends_at=1_100.0, reason="work", by="root@alpha"
    ),
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


class Clock:
    """The seconds since the boot, asleep or not."""

    def __init__(self, uptime: float) -> None:
        self.uptime = uptime

    def __call__(self) -> float:
        return self.uptime


def journal(directory, *, instance=INSTANCE, group=GROUP, boot=BOOT, uptime=110.0):
    return Journal(directory, group=group, instance_id=instance, boot=boot, uptime=Clock(uptime))


def at(one, now) -> Moment:
    """This moment, by each of the journal's clocks."""
    one._uptime.uptime = now
    return Moment(now=now, wall=900.0 + now)


def write(directory, *, durable=DURABLE, ended=(), now=110.0, wall=1_010.0, **kwargs):
    """What a daemon writes that has run since the host booted."""

    async def body():
        one = journal(directory, **kwargs)
        for line in ended:
            await one.record(line, Moment(now=now, wall=wall))
        if durable is not None:
            await one.remember(durable, Moment(now=now, wall=wall))
        one.close()
        return one.problem

    return asyncio.run(body())


def load(directory, *, now=140.0, wall=1_040.0, uptime=140.0, **kwargs):
    """What a daemon finds that starts thirty seconds later."""
    one = journal(directory, uptime=uptime, **kwargs)
    recovered = one.load(Moment(now=now, wall=wall), me="i-beta")
    one.close()
    return recovered


def reboot(directory, *, now=10.0, wall=1_040.0, uptime=10.0, **kwargs):
    """What it finds when the host has been started again."""
    return load(directory, now=now, wall=wall, uptime=uptime, **{"boot": "boot-2", **kwargs})


def test_a_restart_finds_the_takeover_with_its_times(tmp_path):
    """Thirty seconds later by the same clock, the detach is forty seconds ago."""
    problem = write(tmp_path)

    recovered = load(tmp_path)

    assert problem == ""
    assert recovered.problems == ()
    assert recovered.durable == DURABLE
    assert recovered.durable.takeover.is_committed


def test_a_reboot_finds_them_on_the_new_clock(tmp_path):
    """Thirty wall-clock seconds and another monotonic clock later."""
    write(tmp_path)

    recovered = reboot(tmp_path)

    assert recovered.problems == ()
    assert recovered.durable.takeover.moves[0].detach_sent_at == pytest.approx(10.0 - 40.0)
    assert recovered.durable.past[0].ended_at == pytest.approx(10.0 - 100.0)
    assert recovered.durable.pause.ends_at == pytest.approx(10.0 + 960.0)
    assert recovered.durable.takeover.takeover_id == "t1"


# Clocks that are set, or stand still --------------------------------------------------------------


@pytest.mark.parametrize("wall", [1_005.0, 0.0, 1e9], ids=["a little back", "1970", "far ahead"])
def test_within_a_boot_the_clock_may_be_set_as_anybody_likes(tmp_path, wall):
    """What is remembered is as old as the kernel counts."""
    write(tmp_path, ended=(ENDED,))

    recovered = load(tmp_path, wall=wall)

    assert recovered == history.Recovered(durable=DURABLE, history=(ENDED,))


def test_the_time_that_the_host_slept_counts(tmp_path):
    """EC2 and the other members have gone on; the monotonic clock has stood still."""
    write(tmp_path)

    recovered = load(tmp_path, uptime=740.0)

    assert recovered.durable.takeover.moves[0].detach_sent_at == pytest.approx(100.0 - 600.0)
    assert recovered.durable.pause.ends_at == pytest.approx(1_100.0 - 600.0)


def test_a_host_whose_boots_have_no_ids_goes_by_its_clock(tmp_path):
    """Empty on both sides is no proof of the same boot."""
    write(tmp_path, boot="")

    assert load(tmp_path, boot="", uptime=9_999.0).durable == DURABLE


def test_a_host_that_was_set_back_to_an_earlier_moment_goes_by_its_clock(tmp_path):
    """The snapshot of a running machine has the same boot, and less of it."""
    write(tmp_path)

    assert load(tmp_path, now=10.0, uptime=10.0).durable.takeover.started_at == pytest.approx(10.0 - 40.0)


def test_a_line_of_an_older_version_has_the_monotonic_clock_only(tmp_path):
    """It says when it was written by that, and when its pause ends by the host's clock."""
    older = replace(DURABLE, pause=replace(DURABLE.pause, ends_at=None))
    write(tmp_path, durable=older)
    edit(tmp_path, lambda line: line.pop("uptime"))

    recovered = load(tmp_path, wall=1_000.0)

    assert recovered.durable.takeover == TAKEOVER
    assert recovered.durable.pause.ends_at == pytest.approx(140.0 + 960.0)


def test_a_pause_of_an_older_version_without_an_end_has_one_now(tmp_path):
    """As every pause."""
    write(tmp_path, durable=replace(DURABLE, pause=replace(DURABLE.pause, until=None, ends_at=None)))

    assert load(tmp_path).durable.pause.ends_at == 140.0 + LONGEST


LAST_SECOND_OF_9998 = 253_370_764_799.0


@pytest.mark.parametrize("kind", list(PauseKind))
def test_a_pause_from_another_age_is_from_when_it_was_written(tmp_path, kind):
    """An older version took it from a liar. It holds for what is left of it, and later words win again."""
    forged = replace(DURABLE.pause, kind=kind, at=LAST_SECOND_OF_9998)
    local = replace(forged, at=1_000_000.0, local=True)
    write(tmp_path, durable=replace(DURABLE, pause=forged, local_pause=local))

    found = load(tmp_path)

    assert (found.durable.pause.at, found.durable.local_pause.at) == (1_010.0, 1_010.0)
    assert found.durable.pause.ends_at == 1_100.0
    assert f"a {kind} from the future: counted from when it was written (2 times)" in found.problems[0]


def test_a_pause_that_is_a_week_ahead_is_kept(tmp_path):
    """Its author's clock may have been corrected since: who resumes it is stamped after it."""
    ahead = replace(DURABLE, pause=replace(DURABLE.pause, at=1_010.0 + LONGEST))
    write(tmp_path, durable=ahead)

    assert load(tmp_path).durable.pause == ahead.pause
    assert load(tmp_path).problems == ()


def test_a_word_on_the_newest_that_a_peer_may_show_can_be_read_again(tmp_path):
    """The last moment that is taken from a document, and a thousandth."""
    durable = replace(DURABLE, pause=replace(DURABLE.pause, at=253_370_764_800.0 + 0.001))
    write(tmp_path, durable=durable)

    assert load(tmp_path).durable.pause is not None


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    """It would hide what is there: a mistake of ours is a problem to see, and the last memory stays."""
    write(tmp_path)
    problem = write(tmp_path, durable=replace(DURABLE, lost_at=math.nan))

    assert "cannot be read again" in problem
    assert load(tmp_path).durable.pause == DURABLE.pause


@pytest.mark.parametrize("back", [5.0, 3_600.0])
def test_over_a_reboot_a_clock_may_have_been_set_back_a_little(tmp_path, back):
    """Nothing is older than it was then, and nothing is lost."""
    write(tmp_path, ended=(ENDED,))

    recovered = reboot(tmp_path, wall=1_010.0 - back)

    assert recovered.problems == ()
    assert recovered.durable.takeover.started_at == pytest.approx(0.0)
    assert recovered.durable.lost_at == pytest.approx(-50.0)
    assert recovered.history == (ENDED,)


def test_a_memory_from_the_future_still_rolls_forward_and_holds_back(tmp_path):
    """A host without a clock of its own starts in 1970. Nothing that would start a takeover is kept."""
    write(tmp_path, ended=(ENDED,), wall=1e9)

    recovered = reboot(tmp_path, wall=20.0)

    assert recovered.durable.takeover.is_committed
    assert recovered.durable.takeover.started_at == pytest.approx(0.0)
    assert recovered.durable.pause.ends_at == pytest.approx(10.0 + 990.0)
    assert [taken.trigger for taken in recovered.durable.past] == [Trigger.PROBES]
    assert (recovered.durable.lost_at, recovered.durable.unfit_since_loss) == (None, False)
    assert recovered.history == ()
    assert [problem for problem in recovered.problems if "future" in problem] == list(recovered.problems)
    assert len(recovered.problems) == 2


def test_an_intent_from_the_future_is_dropped(tmp_path):
    """It has moved nothing, and its cause may be of any age."""
    intent = replace(TAKEOVER, committed=False, moves=(Move(eni_id="eni-1", recorded="a"),))
    write(tmp_path, durable=replace(DURABLE, takeover=intent), wall=1e9)

    assert reboot(tmp_path, wall=20.0).durable.takeover is None
    assert reboot(tmp_path, wall=1e9).durable.takeover is not None


def test_history_from_the_future_comes_back_when_the_clock_is_right(tmp_path, monkeypatch):
    """Though the file was written anew meanwhile."""
    monkeypatch.setattr(journal_file, "ROTATE_AT", 0)
    write(tmp_path, ended=(ENDED,), wall=1e9)

    async def body():
        one = journal(tmp_path, boot="boot-2", uptime=10.0)
        one.load(Moment(now=10.0, wall=20.0), me="i-beta")
        await one.remember(Durable(), Moment(now=11.0, wall=21.0))
        one.close()

    asyncio.run(body())

    assert reboot(tmp_path, boot="boot-3", wall=1e9 + 60.0).history == (ENDED,)


def test_a_memory_is_written_anew_when_the_clock_is_set(tmp_path):
    """1970 until the first answer of a time server: after the next reboot the clock is all there is."""
    clock = Clock(110.0)

    async def body():
        one = Journal(tmp_path, group=GROUP, instance_id=INSTANCE, boot=BOOT, uptime=clock)
        await one.remember(DURABLE, Moment(now=110.0, wall=10.0))
        clock.uptime = 120.0
        one.retry(Moment(now=120.0, wall=20.0))
        before = lines_in(tmp_path)
        one.retry(Moment(now=120.0, wall=1_000_020.0))
        await settled(one)
        one.retry(Moment(now=130.0, wall=1_000_020.0))
        await settled(one)
        one.close()
        return before

    assert (asyncio.run(body()), lines_in(tmp_path)) == (1, 2)
    assert reboot(tmp_path, wall=1_000_040.0).durable.takeover.started_at == pytest.approx(10.0 - 40.0)


def test_a_memory_of_the_boot_before_is_written_anew(tmp_path):
    """From then on this boot counts, whatever is done to the clock."""
    write(tmp_path)

    async def body():
        one = journal(tmp_path, boot="boot-2", uptime=10.0)
        one.load(Moment(now=10.0, wall=1_040.0), me="i-beta")
        one.retry(Moment(now=10.0, wall=1_040.0))
        await settled(one)
        one.close()

    asyncio.run(body())

    again = load(tmp_path, now=40.0, uptime=40.0, wall=0.0, boot="boot-2")
    assert again.problems == ()
    assert again.durable.takeover.started_at == pytest.approx(10.0 - 40.0)


# What is in the file ------------------------------------------------------------------------------


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

    assert load(tmp_path).durable.unfit_since_loss is False
    assert reboot(tmp_path).durable.unfit_since_loss is True


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"instance": "i-0ccccccccccccccc3"}, "another machine"),
        ({"group": "other"}, "group"),
    ],
)
def test_lines_that_are_not_ours_are_reported_and_ignored(tmp_path, kwargs, word):
    """A machine image or a shared directory must not make us act."""
    write(tmp_path, ended=(ENDED,))

    recovered = load(tmp_path, **kwargs)

    assert recovered.durable == Durable()
    assert recovered.history == ()
    assert len(recovered.problems) == 1
    assert word in recovered.problems[0]
    assert recovered.problems[0].endswith("(2 times)")


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


@pytest.mark.parametrize("data", [None, [], "memory", {"past": 1, "takeover": {"moves": [{}]}, "pause": []}])
def test_an_older_memory_is_used_when_the_newest_cannot_be_understood(tmp_path, data):
    """Where something of it can, that counts, and nothing else."""
    write(tmp_path)
    write(tmp_path, durable=Durable(last_had="gamma"))
    edit(tmp_path, lambda line: line.update(data=data))

    recovered = load(tmp_path)

    assert recovered.durable.last_had == (None if isinstance(data, dict) else "i-alpha")
    assert recovered.durable.takeover is not None
    assert any("memory" in problem for problem in recovered.problems)


def test_a_memory_that_was_repaired_is_written_anew(tmp_path):
    """The daemon reports it once, not at each start."""
    write(tmp_path)
    edit(tmp_path, lambda line: line["data"]["takeover"].update(trigger="sunspots"))

    async def body():
        one = journal(tmp_path)
        found = one.load(Moment(now=110.0, wall=1_010.0), me="i-beta")
        one.retry(Moment(now=110.0, wall=1_010.0))
        await settled(one)
        one.close()
        return found.durable

    repaired = asyncio.run(body())

    assert repaired.takeover.trigger is Trigger.UNOWNED
    assert load(tmp_path) == history.Recovered(durable=repaired)


def test_a_journal_full_of_trouble_is_reported_in_a_few_lines(tmp_path):
    """Whatever wrote it."""
    (tmp_path / FILE).write_bytes(b"nonsense\n" * 1_000)

    problems = load(tmp_path).problems

    assert len(problems) == history.MOST_PROBLEMS + 1
    assert problems[-1] == "980 more problems with the journal"


def test_a_journal_of_a_gigabyte_is_read_at_its_end_and_made_small(tmp_path):
    """Something else has written into it."""
    path = tmp_path / FILE
    write(tmp_path, ended=(ENDED,))
    good = path.read_bytes()
    os.truncate(path, 2**30)
    with path.open("ab") as file:
        file.write(b"\n" + good)

    recovered = load(tmp_path)
    write(tmp_path)

    assert (recovered.durable, recovered.history) == (DURABLE, (ENDED,))
    assert len(recovered.problems) == 1
    assert "too large" in recovered.problems[0]
    assert path.stat().st_size < 10_000


def test_the_file_is_rotated_and_keeps_memory_and_recent_history(tmp_path, monkeypatch):
    """The journal does not grow for ever, and rotation loses nothing that counts."""
    monkeypatch.setattr(journal_file, "ROTATE_AT", 4_000)
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
    assert "File exists" in one.problem


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


def edit(directory, change):
    """Changes the last line of the journal."""
    *before, last = (directory / FILE).read_text().splitlines()
    line = json.loads(last)
    change(line)
    (directory / FILE).write_text("".join(f"{text}\n" for text in (*before, json.dumps(line))))


def lines_in(directory) -> int:
    return len((directory / FILE).read_text().splitlines())


async def settled(one) -> None:
    """The write that a pass has begun is over."""
    await asyncio.wait((one._write.done,)) if one._write else None
    assert one._is_settled()


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
    one.load(Moment(now=110.0, wall=1_030.0), me="i-beta")
    (tmp_path / FILE).unlink()
    problems = write_on(one, "t1")
    one.close()

    assert "removed" in problems[0]
    assert [found.takeover_id for found in load(tmp_path).history] == ["t0", "t1"]


# Disks that refuse --------------------------------------------------------------------------------


@contextmanager
def full_disk(directory, room):
    """No file of this process may grow by more than this: what fits is written, as on a full disk."""
    path = directory / FILE
    size = path.stat().st_size if path.exists() else 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_write_that_failed_is_tried_again_with_what_is_durable_then(tmp_path):
    """Each five seconds, until it succeeds; the next start finds what was last true."""
    write(tmp_path, ended=(ENDED,))
    newest = replace(DURABLE, takeover=None, last_had="beta")

    async def body():
        one = journal(tmp_path)
        with full_disk(tmp_path, 40):
            await one.remember(DURABLE, at(one, 110.0))
            await one.record(replace(ENDED, takeover_id="t9"), at(one, 111.0))
            await one.remember(newest, at(one, 112.0))
            failed = one.problem
        seen = []
        for now in (112.1, 116.9, 117.0, 117.1, 130.0):
            one.retry(at(one, now))
            await settled(one)
            seen.append((one.problem == failed, lines_in(tmp_path)))
        one.close()
        return failed, seen

    failed, seen = asyncio.run(body())

    assert "File too large" in failed
    assert seen == [(True, 2), (True, 2), (False, 4), (False, 4), (False, 4)]
    recovered = load(tmp_path)
    assert recovered.problems == ()
    assert recovered.durable == newest
    assert [ended.takeover_id for ended in recovered.history] == ["t0", "t9"]


def test_each_try_that_fails_waits_five_seconds_for_the_next(tmp_path):
    """A disk that is full for a day is asked as often as that, and not at each pass."""
    tried = []
    now = 0

    async def counted():
        nonlocal now
        one = journal(tmp_path / "state")

        def append(*_):
            tried.append(now)
            raise OSError("full")

        one._file.append = append
        for now in range(110, 131):
            if now == 110:
                await one.remember(DURABLE, at(one, now))
            one.retry(at(one, now))
            await settled(one)

    asyncio.run(counted())

    assert tried == [110, 115, 120, 125, 130]


def test_a_torn_write_leaves_nothing_in_the_file(tmp_path):
    """However often it is tried: the next line is whole, and nothing is there to be reported."""
    write(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with full_disk(tmp_path, 100):
        problems = [write(tmp_path, durable=replace(DURABLE, last_had="gamma")) for _ in range(3)]
    after = (tmp_path / FILE).read_bytes()
    write(tmp_path, durable=replace(DURABLE, last_had="beta"))

    assert all("File too large" in problem for problem in problems)
    assert before == after
    assert load(tmp_path) == history.Recovered(durable=replace(DURABLE, last_had="beta"))


def test_a_rotation_that_fails_loses_nothing_and_is_tried_again(tmp_path, monkeypatch):
    """The line is on the disk all the same; the file is made small when there is room."""
    monkeypatch.setattr(journal_file, "ROTATE_AT", 3_000)
    in_the_way = (tmp_path / FILE).with_suffix(".new")
    in_the_way.mkdir()

    async def body():
        one = journal(tmp_path)
        for number in range(20):
            await one.record(replace(ENDED, takeover_id=f"t{number}"), at(one, 110.0))
        await one.remember(DURABLE, at(one, 110.0))
        failed, large = one.problem, load(tmp_path)
        in_the_way.rmdir()
        monkeypatch.setattr(history, "KEPT_HISTORY", 3)
        one._history = one._history[-3:]
        one.retry(at(one, 115.0))
        await settled(one)
        one.close()
        return failed, large, one.problem

    failed, large, after = asyncio.run(body())

    assert "cannot be made smaller" in failed
    assert (len(large.history), large.durable) == (20, DURABLE)
    assert after == ""
    assert (tmp_path / FILE).stat().st_size < 3_000
    assert load(tmp_path).durable == DURABLE


def test_a_rotation_after_a_failed_write_has_what_failed(tmp_path):
    """The journal was removed, and there was no room for a new one at first."""
    one = journal(tmp_path)

    async def body():
        await one.record(ENDED, at(one, 110.0))
        (tmp_path / FILE).unlink()
        with full_disk(tmp_path, 10):
            await one.remember(DURABLE, at(one, 111.0))
        failed = one.problem
        one.retry(at(one, 116.0))
        await settled(one)
        return failed, one.problem

    failed, after = asyncio.run(body())
    one.close()

    assert "File too large" in failed
    assert "removed" in after
    assert load(tmp_path) == history.Recovered(durable=DURABLE, history=(ENDED,))


@pytest.mark.parametrize("what", ["directory", "fifo", "device", "dangling link", "unreadable"])
def test_what_is_no_file_in_the_journals_place_is_a_problem_and_is_tried_again(tmp_path, what):
    """Nobody waits for the other end of a FIFO; when it is gone the journal begins anew."""
    path = tmp_path / FILE
    match what:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling link":
            path.symlink_to(tmp_path / "absent" / "journal")
        case _:
            path.symlink_to(path)
    one = journal(tmp_path)
    one.lock()
    found = one.load(at(one, 100.0), me="i-beta")

    async def body():
        await one.remember(DURABLE, at(one, 110.0))
        failed = one.problem
        path.rmdir() if what == "directory" else path.unlink()
        one.retry(at(one, 115.0))
        await settled(one)
        return failed

    failed = asyncio.run(body())
    one.close()

    assert bool(found.problems) is (what != "dangling link")
    assert failed
    assert one.problem == ""
    assert load(tmp_path).durable == DURABLE


def test_a_link_to_a_journal_on_another_disk_is_followed(tmp_path, monkeypatch):
    """Also when the file is written anew."""
    monkeypatch.setattr(journal_file, "ROTATE_AT", 0)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / FILE).symlink_to(elsewhere / "orders.jsonl")
    write(tmp_path, ended=(ENDED,))

    assert (tmp_path / FILE).is_symlink()
    assert load(tmp_path) == history.Recovered(durable=DURABLE, history=(ENDED,))
    assert (elsewhere / "orders.jsonl").stat().st_size > 0


def test_a_lock_that_could_not_be_taken_is_taken_with_a_later_write(tmp_path):
    """The directory was read only, or not there, when the daemon started."""
    state = tmp_path / "state"
    state.write_text("")
    one = journal(state)
    one.lock()
    started = one.problem
    state.unlink()

    async def body():
        one.retry(at(one, 110.0))
        await settled(one)

    asyncio.run(body())
    with pytest.raises(JournalLockedError):
        journal(state).lock()
    one.close()

    assert "state directory" in started
    assert one.problem == ""


# Disks that hang ----------------------------------------------------------------------------------


class Stuck:
    """A disk that hangs until it is released; `tried` are the lines of each write that began."""

    def __init__(self, monkeypatch) -> None:
        self.released = threading.Event()
        self.tried = []
        real = journal_file.JournalFile.append

        def append(file, lines, kept):
            self.tried.append([line["kind"] for line in lines])
            assert self.released.wait(30)
            return real(file, lines, kept)

        monkeypatch.setattr(journal_file.JournalFile, "append", append)
        monkeypatch.setattr(history, "WRITE_TIMEOUT", 0.01)


@pytest.fixture
def stuck(monkeypatch):
    disk = Stuck(monkeypatch)
    yield disk
    disk.released.set()


def test_a_hanging_disk_is_left_behind_and_nothing_queues_up(tmp_path, stuck):
    """One write waits for it, however long; then all that is durable is written at once."""
    newest = replace(DURABLE, last_had="gamma")

    async def body():
        one = journal(tmp_path)
        await one.remember(DURABLE, at(one, 110.0))
        seen = [one.problem]
        for number in range(3):
            await one.record(replace(ENDED, takeover_id=f"t{number}"), at(one, 111.0))
            one.retry(at(one, 200.0 + number))
        await one.remember(newest, at(one, 300.0))
        seen.append(one.problem)
        tried = list(stuck.tried)
        stuck.released.set()
        await settled(one)
        one.retry(at(one, 305.0))
        await settled(one)
        one.close()
        return [*seen, one.problem], tried

    problems, tried = asyncio.run(body())

    assert "slow" in problems[0]
    assert "hangs" in problems[1]
    assert problems[2] == ""
    assert tried == [["memory"]]
    assert stuck.tried == [["memory"], ["history", "history", "history", "memory"]]
    recovered = load(tmp_path, now=305.0, wall=1_205.0)
    assert recovered.durable.last_had == "gamma"
    assert [ended.takeover_id for ended in recovered.history] == ["t0", "t1", "t2"]


def test_a_try_that_hangs_is_waited_for_once(tmp_path, stuck):
    """A pass begins it and goes on; the next change waits its second for it, those after that do not."""

    async def body():
        one = journal(tmp_path)
        one.problem = "full"
        one.retry(at(one, 110.0))
        begun = one.problem
        await one.remember(DURABLE, at(one, 110.0))
        waited = one.problem
        await one.remember(DURABLE, at(one, 110.0))
        stuck.released.set()
        await settled(one)
        one.close()
        return begun, waited, one.problem

    begun, waited, after = asyncio.run(body())

    assert begun == "full"
    assert "slow" in waited
    assert after == ""
    assert len(stuck.tried) == 1


def test_a_daemon_ends_though_a_write_hangs(tmp_path):
    """Python waits for the threads of a pool at its exit: systemd would kill the daemon after its timeout."""
    code = (
        "import asyncio,pathlib,sys,time\n"
        "from eni_failover import history,journal_file\n"
        "from eni_failover.core.state import Durable\n"
        "journal_file.JournalFile.append=lambda *_: time.sleep(3600)\n"
        "history.WRITE_TIMEOUT=0.01\n"
        "j=history.Journal(pathlib.Path(sys.argv[1]),group='orders',instance_id='i')\n"
        "asyncio.run(j.remember(Durable(),history.Moment(now=1.0,wall=1.0)))\n"
        "j.close();print(j.problem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=30
    )

    assert "slow" in done.stdout
    assert done.stderr == ""


def test_a_start_does_not_wait_for_a_disk_that_hangs(tmp_path, monkeypatch):
    """It begins with an empty memory, says so, and takes the lock and writes when the disk answers."""
    monkeypatch.setattr(history, "START_TIMEOUT", 0.01)
    released = threading.Event()
    real = journal_file.JournalFile._locked
    monkeypatch.setattr(journal_file.JournalFile, "_locked", lambda file: (released.wait(30), real(file))[1])
    write(tmp_path)
    one = journal(tmp_path)
    one.lock()
    locking = one.problem
    found = one.load(at(one, 100.0), me="i-beta")

    async def body():
        await one.remember(replace(DURABLE, last_had="gamma"), at(one, 110.0))
        hanging = one.problem
        released.set()
        await asyncio.to_thread(one._starting.result)
        one.retry(at(one, 115.0))
        await settled(one)
        return hanging

    hanging = asyncio.run(body())
    monkeypatch.setattr(history, "START_TIMEOUT", 30.0)
    with pytest.raises(JournalLockedError):
        journal(tmp_path).lock()
    one.close()

    assert "has not answered" in locking
    assert found.durable == Durable()
    assert "has not answered" in found.problems[0]
    assert "hangs" in hanging
    assert one.problem == ""
    assert load(tmp_path).durable.last_had == "gamma"


# The lock -----------------------------------------------------------------------------------------


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
    monkeypatch.setattr(
        journal_file.os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor))
    )

    write(tmp_path)

    assert len(synced) == 1
