"""`make docs`: write every page that is generated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docs.generate import completions, configuration, manpage

ROOT = Path(__file__).parents[2]


def pages() -> Mapping[Path, str]:
    """The text of each file, by its place in the repository."""
    return {
        Path("docs/configuration.md"): configuration.page(),
        Path("share/man/man1/eni-failover.1"): manpage.page(),
        **{place: completions.script(shell) for shell, place in completions.PLACES.items()},
    }


if __name__ == "__main__":
    for place, text in pages().items():
        (ROOT / place).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / place).write_text(text, encoding="utf-8")
