import re

import pytest

from eni_failover.config import identity


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.0.1.11", "10.0.1.11"),
        ("127.0.0.2", "127.0.0.2"),
        ("fd00::1", "fd00::1"),
        ("FD00:0:0:0::1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("localhost", "localhost"),
        ("Db-1.Example.ORG", "db-1.example.org"),
        ("ip-10-0-1-11.eu-central-1.compute.internal", "ip-10-0-1-11.eu-central-1.compute.internal"),
        ("my_host", "my_host"),
        ("a" * 63, "a" * 63),
    ],
)
def test_address(value, expected):
    """An address is an IP address or a host name, in one spelling."""
    assert expected == identity.address(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "10.0.1",
        "10.0.1.256",
        "010.0.1.1",
        "10.0.1.11/24",
        "10.0.1.11:80",
        "[fd00::1]",
        "fd00::g",
        "a..b",
        "a.",
        ".a",
        "-a",
        "a-",
        "a b",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "http://a",
        "größe",
        "1",
        "a\n",
        "10.0.1.11\n",
    ],
)
def test_no_address(value):
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"^must be an IPv4 or IPv6 address or a host name, not "):
        identity.address(value)


@pytest.mark.parametrize("value", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "ff02::1%eth0"])
def test_address_of_no_single_host(value):
    """An address that is not one host's is refused."""
    with pytest.raises(ValueError, match=r"^must be the address of one host, not "):
        identity.address(value)


@pytest.mark.parametrize("value", ["fe80::1%eth0", "FE80::0:1%eth0.100", "fe80::1%2", "fe80::1%br-lan"])
def test_a_link_local_address_has_a_zone(value):
    """The link by which it is reached, by name or number; the address in its canonical spelling."""
    assert f"fe80::1%{value.partition('%')[2]}" == identity.address(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2001:db8::1%eth0", "must have a zone (%link) at a link-local address only, not "),
        ("fe80::1%e!h", "must have the name of a link after %, not "),
        ("fe80::1%" + "x" * 16, "must have the name of a link after %, not "),
        ("fe80::1%", "must be an IPv4 or IPv6 address or a host name, not "),
        ("fe80::1%a%b", "must be an IPv4 or IPv6 address or a host name, not "),
        ("10.0.1.11%eth0", "must be an IPv4 or IPv6 address or a host name, not "),
        ("name%eth0", "must be an IPv4 or IPv6 address or a host name, not "),
    ],
)
def test_no_zone(value, message):
    """What is no zone, or stands where none is needed."""
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        identity.address(value)


@pytest.mark.parametrize("value", ["eni-12345678", "eni-0123456789abcdef0", "eni-0ffffffffffffff0"])
def test_eni_id(value):
    """An ENI id has 8 to 17 digits."""
    assert value == identity.eni_id(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "eni-",
        "eni-1234567",
        "eni-0123456789abcdef01",
        "eni-0123456789ABCDEF0",
        "i-12345678",
        "eni-12345678\n",
    ],
)
def test_no_eni_id(value):
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r'^must be "eni-" and 8 to 17 of 0-9 a-f, not '):
        identity.eni_id(value)


@pytest.mark.parametrize(
    "value", ["", "i-", "i-1234567", "i-0123456789abcdef01", "i-1234567g", "eni-12345678"]
)
def test_no_instance_id(value):
    """An instance id is refused for the same faults."""
    with pytest.raises(ValueError, match=r'^must be "i-" and 8 to 17 of 0-9 a-f, not '):
        identity.instance_id(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("i-12345678", True),
        ("eni-0123456789abcdef0", True),
        ("i-123456789", False),
        ("eni-0ffffffffffffff0", False),
    ],
)
def test_usual_length(value, expected):
    """EC2's own ids have 8 or 17 digits."""
    assert expected == identity.has_usual_length(value)


@pytest.mark.parametrize("value", ["none", "foreign", "unknown"])
def test_member_names_of_the_holder_metric(value):
    """The words that the holder metric has for nobody are no names of members."""
    with pytest.raises(ValueError, match=r"^must not be one of "):
        identity.member_name(value)


@pytest.mark.parametrize("value", ["", "-a", ".", "a b", "a/b", "a" * 64, "ä", "a\n"])
def test_no_member_name(value):
    """A name has 1 to 63 characters that need no quoting anywhere."""
    with pytest.raises(ValueError, match=r"^must be 1 to 63 characters of A-Z a-z 0-9 \. _ - "):
        identity.member_name(value)


@pytest.mark.parametrize("value", ["eni-failover-group", "aws:autoscaling:groupName", "a" * 128])
def test_tag_key(value):
    """A tag's key is up to 128 characters of any kind."""
    assert value == identity.tag_key(value)


@pytest.mark.parametrize("value", ["", "  ", "a" * 129, "a\tb"])
def test_no_tag_key(value):
    """An empty, a too long or an unprintable key is refused."""
    with pytest.raises(ValueError, match=r"^must be the key of a tag"):
        identity.tag_key(value)


def test_socket_path_is_counted_in_bytes():
    """A Unix socket's path is limited in bytes, not in characters."""
    longest = "/" + "ä" * 49 + "a"

    assert longest == str(identity.socket_path(longest))
    with pytest.raises(ValueError, match=r"100 bytes or shorter .* not 101 bytes"):
        identity.socket_path(longest + "a")


def test_hook_argv():
    """No hook is fine; a hook is an absolute program and its arguments."""
    assert identity.hook_argv(()) == ()
    assert identity.hook_argv(("/bin/true", "-x")) == ("/bin/true", "-x")
    with pytest.raises(ValueError, match=r"^must list a program"):
        identity.hook_argv(("/bin/true", ""))


def test_argv_of_a_probe():
    """A program of PATH has no path; one with a path may have blanks in it, when more words follow."""
    for words in (("pg_isready", "-h", "{address}"), ("/opt/My App/check", "-x"), ("/bin/sh", "-c", "a | b")):
        assert identity.argv(words) == words
