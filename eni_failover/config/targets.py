"""Whom a probe asks and where the server listens: templates of hosts and URLs.

Owns their form and the rule of the placeholders: {address}, {member} and {instance_id} are filled
in, another {word} is an error, and every other brace stands for itself (`{ x }` and `{"a": 1}` too). In the
words of a command, which have braces of their own, another {word} stands for itself as well.
Never shows a URL in a message: URLs carry passwords.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

from eni_failover.adapters.probes.spec import PLACEHOLDER, PLACEHOLDERS, Target
from eni_failover.config.identity import address
from eni_failover.config.wording import shown
from eni_failover.core.policy import InstanceId, MemberName

_WORD_IN_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Not what a shell (${X}), curl (%{x}) or a template language ({{x}}) has for itself.
_LIKE_PLACEHOLDER = re.compile(r"(?<![$%{])\{ *([A-Za-z_][A-Za-z0-9_-]*) *\}(?!\})")
_OTHER_NAMES = {"host": "address", "ip": "address", "name": "member", "id": "instance_id"}
_NEAR = 0.7  # difflib's ratio: "adress" has 0.92, "addr" 0.73
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_LISTEN_FORM = 'must be host:port, such as "{address}:10177", "0.0.0.0:10177" or "[::]:10177"'

# Stands in for any member when a template is checked; TEST-NET-1 (RFC 5737) is nobody's address.
_SAMPLE = Target(member=MemberName("m"), address="192.0.2.1", instance_id=InstanceId("i-00000000"))


def template(value: str) -> str:
    """A text in which every {word} is a placeholder."""
    return _template(value, PLACEHOLDERS)


def host(value: str) -> str:
    """A template of an IP address or a host name."""
    template(value)
    try:
        address(_SAMPLE.fill(value))
    except ValueError:
        port = ", the port has its own key" if re.search(r"[^:]:[0-9]+$", value) else ""
        raise ValueError(
            f"must be an IPv4 or IPv6 address or a host name, placeholders allowed, not {shown(value)}{port}"
        ) from None
    return value


def ipv6_router(value: str) -> str:
    """An IPv6 address without a zone, or nothing."""
    if value:
        try:
            found = ipaddress.IPv6Address(value)
        except ValueError:
            found = None
        if found is None or found.scope_id is not None:
            raise ValueError(f'must be an IPv6 address such as "fe80::1", without %link, not {shown(value)}')
    return value


def url(value: str) -> str:
    """A template of an http or https URL without user name, password or fragment."""
    template(value)
    if _BLANK.search(value):
        raise ValueError("must be a URL without spaces and line ends")
    try:
        parts = urlsplit(_SAMPLE.fill(value))
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as http://{address}:8080/healthz, port 1 to 65535") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password: use bearer_token_file or headers")
    if parts.fragment:
        raise ValueError("must not have a fragment (#...): it is never sent")
    if port == 0:
        raise ValueError("must have a port of 1 to 65535, not 0")
    try:
        address(unquote(parts.hostname or ""))
    except ValueError:
        raise ValueError(
            "must name a host: an IP address (IPv6 in brackets), a host name or {address}"
        ) from None
    return value


def server_name(value: str) -> str:
    """A template of the name that a server's certificate has."""
    host(value)
    if "%" in value:
        raise ValueError(f"must be a host name or an address without a zone, not {shown(value)}")
    return value


def has_placeholder(value: str) -> bool:
    """Whether the text is another one for another member."""
    return PLACEHOLDER.search(value) is not None


def misspelt_placeholders(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What in these words looks like a placeholder and is none, and which one is likely meant."""
    for word in command:
        for found in _LIKE_PLACEHOLDER.finditer(word):
            name = found[1]
            if found[0] == "{" + name + "}" and name in PLACEHOLDERS:
                continue
            spelt = name.lower().replace("-", "_")
            near = get_close_matches(spelt, PLACEHOLDERS, 1, _NEAR)
            if near or spelt in _OTHER_NAMES:
                yield found[0], near[0] if near else _OTHER_NAMES[spelt]


def listen(value: str) -> str:
    """Where the server listens: host:port, port 0 is any free one; only {address} is filled in."""
    _template(value, ("address",))
    split_listen(value)
    return value


def split_listen(value: str) -> tuple[str, int]:
    """The host without brackets, or "{address}", and the port. Raises ValueError."""
    before, _, port = value.rpartition(":")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{_LISTEN_FORM}, port 0 to 65535, not {shown(value)}")
    bracketed = before.startswith("[") and before.endswith("]")
    name = before[1:-1] if bracketed else before
    if name == "{address}" or _is_local_host(name, bracketed=bracketed):
        return name, int(port)
    raise ValueError(f"{_LISTEN_FORM}, not {shown(value)}")


def status_url(listens: str) -> str:
    """The template of a member's own /status: what a peer probe asks.

    A written host is kept, unless it means every address of the host (0.0.0.0 or ::): asked by
    another member, that one would be the asker itself.
    """
    name, port = split_listen(listens)
    if name == "{address}" or _is_any(name):
        name = "{address}"
    elif ":" in name:
        name = f"[{name.replace('%', '%25')}]"
    return f"http://{name}:{port}/status"


def _template(value: str, words: tuple[str, ...]) -> str:
    for word in _WORD_IN_BRACES.findall(value):
        if word not in words:
            allowed = " ".join("{" + one + "}" for one in words)
            raise ValueError(f"must not hold {shown('{' + word + '}')}: the placeholders here are {allowed}")
    return value


def _is_local_host(name: str, *, bracketed: bool) -> bool:
    if _is_any(name):
        return bracketed == (":" in name)
    try:
        return bracketed == (":" in address(name))
    except ValueError:
        return False


def _is_any(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False
