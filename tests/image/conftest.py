"""Fixtures of the image's tests: one build for all of them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "https://builder:hunter2@127.0.0.1:9/simple"  # what a builder's own settings may hold
TOOLS = ("buildah", "crun", "getcap", "ip", "nft")
BUILT = pytest.StashKey[str]()


def _module(name, path):
    """A module under a name of its own: the tests import by path, not by package."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


_module("e2e_harness", ROOT / "tests" / "e2e" / "harness.py")
_module("e2e_net_harness", ROOT / "tests" / "e2e" / "net_harness.py")
container = _module("image_container", Path(__file__).with_name("image_container.py"))
_module("image_group", Path(__file__).with_name("image_group.py"))


def pytest_collection_modifyitems(items):
    """The first test builds the image, and pytest-timeout counts that as the test's own time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1000))


def pytest_terminal_summary(terminalreporter, config):
    """Which base, which sizes, how long: seen in every run, passed or not."""
    if BUILT in config.stash:
        terminalreporter.write_line(config.stash[BUILT])


@pytest.fixture(scope="session")
def image(request):
    """The image, built now from this checkout, and its files beside those of its base."""
    if os.geteuid() != 0 or not all(shutil.which(program) for program in TOOLS):
        pytest.skip("NEEDS ROOT AND buildah, crun, getcap: no image was built; run `make image-test` as root")
    done = subprocess.run(
        [str(ROOT / ".ci" / "image")],
        env={**os.environ, "PIP_EXTRA_INDEX_URL": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    request.config.stash[BUILT] = done.stdout.strip()
    assert done.returncode == 0, done.stdout + done.stderr
    inspected = json.loads(container.buildah("inspect", "--type", "image", "eni-failover"))
    names = [container.buildah("from", "--pull-never", name) for name in ("eni-failover", _base())]
    try:
        root, below = (Path(container.buildah("mount", name)) for name in names)
        yield container.Image(
            config=inspected["Docker"]["config"],
            document=json.dumps(inspected),
            root=root,
            base=below,
            secret=SECRET,
        )
    finally:
        container.buildah("rm", *names)


def _base():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (name,) = {line.split()[1] for line in lines if line.startswith("FROM ")}
    return f"docker.io/library/{name}"
