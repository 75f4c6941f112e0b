"""What both servers show, over real sockets."""

from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.core.vocabulary import Role
from eni_failover.status import to_document
from tests.control.support import READY, UNFIT, Client, FakeDesk, serve


@pytest.mark.parametrize("unix", [False, True])
def test_status_is_the_document_of_the_snapshot(tmp_path: Path, unix: bool) -> None:
    """/status is the snapshot's document, on both servers."""

    async def scenario(client: Client) -> None:
        status, body = await client.get("/status", unix=unix)

        assert (status, body) == (200, to_document(READY))

    serve(tmp_path, FakeDesk(), scenario)


def test_before_the_first_pass_nothing_is_ready_and_nothing_fails(tmp_path: Path) -> None:
    """Without a snapshot every view answers: not ready, not active, starting."""

    async def scenario(client: Client) -> None:
        starting = {"error": "starting: no pass has ended yet", "reason": "starting"}

        assert await client.get("/status") == (503, starting)
        assert await client.get("/readyz") == (503, {"ready": False, "reasons": ["starting"], "checks": []})
        assert await client.get("/active") == (503, {"active": False, "role": None})
        async with client.tcp.get("/") as page:
            assert page.status == 200
            assert "starting" in await page.text()

    serve(tmp_path, FakeDesk(None), scenario)


def test_readyz_says_why_not(tmp_path: Path) -> None:
    """/readyz is 200 when ready; else 503 with the failed checks, or the decision when none failed."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        assert await client.get("/readyz") == (200, {"ready": True, "reasons": [], "checks": []})

        desk.shown = UNFIT
        slot = {"name": "slot", "result": "fail", "detail": "no_slot", "remedy": "free a slot"}
        assert await client.get("/readyz") == (503, {"ready": False, "reasons": ["slot"], "checks": [slot]})

        desk.shown = replace(UNFIT, checks=())
        assert await client.get("/readyz") == (503, {"ready": False, "reasons": ["starting"], "checks": []})

    serve(tmp_path, desk, scenario)


@pytest.mark.parametrize("role", list(Role))
def test_active_is_200_only_for_the_active_role(tmp_path: Path, role: Role) -> None:
    """/active is 200 for `active` and 503 for every other role."""

    async def scenario(client: Client) -> None:
        expected = 200 if role == "active" else 503

        assert await client.get("/active") == (expected, {"active": expected == 200, "role": role})

    serve(tmp_path, FakeDesk(replace(READY, role=role)), scenario)


def test_active_is_503_while_a_link_is_not_ready(tmp_path: Path) -> None:
    """The role stays for a minute; a load balancer is told at once."""

    async def scenario(client: Client) -> None:
        assert await client.get("/active") == (503, {"active": False, "role": "active"})

    serve(tmp_path, FakeDesk(replace(READY, role=Role.ACTIVE, links_ready=False)), scenario)


@pytest.mark.parametrize(("now", "expected"), [(100.0, 200), (130.0, 200), (130.5, 503)])
def test_livez_follows_ended_passes(tmp_path: Path, now: float, expected: int) -> None:
    """/livez is 503 once no pass has ended for more than three intervals, ready or not."""

    async def scenario(client: Client) -> None:
        status, body = await client.get("/livez")

        assert (status, body) == (
            expected,
            {"alive": expected == 200, "last_pass_ended_s": now - 100.0, "bound_s": 30.0},
        )

    serve(tmp_path, FakeDesk(UNFIT), scenario, now=now)


def test_livez_judges_by_the_interval_of_the_last_reload(tmp_path: Path) -> None:
    """A reload that makes the interval longer makes /livez more patient."""

    async def scenario(client: Client) -> None:
        before, _ = await client.get("/livez")
        client.servers.interval = 60.0
        after, _ = await client.get("/livez")

        assert (before, after) == (503, 200)

    serve(tmp_path, FakeDesk(), scenario, now=200.0)


def test_metrics_are_the_daemons_page(tmp_path: Path) -> None:
    """/metrics is the page as it is, in the type that every Prometheus reads."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/metrics") as response:
            assert desk.page == await response.read()
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert response.headers["Server"] == "eni-failover"
            assert response.headers["Connection"] == "close"

    serve(tmp_path, desk, scenario)


def test_unknown_paths_and_wrong_methods_are_json_errors(tmp_path: Path) -> None:
    """An unknown path is 404, a wrong method 405 with the right ones named."""

    async def scenario(client: Client) -> None:
        assert await client.get("/nothing") == (404, {"error": "404: Not Found"})
        assert await client.get("/takeover", unix=True) == (405, {"error": "405: Method Not Allowed"})
        async with client.unix.get("/pause") as response:
            assert response.headers["Allow"] == "POST"
        async with client.unix.post("/status") as response:
            assert response.status == 405

    serve(tmp_path, FakeDesk(), scenario)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_tcp_changes_nothing(tmp_path: Path, method: str) -> None:
    """Every method but GET, HEAD and OPTIONS is 405 on TCP, also at an order's path: none is given."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        for path in ("/takeover", "/pause", "/resume", "/reload", "/status", "/nothing"):
            async with client.tcp.request(method, path, data=b"{}") as response:
                assert response.status == 405, path
                assert response.headers["Allow"] == "GET, HEAD, OPTIONS"

        assert desk.asked == []

    serve(tmp_path, desk, scenario)


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("has_passed", [True, False])
def test_options_and_head_are_answered_as_get(tmp_path: Path, unix: bool, has_passed: bool) -> None:
    """HAProxy's own health check is OPTIONS, and some balancers send HEAD: the status is that of GET."""
    desk = FakeDesk() if has_passed else FakeDesk(None)

    async def scenario(client: Client) -> None:
        session = client.unix if unix else client.tcp
        for path in ("/", "/active", "/readyz", "/livez", "/metrics", "/status"):
            said = {}
            for method in ("GET", "HEAD", "OPTIONS"):
                async with session.request(method, path) as response:
                    said[method] = (response.status, response.content_type, await response.read())

            assert said["OPTIONS"][:2] == said["GET"][:2]
            assert said["HEAD"] == (*said["GET"][:2], b"")
            assert said["OPTIONS"][2] != b""
        for path, status in {"/nothing": 404, "/events": 405, "/takeover": 405 if unix else 404}.items():
            async with session.options(path) as response:
                assert response.status == status, path

        assert desk.asked == []

    serve(tmp_path, desk, scenario)


def test_tcp_does_not_know_the_orders(tmp_path: Path) -> None:
    """GET of an order's path on TCP is an unknown path."""

    async def scenario(client: Client) -> None:
        assert (await client.get("/takeover"))[0] == 404

    serve(tmp_path, FakeDesk(), scenario)
