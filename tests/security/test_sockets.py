"""Who may talk to the daemon: the control socket's mode and owner, and what TCP can do, which is nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eni_failover.control.listen import listen_unix
from eni_failover.core.vocabulary import Role
from eni_failover.rolefile import RoleFile
from tests.control.support import READY, Client, FakeDesk, serve

NOBODY, OPERATORS = 65534, 64123
# Becomes another user first: the interpreter itself may be where only root can read it.
CONNECT = """
import os, socket, sys
path, user, *groups = sys.argv[1:]
os.setgroups([int(group) for group in groups])
os.setgid(int(user))
os.setuid(int(user))
with socket.socket(socket.AF_UNIX) as client:
    client.connect(path)
"""

ORDERS = ("/takeover", "/pause", "/resume", "/reload")
VIEWS = ("/", "/status", "/metrics", "/livez", "/readyz", "/active", "/events", "/nothing", "/../takeover")
METHODS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "MKCOL", "PROPFIND", "LOCK")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177])
def test_the_control_socket_is_for_owner_and_group_whatever_the_umask(tmp_path, umask):
    """Mode 0660, owned by who runs the daemon, and the process keeps the umask it had."""
    before = os.umask(umask)
    try:
        listener = listen_unix(tmp_path / "c.sock")
        kept = os.umask(umask)
    finally:
        os.umask(before)
    found = listener.path.lstat()
    listener.unlink()
    listener.sock.close()

    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    assert kept == umask


def test_the_control_socket_never_had_another_mode(tmp_path, monkeypatch):
    """Not chmod after bind: there is no moment in which others may connect."""
    seen: list[int] = []

    class Watched(socket.socket):
        def bind(self, address):
            super().bind(address)
            seen.append(mode_of(Path(address)))

    monkeypatch.setattr("eni_failover.control.listen.socket.socket", Watched)
    listener = listen_unix(tmp_path / "c.sock")
    listener.unlink()
    listener.sock.close()

    assert seen == [0o660]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter: only the socket's own mode can keep them out."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize(
    ("groups", "connects"), [([], False), ([OPERATORS], True)], ids=["stranger", "operator"]
)
def test_the_kernel_keeps_strangers_from_the_control_socket(open_directory, groups, connects):
    """Another user connects if, and only if, he is in the socket's group."""
    listener = listen_unix(open_directory / "c.sock")
    try:
        os.chown(listener.path, 0, OPERATORS)
        done = subprocess.run(
            [sys.executable, "-c", CONNECT, listener.path, str(NOBODY), *map(str, groups)],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        listener.unlink()
        listener.sock.close()

    assert (done.returncode == 0) is connects, done.stderr
    assert connects or "PermissionError" in done.stderr


def test_the_role_file_is_written_by_its_owner_only(tmp_path):
    """Everybody may read it, and a link put in its place is replaced, not written through."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    path = tmp_path / "role"
    path.symlink_to(victim)

    assert RoleFile(path).write(Role.STANDBY) == ""
    assert not path.is_symlink()
    assert path.read_text() == "standby\n"
    assert mode_of(path) == 0o644
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("path", [*ORDERS, *VIEWS])
def test_nothing_on_tcp_can_change_anything(tmp_path, path):
    """Every method but GET and HEAD is refused on every path, and these two ask nothing of the daemon."""
    desk = FakeDesk(READY)
    statuses: dict[str, int] = {}

    async def scenario(client: Client) -> None:
        for method in (*METHODS, "GET", "HEAD"):
            statuses[method] = await status_of(client, method, path)

    serve(tmp_path, desk, scenario)
    refused = {method: statuses[method] for method in METHODS}
    assert set(refused.values()) <= {400, 404, 405}, refused
    if path in ORDERS:
        assert statuses["GET"] in {404, 405}
        assert statuses["HEAD"] in {404, 405}
    assert desk.asked == []


async def status_of(client: Client, method: str, path: str) -> int:
    """The status of the answer on TCP; a stream is left after its head."""
    reader, writer = await client.raw()
    override = "X-HTTP-Method-Override: POST\r\nX-HTTP-Method: POST\r\nX-Method-Override: POST\r\n"
    body = "\r\n" if method in {"GET", "HEAD"} else "Content-Length: 2\r\n\r\n{}"
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{override}{body}".encode())
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.transport.abort()
    return int(line.split()[1])
