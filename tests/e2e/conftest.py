"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


def _module(name, file):
    """A module of this folder under a name of its own: the tests import by path, not by package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


harness = _module("e2e_harness", "harness.py")
_module("e2e_net_harness", "net_harness.py")


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
