"""The configuration: one TOML file, checked as a whole, handed on as frozen values.

`load` is the way in, `Config` what comes out. The file's own shape (`schema`) stays inside.
"""

from eni_failover.config.load import load, path_for
from eni_failover.config.settings import (
    AwsSettings,
    Config,
    DiscoverySettings,
    HookSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    NetworkMode,
    NetworkSettings,
)

__all__ = [
    "AwsSettings",
    "Config",
    "DiscoverySettings",
    "HookSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "NetworkMode",
    "NetworkSettings",
    "load",
    "path_for",
]
