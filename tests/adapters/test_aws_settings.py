"""Each wrong setting is named, by the variable or the file that it comes from; none is made up."""

import asyncio
import re

import pytest
from botocore.session import Session

from eni_failover.adapters.aws_settings import why_no_client
from eni_failover.adapters.ec2 import Ec2
from eni_failover.errors import TerminalError, TransientError

SECRET = "never-shown"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Aws:
    """An environment and the files of a home directory, and the client that boto3 makes of them."""

    def __init__(self, patch, home) -> None:
        self.patch, self.home = patch, home
        for name, file in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
            patch.setenv(name, str(home / file))

    def set(self, settings) -> None:
        for name, value in settings.items():
            if name.startswith(("config", "credentials", "bundle")):
                (self.home / name).write_bytes(value if isinstance(value, bytes) else value.encode())
            elif value is None:
                self.patch.delenv(name)
            else:
                self.patch.setenv(name, value.replace("HOME", str(self.home)))

    def problem(self, endpoint_url: str | None = None) -> str:
        """What warming says, or the first describe; the home directory is not repeated."""
        ec2 = Ec2(
            region=None,
            group="orders",
            version="1",
            connect_timeout=1,
            read_timeout=1,
            on_request=lambda _: None,
            endpoint_url=endpoint_url,
        )
        try:
            asyncio.run(ec2.warm())
            error = asyncio.run(ec2.describe_enis(("eni-0ffffffffffffff01",))).error
        except (TerminalError, TransientError) as raised:
            error = raised
        finally:
            ec2.close()
        return str(error).replace(f"{self.home}/", "")


@pytest.fixture
def aws(aws_environment, tmp_path):
    return Aws(aws_environment, tmp_path)


MADE_NO_CLIENT = {
    "no region": ({"AWS_REGION": ""}, "no region: set AWS_REGION"),
    "bad region": ({"AWS_REGION": "eu central 1"}, "AWS_REGION is not the name of a region"),
    "not ASCII": ({"AWS_REGION": "eu-cöntral-1"}, "AWS_REGION is not the name of a region"),
    "bad default region": (
        {"AWS_REGION": None, "AWS_DEFAULT_REGION": "eu_central"},
        "AWS_DEFAULT_REGION is not the name of a region",
    ),
    "bad region in the file": (
        {"AWS_REGION": None, "config": "[default]\nregion = eu central\n"},
        "region in config is not the name of a region",
    ),
    "absent profile": (
        {"AWS_PROFILE": "absent"},
        "AWS_PROFILE: neither config nor credentials has that profile",
    ),
    "no section": ({"config": SECRET}, "config: line 1 is not in a [section]"),
    "twice": ({"config": "[default]\na = 1\na = 2\n"}, "config: line 3 repeats what is there already"),
    "no value": (
        {"config": f"[default]\n{SECRET}\n"},
        "config: line 2 is neither a [section] nor name = value",
    ),
    "not UTF-8": ({"config": b"[default]\n# caf\xe9\n"}, "config: is not UTF-8"),
    "indented": (
        {"config": "[default]\ns3 =\n  bad\n"},
        "config: cannot be read as a configuration of AWS: see the indented lines",
    ),
    "credentials file": ({"credentials": SECRET}, "credentials: line 1 is not in a [section]"),
    "defaults mode": ({"AWS_DEFAULTS_MODE": "bogus"}, "AWS_DEFAULTS_MODE is not valid"),
    "number": (
        {"AWS_METADATA_SERVICE_TIMEOUT": "soon"},
        "AWS_METADATA_SERVICE_TIMEOUT is not a number",
    ),
    "number in the file": (
        {"config": "[default]\nmetadata_service_num_attempts = many\n"},
        "metadata_service_num_attempts in config is not a number",
    ),
    "IMDS": (
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://me:{SECRET}@no host!"},
        "AWS_EC2_METADATA_SERVICE_ENDPOINT is not valid",
    ),
    "endpoint of EC2": ({"AWS_ENDPOINT_URL_EC2": "no url"}, "AWS_ENDPOINT_URL_EC2 is not a URL"),
    "endpoint": (
        {"AWS_ENDPOINT_URL": f"http://me:{SECRET}@no host!/"},
        "AWS_ENDPOINT_URL is not a URL",
    ),
    "endpoint in the file": (
        {"config": "[default]\nendpoint_url = no url\n"},
        "endpoint_url in config is not a URL",
    ),
    "endpoint of a service in the file": (
        {"config": "[default]\nservices = own\n[services own]\nec2 =\n  endpoint_url = [::1\n"},
        "endpoint_url in config is not a URL",
    ),
}


