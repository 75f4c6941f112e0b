"""The way from a daemon to the lab's EC2 and back, without sockets and threads.

Owns latency, time-outs, and what an exchange that failed looks like to botocore; stands where the daemon's
`Ec2Client` stands, so that verdicts, translations and the bookkeeping of calls are the daemon's own. Must
not know why a call is made. Does not guarantee botocore's own wording of errors.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from eni_failover.adapters.ec2_client import Ticket, with_retries
from eni_failover.adapters.ec2_errors import translate
from eni_failover.adapters.ec2_model import Operation
from eni_failover.core.state import Takeover
from eni_failover.errors import UnansweredError
from eni_failover.lab import World as Lab
from eni_failover.lab.engine import Admission, Call
from eni_failover.lab.errors import Ec2Error
from eni_failover.lab.faults import FaultKind
from tests.sim.sim_clockwork import Clockwork
from tests.sim.sim_gaps import Gaps
from tests.sim.sim_network import API, Exchange, Network

URL = "https://ec2"
CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 4.0
CALL_MARGIN = 1.0
READS = frozenset({Operation.DESCRIBE_ENIS, Operation.DESCRIBE_INSTANCES, Operation.DESCRIBE_INSTANCE_TYPES})

Answer = Mapping[str, Any] | Exception

_UNDONE: Mapping[FaultKind | None, Exception] = {
    FaultKind.HANG: ReadTimeoutError(endpoint_url=URL),
    FaultKind.CLOSE: ConnectionClosedError(endpoint_url=URL),
    FaultKind.HTML: ResponseParserError("a page of a proxy"),
}
"""What a caller gets of a call that did not take effect."""
_UNTOLD: Mapping[FaultKind | None, Exception] = {
    FaultKind.LOST: ConnectionClosedError(endpoint_url=URL),
    FaultKind.TRUNCATED: ResponseParserError("half an answer"),
}
"""What a caller gets of a call that did."""


@dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """One request on its way: who sent it, what for, and whether the caller's thread has ended."""

    host: str
    instance_id: str
    life: int
    operation: Operation
    parameters: Mapping[str, Any]
    sent_at: float
    intent: Takeover | None = None
    is_done: bool = False

    @property
    def is_mutation(self) -> bool:
        """Whether it changes something."""
        return self.operation not in READS and not self.parameters.get("DryRun")

    def done(self) -> bool:
        """As of a future: whether the thread has ended."""
        return self.is_done


class Wire:
    """Carries requests; `watcher` is told of each that EC2 decided, and of each answer that was heard."""

    def __init__(
        self,
        clockwork: Clockwork,
        rng: random.Random,
        *,
        lab: Lab,
        network: Network,
        latency: float,
        jitter: float,
        decided: Callable[[Flight, Answer], None],
    ) -> None:
        self._clockwork = clockwork
        self._random = rng
        self._lab = lab
        self._network = network
        self._latency = latency
        self._jitter = jitter
        self._decided = decided
        self.gaps = Gaps()

    def send(self, flight: Flight, answered: Callable[[Answer], None]) -> None:
        """Send it; `answered` is called once, never later than after both time-outs."""

        def answer(what: Answer, *, after: float) -> None:
            def end() -> None:
                flight.is_done = True
                answered(what)

            self._clockwork.after(after, end)

        match self._network.exchange(flight.host, API):
            case Exchange.UNASKED:
                answer(ConnectTimeoutError(endpoint_url=URL), after=CONNECT_TIMEOUT)
            case Exchange.UNHEARD:
                self._arrive_after(flight, lambda _: None)
                answer(ReadTimeoutError(endpoint_url=URL), after=READ_TIMEOUT)
            case Exchange.DONE:
                self._arrive_after(flight, lambda what: answer(what, after=self._half()))

    def _half(self) -> float:
        spread = 1.0 + self._jitter * (self._random.random() - 0.5) if self._jitter else 1.0
        return self._latency / 2 * spread

    def _arrive_after(self, flight: Flight, answer: Callable[[Answer], None]) -> None:
        self._clockwork.after(self._half(), lambda: self._arrive(flight, answer))

    def _arrive(self, flight: Flight, answer: Callable[[Answer], None]) -> None:
        call = Call(action=flight.operation, parameters=flight.parameters, caller=flight.instance_id)
        admission = self._lab.admit(call)
        fault = admission.fault
        kind, seconds = (fault.kind, fault.seconds) if fault else (None, 0.0)
        if kind in _UNDONE:
            self._clockwork.after(
                READ_TIMEOUT if kind is FaultKind.HANG else 0.0, lambda: answer(_UNDONE[kind])
            )
        elif kind in _UNTOLD:
            self._execute(flight, admission)
            answer(_UNTOLD[kind])
        elif kind is FaultKind.LATE:
            self._answer_late(self._execute(flight, admission), seconds, answer)
        elif kind is FaultKind.DELAY and seconds < READ_TIMEOUT:
            self._clockwork.after(seconds, lambda: answer(self._execute(flight, admission)))
        elif kind is FaultKind.DELAY:
            self._clockwork.after(seconds, lambda: self._execute(flight, admission))
            self._answer_late({}, seconds, answer)
        else:
            answer(self._execute(flight, admission))

    def _execute(self, flight: Flight, admission: Admission) -> Answer:
        try:
            what: Answer = self.gaps.punched(
                flight.operation, flight.instance_id, self._lab.execute(admission)
            )
        except Ec2Error as error:
            what = _client_error(error, flight.operation)
        self._decided(flight, what)
        return what

    def _answer_late(self, what: Answer, after: float, answer: Callable[[Answer], None]) -> None:
        """So late that the caller's socket may have given up."""
        if after >= READ_TIMEOUT:
            after, what = READ_TIMEOUT, ReadTimeoutError(endpoint_url=URL)
        self._clockwork.after(after, lambda: answer(what))


