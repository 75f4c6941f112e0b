"""The listening sockets: made with the right mode, never taken from a living daemon, cleaned up.

Does not guarantee that one of two daemons starting at the same instant loses here: the lock on the
state directory does that.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from eni_failover.control.limits import BACKLOG
from eni_failover.errors import StartError

# Owner and group may give orders, nobody else; set by the umask, so that there is no moment of more.
_SOCKET_UMASK = 0o117


class SocketTaken(StartError):  # noqa: N818 - named by what is the case, as its users catch it
    """Another daemon answers on the control socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixListener:
    """The control socket and the file it made."""

    sock: socket.socket
    path: Path
    device: int
    inode: int

    def unlink(self) -> None:
        """Remove the file, unless another daemon has put its own there. Call before closing the socket.

        While the socket is open its inode number cannot be given to another file.
        """
        try:
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                self.path.unlink()
        except FileNotFoundError:
            return


def listen_unix(path: Path) -> UnixListener:
    """The control socket at this path, mode 0660; the one of a dead daemon is replaced.

    Raises SocketTaken when somebody answers there, and StartError when it cannot be made.
    """
    setting = f"[control] socket: {path}"
    if not path.parent.is_dir():
        raise StartError(f"{setting}: the directory {path.parent} does not exist")
    try:
        if _is_occupied(path, setting):
            if _answers(path):
                raise SocketTaken(f"{setting}: another eni-failover daemon is running there")
            path.unlink(missing_ok=True)
        return _bind_unix(path)
    except OSError as error:
        raise StartError(f"{setting}: {error.strerror or error}") from error


def _is_occupied(path: Path, setting: str) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(found.st_mode):
        raise StartError(f"{setting}: exists and is not a socket")
    return True


def _answers(path: Path) -> bool:
    """Whether somebody listens there. Only a refusal is a no: a full backlog is a living daemon's.

    A connect to a Unix socket never waits: unix(7) has no connection "in progress".
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True
    return True


def _bind_unix(path: Path) -> UnixListener:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(_SOCKET_UMASK)
        try:
            sock.bind(os.fspath(path))
        finally:
            os.umask(before)
        sock.listen(BACKLOG)
        found = path.lstat()
    except OSError:
        sock.close()
        raise
    return UnixListener(sock=sock, path=path, device=found.st_dev, inode=found.st_ino)


def listen_tcp(host: str, port: int) -> socket.socket:
    """The read-only socket; `host` is an IP address. Raises StartError naming address, port and setting."""
    setting = f"[server] listen: {f'[{host}]' if ':' in host else host}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"{setting}: is in use by another program") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise StartError(f"{setting}: this host does not have that address") from error
        raise StartError(f"{setting}: {error.strerror or error}") from error
