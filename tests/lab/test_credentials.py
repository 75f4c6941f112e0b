import pytest

from eni_failover.lab.engine import Call

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"


def asked_by(world, access_key_id):
    """(caller, refusal code) of a call with that key."""
    admission = world.admit(Call(action="DescribeTags", parameters={}, access_key_id=access_key_id))
    return admission.caller, admission.refusal.code if admission.refusal else None


def test_each_member_has_its_own_key(world):
    """The access key id tells which member calls."""
    alpha, beta = world.credentials("alpha").access_key_id, world.credentials("beta").access_key_id

    assert alpha != beta
    assert [asked_by(world, alpha), asked_by(world, beta)] == [(ALPHA, None), (BETA, None)]


def test_static_lab_keys_are_the_operator(world):
    """A key that begins with AKIALAB is the operator's."""
    assert asked_by(world, "AKIALABANYTHING") == ("operator", None)


@pytest.mark.parametrize(("strict", "code"), [(False, None), (True, "AuthFailure")])
def test_unknown_keys(make_world, strict, code):
    """An unknown key, or none, is anonymous, and AuthFailure when credentials are strict."""
    world = make_world(settings={"strict_credentials": strict})

    assert ("anonymous", code) == asked_by(world, "AKIAIOSFODNN7EXAMPLE")
    assert ("anonymous", code) == asked_by(world, None)


def test_credentials_are_the_same_until_renewed(world, clock):
    """IMDS shows the same credentials for an hour, then new ones; the old go on working until they expire."""
    first = world.credentials("alpha")
    clock.advance(3599)
    same = world.credentials("alpha")
    clock.advance(1)
    second = world.credentials("alpha")

    assert first == same
    assert second.access_key_id != first.access_key_id
    assert asked_by(world, first.access_key_id) == (ALPHA, None)
    clock.advance(5 * 3600)
    assert asked_by(world, first.access_key_id) == (ALPHA, "RequestExpired")
    assert asked_by(world, second.access_key_id) == (ALPHA, None)


def test_expiration_is_on_the_wall_clock(world):
    """Expiration is the lifetime from now, in Unix seconds."""
    held = world.credentials("alpha")

    assert (held.issued_wall, held.expires_wall) == (1_800_000_000, 1_800_000_000 + 6 * 3600)


def test_expire_with_renewal(world):
    """Expired credentials are refused at once, and IMDS has new ones that work."""
    old = world.credentials("alpha").access_key_id
    world.expire_credentials("alpha")
    new = world.credentials("alpha").access_key_id

    assert [asked_by(world, old), asked_by(world, new)] == [(ALPHA, "RequestExpired"), (ALPHA, None)]


def test_expire_without_renewal(world, clock):
    """Without renewal IMDS goes on showing credentials that are refused, until told to renew."""
    old = world.credentials("alpha").access_key_id
    world.expire_credentials("alpha", renew=False)
    clock.advance(7200)
    shown = world.credentials("alpha").access_key_id
    world.expire_credentials("alpha", renew=True)

    assert old == shown
    assert asked_by(world, old) == (ALPHA, "RequestExpired")
    assert world.credentials("alpha").access_key_id != old


def test_expired_code_is_a_setting(make_world):
    """The refusal can be ExpiredToken instead."""
    world = make_world(settings={"expired_code": "ExpiredToken"})
    old = world.credentials("alpha").access_key_id
    world.expire_credentials("alpha")

    assert asked_by(world, old) == (ALPHA, "ExpiredToken")


def test_secrets_are_not_in_the_repr(world):
    """A logged record of credentials shows neither secret nor session token."""
    held = world.credentials("alpha")

    assert held.secret_access_key not in repr(held)
    assert held.session_token not in repr(held)
