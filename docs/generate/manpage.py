"""share/man/man1/eni-failover.1: the commands as the program itself describes them, and what is around them.

Owns the page's order. Commands, options, examples and exit statuses are read from the command line, the rest
is in `manpage_words`. The page carries the version and no date: the same source makes the same page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from docs.generate import manpage_words as words
from docs.generate.roff import heading, item, listing, marked, paragraph, plain, subheading
from eni_failover import __version__
from eni_failover.cli.app import app

_MANY = 3


def page() -> str:
    """The whole page."""
    program: Any = get_command(app)
    first, *more = words.DESCRIPTION.strip().split("\n\n")
    parts = [
        '.\\" Written by `make docs`, from the command line itself.\n',
        f'.TH ENI\\-FAILOVER 1 "" "eni\\-failover {__version__}" "User Commands"\n',
        heading("NAME"),
        f"{marked(f'eni-failover - {_phrase(program.help)}')}\n",
        heading("SYNOPSIS"),
        "\\fBeni\\-failover\\fP \\fICOMMAND\\fP [\\fIOPTION\\fP ...]\n.br\n",
        "\\fBeni\\-failover\\fP \\fB\\-\\-version\\fP\n",
        heading("DESCRIPTION"),
        f"{marked(first)}\n",
        *(paragraph(text) for text in more),
        *_commands(program),
        *_items("EXIT STATUS", {str(int(code)): text for code, text in words.STATUSES.items()}),
        *_items("SIGNALS", words.SIGNALS),
        *_items("ENVIRONMENT", words.ENVIRONMENT),
        *_items("FILES", words.FILES),
        heading("EXAMPLES"),
        *(part for text, line in words.EXAMPLES.items() for part in (paragraph(text), listing([line]))),
        heading("SEE ALSO"),
        ".BR ip\\-rule (8),\n.BR journalctl (1),\n.BR systemctl (1)\n",
    ]
    return "".join(parts).replace(".SH EXAMPLES\n.PP\n", ".SH EXAMPLES\n")


def _items(title: str, entries: dict[str, str]) -> Iterator[str]:
    yield heading(title)
    for name, text in entries.items():
        yield item(rf"\fB{plain(name)}\fP", text)


def _commands(program: Any) -> Iterator[str]:
    """The options that many commands have, then each command with its own."""
    commands = program.commands
    seen = Counter(_option(one) for command in commands.values() for one in command.params)
    shared = [text for text, count in seen.items() if count >= _MANY]
    yield heading("OPTIONS")
    yield from (_option(one) for one in program.params if one.help)
    yield item(r"\fB\-h\fP, \fB\-\-help\fP", "Show help; after a command, that command's.")
    yield paragraph("Of many commands, after the command's name:")
    yield from shared
    yield heading("COMMANDS")
    for name, command in commands.items():
        yield subheading(name)
        options = "\n".join(f"[{_usage(one)}]" for one in command.params)
        yield f"\\fBeni\\-failover {plain(name)}\\fP\n{options}\n"
        yield paragraph(command.help)
        yield from (text for text in map(_option, command.params) if text not in shared)
        shown, _, statuses = command.epilog.removeprefix("\b\nExamples:\n").partition("\n\n")
        yield listing(line.removeprefix("  ") for line in shown.splitlines())
        yield paragraph(statuses)


def _usage(option: Any) -> str:
    word = rf"\fB{plain(option.opts[0])}\fP"
    return word if option.is_flag else rf"{word} \fI{plain(option.metavar)}\fP"


def _option(option: Any) -> str:
    """The option and its help, its default at the end."""
    text, _, default = option.help.partition("  [default: ")
    default = default.rstrip("]")
    if not default and not option.is_flag and option.default not in {None, ""}:
        default = str(option.default)
    return item(_usage(option), f"{text} Default: {default}." if default else text)


def _phrase(sentence: str) -> str:
    """As the name section has it."""
    return sentence[0].lower() + sentence[1:].removesuffix(".")
