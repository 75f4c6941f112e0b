from pathlib import Path

import pytest

from eni_failover.config import load
from tests.pair_file import GROUP, MEMBERS


@pytest.fixture
def file(tmp_path):
    """Where a test's own configuration file goes."""
    return tmp_path / "orders.toml"


@pytest.fixture
def config_of(file):
    """The configuration of a good group of two members with this text after it."""

    def write_and_load(text="", *, members=MEMBERS, env=None):
        file.write_text(GROUP + members + text)
        return load(file, env or {})

    return write_and_load


@pytest.fixture
def configs():
    """The folder of the fixtures."""
    return Path(__file__).parent.parent / "configs"
