"""One question to each other member's daemon."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web

from eni_failover.core.policy import Member
from eni_failover.preflight.neighbours import ask_peers
from tests.preflight.builders import ALPHA, BETA, config

STATUS = {"schema": 1, "group": "orders", "member": "alpha", "version": "0.1.0", "config_hash": "abc"}


def answers(body: bytes, status: int = 200, headers=None):
    """What beta learns of alpha when alpha's port answers so."""

    async def scene():
        async def handle(_):
            return web.Response(status=status, body=body, headers=headers)

        app = web.Application()
        app.router.add_get("/status", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        alpha = Member(name="alpha", instance_id=ALPHA, address="127.0.0.1")
        beta = Member(name="beta", instance_id=BETA, address="127.0.0.2")
        file = replace(config(), members=(alpha, beta), listen=f"0.0.0.0:{port}")
        try:
            return await ask_peers(file, beta)
        finally:
            await runner.cleanup()

    return asyncio.run(scene())


def test_a_peers_own_words_are_taken():
    """Asked at its own address, also where the daemon listens on every one."""
    (peer,) = answers(json.dumps(STATUS).encode())

    assert (peer.member, peer.reachable, peer.version, peer.config_hash) == ("alpha", True, "0.1.0", "abc")


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"not JSON", 200, None),
        (json.dumps(STATUS).encode(), 503, None),
        (b"", 302, {"Location": "/status"}),
        (json.dumps({**STATUS, "group": "payments"}).encode(), 200, None),
        (json.dumps({**STATUS, "member": "gamma"}).encode(), 200, None),
        (b"[" * 300_000, 200, None),
    ],
)
def test_anything_else_is_no_answer(body, status, headers):
    """Another group's, another member's, a redirect, a flood: not reachable, and no error."""
    (peer,) = answers(body, status, headers)

    assert (peer.member, peer.reachable) == ("alpha", False)


def test_a_refusal_is_no_answer():
    """Nobody listens."""
    alpha = Member(name="alpha", instance_id=ALPHA, address="127.0.0.1")
    file = replace(config(), members=(alpha,), listen="{address}:9")
    (peer,) = asyncio.run(ask_peers(file, None))

    assert peer.reachable is False
