"""The draft of a first configuration file, and its text.

Owns the comments and the order. Everything that the file says is in the draft, or is a default that is shown
as a comment. The whole list of keys is in the example that is installed beside the program.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from eni_failover.errors import EniFailoverError


class Service(StrEnum):
    """Where the probed service runs."""

    EVERYWHERE = "everywhere"
    ACTIVE_ONLY = "active-only"


class UnknownError(EniFailoverError):
    """Something that the file needs was neither written nor found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMember:
    """A member; `address` is empty as long as nobody has told it."""

    name: str
    instance_id: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProbe:
    """A holder probe: its name, which another one may have too, and its keys, of which `type` comes first."""

    name: str
    lines: tuple[tuple[str, str | int], ...]

    @property
    def is_of_the_service(self) -> bool:
        """Whether it asks a service of the probed member: a ping and the daemon's word say nothing of one."""
        target = str(dict(self.lines).get("url") or dict(self.lines).get("host") or "")
        return dict(self.lines)["type"] in {"http", "tcp"} and "{address}" in target


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of a file to be written. `tag` is key and value, `service` where the probed one runs."""

    group: str | None
    enis: tuple[str, ...]
    members: tuple[DraftMember, ...]
    tag: tuple[str, str] | None
    probes: tuple[DraftProbe, ...]
    witnesses: tuple[str, ...]
    service: Service = Service.EVERYWHERE

    @property
    def is_complete(self) -> bool:
        """Whether nobody has to be asked."""
        return bool(self.group and self.enis and self.members) and all(one.address for one in self.members)


_HEAD = """\
# The group {group}. The same file on every member; every key is in
# /opt/eni-failover/share/eni-failover/examples/config.toml.
# A line that begins with # and no space after it is a default: remove the # to change it.
# Then: eni-failover check --offline, and on each member eni-failover check

config_version = 1
group = {quoted}

[eni]
# They move together; the first is the group's lock.
ids = [{enis}]
#device_index = "auto"

# The first member is the primary, which failback prefers. The address is one of the primary ENI, which stays.
"""

_NO_PROBE = """\
# Without a probe only EC2's word (stopped, terminated) starts a takeover. {address} is the probed member's.
# [[probe]]
# name = "web"
# type = "http"
# url = "http://{address}:8080/healthz"

"""

_SELF = """\
# Could this member serve? Each asks itself the same; one whose own service is down takes nothing.
"""

_ACTIVE_ONLY = """\
# The service runs only where the group is active: nothing here says whether this member could start it. A
# program can (disk, licence, data), as an exec probe of scope self; else a broken member takes over, too.
# [[probe]]
# name = "could-serve"
# type = "exec"
# scope = "self"
# command = ["/usr/local/bin/could-serve"]

"""

_TIMES = """\
# The third consecutive down decides: found after interval + (fall - 1) * timeout + timeout at worst.
#interval = "1s"
#timeout = "1s"
#fall = 3
#rise = 2
"""

_POLICY = """\
# "observe": decide and report, but act for an operator only.
#takeover = "automatic"
# "automatic" (needs a probe of scope self): the primary takes back when it has been fit for a while.
#failback = "manual"
# So many automatic takeovers by one member within the window, then it holds and reports.
#max_takeovers = 3
#max_takeovers_window = "1h"
# Force costs the old instance that device index until it is stopped and started. Or "never".
#force_detach_after = "15s"
# "stop": the holder's instance is stopped before the ENI moves.
#fence = "none"

[network]
# "manage": the daemon sets the ENI's link up; "verify": another program does; "auto": whichever is there.
#mode = "auto"

[hooks]
# Programs run after a change of role: absolute path and arguments.
#on_active = []
#on_standby = []
#on_fault = []

[server]
# Another port for each group on one host.
#listen = "{address}:10177"
"""


def render(draft: Draft) -> str:
    """The file. The draft must be complete."""
    parts = [
        _HEAD.format(
            group=draft.group, quoted=_quoted(str(draft.group)), enis=", ".join(map(_quoted, draft.enis))
        )
    ]
    parts += [
        _table("member", (("name", one.name), ("instance_id", one.instance_id), ("address", one.address)))
        for one in draft.members
    ]
    parts += _probes(draft)
    parts.append("[policy]\n")
    if len(draft.probes) > 1:
        parts.append(
            '# How many of the holder probes must be down: "all", "any" or a number.\ndown_when = "all"\n'
        )
    parts.append(_POLICY)
    return "".join(parts)


def _probes(draft: Draft) -> list[str]:
    """The probes, each with a name of its own."""
    if not draft.probes:
        parts = [_NO_PROBE]
    else:
        parts = ["# Is the holder up? Asked by every other member. {address} is the probed member's.\n"]
    used: Counter[str] = Counter()

    def named(name: str) -> str:
        used[name] += 1
        return name if used[name] == 1 else f"{name}-{used[name]}"

    for one in draft.probes:
        parts.append(_table("probe", (("name", named(one.name)), *one.lines), more=_TIMES))
    parts += _self_probes(draft, named)
    if draft.witnesses:
        parts.append("# Am I on the network? With no witness that answers, this member starts nothing.\n")
    for host in draft.witnesses:
        lines = (("name", named("witness")), ("type", "icmp"), ("scope", "witness"), ("host", host))
        parts.append(_table("probe", lines))
    return parts


def _self_probes(draft: Draft, named: Callable[[str], str]) -> list[str]:
    """The holder probes that can be asked of this member too, or what would say that it could serve."""
    asked = [one for one in draft.probes if one.is_of_the_service]
    if not asked:
        return []
    if draft.service is Service.ACTIVE_ONLY:
        return [_ACTIVE_ONLY]
    parts = [_SELF]
    for one in asked:
        (kind, *target) = one.lines
        lines = (("name", named(f"own-{one.name}")), kind, ("scope", "self"), *target)
        parts.append(_table("probe", lines))
    return parts


def _table(name: str, lines: tuple[tuple[str, str | int], ...], *, more: str = "") -> str:
    written = "".join(f"{key} = {_quoted(value)}\n" for key, value in lines)
    return f"[[{name}]]\n{written}{more}\n"


def _quoted(value: str | int) -> str:
    """A value of TOML: its basic strings have JSON's escapes, but no surrogates."""
    return json.dumps(value, ensure_ascii=False)
