import asyncio
import re
import socket

import pytest

from eni_failover.lab import Settings
from eni_failover.lab.serve import ServeOptions, serve


def told(options):
    """What serve announces before it is cancelled."""

    async def story():
        texts = []
        announced = asyncio.Event()

        def announce(text):
            texts.append(text)
            announced.set()

        serving = asyncio.create_task(serve(options, announce))
        await asyncio.wait_for(announced.wait(), 10)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return texts

    return asyncio.run(story())


def test_serve_tells_how_to_reach_it():
    """The text has a block of exports for the operator and for each member, each with its own IMDS."""
    (text,) = told(ServeOptions(members=3, enis=2, settings=Settings(region="us-east-1")))
    blocks = text.split("\n\n")

    assert len(blocks) == 5
    assert re.search(r"export AWS_ENDPOINT_URL_EC2=http://127\.0\.0\.1:\d+$", blocks[1], re.MULTILINE)
    assert "export AWS_ACCESS_KEY_ID=AKIALAB" in blocks[1]
    assert all("export AWS_REGION=us-east-1" in block for block in blocks[1:])
    assert [re.search(r"member (\w+)", block).group(1) for block in blocks[2:]] == ["alpha", "beta", "gamma"]
    assert len(set(re.findall(r"AWS_EC2_METADATA_SERVICE_ENDPOINT=(\S+)", text))) == 3
    assert all("unset AWS_ACCESS_KEY_ID" in block for block in blocks[2:])


def test_serve_ports_follow_the_first():
    """With a first IMDS port the members' ports follow it."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    (text,) = told(ServeOptions(members=1, imds_port=port))

    assert f"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:{port}" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com"])
def test_serve_listens_on_loopback_only(host):
    """An address that others could reach, or that is none, is refused before anything listens."""
    with pytest.raises(ValueError, match=re.escape(host)):
        asyncio.run(serve(ServeOptions(host=host), lambda _: pytest.fail("it listened")))
