"""Which zone of firewalld a new link gets, and which zones other links are in.

Only what is written for good is read: firewalld tells what holds now on the system bus alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIRECTORY: Final = "etc/firewalld"
_DEFAULT: Final = re.compile(r"^DefaultZone\s*=\s*(\S+)", re.MULTILINE)
_INTERFACE: Final = re.compile(r"<interface\s+name=[\"']([^\"']+)[\"']")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zones:
    """The default zone, and the links that are bound to each zone."""

    default: str
    links: Mapping[str, tuple[str, ...]]

    @property
    def others(self) -> dict[str, tuple[str, ...]]:
        """The zones beside the default one that have links of their own."""
        return {zone: links for zone, links in self.links.items() if zone != self.default and links}


def read_zones(root: Path = Path("/")) -> Zones:
    """What is written below `root`. Raises OSError: most users may not read it."""
    directory = root / _DIRECTORY
    main = _DEFAULT.search((directory / "firewalld.conf").read_text(encoding="utf-8", errors="replace"))
    return Zones(
        default=main[1] if main else "public",
        links={
            path.stem: tuple(_INTERFACE.findall(path.read_text(encoding="utf-8", errors="replace")))
            for path in sorted((directory / "zones").glob("*.xml"))
        },
    )
