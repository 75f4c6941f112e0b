"""Every code that EC2 is known to answer, through a real boto3 client, to its verdict and error class."""

import asyncio
import ssl

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
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

from eni_failover.adapters.ec2_errors import is_about_credentials, translate, verdict_of
from eni_failover.core.model import Verdict
from eni_failover.errors import (
    AdapterError,
    DeniedError,
    ReobserveError,
    TerminalError,
    ThrottledError,
    TransientError,
    UnansweredError,
)

ENI = "eni-0ffffffffffffff01"
INSTANCE = "i-0bbbbbbbbbbbbbbb2"
URL = "http://127.0.0.1:9"

CODES = [
    # code, HTTP status, verdict of a mutation, error class
    ("InvalidNetworkInterfaceID.NotFound", 400, Verdict.BUSY, ReobserveError),
    ("InvalidNetworkInterfaceId.Malformed", 400, Verdict.REFUSED, TerminalError),
    ("InvalidNetworkInterfaceID.Malformed", 400, Verdict.REFUSED, TerminalError),
    ("InvalidAttachmentID.NotFound", 400, Verdict.GONE, ReobserveError),
    ("InvalidNetworkInterfaceAttachmentId.Malformed", 400, Verdict.REFUSED, TerminalError),
    ("InvalidAttachmentID.Malformed", 400, Verdict.REFUSED, TerminalError),
    ("InvalidNetworkInterface.InUse", 400, Verdict.IN_USE, ReobserveError),
    ("InvalidParameterValue", 400, Verdict.REFUSED, TerminalError),
    ("InvalidParameterCombination", 400, Verdict.REFUSED, TerminalError),
    ("AttachmentLimitExceeded", 400, Verdict.LIMIT, TerminalError),
    ("PrivateIpAddressLimitExceeded", 400, Verdict.LIMIT, TerminalError),
    ("ResourceLimitExceeded", 400, Verdict.LIMIT, TerminalError),
    ("OperationNotPermitted", 400, Verdict.REFUSED, TerminalError),
    ("AuthFailure", 403, Verdict.DENIED, DeniedError),
    ("AuthFailure", 401, Verdict.BUSY, TransientError),
    ("IncorrectState", 400, Verdict.BAD_STATE, ReobserveError),
    ("IncorrectInstanceState", 400, Verdict.BAD_STATE, ReobserveError),
    ("InvalidState", 400, Verdict.BAD_STATE, ReobserveError),
    ("InvalidInstanceID", 400, Verdict.BAD_STATE, ReobserveError),
    ("InvalidInstanceID.NotFound", 400, Verdict.BUSY, ReobserveError),
    ("InvalidInstanceID.Malformed", 400, Verdict.REFUSED, TerminalError),
    ("UnauthorizedOperation", 403, Verdict.DENIED, DeniedError),
    ("AccessDenied", 403, Verdict.DENIED, DeniedError),
    ("AccessDeniedException", 400, Verdict.DENIED, DeniedError),
    ("RequestLimitExceeded", 503, Verdict.THROTTLED, ThrottledError),
    ("EC2ThrottledException", 503, Verdict.THROTTLED, ThrottledError),
    ("Throttling", 400, Verdict.THROTTLED, ThrottledError),
    ("ThrottlingException", 400, Verdict.THROTTLED, ThrottledError),
    ("RequestThrottled", 503, Verdict.THROTTLED, ThrottledError),
    ("PriorRequestNotComplete", 400, Verdict.THROTTLED, ThrottledError),
    ("RequestTimeout", 400, Verdict.UNANSWERED, UnansweredError),
    ("RequestTimeoutException", 408, Verdict.UNANSWERED, UnansweredError),
    ("Unavailable", 503, Verdict.UNANSWERED, UnansweredError),
    ("ServiceUnavailable", 503, Verdict.UNANSWERED, UnansweredError),
    ("InternalError", 500, Verdict.UNANSWERED, UnansweredError),
    ("InternalFailure", 500, Verdict.UNANSWERED, UnansweredError),
    ("RequestExpired", 400, Verdict.BUSY, TransientError),
    ("InvalidSecurity.RequestHasExpired", 400, Verdict.BUSY, TransientError),
    ("ExpiredToken", 400, Verdict.BUSY, TransientError),
    ("ExpiredTokenException", 403, Verdict.BUSY, TransientError),
    ("InvalidClientTokenId", 403, Verdict.BUSY, TransientError),
    ("UnrecognizedClientException", 400, Verdict.BUSY, TransientError),
    ("SignatureDoesNotMatch", 403, Verdict.BUSY, TransientError),
    ("MissingAuthenticationToken", 403, Verdict.BUSY, TransientError),
    ("IncompleteSignature", 400, Verdict.BUSY, TransientError),
    ("OptInRequired", 403, Verdict.REFUSED, TerminalError),
    ("Blocked", 403, Verdict.REFUSED, TerminalError),
    ("PendingVerification", 403, Verdict.REFUSED, TerminalError),
    ("UnsupportedOperation", 400, Verdict.REFUSED, TerminalError),
    ("Unsupported", 415, Verdict.REFUSED, TerminalError),
    ("SomethingNewInThisYear", 400, Verdict.REFUSED, ReobserveError),
    ("SomethingNewInThisYear", 502, Verdict.UNANSWERED, UnansweredError),
]


