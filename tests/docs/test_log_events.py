"""docs/design/log-events.md lists the log events, as the source logs them."""

import ast
import re
from collections import defaultdict

import pytest

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "design" / "log-events.md"
LEVEL_OF = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "critical": "critical",
    "exception": "error",
}
LOGGERS = ("log", "_log", "logger")
MENTIONS = re.compile(r"\b(?:_?log|logger|get_logger)\b")
ROW = re.compile(r"^\| `([a-z0-9_.]+)` \| ([a-z ]+) \| [^|]+ \| ([^|]*) \| [^|]*\|$", re.MULTILINE)


def documented():
    """Each event of the page with its levels and fields."""
    return {
        event: (set(levels.split()), set(re.findall(r"`([^`]+)`", fields)))
        for event, levels, fields in ROW.findall(PAGE.read_text())
    }


def is_logger(node):
    """Whether this expression is a logger, by the names that the package gives to loggers."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in LOGGERS
        case ast.Call(func=ast.Attribute(attr="get_logger")):
            return True
    return False


def levels_in(node):
    """The levels of all methods of loggers within an expression, such as the two of a conditional one."""
    return {
        LEVEL_OF[one.attr]
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and one.attr in LEVEL_OF and is_logger(one.value)
    }


def methods(module):
    """The local names that stand for a method of a logger, with their levels: `tell = self._log.info`."""
    return {
        one.targets[0].id: levels
        for one in ast.walk(module)
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and not isinstance(one.value, ast.Call)
        and (levels := levels_in(one.value))
    }


def constants(nodes):
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def keywords(module, function, name):
    """What the calls of this function in the module give as this keyword."""
    return constants(
        keyword.value
        for call in calls(module)
        if isinstance(call.func, ast.Name) and call.func.id == function
        for keyword in call.keywords
        if keyword.arg == name
    )


def of_calls(module):
    """The actor's: the event is looked up by the call that was made."""
    return constants(
        value
        for one in ast.walk(module)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "_EVENTS"
        for value in one.value.values
    )


def of_tell(module):
    """The guard's `_tell(event, ...)`, which passes its event on."""
    return constants(call.args[0] for call in calls(module) if ast.unparse(call.func) == "self._tell")


# Where the event is not written at the call: the expression there, and how to find what it can be.
DYNAMIC = {
    "_EVENTS[outcome.mutation]": of_calls,
    "event": of_tell,
    "self._failed": lambda module: keywords(module, "_Trouble", "failed"),
    "self._ended": lambda module: keywords(module, "_Trouble", "ended"),
}


def calls(module):
    return [node for node in ast.walk(module) if isinstance(node, ast.Call)]


def logged():
    """Each event: its levels, the fields written at its calls, and None where a mapping adds more."""
    found = defaultdict(lambda: (set(), set(), set()))
    for file in sorted((ROOT / "eni_failover").rglob("*.py")):
        text = file.read_text()
        is_foreign = "structlog" not in text and "logging.getLogger(" in text  # becomes log.external
        if is_foreign or not MENTIONS.search(text):
            continue
        module = ast.parse(text)
        known = methods(module)
        for call in calls(module):
            match call.func:
                case ast.Name(id=name) if name in known:
                    levels = known[name]
                case ast.Attribute(attr=level, value=logger) if level in LEVEL_OF and is_logger(logger):
                    levels = {LEVEL_OF[level]}
                case _:
                    continue
            event = call.args[0]
            names = {event.value} if isinstance(event, ast.Constant) else DYNAMIC[ast.unparse(event)](module)
            assert names, f"{file}:{call.lineno}: which event?"
            for name in names:
                found[name][0].update(levels)
                found[name][1].update(
                    {"exc_info": "exception"}.get(one.arg, one.arg) for one in call.keywords if one.arg
                )
                found[name][2].update(one.arg for one in call.keywords if not one.arg)
    return found


@pytest.fixture(scope="module")
def source():
    return logged()


def test_every_event_is_in_the_table_and_no_other(source):
    """The page has each event of the source once, and nothing that the source does not log."""
    rows = [event for event, _, _ in ROW.findall(PAGE.read_text())]
    everything = re.findall(r"^\| `", PAGE.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(source)
    assert len(everything) == len(rows)


def test_every_event_has_the_levels_of_the_source(source):
    """Whoever filters by level finds what the table says."""
    assert {event: levels for event, (levels, _) in documented().items()} == {
        event: levels for event, (levels, _, _) in source.items()
    }


def test_every_event_has_the_fields_of_the_source(source):
    """A field at the call is in the table; the table has more only where the call passes a mapping on."""
    wrong = {}
    for event, (_, fields) in documented().items():
        _, written, more = source[event]
        implied = {"exception"} if event == "daemon.crashed" else set()
        if not written <= fields or (fields - written - implied and not more):
            wrong[event] = fields ^ written
    assert wrong == {}


def test_every_name_is_a_subject_and_what_happened(source):
    """`subject.what_happened`, in lower case: one dot, so that a filter by subject is a filter by prefix."""
    assert [event for event in source if not re.fullmatch(r"[a-z0-9_]+\.[a-z_]+", event)] == []
