"""docs/configuration.md: every table and key, and every rule between them.

Owns the order of the page and the words for types. The keys and their bounds are those of the models, what
a key means is in the commented example, why one would change it stands below it in `schema`, and each error
is what `load` says of a file in tests/configs.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic import AfterValidator, PlainValidator
from pydantic.fields import FieldInfo

from docs.generate import example
from docs.generate.rules import RULES, WARNINGS
from eni_failover.config import choices, durations, http_request, identity, load, schema, targets
from eni_failover.config.probe_rules import REQUIRED
from eni_failover.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "tests" / "configs"

RESTART = frozenset({"group", "discovery.tag", "server.listen", "control.socket", "state.directory"})
"""The keys that a reload refuses to change."""

_REQUIRED = frozenset(
    {"group", "eni.ids", "member.name", "member.instance_id", "member.address", "probe.name", "probe.type"}
)

_FORMS: Mapping[Callable[..., Any], str] = {
    choices.device_index: '`"auto"`, or a whole number, 1 to 255',
    choices.down_when: '`"all"`, `"any"`, or a whole number, 1 to the number of holder probes',
    durations.positive_seconds: "duration, 1ms to 365d",
    durations.seconds: "duration, 0s to 365d",
    durations.seconds_or_never: 'duration, 1ms to 365d, or `"never"`',
    http_request.headers: "table of names and texts",
    http_request.method: "an HTTP method",
    http_request.pattern: "a regular expression",
    http_request.statuses: "list of statuses and ranges, 100 to 599",
    identity.absolute_path: "absolute path",
    identity.address: "IP address or host name",
    identity.argv: "list of words, may have placeholders",
    identity.eni_id: 'list of ENI ids: `"eni-"` and 8 to 17 of 0-9 a-f',
    identity.group_name: "1 to 63 of a-z 0-9 -",
    identity.hook_argv: "list of words; empty, or an absolute path first",
    identity.instance_id: '`"i-"` and 8 to 17 of 0-9 a-f',
    identity.member_name: "1 to 63 of A-Z a-z 0-9 . _ -; not `none`, `foreign`, `unknown`",
    identity.plain_name: "1 to 63 of A-Z a-z 0-9 . _ -",
    identity.socket_path: "absolute path, 100 bytes at most",
    identity.tag_key: "1 to 128 characters",
    targets.host: "IP address or host name, may have placeholders",
    targets.ipv6_router: "empty, or an IPv6 address without a zone",
    targets.listen: "host:port",
    targets.server_name: "host name or IP address, may have placeholders",
    targets.url: "http or https URL, may have placeholders",
}

_HEAD = """\
<!-- Written by `make docs`. What a key means: deploy/examples/config.toml; why one would change it:
     eni_failover/config/schema.py; the rules' errors: tests/configs. -->

# Configuration

One TOML file, the same on every member: `/etc/eni-failover/config.toml`, or what `--config`, `--group` or
`ENI_FAILOVER_CONFIG` name. [deploy/examples/config.toml](../deploy/examples/config.toml) is such a file with
every key in it. `eni-failover check --offline` says whether a file is right, every mistake with its line; it
also prints how soon a dead holder is found.

A duration is one number and one of ms s m h d, in quotes: `"250ms"`, `"1.5s"`, `"30m"`. An unknown key, a
value of another type and a contradiction are errors, exit status 2. No value comes from the environment
except the log's level (`ENI_FAILOVER_LOG_LEVEL`).

**Reload.** *yes*: `systemctl reload eni-failover`, or `eni-failover reload`, takes a changed value.
*at rest*: so it does, once nothing of the group is moving; this member's own address needs a restart.
*restart*: a reload that changes it is refused as a whole, and the old file stays in force. A restart moves
nothing.
"""

_COLUMNS = """\
| key | value | default | what it is, and why one would change it | reload |
|---|---|---|---|---|
"""

_NOTES: Mapping[str, str] = {
    "probe": """
The answer of an attempt is up, down or unknown; unknown counts for nothing. What this host could not send is
unknown for every type. Else, for tcp, http and icmp: refused, reset, a wrong answer and a timeout are down.
For peer: a daemon that answers is up, one in `fault` is down, a timeout is down, and a refusal is unknown,
since a daemon that is restarted is no dead holder. From the holder's death to the verdict it takes, at worst,
`interval + (fall - 1) * max(timeout, fast_interval) + timeout`.
""",
    "aws": """
Everything else about AWS is boto3's own: the chain of credentials, `AWS_REGION` or `AWS_DEFAULT_REGION`,
`AWS_ENDPOINT_URL_EC2`, `AWS_CA_BUNDLE`, proxies.
""",
    "hooks": """
