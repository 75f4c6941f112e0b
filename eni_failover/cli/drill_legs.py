"""The three parts of a drill: the takeover here, the stay, the takeover back, each followed to its end.

Owns the following, and what is measured on the way. Decides nothing and moves nothing: the daemons do.
Times are monotonic seconds unless they come from a history line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eni_failover.cli.drill_eyes import Document, Eyes, Look
from eni_failover.cli.drill_refusals import all_attached_to
from eni_failover.cli.takeover import stage
from eni_failover.core.vocabulary import UNKNOWN, Answer, Phase, Result, Role, Scope, Trigger
from eni_failover.exitcodes import ExitCode

POLL = 0.1
_MOVING = {"available", "attaching", "detaching"}
SILENT_FOR = 5.0
"""A daemon that gave no answer for so long is gone, and not only being restarted."""

Show = Callable[[str], None]
SeeOrder = Callable[[], None]
"""Raises StoppedError when the order to go back can no longer be expected."""


class StoppedError(Exception):
    """The drill ends here; `code` is its exit status."""

    def __init__(self, problem: str, code: ExitCode) -> None:
        super().__init__(problem)
        self.problem = problem
        self.code = code


@dataclass(slots=True, kw_only=True)
class Leg:
    """One takeover of the drill.

    `left_at` is the last look that showed `origin` holding everything ready, `arrived_at` the first that
    showed `to` so; `ended` is the taker's own history line.
    """

    name: str
    origin: str
    to: str
    began_at: float
    last_takeover_id: object
    ended: Document | None = None
    arrived_at: float | None = None
    left_at: float | None = None

    @property
    def gap(self) -> float | None:
        """Seconds, None when it was not observed."""
        if self.arrived_at is None or self.left_at is None:
            return None
        return self.arrived_at - self.left_at

    def see(self, look: Look, me: str) -> None:
        """Notes what this look shows."""
        giver, taker = look.of(self.origin, me), look.of(self.to, me)
        known = taker is not None and all_attached_to(taker, self.origin) and not _has_detached(taker)
        if self.arrived_at is None and known and giver is not None and giver.get("role") == Role.ACTIVE:
            self.left_at = look.at
        ended = None if taker is None else (taker.get("last_takeover") or None)
        if ended is not None and ended.get("id") != self.last_takeover_id:
            self.ended = ended
        if self.arrived_at is None and taker is not None and self.ended and has_arrived(taker, self.to):
            self.arrived_at = look.at


def _has_detached(taker: Document) -> bool:
    """Whether it has asked for the detach: what it shows of the ENIs is from before, until its next look."""
    phase = (taker.get("takeover") or {}).get("phase", Phase.OBSERVE)
    return phase not in {Phase.DETECT, Phase.OBSERVE}


@dataclass(slots=True, kw_only=True)
class Stay:
    """The time on this member. `probes` are the holder's probes of it: name, state, detail, `up_after_s`."""

    began_at: float
    ended_at: float | None = None
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def see(self, look: Look, me: str) -> None:
        """Notes what the former holder's probes say of this member by now."""
        for probe in () if look.there is None else look.there.get("probes", ()):
            if probe.get("scope") != Scope.HOLDER:
                continue
            name, about_me = str(probe.get("name")), probe.get("member") == me
            state = probe.get("state") if about_me else Answer.UNKNOWN
            known = self.probes.setdefault(name, {"name": name, "up_after_s": None})
            known |= {"state": state, "detail": probe.get("detail") if about_me else ""}
            if state == Answer.UP and known["up_after_s"] is None:
                known["up_after_s"] = round(look.at - self.began_at, 3)

    def of(self, *states: Answer) -> list[str]:
        """The probes in one of these states, with what they say."""
        return [
            f"{one['name']} {one['state']}" + (f" ({one['detail']})" if one["detail"] else "")
            for one in self.probes.values()
            if one["state"] in states
        ]


