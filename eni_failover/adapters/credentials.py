"""The AWS credentials in hand: loaded by boto3's standard chain, kept until they truly expire.

Owns when the chain is asked and what is signed with meanwhile. Must not know EC2 or its errors. Does
not guarantee that kept credentials are still accepted: that is EC2's to say.

Why boto3's own refresh is not enough: with less than 15 minutes left it asks IMDS inside the API call,
and when IMDS does not answer that one time, the call fails although the credentials are still valid
(https://github.com/boto/botocore/issues/1617). Here nothing is asked while valid credentials are in
hand; `refresh` replaces them long before they expire.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from eni_failover.errors import TransientError

IMDS_HOSTS = ("169.254.169.254", "[fd00:ec2::254]", "fd00:ec2::254")
IMDS_ATTEMPTS = 3

# What providers of the chain raise: their own, STS's, a dead process provider's, unreadable answers.
_LOAD_ERRORS = (BotoCoreError, ClientError, OSError, RuntimeError, ValueError)
_WAIT_FOR_OTHER_LOAD = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Credentials in hand. Times are Unix seconds.

    `expiry` is the earliest that the chain ever told for this access key, None for keys that last:
    botocore moves the expiry of old credentials ahead when IMDS has no newer ones
    (https://github.com/boto/botocore/pull/2664), and an alert must not. `usable_until` follows
    botocore.
    """

    frozen: ReadOnlyCredentials
    usable_until: float
    expiry: float | None


class CredentialKeeper(Credentials):
    """Stands where botocore expects credentials, and never lets a signature wait without need.

    `load` asks the chain, blocking; `wall` is the Unix time. Safe to share between threads.
    """

    def __init__(self, load: Callable[[], Credentials | None], *, wall: Callable[[], float]) -> None:
        super().__init__(access_key="", secret_key="", method="eni-failover")  # the held ones are used
        self._load = load
        self._wall = wall
        self._held: Held | None = None
        self._loading = threading.Lock()
        self._is_suspect = False
        self._rejected_key: str | None = None

    @property
    def expiry(self) -> float | None:
        """When the credentials in hand expire, in Unix seconds; None when they last, or there are none."""
        return self._held.expiry if self._held else None

    def load_credentials(self) -> CredentialKeeper:
        """What botocore's session asks its `credential_provider` component for."""
        return self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What botocore's signer asks for; raises as `ensure` does."""
        return self.ensure().frozen

    def ensure(self) -> Held:
        """The credentials in hand; asks the chain only when they are expired, rejected, or none.

        Blocks while it asks. Raises TransientError when there are no usable ones afterwards.
        """
        held = self._held
        if held is not None and self._is_usable(held) and not self._is_suspect:
            return held
        problem = "another thread is asking it"
        if self._loading.acquire(timeout=_WAIT_FOR_OTHER_LOAD):
            try:
                problem = self._replace()
            finally:
                self._loading.release()
        held = self._held
        if held is None or not self._is_usable(held):
            raise TransientError(f"no valid AWS credentials from the credential chain: {problem}")
        return held

    def refresh(self) -> None:
        """Ask the chain for newer credentials; the ones in hand stay when it has none.

        Blocks. Raises TransientError when the chain gave nothing, or another thread is asking already.
        """
        if not self._loading.acquire(blocking=False):
            raise TransientError("the AWS credential chain has not answered an earlier refresh yet")
        try:
            problem = self._replace()
        finally:
            self._loading.release()
        if problem:
            raise TransientError(f"no newer AWS credentials from the credential chain: {problem}")

    def reject(self, used: Held) -> None:
        """EC2 did not accept these: the next `ensure` asks the chain, once for each access key."""
        if used is self._held and used.frozen.access_key != self._rejected_key:
            self._rejected_key = used.frozen.access_key
            self._is_suspect = True

    def _is_usable(self, held: Held) -> bool:
        return self._wall() < held.usable_until

    def _replace(self) -> str:
        """Take what the chain gives; the problem when it gave nothing useful, else empty."""
        self._is_suspect = False
        try:
            loaded = self._load()
            frozen = loaded.get_frozen_credentials() if loaded else None
        except _LOAD_ERRORS as error:
            # Only its kind: a process or web identity provider's error may quote what it was given.
            return type(error).__name__
        if frozen is None:
            return "no provider has any"
        # botocore has no public name for it, and the attribute is as old as the class.
        moment: datetime | None = getattr(loaded, "_expiry_time", None)
        expiry = moment.timestamp() if moment else None
        usable_until = math.inf if expiry is None else expiry
        before = self._held
        if before and before.frozen.access_key == frozen.access_key and before.expiry and expiry:
            expiry = min(before.expiry, expiry)
        taken = Held(frozen=frozen, usable_until=usable_until, expiry=expiry)
        if not self._is_usable(taken):
            return "the ones it has are expired"
        self._held = taken
        return ""


def keep_credentials(session: Session, *, wall: Callable[[], float]) -> CredentialKeeper:
    """Put a keeper between the session's clients and the session's own chain.

    IMDS is asked with version 2 only, like our own client does, and three times: botocore's default
    is one attempt. AWS_METADATA_SERVICE_NUM_ATTEMPTS, when set higher, wins.
    """
    attempts = session.get_config_variable("metadata_service_num_attempts") or 1
    session.set_config_variable("metadata_service_num_attempts", max(attempts, IMDS_ATTEMPTS))
    session.set_config_variable("ec2_metadata_v1_disabled", True)
    chain = session.get_component("credential_provider")
    keeper = CredentialKeeper(chain.load_credentials, wall=wall)
    session.register_component("credential_provider", keeper)
    return keeper


def exempt_imds_from_proxies(environ: MutableMapping[str, str]) -> None:
    """Add IMDS to `no_proxy`: botocore's IMDS client takes proxies from the environment.

    `urllib` compares host names without a port, IPv6 ones in their brackets, and lets the lower-case
    variable win; `*` alone already exempts everything.
    """
    present = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if present.strip() == "*":
        return
    hosts = [host.strip() for host in present.split(",") if host.strip()]
    custom = urlsplit(environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")).hostname
    wanted = [*IMDS_HOSTS, *([f"[{custom}]" if ":" in custom else custom] if custom else [])]
    merged = ",".join(dict.fromkeys([*hosts, *wanted]))
    environ["no_proxy"] = environ["NO_PROXY"] = merged
