"""Configurations as hypothesis makes them: good files taken apart, spoiled in structure, written again."""

from __future__ import annotations

import copy
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eni_failover.config.schema import REPEATED, TABLES, Document

_FOLDER = Path(__file__).parent.parent / "configs"
GOOD = {path.name: path.read_text() for path in sorted(_FOLDER.glob("good_*.toml"))}
_PARSED = {name: tomllib.loads(text) for name, text in GOOD.items()}

_DURATIONS = ["0s", "0.999ms", "1ms", "365d", "365.0001d", "8760h", "1s", "999999999999d", "0.000000000001s"]
_NUMBERS = [
    -1,
    0,
    1,
    2,
    255,
    256,
    599,
    600,
    1000,
    1001,
    65535,
    65536,
    2**31,
    2**63,
    2**64,
    -(10**30),
    16**3000,
]
_FLOATS = [0.0, -0.0, 1.0, 1e308, float("inf"), float("nan")]
_NAMES = [
    "a",
    "a" * 63,
    "a" * 64,
    "none",
    "foreign",
    "unknown",
    "-",
    ".",
    "..",
    "a/b",
    "\u00e4",
    "\u0430lpha",
    "a\u0301",
]
_HOSTS = [
    "10.0.1.11",
    "010.0.1.11",
    "10.0.1",
    "0x7f.1",
    "\uff11\uff10.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "::",
    "::1",
    "::ffff:10.0.1.11",
    "fe80::1%eth0",
    "[::1]",
    "localhost",
    "db.example.org.",
    "a" * 253,
    ".".join(["a"] * 127),
    "{address}",
    "{member}.example.org",
    "{address}{address}",
    "{address",
    "{}",
    "{0}",
    "b\u00fccher.example",
    "xn--bcher-kva.example",
    "evil.example@10.0.1.11",
]
_IDS = ["eni-0ffffffffffffff01", "eni-12345678", "eni-", "ENI-12345678", "i-0aaaaaaaaaaaaaaa1", "i-12345678"]
_URLS = [
    f"{scheme}{host}{rest}"
    for scheme in ("http://", "https://", "HTTP://", "ftp://", "//", "")
    for host in ("{address}", "[{address}]", "[::1]", "[::1", "a:b@c", "h:0", "h:65536", "h:", "", "h\u00e9")
    for rest in ("", "/", "/%zz", "/a b", "/?x={member}", "/#f", "/\u2028", "\\x", "/..", "/{")
]
_LISTENS = [
    "{address}:10177",
    "0.0.0.0:0",
    "[::]:65535",
    "::1:80",
    "[{address}]:1",
    ":80",
    "h:99999",
    "h:\uff18",
]
_WORDS = [
    "",
    " ",
    "all",
    "any",
    "auto",
    "never",
    "manual",
    "automatic",
    "observe",
    "http",
    "tcp",
    "icmp",
    "exec",
    "peer",
]
_PATHS = [
    "/",
    "/a",
    "a",
    "~/a",
    "//a",
    "/" + "a" * 99,
    "/" + "\u00e4" * 60,
    "/a\0b",
    "/a\nb",
    "/<group>",
    "/../../etc",
]
_PATTERNS = [
    "(",
    "[",
    "a{99999999999}",
    "(?P<a>x)(?P<a>y)",
    "\\",
    "(?<=a+)b",
    "[[a]]",
    "(?i)x",
    "(" * 50 + ")" * 50,
]
_ODD = [
    "\0",
    "\x1b[31m",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\U0001f600",
    "\ud7ff",
    "'''",
    '"""',
    "\\u0000",
    "a" * 5000,
]

