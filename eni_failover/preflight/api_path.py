"""By which address of this host a request to EC2 leaves.

Owns the question to the kernel, and who is asked: EC2's host, or the proxy that the environment puts
before it. No packet is sent but a look-up of the name. Does not guarantee what lies behind a proxy.
"""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies

from eni_failover.adapters.probes.names import Names
from eni_failover.preflight.facts import Maybe, Missed

_LOOKUP_TIMEOUT = 3.0
_PORTS = {"http": 80, "https": 443}


async def source_to(url: str) -> tuple[str, Maybe[str]]:
    """The host that is asked for this URL, and the address that its packets leave from."""
    asked = urlsplit(_proxied(url))
    host = asked.hostname or ""
    try:
        async with asyncio.timeout(_LOOKUP_TIMEOUT):
            addresses = await Names().find(host, asked.port or _PORTS.get(asked.scheme, 443))
        return host, _source(addresses[0].family, addresses[0].sockaddr)
    except TimeoutError:
        return host, Missed(why=f"{host} was not resolved within {_LOOKUP_TIMEOUT:g} s")
    except OSError as error:
        return host, Missed(why=f"{host}: {error.strerror or error}")


def _proxied(url: str) -> str:
    """The proxy's URL, as botocore chooses it, or the URL itself."""
    proxy: str = get_environ_proxies(url).get(urlsplit(url).scheme, "")
    return url if not proxy else proxy if "://" in proxy else f"http://{proxy}"


def _source(family: socket.AddressFamily, sockaddr: tuple[object, ...]) -> str:
    """Connecting a datagram socket sends nothing: the kernel only chooses a route and a source (udp(7))."""
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect(sockaddr)
        return str(asked.getsockname()[0])
