"""One long-lived boto3 EC2 client in its own threads: every call is one attempt with a deadline.

Owns the client's settings, the threads, the deadlines, the retries of calls that change nothing, and
the report of each attempt. Must not know what the calls are for. Does not guarantee that a call given
up has no effect: what it sent may still have one.

boto3 blocks, and nothing stops a thread. So a call is begun within a second of being asked for or not at
all, and its connection ends when its caller gives up (`answer_bounds`): only a name that is being resolved
holds a thread longer (`Ticket.is_running`). Each operation has few threads of its own, so that one whose
answers do not end takes them from no other; what changes something has others than what asks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.session import Session
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from eni_failover.adapters.answer_bounds import LARGEST_OF_EC2, allowing, refuse_bombs
from eni_failover.adapters.aws_settings import why_no_answer, why_no_client
from eni_failover.adapters.credential_process import HelperProcess
from eni_failover.adapters.credentials import (
    LOAD_WITHIN,
    CredentialKeeper,
    exempt_imds_from_proxies,
    keep_credentials,
)
from eni_failover.adapters.ec2_errors import CALL_ERRORS, CONNECTION, TIMEOUT, is_about_credentials, translate
from eni_failover.adapters.ec2_model import Operation, trim_model
from eni_failover.adapters.ec2_shapes import refuse_misread
from eni_failover.errors import (
    NO_CLIENT,
    AdapterError,
    InvariantError,
    TerminalError,
    ThrottledError,
    TransientError,
    UnansweredError,
)

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

OK = "ok"

# Of one operation at once. An instance has at most 15 ENIs beside its own.
_QUESTION_THREADS = 4
_CHANGE_THREADS = 16
# The client's own work: building it, refreshing credentials.
_OWN_THREADS = 2
# Connections that are kept, whoever has made them.
_CONNECTIONS = 16
# A call not begun this many seconds after it was asked for is not begun any more.
_START_WITHIN = 1.0
_BUILD_TIMEOUT = 30.0
_ATTEMPTS = 3
# Seconds for all retries together, after the first attempt has ended.
_RETRY_BUDGET = 1.0
_BACKOFF = wait_random_exponential(multiplier=0.1, max=0.4)
# What EC2 refuses for want of tokens is not asked again at once: `quota` says when.
_RETRIED = retry_if_exception_type((TransientError, UnansweredError)) & retry_if_not_exception_type(
    ThrottledError
)

_Answer = TypeVar("_Answer", bound=Mapping[str, Any])
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReport:
    """One attempt: `operation` as in CloudTrail; `code` is ok, EC2's own, `timeout` or `connection`."""

    operation: Operation
    code: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Ticket:
    """One call's way through a thread. `sent_at` stays None while, and if, nothing was sent."""

    begin_before: float
    sent_at: float | None = None
    work: Future[Any] | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether the call's thread has not ended yet."""
        return self.work is not None and not self.work.done()


class _RetryBudget(stop_base):
    """No attempt begins later than this many seconds, of `clock`, after the first one ended."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds left for the next attempt; None for the first, which has its full deadline."""
        return None if self._until is None else self._until - self._clock()

    def begin(self) -> None:
        """An attempt has ended: the first one starts the count."""
        self._until = self._until or self._clock() + _RETRY_BUDGET

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self.left is not None and retry_state.upcoming_sleep >= self.left


async def with_retries(
    attempt: Callable[[float | None], Awaitable[_T]],
    *,
    clock: Callable[[], float],
    wait: Callable[[RetryCallState], float] | None = None,
) -> _T:
    """A call that changes nothing, tried up to three times, all retries within one second.

    `attempt` is given the seconds that it has, None for the first, which has its full deadline; `wait` says
    how long to wait for the next one. Raises the last attempt's AdapterError.
    """
    budget = _RetryBudget(clock)
    async for one in AsyncRetrying(
        retry=_RETRIED,
        wait=wait or _BACKOFF,
        stop=stop_after_attempt(_ATTEMPTS) | budget,
        reraise=True,
    ):
        with one:
            try:
                return await attempt(budget.left)
            finally:
                budget.begin()
    raise InvariantError("a retry ended without an answer and without an error")


