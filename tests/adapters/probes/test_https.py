"""The http probe over TLS: whose certificates are trusted."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings
from eni_failover.core.words import Answer
from tests.adapters.probes.certificates import Authority
from tests.adapters.probes.servers import LOCAL, page, says, serving

OK = ProbeResult(answer=Answer.UP, answered=True, detail="status 200")
NO_CA = ProbeResult(
    answer=Answer.UNKNOWN, answered=False, detail="ca_file is not readable, or holds no certificate"
)


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "right")


def ask(tls, *, handler=None, greets=False, **settings):
    """The answer about a TLS server, and how many connections it saw."""

    async def main():
        async with serving(handler or says(page()), tls=tls, greets=greets) as server:
            probe = HttpProbe(HttpSettings(url=f"https://{{address}}:{server.port}/", **settings))
            try:
                return await probe(LOCAL), server.connections
            finally:
                await probe.close()

    return asyncio.run(main())


def test_a_certificate_of_the_given_authority_is_trusted(authority):
    """`ca_file` is what the server's certificate is checked against."""
    assert ask(authority.server(), ca_file=authority.file) == (OK, 1)


def test_a_certificate_that_cannot_be_trusted_is_down(authority, tmp_path):
    """Another authority, the system's authorities, another address, expired: wrong answers all."""
    other = Authority(tmp_path, "wrong")
    day = dt.timedelta(days=1)
    cases = {
        "another authority": ask(authority.server(), ca_file=other.file),
        "the system's": ask(authority.server()),
        "another address": ask(authority.server("127.0.0.2"), ca_file=authority.file),
        "expired": ask(authority.server(valid_for=-day), ca_file=authority.file),
    }
    details = {
        "another authority": "unable to get local issuer certificate",
        "the system's": "unable to get local issuer certificate",
        "another address": "IP address mismatch, certificate is not valid for '127.0.0.1'.",
        "expired": "certificate has expired",
    }

    assert {
        name: ProbeResult(answer=Answer.DOWN, answered=True, detail=f"TLS failed: {detail}")
        for name, detail in details.items()
    } == {name: result for name, (result, _) in cases.items()}


def test_any_certificate_will_do_without_verification(authority):
    """`tls_verify = false` takes whatever comes, also when a ca_file is written."""
    assert ask(authority.server("127.0.0.2"), tls_verify=False) == (OK, 1)
    assert ask(authority.server("127.0.0.2"), tls_verify=False, ca_file=authority.file) == (OK, 1)


def test_a_server_without_tls_is_down():
    """Plain HTTP on the port: it answered, and wrongly."""
    result, _ = ask(None, handler=says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), greets=True)

    assert ProbeResult(answer=Answer.DOWN, answered=True, detail="TLS failed: WRONG_VERSION_NUMBER") == result


@pytest.mark.parametrize("content", [None, "no certificate in here"])
def test_a_ca_file_that_cannot_be_used_is_unknown(authority, tmp_path, content):
    """It is this host that cannot check anybody: the target is not asked."""
    broken = tmp_path / "ca.pem"
    if content is not None:
        broken.write_text(content)

    assert ask(authority.server(), ca_file=broken) == (NO_CA, 0)


def test_a_ca_file_that_appears_later_is_used(authority, tmp_path):
    """The file is tried again at each attempt until it can be read, and then kept."""
    late = tmp_path / "ca.pem"

    async def main():
        async with serving(says(page()), tls=authority.server()) as server:
            probe = HttpProbe(HttpSettings(url=f"https://{{address}}:{server.port}/", ca_file=late))
            before = await probe(LOCAL)
            late.write_bytes(authority.file.read_bytes())
            after = await probe(LOCAL)
            late.unlink()
            kept = await probe(LOCAL)
            await probe.close()
            return before, after, kept

    assert asyncio.run(main()) == (NO_CA, OK, OK)
