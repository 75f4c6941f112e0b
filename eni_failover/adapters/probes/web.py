"""One HTTP exchange on a new connection, and what its failures mean.

Never a proxy, a cookie, a second try or a kept connection: each attempt finds out whether the service
accepts a client now. The status decides; see `answer` for how little of the rest is read. Details hold no
URL, header or text of the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from eni_failover import __version__
from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.answer import AnswerReader, Body, Head, HeadTooLongError, NotHttpError
from eni_failover.adapters.probes.connect import DROPPED, Connector, was_sent
from eni_failover.adapters.probes.names import Address, Names, literal_address
from eni_failover.adapters.probes.place import Place, parse, redirected
from eni_failover.adapters.probes.places_kept_out import is_kept_out, is_localhost
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.race import side_by_side
from eni_failover.adapters.probes.waiting import Waiting, time_left
from eni_failover.adapters.probes.wire import Wire
from eni_failover.core.vocabulary import Answer
from eni_failover.errors import InvariantError

MAX_REDIRECTS = 5
_KEPT_OUT = "redirect to a loopback or link-local address"
_KEPT_OUT_BY_NAME = "redirect to a name that this host resolves to a loopback or link-local address"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# A body that has not ended is looked at once, so long before the end of the attempt, or at three quarters.
_LOOK_BEFORE = 0.2
# After the status so much more is read, for so long: a server is not reset while it still writes.
_LINGER_SECONDS = 0.25
_LINGER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. `tls` is the context for https; `server_name`, if any, is whom its certificate names.

    `reads_body` says at which statuses the body is wanted; at most `limit` bytes of it are read. `suffices`
    says of a body that has not ended whether what has come of it is enough, whatever follows.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    follow_redirects: bool = False
    reads_body: Callable[[int], bool]
    limit: int
    suffices: Callable[[Body], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer with a status. `body` is empty where it is not wanted."""

    status: int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A connection was made, and then no status came."""

    result: ProbeResult
    was_tls: bool


Outcome = Page | Broken | ProbeResult
"""How an exchange has ended; a bare result means that no connection was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hop:
    """One request of an attempt: the first, or where a redirect leads.

    `home` is the first one's place, `home_addresses` are what its host resolved to.
    """

    asked: Request
    judge: Callable[[Outcome], Awaitable[ProbeResult]]
    home: Place
    place: Place
    method: str
    headers: Mapping[str, str]
    redirects_left: int
    home_addresses: tuple[Address, ...] = ()


