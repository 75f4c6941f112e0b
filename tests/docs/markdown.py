"""The project's Markdown files, taken apart: headings, links, code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^[ ]*```([a-z]*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)


def name_of(page):
    """The page's place in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page, *languages):
    """The fenced blocks of these languages; without one, those that name none."""
    return [text for language, text in _BLOCK.findall(page.read_text()) if language in (languages or ("",))]


def prose(page):
    """The page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text())


def spans(page):
    """The code within lines of prose, each on one line."""
    return [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose(page))]


def shell_lines(page):
    """The command lines of the page: those of shell blocks, with continued lines joined."""
    return [
        line.strip()
        for text in blocks(page, "sh")
        for line in re.sub(r"\\\n\s*", " ", text).splitlines()
        if not line.lstrip().startswith("#")
    ]


def links(page):
    """The targets of the page's links within the repository."""
    found = re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(page)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page):
    """The names that a link may have behind #, as the code hosts make them of headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
