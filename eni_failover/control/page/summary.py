"""The top of the page: the group, who holds it, what was decided last, a pause, a takeover under way."""

from __future__ import annotations

from eni_failover.control.page.markup import Html, element, joined, spaced
from eni_failover.control.page.moments import Tone, badge, length, sign, when
from eni_failover.control.page.wording import because, headline, role_sentence, tone
from eni_failover.core.snapshot import Snapshot, TakeoverLine
from eni_failover.core.vocabulary import Phase
from eni_failover.status import acknowledged, pause_in_force


def live_mark() -> Html:
    """Whether the page is live: the script's to write, true as it stands where no script runs."""
    return element(
        "p",
        element("span", "one moment: reload for a newer one", id="mark", data_own=True),
        class_="live",
    )


def banner(snapshot: Snapshot) -> Html:
    """The page's header: the group, and who tells this, as of when."""
    seen = when(snapshot.at_wall, snapshot.at_wall)
    return element(
        "header",
        element("p", "eni-failover", class_="brand"),
        element("h1", "Group ", element("b", snapshot.group)),
        live_mark(),
        element(
            "p",
            "As seen by ",
            element("b", snapshot.member),
            ", ",
            element("span", seen, id="seen"),
            class_="seen",
        ),
    )


def hero(snapshot: Snapshot) -> Html:
    """How the group stands, what happens next by itself, what to do, and this member's role."""
    decision = snapshot.decision
    return element(
        "section",
        element("h2", sign(tone(snapshot)), headline(snapshot), id="now"),
        _outage(snapshot),
        _nobody(snapshot),
        element("p", role_sentence(snapshot), class_="role"),
        _expected(snapshot),
        element(
            "p",
            "Last decision ",
            element("code", decision.action),
            ", reason ",
            element("code", decision.reason),
            ", ",
            when(decision.at_wall, snapshot.at_wall),
            class_="decision",
        ),
        class_=f"hero {tone(snapshot)}",
        aria_labelledby="now",
    )


def _outage(snapshot: Snapshot) -> Html | None:
    """Since when, by when this member acts by itself or why it does not, and the command."""
    outage, now = snapshot.outage, snapshot.at_wall
    if outage is None:
        return None
    holds = (": ", because(outage.reason), " (", element("code", outage.reason), ").")
    is_holder = snapshot.member == snapshot.holder
    ahead: tuple[Html | str, ...]
    if outage.ends_at_wall is not None:
        who = "A standby" if is_holder else snapshot.member
        ahead = (f" {who} takes over by itself at ", when(outage.ends_at_wall, now))
    else:
        ahead = (
            " The group does not move by itself"
            if is_holder
            else f" {snapshot.member} does not take over by itself",
        )
    return element(
        "div",
        element("p", "Since ", when(outage.since_wall, now), ".", *ahead, *holds),
        element("p", "What to do: ", element("code", outage.remedy)) if outage.remedy else None,
        class_="outage",
    )


def _nobody(snapshot: Snapshot) -> Html | None:
    """Why nobody could follow the holder."""
    following = snapshot.next_holder
    if snapshot.outage is not None or following.member is not None or snapshot.takeover is not None:
        return None
    return element(
        "p",
        "If the holder died now, its addresses would stay there: ",
        because(following.reason),
        " (",
        element("code", following.reason),
        ").",
    )


def _expected(snapshot: Snapshot) -> Html | None:
    """How long a takeover by this member would take."""
    expected = snapshot.expected
    if snapshot.member == snapshot.holder or expected.detect is None:
        return None
    parts = [f"detected after {length(expected.detect)} at most"]
    if expected.detach is not None and expected.attach is not None:
        parts.append(f"then by EC2, as last time, {length(expected.detach)} and {length(expected.attach)}")
    return element("p", f"To expect: a death is {', '.join(parts)}.", class_="fact")


def notes(snapshot: Snapshot) -> Html:
    """What is out of the ordinary; an empty element when nothing is."""
    under_way = None if snapshot.takeover is None else _takeover(snapshot.takeover, snapshot.at_wall)
    return element("div", under_way, _pause(snapshot), class_="notes")


def _takeover(line: TakeoverLine, now: float) -> Html:
    phases = [phase for phase in Phase if phase is not Phase.DETECT]
    if line.phase is not Phase.FENCE:
        phases.remove(Phase.FENCE)
    steps = (
        element("li", phase, class_="step", aria_current="step" if phase is line.phase else None)
        for phase in phases
    )
    return element(
        "section",
        element("h2", sign(Tone.BUSY), "Takeover under way", id="moving"),
        element(
            "p",
            "Trigger ",
            element("code", line.trigger),
            ", reason ",
            element("code", line.reason),
            ", since ",
            when(line.since_wall, now),
        ),
        element("ol", *steps, class_="steps"),
        class_=f"note {Tone.BUSY}",
        aria_labelledby="moving",
    )


def _pause(snapshot: Snapshot) -> Html | None:
    record = pause_in_force(snapshot)
    if record is None:
        return None
    until: Html | str = "until resumed" if record.until is None else _until(record.until, snapshot.at_wall)
    known = acknowledged(record, snapshot)
    command = "eni-failover resume --local" if record.local else "eni-failover resume"
    return element(
        "section",
        element(
            "h2", sign(Tone.WARN), "Paused", " for this member only" if record.local else "", id="paused"
        ),
        element("p", "No automatic takeover ", until, "."),
        element("blockquote", record.reason) if record.reason else None,
        element(
            "p", "By ", element("b", record.by or "unknown"), ", ", when(record.at, snapshot.at_wall), "."
        ),
        element(
            "p",
            "Acknowledged by ",
            spaced(badge(member, Tone.QUIET) for member in known),
        ),
        element("p", "To end it: ", element("code", command)),
        class_=f"note {Tone.WARN}",
        aria_labelledby="paused",
    )


def _until(wall: float, now: float) -> Html:
    return joined(("until ", when(wall, now)))
