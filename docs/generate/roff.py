"""A manual page's own language, man(7): the few requests that the page needs.

Owns the escaping: no text of a command's help can become a request.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": r"\e", "-": r"\-", "~": r"\(ti", "^": r"\(ha", "'": r"\(aq", "`": r"\(ga"})


def plain(text: str) -> str:
    """Text that stands for itself."""
    return text.translate(_ESCAPES)


def marked(text: str) -> str:
    """As `plain`, in short lines. What stands in backquotes is bold, what stands in <> is to be filled in."""
    parts = re.split(r"(`[^`]+`|<[A-Z]+>)", " ".join(text.split()))
    fonts = {"`": "B", "<": "I"}
    shown = [rf"\f{fonts[one[0]]}{plain(one[1:-1])}\fP" if one[:1] in fonts else plain(one) for one in parts]
    lines = textwrap.wrap("".join(shown), 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in lines)


def heading(title: str) -> str:
    """A section."""
    return f".SH {plain(title)}\n"


def subheading(title: str) -> str:
    """A part of a section."""
    return f".SS {plain(title)}\n"


def paragraph(text: str) -> str:
    """Running text, after other text."""
    return f".PP\n{marked(text)}\n"


def item(term: str, text: str) -> str:
    """A term, marked up already, and what it means."""
    return f".TP\n{term}\n{marked(text)}\n"


def listing(lines: Iterable[str]) -> str:
    """Lines as they are, indented."""
    return ".PP\n.RS 4\n.EX\n" + "".join(f"\\&{plain(line)}\n" for line in lines) + ".EE\n.RE\n"
