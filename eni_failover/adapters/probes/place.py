"""Where an HTTP request goes: a URL, taken apart for the connection, TLS and the request line."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One URL. `host` is connected to; `name` is what the server is called: in TLS and in Host."""

    url: str
    is_tls: bool
    host: str
    port: int
    name: str
    target: str

    @property
    def origin(self) -> tuple[bool, str, int]:
        """Two URLs of one origin (RFC 6454) may see the same secrets."""
        return self.is_tls, self.host, self.port

    @property
    def host_header(self) -> str:
        """The value of the Host field (RFC 9110, section 7.2)."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _PORTS["https" if self.is_tls else "http"] else f"{name}:{self.port}"


def parse(url: str, server_name: str = "") -> Place:
    """The place of this URL. `server_name`, if any, is what the server there is called.

    Raises ValueError for what is no http or https URL.
    """
    parts = urlsplit(url)
    host = unquote(parts.hostname or "")
    if parts.scheme not in _PORTS or not host:
        raise ValueError("no http or https URL")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError("no port")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(
        url=url,
        is_tls=parts.scheme == "https",
        host=host,
        port=port,
        name=server_name or host.partition("%")[0].rstrip("."),
        target=quote(target, safe=_PRINTABLE),
    )


def redirected(place: Place, location: str, home: Place) -> Place:
    """Where this Location leads from `place`. Raises ValueError.

    A member is asked by its address and calls itself by its name: a redirect to that name is one to the
    member itself, and does not go where the name resolves to.
    """
    found = parse(urljoin(place.url, location).partition("#")[0])
    if found.host not in {home.host, home.name}:
        return found
    return Place(
        url=found.url,
        is_tls=found.is_tls,
        host=home.host,
        port=found.port,
        name=home.name,
        target=found.target,
    )
