"""HTML as values: the one place that escapes, and the only one that makes `Html`.

Text (`str`) is never taken for markup: what is not an `Html` value is escaped, wherever it comes from.
Must not know what the page shows. Does not guarantee that the elements nest as HTML wants them to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_VOID = frozenset({"link", "meta", "rect"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that may go to a browser as it is."""

    markup: str


Child = Html | str | None


def element(name: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """One element. Children that are text are escaped, None is left out.

    Attributes are written `class_`, `aria_label`; True gives the bare name, False and None leave it out.
    """
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{opening}>" if name != "rect" else f"<{opening}/>")
    return Html(f"<{opening}>{joined(children).markup}</{name}>")


def joined(children: Iterable[Child]) -> Html:
    """These, one after the other."""
    return Html("".join(_markup(child) for child in children))


def spaced(children: Iterable[Child]) -> Html:
    """These, with a space between each two: words must not run together where no style sheet is."""
    return Html(" ".join(_markup(child) for child in children if child is not None))


def trusted(text: str) -> Html:
    """A text of this package's own, such as its style sheet, as it is. Never for what came from outside."""
    return Html(text)


def _markup(child: Child) -> str:
    match child:
        case None:
            return ""
        case Html():
            return child.markup
        case str():
            return _escaped(child)


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    """Escaped for text and for quoted attributes; what cannot be printed becomes a visible mark.

    That covers line ends, which an event stream must not have, lone surrogates, which UTF-8 cannot
    carry, and the characters that turn the direction of the text around them.
    """
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return escape(text, quote=True)