class Ec2Client:
    """The threads and the client. Times are seconds of `clock`, which is monotonic.

    `region` is where this instance is, used when neither AWS_REGION, AWS_DEFAULT_REGION nor the AWS
    configuration file names one. `on_request` is called in the event loop, once for each attempt.
    """

    def __init__(
        self,
        *,
        region: str | None,
        group: str,
        version: str,
        connect_timeout: float,
        read_timeout: float,
        clock: Callable[[], float],
        on_request: Callable[[RequestReport], None],
        endpoint_url: str | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._wall = wall
        self._on_request = on_request
        self._patience = connect_timeout + read_timeout + _START_WITHIN
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            # One attempt: a retry inside botocore could hide that the first one took effect.
            retries={"total_max_attempts": 1, "mode": "standard"},
            tcp_keepalive=True,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra=f"eni-failover/{version} group/{group}",
        )
        # An executor has no thread before its first work.
        self._own = _executor(_OWN_THREADS)
        self._questions = {operation: _executor(_QUESTION_THREADS) for operation in Operation}
        self._changes = {operation: _executor(_CHANGE_THREADS) for operation in Operation}
        self._session: Session | None = None
        self._client: EC2Client | None = None
        self._keeper: CredentialKeeper | None = None

    async def warm(self) -> None:
        """Build the client and load the credentials, so that no call has to; the first call connects.

        Raises TerminalError when there is no client: boto3 rejects the settings (no region, a bad endpoint
        or profile), or takes half a minute. Raises TransientError when there are no credentials yet: calls
        work as soon as there are.
        """
        if self._client is None:
            exempt_imds_from_proxies(os.environ)
            try:
                self._client, self._keeper = await self._in_thread(
                    self._own, self._build, patience=_BUILD_TIMEOUT
                )
            except UnansweredError as error:
                raise TerminalError(f"boto3 makes no EC2 client: {error}", code=NO_CLIENT) from error
        await self.refresh_credentials()

    async def refresh_credentials(self) -> None:
        """Replace the credentials ahead of need; the ones in hand stay when that fails.

        Raises TransientError when no newer ones were had, also when the chain hangs.
        """
        await self._in_thread(self._own, self._ready()[1].refresh, patience=LOAD_WITHIN + 1.0)

    @property
    def credentials_expiry(self) -> float | None:
        """When the credentials in hand expire, in Unix seconds; None when they last, or there are none."""
        return self._keeper.expiry if self._keeper else None

    @property
    def client(self) -> EC2Client:
        """The boto3 client; raises InvariantError before `warm`."""
        return self._ready()[0]

    def ticket(self) -> Ticket:
        """A ticket for a call that begins now."""
        return Ticket(begin_before=self._clock() + _START_WITHIN)

    async def call(
        self,
        operation: Operation,
        send: Callable[[EC2Client], _Answer],
        *,
        ticket: Ticket | None = None,
        patience: float | None = None,
    ) -> _Answer:
        """One attempt, which ends after `patience` seconds; one that changes something comes with a ticket.

        Raises the AdapterError that says what is known of it afterwards.
        """
        threads = self._lane(operation, changes=ticket is not None)
        ticket = ticket or self.ticket()
        started = self._clock()
        patience = self._patience if patience is None else patience
        until = time.monotonic() + patience
        try:
            answer = await self._in_thread(
                threads, lambda: self._send(send, ticket, until), patience=patience, ticket=ticket
            )
        except AdapterError as error:
            self._report(operation, error.code, started)
            if ticket.sent_at is None and isinstance(error, UnansweredError):
                raise TransientError("not sent: no thread was free in time", code=TIMEOUT) from None
            raise
        self._report(operation, OK, started)
        return answer

    async def ask(self, operation: Operation, send: Callable[[EC2Client], _Answer]) -> _Answer:
        """A call that changes nothing, tried up to three times, all retries within one second.

        Raises the last attempt's AdapterError.
        """
        return await with_retries(
            lambda left: self.call(operation, send, patience=left), clock=time.monotonic
        )

    def close(self) -> None:
        """Close the connections and start no call any more; threads end with their sockets' timeouts.

        Helper programs of the credential chain are ended, of other clients too: those start them again.
        """
        for threads in (self._own, *self._questions.values(), *self._changes.values()):
            threads.shutdown(wait=False, cancel_futures=True)
        HelperProcess.end_all()
        if self._client is not None:
            self._client.close()

    def _report(self, operation: Operation, code: str, started: float) -> None:
        self._on_request(RequestReport(operation=operation, code=code, seconds=self._clock() - started))

    def _ready(self) -> tuple[EC2Client, CredentialKeeper]:
        if self._client is None or self._keeper is None:
            raise InvariantError("Ec2Client was used before warm()")
        return self._client, self._keeper

    def _build(self) -> tuple[EC2Client, CredentialKeeper]:
        """Runs in a thread: boto3 reads and checks megabytes of EC2's model."""
        session = Session()
        try:
            trim_model(session)
            # botocore itself knows AWS_DEFAULT_REGION only.
            region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or self._region
            if region:  # also for what the chain asks: STS, Identity Center
                session.set_config_variable("region", region)
            session.register("before-parse.sts", _refuse_bombs)
            keeper = keep_credentials(session, wall=self._wall)
            client = boto3.Session(botocore_session=session, region_name=region).client(
                "ec2", config=self._config, endpoint_url=self._endpoint_url
            )
        except (BotoCoreError, ValueError) as error:
            why = why_no_client(session, error, endpoint_url=self._endpoint_url)
            raise TerminalError(f"boto3 cannot make an EC2 client: {why}", code=NO_CLIENT) from error
        self._session = session
        client.meta.events.register("before-parse.ec2", refuse_misread)
        return client, keeper

    def _lane(self, operation: Operation, *, changes: bool) -> ThreadPoolExecutor:
        return (self._changes if changes else self._questions)[operation]

    def _send(self, send: Callable[[EC2Client], _Answer], ticket: Ticket, until: float) -> _Answer:
        """Runs in a thread: one request, sent in time or not at all; its connection ends at `until`."""
        client, keeper = self._ready()
        try:
            used = keeper.ensure()
        except TransientError as error:
            raise TransientError(str(error), code=CONNECTION) from error
        now = self._clock()
        if now > ticket.begin_before:
            raise TransientError("the call began too late: not sent", code=TIMEOUT)
        ticket.sent_at = now
        try:
            with allowing(until, largest=LARGEST_OF_EC2):
                return send(client)
        except CALL_ERRORS as error:
            translated = self._with_cause(error, translate(error))
            if is_about_credentials(translated):
                keeper.reject(used)
            raise translated from error

    def _with_cause(self, error: Exception, translated: AdapterError) -> AdapterError:
        """The same; with the setting that is wrong, when one keeps the call from leaving this host."""
        if isinstance(error, ClientError | ConnectTimeoutError | ReadTimeoutError) or self._session is None:
            return translated
        meta = self.client.meta
        why = why_no_answer(self._session, url=meta.endpoint_url, region=meta.region_name)
        return type(translated)(f"{translated}: {why}", code=translated.code) if why else translated

    async def _in_thread(
        self,
        threads: ThreadPoolExecutor,
        work: Callable[[], _T],
        *,
        patience: float,
        ticket: Ticket | None = None,
    ) -> _T:
        """Run blocking work with a deadline; giving up does not stop it once it has begun."""
        future = threads.submit(work)
        if ticket is not None:
            ticket.work = future
        try:
            async with asyncio.timeout(patience):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise UnansweredError(f"no answer within {patience:.1f} s", code=TIMEOUT) from None


def _executor(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ec2")


def _refuse_bombs(**event: Any) -> None:
    """A handler of botocore's `before-parse`."""
    refuse_bombs(event["response_dict"]["body"])
