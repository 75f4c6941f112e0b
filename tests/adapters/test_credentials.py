"""Credentials are in hand when they are needed, and stay until they truly expire."""

import os
import threading
import time
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from botocore.session import Session
from botocore.utils import IMDSFetcher

from eni_failover.adapters import credential_process, credentials
from eni_failover.adapters.credentials import (
    LOAD_WITHIN,
    MOST_LOADS,
    CredentialKeeper,
    exempt_imds_from_proxies,
    keep_credentials,
)
from eni_failover.errors import TransientError
from eni_failover.lab import LabThread

NOW = 1_800_000_000.0
HOUR = 3600.0


class Chain:
    """A credential chain whose answers are set by the test; counts how often it is asked."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> Credentials | None:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def temporary(key: str, expires_at: float) -> RefreshableCredentials:
    moment = datetime.fromtimestamp(expires_at, UTC)

    def refresh() -> dict[str, str]:
        raise AssertionError("botocore's own refresh must not run")

    # The time is the test's: with the real one botocore might find that a refresh is due.
    long_before = datetime.fromtimestamp(expires_at - 5 * HOUR, UTC)
    return RefreshableCredentials(
        key, "secret", "token", moment, refresh, "iam-role", time_fetcher=lambda: long_before
    )


class Keeper:
    """A keeper with its chain and its clock."""

    def __init__(self, *answers) -> None:
        self.now = NOW
        self.chain = Chain(*answers)
        self.keeper = CredentialKeeper(self.chain, wall=lambda: self.now, clock=lambda: self.now)


def key_of(keeper: CredentialKeeper) -> str:
    return keeper.get_frozen_credentials().access_key


def test_valid_credentials_in_hand_are_used_without_asking():
    """Until the last second before they expire, no signature asks the chain."""
    it = Keeper(temporary("AKIA1", NOW + HOUR))

    keys = []
    for it.now in (NOW, NOW + HOUR - 14 * 60, NOW + HOUR - 1):
        keys.append(key_of(it.keeper))

    assert (keys, it.chain.asked) == (["AKIA1"] * 3, 1)


def test_expired_credentials_are_replaced_when_needed():
    """With nothing valid in hand the chain is asked, and its answer used."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), temporary("AKIA2", NOW + 7 * HOUR))
    it.keeper.ensure()
    it.now = NOW + HOUR

    assert key_of(it.keeper) == "AKIA2"
    assert it.keeper.expiry == NOW + 7 * HOUR


@pytest.mark.parametrize("failure", [None, CredentialRetrievalError(provider="x", error_msg="y"), OSError()])
def test_a_failed_refresh_keeps_the_ones_in_hand_and_says_so(failure):
    """The last good ones are used until they expire, however the refresh failed."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), failure)
    it.keeper.refresh()

    with pytest.raises(TransientError, match="no newer AWS credentials"):
        it.keeper.refresh()

    assert key_of(it.keeper) == "AKIA1"


def test_a_refresh_replaces_valid_credentials():
    """Refreshing happens ahead of need."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), temporary("AKIA2", NOW + 6 * HOUR))
    it.keeper.refresh()
    it.keeper.refresh()

    assert (key_of(it.keeper), it.keeper.expiry) == ("AKIA2", NOW + 6 * HOUR)