def _client_error(code: str, status: int, message: str = "because") -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DetachNetworkInterface")


def _detach(scripted):
    return asyncio.run(scripted.ec2.detach(eni_id=ENI, attachment_id="eni-attach-1", force=False))


def _attach(scripted, index: int = 1):
    return asyncio.run(scripted.ec2.attach(eni_id=ENI, instance_id=INSTANCE, device_index=index))


@pytest.mark.parametrize(("code", "status", "verdict", "kind"), CODES)
def test_each_code_gives_a_mutation_its_verdict(scripted, code, status, verdict, kind):
    """A mutation is sent once and its outcome carries the verdict and EC2's own word."""
    scripted.will_refuse(status, code)

    outcome = _detach(scripted)

    assert (verdict, code) == (outcome.verdict, outcome.code)
    assert [("DetachNetworkInterface", code)] == scripted.reports
    assert len(scripted.requests) == 1
    assert kind is type(translate(_client_error(code, status)))


def test_an_attachment_of_a_service_is_denied_whatever_the_status(scripted):
    """EC2 says AuthFailure of somebody else's attachment, too: new credentials would not help."""
    scripted.will_refuse(401, "AuthFailure", "You do not have permission to access the specified resource.")

    outcome = _detach(scripted)

    assert (outcome.verdict, outcome.code) == (Verdict.DENIED, "AuthFailure")


@pytest.mark.parametrize("prefix", ["Client.", "Server."])
def test_the_prefix_that_cloudtrail_writes_is_not_part_of_a_code(scripted, prefix):
    """Client.InvalidAttachmentID.NotFound is InvalidAttachmentID.NotFound."""
    scripted.will_refuse(400, f"{prefix}InvalidAttachmentID.NotFound")

    outcome = _detach(scripted)

    assert (outcome.verdict, outcome.code) == (Verdict.GONE, "InvalidAttachmentID.NotFound")


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        (
            "Instance 'i-0bbbbbbbbbbbbbbb2' already has an interface attached at device index '2'.",
            Verdict.INDEX_TAKEN,
        ),
        (
            "Instance 'i-0bbbbbbbbbbbbbbb2' already has an interface attached at device index '2'",
            Verdict.INDEX_TAKEN,
        ),
        (
            "Instance 'i-0bbbbbbbbbbbbbbb2' already has an interface attached at device index '3'.",
            Verdict.REFUSED,
        ),
        (
            "Not that: Instance 'i-0b' already has an interface attached at device index '2'.",
            Verdict.REFUSED,
        ),
        ("Network interface 'eni-0ffffffffffffff01' is currently in use.", Verdict.IN_USE),
        ("Network interface 'eni-0ffffffffffffff02' is currently in use.", Verdict.REFUSED),
        ("Interface: [eni-0ffffffffffffff01] in use.", Verdict.IN_USE),
        ("Interface: [eni-0ffffffffffffff01] is currently in use.", Verdict.IN_USE),
        ("Interface: [eni-0ffffffffffffff02] in use.", Verdict.REFUSED),
        ("Value (x) for parameter deviceIndex is invalid.", Verdict.REFUSED),
    ],
)
def test_an_attach_tells_the_meanings_of_invalid_parameter_value_apart(scripted, message, verdict):
    """Only the whole sentence, naming what was asked for, is more than a plain refusal."""
    scripted.will_refuse(400, "InvalidParameterValue", message.replace("'", "&apos;"))

    outcome = _attach(scripted, index=2)

    assert (verdict, message) == (outcome.verdict, outcome.detail)


def test_an_attach_keeps_the_verdicts_of_the_table(scripted):
    """What InvalidParameterValue needs does not change the other codes."""
    scripted.will_refuse(400, "InvalidNetworkInterface.InUse")
    scripted.will_refuse(400, "AttachmentLimitExceeded")

    verdicts = [_attach(scripted).verdict, _attach(scripted).verdict]

    assert verdicts == [Verdict.IN_USE, Verdict.LIMIT]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<html><p>The proxy says no</p></html>"),
        (403, "<html><p>not even XML<br></html>"),
        (503, "<html>busy</html>"),
        (302, ""),
        (400, "<Response><Errors/></Response>"),
        (400, "<Response><Errors><Error><Code>&lt;b&gt; no code</Code></Error></Errors></Response>"),
        (400, "<Response><Errors><Error/><Error/></Errors></Response>"),
        (200, "<html><p>Please log in</p></html>"),
        (200, "<DetachNetworkInterfaceResponse><requestId>r</req"),
        (200, ""),
    ],
)
def test_an_answer_that_is_not_ec2s_leaves_a_mutation_unanswered(scripted, status, body):
    """A page of a proxy or half an answer is neither a yes nor a no."""
    scripted.will_answer(status, body)

    outcome = _detach(scripted)

    assert outcome.verdict == Verdict.UNANSWERED
    assert len(outcome.detail) <= 300


