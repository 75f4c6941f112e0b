"""Blocking work in a thread of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from eni_failover.preflight.aside import Aside


def test_a_result_and_an_error_come_back():
    """What the work returns, and what it raises."""

    def fail():
        raise PermissionError("no")

    async def scene():
        aside = Aside()
        first = await aside.run(lambda: 42, within=5)
        with pytest.raises(PermissionError, match="no"):
            await aside.run(fail, within=5)
        return first

    assert asyncio.run(scene()) == 42


def test_work_that_hangs_is_given_up_and_not_begun_again():
    """The second run does not pile another thread upon the one that hangs."""
    let_go, begun = threading.Event(), []

    def hang():
        begun.append(1)
        let_go.wait(30)

    async def scene():
        aside = Aside()
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await aside.run(hang, within=0.05)

    try:
        asyncio.run(scene())
    finally:
        let_go.set()

    assert begun == [1]
