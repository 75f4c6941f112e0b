from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.adapters.probes.spec import (
    ExecSettings,
    HttpSettings,
    IcmpSettings,
    PeerSettings,
    ProbeSettings,
    ProbeSpec,
    TcpSettings,
)
from eni_failover.config import (
    AwsSettings,
    Config,
    DiscoverySettings,
    HookSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    NetworkMode,
    NetworkSettings,
    load,
)
from eni_failover.core.policy import (
    EniId,
    FailbackMode,
    FenceMode,
    InstanceId,
    Member,
    MemberName,
    ProbePolicy,
    TakeoverMode,
)
from eni_failover.core.vocabulary import ProbeType, Scope
from tests.pair_file import MEMBERS as MEMBERS_TEXT

MEMBERS = (
    Member(name=MemberName("alpha"), instance_id=InstanceId("i-0aaaaaaaaaaaaaaa1"), address="10.0.1.11"),
    Member(name=MemberName("beta"), instance_id=InstanceId("i-0bbbbbbbbbbbbbbb2"), address="10.0.1.12"),
)


def defaults(path, **other):
    """What the documentation says that a minimal file means, with these values instead."""
    values = {
        "path": path,
        "group": "orders",
        "eni_ids": (EniId("eni-0ffffffffffffff01"),),
        "device_index": None,
        "members": MEMBERS,
        "discovery": None,
        "probes": (),
        "down_needed": 1,
        "takeover": TakeoverMode.AUTOMATIC,
        "failback": FailbackMode.MANUAL,
        "failback_delay": 60.0,
        "cooldown": 60.0,
        "max_takeovers": 3,
        "max_takeovers_window": 3600.0,
        "stagger": 2.0,
        "unproven_grace": 300.0,
        "force_detach_after": 15.0,
        "startup_grace": 0.0,
        "fence": FenceMode.NONE,
        "observe_interval": 10.0,
        "idle_interval": 120.0,
        "move_interval": 0.25,
        "max_loop_lag": 1.0,
        "aws": AwsSettings(connect_timeout=1.0, read_timeout=4.0),
        "network": NetworkSettings(mode=NetworkMode.AUTO, path_check=False, ipv6_router=""),
        "hooks": HookSettings(on_active=(), on_standby=(), on_fault=(), notify=(), timeout=30.0),
        "listen": "{address}:10177",
        "socket": Path("/run/eni-failover/orders.sock"),
        "role_file": Path("/run/eni-failover/orders.role"),
        "state_directory": Path("/var/lib/eni-failover/orders"),
        "log": LogSettings(format=LogFormat.AUTO, level=LogLevel.INFO),
        "warnings": (),
    }
    return Config(**{**values, **other})


def policy(name, kind, scope=Scope.HOLDER, **other):
    times = {"interval": 1.0, "fast_interval": 1.0, "timeout": 1.0, "fall": 3, "rise": 2}
    return ProbePolicy(name=name, type=kind, scope=scope, **{**times, **other})


def test_minimal_file(configs):
    """A file with nothing but what is required means the documented defaults."""
    path = configs / "good_minimal.toml"

    config = load(path, {})

    assert defaults(path, config_hash=config.config_hash, file_hash=config.file_hash) == config


def asked(policy: ProbePolicy, settings: ProbeSettings) -> ProbeSpec:
    """A probe whose policy has its settings, as the core compares questions."""
    return ProbeSpec(policy=replace(policy, settings=settings), settings=settings)


def test_documented_file(configs):
    """The documentation's example is what a file without those lines means, <group> in paths apart."""
    path = configs / "good_documented.toml"

    config = load(path, {})

    expected = defaults(
        path,
        eni_ids=(EniId("eni-0ffffffffffffff0"),),
        probes=(
            asked(
                policy=policy("web", ProbeType.HTTP),
                settings=HttpSettings(url="http://{address}:8080/healthz"),
            ),
        ),
        socket=Path("/run/eni-failover/<group>.sock"),
        role_file=Path("/run/eni-failover/<group>.role"),
        state_directory=Path("/var/lib/eni-failover/<group>"),
        config_hash=config.config_hash,
        file_hash=config.file_hash,
        warnings=config.warnings,
    )
    assert expected == config


