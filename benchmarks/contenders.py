"""Who competes: how each is started on a pair, when it is ready, and what detection its settings imply.

Each function starts one contender on a place whose services run already, and is back when the contender
watches the holder. It returns when, on the monotonic clock, the holder's death is due to be noticed: a
function of what was last seen of the holder, known from outside and the same for all who ask by tcp.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.daemons import start_pair
from benchmarks.places import GATEWAY, HOLDER, STANDBY, NetPlace, Place, read, wait
from eni_failover.lab.net.clients import SERVICE_PORT

ROOT: Final = Path(__file__).parents[1]
SCRIPTS: Final = Path(__file__).parent / "scripts"
AWS: Final = ROOT / "build" / "awscli" / "bin" / "aws"
INTERVAL = TIMEOUT = 1.0
FALL = 3
PRIORITIES = {HOLDER: 150, STANDBY: 100}
VRRP_PROTOCOL: Final = 112
WATCHES_WITHIN = 20.0

Due = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`obstacle` says why it cannot run on a place of this name; empty when it can."""

    name: str
    title: str
    start: Callable[[Place], Due]
    obstacle: Callable[[str], str] = lambda _: ""
    enis: int = 1


def _daemon(place: Place) -> Due:
    start_pair(place)
    return _third_miss(place)


def _boto3_loop(place: Place) -> Due:
    _configure_holder(place)
    command = [sys.executable, SCRIPTS / "boto3_loop.py", *_target(place), *_what(place), *_link(place)]
    _spawn(place, STANDBY, command, place.directory / "boto3.log")
    return _watched(place)


def _cli_loop(wait_by: str) -> Callable[[Place], Due]:
    def start(place: Place) -> Due:
        _configure_holder(place)
        move = [SCRIPTS / "cli_move.sh", wait_by, *_what(place), *_link(place)]
        _spawn(place, STANDBY, [SCRIPTS / "cli_loop.sh", *_target(place), *move], place.directory / "cli.log")
        return _watched(place)

    return start


def _keepalived(wait_by: str) -> Callable[[Place], Due]:
    def start(place: Place) -> Due:
        _configure_holder(place)
        adverts = _Adverts(place)
        directory = place.directory
        notify = directory / "notify_master"
        move = shlex.join(map(str, [SCRIPTS / "cli_move.sh", wait_by, *_what(place), *_link(place)]))
        notify.write_text(f"#!/bin/bash\nexport PATH={_path()}\nexec {move} >>{directory}/notify.log 2>&1\n")
        notify.chmod(0o755)
        for host in (HOLDER, STANDBY):
            config = directory / f"keepalived-{host}.conf"
            config.write_text(_keepalived_config(place, host, notify if host == STANDBY else None))
            pids = ["--pid", directory / f"{host}.pid", "--vrrp_pid", directory / f"{host}-vrrp.pid"]
            command = ["keepalived", "--dont-fork", "--vrrp", "--log-console", "--use-file", config, *pids]
            _spawn(place, host, command, directory / f"keepalived-{host}.log")
        wait(lambda: adverts.number >= FALL, "three adverts of alpha", WATCHES_WITHIN)
        skew = (256 - PRIORITIES[STANDBY]) / 256
        return lambda: adverts.last + FALL * INTERVAL + skew

    return start


def _keepalived_config(place: Place, host: str, notify: Path | None) -> str:
    other = next(address for name, address in place.addresses.items() if name != host)
    return f"""\
global_defs {{
    script_user root
}}
vrrp_instance orders {{
    state {"MASTER" if host == HOLDER else "BACKUP"}
    priority {PRIORITIES[host]}
    interface eth0
    virtual_router_id 51
    advert_int 1
    unicast_src_ip {place.addresses[host]}
    unicast_peer {{
        {other}
    }}
    {f'notify_master "{notify}"' if notify else ""}
}}
"""


class _Adverts:
    """When the standby's host heard a VRRP advert last. Reads until the place is gone."""

    def __init__(self, place: Place) -> None:
        if not isinstance(place, NetPlace):
            raise TypeError("VRRP needs hosts")
        self.number, self.last = 0, 0.0
        self._source = place.addresses[HOLDER]
        self._socket = place.net.run(
            STANDBY, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP_PROTOCOL)
        )
        self._socket.settimeout(WATCHES_WITHIN)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._socket:
            while True:
                try:
                    packet = self._socket.recv(256)
                except TimeoutError:
                    return
                now = time.monotonic()
                (source,) = struct.unpack_from("!4s", packet, 12)
                if socket.inet_ntoa(source) == self._source:
                    self.number, self.last = self.number + 1, now


def _configure_holder(place: Place) -> None:
    """Its link is as a boot finds it; nobody but a daemon would configure it."""
    if place.has_links:
        command = list(map(str, _link(place)))
        if place.spawn(HOLDER, command).wait(WATCHES_WITHIN) != 0:
            raise OSError("alpha's link could not be configured")


def _target(place: Place) -> list[str]:
    return [place.addresses[HOLDER], str(SERVICE_PORT)]


def _what(place: Place) -> list[str]:
    return [place.eni_ids()[0], place.instance(STANDBY)]


def _link(place: Place) -> list:
    """The command that configures the link of the first ENI; none where there are no links."""
    if not place.has_links:
        return []
    mac = place.world.eni("floating-1").mac
    return [SCRIPTS / "configure_link.sh", mac, f"{place.floating[0]}/24", GATEWAY]


def _path() -> str:
    return f"{AWS.parent}:{os.environ['PATH']}"


def _spawn(place: Place, host: str, command: list, log: Path) -> None:
    with log.open("ab") as output:
        place.spawn(
            host,
            list(map(str, command)),
            env={"PATH": _path()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def probed_at(place: Place) -> list[float]:
    """When alpha's service was asked at alpha's own address."""
    own = place.addresses[HOLDER]
    return [float(at) for at, asked in read(place.directory / "service-alpha") if asked.endswith(own)]


def _third_miss(place: Place) -> Due:
    """Of a silent host the third attempt ends with its timeout; one that refuses is known at once."""
    silent = TIMEOUT if place.has_links else 0.0
    return lambda: probed_at(place)[-1] + FALL * INTERVAL + silent


def _watched(place: Place) -> Due:
    wait(lambda: len(probed_at(place)) >= FALL, "three probes of alpha", WATCHES_WITHIN)
    return _third_miss(place)


def _without_aws(_: str) -> str:
    return "" if AWS.exists() else "the AWS CLI is not installed: `make bench` tries to, into build/awscli"


def _without_keepalived(place: str) -> str:
    if place != NetPlace.name:
        return "VRRP needs hosts of its own: run as root"
    return _without_aws(place) if shutil.which("keepalived") else "not installed: apt-get install keepalived"


CONTENDERS: Final = (
    Contender(name="eni-failover", title="eni-failover", start=_daemon),
    Contender(name="eni-failover-8", title="eni-failover, 8 ENIs", start=_daemon, enis=8),
    Contender(name="boto3", title="boto3 loop", start=_boto3_loop),
    Contender(name="cli", title="AWS CLI script", start=_cli_loop("poll"), obstacle=_without_aws),
    Contender(name="cli-waiter", title="AWS CLI, waiter", start=_cli_loop("waiter"), obstacle=_without_aws),
    Contender(
        name="keepalived", title="keepalived + CLI", start=_keepalived("poll"), obstacle=_without_keepalived
    ),
    Contender(
        name="keepalived-waiter",
        title="keepalived + waiter",
        start=_keepalived("waiter"),
        obstacle=_without_keepalived,
    ),
)
