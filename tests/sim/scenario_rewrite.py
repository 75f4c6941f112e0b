"""Writes the scenarios' stories anew: `python -m tests.sim.scenario_rewrite [NAME ...]`.

Only commit a difference that you understand: a story is what the daemons did.
"""

from __future__ import annotations

import sys

from tests.sim.scenario_file import parse, paths
from tests.sim.scenario_stage import ScenarioError, perform


def main(names: list[str]) -> int:
    """Rewrite these scenarios, or all; gives the exit status."""
    status = 0
    for path in paths():
        if names and path.stem not in names:
            continue
        before = path.read_text(encoding="utf-8")
        try:
            after = perform(parse(before)).text()
        except ScenarioError as error:
            print(f"{path.name}: {error}")
            status = 1
            continue
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: rewritten")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
