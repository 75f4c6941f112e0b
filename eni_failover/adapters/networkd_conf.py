"""How systemd-networkd is told to treat routes and rules that others have made.

Owns the reading of its configuration: which files count, and which of them wins. Must not know what the
settings are good for. Does not guarantee that a running networkd has read the files since their last
change.

networkd.conf(5): the first main file found is read, then drop-ins in the order of their names, of equal
names the one in the directory found first; what is read later wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DIRECTORIES = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd")
_MAIN = "networkd.conf"
_SECTION = "Network"
_RULES = "ManageForeignRoutingPolicyRules"
_ROUTES = "ManageForeignRoutes"
_NO = frozenset({"no", "n", "false", "f", "off", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkdSettings:
    """Whether networkd removes rules and routes that are not its own; by default it does both."""

    removes_rules: bool = True
    removes_routes: bool = True


def read_settings(root: Path = Path("/")) -> NetworkdSettings:
    """What is written below `root`. Raises OSError for a file that cannot be read."""
    written: dict[str, str] = {}
    for path in _files(root):
        written |= _parse(path.read_text(encoding="utf-8", errors="replace"))
    return NetworkdSettings(
        removes_rules=written.get(_RULES, "yes").lower() not in _NO,
        removes_routes=written.get(_ROUTES, "yes").lower() not in _NO,
    )


def _files(root: Path) -> Iterator[Path]:
    mains = (root / directory / _MAIN for directory in _DIRECTORIES)
    main = next((path for path in mains if path.is_file()), None)
    if main is not None:
        yield main
    drop_ins: dict[str, Path] = {}
    for directory in _DIRECTORIES:
        for path in (root / directory / f"{_MAIN}.d").glob("*.conf"):
            drop_ins.setdefault(path.name, path)
    for _, path in sorted(drop_ins.items()):
        if path.is_file():  # a link to /dev/null masks the drop-ins of that name
            yield path


def _parse(text: str) -> dict[str, str]:
    found, section = {}, ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == _SECTION and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()
    return found
