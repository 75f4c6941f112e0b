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
import re
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import (
    ConfigParseError,
    InvalidConfigError,
    PartialCredentialsError,
)
from botocore.session import Session

from eni_failover.adapters.answer_bounds import allowing, bound_answers
from eni_failover.adapters.credential_process import bound_helpers
from eni_failover.adapters.ec2_errors import own_error
from eni_failover.errors import AdapterError, TransientError

IMDS_HOSTS = ("169.254.169.254", "[fd00:ec2::254]", "fd00:ec2::254")
IMDS_ATTEMPTS = 3

# Three requests to IMDS with three attempts of a second each, a helper's deadline, and some room.
LOAD_WITHIN = 15.0
MOST_LOADS = 4
_ENSURE_WITHIN = 1.0
REASK_AFTER = 5.0  # seconds between questions about credentials that EC2 does not accept
_SOUND = re.compile("[!-~]+")
# Of the calls that providers make: to STS, to IAM Identity Center.
_CLIENTS = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2, "mode": "standard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Credentials in hand. Times are Unix seconds.

    `expiry` is the earliest that the chain ever told for this access key, None for keys that last:
    botocore moves the expiry of old credentials ahead when IMDS has no newer ones
    (https://github.com/boto/botocore/pull/2664), and an alert must not. `usable_until` follows
    botocore. `asked_at` is when the chain was asked for them, in seconds of a monotonic clock.
    """

    frozen: ReadOnlyCredentials
    usable_until: float
    expiry: float | None
    asked_at: float = 0.0


class _Load:
    """One question to the chain, in a thread of its own. `problem` is empty when the chain gave something."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.done = threading.Event()
        self.problem = ""


class CredentialKeeper(Credentials):
    """Stands where botocore expects credentials, and never lets a signature wait without need.

    `load` asks the chain, blocking; `wall` is the Unix time. Safe to share between threads.

    Connections that trickle end after `LOAD_WITHIN` seconds (`answer_bounds`), but nothing ends a thread that
    hangs in a file system. So the chain is asked in daemon threads; one that has not answered by then is
    given up and the chain asked anew, while no more than `MOST_LOADS` hang.
    """

    def __init__(
        self,
        load: Callable[[], Credentials | None],
        *,
        wall: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(access_key="", secret_key="", method="eni-failover")  # the held ones are used
        self._load = load
        self._wall = wall
        self._clock = clock
        self._held: Held | None = None
        self._lock = threading.Lock()
        self._loads: list[_Load] = []
        self._is_rejected = False
        self._reasked_at = -math.inf

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

        Waits a second for the chain, no call has longer; what it says later serves the next call. Raises
        TransientError when there are no usable ones afterwards.
        """
        held, now = self._held, self._clock()
        asks_anew = self._is_rejected and now - self._reasked_at >= REASK_AFTER
        if held is not None and self._is_usable(held) and not asks_anew:
            return held
        if asks_anew:
            self._reasked_at = now
        problem = self._ask(_ENSURE_WITHIN)
        held = self._held
        if held is None or not self._is_usable(held):
            raise TransientError(f"no valid AWS credentials from the credential chain: {problem}")
        return held

    def refresh(self) -> None:
        """Ask the chain for newer credentials; the ones in hand stay when it has none.

        Blocks for `LOAD_WITHIN` seconds at most. Raises TransientError when the chain gave nothing by then.
        """
        problem = self._ask(LOAD_WITHIN)
        if problem:
            raise TransientError(f"no newer AWS credentials from the credential chain: {problem}")

    def reject(self, used: Held) -> None:
        """EC2 did not accept these: `ensure` asks the chain at once, then every `REASK_AFTER` seconds.

        The chain may know the new ones only minutes later: a secret that is rotated by hand, an instance
        profile that was exchanged.
        """
        if used is self._held:
            self._is_rejected = True

    def _is_usable(self, held: Held) -> bool:
        return self._wall() < held.usable_until

    def _ask(self, within: float) -> str:
        """Wait for the question under way, or a new one; the problem when it brought nothing, else empty."""
        load = self._load_under_way()
        if not load.done.wait(within):
            return f"it has not answered for {self._clock() - load.began_at:.0f} s"
        return load.problem

    def _load_under_way(self) -> _Load:
        """The newest question without an answer; a new one when there is none, or it has hung."""
        with self._lock:
            self._loads = [load for load in self._loads if not load.done.is_set()]
            now = self._clock()
            if self._loads and (
                now - self._loads[-1].began_at < LOAD_WITHIN or len(self._loads) >= MOST_LOADS
            ):
                return self._loads[-1]
            load = _Load(now)
            self._loads.append(load)
        threading.Thread(target=self._run, args=(load,), name="credentials", daemon=True).start()
        return load

    def _run(self, load: _Load) -> None:
        """Ask, in a thread of its own, and take what the chain gives."""
        load.problem = "the thread that asks it has died"
        try:
            with allowing(time.monotonic() + LOAD_WITHIN):
                load.problem = self._replace(load)
        finally:
            load.done.set()

    def _replace(self, load: _Load) -> str:
        """Take what the chain gives; the problem when it gave nothing useful, else empty."""
        try:
            loaded = self._load()
            frozen = loaded.get_frozen_credentials() if loaded else None
        except AdapterError as error:  # our own words
            return str(error)
        except Exception as error:  # noqa: BLE001 - a program that prints `null` is an AttributeError of botocore
            return _words(error)
        if frozen is None:
            return "no provider has any"
        if not _is_sound(frozen):
            return "what it has are no credentials"
        # botocore has no public name for it, and the attribute is as old as the class.
        moment: datetime | None = getattr(loaded, "_expiry_time", None)
        with self._lock:
            return self._take(frozen, moment.timestamp() if moment else None, load)

    def _take(self, frozen: ReadOnlyCredentials, expiry: float | None, load: _Load) -> str:
        """Hold these from now on, unless they are of no use; then why."""
        usable_until = math.inf if expiry is None else expiry
        before = self._held
        if before and before.frozen.access_key == frozen.access_key and before.expiry and expiry:
            expiry = min(before.expiry, expiry)
        taken = Held(frozen=frozen, usable_until=usable_until, expiry=expiry, asked_at=load.began_at)
        if not self._is_usable(taken):
            return "the ones it has are expired"
        if before is None or before.asked_at <= load.began_at or not self._is_usable(before):
            self._held = taken
            self._is_rejected = False
        return ""


def _is_sound(frozen: ReadOnlyCredentials) -> bool:
    """Whether they can stand in a header: botocore takes null, numbers and line ends for credentials, too."""
    texts = (frozen.access_key, frozen.secret_key, frozen.token or "-")
    return all(isinstance(text, str) and _SOUND.fullmatch(text) for text in texts)


def _words(error: Exception) -> str:
    """What may be said of it: a process or web identity provider's error may quote what it was given."""
    ours = own_error(error)
    if ours is not None:
        return str(ours)
    name = type(error).__name__
    match error:
        case PartialCredentialsError() | ConfigParseError() | InvalidConfigError():
            return f"{name}: {error}"
        case OSError() if error.strerror and error.filename:
            return f"{name}: {error.strerror}: {error.filename}"
        case _:
            return name


def keep_credentials(session: Session, *, wall: Callable[[], float]) -> CredentialKeeper:
    """Put a keeper between the session's clients and the session's own chain.

    IMDS is asked with version 2 only, like our own client does, and three times: botocore's default
    is one attempt. AWS_METADATA_SERVICE_NUM_ATTEMPTS, when set higher, wins. What else the chain asks has
    deadlines, too: botocore's own are minutes, or none.
    """
    bound_helpers()
    bound_answers()
    session.set_default_client_config(_CLIENTS)
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