They run as the service's user, without a shell. In their environment, without AWS credentials:
`ENI_FAILOVER_GROUP`, `_MEMBER`, `_ROLE`, `_REASON`, `_TRIGGER`, `_ENI_IDS`, `_ADDRESSES`; several ids and
addresses are separated by spaces.
""",
}

_RULES_HEAD = """
## Rules between keys

What `eni-failover check --offline` says of a file that breaks one. The errors are those of the files in
`tests/configs`.

| rule | error |
|---|---|
"""

_WARNINGS_HEAD = """
## Warnings

Allowed, and likely a mistake: `check` shows it, and the daemon logs it at its start.

| about | warning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, *_tables(), _RULES_HEAD]
    parts += [f"| {rule} | {said(f'bad_{name}')[0]} |\n" for name, rule in RULES]
    parts += [_WARNINGS_HEAD]
    parts += [f"| {about} | {said(name)[at]} |\n" for name, at, about in WARNINGS]
    return "".join(parts)


def _tables() -> Iterator[str]:
    shown = example.read()
    yield _table("", schema.Document, shown)
    for name, model in schema.TABLES.items():
        yield _table(name, model, shown)


def _table(name: str, model: type[schema.Table], shown: Mapping[tuple[str, str], example.Shown]) -> str:
    """One section: what the table is for, and a row for each key."""
    header = f"[[{name}]]" if name in schema.REPEATED else f"[{name}]"
    about = (inspect.getdoc(model) or "").partition(": ")[2].partition(". ")[0].rstrip(".")
    if not name:
        header, about = "Top of the file", "before the first table"
    reasons = _reasons(model)
    text = f"\n## {header}\n\n{_escaped(about[0].upper() + about[1:])}.\n{_NOTES.get(name, '')}\n{_COLUMNS}"
    for key, field in model.model_fields.items():
        if not name and key in schema.TABLES:
            continue
        dotted = f"{name}.{key}" if name else key
        seen = shown[name, key]
        what = _escaped(f"{seen.meaning} {reasons.get(key, '')}".strip())
        cells = (f"`{key}`", _form(field), _default(dotted, field, seen.default), what, _reload(dotted))
        text += f"| {' | '.join(cells)} |\n"
    return text


def _reasons(model: type[schema.Table]) -> dict[str, str]:
    """The docstrings below the keys."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    body = getattr(definition, "body", [])
    found = {}
    for above, below in pairwise(body):
        if isinstance(above, ast.AnnAssign) and isinstance(below, ast.Expr):
            found[ast.unparse(above.target)] = str(ast.literal_eval(below.value))
    return found


def _form(field: FieldInfo) -> str:
    """What may be written there, in words."""
    for kind in _kinds(field.annotation):
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return ", ".join(f'`"{word}"`' for word in kind)
    judge = next(_validators(field), None)
    if judge is not None:
        return _FORMS[judge]
    if field.annotation is bool:
        return "`true` or `false`"
    bounds = [
        getattr(one, "ge", getattr(one, "le", None)) for one in field.metadata if isinstance(one, Ge | Le)
    ]
    return "whole number" + (f", {bounds[0]} to {bounds[1]}" if bounds else "")


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _validators(field: FieldInfo) -> Iterator[Callable[..., Any]]:
    """The functions that judge the value, the outer ones first, then those of a list's elements."""
    pending: list[Any] = [*field.metadata]
    inner: list[Any] = [field.annotation]
    while inner:
        for one in get_args(inner.pop(0)):
            inner.append(one)
            pending += getattr(one, "__metadata__", ())
    for one in pending:
        if isinstance(one, AfterValidator | PlainValidator):
            yield one.func


def _default(dotted: str, field: FieldInfo, written: str | None) -> str:
    """As a user writes it: the example's, which a test holds against the models."""
    if dotted in _REQUIRED:
        return "required"
    types = [str(kind) for kind, keys in REQUIRED.items() if dotted in {f"probe.{key}" for key in keys}]
    if types:
        return f"required for {', '.join(types)}"
    if dotted == "probe.fast_interval":
        return "`interval`"
    if written is not None:
        return f"`{written.replace('/orders', '/<group>')}`"
    return "none" if field.default is None else f'`"{field.default}"`'


def _escaped(text: str) -> str:
    """As it is, in a table of Markdown."""
    return text.replace("|", r"\|").replace("<", "&lt;")


def _reload(dotted: str) -> str:
    if dotted in RESTART:
        return "restart"
    return "at rest" if dotted.startswith(("eni.", "member.")) else "yes"


def said(name: str) -> list[str]:
    """What `load` says of this file, without its path and lines."""
    path = CONFIGS / f"{name}.toml"
    try:
        lines = load(path, {}).warnings
    except ConfigError as error:
        lines = error.problems
    return [f"`{line.removeprefix(f'{path}:').partition(': ')[2]}`" for line in lines]
