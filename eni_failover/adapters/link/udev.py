"""Whether udev has still to name a new link.

Before Linux 6.2 the kernel renames no link that is up, so a link that is set up too soon keeps the name that
nobody's configuration knows. udev writes its record of a device when it has run the rules for it, and marks
the record while a new name is under way. Where no udev runs, as in containers, nothing is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from eni_failover.adapters.link.kernel import KernelLink

_RENAMING: Final = "E:ID_RENAMING=1"


def awaits_name(link: KernelLink, root: Path = Path("/")) -> bool:
    """Whether this is a device that udev, which runs here, has not done with."""
    run = root / "run" / "udev"
    if not link.is_device or not (run / "control").exists():
        return False
    try:
        return _RENAMING in (run / "data" / f"n{link.index}").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True
    except OSError:
        return False
