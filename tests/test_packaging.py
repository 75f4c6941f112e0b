"""The wheel, and how it is made: Makefile, CI, README, changelog."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from eni_failover import __version__

ROOT = Path(__file__).parent.parent
PREFIX = f"eni_failover-{__version__}"
TARGETS = {
    "help",
    "test-slow",
    "demo",
    "e2e",
    "hosts",
    "sim",
    "fleet",
    "explore",
    "image",
    "image-test",
    "kill",
    "mutants",
    "mutate",
    "test",
    "test-all",
    "again",
    "bench",
    "costs",
    "attacks",
    "false-alarms",
    "soak",
    "lint",
    "docs",
    "wheel",
    "lock",
    "clean",
}


def run(*command, cwd=ROOT, **environment):
    """The finished command, run without a terminal and with these variables."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(path, text):
    """An executable shell script at this path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    builder = WheelBuilder(str(ROOT))
    (path,) = builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return Path(path)


@pytest.fixture(scope="module")
def content(wheel):
    """What is in the wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_the_packages_version(wheel):
    """The wheel's version is the package's, and it fits every Python 3 on every machine."""
    assert wheel.name == f"{PREFIX}-py3-none-any.whl"


def test_the_wheel_carries_the_whole_of_deploy(content):
    """Every file below deploy/ is installed below share/eni-failover, unchanged."""
    share = f"{PREFIX}.data/data/share/eni-failover/"
    deployed = {
        str(path.relative_to(ROOT / "deploy")): path.read_bytes()
        for path in (ROOT / "deploy").rglob("*")
        if path.is_file()
    }
    installed = {name.removeprefix(share): data for name, data in content.items() if name.startswith(share)}

    assert "systemd/eni-failover.service" in deployed
    assert installed == deployed


def test_the_wheel_carries_the_manual_page_and_shell_completion(content):
    """What is below share/ is installed where man and the shells look below their prefix."""
    prefix = f"{PREFIX}.data/data/"
    shared = {str(path.relative_to(ROOT)) for path in (ROOT / "share").rglob("*") if path.is_file()}
    installed = {
        name.removeprefix(prefix)
        for name in content
        if name.startswith(f"{prefix}share/") and not name.startswith(f"{prefix}share/eni-failover/")
    }

    assert "share/man/man1/eni-failover.1" in shared
    assert installed == shared


def test_the_wheel_carries_the_whole_package_and_nothing_else(content):
    """Every module and py.typed are in the wheel; tests and tools are not."""
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "eni_failover").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    carried = {name for name in content if not name.startswith((f"{PREFIX}.data/", f"{PREFIX}.dist-info/"))}

    assert "eni_failover/py.typed" in package
    assert carried == package


def test_the_wheel_has_the_program_and_the_licence(content):
    """The wheel makes one program, and the licence's text travels with it."""
    entry_points = content[f"{PREFIX}.dist-info/entry_points.txt"].decode()

    assert entry_points == "[console_scripts]\neni-failover = eni_failover.__main__:main\n"
    assert content[f"{PREFIX}.dist-info/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
def test_the_installed_wheel_runs(wheel, tmp_path):
    """The program of an installed wheel starts, from that wheel and not from the checkout."""
    done = run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--target",
        tmp_path,
        wheel,
        cwd=tmp_path,
    )
    code = "import eni_failover; print(eni_failover.__file__)"
    origin = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    version = run(tmp_path / "bin" / "eni-failover", "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    assert done.returncode == 0
    assert origin.stdout == f"{tmp_path}/eni_failover/__init__.py\n"
    assert version.stdout == f"eni-failover {__version__}\n"


def test_make_help_lists_every_target():
    """`make`, without a target, names all targets."""
    done = run("make", "--no-print-directory")

    assert {line.split()[1] for line in done.stdout.splitlines()} == TARGETS


def test_a_second_make_installs_nothing(tmp_path):
    """With the stamp newer than pyproject.toml and the lock, make goes straight to the tests."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    fresh = run("make", "--no-print-directory", "--dry-run", "test", cwd=tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".stamp").touch()
    second = run("make", "--no-print-directory", "--dry-run", "test", cwd=tmp_path)

    assert "pip install" in fresh.stdout
    others = "(e2e or image or hosts)"
    assert second.stdout.startswith(f'.venv/bin/python -m pytest -m "not slow and not {others}" ')
    assert second.stdout.count("\n") == 1


def test_every_install_of_the_makefile_needs_hashes_or_no_download():
    """What make installs into .venv is in the lock with its hashes, or comes from the checkout."""
    installs = re.findall(r"^\t\$\(RUN\) pip install (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert len(installs) == 2
    assert "--require-hashes -r requirements-dev.lock" in installs[0]
    assert "--no-deps --no-build-isolation -e ." in installs[1]


FAKE_PYTHON = """case "$2" in
    *ensurepip*) exit {ensurepip} ;;
    *print*) echo {version}-venv ;;
