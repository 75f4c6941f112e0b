"""The http probe: one request, and what is expected of the answer."""

from __future__ import annotations

from eni_failover.adapters.probes import credentials
from eni_failover.adapters.probes.answer import Body
from eni_failover.adapters.probes.expected_body import EndlessSearchError, ExpectedBody
from eni_failover.adapters.probes.files import Loaded
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings, Target
from eni_failover.adapters.probes.waiting import Waiting
from eni_failover.adapters.probes.web import Broken, Outcome, Page, Request, WebClient
from eni_failover.core.vocabulary import Answer

MAX_BODY = 64 * 1024


class HttpProbe:
    """An expected status, and an expected body where one is asked for, is up; any other is down."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._body = None if settings.expect_body is None else ExpectedBody(settings.expect_body)
        self._waiting = Waiting()
        self._web = WebClient(self._waiting)
        paths = credentials.files(settings)
        self._credentials = Loaded(paths, lambda: credentials.load(settings))
        self._is_doubtful = False

    @property
    def unsent(self) -> str:
        """Why the latest attempt, cut short, asked nobody; empty when it did."""
        return self._waiting.unsent

    async def __call__(self, target: Target) -> ProbeResult:
        """Send the request once to each address, on new connections."""
        self._waiting.begin()
        self._is_doubtful = False
        settings = self._settings
        with self._waiting.on_host("files not read"):
            found = await self._credentials.current()
        if found is None:
            return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=self._credentials.problem)
        headers = {name: target.fill(value) for name, value in settings.headers}
        if found.token is not None:
            headers["Authorization"] = f"Bearer {found.token}"
        request = Request(
            method=settings.method,
            url=target.fill(settings.url),
            headers=headers,
            tls=found.tls,
            server_name=target.fill(settings.tls_server_name or ""),
            follow_redirects=settings.follow_redirects,
            reads_body=lambda status: self._body is not None and self._is_expected(status),
            limit=MAX_BODY,
            suffices=self._suffices,
        )
        return await self._without_doubt(await self._web.ask(request, self._judge))

    async def close(self) -> None:
        """Close what the last attempts have left open."""
        await self._web.close()

    async def _judge(self, outcome: Outcome) -> ProbeResult:
        """The answer; and whether it may come from the files of ours instead of the target."""
        if isinstance(outcome, ProbeResult):
            return outcome
        if isinstance(outcome, Broken):
            self._is_doubtful |= outcome.was_tls
            return outcome.result
        self._is_doubtful |= 400 <= outcome.status < 500
        return await self._judge_page(outcome)

    async def _judge_page(self, page: Page) -> ProbeResult:
        detail = f"status {page.status}"
        if not self._is_expected(page.status):
            return ProbeResult(answer=Answer.DOWN, answered=True, detail=detail)
        if self._body is None:
            return ProbeResult(answer=Answer.UP, answered=True, detail=detail)
        try:
            with self._waiting.on_host("body not searched"):
                if await self._body.is_in(page.body.text):
                    return ProbeResult(answer=Answer.UP, answered=True, detail=detail)
        except EndlessSearchError:
            detail += ", the search for expect_body takes too long"
            return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=detail)
        answer = Answer.UNKNOWN if page.body.problem else Answer.DOWN
        detail += f", {page.body.problem or 'body does not match'}"
        return ProbeResult(answer=answer, answered=True, detail=detail)

    async def _suffices(self, body: Body) -> bool:
        """A body without an end is up as soon as it has what is expected, whatever else will come."""
        if self._body is None or body.problem:
            return False
        try:
            with self._waiting.on_host("body not searched"):
                return await self._body.begins(body.text)
        except EndlessSearchError:
            return False

    def _is_expected(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self._settings.expect_status)

    async def _without_doubt(self, result: ProbeResult) -> ProbeResult:
        """Unknown instead of down, where older files than those on disk may be the cause."""
        if result.answer is not Answer.DOWN or not self._is_doubtful:
            return result
        with self._waiting.on_host("files not read"):
            if not await self._credentials.have_changed():
                return result
        problem = self._credentials.problem or "files have changed meanwhile"
        return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=f"{result.detail}; {problem}")
