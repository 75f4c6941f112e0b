"""Plants each mistake of the catalogue and asks which checks notice.

    python -m tests.mutants.run [NAME ...] [--check CHECK ...]

Prints a table: for each mutant and each check, the first test that fails, or "-". Exit 1 when a mutant is
noticed by none. The program is changed in a copy; the checkout stays as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
WITHIN = 300
CHECKS = {
    "exploration": ["tests/sim/test_explore.py"],
    "simulation": ["tests/sim/test_simulation.py"],
    "scenarios": ["tests/sim/test_scenarios.py"],
    "core tests": ["tests/core"],
    "loop tests": ["tests/test_reconciler.py"],
}


def plant(mutant: Mutant, into: Path) -> None:
    """A copy of program and tests with this mistake. Raises ValueError when it does not fit."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("eni_failover", "tests", "deploy"):
        shutil.copytree(ROOT / name, into / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md"):
        shutil.copyfile(ROOT / name, into / name)
    for file, old, new in mutant.edits:
        path = into / "eni_failover" / file
        text = path.read_text()
        if text.count(old) != 1:
            raise ValueError(
                f"{mutant.name}: {file} has this text {text.count(old)} times, not once: {old!r}"
            )
        path.write_text(text.replace(old, new))


def ask(tree: Path, tests: Sequence[str]) -> str:
    """The first test that fails in that tree, "" when none does."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN
        )
    except subprocess.TimeoutExpired:
        return f"no end within {WITHIN} s"
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or found is None:
        raise RuntimeError(
            f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
        )
    return found[1]


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="append", choices=CHECKS)
    asked = parser.parse_args()
    chosen = [one for one in MUTANTS if not asked.names or one.name in asked.names]
    missed = []
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as name:
            plant(mutant, Path(name))
            noticed = {check: ask(Path(name), CHECKS[check]) for check in asked.check or CHECKS}
        if not any(noticed.values()):
            missed.append(mutant.name)
        print(f"{mutant.name}: {mutant.says}", flush=True)
        for check, test in noticed.items():
            print(f"    {check:12} {test or '-'}", flush=True)
    print(f"{len(chosen)} mutants, {len(missed)} unnoticed{': ' if missed else ''}{', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
