"""A directory from which a person plays a group by hand: the members' files, and the commands to copy.

Owns what stands in the directory, and the ports in it, which a lab that is started again takes again: a
terminal that read a file before still finds the lab. Must not know: EC2's rules, the command line.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shlex
import socket
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eni_failover.errors import EniFailoverError
from eni_failover.lab.server import Lab
from eni_failover.lab.world import floating_eni_id, instance_id_of, member_name

MARKER = "lab.json"
GROUP = "orders"
# Members need addresses that differ; where 127.0.0.1 is the only one (macOS), one of them is its name.
_ONE_ADDRESS = ("127.0.0.1", "localhost")
# sockaddr_un has 104 bytes on macOS, 108 on Linux; the daemon needs some for a temporary name.
_LONGEST_SOCKET = 100
_TRIES = 100
# Below those that the kernel gives to clients: the lab of tomorrow shall find them free again.
_PORTS = range(20_000, 30_000)
_UNSET = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)


class DirectoryError(EniFailoverError):
    """The directory is not one in which the lab may write."""


class UnwritableError(EniFailoverError):
    """The files could not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of the group. `service_port` is the probed service's, `port` the status page's."""

    name: str
    instance_id: str
    address: str
    service_port: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabDirectory:
    """The directory, locked. `ec2_port` and `imds_ports` (by member) are where the lab has to listen."""

    path: Path
    members: tuple[Member, ...]
    enis: int
    ec2_port: int
    imds_ports: Mapping[str, int]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The members' private addresses."""
        return tuple(member.address for member in self.members)

    def write(self, lab: Lab) -> str:
        """Write the files for a lab that listens; the commands to copy. Raises UnwritableError."""
        try:
            self._write(MARKER, self._marker(lab))
            self._write("on", self._on())
            self._write("operator.env", _environment(lab.env(), {}))
            (self.path / "www").mkdir(exist_ok=True)
            self._write("www/healthz", "ok\n")
            for member in self.members:
                own = {
                    "ENI_FAILOVER_CONFIG": str(self.path / f"{member.name}.toml"),
                    "ENI_FAILOVER_MEMBER": member.name,
                }
                self._write(f"{member.name}.env", _environment(lab.env(member.name), own))
                self._write(f"{member.name}.service", self._service(member))
                self._write(f"{member.name}.toml", self._configuration(member, lab.ec2_url))
                if not _answers(member.address, member.service_port):
                    # The number may be another process's by now.
                    (self.path / f"{member.name}.pid").unlink(missing_ok=True)
        except OSError as error:
            raise UnwritableError(f"cannot write {error.filename}: {error.strerror or error}") from error
        return self._commands(lab)

    def _write(self, name: str, text: str) -> None:
        """Replace a file at once; one of the member's that somebody has changed is kept, as NAME~."""
        path = self.path / name
        if name.endswith(".toml") and path.exists() and path.read_text(encoding="utf-8") != text:
            path.replace(f"{path}~")
        fresh = Path(f"{path}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)

    def _quoted(self, name: str) -> str:
        return shlex.quote(str(self.path / name))

    def _marker(self, lab: Lab) -> str:
        ports = {
            member.name: {
                "imds": _port(lab.imds_url(member.name)),
                "service": member.service_port,
                "status": member.port,
            }
            for member in self.members
        }
        return json.dumps({"ec2": _port(lab.ec2_url), "members": ports}, indent=2) + "\n"

    def _on(self) -> str:
        return f"""\
#!/bin/sh
# Runs a command with the variables of a member, as ssh would run it on the member's host:
#   sh on MEMBER COMMAND...
member=$1
shift
. {shlex.quote(str(self.path))}/"$member.env"
exec "$@"
"""

    def _service(self, member: Member) -> str:
        return f"""\
#!/bin/sh
# The service of {member.name} that the probes ask: http://{member.address}:{member.service_port}/healthz
echo $$ >{self._quoted(f"{member.name}.pid")}
exec python3 -I -m http.server --bind {member.address} --directory {self._quoted("www")} \\
    {member.service_port} >{self._quoted(f"{member.name}.service.log")} 2>&1
"""

    def _configuration(self, own: Member, ec2_url: str) -> str:
        # With one address each member's service has a port of its own, and there are two members.
        other = next(member for member in self.members if member is not own)
        place = self.path / own.name
        listed = "".join(
            f"""
[[member]]
name = "{member.name}"
instance_id = "{member.instance_id}"
address = "{member.address}"
"""
            for member in self.members
        )
        return f"""\
# Written by `eni-failover lab --write`, anew at each start of the lab. A pair on two hosts has one file for
# all members; on one machine each needs a socket, a role file and a state directory of its own.
group = "{GROUP}"

[eni]
ids = [{", ".join(f'"{floating_eni_id(number)}"' for number in range(1, self.enis + 1))}]
{listed}
[[probe]]
name = "web"
type = "http"
url = "http://{{address}}:{other.service_port}/healthz"

[[probe]]
name = "web-here"
type = "http"
scope = "self"
url = "http://{{address}}:{own.service_port}/healthz"

[[probe]]
name = "neighbour"       # what is no member and always there: here the fake EC2 itself
type = "tcp"
scope = "witness"
host = "127.0.0.1"
port = {_port(ec2_url)}

[network]
mode = "off"             # a fake EC2 plugs in no link

[server]
listen = "{{address}}:{own.port}"

[control]
socket = {_toml(f"{place}.sock")}
role_file = {_toml(f"{place}.role")}

[state]
directory = {_toml(f"{place}.state")}
"""

    def _commands(self, lab: Lab) -> str:
        holder, standby = self.members[0].name, self.members[1].name
        on = f"sh {self._quoted('on')}"
        back = f"{on} {holder} eni-failover takeover --yes --reason drill"
        blocks = [
            f"# The fake EC2 answers at {lab.ec2_url} until Ctrl-C: this is terminal 1. The others, in order:"
        ]
        blocks += [
            f"""\
# --- terminal {number}: {member.name}
. {self._quoted(f"{member.name}.env")}
sh {self._quoted(f"{member.name}.service")} &
eni-failover run"""
            for number, member in enumerate(self.members, 2)
        ]
        services = " ".join(f'"$(cat {self._quoted(f"{member.name}.pid")})"' for member in self.members)
        blocks.append(f"""\
# --- terminal {len(self.members) + 2}: the operator. `on` stands for ssh
. {self._quoted("operator.env")}
# wait until {holder} is active, and {standby} standby and ready
{on} {holder} eni-failover status
{on} {standby} eni-failover status
# the service of {holder} dies; {standby} takes over: Ctrl-C when it is active
kill -9 "$(cat {self._quoted(f"{holder}.pid")})"
{on} {standby} eni-failover status --watch
{on} {standby} eni-failover history
# the service of {holder} runs again; wait until {holder} is ready, then the ENI goes back
sh {self._quoted(f"{holder}.service")} &
{on} {holder} eni-failover status
{on} {holder} eni-failover takeover --yes --reason 'home again'
# wait until {standby} is ready and sees {holder} active, then a drill, there and back
{on} {standby} eni-failover status
{on} {standby} eni-failover drill --yes --stay 3s --back-command {shlex.quote(back)}
# the end, after Ctrl-C in the other terminals
kill {services}""")
        pages = [f"#   {member.name}: http://{member.address}:{member.port}/" for member in self.members]
        blocks.append("\n".join(["# Status pages:", *pages]))
        return "\n\n".join(blocks)


@contextmanager
def opened(path: Path, *, members: int, enis: int) -> Iterator[LabDirectory]:
    """The directory for a lab of so many members, made with mode 0700, and locked while the block lasts.

    Raises DirectoryError when it is somebody else's, has files and is no lab's, is used by another lab, or
    has a name that a socket or a terminal cannot have; when no loopback port is free.
    """
    names = [member_name(number) for number in range(1, members + 1)]
    path = _made(path, names)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DirectoryError(f"{path} is used by a lab that runs") from error
        addresses = _addresses(members)
        ports = _ports(_saved(path), names, addresses)
        yield LabDirectory(
            path=path,
            members=tuple(
                Member(
                    name=name,
                    address=address,
                    instance_id=instance_id_of(number),
                    service_port=ports["members"][name]["service"],
                    port=ports["members"][name]["status"],
                )
                for number, (name, address) in enumerate(zip(names, addresses, strict=True), 1)
            ),
            enis=enis,
            ec2_port=ports["ec2"],
            imds_ports={name: ports["members"][name]["imds"] for name in names},
        )
    finally:
        os.close(descriptor)


def _made(path: Path, names: Sequence[str]) -> Path:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link to elsewhere
    if not str(path).isprintable():
        raise DirectoryError(f"{path}: a path of printable characters is needed")
    longest = max(len(os.fsencode(path / f"{name}.sock")) for name in names)
    if longest > _LONGEST_SOCKET:
        too_long = longest - _LONGEST_SOCKET
        raise DirectoryError(f"{path}: the path is {too_long} bytes too long for the sockets in it")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if path.lstat().st_uid != os.geteuid():
            raise DirectoryError(f"{path} belongs to another user, who could change what you source")
        if any(path.iterdir()) and not (path / MARKER).is_file():
            raise DirectoryError(f"{path} has files in it and is no directory of a lab")
        path.chmod(0o700)
    except FileExistsError as error:
        raise DirectoryError(f"{path} is not a directory") from error
    except OSError as error:
        raise DirectoryError(f"cannot use {path}: {error.strerror or error}") from error
    return path


def _saved(path: Path) -> dict[str, Any]:
    """What the last lab here wrote down, nothing for a new directory. Raises DirectoryError."""
    try:
        saved = json.loads((path / MARKER).read_text(encoding="utf-8"))
        ports = [saved["ec2"]]
        for member in saved["members"].values():
            ports += [member["imds"], member["service"], member["status"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DirectoryError(f"{path / MARKER} cannot be read: remove it, or the directory") from error
    if not all(isinstance(port, int) for port in ports):
        raise DirectoryError(f"{path / MARKER} cannot be read: remove it, or the directory")
    return dict(saved)


def _addresses(members: int) -> tuple[str, ...]:
    """Loopback addresses of this machine: different ones where it has them. Raises DirectoryError."""
    wanted = tuple(f"127.0.1.{10 + number}" for number in range(1, members + 1))
    if all(_is_here(address) for address in wanted):
        return wanted
    if members > len(_ONE_ADDRESS):
        raise DirectoryError("this machine has one loopback address: two members at most can be written")
    return _ONE_ADDRESS[:members]


def _is_here(address: str, port: int = 0) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _ports(known: Mapping[str, Any], names: Sequence[str], addresses: Sequence[str]) -> Mapping[str, Any]:
    """Those known, and free ones where none is; of one number for all members where addresses allow it."""
    members = known.get("members", {})
    if all(name in members for name in names):
        return known
    taken: set[int] = set()
    shared = addresses[: len(_ONE_ADDRESS)] != _ONE_ADDRESS
    service, status = (_free(addresses, taken) for _ in range(2))
    return {
        "ec2": known.get("ec2") or _free(("127.0.0.1",), taken),
        "members": {
            name: {
                "imds": _free(("127.0.0.1",), taken),
                "service": service if shared else _free((address,), taken),
                "status": status if shared else _free((address,), taken),
            }
            for name, address in zip(names, addresses, strict=True)
        },
    }


def _free(addresses: Sequence[str], taken: set[int]) -> int:
    """A port that is free at all of these now, and not one of `taken`, to which it is added."""
    for _ in range(_TRIES):
        port = random.choice(_PORTS)  # noqa: S311 - no secret
        if port not in taken and all(_is_here(address, port) for address in addresses):
            taken.add(port)
            return port
    raise DirectoryError(f"no port is free at all of {', '.join(addresses)}")


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((address, port)) == 0


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def _environment(variables: Mapping[str, str], own: Mapping[str, str]) -> str:
    """A file to source in sh, bash or zsh."""
    lines = [f"unset {' '.join(_UNSET)}"]
    scripts = sysconfig.get_path("scripts")
    if (Path(scripts) / "eni-failover").exists():
        lines.append(f'export PATH={shlex.quote(scripts)}:"$PATH"')
    lines += [f"export {name}={shlex.quote(value)}" for name, value in {**variables, **own}.items()]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A basic string: for printable characters JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
