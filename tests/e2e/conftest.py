"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("e2e_harness", Path(__file__).with_name("harness.py"))
harness = sys.modules.setdefault("e2e_harness", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(harness)


@pytest.fixture
def pair(tmp_path):
    """Two members, one ENI on alpha, both daemons running and beta ready."""
    with harness.running_group(tmp_path) as group:
        yield group.start()


@pytest.fixture
def idle_pair(tmp_path):
    """The same, with no daemon started yet."""
    with harness.running_group(tmp_path) as group:
        yield group
