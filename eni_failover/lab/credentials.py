"""Who is calling: the access keys that the lab hands out, and whose they are.

Owns: issuing, renewing and expiring the credentials of each instance, and telling a caller by an access key
id. Must not know: HTTP, IMDS paths, permissions. Does not guarantee anything about signatures: **they are
not verified**. The key id names the caller, the secret is not looked at.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from eni_failover.lab.lifecycle import Moment

OPERATOR: Final = "operator"
"""The caller behind every static key that begins with `AKIALAB`."""

ANONYMOUS: Final = "anonymous"
"""The caller behind a key that nobody handed out, where the settings let it pass."""

OPERATOR_KEY: Final = "AKIALABOPERATOR00000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Temporary credentials of an instance's role. Times on the world's clock; `*_wall` in Unix seconds."""

    instance_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    issued_wall: float
    expires_wall: float


class Keyring:
    """All keys handed out so far. Not thread-safe."""

    def __init__(self) -> None:
        self._current: dict[str, Credentials] = {}
        self._all: dict[str, Credentials] = {}
        self._frozen: set[str] = set()

    @property
    def issued(self) -> Mapping[str, Credentials]:
        """By access key id, expired ones too."""
        return self._all

    def issue(self, instance_id: str, moment: Moment) -> Credentials:
        """The credentials that IMDS shows now: the same until they are due for renewal."""
        held = self._current.get(instance_id)
        if held is not None:
            due = held.issued_at + moment.settings.credentials_renewed_after
            if instance_id in self._frozen or moment.now < min(due, held.expires_at):
                return held
        fresh = self._make(instance_id, moment)
        self._current[instance_id] = self._all[fresh.access_key_id] = fresh
        return fresh

    def expire(self, instance_id: str, now: float, *, renew: bool) -> None:
        """Let every key of the instance end now. Without `renew` IMDS goes on showing the expired ones."""
        for key, held in self._all.items():
            if held.instance_id == instance_id and held.expires_at > now:
                self._all[key] = replace(held, expires_at=now)
        if renew:
            self._frozen.discard(instance_id)
            self._current.pop(instance_id, None)
        else:
            self._frozen.add(instance_id)

    def identify(self, access_key_id: str | None, now: float) -> tuple[str, bool]:
        """(caller, expired): an instance id, `operator` or `anonymous`, and whether the key has ended."""
        if access_key_id is None:
            return ANONYMOUS, False
        if access_key_id.startswith("AKIALAB"):
            return OPERATOR, False
        held = self._all.get(access_key_id)
        if held is None:
            return ANONYMOUS, False
        return held.instance_id, now >= held.expires_at

    def _make(self, instance_id: str, moment: Moment) -> Credentials:
        number = sum(held.instance_id == instance_id for held in self._all.values())
        digest = hashlib.sha256(f"{instance_id}/{number}".encode()).digest()
        text = base64.b32encode(digest).decode()
        lifetime = moment.settings.credentials_lifetime
        return Credentials(
            instance_id=instance_id,
            access_key_id="ASIA" + text[:16],
            secret_access_key="lab" + text[16:52].rstrip("="),
            session_token=f"lab-session-{instance_id}-{number}",
            issued_at=moment.now,
            expires_at=moment.now + lifetime,
            issued_wall=moment.wall,
            expires_wall=moment.wall + lifetime,
        )
