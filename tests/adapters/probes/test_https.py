"""The http probe over TLS: whose certificates are trusted."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import threading

import pytest

from eni_failover.adapters.probes import credentials, files
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings
from eni_failover.core.vocabulary import Answer
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


async def sequence(server, probe, *steps):
    """The probe's answers after each step."""
    answers = []
    for step in steps:
        step()
        answers.append(await probe(LOCAL))
    await probe.close()
    return answers


def run_steps(tls, steps, *, handler=None, **settings):
    """The answers of one probe about a TLS server after each step."""

    async def main():
        async with serving(handler or says(page()), tls=tls) as server:
            probe = HttpProbe(HttpSettings(url=f"https://{{address}}:{server.port}/", **settings))
            return await sequence(server, probe, *steps)

    return asyncio.run(main())


def test_a_rotated_authority_is_trusted_from_the_next_attempt_on(authority, tmp_path):
    """The daemon reads the file once no more: authority rotated first, then the service's certificate."""
    other = Authority(tmp_path, "new")
    file = tmp_path / "ca.pem"
    tls = authority.server()

    def rotate_authority():
        file.write_bytes(authority.file.read_bytes() + other.file.read_bytes())

    def rotate_server():
        cert, key = other.pair("127.0.0.1")
        (tmp_path / "new-server.pem").write_bytes(cert + key)
        tls.load_cert_chain(tmp_path / "new-server.pem")

    steps = [lambda: file.write_bytes(authority.file.read_bytes()), rotate_authority, rotate_server]

    assert run_steps(tls, steps, ca_file=file) == [OK, OK, OK]


@pytest.mark.parametrize("how", ["rename", "rewrite"])
def test_a_file_is_read_anew_however_it_was_replaced(authority, tmp_path, how):
    """By rename(2), or written in place, with its old size and within one tick of the clock."""
    other = Authority(tmp_path, "other")
    file = tmp_path / "ca.pem"
    size = max(len(one.file.read_bytes()) for one in (authority, other))

    def write(source):
        content = source.file.read_bytes().ljust(size, b"\n")
        if how == "rename":
            (tmp_path / "new").write_bytes(content)
            (tmp_path / "new").replace(file)
        else:
            file.write_bytes(content)

    steps = [lambda: write(other), lambda: write(authority), lambda: write(other)]
    answers = run_steps(authority.server(), steps, ca_file=file)

    assert [one.answer for one in answers] == [Answer.DOWN, Answer.UP, Answer.DOWN]


def test_the_systems_authorities_are_read_anew_too(authority, tmp_path, monkeypatch):
    """Without a ca_file: a package that adds an authority needs no restart of the daemon."""
    file = tmp_path / "system.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    other = Authority(tmp_path, "other")
    steps = [
        lambda: file.write_bytes(other.file.read_bytes()),
        lambda: file.write_bytes(authority.file.read_bytes()),
    ]

    answers = run_steps(authority.server(), steps)

    assert [one.answer for one in answers] == [Answer.DOWN, Answer.UP]


def test_while_a_file_is_half_written_the_last_good_one_is_used(authority, tmp_path):
    """It is good enough for an up; a failure with it may be ours, and is unknown."""
    other = Authority(tmp_path, "other")
    file = tmp_path / "ca.pem"
    right, wrong = authority.file.read_bytes(), other.file.read_bytes()
    steps = [
        lambda: file.write_bytes(right),
        lambda: file.write_bytes(right[:200]),
        file.unlink,
        lambda: file.write_bytes(wrong),
        lambda: file.write_bytes(right[:200]),
        lambda: file.write_bytes(right),
    ]
    failed = "TLS failed: unable to get local issuer certificate"
    down = ProbeResult(answer=Answer.DOWN, answered=True, detail=failed)
    doubtful = ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=f"{failed}; {NO_CA.detail}")

    assert run_steps(authority.server(), steps, ca_file=file) == [OK, OK, OK, down, doubtful, OK]


def test_a_file_that_changes_during_the_attempt_makes_no_down(authority, tmp_path):
    """The certificate was checked against an authority that is not the file's any more."""
    other = Authority(tmp_path, "other")
    file = tmp_path / "ca.pem"
    file.write_bytes(other.file.read_bytes())
    tls = authority.server()

    def on_hello(*_):
        file.write_bytes(authority.file.read_bytes() + b"\n")

    tls.sni_callback = on_hello
    answer = ask(tls, ca_file=file)[0]

    assert (answer.answer, answer.answered) == (Answer.UNKNOWN, True)
    assert answer.detail.endswith("; files have changed meanwhile")