def test_file_with_every_key(configs):
    """Every key of the file reaches the place where the program reads it."""
    path = configs / "good_every_key.toml"

    config = load(path, {})

    expected = Config(
        path=path,
        group="billing-7",
        eni_ids=(EniId("eni-0ffffffffffffff01"), EniId("eni-12345678")),
        device_index=3,
        members=(
            Member(
                name=MemberName("alpha.1"),
                instance_id=InstanceId("i-0aaaaaaaaaaaaaaa1"),
                address="db-1.example.org",
            ),
            Member(name=MemberName("beta_2"), instance_id=InstanceId("i-12345678"), address="fd00::2"),
            Member(
                name=MemberName("Gamma-3"),
                instance_id=InstanceId("i-0ccccccccccccccc3"),
                address="10.0.1.13",
            ),
        ),
        discovery=None,
        probes=(
            asked(
                policy=policy(
                    "web", ProbeType.HTTP, interval=1.5, fast_interval=0.5, timeout=3.0, fall=5, rise=4
                ),
                settings=HttpSettings(
                    url="https://[{address}]:8443/healthz?of={member}",
                    method="HEAD",
                    headers=(("Host", "{instance_id}.example.org"), ("X-Try", '{"a": 1}')),
                    bearer_token_file=Path("/etc/eni-failover/token"),
                    expect_status=((200, 299), (404, 404), (429, 429)),
                    expect_body='"status":\\s*"(ok|{fine})"',
                    tls_verify=True,
                    tls_server_name="{member}.example.org",
                    ca_file=Path("/etc/ssl/ca.pem"),
                    client_cert_file=Path("/etc/ssl/client.pem"),
                    client_key_file=Path("/etc/ssl/client.key"),
                    follow_redirects=True,
                ),
            ),
            asked(
                policy=policy("unsafe", ProbeType.HTTP),
                settings=HttpSettings(url="https://{address}/", tls_verify=False),
            ),
            asked(policy=policy("db", ProbeType.TCP), settings=TcpSettings(host="{address}", port=5432)),
            asked(policy=policy("echo", ProbeType.ICMP), settings=IcmpSettings(host="{member}.example.org")),
            asked(
                policy=policy("daemon", ProbeType.PEER),
                settings=PeerSettings(url="http://{address}:10199/status", group="billing-7"),
            ),
            asked(
                policy=policy("disk", ProbeType.EXEC, Scope.SELF),
                settings=ExecSettings(command=("/usr/local/bin/disk", '--json={"a": 1}', "{ print }")),
            ),
            asked(
                policy=policy("gateway", ProbeType.ICMP, Scope.WITNESS),
                settings=IcmpSettings(host="10.0.1.1"),
            ),
        ),
        down_needed=2,
        takeover=TakeoverMode.OBSERVE,
        failback=FailbackMode.AUTOMATIC,
        failback_delay=0.0,
        cooldown=0.0,
        max_takeovers=1,
        max_takeovers_window=86400.0,
        stagger=0.0,
        unproven_grace=0.0,
        force_detach_after=None,
        startup_grace=90.0,
        fence=FenceMode.STOP,
        observe_interval=20.0,
        idle_interval=300.0,
        move_interval=1.0,
        max_loop_lag=2.5,
        aws=AwsSettings(connect_timeout=2.0, read_timeout=10.0),
        network=NetworkSettings(mode=NetworkMode.VERIFY, path_check=True, ipv6_router="fe80::1"),
        hooks=HookSettings(
            on_active=("/usr/local/bin/active", "--now"),
            on_standby=("/usr/local/bin/standby",),
            on_fault=("/usr/local/bin/fault",),
            notify=("/usr/local/bin/notify",),
            timeout=120.0,
        ),
        listen="0.0.0.0:10199",
        socket=Path("/run/other.sock"),
        role_file=Path("/run/other.role"),
        state_directory=Path("/srv/state"),
        log=LogSettings(format=LogFormat.JSON, level=LogLevel.DEBUG),
        config_hash=config.config_hash,
        file_hash=config.file_hash,
        warnings=(),
    )
    assert expected == config