def _client_error(error: Ec2Error, operation: str) -> ClientError:
    """EC2's refusal as botocore raises it."""
    response = {
        "Error": {"Code": error.code, "Message": error.message},
        "ResponseMetadata": {"HTTPStatusCode": error.status},
    }
    return ClientError(response, operation)  # type: ignore[arg-type]


class Paper:
    """Stands for boto3's client: writes down what would be sent."""

    def __getattr__(self, name: str) -> Callable[..., Mapping[str, Any]]:
        return lambda **parameters: parameters


class SimEc2Client:
    """The daemon's `Ec2Client`, as far as the adapter uses it.

    `intent` is the takeover that the daemon has on its mind when it calls; `sent` and `heard` overhear
    every request that leaves and every answer that comes.
    """

    credentials_expiry = None

    def __init__(
        self,
        *,
        host: str,
        instance_id: str,
        life: int,
        wire: Wire,
        rng: random.Random,
        clock: Callable[[], float],
        world_clock: Callable[[], float],
        intent: Callable[[], Takeover | None],
        sent: Callable[[Flight], None],
        heard: Callable[[Flight, Mapping[str, Any]], None],
    ) -> None:
        self._host = host
        self._instance_id = instance_id
        self._life = life
        self._wire = wire
        self._random = rng
        self._clock = clock
        self._world_clock = world_clock
        self._intent = intent
        self._sent = sent
        self._heard = heard

    def jitter(self) -> float:
        """A number from 0 to 1, the same in each run of a seed."""
        return self._random.random()

    async def warm(self) -> None:
        """There is nothing to build."""

    async def refresh_credentials(self) -> None:
        """Credentials last."""

    def close(self) -> None:
        """There is nothing to close."""

    def ticket(self) -> Ticket:
        """A ticket for a call that begins now."""
        return Ticket(begin_before=self._clock() + CALL_MARGIN)

    async def call(
        self,
        operation: Operation,
        send: Callable[[Any], Mapping[str, Any]],
        *,
        ticket: Ticket | None = None,
        patience: float | None = None,
    ) -> Any:
        """One attempt. Raises the AdapterError that the daemon's own table makes of a failure."""
        ticket = ticket or self.ticket()
        flight = Flight(
            host=self._host,
            instance_id=self._instance_id,
            life=self._life,
            operation=operation,
            parameters=send(Paper()),
            sent_at=self._world_clock(),
            intent=self._intent(),
        )
        ticket.work = flight  # type: ignore[assignment]
        ticket.sent_at = self._clock()
        self._sent(flight)
        heard: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._wire.send(flight, lambda what: None if heard.done() else heard.set_result(what))
        limit = CONNECT_TIMEOUT + READ_TIMEOUT + CALL_MARGIN if patience is None else patience
        try:
            async with asyncio.timeout(limit):
                answer = await heard
        except TimeoutError:
            raise UnansweredError(f"no answer within {limit:.1f} s", code="timeout") from None
        if isinstance(answer, Exception):
            raise translate(answer) from answer
        self._heard(flight, answer)
        return answer

    async def ask(self, operation: Operation, send: Callable[[Any], Mapping[str, Any]]) -> Any:
        """A call that changes nothing, with the daemon's retries, by this clock and this seed's jitter."""
        pauses: list[float] = []

        async def attempt(left: float | None) -> Any:
            pauses.append(self._random.uniform(0.0, min(0.4, 0.1 * 2 ** len(pauses))))
            return await self.call(operation, send, patience=left)

        return await with_retries(attempt, clock=self._clock, wait=lambda _: pauses[-1])
