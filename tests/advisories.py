"""Compares the locks with advisories.toml: `python -m tests.advisories`, a part of `make lint`.

Exit 1 when a locked version is affected by an advisory without a verdict. Needs no network and no service; an
old list is a loud warning and no failure, or each old checkout would fail by the clock.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
STALE_AFTER = dt.timedelta(days=90)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    """The versions in a lock, by canonical name."""
    return {canonicalize_name(name): version for name, version in _PIN.findall(text)}


def matches(known: Mapping[str, Any], locked: Mapping[str, str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each advisory that a locked version has, and that version; with a verdict or without."""
    for advisory in known["advisory"]:
        version = locked.get(canonicalize_name(advisory["package"]))
        if version is not None and SpecifierSet(advisory["affected"], prereleases=True).contains(version):
            yield advisory, version


def report(known: Mapping[str, Any], locks: Mapping[str, str], today: dt.date) -> tuple[list[str], bool]:
    """The lines to print, and whether a locked version has an advisory that nobody has judged."""
    age = today - known["looked_up_on"]
    lines = [f"advisories: looked up on {known['looked_up_on']}, {age.days} days ago"]
    if age > STALE_AFTER:
        lines.append(f"WARNING: advisories.toml is older than {STALE_AFTER.days} days: renew it")
    unjudged = False
    for name, text in locks.items():
        for advisory, version in matches(known, pins(text)):
            verdict = advisory.get("verdict", "")
            unjudged |= not verdict
            what = f"{name}: {advisory['package']} {version}: {advisory['id']}: {advisory['what']}"
            lines.append(f"{what} {f'Stays: {verdict}' if verdict else 'NO VERDICT'} ({advisory['source']})")
    missing = sorted(pins(locks[LOCKS[0]]).keys() - set(known["looked_up"]))
    if missing:
        lines.append(f"not looked up: {', '.join(missing)}")
    return lines, unjudged


def main() -> int:
    """Prints what there is to say; gives the exit status."""
    known = tomllib.loads((ROOT / "advisories.toml").read_text(encoding="utf-8"))
    locks = {name: (ROOT / name).read_text(encoding="utf-8") for name in LOCKS}
    lines, unjudged = report(known, locks, dt.datetime.now(dt.UTC).date())
    print("\n".join(lines))  # noqa: T201 - what make lint shows
    return 1 if unjudged else 0


if __name__ == "__main__":
    sys.exit(main())
