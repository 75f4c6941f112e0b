"""The document around the fragment: head, style sheet, script, and the headers that bind a browser to them.

Owns the Content-Security-Policy: nothing is loaded, nothing runs or styles but the two texts whose hashes
it names, and nothing is asked but this daemon's own event stream.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from urllib.parse import quote

from eni_failover.control.page.markup import Html, element, joined, trusted

_STYLE = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
_SCRIPT = files(__package__).joinpath("page.js").read_text(encoding="utf-8")
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path d="M2 5h9M8 2l3 3-3 3M14 11H5m3-3-3 3 3 3" fill="none" stroke="#3565d8" stroke-width="2"/></svg>'
)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; "
        f"style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def document(content: Html, *, title: str, late: float | None) -> str:
    """The whole page. `late` is for how many seconds no pass has ended, when that is too long."""
    body = element(
        "body",
        element("a", "Skip to the facts", href="#facts", class_="skip"),
        _notice(late),
        element("p", id="spoken", role="status", class_="unseen"),
        content,
        element("script", trusted(_SCRIPT)),
    )
    return joined((trusted("<!DOCTYPE html>"), element("html", _head(title), body, lang="en"))).markup


def _head(title: str) -> Html:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("title", title),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("link", rel="icon", href=f"data:image/svg+xml,{quote(_ICON)}"),
        element("style", trusted(_STYLE)),
    )


def _notice(late: float | None) -> Html:
    """Says that what follows is old. The script shows and hides it."""
    words = "" if late is None else f"No pass has ended for {late:.0f} s: what follows is old."
    return element("p", words, id="notice", class_="notice", hidden=late is None)