def test_discovery(configs):
    """[discovery] alone means the documented tag and no members yet."""
    config = load(configs / "good_discovery.toml", {})

    assert DiscoverySettings(tag="eni-failover-group") == config.discovery
    assert config.members == ()


def test_fast_interval_follows_interval(config_of):
    """Without fast_interval a probe keeps its interval."""
    config = config_of('[[probe]]\nname = "a"\ntype = "icmp"\nhost = "{address}"\ninterval = "7s"\n')

    assert config.probes[0].policy.fast_interval == 7.0


def test_hashes_are_of_the_meaning(configs):
    """Comments, order of keys, written defaults and spelling change neither hash."""
    one = load(configs / "good_minimal.toml", {})
    other = load(configs / "good_other_spelling.toml", {})

    assert one.config_hash == other.config_hash
    assert one.file_hash == other.file_hash


ALPHA_AND_BETA = "\n" + MEMBERS_TEXT
BETA_AND_ALPHA = """
[[member]]
name = "beta"
instance_id = "i-0bbbbbbbbbbbbbbb2"
address = "10.0.1.12"
[[member]]
name = "alpha"
instance_id = "i-0aaaaaaaaaaaaaaa1"
address = "10.0.1.11"
"""


@pytest.mark.parametrize(
    "members",
    [
        BETA_AND_ALPHA,
        ALPHA_AND_BETA.replace("10.0.1.12", "10.0.1.13"),
        ALPHA_AND_BETA.replace("bbb2", "bbb3"),
        "device_index = 2\n" + ALPHA_AND_BETA,
        "[discovery]\n",
        '[discovery]\ntag = "other"\n',
    ],
)
def test_config_hash_sees_enis_and_members(config_of, members):
    """Another member, another order of members or another device index is another config hash."""
    seen = {config_of().config_hash, config_of(members=members).config_hash}

    assert len(seen) == 2


def test_the_name_of_a_member_is_no_part_of_it(config_of):
    """Names are for people: two members may call a third differently, and still agree on the group."""
    renamed = config_of(members=ALPHA_AND_BETA.replace("beta", "gamma"))

    assert renamed.config_hash == config_of().config_hash


def test_config_hash_tells_discoveries_apart(config_of):
    """Two tags are two config hashes."""
    seen = {config_of(members=f'[discovery]\ntag = "{tag}"\n').config_hash for tag in ("one", "two")}

    assert len(seen) == 2


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ('[policy]\ncooldown = "1s"\n', {}),
        ('[server]\nlisten = "{address}:1"\n', {}),
        ('[hooks]\nnotify = ["/bin/true"]\n', {}),
        ('[[probe]]\nname = "a"\ntype = "icmp"\nhost = "{address}"\n', {}),
        ("", {"ENI_FAILOVER_LOG_LEVEL": "debug"}),
    ],
)
def test_only_the_file_hash_sees_the_rest(config_of, text, env):
    """Any other effective change is another file hash and the same config hash."""
    one, other = config_of(), config_of(text, env=env)

    assert one.config_hash == other.config_hash
    assert one.file_hash != other.file_hash


def test_hashes_are_short_hexadecimal(config_of):
    """A hash is 12 hexadecimal digits, the same in every version and process."""
    config = config_of()

    assert config.config_hash == "bee6c008e414"
    assert len(config.file_hash) == 12


@pytest.mark.parametrize(
    ("timing", "seconds"),
    [
        ("", 120.0),
        ('observe_interval = "500ms"', 6.0),
        ('observe_interval = "30s"', 120.0),
        ('observe_interval = "500ms"\nidle_interval = "5m"', 300.0),
    ],
)
def test_an_idle_interval_that_is_not_written_follows_the_other_one(config_of, timing, seconds):
    """Twelve of them, two minutes at most."""
    assert config_of(f"[timing]\n{timing}\n").idle_interval == seconds