esac"""


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({"python3.14": 0, "python3.11": 0}, "python3.14\n"),
        ({"python3.14": 1, "python3.11": 0}, "python3.11\n"),
        ({"python3.13": 1, "python3.12": 1}, "install the package python3.13-venv\n"),
        ({}, "install the package python3-venv (Debian, Ubuntu 24.04)"),
    ],
    ids=["the newest", "the newest with venv", "none with venv", "none"],
)
def test_the_newest_python_is_taken_or_the_missing_package_named(pythons, expected, tmp_path):
    """.venv is made by the newest Python that can; when none can, one line says what to install."""
    for name, ensurepip in pythons.items():
        script(tmp_path / name, FAKE_PYTHON.format(ensurepip=ensurepip, version=name))
    done = run("/bin/sh", ".ci/python", PATH=str(tmp_path))

    assert expected in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("\n") == 1
    assert done.returncode == (0 if 0 in pythons.values() else 1)


@pytest.mark.parametrize("user", [0, 1000])
@pytest.mark.parametrize("failing", ["none", "test", "test-slow", "lint"])
def test_ci_fails_when_any_part_fails(failing, user, tmp_path):
    """.ci/run runs all tests, as root also links, image and hosts, and the linters; one failure ends it."""
    script(tmp_path / "id", f"echo {user}")
    script(tmp_path / "apt-get", "exit 0")  # it must install nothing here
    script(tmp_path / "make", f'echo "said by make $1"; [ "$1" != {failing} ]')
    done = run(".ci/run", PATH=f"{tmp_path}:{os.environ['PATH']}")
    said = [line for line in done.stdout.splitlines() if line.startswith("said by make")]
    said[3:5] = sorted(said[3:5])  # image and hosts go side by side
    parts = ["test", "test-slow", *(["e2e", "hosts", "image-test"] if user == 0 else []), "lint"]
    ran = parts if failing == "none" else parts[: parts.index(failing) + 1]
    if failing == "hosts":
        ran = [*ran, "image-test"]

    assert said == [f"said by make {part}" for part in ran]
    assert done.returncode == (0 if failing == "none" else 1)
    assert ("ci: make test-slow: said by make test-slow" in done.stdout) == (failing == "none")
    assert ("NOT ROOT" in done.stdout) == (user == 1000 and failing in {"none", "lint"})


@pytest.mark.parametrize(("failed", "again", "status"), [(1, 0, 0), (3, 0, 0), (4, 0, 1), (1, 1, 1)], ids=str)
def test_ci_asks_a_few_failed_tests_once_more(failed, again, status, tmp_path):
    """Three at most, alone, and they are named; one that fails then as well fails it all."""
    script(tmp_path / "id", "echo 1000")
    lines = "".join(f"FAILED tests/test_{number}.py::test - assert 0\n" for number in range(failed))
    script(
        tmp_path / "make",
        f"case $1 in test) printf '{lines}'; exit 1;; again) echo again; exit {again};; esac",
    )
    done = run(".ci/run", PATH=f"{tmp_path}:{os.environ['PATH']}")
    unstable = done.stdout.partition("ci: UNSTABLE")[2]

    assert done.returncode == status
    assert ("again\n" in done.stdout) == (failed <= 3)
    assert unstable.count("FAILED tests/test_") == (failed if status == 0 else 0)


def test_what_ci_needs_is_named_by_its_package(tmp_path):
    """Whoever may not install is told what to install; what is there is not asked for."""
    script(tmp_path / "id", "echo 1000")
    done = run("/bin/sh", ".ci/need", "id:coreutils", "no-such-program:its-package", PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "missing: its-package (Debian's names)\n"


def test_the_readme_shows_the_two_commands():
    """A reader finds the demo and the tests, each as a command on a line of its own."""
    lines = (ROOT / "README.md").read_text().splitlines()

    assert {"make demo", "make test"} <= {line.partition("#")[0].strip() for line in lines}


def test_what_the_readme_runs_exists():
    """Each `make` target and each command of the program that the README's blocks run is there."""
    blocks = "\n".join(
        re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    )
    targets = set(re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE))
    commands = set(re.findall(r"^(?:\S*/)?eni-failover ([a-z]+)", blocks, re.MULTILINE))
    shown = run(sys.executable, "-m", "eni_failover", "--help").stdout.partition("Commands:")[2]

    assert targets <= TARGETS
    assert commands
    assert commands <= {line.split()[0] for line in shown.splitlines() if line.strip()}


def test_the_changelog_has_this_version():
    """The version has its section in the changelog."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert __version__ in headings


def test_pyproject_knows_the_licence_file():
    """The licence is Apache-2.0, in its own file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert "Apache License" in (ROOT / "LICENSE").read_text()
