"""The peer probe: what the probed member's own daemon says of its role.

Down only on silence or on its own word: a daemon that refuses, resets or answers anything else may
be restarting, and the holder serves without it. Another member's word, which comes where an address has
moved or a proxy stands in between, says nothing of this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import PeerSettings, Target
from eni_failover.adapters.probes.waiting import Waiting
from eni_failover.adapters.probes.web import Broken, Outcome, Page, Request, WebClient
from eni_failover.core.vocabulary import Answer, Role

SCHEMA = 1
MAX_BODY = 1024 * 1024
_OK = 200


class PeerProbe:
    """The member's own /status with any role but fault is up, with fault down, all else unknown."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings
        self._waiting = Waiting()
        self._web = WebClient(self._waiting)

    @property
    def unsent(self) -> str:
        """Why the latest attempt, cut short, asked nobody; empty when it did."""
        return self._waiting.unsent

    async def __call__(self, target: Target) -> ProbeResult:
        """Read the member's /status once."""
        self._waiting.begin()
        request = Request(
            method="GET",
            url=target.fill(self._settings.url),
            headers={},
            reads_body=lambda status: status == _OK,
            limit=MAX_BODY,
        )
        return await self._web.ask(request, partial(self._judge, target=target))

    async def close(self) -> None:
        """Close what the last attempts have left open."""
        await self._web.close()

    async def _judge(self, outcome: Outcome, target: Target) -> ProbeResult:
        if isinstance(outcome, Page):
            return self._judge_page(outcome, target)
        result = outcome.result if isinstance(outcome, Broken) else outcome
        # Refused, reset or not HTTP: a sign of life, and no word on the role.
        return _unclear(result.detail) if result.answered else result

    def _judge_page(self, page: Page, target: Target) -> ProbeResult:
        if page.status != _OK:
            return _unclear(f"status {page.status}")
        try:
            status = json.loads(page.body.content)
        except (ValueError, RecursionError):
            return _unclear(page.body.problem or "not JSON")
        match status:
            case {"schema": schema, "group": group, "role": str(role)}:
                if schema != SCHEMA or group != self._settings.group:
                    return _unclear("another schema or group")
                if not _is_of(status, target):
                    return _unclear("another member")
            case _:
                return _unclear("no /status of ours")
        answer = Answer.DOWN if role == Role.FAULT else Answer.UP
        known = role if role in set(Role) else "unknown"
        return ProbeResult(answer=answer, answered=True, detail=f"role {known}")


def _is_of(status: Mapping[str, object], target: Target) -> bool:
    """Whether the probed member wrote it; an older version shows its name alone."""
    instance_id = status.get("instance_id")
    if instance_id is None:
        return status.get("member") == target.member
    return instance_id == target.instance_id


def _unclear(detail: str) -> ProbeResult:
    return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=detail)
