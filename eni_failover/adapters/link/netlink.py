"""pyroute2, imported late: it takes 5 MB and a tenth of a second, which mode `off` can do without."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute
    from pyroute2.netlink.rtnl.rtmsg import rtmsg


def open_socket() -> AsyncIPRoute:
    """A netlink socket in this thread's network namespace. Raises OSError."""
    from pyroute2.iproute import AsyncIPRoute  # noqa: PLC0415 - see above

    return AsyncIPRoute()


def errors() -> tuple[type[Exception], ...]:
    """What a request may raise."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - see above

    return NetlinkError, OSError  # a TimeoutError is an OSError


def is_overrun(error: Exception) -> bool:
    """Whether events were lost because they came faster than they were read."""
    return isinstance(error, OSError) and error.errno == errno.ENOBUFS


def is_unsupported(error: Exception) -> bool:
    """Whether the kernel was built or started without what was asked for."""
    return getattr(error, "code", None) in {errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT}


def route_message(data: bytes) -> rtmsg:
    """One message about a route, read."""
    from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: PLC0415 - see above

    message = rtmsg(data)
    message.decode()
    return message