@dataclass(slots=True, kw_only=True)
class Followed:
    """Follows the parts. `show` gets a line of progress each time that something changes."""

    eyes: Eyes
    show: Show
    began_at: float
    shown: str = ""

    def here(self, leg: Leg, deadline: float) -> str:
        """Until everything is ready on this member, then empty. Raises StoppedError.

        A takeover that failed with everything attached here is told by what was wrong: the way back is open.
        """
        while True:
            look = self._look(leg)
            failed = _why_failed(leg)
            if failed and look.here is not None and all_attached_to(look.here, leg.to):
                return failed
            if failed:
                raise StoppedError(failed, ExitCode.FAILED)
            if leg.arrived_at is not None:
                _see_that_planned(leg)
                return ""
            if look.at >= deadline:
                raise _late_here(leg, look.here)
            time.sleep(POLL)

    def stay(self, stay: Stay, *, least: float, most: float) -> str:
        """Until the probes have a verdict, `least` seconds at least; what was wrong, or empty."""
        heard = dict.fromkeys((self.eyes.me, self.eyes.holder), stay.began_at)
        problem = ""
        while True:
            look = self.eyes.look()
            stay.see(look, self.eyes.me)
            heard |= {member: look.at for member in heard if look.of(member, self.eyes.me) is not None}
            silent = [member for member, at in heard.items() if look.at - at >= SILENT_FOR]
            if look.here is not None:
                problem = _why_not_held(look.here, self.eyes.me)
            if silent and not problem:
                problem = f"{silent[0]}'s daemon gave no answer during the stay"
            spent = look.at - stay.began_at
            judged = look.there is not None and not stay.of(Answer.UNKNOWN)
            if problem or (spent >= least and (judged or spent >= most)):
                break
            self._tell(self.eyes.me, _stay_line(stay))
            time.sleep(POLL)
        stay.ended_at = look.at
        return problem or _why_not_proven(stay, self.eyes.me)

    def back(self, leg: Leg, see_order: SeeOrder, *, begin_within: float, timeout: float) -> None:
        """Until everything is ready on the former holder. Raises StoppedError.

        `begin_within` seconds for the order to be given, and `timeout` from then on.
        """
        begin_by, deadline = leg.began_at + begin_within, None
        while True:
            look = self._look(leg)
            failed = _why_failed(leg)
            if failed:
                raise StoppedError(failed, ExitCode.FAILED)
            if leg.arrived_at is not None:
                return _see_that_planned(leg)
            if deadline is None and _has_begun(look, leg):
                deadline = look.at + timeout
            _see_who_holds(look, leg, self.eyes.me)
            if deadline is None:
                see_order()
            if look.at >= (begin_by if deadline is None else deadline):
                what = "not begun in time" if deadline is None else "still under way"
                raise StoppedError(f"the way back is {what}", ExitCode.UNDER_WAY)
            time.sleep(POLL)

    def settle(self, within: float) -> str:
        """Until this member is a ready standby again; what is wrong when it is not, or empty."""
        deadline = time.monotonic() + within
        while True:
            here = self.eyes.own_status() or {}
            if (here.get("role"), here.get("holder")) == (Role.STANDBY, self.eyes.holder) and here.get(
                "ready"
            ):
                return ""
            if time.monotonic() >= deadline:
                return f"{self.eyes.me} is no ready standby again: see 'eni-failover status'"
            time.sleep(POLL)

    def _look(self, leg: Leg) -> Look:
        look = self.eyes.look()
        leg.see(look, self.eyes.me)
        taker = look.of(leg.to, self.eyes.me)
        if taker is None:
            self._tell(leg.to, "no answer from the daemon")
        elif leg.arrived_at is not None:
            self._tell(leg.to, "holds everything and is ready")
        else:
            self._tell(leg.to, stage(taker))
        return look

    def _tell(self, member: str, what: str) -> None:
        line = f"{member}  {what}"
        if line != self.shown:
            self.shown = line
            self.show(f"{time.monotonic() - self.began_at:6.1f} s  {line}")


def has_arrived(document: Document, member: str) -> bool:
    """Whether this member, by its own word, holds everything ready with no takeover left to end."""
    held = document.get("role") == Role.ACTIVE and all_attached_to(document, member)
    return held and document.get("takeover") is None


def _why_failed(leg: Leg) -> str:
    if leg.ended is None or leg.ended.get("result") == Result.SUCCESS:
        return ""
    return f"the takeover by {leg.to} ended {leg.ended.get('result')}: {leg.ended.get('reason')}"


def _see_that_planned(leg: Leg) -> None:
    """An operator's takeover, or at home the primary's own failback; anything else was no part of a drill."""
    trigger = None if leg.ended is None else leg.ended.get("trigger")
    if trigger not in ({Trigger.MANUAL} if leg.name == "here" else {Trigger.MANUAL, Trigger.FAILBACK}):
        raise StoppedError(f"{leg.to} took the group by itself (trigger {trigger})", ExitCode.FAILED)


def _see_who_holds(look: Look, leg: Leg, me: str) -> None:
    """A third member that took the group in between ends the drill."""
    holder = None if look.here is None else look.here.get("holder")
    known = {leg.origin, leg.to, me}
    peers = {peer.get("member") for peer in (look.here or {}).get("peers", ())}
    if holder in peers - known:
        raise StoppedError(f"{holder} took the group in between", ExitCode.FAILED)


def _has_begun(look: Look, leg: Leg) -> bool:
    """Whether the way back is under way, by the taker's word or by what EC2 shows."""
    if look.there is not None and look.there.get("takeover"):
        return True
    enis = () if look.here is None else look.here.get("enis", ())
    return any(one.get("status") in _MOVING or one.get("member") not in {leg.origin, UNKNOWN} for one in enis)


def _late_here(leg: Leg, here: Document | None) -> StoppedError:
    if here is None:
        return StoppedError(f"{leg.to}'s daemon gives no answer", ExitCode.UNDER_WAY)
    if here.get("takeover") is None and here.get("holder") == leg.origin:
        reason = (here.get("decision") or {}).get("reason")
        return StoppedError(f"the takeover was not begun in time: {reason}", ExitCode.FAILED)
    return StoppedError(f"the takeover here is still under way: {stage(here)}", ExitCode.UNDER_WAY)


def _why_not_held(here: Document, me: str) -> str:
    holder = here.get("holder")
    if holder != me:
        return f"the group left {me} during the stay: holder {holder}"
    return "" if here.get("role") == Role.ACTIVE else f"{me} was {here.get('role')} during the stay"


def _why_not_proven(stay: Stay, me: str) -> str:
    bad = stay.of(Answer.DOWN) + stay.of(Answer.UNKNOWN)
    return f"not proven on {me}: {', '.join(bad)}" if bad else ""


def _stay_line(stay: Stay) -> str:
    said = ", ".join(f"{one['name']} {one['state']}" for one in stay.probes.values())
    return f"stays: {said}" if said else "stays"
