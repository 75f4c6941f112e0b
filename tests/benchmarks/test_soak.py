"""The soak's verdict: what counts as grown, and a short one with real daemons."""

from __future__ import annotations

import random

import pytest

from benchmarks.places import HOLDER, STANDBY, place, serve
from benchmarks.soak import Part, Soak, grown
from eni_failover.lab import Durations, Settings


def part(memory: float = 150.0, threads: int = 10, files: int = 24, journals: int = 10_000) -> Part:
    """The end of a tenth."""
    return Part(ends_at=1.0, memory=memory, threads=threads, files=files, journals=journals)


@pytest.mark.parametrize(
    ("last", "named"),
    [
        (part(), []),
        (part(memory=156.0, threads=12), []),
        (part(memory=160.0), ["memory"]),
        (part(threads=14), ["threads"]),
        (part(files=28), ["files"]),
        (part(journals=4_000_000), ["journals"]),
        (part(memory=200.0, files=90), ["memory", "files"]),
    ],
)
def test_what_is_more_at_the_end_than_in_the_first_half_has_grown(last, named):
    """But for a little, and for pools that fill in the first half."""
    found = grown([part(threads=2), part(), part(), part(), last])

    assert [text.partition(":")[0] for text in found] == named


@pytest.mark.slow
def test_each_thing_that_is_done_to_the_pair_comes_about():
    """A takeover, a reload, a pause and a restart, one after the other, of two real daemons."""
    settings = Settings(latency=0.005, durations=Durations(detach=0.05, attach=0.05), throttle=False)
    with place(settings, loopback=True) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        soak = Soak(pair, random.Random(1))
        for name in ("takeover", "reload", "pause", "restart", "takeover"):
            soak.do(name)
        end = part()
        soak.count(end)

    assert end.memory > 50.0
    assert min(end.threads, end.files, end.journals) > 0
