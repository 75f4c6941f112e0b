import pytest
from multidict import CIMultiDict

from eni_failover.lab.imds import Imds

ALPHA = "i-0aaaaaaaaaaaaaaa1"
TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
TOKEN_PATH = "/latest/api/token"


@pytest.fixture
def imds(world):
    return Imds(world, ALPHA)


def ask(imds, method, path, **headers):
    return imds.answer(
        method, path, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    )


def token(imds, ttl="21600"):
    return imds.answer("PUT", TOKEN_PATH, CIMultiDict({TTL: ttl})).text


def get(imds, path, held=None):
    return imds.answer("GET", path, CIMultiDict({TOKEN: held or token(imds)}))


TOKENS = [
    # number, method, headers, status
    (1, "PUT", {TTL: "21600"}, 200),
    (2, "PUT", {TTL: "1"}, 200),
    (3, "PUT", {TTL.lower(): "60"}, 200),
    (4, "PUT", {}, 400),
    (5, "PUT", {TTL: "0"}, 400),
    (6, "PUT", {TTL: "21601"}, 400),
    (7, "PUT", {TTL: "-1"}, 400),
    (8, "PUT", {TTL: "soon"}, 400),
    (9, "PUT", {TTL: "60", "X-Forwarded-For": "10.0.0.1"}, 403),
    (10, "GET", {TTL: "60"}, 405),
]


@pytest.mark.parametrize(("number", "method", "headers", "status"), TOKENS)
def test_session_tokens(imds, number, method, headers, status):
    """A token needs PUT and a TTL of 1 to 21600 s, and is not given through a proxy."""
    answer = imds.answer(method, TOKEN_PATH, CIMultiDict(headers))

    assert status == answer.status
    assert bool(answer.text) == (status == 200)


def test_version_one_is_refused(imds):
    """A GET without a token is 401, whatever it asks for."""
    assert [
        imds.answer("GET", path, CIMultiDict()).status for path in ("/latest/meta-data/", "/nonsense")
    ] == [401, 401]


def test_tokens_expire(imds, clock):
    """A token works for its TTL and is 401 from then on."""
    held = token(imds, "60")
    clock.advance(59.9)
    before = get(imds, "/latest/meta-data/instance-id", held).status
    clock.advance(0.1)

    assert (before, get(imds, "/latest/meta-data/instance-id", held).status) == (200, 401)


def test_tokens_are_of_one_instance(world, imds):
    """A token of one instance is worth nothing on another."""
    other = Imds(world, "i-0bbbbbbbbbbbbbbb2")

    assert get(imds, "/latest/meta-data/instance-id", token(other)).status == 401


def test_only_get_reads(imds):
    """Items are read with GET only."""
    answer = imds.answer("POST", "/latest/meta-data/instance-id", CIMultiDict({TOKEN: token(imds)}))

    assert answer.status == 405


PATHS = [
    (1, "/latest/meta-data/instance-id", 200, ALPHA),
    (2, "/latest/meta-data/instance-id/", 200, ALPHA),
    (3, "/latest/meta-data/nothing", 404, ""),
    (4, "/latest/meta-data/instance-id/deeper", 404, ""),
    (5, "/latest/user-data", 404, ""),
    (6, "/2021-03-23/meta-data/instance-id", 404, ""),
    (7, "/latest/meta-data/tags/instance/Name", 200, "alpha"),
    (8, "/latest/meta-data/tags/instance/", 200, "Name\neni-failover-group\neni-failover-rank"),
    (9, "/latest/meta-data/iam/security-credentials/", 200, "eni-failover"),
    (10, "/latest/meta-data/placement/", 200, "availability-zone\navailability-zone-id\nregion"),
    (11, "/latest/", 200, "dynamic/\nmeta-data/"),
]


@pytest.mark.parametrize(("number", "path", "status", "text"), PATHS)
def test_paths(imds, number, path, status, text):
    """Items have their text, directories a listing with slashes after directories; the rest is 404."""
    answer = get(imds, path)

    assert (status, text) == (answer.status, answer.text)


SICK = [
    (1, "token-403", 403, 200),
    (2, "error-500", 500, 500),
    (3, "no-credentials", 200, 200),
]


@pytest.mark.parametrize(("number", "kind", "token_status", "item_status"), SICK)
def test_sick_imds(*, world, imds, number, kind, token_status, item_status):
    """A sick IMDS gives no tokens, or nothing at all, or no credentials; and all again when it is well."""
    held = token(imds)
    world.imds_down("alpha", kind)
    during = (
        imds.answer("PUT", TOKEN_PATH, CIMultiDict({TTL: "60"})).status,
        get(imds, "/latest/meta-data/instance-id", held).status,
    )
    role = get(imds, "/latest/meta-data/iam/security-credentials/eni-failover", held).status
    world.imds_up("alpha")

    assert (token_status, item_status) == during
    assert role == {"token-403": 200, "error-500": 500, "no-credentials": 404}[kind]
    assert get(imds, "/latest/meta-data/iam/security-credentials/eni-failover").status == 200
