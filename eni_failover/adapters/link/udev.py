"""Whether udev has still to name a new link.

Before Linux 6.2 the kernel renames no link that is up, so a link that is set up too soon keeps the name that
nobody's configuration knows. udev writes its record of a device when it has run the rules for it. Where no
udev runs, as in containers and network namespaces, nothing is named.
"""

from __future__ import annotations

from pathlib import Path

from eni_failover.adapters.link.kernel import KernelLink


def awaits_name(link: KernelLink, root: Path = Path("/")) -> bool:
    """Whether this is a device that udev has no record of, though udev runs."""
    run = root / "run" / "udev"
    return link.is_device and (run / "control").exists() and not (run / "data" / f"n{link.index}").exists()