def test_older_credentials_do_not_replace_valid_ones():
    """A chain that gives expired ones gave nothing."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), temporary("AKIA0", NOW - 1))
    it.keeper.refresh()

    with pytest.raises(TransientError, match="expired"):
        it.keeper.refresh()

    assert key_of(it.keeper) == "AKIA1"


def test_nothing_at_all_is_a_transient_error():
    """No credentials today may be some tomorrow; the error names the kind of failure only."""
    it = Keeper(None, ValueError("token=FwoGZX"))

    with pytest.raises(TransientError, match="no provider has any"):
        it.keeper.ensure()
    with pytest.raises(TransientError, match=r"ValueError$"):
        it.keeper.ensure()
    assert it.keeper.expiry is None


def test_static_credentials_never_expire():
    """Keys from the environment or a file have no expiry and are not asked for again."""
    it = Keeper(Credentials("AKIASTATIC", "secret"))
    it.keeper.ensure()
    it.now += 1000 * HOUR

    assert (key_of(it.keeper), it.keeper.expiry, it.chain.asked) == ("AKIASTATIC", None, 1)


def test_the_exported_expiry_is_not_moved_ahead_for_the_same_key():
    """botocore extends old credentials while IMDS is ill: they are used longer, but the alert stays."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), temporary("AKIA1", NOW + 2 * HOUR))
    it.keeper.refresh()
    it.keeper.refresh()
    it.now = NOW + 1.5 * HOUR

    assert (key_of(it.keeper), it.keeper.expiry, it.chain.asked) == ("AKIA1", NOW + HOUR, 2)


def rejected(it: Keeper, seconds: int) -> list[str]:
    """EC2 refuses every call, one a second; the keys that were signed with."""
    keys = []
    for _ in range(seconds):
        used = it.keeper.ensure()
        it.keeper.reject(used)
        keys.append(used.frozen.access_key)
        it.now += 1
    return keys


def test_rejected_credentials_are_asked_for_anew_until_the_chain_has_others():
    """The new ones may come minutes later. It is asked at once, and then every five seconds."""
    old, new = temporary("AKIA1", NOW + HOUR), temporary("AKIA2", NOW + HOUR)
    it = Keeper(old, old, old, old, new)

    keys = rejected(it, 17)

    assert keys == ["AKIA1"] * 16 + ["AKIA2"]
    assert it.chain.asked == 5


def test_a_chain_that_fails_leaves_rejected_credentials_rejected():
    """One failed question is no answer: the next call but four asks again."""
    it = Keeper(
        temporary("AKIA1", NOW + HOUR),
        CredentialRetrievalError(provider="x", error_msg="busy"),
        temporary("AKIA2", NOW + HOUR),
    )
    used = it.keeper.ensure()
    it.keeper.reject(used)
    keys = []
    for _ in range(6):
        keys.append(key_of(it.keeper))
        it.now += 1

    assert keys == ["AKIA1"] * 5 + ["AKIA2"]
    assert it.chain.asked == 3


def test_a_provider_that_fails_in_an_odd_way_is_named():
    """botocore takes what a program prints as an object: `null` is an AttributeError."""
    it = Keeper(AttributeError("'NoneType' object has no attribute 'get'"), temporary("AKIA1", NOW + HOUR))
    with pytest.raises(TransientError, match=r"AttributeError$"):
        it.keeper.ensure()

    assert key_of(it.keeper) == "AKIA1"


def test_a_late_rejection_does_not_touch_newer_credentials():
    """What an old request was signed with says nothing about what came since."""
    it = Keeper(temporary("AKIA1", NOW + HOUR), temporary("AKIA2", NOW + HOUR))
    old = it.keeper.ensure()
    it.keeper.refresh()
    it.keeper.reject(old)

    assert (key_of(it.keeper), it.chain.asked) == ("AKIA2", 2)


class HangingChain:
    """A chain whose questions hang until they are released, each with a key of its own."""

    def __init__(self, *, answers: int = 0) -> None:
        self.asked = 0
        self.released = [threading.Event() for _ in range(9)]
        self._begun = threading.Semaphore(0)
        for one in self.released[:answers]:
            one.set()

    def __call__(self) -> Credentials:
        number = self.asked
        self.asked += 1
        self._begun.release()
        self.released[number].wait(10)
        return temporary(f"AKIA{number}", time.time() + HOUR)

    def wait_until_asked(self) -> None:
        assert self._begun.acquire(timeout=10)


@pytest.fixture
def _impatient(monkeypatch):
    """Nobody waits for the chain: a question that is not answered at once is under way."""
    monkeypatch.setattr(credentials, "_ENSURE_WITHIN", 0.01)


