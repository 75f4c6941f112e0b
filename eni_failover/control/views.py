"""What both servers show to programs: liveness, readiness, role, status, metrics. Nothing changes."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from eni_failover.control.desk import Desk
from eni_failover.control.pulse import Pulse
from eni_failover.core.vocabulary import CheckResult, Reason
from eni_failover.status import check_document, to_document

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METRICS_AGE = 0.5
"""Seconds for which a page of metrics serves all who ask. The dearest answer: some 10 ms of the loop."""
# A tenth of the size for a quarter of a millisecond; level 6 takes three times that for an eighth less.
_GZIP_LEVEL = 1


class _MetricsPage:
    """The newest page of metrics."""

    def __init__(self) -> None:
        self._body = b""
        self._zipped = b""
        self._stale_at = 0.0

    def get(self, desk: Desk) -> bytes:
        """The page, made anew when the last one is too old."""
        now = asyncio.get_running_loop().time()
        if now >= self._stale_at:
            self._body, self._zipped = desk.metrics_page(), b""
            # From its end: however long one takes, the loop turns between two of them.
            self._stale_at = asyncio.get_running_loop().time() + METRICS_AGE
        return self._body

    def get_zipped(self, desk: Desk) -> bytes:
        """The same page by gzip: compressed once, however many ask for it."""
        body = self.get(desk)
        if not self._zipped:
            self._zipped = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        return self._zipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The GET handlers."""

    desk: Desk
    pulse: Pulse
    _metrics: _MetricsPage = field(default_factory=_MetricsPage, init=False, repr=False)

    def routes(self) -> Iterator[web.RouteDef]:
        """Each path with its handler."""
        yield web.get("/metrics", self.metrics)
        yield web.get("/livez", self.livez)
        yield web.get("/readyz", self.readyz)
        yield web.get("/active", self.active)
        yield web.get("/status", self.status)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus scrapes this, and asks for gzip."""
        headers = {"Content-Type": METRICS_TYPE, "Vary": "Accept-Encoding"}
        if not _takes_gzip(request):
            return web.Response(body=self._metrics.get(self.desk), headers=headers)
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=self._metrics.get_zipped(self.desk), headers=headers)

    async def livez(self, _request: web.Request) -> web.Response:
        """503 when no pass has ended, whatever its result, for three intervals."""
        body = self.pulse.document()
        return web.json_response(body, status=200 if body["alive"] else 503)

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when active or able to take over now; else the failed checks."""
        snapshot = self.desk.snapshot()
        if snapshot is None:
            return web.json_response({"ready": False, "reasons": [Reason.STARTING], "checks": []}, status=503)
        if snapshot.ready:
            return web.json_response({"ready": True, "reasons": [], "checks": []})
        failed = [check for check in snapshot.checks if check.result is CheckResult.FAIL]
        body = {
            "ready": False,
            "reasons": [check.name for check in failed] or [snapshot.decision.reason],
            "checks": [check_document(check) for check in failed],
        }
        return web.json_response(body, status=503)

    async def active(self, _request: web.Request) -> web.Response:
        """200 only while this member holds everything with its links ready: for load balancers."""
        snapshot = self.desk.snapshot()
        role = None if snapshot is None else snapshot.role
        active = snapshot is not None and snapshot.serves
        return web.json_response({"active": active, "role": role}, status=200 if active else 503)

    async def status(self, _request: web.Request) -> web.Response:
        """The whole view of the last pass."""
        snapshot = self.desk.snapshot()
        if snapshot is None:
            return web.json_response(starting(), status=503)
        return web.json_response(to_document(snapshot))


def _takes_gzip(request: web.Request) -> bool:
    """Whether the client asks for gzip by its name (RFC 9110, section 12.5.3)."""
    asked = ",".join(request.headers.getall("Accept-Encoding", [])).lower()
    for part in asked.split(","):
        coding, _, weight = (word.strip() for word in part.partition(";"))
        if coding == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def starting() -> dict[str, Any]:
    """The answer before the first pass has ended."""
    return {"error": "starting: no pass has ended yet", "reason": Reason.STARTING}
