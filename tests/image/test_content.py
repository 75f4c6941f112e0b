"""What is in the image, and what is not."""

from __future__ import annotations

import os
import re
import stat
import subprocess

import pytest
from image_container import CAPABLE, UID

# Of the program's environment, and of Python's own library but what is installed beside it.
MODULE = r"/opt/eni-failover/lib/.*\.py$|/usr/(?:local/)?lib/python3\.\d+/(?!site-packages/).*\.py$"

pytestmark = [pytest.mark.root, pytest.mark.image]


def entries(root):
    """Every file, link and folder below, by its path inside."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118 - twenty thousand of them
            found[path.removeprefix(str(root))] = os.lstat(path)
    return found


@pytest.fixture(scope="module")
def both(image):
    """All entries of the image and of its base."""
    return entries(image.root), entries(image.base)


def test_the_image_says_how_it_is_run(image):
    """A numbered user who is not root, the daemon as the program, a volume, a signal, a health check."""
    config = image.config

    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] + config["Cmd"] == ["eni-failover", "run"]
    assert config["Volumes"] == {"/var/lib/eni-failover": {}}
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"


def test_the_image_adds_the_program_and_its_user_only(both):
    """Nothing but /opt/eni-failover, the daemon's three folders, and bytecode: no tool, no pip's settings."""
    image, base = both
    added = {
        path
        for path in image.keys() - base.keys()
        if not path.startswith("/opt/eni-failover/") and "/__pycache__" not in path
    }

    # The user database keeps its previous state beside itself; the builder mounts a file on /etc/hosts.
    databases = {f"/etc/{name}-" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")}
    ours = {"/opt/eni-failover", "/etc/eni-failover", "/run/eni-failover", "/var/lib/eni-failover"}
    assert added - databases - {"/etc/hosts"} == ours
    assert base.keys() <= image.keys()


def test_the_program_carries_no_installer_and_no_tool(both):
    """No pip, no setuptools, no builder in the environment, and no program but its own."""
    ours = {path for path in both[0] if path.startswith("/opt/eni-failover/")}
    packages = {path.split("/site-packages/")[1].split("/")[0] for path in ours if "/site-packages/" in path}
    tools = ("pip", "setuptools", "wheel", "hatchling")

    assert "eni_failover" in packages
    assert not [name for name in packages if name.split("-")[0] in tools]
    assert not [path for path in ours if path.startswith("/opt/eni-failover/bin/pip")]


def test_nothing_gains_root(both):
    """The image has no set-user-id or set-group-id file that its base has not."""

    def gains(files):
        return {path for path, one in files.items() if stat.S_ISREG(one.st_mode) and one.st_mode & 0o6000}

    assert gains(both[0]) == gains(both[1])


def test_one_interpreter_has_the_one_capability(image, both):
    """CAP_NET_ADMIN, for root and the daemon's group; the interpreter of the health check has none."""
    done = subprocess.run(
        ["getcap", "-r", str(image.root)], capture_output=True, text=True, timeout=60, check=True
    )
    one = both[0][CAPABLE]

    assert done.stdout.split() == [f"{image.root}{CAPABLE}", "cap_net_admin=ep"]
    assert (one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) == (0, UID, 0o750)


def test_the_daemons_user_can_write_its_two_folders_only(both):
    """What runs as this user cannot change the program."""
    own = {path for path, one in both[0].items() if UID in (one.st_uid, one.st_gid) and path != CAPABLE}
    open_to_all = {
        path
        for path, one in both[0].items()
        if not stat.S_ISLNK(one.st_mode) and one.st_mode & stat.S_IWOTH and not one.st_mode & stat.S_ISVTX
    }

    assert own == {"/run/eni-failover", "/var/lib/eni-failover"}
    assert not [path for path in open_to_all if not path.startswith(("/dev/", "/proc/", "/sys/"))]


def test_the_bytecode_is_there(both):
    """Each module of ours and of Python's own library has its bytecode: each start would compile it."""
    modules = {path for path in both[0] if re.match(MODULE, path)}
    compiled = {
        f"{folder}/{name.split('.')[0]}.py"
        for folder, _, name in (path.partition("/__pycache__/") for path in both[0])
        if name.endswith(".pyc")
    }

    assert {path.split("/")[1] for path in modules} == {"opt", "usr"}
    assert len(modules) > 2000
    assert modules - compiled == set()


def test_nothing_of_the_builder_is_in_it(image, both):
    """Neither the document and its history nor a file that was added has anything of pip's settings there."""
    added = both[0].keys() - both[1].keys()
    files = [image.root / path[1:] for path in added if stat.S_ISREG(both[0][path].st_mode)]
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    words = [*settings, *(value for value in settings.values() if "/" in value), image.secret]

    assert [word for word in words if word in image.document] == []
    assert len(files) > 1000
    assert [str(path) for path in files if image.secret.encode() in path.read_bytes()] == []
    assert set(image.environment()) - {"PATH"} <= {"LANG", "GPG_KEY", "PYTHON_VERSION", "PYTHON_SHA256"}
