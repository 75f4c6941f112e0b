from dataclasses import replace

import pytest

from eni_failover.core.policy import (
    EniId,
    FailbackMode,
    FenceMode,
    InstanceId,
    Member,
    Policy,
    TakeoverMode,
)
from eni_failover.errors import ConfigError

TWO_PROBES = """
[[probe]]
name = "web"
type = "http"
url = "http://{address}/"
[[probe]]
name = "db"
type = "tcp"
host = "{address}"
port = 5432
[[probe]]
name = "disk"
type = "exec"
scope = "self"
command = ["disk"]
"""


ALPHA = InstanceId("i-0aaaaaaaaaaaaaaa1")
BETA = InstanceId("i-0bbbbbbbbbbbbbbb2")


def test_policy_of_a_member(config_of):
    """The core's policy is the file's, seen by one member; times in seconds."""
    config = config_of()

    policy = config.policy_for(BETA)

    expected = Policy(
        group="orders",
        me=config.members[1],
        members=config.members,
        eni_ids=(EniId("eni-0ffffffffffffff01"),),
        device_index=None,
        probes=(),
        down_needed=1,
        takeover=TakeoverMode.AUTOMATIC,
        failback=FailbackMode.MANUAL,
        failback_delay=60.0,
        cooldown=60.0,
        max_takeovers=3,
        max_takeovers_window=3600.0,
        stagger=2.0,
        unproven_grace=300.0,
        force_detach_after=15.0,
        startup_grace=0.0,
        fence=FenceMode.NONE,
        observe_interval=10.0,
        idle_interval=120.0,
        move_interval=0.25,
        max_loop_lag=1.0,
        call_timeout=5.0,
        config_hash=config.config_hash,
    )
    assert expected == policy
    assert policy.me is config.members[1]


def test_policy_of_nobody(config_of, file):
    """Whoever is not in the file has no policy; the error names those who are."""
    config = config_of()

    with pytest.raises(ConfigError) as caught:
        config.policy_for(InstanceId("i-0ccccccccccccccc3"))

    assert caught.value.problems == (
        f"{file}: no [[member]] is i-0ccccccccccccccc3, the file lists: {ALPHA}, {BETA}",
    )


@pytest.mark.parametrize(("written", "expected"), [('"all"', 2), ('"any"', 1), ("2", 2), ("1", 1)])
def test_down_needed(config_of, written, expected):
    """`down_when` is a number of holder probes for the core; self probes do not count."""
    config = config_of(TWO_PROBES + f"[policy]\ndown_when = {written}\n")

    assert expected == config.down_needed
    assert [probe.policy for probe in config.probes] == list(config.policy_for(ALPHA).probes)


def test_extent(config_of):
    """Members and ENIs are counted; members that only EC2 can tell are not called none."""
    discovered = config_of(members='[discovery]\ntag = "team"\n')
    two = replace(config_of(), eni_ids=(EniId("eni-1"), EniId("eni-2")))

    assert config_of().extent == "2 members, 1 ENI"
    assert two.extent == "2 members, 2 ENIs"
    assert discovered.extent == "members by the tag team, 1 ENI"
    assert replace(discovered, members=two.members[:1]).extent == "1 member, 1 ENI"


@pytest.mark.parametrize(
    ("listen", "address", "expected"),
    [
        ("{address}:10177", "10.0.1.11", ("10.0.1.11", 10177)),
        ("{address}:10177", "fd00::1", ("fd00::1", 10177)),
        ("[{address}]:0", "fd00::1", ("fd00::1", 0)),
        ("[::]:99", "10.0.1.11", ("::", 99)),
        ("0.0.0.0:99", "10.0.1.11", ("0.0.0.0", 99)),
    ],
)
def test_listen_at(config_of, listen, address, expected):
    """Where a member listens is its own address unless another one is written; no brackets are left."""
    config = config_of(f'[server]\nlisten = "{listen}"\n')

    assert expected == config.listen_at(address)


@pytest.mark.parametrize(
    ("listen", "address", "expected"),
    [
        ("{address}:10177", "10.0.1.11", "http://10.0.1.11:10177/status"),
        ("{address}:10177", "fd00::1", "http://[fd00::1]:10177/status"),
        ("0.0.0.0:99", "10.0.1.11", "http://10.0.1.11:99/status"),
        ("[::]:99", "fd00::1", "http://[fd00::1]:99/status"),
        ("10.9.9.9:99", "10.0.1.11", "http://10.9.9.9:99/status"),
    ],
)
def test_status_url(config_of, listen, address, expected):
    """A member that listens on every address is asked at its own: the wildcard would be the asker itself."""
    config = config_of(f'[server]\nlisten = "{listen}"\n')
    member = Member(name=ALPHA, instance_id=InstanceId("i-0aaaaaaaaaaaaaaa1"), address=address)

    assert expected == config.status_url(member)