def test_a_certificate_that_only_newer_pythons_refuse_is_trusted(tmp_path):
    """Python 3.13 asks for extensions of RFC 5280 that many a private authority leaves out."""
    settings = HttpSettings(url="https://{address}/")
    context = credentials.load(settings).tls

    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_certificate_of_a_name_is_asked_for_at_an_address(authority):
    """`tls_server_name` is in SNI, in the check of the certificate, and in the Host field."""
    tls = authority.server("orders.example")
    names = []
    tls.sni_callback = lambda _, name, __: names.append(name)

    async def main(**settings):
        async with serving(says(page()), tls=tls) as server:
            probe = HttpProbe(
                HttpSettings(url=f"https://{{address}}:{server.port}/", ca_file=authority.file, **settings)
            )
            result = await probe(LOCAL)
            await probe.close()
            return result, b"".join(server.requests), server.port

    result, request, port = asyncio.run(main(tls_server_name="orders.example"))
    assert result == OK
    assert names == ["orders.example"]
    assert f"\r\nHost: orders.example:{port}\r\n".encode() in request

    result, request, _ = asyncio.run(
        main(tls_server_name="{member}.example", headers=(("Host", "elsewhere.example"),))
    )
    assert result.answer is Answer.DOWN
    assert "alpha.example" in result.detail
    assert names[1:] == ["alpha.example"]

    result, request, _ = asyncio.run(
        main(tls_server_name="orders.example", headers=(("host", "elsewhere.example"),))
    )
    assert result == OK
    assert b"\r\nhost: elsewhere.example\r\n" in request
    assert b"\r\nHost:" not in request


def test_a_redirect_to_its_own_name_stays_at_the_member(authority):
    """What the name resolves to may be another member: the holder of the floating address, say."""

    async def main():
        async with serving(None, tls=authority.server("orders.invalid")) as server:
            location = f"Location: https://orders.invalid:{server.port}/login\r\n".encode()
            answers = [page(b"", "302 Found", location), page()]

            async def handle(reader, writer):
                writer.write(answers[server.connections - 1])

            server.handler = handle
            probe = HttpProbe(
                HttpSettings(
                    url=f"https://{{address}}:{server.port}/",
                    ca_file=authority.file,
                    tls_server_name="orders.invalid",
                    follow_redirects=True,
                    headers=(("Authorization", "Bearer s3cret"),),
                )
            )
            result = await probe(LOCAL)
            await probe.close()
            return result, server.requests

    result, requests = asyncio.run(main())

    assert result == OK
    assert requests[1].startswith(b"GET /login HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer s3cret\r\n" in requests[1]


@pytest.fixture(name="client")
def _client(authority, tmp_path):
    """The files of a client certificate, of its key, and of both."""
    cert, key = authority.pair()
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "both.pem").write_bytes(cert + key)
    return tmp_path


def test_a_client_certificate_is_shown(authority, client):
    """Its key is in a file of its own, or in the certificate's."""
    tls = authority.server(clients=authority)

    assert ask(
        tls,
        ca_file=authority.file,
        client_cert_file=client / "cert.pem",
        client_key_file=client / "key.pem",
    ) == (OK, 1)
    assert ask(tls, ca_file=authority.file, client_cert_file=client / "both.pem") == (OK, 1)


def test_a_client_that_the_server_refuses_is_down(authority, client, tmp_path):
    """No certificate, or one of another authority: the server ends the connection."""
    tls = authority.server(clients=authority)
    cert, key = Authority(tmp_path, "other").pair()
    (tmp_path / "wrong.pem").write_bytes(cert + key)
    answers = [
        ask(tls, ca_file=authority.file)[0],
        ask(tls, ca_file=authority.file, client_cert_file=tmp_path / "wrong.pem")[0],
    ]

    assert [(one.answer, one.answered) for one in answers] == [(Answer.DOWN, True)] * 2


