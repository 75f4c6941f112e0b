"""Which of the kernel's privileges this process has; see capabilities(7).

Owns the reading of /proc. Must not know what the privileges are for.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class Capability(IntEnum):
    """Numbers of linux/capability.h."""

    NET_ADMIN = 12
    NET_RAW = 13


def has(capability: Capability, *, proc: Path = Path("/proc")) -> bool:
    """Whether the calling thread has it in effect; False where there is no /proc."""
    try:
        lines = (proc / "thread-self" / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> capability & 1)
