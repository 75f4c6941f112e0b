"""A Debian host with systemd as its PID 1: systemd-nspawn on layers of files, in a network namespace.

Owns: unpacking, booting, commands inside, the journal, the end. Must not know: the project. A host's files
are an overlay that only its own mount namespace has, so nothing stays mounted, however the tests end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

BOOTS_WITHIN = 30.0
ENDS_WITHIN = 15.0
PREFIX = "enif-hosts-"
"""Of all that is named after the process that made it."""
REBOOT = 133
"""systemd-nspawn's exit status when its guest wants to be started again, with --keep-unit."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CAPABILITIES = "--capability=CAP_NET_ADMIN,CAP_NET_RAW"
# In a cgroup of its own, for a guest takes the cgroup that it is started in for the root of all.
_BOOT = """\
echo $$ > "$1/cgroup.procs"
shift
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
shift 2
exec "$@"
"""


def wait(fact, what, within=20.0):
    """The first true value of fact(); fails when there is none in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if value := fact():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not seen within {within:g} s: {what}")


class Machine:
    """One host. `layers`: directories, the lowest last; what it writes goes into `directory`."""

    def __init__(self, name, directory, layers, namespace, *, binds=None, environment=None):
        self.name, self.directory, self.namespace = name, directory, namespace
        self.layers, self.binds = layers, binds or {}
        self.environment = environment or {}
        self.log = directory / "console"
        self.cgroup = _cgroups() / f"{PREFIX}{os.getpid()}-{directory.parent.name}-{name}"
        self._nspawn = None
        for part in ("upper", "work", "root"):
            (directory / part).mkdir(parents=True)
        self.put("/etc/hostname", f"{self.name}\n")
        self.put("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        self.put("/etc/resolv.conf", "")

    @property
    def upper(self):
        """What this host has written, as a layer for others; only while it is off."""
        return self.directory / "upper"

    @property
    def root(self):
        """Its files, while it runs."""
        return Path("/proc", str(self.leader), "root")

    @property
    def leader(self):
        """The process that is PID 1 inside; None while there is none."""
        if self._nspawn is None:
            return None
        for child in _children(self._nspawn.pid):
            if Path("/proc", str(child), "comm").read_text().strip() == "systemd":
                return child
        return None

    def put(self, path, text, mode=0o644):
        """Writes a file; also while the host is off."""
        target = (self.upper if self._nspawn is None else self.root) / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def boot(self):
        """Starts it; back when systemd says that all of it has started."""
        self.start()
        return self.booted()

    def booted(self):
        """Waits until systemd says that all of it has started."""
        wait(lambda: self.leader, f"{self.name}: PID 1", BOOTS_WITHIN)
        state = ""

        def is_settled():
            nonlocal state
            state = self.run("systemctl is-system-running --wait", check=False).stdout.strip()
            return state in {"running", "degraded"}

        wait(is_settled, f"{self.name} has booted: {self.log.read_text()}", BOOTS_WITHIN)
        if state == "degraded":
            failed = self.run("systemctl --failed --no-pager; journalctl --boot --no-pager", check=False)
            raise AssertionError(f"{self.name}: {failed.stdout}")
        return self

    def start(self):
        """Starts it and does not wait. It ends with the thread that calls this."""
        layers = ":".join(str(layer) for layer in self.layers)
        nspawn = [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            f"--directory={self.directory}/root",
            f"--network-namespace-path={self.namespace}",
            f"--machine={self.name}",
            "--console=pipe",
            "--resolv-conf=off",
            _CAPABILITIES,
            *(f"--bind-ro={outside}:{inside}" for inside, outside in self.binds.items()),
            "--boot",
        ]
        command = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "sh", "-euc", _BOOT, "boot"]
        self.cgroup.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                [*command, str(self.cgroup), layers, str(self.directory), *nspawn],
                # As on a host of today, whatever this machine has.
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, command, *, user=None, check=True, timeout=60.0):
        """A shell command as root, or as this user with its groups; the finished process."""
        done = subprocess.run(
            self._inside(command, user),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{self.name}: {command}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def begin(self, command, log):
        """The same, not waited for, with its output in a file; the process."""
        with log.open("wb") as file:
            return subprocess.Popen(
                self._inside(command), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def _inside(self, command, user=None):
        """The command that runs a shell command within the host, with a login's environment."""
        assert self.leader, f"{self.name} does not run: {self.log.read_text()}"
        variables = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", **self.environment}
        argv = ["nsenter", f"--target={self.leader}", "--all", "--wdns=/root", "env", "--ignore-environment"]
        argv += [f"{name}={value}" for name, value in variables.items()]
        if user is not None:
            argv += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all"]
        return [*argv, "sh", "-c", command]

    def show(self, unit, *properties):
        """These properties of a unit, by name."""
        names = ",".join(properties)
        lines = self.run(f"systemctl show --property={names} {unit}").stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if line)

    def journal(self, unit, *options):
        """The journal's entries of a unit, of this boot, oldest first."""
        text = self.run(f"journalctl --boot --output=json --unit={unit} {' '.join(options)}").stdout
        return [json.loads(line) for line in text.splitlines()]

    def reboot(self):
        """As `systemctl reboot` does it; back when it is up again."""
        self.run("systemctl --no-block reboot", check=False)
        assert self._nspawn.wait(ENDS_WITHIN) == REBOOT
        return self.boot()

    def halt(self):
        """Shuts it down, as a power button does; without power after a while."""
        if leader := self.leader:
            os.kill(leader, signal.SIGRTMIN + 4)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._nspawn.wait(ENDS_WITHIN)
        self.kill()

    def kill(self):
        """The power is gone."""
        if self._nspawn is not None:
            self._nspawn.kill()  # what is inside ends with it
            self._nspawn.wait(ENDS_WITHIN)
            self._nspawn = None
            remove_cgroup(self.cgroup)


def sweep():
    """Removes what test runs that were killed have left of their hosts."""
    for cgroup in _cgroups().glob(f"{PREFIX}*"):
        if is_orphan(cgroup):
            remove_cgroup(cgroup)


def is_orphan(path):
    """Whether the process that this is named after has ended."""
    return not Path("/proc", path.name.removeprefix(PREFIX).partition("-")[0]).exists()


def remove_cgroup(cgroup):
    """Removes a cgroup and those in it, once their last process has ended."""
    for path in sorted(cgroup.glob("**/"), reverse=True):
        wait(lambda path=path: "populated 0" in (path / "cgroup.events").read_text(), f"{path} is empty")
        path.rmdir()


def _cgroups():
    """Where this machine has its cgroups of version 2."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return Path(next(fields[1] for fields in mounts if fields[2] == "cgroup2"))


def _children(pid):
    """The children of all threads of a process."""
    found = []
    for task in Path("/proc", str(pid), "task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except FileNotFoundError:
            continue
    return found
