"""Run a piece of code in a network namespace of its own, where a test may break the network.

The namespace belongs to a subprocess and dies with it. Needs root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT ROOT: what a broken local network does to the probes is not tested"
)

_PRELUDE = """
import asyncio, ctypes, encodings.idna, json, os, socket
from pathlib import Path
from pyroute2 import IPRoute

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWNET):
    raise OSError(ctypes.get_errno(), "unshare")

def sysctl(name, value):
    Path("/proc/sys", name).write_text(str(value))

def tell(result):
    return [str(result.answer), result.answered, result.detail]
"""


def run_in_namespace(code: str) -> Any:
    """What `code` prints as JSON, run after the prelude above with `PYTHONWARNINGS=error`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PRELUDE + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    if done.returncode:
        pytest.fail(f"exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)
