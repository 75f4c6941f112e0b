"""What one answer of AWS's may cost: a thread for its deadline, and so many bytes; against real sockets."""

import asyncio
import concurrent.futures
import gzip
import itertools
import socket
import threading
import time

import pytest

from eni_failover.adapters import answer_bounds, ec2_client
from eni_failover.core.model import Verdict
from eni_failover.errors import UnansweredError

ENI = "eni-0ffffffffffffff01"
TYPE = "m5.large"
DETACHED = (
    b"<DetachNetworkInterfaceResponse><requestId>r</requestId>"
    b"<return>true</return></DetachNetworkInterfaceResponse>"
)
NO_ENIS = (
    b"<DescribeNetworkInterfacesResponse><requestId>r</requestId>"
    b"<networkInterfaceSet/></DescribeNetworkInterfacesResponse>"
)
MIB = 1024 * 1024


def whole(body: bytes, *, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), headers, body)


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch):
    monkeypatch.setattr(ec2_client, "_ATTEMPTS", 1)


@pytest.fixture
def stopped():
    """Set at the end, so that no server's thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


def forever(stopped, piece: bytes, *, pause: float = 0.0, first: bytes = b""):
    """A handler that sends this piece again and again, and counts the bytes that were taken from it."""
    taken = itertools.count()

    def handle(connection: socket.socket) -> None:
        connection.settimeout(10)
        connection.sendall(first)
        while not stopped.wait(pause):
            connection.sendall(piece)
            next(taken)

    handle.bytes_taken = lambda: next(taken) * len(piece)
    return handle


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
DRIPS = {
    "the status": (b"", b"H"),
    "informational answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "fields": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "the body": (HEAD, b"<"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n<\r\n"),
    "a chunk's size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "a refusal": (HEAD.replace(b"200 OK", b"503 No"), b"<"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_an_answer_that_drips_ends_its_call(scripted, serve, stopped, name):
    """A byte now and then wins no time: the connection is closed and the thread is free at the deadline."""
    first, piece = DRIPS[name]
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            forever(stopped, piece, pause=0.02, first=first)(connection)
        finally:
            gone.set()

    scripted.redirect(serve(drip).url)
    calls = scripted.ec2._calls
    ticket = calls.ticket()

    with pytest.raises(UnansweredError) as caught:
        asyncio.run(
            calls.call(
                "DetachNetworkInterface",
                lambda client: client.detach_network_interface(AttachmentId="eni-attach-1"),
                ticket=ticket,
            )
        )

    assert caught.value.code == "timeout"
    assert gone.wait(2)
    assert concurrent.futures.wait([ticket.work], 2).done


def test_a_call_that_is_given_up_early_is_ended(make_ec2, serve, stopped):
    """The last retry has less time than the read timeout: its thread, too, has no more."""
    ec2 = make_ec2(endpoint_url=serve(forever(stopped, b"<", pause=0.02, first=HEAD)).url, read_timeout=30.0)
    began = time.monotonic()

    with pytest.raises(UnansweredError):
        asyncio.run(
            ec2._calls.call(
                "DescribeSubnets", lambda client: client.describe_subnets(), ticket=None, patience=0.3
            )
        )
    ec2._calls._lane("DescribeSubnets", changes=False).shutdown(wait=True)

    assert time.monotonic() - began < 5


def answers_by_action(stopped, dripping: bytes):
    """Whoever asks for `dripping` gets a byte now and then; detach and the describe of ENIs are answered."""

    def handle(connection: socket.socket) -> None:
        asked = handle.asked.requests[-1]
        if b"Action=" + dripping in asked:
            forever(stopped, b"<", pause=0.02, first=HEAD)(connection)
        body = DETACHED if b"Action=Detach" in asked else NO_ENIS
        connection.sendall(whole(body, headers=b"Connection: close\r\n"))

    return handle


@pytest.mark.parametrize("dripping", [b"DescribeInstanceTypes", b"AttachNetworkInterface"])
def test_one_operation_that_drips_leaves_the_others_their_threads(make_ec2, serve, stopped, dripping):
    """However many of them are asked: a detach and the describe of the ENIs are answered at once."""
    handle = answers_by_action(stopped, dripping)
    handle.asked = server = serve(handle)
    ec2 = make_ec2(endpoint_url=server.url, connect_timeout=1.0, read_timeout=4.0)

    async def beside() -> tuple[bool, Verdict, float]:
        stuck = [
            asyncio.ensure_future(
                ec2.type_limits(TYPE)
                if dripping == b"DescribeInstanceTypes"
                else ec2.may_attach(eni_id=ENI, instance_id="i-0bbbbbbbbbbbbbbb2", device_index=1)
            )
            for _ in range(30)
        ]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        surveyed = await ec2.describe_enis((ENI,))
        outcome = await ec2.detach(eni_id=ENI, attachment_id="eni-attach-1", force=False)
        took = time.monotonic() - began
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        return surveyed.survey.answered, outcome.verdict, took

    answered, verdict, took = asyncio.run(beside())
    stopped.set()

    assert (answered, verdict) == (True, Verdict.ACCEPTED)
    assert took < 0.9


def test_a_dry_run_that_drips_leaves_the_attach_its_threads(make_ec2, serve, stopped):
    """They are one operation of EC2's: what changes something has threads of its own."""

    def handle(connection: socket.socket) -> None:
        if b"DryRun=true" in server.requests[-1]:
            forever(stopped, b"<", pause=0.02, first=HEAD)(connection)
        body = b"<{0}><attachmentId>eni-attach-2</attachmentId></{0}>"
        body = body.replace(b"{0}", b"AttachNetworkInterfaceResponse")
        connection.sendall(whole(body, headers=b"Connection: close\r\n"))

    server = serve(handle)
    ec2 = make_ec2(endpoint_url=server.url, connect_timeout=1.0, read_timeout=4.0)
    where = {"eni_id": ENI, "instance_id": "i-0bbbbbbbbbbbbbbb2", "device_index": 1}

    async def beside() -> Verdict:
        stuck = [asyncio.ensure_future(ec2.may_attach(**where)) for _ in range(30)]
        await asyncio.sleep(0.2)
        outcome = await ec2.attach(**where)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        return outcome.verdict

    assert asyncio.run(beside()) is Verdict.ACCEPTED
    stopped.set()


