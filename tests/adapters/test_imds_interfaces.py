"""The interfaces that IMDS lists: the lab's, and what is not IMDS."""

import asyncio
import socket

import pytest
from tenacity import wait_none

from eni_failover.adapters import imds
from eni_failover.adapters.imds import Imds, ImdsInterface
from eni_failover.errors import TerminalError, TransientError
from eni_failover.lab import LabThread, Settings, World


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch):
    monkeypatch.setattr(imds, "_BACKOFF", wait_none())


def interfaces_from(url: str, **environ: str) -> tuple[ImdsInterface, ...]:
    return asyncio.run(Imds({"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, **environ}).interfaces())


@pytest.fixture
def script(serve):
    """Starts a server that answers request after request from a list of (status, body)."""

    def start(*answers: tuple[int, str]) -> str:
        left = list(answers)

        def handle(connection: socket.socket) -> None:
            status, body = left.pop(0)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())

        return serve(handle).url

    return start


def test_the_lab_lists_each_interface_with_its_index():
    """Alpha has its primary ENI and the floating one."""
    with LabThread() as lab:
        found = interfaces_from(lab.imds_url("alpha"))
        macs = {one.mac for one in lab.world.state.attached_to("i-0aaaaaaaaaaaaaaa1")}

    assert {one.mac for one in found} == macs
    assert sorted(one.device_index for one in found) == [0, 1]


def test_an_interface_that_lingers_is_listed():
    """EC2 has taken it away, IMDS has not noticed."""
    world = World.pair(settings=Settings(imds_lingers=600.0))
    with LabThread(world) as lab:
        world.place("floating-1", None)
        found = interfaces_from(lab.imds_url("alpha"))

    assert "0a:ff:00:00:00:01" in {one.mac for one in found}


def test_an_interface_without_its_number_is_listed_without(script):
    """404 and anything that is no number: IMDS forgets the number before the MAC."""
    url = script((200, "token"), (200, "0a:00:00:00:00:01/\n0a:00:00:00:00:02/"), (404, ""), (200, "one"))

    assert interfaces_from(url) == (
        ImdsInterface(mac="0a:00:00:00:00:01", device_index=None),
        ImdsInterface(mac="0a:00:00:00:00:02", device_index=None),
    )


@pytest.mark.parametrize(
    "listing", ["<html>", "0a:00:00:00:00:01/\n../../user-data", "0a:00:00:00:00:01/\n" * 65]
)
def test_a_listing_of_something_else_is_refused(script, listing):
    """No path is made of what is no MAC."""
    url = script((200, "token"), (200, listing))
    with pytest.raises(TerminalError, match="does not list interfaces like IMDS"):
        interfaces_from(url)


def test_an_imds_that_breaks_in_the_middle_is_transient(script):
    """What was listed so far is not half an answer."""
    url = script((200, "token"), (200, "0a:00:00:00:00:01/"), (500, ""), (500, ""), (500, ""))
    with pytest.raises(TransientError):
        interfaces_from(url)


def test_no_imds_is_told():
    """As for the identity."""
    with pytest.raises(TerminalError, match="there is no IMDS"):
        interfaces_from("http://127.0.0.1:9", AWS_EC2_METADATA_DISABLED="true")
