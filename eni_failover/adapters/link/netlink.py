"""pyroute2, imported late: it takes 20 MB and a tenth of a second, which mode `off` can do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute


def open_socket() -> AsyncIPRoute:
    """A netlink socket in this thread's network namespace. Raises OSError."""
    from pyroute2 import AsyncIPRoute  # noqa: PLC0415 - see above

    return AsyncIPRoute()


def errors() -> tuple[type[Exception], ...]:
    """What a request may raise."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - see above

    return NetlinkError, OSError  # a TimeoutError is an OSError
