"""What must hold within one probe, between probes, and between a probe and the rest.

Owns which keys belong to which type of probe. Runs on a draft with mistakes, as `rules` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eni_failover.config.mistakes import Mistake
from eni_failover.config.reading import Draft
from eni_failover.config.schema import ProbeTable
from eni_failover.config.targets import split_listen
from eni_failover.config.wording import shown
from eni_failover.core.vocabulary import ProbeType, Scope

_COMMON = ("name", "type", "scope", "interval", "fast_interval", "timeout", "fall", "rise")
REQUIRED: Mapping[ProbeType, Mapping[str, str]] = {
    ProbeType.TCP: {"host": '"{address}"', "port": "5432"},
    ProbeType.HTTP: {"url": '"http://{address}:8080/healthz"'},
    ProbeType.ICMP: {"host": '"{address}"'},
    ProbeType.EXEC: {"command": '["/usr/local/bin/probe", "{address}"]'},
    ProbeType.PEER: {},
}
OPTIONAL: Mapping[ProbeType, tuple[str, ...]] = {
    ProbeType.HTTP: (
        "method",
        "headers",
        "bearer_token_file",
        "expect_status",
        "expect_body",
        "tls_verify",
        "tls_server_name",
        "ca_file",
        "client_cert_file",
        "client_key_file",
        "follow_redirects",
    ),
}


def probe_mistakes(draft: Draft) -> Iterator[Mistake]:
    """Each mistake that shows only when a probe is seen as a whole, or beside the others."""
    first: dict[str, int] = {}
    for position, probe in enumerate(draft.document.probe):
        if not draft.is_intact("probe", position):
            continue
        yield from _name(draft, position, probe, first)
        yield from _keys(draft, position, probe)
        yield from _times(draft, position, probe)
        if probe.type is ProbeType.HTTP:
            yield from _http(draft, position, probe)
        if probe.type is ProbeType.PEER:
            yield from _peer(draft, position, probe)


def _name(draft: Draft, position: int, probe: ProbeTable, first: dict[str, int]) -> Iterator[Mistake]:
    key = ("probe", position, "name")
    if not draft.is_intact(*key):
        return
    if not probe.name:
        yield Mistake(key=key, text='missing, every probe has one, such as "web"')
    elif probe.name in first:
        text = f"{shown(probe.name)} is that of probe[{first[probe.name]}] already: each probe has its own"
        yield Mistake(key=key, text=text)
    else:
        first[probe.name] = position


def _keys(draft: Draft, position: int, probe: ProbeTable) -> Iterator[Mistake]:
    """The keys that are written against those that the type has."""
    if not draft.is_intact("probe", position, "type"):
        return
    if probe.type is None:
        text = f"missing, every probe has one of {', '.join(shown(one) for one in ProbeType)}"
        yield Mistake(key=("probe", position, "type"), text=text)
        return
    required, optional = REQUIRED[probe.type], OPTIONAL.get(probe.type, ())
    for name, example in required.items():
        key = ("probe", position, name)
        if name not in probe.model_fields_set and draft.is_intact(*key):
            text = f"missing, a probe of type {probe.type} has one, such as {example}"
            yield Mistake(key=key, text=text)
    own = (*required, *optional)
    for name in sorted(_written(draft, position, probe).difference(_COMMON, own)):
        text = f"does not belong to type {probe.type}, which has {', '.join(own) or 'no keys of its own'}"
        yield Mistake(key=("probe", position, name), text=text)


def _written(draft: Draft, position: int, probe: ProbeTable) -> set[str]:
    """The known keys that the file writes here, with a wrong value too."""
    wrong = {str(key[2]) for key in draft.broken if key[:2] == ("probe", position) and len(key) > 2}
    return probe.model_fields_set | wrong.intersection(ProbeTable.model_fields)


def _times(draft: Draft, position: int, probe: ProbeTable) -> Iterator[Mistake]:
    key = ("probe", position, "fast_interval")
    intact = draft.is_intact(*key) and draft.is_intact("probe", position, "interval")
    if intact and probe.fast_interval is not None and probe.fast_interval > probe.interval:
        yield Mistake(key=key, text=f"must not be longer than interval ({probe.interval:g}s)")


def _http(draft: Draft, position: int, probe: ProbeTable) -> Iterator[Mistake]:
    if probe.url.lower().startswith("http:"):
        for name in ("tls_server_name", "client_cert_file", "client_key_file"):
            if getattr(probe, name) is not None:
                text = "has no effect with an http:// url: write https:// or leave it out"
                yield Mistake(key=("probe", position, name), text=text)
    is_certain = draft.is_intact("probe", position, "client_cert_file")
    if probe.client_key_file is not None and probe.client_cert_file is None and is_certain:
        text = "needs a client_cert_file beside it: a key alone is shown to nobody"
        yield Mistake(key=("probe", position, "client_key_file"), text=text)
    if probe.ca_file is not None and not probe.tls_verify:
        text = "has no effect with tls_verify = false: keep one of the two"
        yield Mistake(key=("probe", position, "ca_file"), text=text)
    written = {name.lower() for name in probe.headers}
    if probe.bearer_token_file is not None and "authorization" in written:
        text = "must not stand beside an Authorization header: keep one of the two"
        yield Mistake(key=("probe", position, "bearer_token_file"), text=text)


def _peer(draft: Draft, position: int, probe: ProbeTable) -> Iterator[Mistake]:
    if probe.scope is not Scope.HOLDER:
        text = f'must be "holder" for type peer: this member itself is no peer, not {shown(probe.scope)}'
        yield Mistake(key=("probe", position, "scope"), text=text)
    if split_listen(draft.document.server.listen)[1] == 0:
        text = "peer needs a server.listen with a written port: with port 0 no other member knows it"
        yield Mistake(key=("probe", position, "type"), text=text)
