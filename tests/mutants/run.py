"""Plants each mistake of the catalogue and asks which checks notice.

    python -m tests.mutants.run [NAME ...] [--check CHECK ...]

Prints a table: for each mutant and each check, the first test that fails, or "-"; of the simulation the first
seed that is wrong, and how. Exit 1 when a mutant is noticed by none. The program is changed in a copy; the
checkout stays as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
WITHIN = 300
SEEDS = 100
PYTEST = ("pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow")
CHECKS = {
    "exploration": (*PYTEST, "tests/sim/test_explore.py"),
    "simulation": ("tests.sim.simulation", "--seeds", str(SEEDS)),
    "scenarios": (*PYTEST, "tests/sim/test_scenarios.py"),
    "core tests": (*PYTEST, "tests/core"),
    "loop tests": (*PYTEST, "tests/test_reconciler.py"),
    "edge tests": (
        *PYTEST,
        "tests/test_discovery.py",
        "tests/test_last_holder.py",
        "tests/test_history.py",
        "tests/test_own_files.py",
    ),
}
NOTICED = re.compile(r"^(?:FAILED|ERROR) (\S+)|^(seed \d+:\n  \w+)", re.MULTILINE)


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


def ask(tree: Path, check: str) -> str:
    """The first test that fails in that tree, or the first seed that is wrong; "" when there is none."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *CHECKS[check]]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN
        )
    except subprocess.TimeoutExpired:
        return f"no end within {WITHIN} s"
    if done.returncode == 0:
        return ""
    found = NOTICED.search(done.stdout)
    if done.returncode != 1 or found is None:
        raise RuntimeError(
            f"{check} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
        )
    return " ".join((found[1] or found[2]).split())


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
            noticed = {check: ask(Path(name), check) for check in asked.check or CHECKS}
        if not any(noticed.values()):
            missed.append(mutant.name)
        print(f"{mutant.name}: {mutant.says}", flush=True)
        for check, test in noticed.items():
            print(f"    {check:12} {test or '-'}", flush=True)
    print(f"{len(chosen)} mutants, {len(missed)} unnoticed{': ' if missed else ''}{', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
