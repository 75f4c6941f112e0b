"""Every contradiction between values of the file, in one place (those of one probe: `probe_rules`).

Owns what must hold between keys, and which keys must be written. Runs on a draft with mistakes too:
a rule says nothing about a value that is already reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from eni_failover.config.build import path_of
from eni_failover.config.choices import ALL, ANY
from eni_failover.config.identity import is_like_an_id
from eni_failover.config.mistakes import Mistake
from eni_failover.config.probe_rules import probe_mistakes
from eni_failover.config.reading import Draft
from eni_failover.config.settings import NetworkMode
from eni_failover.config.wording import found, shown
from eni_failover.core.policy import FailbackMode
from eni_failover.core.vocabulary import Scope

CONFIG_VERSION = 1
"""The only `config_version` that this version reads."""

LONGEST_CALL = 60.0
"""Seconds that either part of an EC2 call may take."""

_MEMBER_KEYS = {"name": '"alpha"', "instance_id": '"i-0123456789abcdef0"', "address": '"10.0.1.11"'}
"""What every member must write, and no two alike; with an example of each."""


def contradictions(draft: Draft) -> Iterator[Mistake]:
    """Each mistake that shows only when values are seen together."""
    yield from _top(draft)
    yield from _enis(draft)
    yield from _members(draft)
    for name, example in _MEMBER_KEYS.items():
        yield from _members_differ(draft, name, example)
    yield from _names_are_no_ids(draft)
    yield from probe_mistakes(draft)
    yield from _down_when(draft)
    yield from _failback(draft)
    yield from _timing(draft)
    yield from _aws(draft)
    yield from _network(draft)
    yield from _paths(draft)


def _top(draft: Draft) -> Iterator[Mistake]:
    document = draft.document
    version = document.config_version
    if version != CONFIG_VERSION:
        text = f"must be {CONFIG_VERSION}, the only one that this version reads, not {found(version)}"
        yield Mistake(key=("config_version",), text=text)
    if not document.group and draft.is_intact("group"):
        yield Mistake(key=("group",), text="missing, it names the group: 1 to 63 characters of a-z 0-9 -")


def _enis(draft: Draft) -> Iterator[Mistake]:
    key = ("eni", "ids")
    ids = draft.document.eni.ids
    has_wrong_ids = any(broken[:2] == key for broken in draft.broken)
    if not ids and not has_wrong_ids and draft.is_intact(*key):
        yield Mistake(key=key, text='must list one ENI or more, such as ["eni-0123456789abcdef0"]')
    for eni_id, count in Counter(ids).items():
        if count > 1:
            yield Mistake(key=key, text=f"must not list {eni_id} {count} times: each ENI once")


def _members(draft: Draft) -> Iterator[Mistake]:
    document = draft.document
    if not draft.is_intact("member") or not draft.is_intact("discovery"):
        return
    if document.discovery is not None and document.member:
        text = "must not stand beside [[member]]: members are listed or discovered, keep one of the two"
        yield Mistake(key=("discovery",), text=text)
    if document.discovery is None and not document.member:
        text = "none is listed, a group has two or more: write [[member]] for each, or [discovery]"
        yield Mistake(key=("member",), text=text)
    if len(document.member) == 1:
        text = "only one is listed, a group has two or more: write [[member]] for each"
        yield Mistake(key=("member",), text=text)


def _members_differ(draft: Draft, name: str, example: str) -> Iterator[Mistake]:
    """Every member writes this key, and each another value."""
    first: dict[str, int] = {}
    for position, member in enumerate(draft.document.member):
        key = ("member", position, name)
        value: str = getattr(member, name)
        if not draft.is_intact(*key):
            continue
        if not value:
            yield Mistake(key=key, text=f"missing, every member has one, such as {example}")
        elif value in first:
            text = f"{shown(value)} is that of member[{first[value]}] already: each member has its own"
            yield Mistake(key=key, text=text)
        else:
            first[value] = position


def _names_are_no_ids(draft: Draft) -> Iterator[Mistake]:
    """Who reads a name must not take it for another instance."""
    for position, member in enumerate(draft.document.member):
        key = ("member", position, "name")
        if draft.is_intact(*key) and is_like_an_id(member.name) and member.name != member.instance_id:
            text = f"{shown(member.name)} looks like the id of another instance: give this member a name"
            yield Mistake(key=key, text=text)


def _down_when(draft: Draft) -> Iterator[Mistake]:
    """`down_when` against the number of holder probes; silent while that number is not certain."""
    policy = draft.document.policy
    key = ("policy", "down_when")
    if not _are_scopes_certain(draft) or not draft.is_intact(*key):
        return
    count = sum(probe.scope is Scope.HOLDER for probe in draft.document.probe)
    wanted = policy.down_when
    if "down_when" not in policy.model_fields_set:
        if count > 1:
            text = f'missing, {count} holder probes need it: "all", "any" or 1 to {count} of them'
            yield Mistake(key=key, text=text)
    elif count == 0:
        text = "must not be written without a probe of scope holder: nothing could be down"
        yield Mistake(key=key, text=text)
    elif isinstance(wanted, int) and wanted > count:
        text = f'must be "{ALL}", "{ANY}" or 1 to {count}, the number of holder probes, not {found(wanted)}'
        yield Mistake(key=key, text=text)


def _failback(draft: Draft) -> Iterator[Mistake]:
    wanted = draft.document.policy.failback is FailbackMode.AUTOMATIC
    has_self = any(probe.scope is Scope.SELF for probe in draft.document.probe)
    if wanted and not has_self and _are_scopes_certain(draft):
        text = (
            '"automatic" needs a probe of scope self: without one nothing says that the primary is fit again'
        )
        yield Mistake(key=("policy", "failback"), text=text)


def _timing(draft: Draft) -> Iterator[Mistake]:
    """Only what is written contradicts: a short observe_interval alone, as in a trial, is no mistake."""
    key = ("timing", "move_interval")
    timing = draft.document.timing
    is_certain = draft.is_intact(*key) and draft.is_intact("timing", "observe_interval")
    if (
        is_certain
        and "move_interval" in timing.model_fields_set
        and timing.move_interval > timing.observe_interval
    ):
        longest, wanted = f"{timing.observe_interval:g}s", f"{timing.move_interval:g}s"
        yield Mistake(key=key, text=f"must not be longer than observe_interval ({longest}), not {wanted}")


def _aws(draft: Draft) -> Iterator[Mistake]:
    for name in ("connect_timeout", "read_timeout"):
        key = ("aws", name)
        if draft.is_intact(*key) and getattr(draft.document.aws, name) > LONGEST_CALL:
            text = f"must be {LONGEST_CALL:g}s at most: a call that hangs holds up the takeover for so long"
            yield Mistake(key=key, text=text)


def _network(draft: Draft) -> Iterator[Mistake]:
    network = draft.document.network
    if network.mode is not NetworkMode.OFF:
        return
    if network.path_check:
        text = 'has no effect with mode = "off", which looks at no link: keep one of the two'
        yield Mistake(key=("network", "path_check"), text=text)
    if network.ipv6_router:
        text = 'has no effect with mode = "off", which sets no link up: keep one of the two'
        yield Mistake(key=("network", "ipv6_router"), text=text)


def _paths(draft: Draft) -> Iterator[Mistake]:
    """Socket, role file and state directory each have a place that the others leave them."""
    group = draft.document.group
    control, state = draft.document.control, draft.document.state
    files = {
        name: path_of(control, name, group)
        for name in ("socket", "role_file")
        if draft.is_intact("control", name)
    }
    places = {("control", name): file for name, file in files.items()}
    if draft.is_intact("state", "directory"):
        places["state", "directory"] = path_of(state, "directory", group)
    if len(set(files.values())) < len(files):
        yield Mistake(key=("control", "role_file"), text="must be another path than control.socket")
    for name, file in files.items():
        if file == places.get(("state", "directory")):
            yield Mistake(key=("control", name), text="must be another path than state.directory")
    for key, place in places.items():
        for name, file in files.items():
            if file in place.parents:
                yield Mistake(key=key, text=f"must not be below control.{name}, which is a file")


def _are_scopes_certain(draft: Draft) -> bool:
    """Whether the number of probes of each scope is what the user meant."""
    positions = range(len(draft.document.probe))
    return draft.is_intact("probe") and all(draft.is_intact("probe", at, "scope") for at in positions)