class WebClient:
    """The exchanges of one probe, one attempt at a time."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._names = Names()
        self._connector = Connector(waiting)
        self._leaving: set[asyncio.Task[None]] = set()

    async def ask(self, request: Request, judge: Callable[[Outcome], Awaitable[ProbeResult]]) -> ProbeResult:
        """What `judge` says of the answer; of the best one, where the name has several addresses."""
        try:
            home = parse(request.url, request.server_name)
        except ValueError:
            return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="not a URL")
        return await self._visit(
            _Hop(
                asked=request,
                judge=judge,
                home=home,
                place=home,
                method=request.method,
                headers=request.headers,
                redirects_left=MAX_REDIRECTS,
            )
        )

    async def close(self) -> None:
        """Close what the last attempts have left open."""
        self._connector.close()
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _visit(self, hop: _Hop) -> ProbeResult:
        is_first = hop.redirects_left == MAX_REDIRECTS
        if not is_first and (refused := _refused_place(hop)):
            return refused
        try:
            with self._waiting.on_host("name not resolved"):
                addresses = await self._names.find(hop.place.host, hop.place.port)
        except OSError as error:
            return blame.unresolved(error) if is_first else blame.unresolved_redirect(error)
        if is_first:
            hop = replace(hop, home_addresses=addresses)
        else:
            addresses = tuple(one for one in addresses if not is_kept_out(one, hop.home_addresses))
            if not addresses:
                # A name may lead there by this host's own /etc/hosts: no word of the target's.
                return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=_KEPT_OUT_BY_NAME)
        return await side_by_side(addresses, lambda address: self._visit_at(address, hop), self._waiting)

    async def _visit_at(self, address: Address, hop: _Hop) -> ProbeResult:
        connection = await self._connector.connect(address)
        if isinstance(connection, ProbeResult):
            return await hop.judge(connection)
        wire = Wire(connection)
        try:
            with self._waiting.on_target(lambda: "" if was_sent(connection) is not False else DROPPED):
                outcome = await _exchange(wire, hop)
        except BaseException:
            wire.close()
            raise
        self._leave(wire)
        if isinstance(outcome, _Hop):
            return await self._visit(outcome)
        return await hop.judge(outcome)

    def _leave(self, wire: Wire) -> None:
        """Close the connection beside the attempt: its answer stands, whatever still comes."""
        task = asyncio.create_task(_see_off(wire))
        self._leaving.add(task)
        task.add_done_callback(lambda _: wire.close())
        task.add_done_callback(self._leaving.discard)


def _refused_place(hop: _Hop) -> ProbeResult | None:
    """The answer to a redirect that names loopback or a link-local address: no client could follow it."""
    literal = literal_address(hop.place.host.partition("%")[0], hop.place.port)
    if literal is None and is_localhost(hop.place.host):
        literal = literal_address("127.0.0.1", hop.place.port)
    if literal is None or not is_kept_out(literal, hop.home_addresses):
        return None
    return ProbeResult(answer=Answer.DOWN, answered=True, detail=_KEPT_OUT)


async def _exchange(wire: Wire, hop: _Hop) -> Page | Broken | _Hop:
    """One request and its answer, or the hop that it redirects to."""
    reader = AnswerReader(wire.receive)
    try:
        if hop.place.is_tls:
            await wire.start_tls(_context(hop.asked), hop.place.name)
        with contextlib.suppress(ConnectionError):  # a server may answer before it has read it all
            await wire.send(_request(hop))
        status = await reader.status()
    except (NotHttpError, HeadTooLongError) as error:
        return _broken(hop, str(error))
    except OSError as error:
        return Broken(result=blame.judge(error), was_tls=hop.place.is_tls)
    except ValueError:  # TLS cannot ask for such a name: ours, or one that the target redirects to
        answer = Answer.UNKNOWN if hop.place is hop.home else Answer.DOWN
        return _broken(hop, "TLS failed: not a server name", answer=answer)
    try:
        return await _rest(reader, status, hop)
    except HeadTooLongError:
        return Page(status=status, body=Body(content=b"", problem="more header than is read"))


async def _rest(reader: AnswerReader, status: int, hop: _Hop) -> Page | Broken | _Hop:
    if hop.asked.follow_redirects and status in _REDIRECTS:
        return _redirect(hop, status, (await reader.head()).first("location"))
    body = Body(content=b"")
    if hop.asked.reads_body(status):
        body = await _body(reader, await reader.head(), status, hop)
    return Page(status=status, body=body)


async def _body(reader: AnswerReader, head: Head, status: int, hop: _Hop) -> Body:
    """The body; what has come of it, where it does not end and that is enough."""
    asked = hop.asked
    reading = asyncio.create_task(reader.body(head, status=status, method=hop.method, limit=asked.limit))
    try:
        left = time_left()
        if left is not None and asked.suffices is not None:
            await asyncio.wait({reading}, timeout=max(left - _LOOK_BEFORE, left * 3 / 4))
            so_far = None if reading.done() else reader.body_so_far(head, limit=asked.limit)
            if so_far is not None and await asked.suffices(so_far):
                return so_far
        return await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _redirect(hop: _Hop, status: int, location: str | None) -> Broken | _Hop:
    """The next hop; a redirect that leads nowhere is a wrong answer of the target."""
    if not location:
        return _broken(hop, f"status {status}, a redirect without a Location")
    if not hop.redirects_left:
        return _broken(hop, f"more than {MAX_REDIRECTS} redirects")
    try:
        place = redirected(hop.place, location, hop.home)
    except ValueError:
        return _broken(hop, f"status {status}, a redirect to no http or https URL")
    # Whatever the configuration sends may be a secret, and is meant for the member.
    headers = hop.headers if place.origin == hop.place.origin else {}
    # As browsers and aiohttp do (RFC 9110, sections 15.4.2 to 15.4.4).
    to_get = (status == 303 and hop.method != "HEAD") or (status in {301, 302} and hop.method == "POST")
    return replace(
        hop,
        place=place,
        method="GET" if to_get else hop.method,
        headers=headers,
        redirects_left=hop.redirects_left - 1,
    )


def _context(asked: Request) -> ssl.SSLContext:
    if asked.tls is None:
        raise InvariantError("https without a TLS context")
    return asked.tls


def _request(hop: _Hop) -> bytes:
    headers = {
        "Host": hop.place.host_header,
        "User-Agent": f"eni-failover/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        # The server need not keep for us what we shall close; closing first, it also keeps the TIME_WAIT.
        "Connection": "close",
    }
    if hop.method in _WITH_CONTENT:
        headers["Content-Length"] = "0"
    written = {name.lower() for name in hop.headers}
    fields = [(name, value) for name, value in headers.items() if name.lower() not in written]
    fields += hop.headers.items()
    lines = [f"{hop.method} {hop.place.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode()


def _broken(hop: _Hop, detail: str, *, answer: Answer = Answer.DOWN) -> Broken:
    result = ProbeResult(answer=answer, answered=True, detail=detail)
    return Broken(result=result, was_tls=hop.place.is_tls)


async def _see_off(wire: Wire) -> None:
    """Read what still comes, for a moment: closed with unread data, a connection is reset."""
    read = 0
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while read < _LINGER_BYTES and (received := await wire.receive()):
                read += len(received)
