"""Whether systemd runs a service here, as its control groups show: any user may look, no bus is asked."""

from __future__ import annotations

from pathlib import Path

# Control groups of version 2, and systemd's own of version 1 beside others.
_TREES = ("sys/fs/cgroup", "sys/fs/cgroup/systemd", "sys/fs/cgroup/unified")
_SLICE = "system.slice"


def is_running(unit: str, root: Path = Path("/")) -> bool | None:
    """Whether it does; None where no control groups of systemd are seen, as in a container."""
    slices = [path for tree in _TREES if (path := root / tree / _SLICE).is_dir()]
    if not slices:
        return None
    return any((path / unit).is_dir() for path in slices)
