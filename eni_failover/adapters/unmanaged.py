"""Whether a network manager is told to leave the links of the ENIs alone, and what tells it.

What a link that is not here yet will match is judged by what the links that EC2 plugs in have in common; a
condition that cannot be judged here is taken to hold. Drop-ins of .network files are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

NETWORKD_FILE: Final = "/etc/systemd/network/00-eni-failover.network"
NETWORK_MANAGER_FILE: Final = "/etc/NetworkManager/conf.d/eni-failover.conf"

# What a second ENI's link is called by the distributions, its drivers, its type.
_NAMES: Final = ("eth1", "ens6", "enp0s6", "enX1")
_DRIVERS: Final = ("ena", "vif", "ixgbevf")
_ETHERNET: Final = ("ether",)

_NETWORKD_FILES: Final = tuple(
    f"{directory}/systemd/network" for directory in ("etc", "run", "usr/local/lib", "usr/lib", "lib")
)
_YES: Final = frozenset({"yes", "y", "true", "t", "on", "1"})
_MACS: Final = frozenset({"MACAddress", "PermanentMACAddress"})
_WIRELESS: Final = frozenset({"SSID", "BSSID", "WLANInterfaceType"})
_GLOBS: Final = {"Name": _NAMES, "OriginalName": _NAMES, "Driver": _DRIVERS, "Type": _ETHERNET, "Kind": ()}
_ELSEWHERE: Final = frozenset({"container", "no", "false", "!vm", "!yes"})


def networkd_remedy(macs: Iterable[str]) -> str:
    """The command that tells systemd-networkd."""
    return (
        rf"printf '[Match]\nMACAddress={' '.join(macs)}\n[Link]\nUnmanaged=yes\n' > {NETWORKD_FILE}"
        " && networkctl reload"
    )


def network_manager_remedy(macs: Iterable[str]) -> str:
    """The command that tells NetworkManager."""
    devices = ";".join(f"mac:{mac}" for mac in macs)
    return (
        rf"printf '[keyfile]\nunmanaged-devices+={devices}\n' > {NETWORK_MANAGER_FILE}"
        " && systemctl reload NetworkManager"
    )


def networkd_file(mac: str, root: Path = Path("/")) -> Path | None:
    """The file by which systemd-networkd would configure the ENI with this MAC; None: it lets it be.

    systemd.network(5): of all files in the order of their names the first that matches a link counts; of
    equal names the one in the directory found first. Raises OSError.
    """
    for path in _networkd_files(root):
        sections = _sections(path)
        match = sections.get("Match", {})
        if match and all(_holds(key, " ".join(values), mac) for key, values in match.items()):
            is_unmanaged = sections.get("Link", {}).get("Unmanaged", ["no"])[-1].lower() in _YES
            return None if is_unmanaged else path
    return None


def network_manager_leaves(mac: str, root: Path = Path("/")) -> bool:
    """Whether NetworkManager is told to leave the ENI with this MAC alone.

    NetworkManager.conf(5): `unmanaged-devices`, which a later file replaces unless it says `+=`, and
    sections [device...] with `managed=0`. Raises OSError.
    """
    unmanaged: list[str] = []
    for path in _network_manager_files(root):
        for name, section in _sections(path).items():
            if name == "keyfile":
                unmanaged = section.get("unmanaged-devices", unmanaged) + section.get(
                    "unmanaged-devices+", []
                )
            elif name.startswith("device") and section.get("managed", ["1"])[-1] in {"0", "false", "no"}:
                unmanaged = unmanaged + section.get("match-device", [])
    words = [word for line in unmanaged for word in re.split(r"[;,\s]+", line) if word]
    return _is_among(words, mac) and not _is_among(
        [word.removeprefix("except:") for word in words if word.startswith("except:")], mac
    )


def _networkd_files(root: Path) -> Iterator[Path]:
    return _by_name(root / directory for directory in _NETWORKD_FILES)


def _network_manager_files(root: Path) -> Iterator[Path]:
    """In the order in which they are read; a file of the administrator hides one of the same name."""
    own = root / "etc/NetworkManager"
    hidden = {path.name for path in (own / "conf.d").glob("*.conf")}
    for directory in ("usr/lib/NetworkManager/conf.d", "run/NetworkManager/conf.d"):
        yield from (path for path in _by_name([root / directory], suffix=".conf") if path.name not in hidden)
    if (own / "NetworkManager.conf").is_file():
        yield own / "NetworkManager.conf"
    yield from _by_name([own / "conf.d"], suffix=".conf")


def _by_name(directories: Iterable[Path], suffix: str = ".network") -> Iterator[Path]:
    found: dict[str, Path] = {}
    for directory in directories:
        for path in directory.glob(f"*{suffix}"):
            found.setdefault(path.name, path)
    for _, path in sorted(found.items()):
        if path.is_file():  # a link to /dev/null masks the file of that name
            yield path


def _holds(key: str, value: str, mac: str) -> bool:
    """Whether a condition of [Match] holds for the link of the ENI with this MAC."""
    if key in _MACS:
        return mac.lower() in {word.lower().replace("-", ":") for word in value.replace(",", " ").split()}
    if key in _WIRELESS:
        return False
    if key == "Virtualization":
        return value not in _ELSEWHERE
    if key not in _GLOBS:
        return True
    patterns = value.removeprefix("!").split()
    is_matched = any(fnmatchcase(name, pattern) for name in _GLOBS[key] for pattern in patterns)
    return is_matched != value.startswith("!")


def _is_among(words: Iterable[str], mac: str) -> bool:
    """Whether a list of devices of NetworkManager names the link of the ENI with this MAC."""
    for word in words:
        key, _, value = word.partition(":")
        if (
            word in {"*", "type:ethernet"}
            or (key == "mac" and value.lower().replace("-", ":") == mac.lower())
            or (key == "interface-name" and any(fnmatchcase(name, value.lstrip("=~")) for name in _NAMES))
            or (key == "driver" and any(fnmatchcase(driver, value) for driver in _DRIVERS))
        ):
            return True
    return False


def _sections(path: Path) -> Mapping[str, Mapping[str, list[str]]]:
    """The sections of such a file, each with all values of its keys."""
    sections: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in map(str.strip, path.read_text(encoding="utf-8", errors="replace").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = (part.strip() for part in line.partition("="))
            sections.setdefault(section, {}).setdefault(key, []).append(value)
    return sections
