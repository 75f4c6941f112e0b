"""Everything on the page that changes: the fragment that the event stream carries."""

from __future__ import annotations

from eni_failover.control.page.health import probes, readiness
from eni_failover.control.page.markup import Html, element
from eni_failover.control.page.members import members
from eni_failover.control.page.summary import banner, hero, live_mark, notes
from eni_failover.control.page.takeovers import takeovers
from eni_failover.control.page.wording import announcement, title
from eni_failover.core.snapshot import Snapshot

_LINKS = ("status", "events", "readyz", "active", "livez", "metrics")


def fragment(snapshot: Snapshot | None) -> Html:
    """The page's content; before the first pass it says only that.

    The script puts a newer fragment in the place of an older one, element by element, so the outline
    is always the same; what comes and goes is inside `notes`.
    """
    if snapshot is None:
        return _page("eni-failover", "", _starting())
    return _page(title(snapshot), announcement(snapshot), *_content(snapshot))


def _page(name: str, spoken: str, *content: Html) -> Html:
    return element("div", *content, id="page", data_title=name, data_announce=spoken)


def _starting() -> Html:
    words = "starting: no pass has ended yet"
    return element(
        "main", element("h1", "eni-failover"), live_mark(), element("p", words), id="facts", tabindex="-1"
    )


def _content(snapshot: Snapshot) -> tuple[Html, ...]:
    main = element(
        "main",
        hero(snapshot),
        notes(snapshot),
        members(snapshot),
        element("div", probes(snapshot), readiness(snapshot), class_="columns"),
        takeovers(snapshot),
        id="facts",
        tabindex="-1",
    )
    return banner(snapshot), main, _footer(snapshot)


def _footer(snapshot: Snapshot) -> Html:
    links = (element("li", element("a", f"/{name}", href=name)) for name in _LINKS)
    return element(
        "footer",
        element("nav", element("ul", *links), aria_label="The same facts for programs"),
        element(
            "p",
            f"eni-failover {snapshot.version} on {snapshot.instance_id}, configuration ",
            element("code", snapshot.config_hash),
            ". This page only shows: orders are given with the eni-failover command.",
        ),
    )
