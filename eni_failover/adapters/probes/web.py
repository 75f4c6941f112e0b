"""One HTTP exchange on a new connection, and what its failures mean.

Owns the aiohttp session of one probe. Never a proxy, a cookie, a second try or a kept connection:
each attempt finds out whether the service accepts a client now. The whole body must come, or the
first `limit` bytes of it: a service that hangs after its headers is no healthy one.

Knows nothing of statuses and bodies. Details hold no URL, header or text of the answer.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from eni_failover import __version__
from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Names
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.core.words import Answer

MAX_REDIRECTS = 5
_CLIENT_HEADERS = {
    "User-Agent": f"eni-failover/{__version__}",
    "Accept-Encoding": "identity",
    # The server need not keep for us what we shall close; closing first, it also keeps the TIME_WAIT.
    "Connection": "close",
}
_WRONG: tuple[tuple[tuple[type[aiohttp.ClientError], ...], str], ...] = (
    ((aiohttp.ServerDisconnectedError,), "closed without an answer"),
    ((aiohttp.TooManyRedirects, aiohttp.RedirectClientError), "bad redirect"),
    ((aiohttp.ClientPayloadError,), "broken body"),
    ((aiohttp.ClientResponseError,), "not HTTP"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer that came whole, or up to the limit."""

    status: int
    body: bytes


class _FailedError(Exception):
    """Carries a failure past aiohttp, which would send the same request a second time."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__()
        self.error = error


class WebClient:
    """Fetches pages. The session is opened by the first fetch, inside the running loop."""

    def __init__(self) -> None:
        self._names = Names()
        self._session: aiohttp.ClientSession | None = None

    @property
    def unsent(self) -> bool:
        """Whether the latest fetch was cut short while it looked up a name."""
        return self._names.waiting

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        trust: ssl.SSLContext | bool,
        follow_redirects: bool,
        limit: int,
    ) -> Page | ProbeResult:
        """The page, or the answer that there is none.

        `trust` is the TLS context; True is the system's certificate authorities, False is any. A
        redirect to another origin is followed without the Authorization header (aiohttp's doing).
        """
        self._names.waiting = False  # aiohttp does not ask for literal addresses
        if self._session is None:
            self._session = _open(self._names)
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                ssl=trust,
                allow_redirects=follow_redirects,
                max_redirects=MAX_REDIRECTS,
            ) as response:
                return Page(status=response.status, body=await _read(response, limit))
        except _FailedError as failed:
            return _judge(failed.error)
        except aiohttp.ClientError as error:
            return _judge(error)

    async def close(self) -> None:
        """Close the session, when there is one."""
        if self._session is not None:
            await self._session.close()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = b""
    while len(body) < limit:
        chunk = await response.content.read(limit - len(body))
        if not chunk:
            break
        body += chunk
    return body


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from its own retry of an idempotent request whose connection broke."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _FailedError(error) from error


class _Resolver(AbstractResolver):
    """aiohttp's question for names, answered off its default executor."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - asked for any, always
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=found.sockaddr[0], port=port, family=found.family, proto=0, flags=0
            )
            for found in await self._names.find(host, port)
        ]

    async def close(self) -> None:
        pass


def _open(names: Names) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            force_close=True,
            limit=0,
            use_dns_cache=False,
            resolver=_Resolver(names),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_CLIENT_HEADERS,
        middlewares=(_once,),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
    )


def _judge(error: aiohttp.ClientError) -> ProbeResult:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return blame.unresolved(error.os_error)
    if isinstance(error, OSError):
        # The cause is the system's or OpenSSL's own error, of which aiohttp keeps half.
        return blame.judge(error.__cause__ if isinstance(error.__cause__, OSError) else error)
    for kinds, detail in _WRONG:
        if isinstance(error, kinds):
            return ProbeResult(answer=Answer.DOWN, answered=True, detail=detail)
    # InvalidURL among them: nothing was sent.
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=type(error).__name__)
