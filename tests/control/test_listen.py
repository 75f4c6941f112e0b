"""The listening sockets: mode, whose they are, what is left behind."""

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

import pytest

from eni_failover.control import Servers, SocketTaken
from eni_failover.errors import StartError
from tests.control.support import Client, FakeDesk, serve, servers_at, wait_until


def test_control_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    """The socket has mode 0660 whatever the umask is, the umask is as before, and close removes it."""
    before = os.umask(0o000)
    try:

        async def scenario(client: Client) -> None:
            assert stat.S_IMODE(client.path.stat().st_mode) == 0o660

        serve(tmp_path, FakeDesk(), scenario)
    finally:
        assert os.umask(before) == 0o000

    assert not (tmp_path / "control.sock").exists()


def test_living_daemon_keeps_its_socket(tmp_path: Path) -> None:
    """A second daemon on the same socket is told so; the first one's socket still answers."""

    async def scenario(client: Client) -> None:
        with pytest.raises(SocketTaken, match="another eni-failover daemon") as caught:
            await servers_at(client.path).start()

        assert isinstance(caught.value, StartError)
        assert str(client.path) in str(caught.value)
        assert (await client.get("/livez", unix=True))[0] == 200

    serve(tmp_path, FakeDesk(), scenario)


def test_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    """A socket file on which nobody listens is what a crash leaves; it is replaced."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))

    async def scenario(client: Client) -> None:
        assert (await client.get("/livez", unix=True))[0] == 200

    serve(tmp_path, FakeDesk(), scenario)


def test_busy_daemon_is_alive(tmp_path: Path) -> None:
    """A socket whose backlog is full belongs to somebody: it is not replaced."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as waiting:
        busy.bind(str(path))
        busy.listen(0)
        for _ in range(8):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(path))

        with pytest.raises(SocketTaken):
            asyncio.run(servers_at(path).start())


def test_close_leaves_anothers_socket_alone(tmp_path: Path) -> None:
    """A socket that somebody else has put there meanwhile is not removed."""
    path = tmp_path / "control.sock"

    async def main() -> None:
        servers = servers_at(path)
        await servers.start()
        path.unlink()
        path.write_text("another's")
        await servers.close()

    asyncio.run(main())

    assert path.read_text() == "another's"


def test_close_does_not_mind_that_the_socket_is_gone(tmp_path: Path) -> None:
    """Somebody removed the file: close is silent, and a second close too."""
    path = tmp_path / "control.sock"

    async def main() -> None:
        servers = servers_at(path)
        await servers.start()
        path.unlink()
        await servers.close()
        await servers.close()

    asyncio.run(main())

    assert not path.exists()


def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    """A plain file at the socket's path is an error, and stays."""
    path = tmp_path / "control.sock"
    path.write_text("precious")

    with pytest.raises(StartError, match="exists and is not a socket"):
        asyncio.run(servers_at(path).start())

    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "named"),
    [("missing/control.sock", "missing does not exist"), ("x" * 120, "path too long")],
)
def test_socket_that_cannot_be_made_names_its_setting(tmp_path: Path, name: str, named: str) -> None:
    """A missing directory and an impossible path are one clear line."""
    with pytest.raises(StartError, match=named) as caught:
        asyncio.run(servers_at(tmp_path / name).start())

    assert str(caught.value).startswith(f"[control] socket: {tmp_path}")


def test_port_in_use_names_address_and_setting_and_leaves_nothing_open(tmp_path: Path) -> None:
    """Another program's port is one clear line, and the control socket is gone again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError) as caught:
            asyncio.run(servers_at(tmp_path / "control.sock", port=port).start())

    assert str(caught.value) == f"[server] listen: 127.0.0.1:{port}: is in use by another program"
    assert list(tmp_path.iterdir()) == []


def test_address_of_another_host_is_one_clear_line(tmp_path: Path) -> None:
    """An address that this host does not have says so."""
    servers = Servers(
        desk=FakeDesk(), host="192.0.2.1", port=0, socket_path=tmp_path / "control.sock", interval=10.0
    )
    with pytest.raises(StartError, match=r"192\.0\.2\.1:0: this host does not have that address"):
        asyncio.run(servers.start())


def test_close_ends_a_handler_that_hangs(tmp_path: Path) -> None:
    """A handler that never ends does not keep the daemon from stopping, and its client is let go."""
    desk = FakeDesk()
    desk.hangs = True

    async def main() -> bytes:
        path = tmp_path / "control.sock"
        servers = Servers(desk=desk, host="127.0.0.1", port=0, socket_path=path, interval=10.0)
        await servers.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /takeover HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await wait_until(lambda: bool(desk.asked))
        await servers.close()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    assert asyncio.run(main()) == b""
