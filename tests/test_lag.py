"""The loop-lag guard: our own stalls are facts, also before they are over."""

from __future__ import annotations

import asyncio

import pytest

from eni_failover.core.model import Stall
from eni_failover.lag import LONGEST_TICK as TICK
from eni_failover.lag import LoopLag


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def guard(clock, lags=None, stalls=None):
    return LoopLag(
        clock=clock,
        threshold=1.0,
        on_lag=(lags if lags is not None else []).append,
        on_stall=lambda: (stalls if stalls is not None else []).append(1),
    )


def test_a_stall_is_seen_when_asked_for_even_before_the_own_timer_fires():
    """After a SIGSTOP the probes' timers may well run first."""
    clock, counted = Clock(), []
    lag = guard(clock, stalls=counted)
    clock.now += 1.75

    assert lag.stalls() == (Stall(from_at=100.0, to_at=101.75),)
    assert lag.stalls() == ()
    assert counted == [1]


def test_a_late_tick_within_bounds_is_no_stall():
    """Ordinary lateness is not a stall."""
    clock, counted = Clock(), []
    lag = guard(clock, stalls=counted)
    clock.now += 1.0

    assert lag.stalls() == ()
    assert counted == []


def test_a_stall_counts_whole_wherever_in_a_tick_it_began():
    """It began right after the last look: that it is late by less than the bound proves nothing."""
    clock = Clock()
    lag = guard(clock)
    clock.now += 1.0 + TICK / 2

    assert lag.stalls() == (Stall(from_at=100.0, to_at=100.0 + 1.0 + TICK / 2),)


def test_a_short_bound_is_watched_by_short_ticks():
    """Two in the time of a stall that half a timeout of 200 ms makes worth reporting."""
    clock = Clock()
    lag = guard(clock)
    lag.threshold = 0.1
    clock.now += lag.tick * 1.02
    in_time = lag.stalls()
    clock.now += 0.12

    assert lag.tick == 0.05
    assert in_time == ()
    stall = lag.stalls()[0]
    assert (stall.from_at, stall.to_at) == (pytest.approx(100.051), pytest.approx(100.171))


def test_the_watch_itself_stays_cheap():
    """A probe with a timeout of a millisecond does not make it tick thousands of times a second."""
    lag = guard(Clock())
    lag.threshold = 0.0005

    assert lag.tick == 0.01


def test_asking_often_does_not_hide_a_stall():
    """The time between two questions counts, however short the one before was."""
    clock = Clock()
    lag = guard(clock)
    clock.now += TICK / 2
    lag.stalls()
    clock.now += TICK / 2 + 1.5

    assert lag.stalls() == (Stall(from_at=100.0, to_at=100.0 + TICK + 1.5),)


def test_every_tick_reports_its_lag():
    """The histogram is fed by the running guard."""
    lags = []

    async def body():
        ticked = asyncio.Event()
        loop = asyncio.get_running_loop()
        lag = LoopLag(
            clock=loop.time,
            threshold=1.0,
            on_lag=lambda lag: (lags.append(lag), ticked.set()),
            on_stall=lambda: None,
        )
        task = asyncio.ensure_future(lag.run())
        await ticked.wait()
        task.cancel()

    asyncio.run(body())

    assert all(one >= 0 for one in lags)
