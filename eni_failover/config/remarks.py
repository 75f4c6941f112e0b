"""What is allowed and likely a mistake: `check` shows it as warnings, `run` logs it."""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.config.build import GROUP
from eni_failover.config.identity import has_usual_length
from eni_failover.config.lines import Key
from eni_failover.config.mistakes import Mistake
from eni_failover.config.schema import Document, ProbeTable, Table
from eni_failover.config.targets import has_placeholder, misspelt_placeholders, status_url
from eni_failover.config.wording import shown
from eni_failover.core.vocabulary import ProbeType, Scope


def warnings(document: Document) -> Iterator[Mistake]:
    """Each likely mistake."""
    yield from _odd_ids(document)
    if not has_placeholder(status_url(document.server.listen)):
        text = (
            "every member asks its peers at this host, so they do not know each other: "
            "pauses stay where they are"
        )
        yield Mistake(key=("server", "listen"), text=text)
    for position, probe in enumerate(document.probe):
        name, target = _target(probe, document)
        key = ("probe", position, name)
        if probe.scope is Scope.HOLDER and not has_placeholder(target):
            text = "asks the same target whoever the holder is: {address} is the probed member's"
            yield Mistake(key=key, text=text)
        if probe.scope is Scope.WITNESS and has_placeholder(target):
            text = "a witness is asked about the network, but this one is the asking member itself"
            yield Mistake(key=key, text=text)
        for written, meant in misspelt_placeholders(probe.command):
            text = f"{shown(written)} is no placeholder and stays as it is: is {{{meant}}} meant?"
            yield Mistake(key=("probe", position, "command"), text=text)
    for above, table, name in (
        ("control", document.control, "socket"),
        ("control", document.control, "role_file"),
        ("state", document.state, "directory"),
    ):
        yield from _literal_group((above, name), table, name)


def _odd_ids(document: Document) -> Iterator[Mistake]:
    keys: list[tuple[Key, str]] = [(("eni", "ids"), one) for one in document.eni.ids]
    keys += [(("member", at, "instance_id"), one.instance_id) for at, one in enumerate(document.member)]
    for key, value in keys:
        if not has_usual_length(value):
            text = f"{value} has neither 8 nor 17 digits, as the ids of EC2 have: is one lost?"
            yield Mistake(key=key, text=text)


def _target(probe: ProbeTable, document: Document) -> tuple[str, str]:
    """The key that says whom this probe asks, and its template."""
    match probe.type:
        case ProbeType.HTTP:
            return "url", probe.url
        case ProbeType.EXEC:
            return "command", " ".join(probe.command)
        case ProbeType.PEER:
            return "type", status_url(document.server.listen)
        case _:
            return "host", probe.host


def _literal_group(key: Key, table: Table, name: str) -> Iterator[Mistake]:
    if name in table.model_fields_set and GROUP in str(getattr(table, name)):
        text = f"{GROUP} stands for itself in a written path: only the defaults have the group's name there"
        yield Mistake(key=key, text=text)
