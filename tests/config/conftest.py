from pathlib import Path

import pytest

from eni_failover.config import load

GROUP = 'group = "orders"\n[eni]\nids = ["eni-0ffffffffffffff01"]\n'
MEMBERS = """
[[member]]
name = "alpha"
instance_id = "i-0aaaaaaaaaaaaaaa1"
address = "10.0.1.11"
[[member]]
name = "beta"
instance_id = "i-0bbbbbbbbbbbbbbb2"
address = "10.0.1.12"
"""


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
