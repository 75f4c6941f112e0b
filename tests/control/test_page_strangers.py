"""What others wrote is shown and never run; what a browser may do with the page."""

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.control.page.fragment import fragment
from tests.control.page_reader import Outline
from tests.control.page_scenes import CALM, HOSTILE, PAUSE, TAKEOVER, TROUBLED, filled
from tests.control.support import Client, FakeDesk, serve

HARMLESS = "harmless"


@pytest.mark.parametrize("snapshot", [CALM, TROUBLED], ids=["calm", "troubled"])
def test_nothing_that_came_from_outside_becomes_markup(snapshot) -> None:
    """Hostile text in every text of the snapshot and the history changes no element and no attribute."""
    hostile = fragment(filled(snapshot, HOSTILE)).markup
    harmless = fragment(filled(snapshot, HARMLESS)).markup

    assert Outline(harmless).shape == Outline(hostile).shape
    assert "<script" not in hostile
    assert hostile.isprintable()


@pytest.mark.parametrize(
    "marked",
    [
        {"group": HOSTILE},
        {"holder": HOSTILE},
        {"version": HOSTILE},
        {"config_hash": HOSTILE},
        {"enis": (replace(CALM.enis[0], addresses=(HOSTILE,)),)},
        {"peers": (replace(CALM.peers[0], member=HOSTILE),)},
        {"peers": (replace(CALM.peers[0], version=HOSTILE),)},
        {"peers": (replace(CALM.peers[0], role=HOSTILE),)},
        {"peers": (replace(CALM.peers[0], last_takeover_trigger=HOSTILE),)},
        {"probes": (replace(CALM.probes[0], name=HOSTILE),)},
        {"probes": (replace(CALM.probes[0], detail=HOSTILE),)},
        {"checks": (replace(TROUBLED.checks[-1], detail=HOSTILE),)},
        {"checks": (replace(TROUBLED.checks[-1], remedy=HOSTILE),)},
        {"paused": True, "pause": replace(PAUSE, reason=HOSTILE)},
        {"paused": True, "pause": replace(PAUSE, by=HOSTILE)},
        {"enis": (replace(CALM.enis[0], status=HOSTILE),)},
        {"takeovers": (replace(TAKEOVER, detail=HOSTILE),)},
        {"takeovers": (replace(TAKEOVER, from_member=HOSTILE),)},
    ],
    ids="-".join,
)
def test_hostile_text_is_shown_as_text(tmp_path: Path, marked: dict[str, object]) -> None:
    """What a peer, a probe or an operator wrote is to be read on the page, word for word."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            text = await response.text()

        assert (
            "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&lt;\ufffd\ufffd\ufffd"
            in Outline(text).words
        )
        assert text.count("<script") == 1

    serve(tmp_path, FakeDesk(replace(CALM, **marked)), scenario)


def test_browser_may_load_and_run_nothing_else(tmp_path: Path) -> None:
    """The policy forbids everything but the page's own style and script, by their hashes."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            page, headers = Outline(await response.text()), response.headers
        hashes = {
            tag: base64.b64encode(hashlib.sha256(page.raw[tag].encode()).digest()).decode()
            for tag in ("style", "script")
        }

        assert headers["Content-Security-Policy"] == (
            f"default-src 'none'; style-src 'sha256-{hashes['style']}'; "
            f"script-src 'sha256-{hashes['script']}'; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "eni-failover"
        assert "Set-Cookie" not in headers

    serve(tmp_path, FakeDesk(TROUBLED), scenario)


def test_page_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    """No element names another host, styles itself or carries code; links are this daemon's own."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            page = Outline(await response.text())
        names = {name for _, name, _ in page.attributes}
        links = [value for value in page.values("href") if not value.startswith(("data:", "#"))]

        assert links == ["status", "events", "readyz", "active", "livez", "metrics"]
        assert not {name for name in names if name in {"src", "style", "action"} or name.startswith("on")}
        for text in page.raw.values():
            assert "//" not in text.replace("// ", "")
            assert "url(" not in text

    serve(tmp_path, FakeDesk(TROUBLED), scenario)


def test_other_documents_may_do_nothing_in_a_browser(tmp_path: Path) -> None:
    """JSON, metrics and errors have a policy that forbids everything."""

    async def scenario(client: Client) -> None:
        for path in ("/status", "/metrics", "/livez", "/nothing"):
            async with client.tcp.get(path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert policy == "default-src 'none'; frame-ancestors 'none'", path
                assert response.headers["Server"] == "eni-failover"

    serve(tmp_path, FakeDesk(), scenario)
