"""Which variable or file is wrong when boto3 cannot make a client, or a client cannot make a call.

boto3 says what it did not understand, but rarely where it comes from. Here the likely causes are checked one
after another; what no check finds is reported in boto3's own words, or by the kind of its error, and no
cause is guessed. URLs may hold a password: they are named by their variable and never repeated.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from configparser import DuplicateOptionError, DuplicateSectionError, MissingSectionHeaderError, ParsingError
from configparser import RawConfigParser as Parser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ConfigParseError,
    InvalidDefaultsMode,
    InvalidIMDSEndpointError,
    InvalidIMDSEndpointModeError,
    InvalidRegionError,
    InvalidSTSRegionalEndpointsConfigError,
    NoRegionError,
    ProfileNotFound,
)
from botocore.session import Session
from botocore.utils import get_environ_proxies, is_valid_endpoint_url, is_valid_ipv6_endpoint_url
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

# The setting that each of these is about, by botocore's name for it.
_ABOUT: dict[type[BotoCoreError], str] = {
    InvalidDefaultsMode: "defaults_mode",
    InvalidIMDSEndpointError: "ec2_metadata_service_endpoint",
    InvalidIMDSEndpointModeError: "ec2_metadata_service_endpoint_mode",
    InvalidSTSRegionalEndpointsConfigError: "sts_regional_endpoints",
}
_SETTING = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")
_HTTP = frozenset({"http", "https"})


def why_no_client(session: Session, error: Exception, *, endpoint_url: str | None) -> str:
    """What is wrong, in one line, when boto3 made no EC2 client out of its settings and raised `error`."""
    why = type(error).__name__
    match error:
        case NoRegionError():
            why = "no region: set AWS_REGION"
        case InvalidRegionError():
            why = f"{_origin(session, 'region')} is not the name of a region"
        case ProfileNotFound():
            why = f"{_origin(session, 'profile')}: neither {' nor '.join(_files(session))} has that profile"
        case ConfigParseError():
            path = Path(str(error.kwargs["path"]))
            why = f"{path}: {_syntax_error(path)}"
        case BotoCoreError() if type(error) in _ABOUT:
            why = f"{_origin(session, _ABOUT[type(error)])} is not valid"
        case BotoCoreError():
            why = f"{_named_in(session, str(error))}{error}"
        case _:
            why = next(_wrong_values(session, endpoint_url), why)
    return why


def why_no_answer(session: Session, *, url: str, region: str) -> str:
    """What is wrong, in one line, with the settings that only a call needs; empty: nothing is.

    `url` and `region` are those of the client.
    """
    return next(_wrong_ways(session, url), "") or _strange_region(session, region)


def _named_in(session: Session, words: str) -> str:
    """Where the setting comes from that boto3's words name; empty when they name none."""
    named = (name for name in _SETTING.findall(words) if name in session.session_var_map)
    return next((f"{_origin(session, name)}: " for name in named), "")


def _wrong_values(session: Session, endpoint_url: str | None) -> Iterator[str]:
    """Settings that boto3 does not take, and about which it does not say more than ValueError."""
    for name, (_, _, _, convert) in session.session_var_map.items():
        if convert is int:
            try:
                session.get_config_variable(name)
            except ValueError:
                yield f"{_origin(session, name)} is not a number"
    where, url = _endpoint(session, endpoint_url)
    if url and not _is_endpoint(url):
        yield f"{where} is not a URL"


def _wrong_ways(session: Session, url: str) -> Iterator[str]:
    where, _ = _endpoint(session, None)
    try:
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:
        yield f"{where or 'the endpoint'} has a port that is not a number"
        return
    if scheme not in _HTTP:
        yield f"{where or 'the endpoint'} is neither http nor https"
    proxy = get_environ_proxies(url).get(scheme, "")
    if proxy and (wrong := _wrong_proxy(proxy)):
        yield f"{_proxy_variable(scheme)} {wrong}"
    if scheme == "https":
        yield from _wrong_bundle(session)


