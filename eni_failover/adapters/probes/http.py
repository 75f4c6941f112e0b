"""The http probe: one request, and what is expected of the answer.

Owns the bearer token (read at each attempt, never shown) and the trust in the server's certificate.
With `ca_file`, only that file's authorities are trusted.

Not guaranteed: a regular expression that backtracks without end stalls the whole daemon; 64 KiB of
body is what bounds it.
"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings, Target
from eni_failover.adapters.probes.web import Page, WebClient
from eni_failover.core.words import Answer

MAX_BODY = 64 * 1024
_MAX_TOKEN = 8 * 1024


class HttpProbe:
    """An expected status, and an expected body where one is asked for, is up; any other is down."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._body = None if settings.expect_body is None else re.compile(settings.expect_body)
        self._web = WebClient()
        self._trust: ssl.SSLContext | bool | None = None
        self._load_trust()

    @property
    def unsent(self) -> bool:
        """Whether the latest attempt was cut short while it looked up a name."""
        return self._web.unsent

    async def __call__(self, target: Target) -> ProbeResult:
        """Send the request once, on a new connection."""
        headers = {name: target.fill(value) for name, value in self._settings.headers}
        if self._settings.bearer_token_file is not None:
            token = _read_token(self._settings.bearer_token_file)
            if token is None:
                return _unasked("bearer_token_file is not readable, or holds no token")
            headers["Authorization"] = f"Bearer {token}"
        trust = self._load_trust()
        if trust is None:
            return _unasked("ca_file is not readable, or holds no certificate")
        page = await self._web.fetch(
            self._settings.method,
            target.fill(self._settings.url),
            headers=headers,
            trust=trust,
            follow_redirects=self._settings.follow_redirects,
            limit=MAX_BODY,
        )
        return page if isinstance(page, ProbeResult) else self._judge(page)

    async def close(self) -> None:
        """Close the client session."""
        await self._web.close()

    def _judge(self, page: Page) -> ProbeResult:
        detail = f"status {page.status}"
        answer = Answer.UP
        if not any(low <= page.status <= high for low, high in self._settings.expect_status):
            answer = Answer.DOWN
        elif self._body is not None and not self._body.search(page.body.decode("utf-8", "replace")):
            answer = Answer.DOWN
            detail += ", body does not match"
        return ProbeResult(answer=answer, answered=True, detail=detail)

    def _load_trust(self) -> ssl.SSLContext | bool | None:
        """What to trust, loaded when the probe is made; None while ca_file cannot be used."""
        if self._trust is None:
            self._trust = _load_trust(self._settings)
        return self._trust


def _load_trust(settings: HttpSettings) -> ssl.SSLContext | bool | None:
    if not settings.tls_verify or settings.ca_file is None:
        # aiohttp has built a context of each kind when it was imported.
        return settings.tls_verify
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError:  # ssl.SSLError, for a file without a certificate, is one
        return None


def _read_token(path: Path) -> str | None:
    """The token, or None when there is none to use. Never blocks, even on a FIFO: we are on the loop."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            token = os.read(descriptor, _MAX_TOKEN).decode("ascii").strip()
        finally:
            os.close(descriptor)
    except (OSError, UnicodeDecodeError):
        return None
    return token if token and token.isprintable() else None


def _unasked(detail: str) -> ProbeResult:
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)