SIZES = {
    "a body": b"HTTP/1.1 200 OK\r\n\r\n",
    "a body of a length": b"HTTP/1.1 200 OK\r\nContent-Length: 1500000000\r\n\r\n",
    "a body that is longer than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 1500000000\r\n\r\n",
    "one chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5fffffff\r\n",
    "a refusal": b"HTTP/1.1 503 No\r\n\r\n",
    "a field": b"HTTP/1.1 200 OK\r\nX: ",
}


@pytest.mark.parametrize("name", SIZES)
def test_an_answer_without_an_end_is_cut_at_its_bound(scripted, serve, stopped, name):
    """It is no answer, and says so; nobody reads the other gigabytes."""
    handle = forever(stopped, b"x" * 65536, first=SIZES[name])
    scripted.redirect(serve(handle).url)

    surveyed = asyncio.run(scripted.ec2.describe_enis((ENI,)))

    assert not surveyed.survey.answered
    assert surveyed.error.code == "connection"
    # The kernel's buffers on both sides.
    assert handle.bytes_taken() < answer_bounds.LARGEST_OF_EC2 + 12 * MIB
    if name != "a field":  # http.client refuses that one by itself
        assert "more than 4 MiB" in str(surveyed.error)


@pytest.mark.parametrize(
    "piece", [b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"X: " + b"y" * 60_000 + b"\r\n"]
)
def test_a_head_without_an_end_is_cut(scripted, serve, stopped, piece):
    """Fields and informational answers: 64 KiB of them, whatever their number."""
    first = b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
    handle = forever(stopped, piece * 100, first=first)
    scripted.redirect(serve(handle).url)
    began = time.monotonic()

    surveyed = asyncio.run(scripted.ec2.describe_enis((ENI,)))

    assert (surveyed.survey.answered, surveyed.error.code) == (False, "connection")
    assert time.monotonic() - began < 5


def test_packed_bytes_are_not_unpacked(scripted, answering, serve):
    """Nobody asked for gzip: a bomb in it is bytes that are no XML."""
    bomb = gzip.compress(b"<a>" * 1_000_000)
    answer = whole(bomb, headers=b"Content-Encoding: gzip\r\n")
    scripted.redirect(serve(lambda connection: connection.sendall(answer)).url)

    surveyed = asyncio.run(scripted.ec2.describe_enis((ENI,)))

    assert (surveyed.survey.answered, surveyed.error.code) == (False, "connection")


ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(6))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "ha">{ENTITIES}]>'
EMPTY = NO_ENIS.decode().replace("<networkInterfaceSet/>", "<networkInterfaceSet>{}</networkInterfaceSet>")
BOMBS = {
    "nested entities": (LAUGHS + EMPTY.format("&e6;")).encode(),
    "nested entities in UTF-16": (LAUGHS + EMPTY.format("&e6;")).encode("utf-16"),
    "a document type alone": ("<!DOCTYPE a>" + EMPTY.format("")).encode(),
    "an entity from outside": ('<!DOCTYPE a SYSTEM "http://127.0.0.1/">' + EMPTY.format("")).encode(),
    "a million elements": EMPTY.format("<item/>" * 400_000).encode(),
    "a tower of elements": ("<a>" * 300_000).encode(),
}


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("name", BOMBS)
def test_xml_that_grows_while_it_is_read_is_no_answer(scripted, answering, status, name):
    """EC2 sends no document type: one is refused before anything is parsed, at every status."""
    scripted.redirect(answering(status, BOMBS[name]).url)

    surveyed = asyncio.run(scripted.ec2.describe_enis((ENI,)))

    assert not surveyed.survey.answered
    assert isinstance(surveyed.error, UnansweredError)
    assert surveyed.error.code == "connection"
    assert "declares a document type" in str(surveyed.error) or "elements" in str(surveyed.error)