@pytest.mark.parametrize(("settings", "expected"), MADE_NO_CLIENT.values(), ids=MADE_NO_CLIENT)
def test_what_makes_no_client_is_named(aws, settings, expected):
    """By the variable or the file, in one line, which holds no value that may be a secret."""
    aws.set(settings)

    assert aws.problem() == f"boto3 cannot make an EC2 client: {expected}"


def test_boto3s_own_words_get_their_variable(aws):
    """They say what is wrong with a setting, but not where it comes from."""
    aws.set({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "bogus"})

    assert re.search(r"client: AWS_ACCOUNT_ID_ENDPOINT_MODE: The configured value 'bogus'", aws.problem())


def test_a_cause_that_no_check_finds_is_not_made_up(aws):
    """Every setting is right: only the kind of the error is said."""
    assert why_no_client(Session(), ValueError(SECRET), endpoint_url=None) == "ValueError"


HTTPS = {"AWS_ENDPOINT_URL": "https://127.0.0.1:PORT"}
MADE_NO_CALL = {
    "no bundle": (
        {**HTTPS, "AWS_CA_BUNDLE": "HOME/absent"},
        "AWS_CA_BUNDLE: absent: No such file or directory",
    ),
    "bundle without certificates": (
        {**HTTPS, "bundle": "text", "AWS_CA_BUNDLE": "HOME/bundle"},
        "AWS_CA_BUNDLE: bundle has no certificates in it",
    ),
    "bundle in the file": (
        {**HTTPS, "config": "[default]\nca_bundle = /absent\n"},
        "ca_bundle in config: /absent: No such file or directory",
    ),
    "bundle of requests": (
        {**HTTPS, "REQUESTS_CA_BUNDLE": "/absent"},
        "REQUESTS_CA_BUNDLE: /absent: No such file or directory",
    ),
    "port": ({"AWS_ENDPOINT_URL": "http://h:port/"}, "AWS_ENDPOINT_URL has a port that is not a number"),
    "scheme": ({"AWS_ENDPOINT_URL": "ftp://h/"}, "AWS_ENDPOINT_URL is neither http nor https"),
    "proxy": ({"HTTPS_PROXY": f"http://me:{SECRET}@no proxy"}, "HTTPS_PROXY is not the URL of a proxy"),
    "lower case": ({"https_proxy": "http://[::1"}, "https_proxy is not the URL of a proxy"),
    "socks": (
        {"HTTPS_PROXY": f"socks5://me:{SECRET}@127.0.0.1:1080"},
        "HTTPS_PROXY is neither an http nor an https proxy: boto3 knows no others",
    ),
}


@pytest.mark.parametrize(("settings", "expected"), MADE_NO_CALL.values(), ids=MADE_NO_CALL)
def test_what_keeps_a_call_from_leaving_is_named(aws, closed_port, settings, expected):
    """boto3 makes a client of these, and says of each call only what kind of error it was."""
    aws.set({name: value.replace("PORT", str(closed_port)) for name, value in settings.items()})

    kind, _, found = aws.problem().partition(": ")

    assert (kind.isidentifier(), expected) == (True, found)


@pytest.mark.parametrize(
    "settings",
    [
        {"AWS_RETRY_MODE": "bogus"},
        {"AWS_MAX_ATTEMPTS": "many"},
        {"AWS_CA_BUNDLE": "/absent"},
        {"HTTPS_PROXY": "no proxy"},
    ],
)
def test_what_is_not_used_is_not_blamed(aws, closed_port, settings):
    """The retries are our own; plain http needs no certificates and not the proxy of https."""
    aws.set({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port}", **settings})

    assert aws.problem() == "EndpointConnectionError"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
        (
            dict.fromkeys(KEYS) | {"config": "[default]\ncredential_process = /absent x\n"},
            "FileNotFoundError: No such file or directory: /absent",
        ),
    ],
)
def test_credentials_that_cannot_be_had_say_what_is_missing(aws, settings, expected):
    """As far as the words cannot hold a secret."""
    aws.set(settings)

    assert aws.problem().endswith(expected)
