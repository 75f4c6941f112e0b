"""What keeps a drill from beginning: one sentence with its remedy, or nothing.

Pure: judges the status documents of this member and of the holder. Both are read as they came, and a
field that is not there refuses. Knows nothing of `check`, which is asked as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, Answer, CheckResult, Reason, Role, Scope

Document = Mapping[str, Any]

_AT_REST = {Reason.HOLDER_UP, Reason.NO_HOLDER_PROBE}
"""The reasons of a pass that has nothing to do, nor to wait for: no takeover is about to begin."""


def why_not_here(here: Document) -> str:
    """Why this member's daemon says that now is no time for a drill, or empty."""
    return next(_obstacles_here(here), "")


def why_not_back(here: Document, there: Document | None) -> str:
    """Why the holder, by its own status, could not take the group back, or empty."""
    return next(_obstacles_there(here, there), "")


def all_attached_to(document: Document, member: object) -> bool:
    """Whether every ENI of the group, and at least one, is attached to this member, by this document."""
    enis = document.get("enis") or ()
    return bool(enis) and all((one.get("status"), one.get("member")) == ("attached", member) for one in enis)


def _obstacles_here(here: Document) -> Iterator[str]:
    me, group, holder = here.get("member"), here.get("group"), here.get("holder")
    yield from _under_way(here)
    if holder == me:
        others = " or ".join(str(peer.get("member")) for peer in here.get("peers", ())) or "a standby"
        yield f"{me} holds {group} itself: run the drill on {others}"
    if holder in {None, NOBODY, FOREIGN, UNKNOWN}:
        yield f"no member holds {group} ({holder}): see 'eni-failover status'"
    if not all_attached_to(here, holder):
        yield f"{group} is not whole on {holder}: see 'eni-failover status'"
    paused = here.get("paused")
    if paused:
        yield _paused(f"{group} is paused", paused)
    if here.get("role") != Role.STANDBY:
        yield f"{me} is {here.get('role')}, not standby: see 'eni-failover status'"
    for failing in _failing(here):
        yield f"{me} is not ready: {failing}"
    yield from _holder_as_seen(here, holder)


def _holder_as_seen(here: Document, holder: object) -> Iterator[str]:
    peers = here.get("peers", ())
    if not any(peer.get("member") == holder and peer.get("reachable") for peer in peers):
        yield _silent(holder)
    for peer in peers:
        if peer.get("reachable") and peer.get("role") == Role.TAKING:
            yield f"{peer.get('member')} is taking over: wait until it has ended"
    for probe in here.get("probes", ()):
        if probe.get("scope") == Scope.HOLDER and probe.get("state") != Answer.UP:
            said = f"{probe.get('name')} {probe.get('state')}"
            yield f"not every probe says that {holder} is up ({said}): a drill begins with all in health"
    reason = (here.get("decision") or {}).get("reason")
    if reason not in _AT_REST:
        yield f"the daemon is not at rest ({reason}): see 'eni-failover status', and wait"


def _obstacles_there(here: Document, there: Document | None) -> Iterator[str]:
    holder = here.get("holder")
    if there is None:
        yield _silent(holder)
        return
    yield from _under_way(there)
    if there.get("role") != Role.ACTIVE:
        yield f"{holder} is {there.get('role')}, not active: see 'eni-failover status' there"
    if not all_attached_to(there, holder):
        yield f"{holder} does not know that it holds everything: see 'eni-failover status' there"
    if there.get("paused"):
        yield _paused(f"{holder} is paused", there["paused"])
    if there.get("config_hash") != here.get("config_hash"):
        yield f"{holder} has another [eni] or [[member]]: put the same file on every member and reload"
    for failing in _failing(there):
        yield f"{holder} could not take the group back: {failing}"


def _under_way(document: Document) -> Iterator[str]:
    takeover = document.get("takeover")
    if takeover:
        what = f"{takeover.get('trigger')}: {takeover.get('phase')}"
        yield f"a takeover of {document.get('member')} is under way ({what}): wait until it has ended"


def _silent(member: object) -> str:
    return (
        f"{member}'s daemon gives no answer, and only it can take the group back:"
        " is it running, and its port open to this member?"
    )


def _paused(what: str, paused: Document) -> str:
    said = ", ".join(str(one) for one in (paused.get("reason"), paused.get("by")) if one)
    local = " --local" if paused.get("local") else ""
    return f"{what}{f' ({said})' if said else ''}: end it with 'eni-failover resume{local}', or drill later"


def _failing(document: Document) -> Iterator[str]:
    """Each failing check with its remedy; a member that shows no checks is not known to be ready."""
    checks = document.get("checks") or ()
    bad = [one for one in checks if one.get("result") == CheckResult.FAIL]
    for one in bad:
        remedy = f" ({one['remedy']})" if one.get("remedy") else ""
        yield f"{one.get('name')}: {one.get('detail')}{remedy}"
    if not bad and not (checks and document.get("ready")):
        yield "see 'eni-failover status' there"