@pytest.fixture
def loading(_impatient):
    """A chain that hangs, a keeper of it, and the keeper's clock."""

    class Loading:
        now = 0.0
        chain = HangingChain()

    it = Loading()
    it.keeper = CredentialKeeper(it.chain, wall=time.time, clock=lambda: it.now)
    yield it
    for one in it.chain.released:
        one.set()


def test_a_hanging_refresh_does_not_hold_up_a_signature():
    """While one thread waits for the chain, others sign with what is in hand."""
    chain = HangingChain(answers=1)
    keeper = CredentialKeeper(chain, wall=time.time)
    keeper.refresh()
    hanging = threading.Thread(target=keeper.refresh)
    chain.wait_until_asked()
    hanging.start()
    chain.wait_until_asked()

    assert key_of(keeper) == "AKIA0"

    chain.released[1].set()
    hanging.join(10)

    assert key_of(keeper) == "AKIA1"


def test_a_question_under_way_is_not_asked_again(loading):
    """However many calls need credentials, one thread asks for them."""
    for loading.now in (0.0, 5.0, LOAD_WITHIN - 0.1):
        with pytest.raises(TransientError, match=f"it has not answered for {loading.now:.0f} s"):
            loading.keeper.ensure()

    assert loading.chain.asked == 1


def test_a_question_that_hangs_is_asked_again(loading):
    """A chain that hangs once is not left at that: the next question may have an answer."""
    loading.chain.released[1].set()
    with pytest.raises(TransientError):
        loading.keeper.ensure()
    loading.now = LOAD_WITHIN
    loading.keeper.refresh()

    assert key_of(loading.keeper) == "AKIA1"


def test_no_more_than_a_few_questions_hang_side_by_side(loading):
    """Threads that nothing ends do not pile up; when one of them ends, the chain is asked again."""
    for number in range(MOST_LOADS + 3):
        loading.now = number * LOAD_WITHIN
        with pytest.raises(TransientError):
            loading.keeper.ensure()
    most = loading.chain.asked
    loading.chain.released[0].set()
    end = loading.keeper._loads[0].done.wait(10)

    assert (most, end, key_of(loading.keeper)) == (MOST_LOADS, True, "AKIA0")


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(loading):
    """What was asked for first may be older."""
    loading.chain.released[1].set()
    with pytest.raises(TransientError):
        loading.keeper.ensure()
    first = loading.keeper._loads[0]
    loading.now = LOAD_WITHIN
    loading.keeper.refresh()
    loading.chain.released[0].set()

    assert (first.done.wait(10), key_of(loading.keeper)) == (True, "AKIA1")


def imds_environment(patch: pytest.MonkeyPatch, lab: LabThread) -> None:
    """Credentials come from the lab's IMDS only."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        patch.delenv(name)
    patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", lab.imds_url("alpha"))


def test_stock_botocore_fails_a_call_when_imds_misses_once_with_valid_credentials(aws_environment):
    """The trap this module is for: 14 minutes are left, IMDS does not answer, and the call dies."""
    with LabThread() as lab:
        imds_environment(aws_environment, lab)
        session = Session()
        credentials = session.get_credentials()
        credentials._expiry_time = datetime.fromtimestamp(time.time() + 14 * 60, UTC)
        client = boto3.Session(botocore_session=session).client(
            "ec2", region_name="eu-central-1", endpoint_url=lab.ec2_url
        )
        lab.world.imds_down("alpha")
        lab.sync()

        with pytest.raises(CredentialRetrievalError):
            client.describe_network_interfaces(MaxResults=100)
        client.close()


def test_a_call_works_when_imds_misses_with_valid_credentials(aws_environment):
    """The same situation with kept credentials: the call is signed with what is in hand."""
    with LabThread() as lab:
        imds_environment(aws_environment, lab)
        now = time.time()
        session = Session()
        keeper = keep_credentials(session, wall=lambda: now)
        keeper.refresh()
        client = boto3.Session(botocore_session=session).client(
            "ec2", region_name="eu-central-1", endpoint_url=lab.ec2_url
        )
        lab.world.imds_down("alpha")
        lab.sync()
        now = keeper.expiry - 14 * 60

        found = client.describe_network_interfaces(MaxResults=100)["NetworkInterfaces"]
        client.close()

        assert len(found) > 0
        with pytest.raises(TransientError, match="no newer"):
            keeper.refresh()


@pytest.mark.parametrize(("written", "expected"), [(None, 3), ("1", 3), ("5", 5)])
def test_imds_is_asked_at_least_three_times_and_with_version_2_only(aws_environment, written, expected):
    """botocore's default is a single attempt, with version 1 as a fallback."""
    if written is not None:
        aws_environment.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", written)
    session = Session()

    keep_credentials(session, wall=time.time)

    assert expected == session.get_config_variable("metadata_service_num_attempts")
    assert session.get_config_variable("ec2_metadata_v1_disabled") is True


