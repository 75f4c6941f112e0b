"""The last takeovers of the group, each as a bar of its phases with the same figures as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from eni_failover.control.page.markup import Html, element
from eni_failover.control.page.moments import Tone, badge, length, when
from eni_failover.core.model import SHOWN_TAKEOVERS, History
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import NOBODY, Phase, Result
from eni_failover.status import time_text

_RESULTS = {Result.SUCCESS: Tone.GOOD, Result.FAILED: Tone.BAD, Result.LOST: Tone.WARN}
_MEANINGS = {
    Phase.DETECT: "from the first answer that was down, or EC2's word, to the verdict",
    Phase.WAIT: "a bound held it back: a turn, a cooldown, a holder never seen up, a pause",
    Phase.OBSERVE: "one more look at EC2, and the intent written to disk",
    Phase.FENCE: "until the holder's instance was seen stopped",
    Phase.DETACH: "from the detach to the interface being available",
    Phase.ATTACH: "from there to attached here",
    Phase.LINK: "until the link was up, addressed and source-routed",
}
_THINNEST = 0.8  # per cent: a phase of milliseconds is still to be seen


def takeovers(snapshot: Snapshot) -> Html:
    """The members' last takeovers, the newest first."""
    history = _of_group(snapshot)
    if not history:
        return element(
            "section",
            element("h2", "Takeovers", id="takeovers"),
            element("p", "No member tells of one.", class_="fact"),
            aria_labelledby="takeovers",
        )
    return element(
        "section",
        element("h2", "Takeovers", id="takeovers"),
        element("ol", *(_takeover(line, snapshot.at_wall) for line in history), class_="history"),
        _meanings(),
        aria_labelledby="takeovers",
    )


def _of_group(snapshot: Snapshot) -> tuple[History, ...]:
    """What this member knows, and what the others say of themselves."""
    told = [line for peer in snapshot.peers for line in peer.takeovers]
    found = sorted((*snapshot.takeovers, *told), key=lambda line: line.ended_wall, reverse=True)
    return tuple(found[:SHOWN_TAKEOVERS])


def _takeover(line: History, now: float) -> Html:
    spent = _by_phase(line)
    origin = "nobody" if line.from_member in {"", NOBODY} else line.from_member
    return element(
        "li",
        element("h3", f"From {origin} to {line.to_member}"),
        element(
            "p", badge(line.result, _RESULTS[line.result]), " ", when(line.ended_wall, now), class_="badges"
        ),
        element(
            "p",
            "Trigger ",
            element("code", line.trigger),
            ", reason ",
            element("code", line.reason),
            f", {length(line.took)} in all, ",
            _clock(line.ended_wall - line.took),
            " to ",
            _clock(line.ended_wall),
            " UTC",
            class_="fact",
        ),
        element("p", line.detail, class_="fact") if line.detail else None,
        _bar(spent),
        element("ul", *_legend(spent), class_="legend"),
    )


def _by_phase(line: History) -> dict[Phase, float]:
    """Seconds by phase, in the order of the phases; one that happened twice is one."""
    spent: dict[Phase, float] = {}
    for phase, seconds in line.phases:
        spent[phase] = spent.get(phase, 0.0) + seconds
    return {phase: spent[phase] for phase in Phase if phase in spent}


def _bar(spent: dict[Phase, float]) -> Html | None:
    """The phases side by side, as wide as they were long. The list below it has the figures."""
    total = sum(spent.values())
    if not total:
        return None
    widths = {phase: max(_THINNEST, 100 * seconds / total) for phase, seconds in spent.items()}
    scale = 100 / sum(widths.values())
    longest = max(spent, key=lambda phase: spent[phase])
    label = f"Phases of {length(total)} in all; the longest is {longest} with {length(spent[longest])}"
    parts, left = [], 0.0
    for phase, width in widths.items():
        share = width * scale
        parts.append(
            element("rect", x=f"{left:.2f}%", width=f"{share:.2f}%", height="100%", class_=f"phase {phase}")
        )
        left += share
    return element("svg", *parts, class_="bar", role="img", aria_label=label)


def _clock(wall: float) -> Html:
    """The time of day, to a tenth of a second."""
    shown = datetime.fromtimestamp(wall, UTC).strftime("%H:%M:%S.%f")[:-5]
    return element("time", shown, datetime=time_text(wall))


def _legend(spent: dict[Phase, float]) -> Iterator[Html]:
    for phase, seconds in spent.items():
        rect = element("rect", width="100%", height="100%", class_=f"phase {phase}")
        yield element(
            "li",
            element("svg", rect, class_="swatch", aria_hidden="true"),
            " ",
            phase,
            " ",
            element("b", length(seconds)),
        )


def _meanings() -> Html:
    lines = (
        part
        for phase, meaning in _MEANINGS.items()
        for part in (element("dt", phase), element("dd", meaning))
    )
    return element("details", element("summary", "What the phases are"), element("dl", *lines))
