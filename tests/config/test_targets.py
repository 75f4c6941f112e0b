import pytest

from eni_failover.config import targets


@pytest.mark.parametrize(
    "value",
    [
        "http://{address}:8080/healthz",
        "https://{address}",
        "http://[{address}]:8080/",
        "http://[fd00::1]:8080/",
        "http://{member}.example.org/?q={instance_id}",
        'http://{address}/?q={"a":1}',
        "http://{address}:65535/{}",
        "HTTP://{address}/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%25eth0]:8080/",
    ],
)
def test_url(value):
    """A URL is a template with a host; braces around anything but a word stand for themselves."""
    assert value == targets.url(value)


@pytest.mark.parametrize("value", ["{address}", "10.0.0.1", "fd00::1", "fe80::1%eth0", "{member}.a"])
def test_host(value):
    """A host is a template of an address or a name."""
    assert value == targets.host(value)


@pytest.mark.parametrize("value", ["", "[fd00::1]", "http://{address}", "{address}:80", "a{}", "{address"])
def test_no_host(value):
    """A template that no member's values make a host is refused."""
    with pytest.raises(ValueError, match=r"^must be an IPv4 or IPv6 address or a host name"):
        targets.host(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{address}:10177", ("{address}", 10177)),
        ("[{address}]:10177", ("{address}", 10177)),
        ("0.0.0.0:10177", ("0.0.0.0", 10177)),
        ("[::]:10177", ("::", 10177)),
        ("[fd00::1]:1", ("fd00::1", 1)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("localhost:0", ("localhost", 0)),
        ("10.0.1.11:65535", ("10.0.1.11", 65535)),
    ],
)
def test_listen(value, expected):
    """`listen` is a host and a port; an IPv6 host is in brackets there and without them afterwards."""
    assert value == targets.listen(value)
    assert expected == targets.split_listen(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ":",
        "10177",
        "{address}",
        "{address}:",
        ":1",
        "{address}:65536",
        "{address}:-1",
        "{address}:1٣",
        ":::1",
        "[0.0.0.0]:1",
        "fd00::1:1",
        "[fd00::1]",
        "[fd00::1:1",
        "a b:1",
        "224.0.0.1:1",
        "[localhost]:1",
        "{address}x:1",
    ],
)
def test_no_listen(value):
    """Anything else is refused with the form that is wanted."""
    with pytest.raises(ValueError, match=r"^must be host:port, such as "):
        targets.listen(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{address}:10177", "http://{address}:10177/status"),
        ("[{address}]:10177", "http://{address}:10177/status"),
        ("0.0.0.0:99", "http://{address}:99/status"),
        ("[::]:99", "http://{address}:99/status"),
        ("10.0.1.11:99", "http://10.0.1.11:99/status"),
        ("[fd00::1]:99", "http://[fd00::1]:99/status"),
        ("[fe80::1%eth0]:99", "http://[fe80::1%25eth0]:99/status"),
        ("node.example.org:99", "http://node.example.org:99/status"),
    ],
)
def test_status_url(value, expected):
    """A peer is asked where it listens; where it listens on every address, at its own."""
    assert expected == targets.status_url(value)


@pytest.mark.parametrize("value", ["orders.example.org", "{member}.example.org", "{address}", "10.0.1.11"])
def test_server_name(value):
    """What a certificate can name: a host, or an address."""
    assert value == targets.server_name(value)


@pytest.mark.parametrize("value", ["", "*.example.org", "https://a", "a:443", "fe80::1%eth0", "{other}"])
def test_no_server_name(value):
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"^must "):
        targets.server_name(value)
