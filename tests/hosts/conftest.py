"""Fixtures of the tests on hosts: the tree, the installed tree, a pair."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest


def _module(name, file):
    """A module of this folder under a name of its own: the tests import by path, not by package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


machine = _module("hosts_machine", "machine.py")
tree = _module("hosts_tree", "tree.py")
stage = _module("hosts_stage", "stage.py")

MISSING = [name for name in ("systemd-nspawn", "debootstrap", "nft", "ip") if shutil.which(name) is None]


def pytest_collection_modifyitems(items):
    """All tests of this folder need hosts, and time to make them."""
    why = "NEEDS ROOT, systemd-nspawn, debootstrap AND nft: no unit was tried under systemd; see `make hosts`"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hosts)
            item.add_marker(pytest.mark.timeout(300))
            if os.geteuid() != 0 or MISSING:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def place():
    """A folder for everything."""
    with stage.directory() as path:
        yield path


@pytest.fixture(scope="session")
def debian(place):
    """Debian's files, and the wheel of this checkout."""
    return tree.debian(place), tree.wheel(place)


@pytest.fixture(scope="session")
def installed(place, debian):
    """Layers of a host on which the README's first steps were done."""
    layer, wheel = debian
    with stage.two_hosts(place / "install", [layer], furnish=tree.furnisher(wheel)) as pair:
        tree.install(pair.alpha)
        upper = pair.alpha.upper
    shutil.rmtree(upper / "var" / "log" / "journal", ignore_errors=True)
    return [upper, layer]


@pytest.fixture(scope="session")
def running_pair(place, installed):
    """The pair that the tests share."""
    with stage.two_hosts(place / "pair", installed, enis=2) as pair:
        pair.set_the_second_eni_apart()
        pair.configure()
        pair.start()
        yield pair


@pytest.fixture
def pair(running_pair):
    """The shared pair at rest, with alpha active; put right afterwards."""
    yield running_pair
    running_pair.restore()