texts = st.sampled_from(
    [*_DURATIONS, *_NAMES, *_HOSTS, *_IDS, *_URLS, *_LISTENS, *_WORDS, *_PATHS, *_PATTERNS, *_ODD]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
plain = (
    st.sampled_from([*_NUMBERS, *_FLOATS, True, False])
    | st.sampled_from([datetime(2026, 11, 23, 3, 17, tzinfo=UTC), date(2026, 11, 23), time(3, 17)])
    | texts
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

# What a key's values are like: a value of another kind is refused at once, and the rest is not reached.
_KINDS = {
    (
        "interval",
        "fast_interval",
        "timeout",
        "cooldown",
        "failback_delay",
        "max_takeovers_window",
    ): _DURATIONS,
    (
        "stagger",
        "unproven_grace",
        "startup_grace",
        "observe_interval",
        "idle_interval",
        "move_interval",
    ): _DURATIONS,
    ("max_loop_lag", "connect_timeout", "read_timeout"): _DURATIONS,
    ("force_detach_after",): [*_DURATIONS, "never"],
    ("fall", "rise", "max_takeovers", "port", "down_when", "device_index"): _NUMBERS,
    ("name", "group", "tag"): _NAMES,
    ("address", "host", "ipv6_router", "tls_server_name"): _HOSTS,
    ("instance_id", "ids"): _IDS,
    ("url",): _URLS,
    ("listen",): _LISTENS,
    ("socket", "role_file", "directory", "bearer_token_file", "ca_file"): _PATHS,
    ("client_cert_file", "client_key_file"): _PATHS,
    ("expect_body",): _PATTERNS,
    ("type", "scope", "mode", "takeover", "failback", "fence", "format", "level", "method"): _WORDS,
}
_FITTING = {name: pool for names, pool in _KINDS.items() for name in names}

_KEYS = sorted(
    {name for table in TABLES.values() for name in table.model_fields} | set(Document.model_fields)
)
keys = (
    st.sampled_from(_KEYS)
    | st.sampled_from(["Group", "goup", "members", "", ".", "a.b", "\u00e4", "__class__"])
    | texts
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A good file's content with a few changes in it."""
    document: dict[str, Any] = copy.deepcopy(_PARSED[draw(st.sampled_from(sorted(_PARSED)))])
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3, 6)))):
        _change(draw, document)
    return document


@st.composite
def near_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A good file's content with a few values of the right kind, many of which are accepted."""
    document: dict[str, Any] = copy.deepcopy(_PARSED[draw(st.sampled_from(sorted(_PARSED)))])
    places = [(table, key) for table in _tables(document) for key in table if key in _FITTING]
    for _ in range(draw(st.integers(1, 3))):
        table, key = draw(st.sampled_from(places))
        value = draw(st.sampled_from(_FITTING[key]))
        table[key] = [value] if isinstance(table[key], list) else value
    return document


def _change(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """One change: another value, a key more or less, an element twice, a table in another's place."""
    place = _place(draw, document)
    if not place or draw(st.integers(0, 9)) == 0:
        place[draw(keys)] = draw(values)
        return
    key = draw(st.sampled_from(sorted(place)))
    value = place[key]
    kind = draw(st.sampled_from(["replace"] * 6 + ["remove", "rename", "double", "wrap"]))
    if kind == "replace" and isinstance(value, list) and value and draw(st.booleans()):
        value[draw(st.integers(0, len(value) - 1))] = draw(values)
    elif kind == "double" and isinstance(value, list) and value:
        value.append(copy.deepcopy(draw(st.sampled_from(value))))
    elif kind == "wrap":
        place[key] = [value] if draw(st.booleans()) else {draw(keys): value}
    elif kind == "rename":
        place[draw(keys)] = place.pop(key)
    elif kind == "remove":
        del place[key]
    else:
        place[key] = draw(
            st.sampled_from(_FITTING[key]) if key in _FITTING and draw(st.booleans()) else values
        )


def _place(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The whole file, one of its tables, or a table in one of its lists of tables."""
    return draw(st.sampled_from(_tables(document)))


def _tables(document: dict[str, Any]) -> list[dict[str, Any]]:
    tables = [document]
    for value in document.values():
        tables += [value] if isinstance(value, dict) else []
        tables += [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tables


def written(document: dict[str, Any]) -> str:
    """The document as a person would lay it out: values first, [tables] and [[tables]] after them."""
    lines, blocks = [], []
    for key, value in document.items():
        if isinstance(value, dict):
            blocks.append(f"[{_text(key)}]\n{_pairs(value)}")
        elif (
            key in REPEATED
            and isinstance(value, list)
            and value
            and all(isinstance(one, dict) for one in value)
        ):
            blocks += [f"[[{_text(key)}]]\n{_pairs(one)}" for one in value]
        else:
            lines.append(f"{_text(key)} = {_value(value)}\n")
    return "".join(lines) + "\n".join(blocks)


def _pairs(table: dict[str, Any]) -> str:
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        # TOML has no negative hexadecimal; Python prints no decimal of thousands of digits.
        return hex(value) if value >= 0 else str(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_text(key)} = {_value(one)}' for key, one in value.items())} }}"
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _text(text: str) -> str:
    escaped = "".join(one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08X}" for one in text)
    return f'"{escaped}"'
