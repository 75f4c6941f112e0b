"""What others have written, wherever it is shown: text stays text on the page, in JSON, in the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import structlog

from eni_failover.control import Limits
from eni_failover.core.model import History, PauseKind, PauseRecord, Peer
from eni_failover.core.snapshot import Check, DecisionLine, EniLine, ProbeLine, TakeoverLine
from eni_failover.core.vocabulary import (
    Action,
    Answer,
    CheckResult,
    Phase,
    Reason,
    Result,
    Role,
    Scope,
    Trigger,
)
from eni_failover.log import configure
from tests.control.support import READY, WALL, Client, FakeDesk, read_all, serve

NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{0}{rows}&lt;</table><!--"
BOUNDS = Limits(head=1.0, exchange=1.0)

SNAPSHOT = replace(
    READY,
    role=Role.TAKING,
    ready=False,
    paused=True,
    pause=PauseRecord(kind=PauseKind.PAUSE, at=WALL, reason="x", by="x"),
    decision=DecisionLine(action=Action.WAIT, reason=Reason.PAUSED, at_wall=WALL),
    takeover=TakeoverLine(
        takeover_id="x",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        phase=Phase.DETACH,
        since_wall=WALL,
    ),
    takeovers=(
        History(
            takeover_id="x",
            trigger=Trigger.PROBES,
            reason=Reason.HOLDER_DOWN,
            from_member="x",
            to_member="x",
            started_wall=WALL,
            ended_wall=WALL + 6,
            result=Result.SUCCESS,
            phases=((Phase.DETACH, 3.0),),
            detail="x",
        ),
    ),
    enis=(EniLine(eni_id="x", status="x", member="x", attachment_id="x"),),
    checks=(Check(name="x", result=CheckResult.FAIL, detail="x", remedy="x"),),
    probes=(
        ProbeLine(name="x", scope=Scope.HOLDER, member="x", state=Answer.DOWN, consecutive=3, detail="x"),
    ),
    peers=(Peer(member="x", instance_id="i-x", reachable=True, role="x", version="x", config_hash="x"),),
)


def spoiled(value: Any) -> Any:
    """The same value with every free text in it, however deep, replaced by the nasty one."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return NASTY
    if isinstance(value, tuple):
        return tuple(spoiled(one) for one in value)
    if is_dataclass(value):
        return replace(value, **{item.name: spoiled(getattr(value, item.name)) for item in fields(value)})
    return value


class Page(HTMLParser):
    """The elements of a page, the attributes that could run something, and the text of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.dangers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if (
                name.startswith("on")
                or name == "srcdoc"
                or (value or "").strip().lower().startswith("javascript:")
            ):
                self.dangers.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def fetched(tmp_path: Path, desk: FakeDesk, path: str) -> tuple[str, str]:
    """The head and the body of the answer."""
    parts: list[str] = []

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = (await read_all(reader)).decode().partition("\r\n\r\n")
        parts.extend((head, body))

    serve(tmp_path, desk, scenario, limits=BOUNDS)
    return parts[0], parts[1]


def test_the_page_shows_what_others_wrote_as_text(tmp_path):
    """No element but the page's own, nothing that runs, and the text itself is there to read."""
    own = page_of(fetched(tmp_path, FakeDesk(SNAPSHOT), "/")[1]).elements
    _, html = fetched(tmp_path, FakeDesk(spoiled(SNAPSHOT)), "/")
    page = page_of(html)

    assert "<script>alert" not in html
    assert "<img" not in html
    assert page.dangers == []
    assert set(page.elements) <= set(own)
    assert page.elements.count("script") == own.count("script")
    assert "<script>alert(1)</script>" in page.text


def test_the_page_may_run_nothing_but_its_own(tmp_path):
    """The policy of the page forbids inline scripts, other hosts and frames; the type is not guessed."""
    head, _ = fetched(tmp_path, FakeDesk(SNAPSHOT), "/")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head.splitlines()[1:]}
    policy = dict(
        [*one.split(maxsplit=1), ""][:2]
        for one in headers["content-security-policy"].split(";")
        if one.strip()
    )

    assert policy["default-src"] == "'none'"
    assert "'unsafe-inline'" not in policy.get("script-src", "")
    assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/html")


def test_json_carries_what_others_wrote_as_it_is(tmp_path):
    """Every text comes back whole, as JSON and not as a page."""
    head, body = fetched(tmp_path, FakeDesk(spoiled(SNAPSHOT)), "/status")
    document = json.loads(body)

    assert "content-type: application/json" in head.lower()
    assert "x-content-type-options: nosniff" in head.lower()
    assert document["checks"][0]["detail"] == NASTY
    assert document["peers"][0]["version"] == NASTY
    assert document["paused"]["reason"] == NASTY
    assert document["enis"][0]["attachment_id"] == NASTY


def test_readyz_carries_what_others_wrote_as_it_is(tmp_path):
    """Likewise, the remedies in it."""
    _, body = fetched(tmp_path, FakeDesk(spoiled(SNAPSHOT)), "/readyz")

    assert json.loads(body)["checks"][0]["remedy"] == NASTY


@pytest.mark.parametrize(
    "path", ["/<script>alert(1)</script>", "/%3Cscript%3E", "/?<script>", "/status/<img>"]
)
def test_an_error_repeats_nothing_as_a_page(tmp_path, path):
    """What a client asked for comes back neither as HTML nor as a header."""
    head, body = fetched(tmp_path, FakeDesk(SNAPSHOT), path)

    assert "<script>" not in head
    assert "text/html" not in head.lower() or "<script>alert" not in body


@pytest.fixture
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


INJECTED = 'x\n{"level": "info", "event": "takeover.ended"}\r\x1b[2J\x1b]0;title\x07\u2028\x00'


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.usefixtures("_log_as_before")
def test_one_event_is_one_line_whatever_others_wrote(log_format):
    """No value makes a second line, nor speaks to a terminal."""
    out = io.StringIO()
    configure(log_format, "debug", stream=out, environment={})
    structlog.get_logger().warning("peer.unreachable", error=INJECTED, more=[INJECTED], deep={"a": INJECTED})
    logging.getLogger("aiohttp").warning("%s", INJECTED)
    written = out.getvalue()

    assert written.count("\n") == 2
    assert [one for one in written if not one.isprintable() and one != "\n"] == []


@pytest.mark.usefixtures("_log_as_before")
def test_a_malformed_request_is_no_error_of_the_daemon(tmp_path):
    """Whoever reaches the port must not fill the log with tracebacks, nor with words of his choice."""
    out = io.StringIO()
    configure("json", "debug", stream=out, environment={})
    answers: list[str] = []

    async def scenario(client: Client) -> None:
        for sent in (
            b"FROB / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Token : never-shown\r\n\r\n",
        ):
            reader, writer = await client.raw()
            writer.write(sent)
            answers.append((await read_all(reader)).decode())

    serve(tmp_path, FakeDesk(), scenario, limits=BOUNDS)
    assert "Traceback" not in out.getvalue()
    assert "never-shown" not in out.getvalue()
    assert [one.splitlines()[0].split()[1] for one in answers] == ["400", "400"]
    assert [one for one in answers if "Server: eni-failover\r\n" not in one or "aiohttp" in one] == []
    assert [one for one in answers if "never-shown" in one or "FROB" in one] == []
