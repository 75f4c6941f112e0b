"""The configuration that a command's `--config` and `--group` name."""

from __future__ import annotations

import os
from pathlib import Path

from eni_failover.client import Client
from eni_failover.config import Config, load, path_for


def config_of(config: Path | None, group: str | None) -> Config:
    """The checked file. Raises ConfigError with every problem in it."""
    return load(path_for(config, group, os.environ), os.environ)


def client_of(config: Path | None, group: str | None) -> Client:
    """A client of the daemon that serves this file on this host. Raises ConfigError."""
    return Client(config_of(config, group).socket)
