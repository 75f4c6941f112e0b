"""/metrics compressed for whoever asks for it, once a page."""

import gzip
from pathlib import Path

import pytest

from eni_failover.control import views
from tests.control.support import Client, FakeDesk, read_all, serve

PAGE = b"# TYPE up gauge\n" + b"up 1\n" * 1000


async def metrics(client: Client, *lines: str, method: str = "GET") -> tuple[dict[str, str], bytes]:
    """The headers, by names in lower case, and the body as it is on the wire."""
    reader, writer = await client.raw()
    head = "\r\n".join((f"{method} /metrics HTTP/1.1", "Host: localhost", *lines))
    writer.write(head.encode() + b"\r\n\r\n")
    head, _, body = (await read_all(reader)).partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")

    assert status == "HTTP/1.1 200 OK"
    pairs = (field.partition(": ") for field in fields)
    return {name.lower(): text for name, _, text in pairs}, body


@pytest.mark.parametrize(
    ("lines", "zipped"),
    [
        (["Accept-Encoding: gzip"], True),
        (["Accept-Encoding: deflate, GZIP;q=0.5"], True),
        (["Accept-Encoding: br", "Accept-Encoding: gzip"], True),
        (["Accept-Encoding: gzip;q=0"], False),
        (["Accept-Encoding: gzip ; q = 0.000, identity"], False),
        (["Accept-Encoding: xgzip, gzipped"], False),
        (["Accept-Encoding: identity, *;q=0"], False),
        (["Accept-Encoding: ,;,;q="], False),
        ([], False),
    ],
)
def test_the_page_is_compressed_for_whoever_asks(tmp_path: Path, lines: list[str], zipped: bool) -> None:
    """The same page either way, in the same type; a cache between is told what it depends on."""
    desk = FakeDesk()
    desk.page = PAGE

    async def scenario(client: Client) -> None:
        headers, body = await metrics(client, *lines)

        assert headers.get("content-encoding") == ("gzip" if zipped else None)
        assert (gzip.decompress(body) if zipped else body) == PAGE
        assert int(headers["content-length"]) == len(body)
        assert headers["content-type"] == views.METRICS_TYPE
        assert headers["vary"] == "Accept-Encoding"

    serve(tmp_path, desk, scenario)


def test_a_head_is_that_of_the_compressed_page(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.page = PAGE

    async def scenario(client: Client) -> None:
        headers, body = await metrics(client, "Accept-Encoding: gzip", method="HEAD")

        assert (headers["content-encoding"], body) == ("gzip", b"")

    serve(tmp_path, desk, scenario)


def test_a_page_is_compressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks again and again gets the bytes that are there; the next page is compressed anew."""
    desk = FakeDesk()
    desk.page = PAGE
    compressed = []

    def compress(data: bytes, *arguments: int, **options: float) -> bytes:
        compressed.append(data)
        return b"zipped"

    monkeypatch.setattr(views.gzip, "compress", compress)
    monkeypatch.setattr(views, "METRICS_AGE", 3600.0)

    async def scenario(client: Client) -> None:
        for _ in range(5):
            await metrics(client, "Accept-Encoding: gzip")
        await metrics(client)

        assert compressed == [PAGE]

    serve(tmp_path, desk, scenario)


def test_a_new_page_is_compressed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets yesterday's numbers."""
    desk = FakeDesk()
    monkeypatch.setattr(views, "METRICS_AGE", 0.0)

    async def scenario(client: Client) -> None:
        for number in (b"up 1\n", b"up 2\n"):
            desk.page = number
            _, body = await metrics(client, "Accept-Encoding: gzip")

            assert gzip.decompress(body) == number

    serve(tmp_path, desk, scenario)
