"""What EC2's refusals, and the ways of not answering, mean.

Owns the one table from EC2's error codes to our error classes and verdicts. Must not know which call
is made when, or what is decided next. Does not guarantee completeness: EC2 documents no closed list
for attach and detach, so an unknown 4xx is `refused` and anything stranger is `unanswered`.

The codes are those of
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and of public reports of
what attach and detach answer.
"""

from __future__ import annotations

import re
import ssl
from typing import Any, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from eni_failover.core.model import Verdict
from eni_failover.core.policy import EniId
from eni_failover.errors import (
    AdapterError,
    DeniedError,
    ReobserveError,
    TerminalError,
    ThrottledError,
    TransientError,
    UnansweredError,
)

TIMEOUT = "timeout"
CONNECTION = "connection"
DRY_RUN = "DryRunOperation"
# Whatever an answer says, seconds: a takeover waits no longer for one word of a proxy's.
LONGEST_RETRY_AFTER = 30.0

# botocore's parsers let builtin errors escape when an answer is XML but not EC2's: RuntimeError and
# OverflowError for a time that they cannot read.
CALL_ERRORS = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

_DETAIL_LIMIT = 300
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_INDEX_TAKEN = re.compile(
    r"Instance '[^']*' already has an interface attached at device index '(?P<index>\d+)'\.?"
)
_ENI_IN_USE = re.compile(
    r"(?:Network interface '|Interface: \[)(?P<eni_id>eni-[0-9a-f]+)['\]] (?:is currently )?in use\.?"
)
# An AuthFailure that is not about who signs: the attachment is a service's.
_NOT_YOURS = "permission to access the specified resource"


class Meaning(NamedTuple):
    """What a code says about the world, and about the mutation that got it."""

    error: type[AdapterError]
    verdict: Verdict


_NOT_YET = Meaning(ReobserveError, Verdict.BUSY)
_REFUSED = Meaning(TerminalError, Verdict.REFUSED)
_BAD_STATE = Meaning(ReobserveError, Verdict.BAD_STATE)
_DENIED = Meaning(DeniedError, Verdict.DENIED)
_THROTTLED = Meaning(ThrottledError, Verdict.THROTTLED)
_SERVER_SIDE = Meaning(UnansweredError, Verdict.UNANSWERED)
_BAD_CREDENTIALS = Meaning(TransientError, Verdict.BUSY)
_UNKNOWN = Meaning(ReobserveError, Verdict.REFUSED)

_CREDENTIAL_CODES = (
    "RequestExpired",
    "InvalidSecurity.RequestHasExpired",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
    "IncompleteSignature",
)