def _strange_region(session: Session, region: str) -> str:
    """A region that boto3 does not know, where no endpoint is named: EC2's host is made of its name."""
    if _endpoint(session, None)[1]:
        return ""
    partitions = session.get_available_partitions()
    if any(region in session.get_available_regions("ec2", partition) for partition in partitions):
        return ""
    return f"{_origin(session, 'region')}: boto3 does not know the region {region}"


def _wrong_proxy(proxy: str) -> str:
    """Why botocore cannot use it: it puts http:// before a proxy without a scheme."""
    try:
        scheme = urlsplit(proxy).scheme if "://" in proxy else "http"
        parse_url(proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}")
    except (LocationParseError, ValueError):
        return "is not the URL of a proxy"
    return "" if scheme in _HTTP else "is neither an http nor an https proxy: boto3 knows no others"


def _proxy_variable(scheme: str) -> str:
    """Which of the variables Python takes the proxy from: the lower-case ones win."""
    lower = f"{scheme}_proxy"
    return lower if os.environ.get(lower) else lower.upper()


def _wrong_bundle(session: Session) -> Iterator[str]:
    where, path = _origin(session, "ca_bundle"), session.get_config_variable("ca_bundle")
    if path is None:
        where, path = "REQUESTS_CA_BUNDLE", os.environ.get("REQUESTS_CA_BUNDLE")
    if not path or Path(path).is_dir():
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        yield f"{where}: {path} has no certificates in it"
    except (OSError, ValueError) as error:
        yield f"{where}: {path}: {getattr(error, 'strerror', None) or 'is not a path'}"


def _endpoint(session: Session, endpoint_url: str | None) -> tuple[str, str]:
    """Where the endpoint of EC2 comes from, and its URL; empty when nothing names one. botocore's order."""
    if endpoint_url:
        return "the endpoint", endpoint_url
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return "", ""
    for name in ("AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL"):
        if os.environ.get(name):
            return name, os.environ[name]
    scoped = _scoped(session)
    services = session.full_config.get("services", {}).get(scoped.get("services"), {}) if scoped else {}
    for section in (services.get("ec2", {}), scoped):
        if section.get("endpoint_url"):
            return f"endpoint_url in {_files(session)[0]}", section["endpoint_url"]
    return "", ""


def _is_endpoint(url: str) -> bool:
    try:
        return bool(is_valid_endpoint_url(url) or is_valid_ipv6_endpoint_url(url))
    except ValueError:
        return False


def _origin(session: Session, name: str) -> str:
    """The environment variable, or else the file, that a setting comes from."""
    in_file, in_environment, *_ = session.session_var_map[name]
    variables = [in_environment] if isinstance(in_environment, str) else list(in_environment or ())
    if name == "region":
        variables.insert(0, "AWS_REGION")
    for variable in variables:
        if os.environ.get(variable):
            return variable
    if in_file and _scoped(session).get(in_file):
        return f"{in_file} in {_files(session)[0]}"
    return name.replace("_", " ")


def _scoped(session: Session) -> dict[str, Any]:
    """The profile's part of the configuration file; empty when there is none to be had."""
    try:
        return dict(session.get_scoped_config())
    except BotoCoreError:
        return {}


def _files(session: Session) -> tuple[str, str]:
    """The configuration file and the credentials file."""
    names = ("config_file", "credentials_file")
    config, credentials = (str(Path(session.get_config_variable(name)).expanduser()) for name in names)
    return config, credentials


def _syntax_error(path: Path) -> str:
    """Where the file breaks off; never the line itself, which may hold a secret."""
    try:
        Parser().read_string(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return "is not UTF-8"
    except (DuplicateOptionError, DuplicateSectionError) as error:
        return f"line {error.lineno} repeats what is there already"
    except MissingSectionHeaderError as error:
        return f"line {error.lineno} is not in a [section]"
    except ParsingError as error:
        return f"line {error.errors[0][0]} is neither a [section] nor name = value"
    except OSError as error:
        return error.strerror or "cannot be read"
    return "cannot be read as a configuration of AWS: see the indented lines"
