"""The addresses of one name, asked side by side ("happy eyeballs", RFC 8305)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from eni_failover.adapters.probes.names import Address
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.waiting import Waiting, time_left
from eni_failover.core.vocabulary import Answer

GAP = 0.25  # seconds; RFC 8305, section 8


async def side_by_side(
    addresses: Sequence[Address],
    ask: Callable[[Address], Coroutine[Any, Any, ProbeResult]],
    waiting: Waiting,
) -> ProbeResult:
    """Up when one address is up; else down when one is down; else unknown.

    The next address is asked after `GAP` seconds, or as soon as one has failed; earlier where the attempt is
    so short that the last one would not be asked, or would have no time to answer.
    """
    if len(addresses) == 1:
        return await ask(addresses[0])
    left = time_left()
    gap = GAP if left is None else min(GAP, left / len(addresses))
    queue = deque(addresses)
    running: set[asyncio.Task[ProbeResult]] = set()
    results: list[ProbeResult] = []
    try:
        while queue or running:
            if queue:
                running.add(asyncio.create_task(ask(queue.popleft())))
            done, running = await asyncio.wait(
                running, timeout=gap if queue else None, return_when=asyncio.FIRST_COMPLETED
            )
            results += [task.result() for task in done]
            if any(result.answer is Answer.UP for result in results):
                break
            if any(result.answer is Answer.DOWN for result in results):
                waiting.asked()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return min(results, key=_rank)


def _rank(result: ProbeResult) -> tuple[int, bool]:
    """Up before down before unknown; a sign of life first."""
    return (Answer.UP, Answer.DOWN, Answer.UNKNOWN).index(result.answer), not result.answered