# Keys are compared without case: EC2 writes both InvalidNetworkInterfaceId and ...ID.
_TABLE: dict[str, Meaning] = {
    code.lower(): meaning
    for meaning, codes in (
        # EC2 may not know yet what it has just made or changed; a describe tells whether it is so.
        (_NOT_YET, ("InvalidNetworkInterfaceID.NotFound", "InvalidInstanceID.NotFound")),
        (Meaning(ReobserveError, Verdict.GONE), ("InvalidAttachmentID.NotFound",)),
        (Meaning(ReobserveError, Verdict.IN_USE), ("InvalidNetworkInterface.InUse",)),
        (_BAD_STATE, ("IncorrectState", "IncorrectInstanceState", "InvalidState", "InvalidInstanceID")),
        (
            Meaning(TerminalError, Verdict.LIMIT),
            ("AttachmentLimitExceeded", "PrivateIpAddressLimitExceeded", "ResourceLimitExceeded"),
        ),
        (
            _REFUSED,
            (
                "InvalidNetworkInterfaceId.Malformed",
                "InvalidNetworkInterfaceAttachmentId.Malformed",
                "InvalidAttachmentID.Malformed",
                "InvalidInstanceID.Malformed",
                "InvalidParameterValue",
                "InvalidParameterCombination",
                "OperationNotPermitted",
                "OptInRequired",
                "Blocked",
                "PendingVerification",
                "UnsupportedOperation",
                "Unsupported",
            ),
        ),
        # AuthFailure with 401 is mostly about the credentials: see `_refusal`.
        (_DENIED, ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure")),
        (
            _THROTTLED,
            (
                "RequestLimitExceeded",
                "EC2ThrottledException",
                "Throttling",
                "ThrottlingException",
                "ThrottledException",
                "RequestThrottled",
                "RequestThrottledException",
                "TooManyRequestsException",
                "BandwidthLimitExceeded",
                "SlowDown",
                "PriorRequestNotComplete",
            ),
        ),
        # A RequestTimeout is a 4xx that proves nothing: EC2 has not read the request to its end, it says.
        (
            _SERVER_SIDE,
            (
                "Unavailable",
                "ServiceUnavailable",
                "InternalError",
                "InternalFailure",
                "RequestTimeout",
                "RequestTimeoutException",
            ),
        ),
        (_BAD_CREDENTIALS, _CREDENTIAL_CODES),
    )
    for code in codes
}
_CREDENTIAL_KEYS = frozenset(code.lower() for code in _CREDENTIAL_CODES)


def translate(error: Exception) -> AdapterError:
    """Turn an error that escaped from a boto3 call into ours; its `code` is also the metric's label.

    The code is EC2's own, or `timeout`, or `connection`. What surely failed before the request was
    sent is a TransientError; what may have reached EC2 is an UnansweredError. The message holds no
    more than EC2's own first words, and none when the credentials are the matter; of an error without
    EC2's words it holds the name, because botocore's words quote the body, or a URL with its password.
    """
    if isinstance(error, ClientError):
        return _refusal(error)
    ours = own_error(error)
    if ours is not None:
        return ours
    code = TIMEOUT if isinstance(error, ConnectTimeoutError | ReadTimeoutError) else CONNECTION
    return _unreached(error)(_words(error), code=code)


def own_error(error: Exception) -> AdapterError | None:
    """What a bound of ours raised while botocore read, which it wraps as it does what it does not know."""
    inner: object = error.kwargs.get("error") if isinstance(error, HTTPClientError) else None
    return inner if isinstance(inner, AdapterError) else None


def verdict_of(error: AdapterError) -> Verdict:
    """What a mutation's fate is, given the error that `translate` made of its call."""
    if isinstance(error, UnansweredError):
        return Verdict.UNANSWERED
    if isinstance(error, ThrottledError):
        return Verdict.THROTTLED
    if isinstance(error, TransientError):
        return Verdict.BUSY
    return _TABLE.get(error.code.lower(), _UNKNOWN).verdict


def attach_verdict(error: AdapterError, *, eni_id: EniId, device_index: int) -> Verdict:
    """Like `verdict_of`, and tells the documented meanings of an attach's InvalidParameterValue apart.

    EC2 gives them only as prose, so the whole sentence must match and name what was asked for;
    anything else stays `refused`. Sentences as reported in lstoll/k8s-vpcnet#71 and
    aws/amazon-vpc-cni-k8s#69.
    """
    if error.code.lower() == "invalidparametervalue":
        message = str(_fields(error.__cause__).get("Message", ""))
        taken = _INDEX_TAKEN.fullmatch(message)
        if taken and int(taken["index"]) == device_index:
            return Verdict.INDEX_TAKEN
        in_use = _ENI_IN_USE.fullmatch(message)
        if in_use and in_use["eni_id"] == eni_id:
            return Verdict.IN_USE
    return verdict_of(error)


def is_about_credentials(error: AdapterError) -> bool:
    """Whether EC2 answered that it does not accept who signs, rather than what is asked."""
    code = error.code.lower()
    return code in _CREDENTIAL_KEYS or (code == "authfailure" and not isinstance(error, DeniedError))


def _refusal(error: ClientError) -> AdapterError:
    """Our error for an HTTP status of 300 or more."""
    code = str(_fields(error).get("Code", "")).removeprefix("Client.").removeprefix("Server.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not _CODE.fullmatch(code):
        return UnansweredError(f"HTTP status {status} without an EC2 error code", code=CONNECTION)
    message = str(_fields(error).get("Message", ""))
    is_signers = code.lower() in _CREDENTIAL_KEYS or (status == 401 and _NOT_YOURS not in message)
    if is_signers:
        kind = _BAD_CREDENTIALS.error if code.lower() == "authfailure" else _meaning(code, status).error
        return kind("EC2 does not accept the credentials, or this host's clock is wrong", code=code)
    translated = _meaning(code, status).error(_shorten(message or code), code=code)
    if isinstance(translated, ThrottledError):
        translated.retry_after = _retry_after(error)
    return translated


def _retry_after(error: ClientError) -> float:
    """The seconds of the answer's Retry-After; 0 without one, and for a date: no clock is compared.

    One of more than half a minute is not believed, and our own pace holds: no bucket of EC2's needs so long
    for a token, and an ENI that is on nobody must not wait for a slip of some proxy's.
    """
    said = str(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    seconds = float(said) if said.isascii() and said.isdecimal() else 0.0
    return seconds if seconds <= LONGEST_RETRY_AFTER else 0.0


def _meaning(code: str, status: int) -> Meaning:
    """The table's row; without one, only a 4xx proves that nothing happened."""
    known = _TABLE.get(code.lower())
    if known is not None:
        return known
    return _UNKNOWN if 400 <= status < 500 else _SERVER_SIDE


def _unreached(error: Exception) -> type[AdapterError]:
    """The class for a call that got no answer of EC2's."""
    match error:
        case EndpointConnectionError() | ConnectTimeoutError() | ProxyConnectionError():
            return TransientError
        case NoCredentialsError() | CredentialRetrievalError():
            return TransientError
        case ParamValidationError():
            return TerminalError
        case SSLError() if _is_bad_certificate(error):
            return TerminalError
        case _:
            return UnansweredError


def _words(error: Exception) -> str:
    """What may be told of an error that is not EC2's."""
    name = type(error).__name__
    match error:
        case ParamValidationError() | NoCredentialsError():
            return _shorten(f"{name}: {error}")
        case SSLError() if _is_bad_certificate(error):
            return f"{name}: the server's certificate is not accepted"
        case _:
            return name


def _is_bad_certificate(error: SSLError) -> bool:
    """Whether the handshake failed on the server's certificate: then no request was sent."""
    inner: object = error.kwargs.get("error")
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in getattr(inner, "args", ()))


def _fields(error: BaseException | None) -> dict[str, Any]:
    """EC2's Code and Message; botocore leaves `Error` None for well-formed XML of somebody else."""
    found: object = error.response.get("Error") if isinstance(error, ClientError) else None
    return dict(found) if isinstance(found, dict) else {}


def _shorten(text: str) -> str:
    """One line, bounded."""
    return " ".join(text.split())[:_DETAIL_LIMIT]