def test_a_rotated_client_certificate_is_shown_from_the_next_attempt_on(authority, client, tmp_path):
    """Certificate and key are two files: between the two, the old pair stays in use."""
    tls = authority.server(clients=authority)
    cert, key = authority.pair("renewed")
    seen = []

    async def note(reader, writer):
        names = dict(writer.get_extra_info("peercert")["subjectAltName"])
        seen.append(names["DNS"])
        writer.write(page())

    steps = [
        lambda: None,
        lambda: (client / "cert.pem").write_bytes(cert),
        lambda: (client / "key.pem").write_bytes(key),
    ]
    answers = run_steps(
        tls,
        steps,
        handler=note,
        ca_file=authority.file,
        client_cert_file=client / "cert.pem",
        client_key_file=client / "key.pem",
    )

    assert answers == [OK, OK, OK]
    assert seen == ["client", "client", "renewed"]


def spoil(client, authority, how):
    """Make the client's files unusable in one way."""
    cert, key = authority.pair()
    match how:
        case "encrypted key":
            (client / "key.pem").write_bytes(authority.pair(passphrase=b"s3cret")[1])
        case "no key":
            (client / "key.pem").write_bytes(cert)
        case "no certificate":
            (client / "cert.pem").write_bytes(b"nothing")
        case "no pair":
            (client / "key.pem").write_bytes(key)
        case "key missing":
            (client / "key.pem").unlink()
        case "certificate missing":
            (client / "cert.pem").unlink()
        case "FIFO":
            (client / "key.pem").unlink()
            os.mkfifo(client / "key.pem")


@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ("encrypted key", "client_key_file is encrypted: only a key without a passphrase can be used"),
        ("no key", "client_cert_file and client_key_file hold no certificate with its key"),
        ("no certificate", "client_cert_file and client_key_file hold no certificate with its key"),
        ("no pair", "the certificate and the key of the client are no pair"),
        ("key missing", "client_key_file is not readable"),
        ("certificate missing", "client_cert_file is not readable"),
        ("FIFO", "client_key_file is not readable"),
    ],
)
def test_client_files_that_cannot_be_used_are_unknown(authority, client, how, detail):
    """Nothing is sent, and nobody is asked for a passphrase."""
    spoil(client, authority, how)
    unknown = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)

    assert ask(
        authority.server(clients=authority),
        ca_file=authority.file,
        client_cert_file=client / "cert.pem",
        client_key_file=client / "key.pem",
    ) == (unknown, 0)


def test_an_answer_with_an_old_token_is_no_down(tmp_path):
    """While the token's file cannot be read, 401 may come from the old token; 503 cannot."""
    token = tmp_path / "token"
    answers = [page(), page(b"", "401 No"), page(b"", "503 Sick"), page(b"", "401 No")]

    async def main():
        async with serving(None) as server:

            async def handle(reader, writer):
                writer.write(answers[server.connections - 1])

            server.handler = handle
            url = f"http://{{address}}:{server.port}/"
            probe = HttpProbe(HttpSettings(url=url, bearer_token_file=token))
            steps = [
                lambda: token.write_text("s3cret"),
                token.unlink,
                lambda: None,
                lambda: token.write_text("new"),
            ]
            found = await sequence(server, probe, *steps)
            return [(one.answer, one.detail) for one in found], server.requests

    found, requests = asyncio.run(main())
    problem = "bearer_token_file is not readable, or holds no token"

    assert found == [
        (Answer.UP, "status 200"),
        (Answer.UNKNOWN, f"status 401; {problem}"),
        (Answer.DOWN, "status 503"),
        (Answer.DOWN, "status 401"),
    ]
    assert [request.count(b"Bearer s3cret") for request in requests] == [1, 1, 1, 0]


def test_a_disk_that_hangs_is_unknown_and_holds_up_nobody(authority, monkeypatch):
    """The files are compared in a thread; the attempt that is cut short there asked nobody."""
    release = threading.Event()
    monkeypatch.setattr(files, "_stamp", lambda path: release.wait(10) and ())

    async def main():
        probe = HttpProbe(HttpSettings(url="https://{address}:1/", ca_file=authority.file))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await probe(LOCAL)
        unsent = probe.unsent
        release.set()
        await probe.close()
        return unsent

    assert asyncio.run(main()) == "files not read"


def test_a_ca_file_that_appears_later_is_used(authority, tmp_path):
    """The file is tried again at each attempt until it can be read; the last good one is kept."""
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
