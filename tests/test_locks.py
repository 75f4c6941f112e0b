"""The lock files: nothing but pins with hashes, in step with pyproject.toml, good for every Python."""

import re
import tomllib
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"]
LOCKS = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": [*RUNTIME, *PROJECT["project"]["optional-dependencies"]["dev"]],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PIN = re.compile(r"([a-z0-9.-]+)==([A-Za-z0-9.]+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def pins(name):
    """The locked versions, by canonical name."""
    return {found[1]: found[2] for found in PIN.finditer((ROOT / name).read_text())}


def closure(wanted, python):
    """The names of all that these requirements need on this Python, by the installed metadata."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    found = set()
    queue = [Requirement(one) for one in wanted]
    while queue:
        asked = queue.pop()
        key = (canonicalize_name(asked.name), frozenset(asked.extras))
        if key in found:
            continue
        found.add(key)
        for line in requires(asked.name) or []:
            needed = Requirement(line)
            extras = asked.extras or {""}
            if needed.marker is None or any(
                needed.marker.evaluate({**environment, "extra": e}) for e in extras
            ):
                queue.append(needed)
    return {name for name, _ in found}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_pins_with_hashes_and_nothing_else(name):
    """Every line of a lock is a pin, a hash or a comment, and no path or host is in it."""
    text = (ROOT / name).read_text()
    rest = PIN.sub("", text)

    assert pins(name)
    assert [line for line in rest.splitlines() if not line.lstrip().startswith("#")] == []
    assert "/" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_what_pyproject_asks_for(name):
    """Each requirement of pyproject.toml is pinned, at a version within its bounds."""
    pinned = pins(name)
    wanted = {canonicalize_name(one.name): one.specifier for one in map(Requirement, LOCKS[name])}

    assert set(wanted) <= set(pinned)
    assert {key: pinned[key] for key in wanted if not wanted[key].contains(pinned[key])} == {}


def test_the_locks_agree():
    """What runs in production is what was tested, and what builds the wheel is too."""
    development = pins("requirements-dev.lock")
    others = pins("requirements.lock") | pins("requirements-build.lock")

    assert {key: development.get(key) for key in others} == others


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_complete_for_every_python(name, python):
    """pip-compile reads the markers of one Python only: what another one needs is pinned too."""
    pinned = pins(name)
    installed = {canonicalize_name(one.name): one.version for one in distributions()}
    if not pinned.items() <= installed.items():
        pytest.skip(f"needs the versions of {name}: run it in the .venv of make")

    assert closure(LOCKS[name], python) <= set(pinned)


def test_every_requirement_has_a_lower_bound():
    """Each requirement names the oldest version that was seen to work, and no newest."""
    every = [*LOCKS["requirements-dev.lock"], *LOCKS["requirements-build.lock"]]

    assert [one for one in every if re.fullmatch(r"[a-z0-9,\[\]-]+>=[0-9.]+", one) is None] == []


def test_the_classifiers_name_the_pythons():
    """The Pythons that the locks are checked for are those that the package declares."""
    prefix = "Programming Language :: Python :: 3."
    declared = [one for one in PROJECT["project"]["classifiers"] if one.startswith(prefix)]

    assert declared == [f"{prefix.removesuffix('3.')}{python}" for python in PYTHONS]
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"
