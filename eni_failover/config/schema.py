"""Every table and key of the file: its type, its default, its unit, and why one would change it.

Owns the defaults: a value that the file does not write comes from here and from nowhere else. What a
value must look like is in `durations`, `identity`, `targets`, `http_request` and `choices`; what
must hold between values is in `rules`. The line below a key says why one would change it; what the key means
stands once, in deploy/examples/config.toml. `make docs` puts both into docs/configuration.md.

A key that must be written has an empty default, so that a file with mistakes can still be read to
its end; `rules` asks pydantic which keys were written. Nothing outside this package sees these types.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from eni_failover.config import choices, durations, http_request, identity, targets
from eni_failover.config.settings import LogFormat, LogLevel, NetworkMode
from eni_failover.core.policy import FailbackMode, FenceMode, TakeoverMode
from eni_failover.core.vocabulary import ProbeType, Scope

Duration = Annotated[float, PlainValidator(durations.seconds)]
PositiveDuration = Annotated[float, PlainValidator(durations.positive_seconds)]
Count = Annotated[int, Field(ge=1, le=1000)]
# TOML has lists, values have tuples: only here is a list taken for a tuple.
Words = Annotated[tuple[str, ...], Field(strict=False)]
HookArgv = Annotated[Words, AfterValidator(identity.hook_argv)]
AbsolutePath = Annotated[Path, PlainValidator(identity.absolute_path)]


class Table(BaseModel):
    """A table of the file: an unknown key and a value of another type are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EniTable(Table):
    """[eni]: what moves."""

    ids: Annotated[tuple[Annotated[str, AfterValidator(identity.eni_id)], ...], Field(strict=False)] = ()
    device_index: Annotated[int | None, PlainValidator(choices.device_index)] = None
    """Write one where the guest names its links by it."""


class MemberTable(Table):
    """[[member]]: an instance that may hold the ENIs. All three are required."""

    name: Annotated[str, AfterValidator(identity.member_name)] = ""
    instance_id: Annotated[str, AfterValidator(identity.instance_id)] = ""
    address: Annotated[str, AfterValidator(identity.address)] = ""


class DiscoveryTable(Table):
    """[discovery]: members that come and go, found by a tag whose value is the group's name."""

    tag: Annotated[str, AfterValidator(identity.tag_key)] = "eni-failover-group"


