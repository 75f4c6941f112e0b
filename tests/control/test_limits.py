"""The bounds, as the manual shows them."""

import re
from dataclasses import asdict
from pathlib import Path

from eni_failover.control import Limits

MANUAL = Path(__file__).parents[2] / "docs" / "security.md"
HEADING = "## Bounds of the status port and the socket"


def test_the_manual_has_every_bound() -> None:
    """The names of a row and their values, in the same order."""
    section = MANUAL.read_text().partition(HEADING)[2].partition("\n## ")[0]
    shown: dict[str, float] = {}
    for line in section.splitlines():
        names = re.findall(r"`(\w+)`", line.rpartition(" | ")[2])
        if line.startswith("|") and names:
            values = line.split(" | ")[1].split(" / ")
            shown |= dict(zip(names, map(float, values), strict=True))

    assert shown == asdict(Limits())
