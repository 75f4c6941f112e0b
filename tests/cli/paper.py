"""What a renderable looks like on a terminal of so many columns, without colours."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def on_paper(shown: RenderableType, columns: int) -> str:
    """The lines as text, without the blanks that fill them."""
    console = Console(width=columns, file=io.StringIO(), highlight=False, markup=False, emoji=False)
    console.print(shown)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
