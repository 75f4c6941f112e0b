"""The operators' desk: turns what the control servers are asked into requests for the loop.

Owns the waiting for answers, bounded; decides nothing and never calls EC2. A flood of takeover
requests is one request: whoever comes while one is unanswered waits for the same answer.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from eni_failover.control import TakeoverAnswer, TakeoverState
from eni_failover.core.decision import RequestAnswer, RequestFate
from eni_failover.core.model import PauseRecord, PauseRequest, TakeoverRequest
from eni_failover.core.snapshot import Snapshot
from eni_failover.metrics import Metrics
from eni_failover.reconciler import Reconciler

ANSWER_TIMEOUT = 3.0

_STATES = {
    RequestFate.STARTED: TakeoverState.STARTED,
    RequestFate.JOINED: TakeoverState.JOINED,
    RequestFate.HELD: TakeoverState.HELD,
    RequestFate.REFUSED: TakeoverState.REFUSED,
}


class LoopDesk:
    """The daemon, as its servers see it (`control.Desk`)."""

    def __init__(
        self,
        *,
        reconciler: Reconciler,
        metrics: Metrics,
        reload: Callable[[], Awaitable[tuple[str, ...]]],
        clock: Callable[[], float],
    ) -> None:
        self._reconciler = reconciler
        self._metrics = metrics
        self._reload = reload
        self._clock = clock
        self._asked: dict[str, asyncio.Future[RequestAnswer]] = {}
        reconciler.on_answer = self._answered

    def snapshot(self) -> Snapshot | None:
        """The view of the last pass."""
        return self._reconciler.snapshot

    def last_pass_ended(self) -> float:
        """When a pass last ended, monotonic seconds."""
        return self._reconciler.pass_ended_at

    def metrics_page(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return self._metrics.page()

    async def takeover(self, *, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - the request's life
        """Asks for the group; the answer is `pending` when the loop cannot decide in three seconds."""
        request_id, asked, state = self._ask(reason, timeout)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answer = await asyncio.shield(asked)
        except TimeoutError:
            return TakeoverAnswer(state=TakeoverState.PENDING, reason="", request_id=request_id)
        if state is TakeoverState.JOINED and answer.fate is RequestFate.STARTED:
            return TakeoverAnswer(state=state, reason=answer.reason, request_id=request_id)
        return TakeoverAnswer(state=_STATES[answer.fate], reason=answer.reason, request_id=request_id)

    def _ask(self, reason: str, lifetime: float) -> tuple[str, asyncio.Future[RequestAnswer], TakeoverState]:
        for request_id, asked in self._asked.items():
            return request_id, asked, TakeoverState.JOINED
        request_id = uuid.uuid4().hex
        asked = self._asked[request_id] = asyncio.get_running_loop().create_future()
        request = TakeoverRequest(request_id=request_id, deadline=self._clock() + lifetime, reason=reason)
        self._reconciler.take_request(request)
        return request_id, asked, TakeoverState.STARTED

    def _answered(self, answer: RequestAnswer) -> None:
        asked = self._asked.pop(answer.request_id, None)
        if asked is not None and not asked.done():
            asked.set_result(answer)

    async def pause(self, request: PauseRequest) -> PauseRecord | None:
        """Pauses or resumes; the record it became, once the loop has taken it in."""
        taken = self._reconciler.take_request(request)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await taken
        durable = self._reconciler.state.durable
        return durable.local_pause if request.local else durable.pause

    async def reload(self) -> tuple[str, ...]:
        """Reads the file again; the problems, none when it was taken."""
        return await self._reload()
