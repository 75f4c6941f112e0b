"""What the tests of deploy/prometheus and deploy/grafana stand on: see monitor.py, and the pair of e2e."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent


def _module(name, path):
    """A module under a name of its own: the tests import by path, not by package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


_module("e2e_harness", HERE.parent / "e2e" / "harness.py")
_module("prometheus_monitor", HERE / "monitor.py")
