"""Containers of the built image, by crun with a configuration as Docker would write it.

Docker's is: for a user that is not root a bounding set and nothing else, /proc/sys read only. The root file
system is read only here, so that one mounted image serves all containers.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "image"
UID = 10177
NET_ADMIN = ("CAP_NET_ADMIN",)
PLAIN, CAPABLE = "/opt/eni-failover/bin/python3", "/opt/eni-failover/net-admin/python3"

# crun makes no cgroup here, but starts only where it finds the unified hierarchy: it sees one of its own.
_UNIFIED = [
    *("unshare", "--mount", "--", "sh", "-c"),
    *('mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh"),
]
_numbers = itertools.count(1)


def buildah(*arguments):
    """What this command of buildah says about the store of `.ci/image`."""
    done = subprocess.run(
        ["buildah", *arguments],
        env={**os.environ, "CONTAINERS_STORAGE_CONF": str(STORE / "storage.conf")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Image:
    """The built image: its configuration as Docker reads it, the whole document with its history, its files
    and its base's, and what the builder's environment held."""

    config: dict
    document: str
    root: Path
    base: Path
    secret: str

    def environment(self):
        return dict(line.split("=", 1) for line in self.config["Env"])


class Container:
    """One container: `run` waits for it, `command` is for a caller that starts it where it likes.

    `capabilities` is the bounding set. `mounts` are pairs of a path outside and one inside. `network` is
    a namespace; without one it is the starter's, as with `--network host`.
    """

    def __init__(
        self,
        image,
        directory,
        *words,
        capabilities=(),
        no_new_privileges=False,
        user=UID,
        mounts=(),
        env=None,
        network=None,
    ):
        self.name = f"enif-image-{os.getpid()}-{next(_numbers)}"
        self._bundle = directory / self.name
        self._bundle.mkdir()
        self._crun = [*_UNIFIED, "crun", "--root", str(self._bundle / "state"), "--cgroup-manager=disabled"]
        namespaces = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]
        if network is not None:
            namespaces.append({"type": "network", "path": str(network)})
        self._process = {
            "args": list(words),
            "cwd": "/",
            "env": [f"{name}={value}" for name, value in {**image.environment(), **(env or {})}.items()],
            "user": {"uid": user, "gid": user},
            "capabilities": {"bounding": list(capabilities)},
            "noNewPrivileges": no_new_privileges,
        }
        spec = {
            "ociVersion": "1.0.2",
            "process": self._process,
            "root": {"path": str(image.root), "readonly": True},
            "mounts": [*_SYSTEM, *(_bind(outside, inside) for outside, inside in mounts)],
            "linux": {"namespaces": namespaces, "readonlyPaths": ["/proc/sys"]},
        }
        (self._bundle / "config.json").write_text(json.dumps(spec))

    @property
    def command(self):
        return [*self._crun, "run", "--bundle", str(self._bundle), self.name]

    def run(self):
        """The finished container."""
        return _finished(self.command)

    def execute(self, *words, within=30.0):
        """The finished program, run in the running container as by `docker exec`, within so many seconds."""
        process = self._bundle / "process.json"
        process.write_text(json.dumps({**self._process, "args": words}))
        return _finished([*self._crun, "exec", "--process", str(process), self.name], within)

    def signal(self, name):
        done = _finished([*self._crun, "kill", self.name, name])
        assert done.returncode == 0, done.stderr


def _finished(command, within=30.0):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within, check=False
    )


def _bind(outside, inside):
    return {"type": "bind", "source": str(outside), "destination": inside, "options": ["bind", "rw"]}


_SYSTEM = [
    {"type": "proc", "source": "proc", "destination": "/proc"},
    {"type": "tmpfs", "source": "tmpfs", "destination": "/dev", "options": ["nosuid", "mode=755"]},
    {"type": "tmpfs", "source": "tmpfs", "destination": "/tmp", "options": ["mode=1777"]},  # noqa: S108
]
