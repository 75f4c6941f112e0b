"""Version 2 of the instance metadata service of one instance, without its sockets.

Owns: session tokens and the status of each answer. Must not know: aiohttp, the tree's contents. Does not
guarantee: the throttling that real IMDS does. Version 1 is always refused, as with HttpTokens=required.

How it works: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eni_failover.lab.faults import ImdsKind
from eni_failover.lab.metadata import find, tree
from eni_failover.lab.world import World

TTL_HEADER: Final = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER: Final = "X-aws-ec2-metadata-token"  # noqa: S105 - the name of a header, no token
_LONGEST_TTL: Final = 21600


@dataclass(frozen=True, slots=True, kw_only=True)
class ImdsAnswer:
    """Status, text and headers of an answer."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Imds:
    """The service of one instance; its tokens are worth nothing on another one."""

    def __init__(self, world: World, instance_id: str) -> None:
        self._world = world
        self._instance_id = instance_id
        self._tokens: dict[str, float] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> ImdsAnswer:
        """Answer one request; `headers` must not care for case."""
        condition = self._world.imds_condition(self._instance_id)
        kind = condition.kind if condition else None
        if kind is ImdsKind.ERROR_500:
            return ImdsAnswer(status=500)
        if path == "/latest/api/token":
            if kind is ImdsKind.TOKEN_403:
                return ImdsAnswer(status=403)
            return self._token(method, headers)
        if method != "GET":
            return ImdsAnswer(status=405)
        return self._item(path, headers)

    def _token(self, method: str, headers: Mapping[str, str]) -> ImdsAnswer:
        if method != "PUT":
            return ImdsAnswer(status=405)
        if "X-Forwarded-For" in headers:
            return ImdsAnswer(status=403)
        ttl = headers.get(TTL_HEADER, "")
        if not ttl.isdecimal() or not 1 <= int(ttl) <= _LONGEST_TTL:
            return ImdsAnswer(status=400)
        now = self._world.now
        self._tokens = {held: end for held, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + int(ttl)
        return ImdsAnswer(status=200, text=token, headers={TTL_HEADER: ttl})

    def _item(self, path: str, headers: Mapping[str, str]) -> ImdsAnswer:
        token = headers.get(TOKEN_HEADER, "")
        if self._tokens.get(token, 0.0) <= self._world.now:
            return ImdsAnswer(status=401)
        if not path.startswith("/latest/"):
            return ImdsAnswer(status=404)
        text = find(tree(self._world, self._instance_id), path.removeprefix("/latest/"))
        return ImdsAnswer(status=404) if text is None else ImdsAnswer(status=200, text=text)
