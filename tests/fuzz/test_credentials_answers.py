"""What may answer the chain of credentials: usable ones come out, or one line of ours that quotes nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.adapters import credentials
from eni_failover.adapters.credentials import CredentialKeeper, keep_credentials
from eni_failover.errors import TransientError
from tests.fuzz.efforts import FEW
from tests.fuzz.raw_server import RawServer, http

SECRET = "never-to-be-shown"
GOOD: dict[str, Any] = {
    "Code": "Success",
    "AccessKeyId": "AKIDEXAMPLE",
    "SecretAccessKey": SECRET,
    "Token": SECRET,
    "Expiration": "2099-01-01T00:00:00Z",
}
# botocore keeps what STS gives while it lasts for a quarter of an hour: then it would not ask again.
SOON = datetime.now(UTC) + timedelta(minutes=10)
GRANT = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDEXAMPLE</AccessKeyId>
<SecretAccessKey>never-to-be-shown</SecretAccessKey><SessionToken>never-to-be-shown</SessionToken>
<Expiration>{SOON:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "9" * 5000, "2099-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "\0", "\r\nX: y"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
documents = st.one_of(
    odd,
    st.dictionaries(st.sampled_from([*GOOD, "accessKeyId", "Message", ""]), odd, max_size=5),
    st.dictionaries(st.sampled_from([*GOOD]), odd, max_size=2).map(lambda changes: {**GOOD, **changes}),
)
BODIES = {
    "brackets without end": b"[" * 100_000,
    "digits": b"9" * 100_000,
    "NaN": b"NaN",
    "no UTF-8": b'{"AccessKeyId": "\xff"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "half": json.dumps(GOOD).encode()[:-20],
    "a page": b"<html>",
    "a document type": b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "more than any credentials": json.dumps({**GOOD, "X": "y" * 300_000}).encode(),
}


AGENT, STS = "a container's agent", "STS"
WAYS = {
    AGENT: lambda url: {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/creds"},
    STS: lambda url: {
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/orders",
        "AWS_WEB_IDENTITY_TOKEN_FILE": __file__,
    },
}
ANSWERS = {AGENT: json.dumps(GOOD), STS: GRANT}


@pytest.fixture(scope="module", params=WAYS)
def way(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def keeper(aws: pytest.MonkeyPatch, server: RawServer, way: str) -> Iterator[CredentialKeeper]:
    """One that asks at the raw server, once for each question."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        for name, value in WAYS[way](server.url).items():
            patch.setenv(name, value)
        patch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
        patch.setattr(ContainerMetadataFetcher, "RETRY_ATTEMPTS", 1)
        patch.setattr(credentials, "_CLIENTS", Config(retries={"total_max_attempts": 1}))
        yield keep_credentials(Session(), wall=time.time)


def check(keeper: CredentialKeeper, server: RawServer, answer: bytes) -> None:
    server.says(answer)
    keeper._held = None
    try:
        keeper.refresh()
    except TransientError as error:
        said = str(error)
        assert SECRET not in said
        assert said.isprintable()
        assert len(said) < 300
        assert "has died" not in said
        return
    frozen = keeper.get_frozen_credentials()
    for text in (frozen.access_key, frozen.secret_key):
        assert re.fullmatch("[!-~]+", text)
    assert not frozen.token or re.fullmatch("[!-~]+", frozen.token)


def test_a_good_answer_is_understood(keeper, server, way):
    """What is spoiled below is good to begin with."""
    check(keeper, server, http(ANSWERS[way]))

    assert keeper.get_frozen_credentials().secret_key == SECRET


@pytest.mark.parametrize("way", [AGENT], indirect=True)
@FEW
@given(document=documents)
def test_any_document(keeper, server, document):
    """JSON of any kind, and the right one with other values in it."""
    check(keeper, server, http(json.dumps(document)))


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none(keeper, server, name):
    """Nothing is taken from it."""
    check(keeper, server, http(BODIES[name]))

    assert keeper._held is None


@FEW
@given(data=st.data())
def test_any_change_of_an_answer(keeper, server, way, data):
    """A piece is missing, there twice, or another one."""
    good = ANSWERS[way]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 60)))
    fillings = ["", "<", "&lt;", "&e;", "\0", "<x/>", "{", '"', good[start:end] * 2, "2099"]
    status = data.draw(st.sampled_from(["200 OK", "200 OK", "400 Bad", "503 No"]))
    spoiled = good[:start] + data.draw(st.sampled_from(fillings)) + good[end:]
    check(keeper, server, http(spoiled, status=status))