IMDS = "169.254.169.254,[fd00:ec2::254],fd00:ec2::254"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, IMDS),
        ({"NO_PROXY": "intra.example, .corp"}, f"intra.example,.corp,{IMDS}"),
        ({"no_proxy": "low", "NO_PROXY": "high"}, f"low,{IMDS}"),
        ({"NO_PROXY": IMDS}, IMDS),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338/"}, f"{IMDS},127.0.0.1"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[::1]:1338"}, f"{IMDS},[::1]"),
    ],
)
def test_imds_is_added_to_what_proxies_leave_out(environ, expected):
    """Both spellings of the variable agree, and what the user wrote stays first."""
    exempt_imds_from_proxies(environ)

    assert (expected, expected) == (environ["no_proxy"], environ["NO_PROXY"])


def test_an_asterisk_is_left_alone():
    """`*` exempts everything, but only when it stands alone."""
    environ = {"NO_PROXY": "*"}

    exempt_imds_from_proxies(environ)

    assert environ == {"NO_PROXY": "*"}


@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://127.0.0.1:1338", "http://[::1]:1338"],
)
def test_botocores_imds_client_then_takes_no_proxy(aws_environment, endpoint):
    """The proof that the entries are written as botocore compares them."""
    aws_environment.setenv("HTTP_PROXY", "http://proxy.example:3128")
    aws_environment.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
    before = IMDSFetcher(base_url=endpoint)._session._proxy_config.proxy_url_for(endpoint)
    exempt_imds_from_proxies(os.environ)
    after = IMDSFetcher(base_url=endpoint)._session._proxy_config.proxy_url_for(endpoint)

    assert (before, after) == ("http://proxy.example:3128", None)


ROLE = """[default]
role_arn = arn:aws:iam::123456789012:role/orders
source_profile = base
[profile base]
aws_access_key_id = AKIDBASE
aws_secret_access_key = secret
"""


def test_sts_that_never_answers_is_given_up(aws_environment, serve, tmp_path, monkeypatch):
    """botocore's own deadlines are a minute, for each of several attempts."""
    monkeypatch.setattr(credentials, "_CLIENTS", credentials._CLIENTS.merge(Config(read_timeout=0.3)))
    closing = threading.Event()
    server = serve(lambda connection: closing.wait(10))
    (tmp_path / "config").write_text(ROLE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    aws_environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws_environment.setenv("AWS_ENDPOINT_URL_STS", server.url)
    aws_environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    keeper = keep_credentials(Session(), wall=time.time)

    with pytest.raises(TransientError, match="ReadTimeoutError"):
        keeper.refresh()
    closing.set()

    assert len(server.requests) == 2


def test_the_deadlines_of_providers_fit_into_that_of_a_question():
    """Identity Center needs two calls: what one refresh starts has ended before the next is begun."""
    timeouts = credentials._CLIENTS.connect_timeout + credentials._CLIENTS.read_timeout

    assert credential_process.TIMEOUT < LOAD_WITHIN
    assert 2 * timeouts < LOAD_WITHIN
