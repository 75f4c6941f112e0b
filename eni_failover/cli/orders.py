"""`eni-failover pause`, `resume` and `reload`: an order to the daemon, and what became of it.

Who gives the order is the daemon's to say: it asks the kernel, and a name in the request could be
anybody's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from eni_failover.cli.terminal import complain, moment, say
from eni_failover.client import Client, UnreachableError
from eni_failover.core.model import PauseKind
from eni_failover.exitcodes import ExitCode

ACKNOWLEDGE_WITHIN = 5.0
POLL = 0.2

Document = Mapping[str, Any]


def pause(client: Client, *, duration: str | None, reason: str, local: bool) -> ExitCode:
    """No automatic takeover from now on; prints who knows. Raises UnreachableError, BadOrderError."""
    body: dict[str, Any] = {"reason": reason, "local": local}
    if duration is not None:
        body["for"] = duration
    answer = client.order("/pause", body).document
    until = (answer.get("pause_record") or {}).get("until")
    ends = "resumed" if until is None else moment(until)
    ends = f"resumed, {ends} at the latest" if duration is None and until is not None else ends
    say(f"paused until {ends}{_where(local=local)}")
    return _report(client, answer, local=local)


def resume(client: Client, *, reason: str, local: bool) -> ExitCode:
    """The end of a pause; prints who knows. Raises UnreachableError, BadOrderError."""
    answer = client.order("/resume", {"reason": reason, "local": local}).document
    say(f"resumed{_where(local=local)}")
    return _report(client, answer, local=local)


def reload(client: Client) -> ExitCode:
    """Has the daemon read its file again. Raises UnreachableError, BadOrderError."""
    reply = client.order("/reload", {})
    if reply.status != 200:
        for problem in reply.document.get("errors", ()):
            complain(problem)
        complain("not reloaded: the daemon goes on with the configuration it had")
        return ExitCode.BAD_CONFIG
    say("reloaded")
    return ExitCode.OK


def _where(*, local: bool) -> str:
    return ", this member only" if local else ""


def _report(client: Client, answer: Document, *, local: bool) -> ExitCode:
    """Waits for the members that can be reached, and names them all."""
    if local:
        return ExitCode.OK
    status: Document = {}
    deadline = time.monotonic() + ACKNOWLEDGE_WITHIN
    while True:
        try:
            status = client.status().document
        except UnreachableError as error:
            complain(f"who has acknowledged is not known: {error}")
            return ExitCode.OK
        if _is_settled(status, answer) or time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    known = status.get("acknowledged", ()) if _is_same(status, answer) else answer.get("acknowledged", ())
    say(f"acknowledged by {', '.join(known) or 'nobody'}")
    for peer in status.get("peers", ()):
        if peer.get("member") not in known:
            why = "not yet" if peer.get("reachable") else "not reachable"
            complain(f"not acknowledged by {peer.get('member')}: {why}")
    _mention_what_still_holds(status, answer)
    return ExitCode.OK


def _is_settled(status: Document, answer: Document) -> bool:
    """Whether the daemon shows this order, and every member it can reach follows it."""
    known = status.get("acknowledged", ())
    reachable = [peer.get("member") for peer in status.get("peers", ()) if peer.get("reachable")]
    return _is_same(status, answer) and all(member in known for member in reachable)


def _is_same(status: Document, answer: Document) -> bool:
    return _record(status) == _record(answer)


def _record(document: Document) -> tuple[object, object]:
    record = document.get("pause_record") or {}
    return record.get("kind"), record.get("at")


def _mention_what_still_holds(status: Document, answer: Document) -> None:
    """A resume of the group does not end a pause of this member alone."""
    kind, _ = _record(answer)
    left = status.get("paused") or {}
    if kind == PauseKind.RESUME and left.get("local"):
        complain("this member alone is still paused: end that with 'eni-failover resume --local'")
