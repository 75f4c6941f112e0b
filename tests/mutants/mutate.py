"""Every small change of the core that mutmut knows, and which of them the tests of the core notice.

    python -m tests.mutants.mutate [MODULE ...]      names of modules of core/, all by default

Works on a copy in build/mutate, in which what mutmut passes over is laid open to it: a property gives what
a method beside it says, and a constant is written out where it is used. Each run begins afresh. What was
not noticed is in build/mutate/survivors.txt, each as a diff; `equivalent.py` says of which changes that is
right. Exit 1 when there are others.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.mutants.equivalent import EQUIVALENT

ROOT = Path(__file__).parent.parent.parent
TREE = ROOT / "build" / "mutate"
CORE = Path("eni_failover") / "core"
WORKERS = 2
PROPERTIES = {"property", "cached_property"}
FINE = {"killed", "caught by type check", "timeout"}


def constants(sources: list[str]) -> dict[str, str]:
    """The numbers that modules name, as they are written."""
    return {
        node.targets[0].id: ast.unparse(node.value)
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int | float)
    }


def laid_open(source: str, numbers: dict[str, str]) -> str:
    """The same program with every property's body in a method, and numbers in place of their names."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    bodies = [one for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for one in node.body]
    used = {
        (node.lineno, node.col_offset, node.end_col_offset or 0, numbers[name])
        for body in bodies
        for node in ast.walk(body)
        if isinstance(node, ast.Name | ast.Attribute)
        and (name := node.id if isinstance(node, ast.Name) else node.attr) in numbers
    }
    for row, start, end, number in sorted(used, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + number + line[end:]
    properties = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(one, ast.Name) and one.id in PROPERTIES for one in node.decorator_list)
    ]
    for node in sorted(properties, key=lambda one: one.lineno, reverse=True):
        head = lines[node.lineno - 1].replace(f"def {node.name}(", f"def {node.name}_value(")
        lines.insert(node.body[0].end_lineno or 0, f"        return self.{node.name}_value()\n\n{head}")
    return "".join(lines)


def lay_out() -> None:
    """The copy that is mutated."""
    shutil.rmtree(TREE, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("eni_failover", "tests"):
        shutil.copytree(ROOT / name, TREE / name, ignore=ignore)
    shutil.copyfile(ROOT / "pyproject.toml", TREE / "pyproject.toml")
    files = sorted((TREE / CORE).glob("*.py"))
    numbers = constants([file.read_text() for file in files])
    for file in files:
        file.write_text(laid_open(file.read_text(), numbers))


def mutate(modules: list[str]) -> int:
    """Runs mutmut; its exit status."""
    names = [f"eni_failover.core.{module}.*" for module in modules]
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(WORKERS), *names]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return subprocess.run(command, cwd=TREE, env={**os.environ, "PATH": path}, check=False).returncode


def report() -> int:
    """Prints the figures of each module and writes the survivors down; 1 when one is not explained."""
    # Only `make mutate` has it: it is in no lock file.
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    total: Counter[str] = Counter()
    survivors, unexplained = [], 0
    for file in sorted(CORE.glob("*.py")):
        data = SourceFileMutationData(path=file)
        data.load()
        found = {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}
        counted = Counter(found.values())
        del counted["not checked"]
        for name in (one for one, status in found.items() if status in counted and status not in FINE):
            diff = get_diff_for_mutant(name, path=file)
            because = why(name, diff)
            unexplained += because is None
            survivors.append(f"# {name}: {found[name]}, {because or 'NOT EXPLAINED'}\n{diff}\n")
        if counted:
            print(f"{file.stem:12} {text(counted)}")
        total += counted
    (TREE / "survivors.txt").write_text("\n".join(survivors))
    print(f"{'together':12} {text(total)}")
    print(f"not noticed: {len(survivors)}, not explained: {unexplained}: {TREE / 'survivors.txt'}")
    return 1 if unexplained else 0


def why(name: str, diff: str) -> str | None:
    """Why this change changes nothing that anybody must notice; None when nobody has said so."""
    module, mangled = name.removeprefix("eni_failover.core.").split(".", 1)
    function = mangled.rpartition("__mutmut_")[0].removeprefix("x_").removeprefix("x\u01c1")
    function = function.replace("\u01c1", ".")
    lines = diff.splitlines()[2:]
    old, new = ("\n".join(line for line in lines if line.startswith(sign)) for sign in "-+")
    for one in EQUIVALENT:
        fits = one.new in new if one.new else not new.strip("+ ()\n")
        if fits and one.old in old and one.function == f"{module}.{function}":
            return one.because
    return None


def text(counted: Counter[str]) -> str:
    """How many, and of what."""
    return f"{counted.total():5} mutants: " + ", ".join(
        f"{n} {status}" for status, n in sorted(counted.items())
    )


def main() -> int:
    """Mutates, tests, tells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    asked = parser.parse_args()
    lay_out()
    status = mutate(asked.modules)
    if status:
        return status
    os.chdir(TREE)
    return report()


if __name__ == "__main__":
    raise SystemExit(main())
