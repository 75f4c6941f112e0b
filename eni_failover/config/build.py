"""From a document without mistakes to the `Config` that the program uses.

Owns what follows from several values: default paths, down_needed, peer URLs, the two hashes. Finds
no mistakes: `reading` and `rules` have.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from eni_failover.adapters.probes.spec import (
    ExecSettings,
    HttpSettings,
    IcmpSettings,
    PeerSettings,
    ProbeSettings,
    ProbeSpec,
    TcpSettings,
)
from eni_failover.config.choices import ALL
from eni_failover.config.schema import (
    Document,
    HooksTable,
    MemberTable,
    NetworkTable,
    PolicyTable,
    ProbeTable,
    Table,
    TimingTable,
)
from eni_failover.config.settings import (
    AwsSettings,
    Config,
    DiscoverySettings,
    HookSettings,
    LogLevel,
    LogSettings,
    NetworkSettings,
)
from eni_failover.config.targets import status_url
from eni_failover.core.policy import EniId, InstanceId, Member, MemberName, ProbePolicy
from eni_failover.core.vocabulary import ProbeType, Scope
from eni_failover.errors import InvariantError

GROUP = "<group>"
"""What the group's name takes the place of in a default path; in a written path it stands for itself."""

IDLE_INTERVALS = 12  # of observe_interval, where idle_interval is not written: 2 minutes by default

_HASH_LENGTH = 12


def build(document: Document, *, path: Path, level: LogLevel | None) -> Config:
    """The configuration without its warnings. `level`, if any, takes the place of the file's."""
    policy, timing, log = document.policy, document.timing, document.log
    discovery = None if document.discovery is None else DiscoverySettings(tag=document.discovery.tag)
    config = Config(
        path=path,
        group=document.group,
        eni_ids=tuple(EniId(one) for one in document.eni.ids),
        device_index=document.eni.device_index,
        members=tuple(_member(one) for one in document.member),
        discovery=discovery,
        probes=tuple(_spec(one, document) for one in document.probe),
        down_needed=_down_needed(policy, document.probe),
        takeover=policy.takeover,
        failback=policy.failback,
        failback_delay=policy.failback_delay,
        cooldown=policy.cooldown,
        max_takeovers=policy.max_takeovers,
        max_takeovers_window=policy.max_takeovers_window,
        stagger=policy.stagger,
        unproven_grace=policy.unproven_grace,
        force_detach_after=policy.force_detach_after,
        startup_grace=policy.startup_grace,
        fence=policy.fence,
        observe_interval=timing.observe_interval,
        idle_interval=_idle_interval(timing),
        move_interval=timing.move_interval,
        max_loop_lag=timing.max_loop_lag,
        aws=AwsSettings(connect_timeout=document.aws.connect_timeout, read_timeout=document.aws.read_timeout),
        network=_network(document.network),
        hooks=_hooks(document.hooks),
        listen=document.server.listen,
        socket=path_of(document.control, "socket", document.group),
        role_file=path_of(document.control, "role_file", document.group),
        state_directory=path_of(document.state, "directory", document.group),
        log=LogSettings(format=log.format, level=level or log.level),
        config_hash="",
        file_hash="",
        warnings=(),
    )
    return replace(config, config_hash=_config_hash(config), file_hash=_file_hash(config))


def _member(table: MemberTable) -> Member:
    return Member(
        name=MemberName(table.name),
        instance_id=InstanceId(table.instance_id),
        address=table.address,
    )


def _network(table: NetworkTable) -> NetworkSettings:
    return NetworkSettings(mode=table.mode, path_check=table.path_check, ipv6_router=table.ipv6_router)


def _hooks(table: HooksTable) -> HookSettings:
    return HookSettings(
        on_active=table.on_active,
        on_standby=table.on_standby,
        on_fault=table.on_fault,
        notify=table.notify,
        timeout=table.timeout,
    )


def _idle_interval(timing: TimingTable) -> float:
    """As written; else so many observe intervals, that who wants news soon gets them soon."""
    if "idle_interval" in timing.model_fields_set:
        return timing.idle_interval
    return min(timing.idle_interval, IDLE_INTERVALS * timing.observe_interval)


def _down_needed(policy: PolicyTable, probes: tuple[ProbeTable, ...]) -> int:
    """Never 0: without holder probes nothing may count as down."""
    if isinstance(policy.down_when, int):
        return policy.down_when
    holder = sum(probe.scope is Scope.HOLDER for probe in probes)
    return max(1, holder) if policy.down_when == ALL else 1


def path_of(table: Table, name: str, group: str) -> Path:
    """The path under this key, a default with the group's name in it."""
    value: Path = getattr(table, name)
    return value if name in table.model_fields_set else Path(str(value).replace(GROUP, group))


def _spec(table: ProbeTable, document: Document) -> ProbeSpec:
    if table.type is None:
        raise InvariantError(f"probe {table.name} was built without a type")
    settings = _settings(table.type, table, document)
    policy = ProbePolicy(
        name=table.name,
        type=table.type,
        scope=table.scope,
        interval=table.interval,
        fast_interval=table.interval if table.fast_interval is None else table.fast_interval,
        timeout=table.timeout,
        fall=table.fall,
        rise=table.rise,
        settings=settings,
    )
    return ProbeSpec(policy=policy, settings=settings)


def _settings(kind: ProbeType, table: ProbeTable, document: Document) -> ProbeSettings:
    match kind:
        case ProbeType.TCP:
            return TcpSettings(host=table.host, port=table.port)
        case ProbeType.HTTP:
            return HttpSettings(
                url=table.url,
                method=table.method,
                headers=tuple(table.headers.items()),
                bearer_token_file=table.bearer_token_file,
                expect_status=table.expect_status,
                expect_body=table.expect_body,
                tls_verify=table.tls_verify,
                tls_server_name=table.tls_server_name,
                ca_file=table.ca_file,
                client_cert_file=table.client_cert_file,
                client_key_file=table.client_key_file,
                follow_redirects=table.follow_redirects,
            )
        case ProbeType.ICMP:
            return IcmpSettings(host=table.host)
        case ProbeType.EXEC:
            return ExecSettings(command=table.command)
        case ProbeType.PEER:
            return PeerSettings(url=status_url(document.server.listen), group=document.group)


def _config_hash(config: Config) -> str:
    """Over [eni] and [[member]] or [discovery]; the order of ENIs and of members has a meaning."""
    return _hash(
        {
            "eni_ids": config.eni_ids,
            "device_index": config.device_index,
            "members": [(member.instance_id, member.address) for member in config.members],
            "discovery": None if config.discovery is None else asdict(config.discovery),
        }
    )


def _file_hash(config: Config) -> str:
    """Over all that has an effect: not where the file lies, nor the lines told about it."""
    no_effect = {"path", "config_hash", "file_hash", "warnings"}
    return _hash({name: value for name, value in asdict(config).items() if name not in no_effect})


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