@pytest.mark.parametrize(
    ("error", "kind", "code", "verdict"),
    [
        (EndpointConnectionError(endpoint_url=URL, error=""), TransientError, "connection", Verdict.BUSY),
        (ConnectTimeoutError(endpoint_url=URL, error=""), TransientError, "timeout", Verdict.BUSY),
        (ProxyConnectionError(proxy_url=URL, error=""), TransientError, "connection", Verdict.BUSY),
        (NoCredentialsError(), TransientError, "connection", Verdict.BUSY),
        (
            CredentialRetrievalError(provider="iam-role", error_msg="no"),
            TransientError,
            "connection",
            Verdict.BUSY,
        ),
        (ReadTimeoutError(endpoint_url=URL, error=""), UnansweredError, "timeout", Verdict.UNANSWERED),
        (
            ConnectionClosedError(endpoint_url=URL, error=""),
            UnansweredError,
            "connection",
            Verdict.UNANSWERED,
        ),
        (HTTPClientError(error="odd"), UnansweredError, "connection", Verdict.UNANSWERED),
        (ResponseParserError("<" * 999), UnansweredError, "connection", Verdict.UNANSWERED),
        (ValueError("invalid literal for int()"), UnansweredError, "connection", Verdict.UNANSWERED),
        (ParamValidationError(report="x"), TerminalError, "connection", Verdict.REFUSED),
        (
            SSLError(endpoint_url=URL, error=OSError(ssl.SSLCertVerificationError("self-signed"))),
            TerminalError,
            "connection",
            Verdict.REFUSED,
        ),
        (
            SSLError(endpoint_url=URL, error=OSError(ssl.SSLError("record"))),
            UnansweredError,
            "connection",
            Verdict.UNANSWERED,
        ),
    ],
)
def test_a_call_without_an_answer_is_told_by_whether_it_can_have_reached_ec2(error, kind, code, verdict):
    """Nothing happened when it failed before sending; otherwise nobody knows."""
    translated = translate(error)

    assert (kind, code) == (type(translated), translated.code)
    assert verdict == verdict_of(translated)
    assert len(str(translated)) <= 300


def test_ec2s_words_about_bad_credentials_are_not_repeated():
    """Such a message may quote what was signed: it reaches no log."""
    error = translate(_client_error("SignatureDoesNotMatch", 403, "token FwoGZXIvYXdzEB"))

    assert "FwoGZXIvYXdzEB" not in str(error)
    assert is_about_credentials(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EndpointConnectionError(endpoint_url=f"http://u:{URL}@h"), "EndpointConnectionError"),
        (ResponseParserError(f"invalid XML received:\n{URL}"), "ResponseParserError"),
        (RuntimeError(f"Unable to calculate correct timezone offset for {URL}"), "RuntimeError"),
        (
            SSLError(endpoint_url=URL, error=OSError(ssl.SSLCertVerificationError("self-signed"))),
            "SSLError: the server's certificate is not accepted",
        ),
        (NoCredentialsError(), "NoCredentialsError: Unable to locate credentials"),
    ],
)
def test_an_error_without_ec2s_words_is_told_by_its_name(error, words):
    """botocore's words quote the body, or the URL with its password."""
    assert words == str(translate(error))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientError("x", code="RequestExpired"), True),
        (TransientError("x", code="AuthFailure"), True),
        (DeniedError("x", code="AuthFailure"), False),
        (TransientError("x", code="RequestLimitExceeded"), False),
        (AdapterError("x"), False),
    ],
)
def test_only_answers_about_who_signs_are_about_credentials(error, expected):
    """A missing permission and a throttle do not make the credentials suspect."""
    assert expected == is_about_credentials(error)


@pytest.mark.parametrize(
    ("said", "kept"), [("7", 7.0), ("30", 30.0), ("31", 0.0), ("31536000", 0.0), ("soon", 0.0), ("-1", 0.0)]
)
def test_a_rest_that_no_bucket_needs_is_not_believed(said, kept):
    """A year of it would leave the ENI on nobody."""
    error = _client_error("RequestLimitExceeded", 503)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": said}

    assert translate(error).retry_after == kept
