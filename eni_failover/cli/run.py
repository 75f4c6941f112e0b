"""`eni-failover run`: the daemon's own command line, parsed with the standard library.

Owns the way from arguments to `daemon.run`. Must not import typer or rich, not even indirectly: they
would stay in the daemon's memory for as long as it lives.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from eni_failover.config import path_for
from eni_failover.errors import ConfigError
from eni_failover.exitcodes import ExitCode

_MEMBER_VARIABLE = "ENI_FAILOVER_MEMBER"
SUMMARY = "Run the daemon in the foreground."
DETAILS = """\
SIGTERM and SIGINT stop it, and the ENI stays where it is. SIGHUP reads the
file again, SIGUSR1 writes the whole status to the log."""
CONFIG_HELP = "the configuration file [default: $ENI_FAILOVER_CONFIG, else /etc/eni-failover/config.toml]"
GROUP_HELP = "serve this group: the file is /etc/eni-failover/NAME.toml"
MEMBER_HELP = "this member's name, where there is no instance metadata [default: $ENI_FAILOVER_MEMBER]"
EXAMPLES = """\
examples:
  eni-failover run
  eni-failover run --group orders
  eni-failover run --config ./orders.toml --member alpha

exit status: 0 stopped, 1 crashed, 2 bad configuration, or this instance is
not a member"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as every command's mistakes."""
        self.exit(ExitCode.BAD_CONFIG, f"{self.prog}: {message} (see '{self.prog} --help')\n")


def named_member(option: str | None) -> str | None:
    """The member that --member names, else the environment; None where neither does."""
    return option or os.environ.get(_MEMBER_VARIABLE) or None


def main(arguments: Sequence[str]) -> int:
    """Runs the daemon as these arguments, those after the word `run`, say; its exit status."""
    options = _parser().parse_args(arguments)
    return start(config=options.config, group=options.group, member=options.member)


def start(*, config: Path | None, group: str | None, member: str | None) -> int:
    """Runs the daemon until it is stopped; its exit status."""
    # structlog imports rich wherever it is installed, for tracebacks in colour: 5 MB of a daemon that
    # writes none. None here is Python's own word for "there is no such module" (import system, 5.3.1).
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    _import_no_more_than_asked_for("pyroute2")
    from eni_failover.adapters.ec2_model import preload  # noqa: PLC0415 - not before the arguments are right

    preload(os.environ)
    from eni_failover import daemon  # noqa: PLC0415 - into the memory that this has freed

    try:
        path = path_for(config, group, os.environ)
        return daemon.run(path, member=named_member(member), env=os.environ)
    except ConfigError as error:
        sys.stderr.write("".join(f"eni-failover: {problem}\n" for problem in error.problems))
        return ExitCode.BAD_CONFIG
    except KeyboardInterrupt:  # twice: the daemon's own handlers have gone with its event loop
        return ExitCode.INTERRUPTED


def _import_no_more_than_asked_for(package: str) -> None:
    """Have modules of a package be imported without what its __init__ would import beside them.

    pyroute2's has a database, a test framework and nl80211: 6 MB and 80 ms beside the 5 MB for routes. The
    __init__ runs when somebody asks for one of its own names after all.
    """
    spec = None if package in sys.modules else importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, importlib.util.module_from_spec(spec)

    def whole(name: str) -> object:
        if name.startswith("__") or importlib.util.find_spec(f"{package}.{name}"):
            raise AttributeError(name)  # a module of its own, which the import system then imports
        del vars(module)["__getattr__"]
        loader.exec_module(module)
        return getattr(module, name)

    vars(module)["__getattr__"] = whole
    sys.modules[package] = module


def _parser() -> _Parser:
    parser = _Parser(
        prog="eni-failover run",
        description=f"{SUMMARY}\n\n{DETAILS}",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="PATH", type=Path, help=CONFIG_HELP)
    parser.add_argument("--group", metavar="NAME", help=GROUP_HELP)
    parser.add_argument("--member", metavar="NAME", help=MEMBER_HELP)
    return parser
