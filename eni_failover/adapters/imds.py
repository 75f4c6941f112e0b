"""Who this instance is, from the instance metadata service, version 2 only.

Owns the endpoint, the token and the attempts. Must not know EC2's API or what the identity is for.
Does not guarantee an answer: IMDS may be disabled, throttled, or out of reach from a container (the
token's packets live for one hop by default), so the caller asks again and says that it waits.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eni_failover.adapters.bounded_connector import BoundedConnector
from eni_failover.core.policy import InstanceId
from eni_failover.errors import AdapterError, InvariantError, TerminalError, TransientError

IPV4_ENDPOINT = "http://169.254.169.254"
IPV6_ENDPOINT = "http://[fd00:ec2::254]"
DISABLED = "Disabled"

_ATTEMPTS = 3
_TIMEOUT = aiohttp.ClientTimeout(total=1.0)
_BACKOFF = wait_random_exponential(multiplier=0.1, max=0.5)
# A token serves one question of a few requests, with their retries.
_TOKEN_TTL = "60"  # noqa: S105 - seconds, no password
_TOKEN = re.compile(r"[!-~]{1,512}")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_LISTED_MAC = re.compile(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})/?")
# No instance type has more on one network card; whatever lists more is not IMDS.
_MOST_INTERFACES = 64
_LARGEST = 16 * 1024
_NOT_FOUND = "404"

_Read = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What this instance is; none of it changes while the instance runs."""

    instance_id: InstanceId
    region: str
    zone: str
    instance_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImdsInterface:
    """An ENI as IMDS lists it; `device_index` is None where IMDS does not tell it (any more)."""

    mac: str
    device_index: int | None


class Imds:
    """The IMDS of this instance, at the endpoint that the environment names.

    Honours AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (IPv4 or IPv6) and
    AWS_EC2_METADATA_DISABLED, as the AWS SDKs do. No proxy is ever used.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "").lower()
        standard = IPV6_ENDPOINT if mode == "ipv6" else IPV4_ENDPOINT
        self._endpoint = (environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or standard).rstrip("/")
        self.is_disabled = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"

    async def identity(self) -> Identity:
        """Ask for the identity; takes at most three attempts of a second for each of five requests.

        Raises TransientError when IMDS is out of reach, busy or broken, and TerminalError when asking
        again cannot help: code `Disabled` when the environment says that there is none, else the HTTP
        status (403 when IMDS is switched off for this instance).
        """
        async with self._reading() as read:

            async def value(path: str) -> str:
                found = (await read(path)).strip()
                if not _VALUE.fullmatch(found):
                    raise TerminalError(f"{self._endpoint} does not answer {path} like IMDS", code=path)
                return found

            return Identity(
                instance_id=InstanceId(await value("instance-id")),
                region=await value("placement/region"),
                zone=await value("placement/availability-zone"),
                instance_type=await value("instance-type"),
            )

    async def interfaces(self) -> tuple[ImdsInterface, ...]:
        """The ENIs that IMDS lists for this instance, which may lag behind EC2 by minutes.

        After a detach, and after a forced one until the instance is stopped and started, an ENI may still
        be listed (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachNetworkInterface.html);
        its device number may then be gone. Raises as `identity` does.
        """
        top = "network/interfaces/macs/"
        async with self._reading() as read:
            listed = [_LISTED_MAC.fullmatch(line.strip()) for line in (await read(top)).splitlines()]
            macs = [one[1] for one in listed if one]
            if len(macs) != len(listed) or len(macs) > _MOST_INTERFACES:
                raise TerminalError(f"{self._endpoint} does not list interfaces like IMDS", code=top)
            found = [
                ImdsInterface(mac=mac, device_index=await _device_index(read, f"{top}{mac}/device-number"))
                for mac in macs
            ]
        return tuple(found)

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[_Read]:
        """A reader of items below meta-data, by one token."""
        if self.is_disabled:
            raise TerminalError("AWS_EC2_METADATA_DISABLED says that there is no IMDS", code=DISABLED)
        # aiohttp takes proxies from the environment only when told to.
        async with aiohttp.ClientSession(
            connector=BoundedConnector(),
            timeout=_TIMEOUT,
            trust_env=False,
            # What is not unpacked cannot grow: the bound on the body is a bound on memory.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        ) as session:
            token = await self._ask(
                session, "PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_TTL}
            )
            if not _TOKEN.fullmatch(token):
                raise TerminalError(f"{self._endpoint} does not give a token like IMDS", code="api/token")
            headers = {"X-aws-ec2-metadata-token": token}
            yield lambda path: self._ask(session, "GET", f"meta-data/{path}", headers)

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, headers: Mapping[str, str]
    ) -> str:
        """One request, tried again for what may pass."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            wait=_BACKOFF,
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        ):
            with attempt:
                return await self._try(session, method, path, headers)
        raise InvariantError("a retry ended without an answer and without an error")

    async def _try(
        self, session: aiohttp.ClientSession, method: str, path: str, headers: Mapping[str, str]
    ) -> str:
        """One attempt. The token is in the request's headers only, never in an error."""
        url = f"{self._endpoint}/latest/{path}"
        try:
            async with session.request(method, url, headers=headers, allow_redirects=False) as response:
                if response.status == 200:
                    return await _text(response)
                raise _refusal(response.status, url)
        except TimeoutError as error:
            raise TransientError(f"{url}: no answer within {_TIMEOUT.total:g} s", code="timeout") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise TerminalError(f"{url}: not a URL", code="url") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise TransientError(f"{url}: {type(error).__name__}", code="connection") from error


async def _text(response: aiohttp.ClientResponse) -> str:
    """The body. Raises ValueError when it is encoded, larger than IMDS's are, or not ASCII.

    The charset that the answer names is not asked: it may be any codec that Python has.
    """
    if "Content-Encoding" in response.headers:
        raise ValueError("encoded, though plain text was asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes")
    return body.decode("ascii")


async def _device_index(read: _Read, path: str) -> int | None:
    """The number, None when IMDS has none: 404 is how it says that of an ENI that has left."""
    try:
        found = (await read(path)).strip()
    except TerminalError as error:
        if error.code == _NOT_FOUND:
            return None
        raise
    return int(found) if found.isdecimal() else None


def _refusal(status: int, url: str) -> AdapterError:
    """401 means that the token has expired, 429 and 5xx that IMDS is busy; the rest stays as it is."""
    kind = TransientError if status in {401, 429} or status >= 500 else TerminalError
    hint = ": IMDS is switched off for this instance" if status == 403 else ""
    return kind(f"{url}: HTTP status {status}{hint}", code=str(status))
