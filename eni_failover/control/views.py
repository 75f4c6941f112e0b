"""What both servers show to programs: liveness, readiness, role, status, metrics. Nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from eni_failover.control.desk import Desk
from eni_failover.control.pulse import Pulse
from eni_failover.core.words import CheckResult, Reason
from eni_failover.status import check_document, to_document

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The GET handlers."""

    desk: Desk
    pulse: Pulse

    def routes(self) -> Iterator[web.RouteDef]:
        """Each path with its handler."""
        yield web.get("/metrics", self.metrics)
        yield web.get("/livez", self.livez)
        yield web.get("/readyz", self.readyz)
        yield web.get("/active", self.active)
        yield web.get("/status", self.status)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus scrapes this."""
        return web.Response(body=self.desk.metrics_page(), headers={"Content-Type": METRICS_TYPE})

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


def starting() -> dict[str, Any]:
    """The answer before the first pass has ended."""
    return {"error": "starting: no pass has ended yet", "reason": Reason.STARTING}
