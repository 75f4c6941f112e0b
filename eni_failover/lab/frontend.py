"""The EC2 endpoint: HTTP requests in, XML out, with latency and the faults of the wire.

Owns: the way between an HTTP request and the world's `admit` and `execute`. Must not know: EC2's rules.
Does not guarantee: that a signature is right; only the access key id in it is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from eni_failover.lab.engine import Admission, Call
from eni_failover.lab.errors import Ec2Error
from eni_failover.lab.faults import FaultKind
from eni_failover.lab.query import parse, serialise, serialise_error
from eni_failover.lab.wire import Wire
from eni_failover.lab.world import World

_CREDENTIAL: Final = re.compile(r"Credential=([A-Za-z0-9]+)/")
_HTML: Final = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


class Ec2Frontend:
    """Handles the requests of the EC2 endpoint."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world = world
        self._wire = wire
        self._answered = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or do what a fault says instead."""
        try:
            call = await _read(request)
        except ConnectionError:
            return self._wire.cut(request)  # the caller died while it asked
        admission = self._world.admit(call)
        fault = admission.fault
        kind, seconds = (fault.kind, fault.seconds) if fault else (None, 0.0)
        if kind is FaultKind.CLOSE:
            return self._wire.cut(request)
        if kind is FaultKind.HANG:
            return await self._wire.hang(request)
        half = self._world.settings.latency / 2
        await self._wire.pause(half + (seconds if kind is FaultKind.DELAY else 0.0))
        response = self._decide(admission)
        await self._wire.pause(half + (seconds if kind is FaultKind.LATE else 0.0))
        return self._wire.cut(request) if kind is FaultKind.LOST else response

    def _decide(self, admission: Admission) -> web.Response:
        fault = admission.fault
        if fault and fault.kind is FaultKind.HTML:
            return web.Response(status=fault.status or 502, text=_HTML, content_type="text/html")
        self._answered += 1
        request_id = f"1ab00000-0000-4000-8000-{self._answered:012x}"
        action = admission.call.action
        try:
            status, body = 200, serialise(action, self._world.execute(admission), request_id)
        except Ec2Error as error:
            status, body = error.status, serialise_error(error.code, error.message, request_id)
        if fault and fault.kind is FaultKind.TRUNCATED:
            body = body[: len(body) // 2]
        return web.Response(
            status=status,
            body=body,
            content_type="text/xml",
            charset="utf-8",
            headers={"x-amzn-requestid": request_id},
        )


async def _read(request: web.Request) -> Call:
    text = request.query_string if request.method == "GET" else await request.text()
    fields = dict(parse_qsl(text, keep_blank_values=True))
    parameters: Mapping[str, Any] = {}
    unreadable = None
    try:
        parameters = parse(fields)
    except Ec2Error as error:
        unreadable = error
    return Call(
        action=fields.get("Action", ""),
        parameters=parameters,
        access_key_id=_access_key(request, fields),
        user_agent=request.headers.get("User-Agent", ""),
        unreadable=unreadable,
    )


def _access_key(request: web.Request, fields: Mapping[str, str]) -> str | None:
    """From the Authorization header, or from a presigned query."""
    header = "Credential=" + fields.get("X-Amz-Credential", "")
    found = _CREDENTIAL.search(request.headers.get("Authorization", header))
    return found.group(1) if found else None
