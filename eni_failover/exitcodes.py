"""What a process of this program says by its exit status: the one list of all its commands.

Owns the numbers; they are part of the product's contract. Add, never renumber.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status. Each command's help says which of them it has.

    `FAILED` is the plain no: the daemon crashed, a check failed, this member is not active, the
    demo or a drill did not show what it promises. `BAD_CONFIG` is also a mistake on the command line:
    systemd must not restart either (RestartPreventExitStatus). `UNREACHABLE` means that no daemon
    answered. `UNDER_WAY` is a takeover that was accepted and has not ended, or a drill that is not
    back. `INTERRUPTED` is the shell's own word for SIGINT, 128 + 2.
    """

    OK = 0
    FAILED = 1
    BAD_CONFIG = 2
    UNREACHABLE = 3
    REFUSED = 4
    UNDER_WAY = 5
    INTERRUPTED = 130