class ProbeTable(Table):
    """[[probe]]: one question, asked again and again. Durations in seconds. Keys by type: `probe_rules`."""

    name: Annotated[str, AfterValidator(identity.plain_name)] = ""
    type: Annotated[ProbeType | None, PlainValidator(choices.one_of(ProbeType))] = None
    scope: Annotated[Scope, PlainValidator(choices.one_of(Scope))] = Scope.HOLDER
    interval: PositiveDuration = 1.0
    """Shorter: found sooner, at the price of more requests."""
    fast_interval: PositiveDuration | None = None
    """Shorter: few requests while all is well, and a fast verdict when it is not."""
    timeout: PositiveDuration = 1.0
    """Longer than the slowest healthy answer."""
    fall: Count = 3
    """More: fewer false alarms, found later."""
    rise: Count = 2
    """More: a service that comes and goes is trusted later."""
    host: Annotated[str, AfterValidator(targets.host)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 0
    command: Annotated[Words, AfterValidator(identity.argv)] = ()
    url: Annotated[str, AfterValidator(targets.url)] = ""
    method: Annotated[str, AfterValidator(http_request.method)] = "GET"
    """"HEAD" where the body is large and does not matter."""
    headers: Annotated[dict[str, str], AfterValidator(http_request.headers)] = Field(default_factory=dict)
    bearer_token_file: AbsolutePath | None = None
    expect_status: Annotated[tuple[tuple[int, int], ...], PlainValidator(http_request.statuses)] = (
        (200, 399),
    )
    expect_body: Annotated[str, AfterValidator(http_request.pattern)] | None = None
    tls_verify: bool = True
    """`false` where nobody can vouch for the certificate."""
    tls_server_name: Annotated[str, AfterValidator(targets.server_name)] | None = None
    ca_file: AbsolutePath | None = None
    client_cert_file: AbsolutePath | None = None
    client_key_file: AbsolutePath | None = None
    follow_redirects: bool = False


class PolicyTable(Table):
    """[policy]: when a member acts. Durations in seconds."""

    down_when: Annotated[int | str, PlainValidator(choices.down_when)] = choices.ALL
    """"any" where each of them is vital; "all" where a move should need every one of them."""
    takeover: Annotated[TakeoverMode, PlainValidator(choices.one_of(TakeoverMode))] = TakeoverMode.AUTOMATIC
    """To see for a while what would have happened."""
    failback: Annotated[FailbackMode, PlainValidator(choices.one_of(FailbackMode))] = FailbackMode.MANUAL
    """Where the primary is the better place (a larger instance), and one more gap is worth it."""
    failback_delay: Duration = 60.0
    """Longer: the primary proves itself for longer before it takes back."""
    cooldown: Duration = 60.0
    """Longer than the service's start."""
    max_takeovers: Count = 3
    """More where a short outage costs more than a move that does not help."""
    max_takeovers_window: PositiveDuration = 3600.0
    """Longer: rare failures count together as well."""
    stagger: Duration = 2.0
    """Longer where the standbys see a failure at very different times."""
    unproven_grace: Duration = 300.0
    """Longer than the service's slowest start."""
    force_detach_after: Annotated[float | None, PlainValidator(durations.seconds_or_never)] = 15.0
    """Where a stuck detach should wait for an operator: force has a price for the old host."""
    startup_grace: Duration = 0.0
    """Longer where the services start after the daemon."""
    fence: Annotated[FenceMode, PlainValidator(choices.one_of(FenceMode))] = FenceMode.NONE
    """"stop" where two hosts that both think they hold would do harm."""


class TimingTable(Table):
    """[timing]: the daemon's own rhythm, in seconds."""

    observe_interval: PositiveDuration = 10.0
    """Longer: fewer EC2 calls, and a holder that EC2 reports as stopped is noticed later."""
    idle_interval: PositiveDuration = 120.0
    """Longer: fewer EC2 calls, and what is changed by hand in EC2 is noticed later."""
    move_interval: PositiveDuration = 0.25
    """Longer where many groups share the account's request quota."""
    max_loop_lag: PositiveDuration = 1.0
    """Longer on a host that stalls for that long in health."""


class AwsTable(Table):
    """[aws]: limits of one EC2 call, in seconds."""

    connect_timeout: PositiveDuration = 1.0
    """Longer where EC2 is reached by a slow way, such as a proxy; 60s at most."""
    read_timeout: PositiveDuration = 4.0
    """Longer where EC2 is reached by a slow way, such as a proxy; 60s at most."""


class NetworkTable(Table):
    """[network]: what is done about the link of an attached ENI."""

    mode: Annotated[NetworkMode, PlainValidator(choices.one_of(NetworkMode))] = NetworkMode.AUTO
    path_check: bool = False
    ipv6_router: Annotated[str, AfterValidator(targets.ipv6_router)] = ""


class HooksTable(Table):
    """[hooks]: programs run after a change of role; an empty list is none."""

    on_active: HookArgv = ()
    on_standby: HookArgv = ()
    on_fault: HookArgv = ()
    notify: HookArgv = ()
    timeout: PositiveDuration = 30.0
    """Longer than the slowest of them."""


class ServerTable(Table):
    """[server]: the read-only HTTP side."""

    listen: Annotated[str, AfterValidator(targets.listen)] = "{address}:10177"
    """Another host to be reached by others than the members."""


class ControlTable(Table):
    """[control]: files for local programs. The group's name takes the place of <group> in a default."""

    socket: Annotated[Path, PlainValidator(identity.socket_path)] = Path("/run/eni-failover/<group>.sock")
    role_file: AbsolutePath = Path("/run/eni-failover/<group>.role")


class StateTable(Table):
    """[state]: what outlives a restart. The group's name takes the place of <group> in the default."""

    directory: AbsolutePath = Path("/var/lib/eni-failover/<group>")


class LogTable(Table):
    """[log]: what is logged, and how."""

    format: Annotated[LogFormat, PlainValidator(choices.one_of(LogFormat))] = LogFormat.AUTO
    level: Annotated[LogLevel, PlainValidator(choices.one_of(LogLevel))] = LogLevel.INFO


class Document(Table):
    """The whole file."""

    config_version: int = 1
    group: Annotated[str, AfterValidator(identity.group_name)] = ""
    eni: EniTable = EniTable()
    member: Annotated[tuple[MemberTable, ...], Field(strict=False)] = ()
    discovery: DiscoveryTable | None = None
    probe: Annotated[tuple[ProbeTable, ...], Field(strict=False)] = ()
    policy: PolicyTable = PolicyTable()
    timing: TimingTable = TimingTable()
    aws: AwsTable = AwsTable()
    network: NetworkTable = NetworkTable()
    hooks: HooksTable = HooksTable()
    server: ServerTable = ServerTable()
    control: ControlTable = ControlTable()
    state: StateTable = StateTable()
    log: LogTable = LogTable()


TABLES: Mapping[str, type[Table]] = {
    "eni": EniTable,
    "member": MemberTable,
    "discovery": DiscoveryTable,
    "probe": ProbeTable,
    "policy": PolicyTable,
    "timing": TimingTable,
    "aws": AwsTable,
    "network": NetworkTable,
    "hooks": HooksTable,
    "server": ServerTable,
    "control": ControlTable,
    "state": StateTable,
    "log": LogTable,
}
"""The tables by the names of their headers."""

REPEATED = frozenset({"member", "probe"})
"""The tables written [[so]], once for each."""
