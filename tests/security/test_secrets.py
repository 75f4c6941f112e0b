"""Real daemons with recognisable secrets everywhere, through good and bad days: none is ever shown.

No secret here has the shape of one: what hides them is that nothing writes them, not the log's last line
of defence, which knows keys and tokens by their looks.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Group, Member, running_group, wait
from tests.fuzz.raw_server import RawServer, http
from tests.security.secret_group import (
    BEHIND,
    ENDPOINT,
    PROXIES,
    STATIC,
    WRONG,
    check_hidden,
    echo,
    everything,
    prepare,
    shown,
    site,
)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """Three members; the third has no daemon of ours, and answers as `peer` does."""
    with running_group(tmp_path, members=3) as one:
        for member in one.members:
            member.service.shut()
        prepare(one)
        yield one


@pytest.fixture
def peer(group: Group) -> Iterator[RawServer]:
    server = RawServer(group.gamma.address, group.listen_port)
    server.says(http("{}"))
    yield server
    server.close()


def secrets_of(group: Group) -> set[str]:
    """What must not be shown, the credentials that IMDS has handed out among it."""
    issued = [group.lab.world.credentials(name) for name in ("alpha", "beta")]
    keys = {one.secret_access_key for one in issued} | {one.session_token for one in issued}
    return {"never-shown"} | keys


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_no_secret_is_shown_through_a_takeover(group, peer):
    """Probes with tokens, a dead holder, a takeover, refusals of EC2, a refused reload, a dump: not one."""
    group.alpha.environment |= STATIC
    secrets = secrets_of(group)
    with contextlib.ExitStack() as stack:
        stack.enter_context(site("127.0.0.1", group.service_port))
        served = stack.enter_context(site(group.alpha.address, group.service_port))
        for member in (group.alpha, group.beta):
            member.start()
        for member in (group.alpha, group.beta):
            member.until(lambda one: one["ready"], "ready")
        wait(lambda: "never-shown-bearer" in "".join(served.seen), "the probe brings its token")
        for code in ("SignatureDoesNotMatch", "RequestExpired", "InternalError"):
            said = "the canonical string was x-amz-security-token:never-shown" if code[0] != "I" else "oops"
            group.lab.world.fault("error", "Describe*", caller="beta", count=3, code=code, message=said)
        wait(lambda: group.beta.metric("eni_failover_reconcile_total", result="error") > 0, "an error")
    group.beta.until(lambda one: one["role"] == "active", "active")
    good = group.beta.config.read_text()
    group.beta.write(good + WRONG)
    refused = group.beta.command("reload")
    offline = group.beta.command("check", "--offline")
    group.beta.write(good)
    for member in (group.alpha, group.beta):
        member.signal(signal.SIGUSR1)
        wait(lambda one=member: one.events("status.dump"), "dumped", member=member)
    texts = shown(group.beta)
    wait(lambda: list(group.beta.directory.glob("env.hook.*")), "the hook ran")
    stopped = [group.alpha.stop(), group.beta.stop()]

    assert stopped == [0, 0]
    assert (refused.returncode, offline.returncode) == (2, 2)
    assert refused.stderr.count("probe[") == 7
    assert "takeover.ended" in group.beta.log.read_text()
    assert (group.beta.state / "journal.jsonl").stat().st_size > 0
    check_hidden(texts | everything(group), secrets)
    check_hidden({"reload": refused.stderr, "check": offline.stderr}, secrets)


def test_no_credential_reaches_a_program(group, peer):
    """Hooks and exec probes get a few variables of the service's, and no AWS credential by any name."""
    names = ("AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    group.alpha.environment |= STATIC | dict.fromkeys(names, "never-shown-token")
    group.alpha.start().until(lambda one: one["role"] == "active", "active")
    directory = group.alpha.directory
    wait(lambda: list(directory.glob("env.hook.*")) and list(directory.glob("env.exec.*")), "both ran")
    group.alpha.stop()

    hooks = {path.name: path.read_text() for path in directory.glob("env.hook.*")}
    probes = {path.name: path.read_text() for path in directory.glob("env.exec.*")}
    check_hidden(hooks | probes, {"never-shown"})
    assert not [name for name, text in (hooks | probes).items() if "AWS_" in text]
    assert all("ENI_FAILOVER_GROUP=orders" in text for text in hooks.values())


def complaints(member: Member) -> list[dict[str, object]]:
    """The log's lines about errors of the adapters."""
    return [one for one in member.logs() if one["level"] == "warning" and "code" in one]


FAILURES: dict[str, Callable[[RawServer], dict[str, str]]] = {
    "a dead proxy with a password": lambda _server: PROXIES | BEHIND,
    "a dead endpoint with a password": lambda _server: {"AWS_ENDPOINT_URL_EC2": ENDPOINT},
    "an endpoint that says what it was asked": lambda server: {"AWS_ENDPOINT_URL_EC2": server.url},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_no_secret_is_in_an_error_of_the_way_to_ec2(group, peer, name):
    """Proxies and endpoints with passwords, and a server that repeats the request: not in log or report."""
    server = RawServer()
    server.follows(echo)
    try:
        group.beta.environment |= STATIC | FAILURES[name](server)
        group.beta.start()
        wait(lambda: complaints(group.beta), "a complaint about EC2", member=group.beta)
        wait(group.beta.socket.exists, "serves", member=group.beta)
        texts = shown(group.beta)
        group.beta.stop()
    finally:
        server.close()

    # The program of an exec probe is told where EC2 is; its own variables are no words of ours.
    written = {name: text for name, text in everything(group).items() if "env.exec" not in name}
    check_hidden(texts | written, {"never-shown"})
