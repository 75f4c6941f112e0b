"""The icmp probe: real echo requests on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eni_failover.adapters.probes import icmp
from eni_failover.adapters.probes.icmp import IcmpProbe, IcmpUnavailableError
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import IcmpSettings
from eni_failover.core.vocabulary import Answer
from eni_failover.errors import ConfigError
from tests.adapters.probes.netns import needs_root, run_in_namespace
from tests.adapters.probes.servers import LOCAL, LOCAL6, has_ipv6

REPLY = ProbeResult(answer=Answer.UP, answered=True, detail="echo reply")


def can_ping() -> bool:
    try:
        icmp.prepare()
    except IcmpUnavailableError:
        return False
    return True


needs_ping = pytest.mark.skipif(not can_ping(), reason="NO ICMP SOCKETS for this user: pings are not tested")


def ask(target=LOCAL, host="{address}", times=1) -> ProbeResult:
    async def main():
        probe = IcmpProbe(IcmpSettings(host=host))
        for _ in range(times):
            result = await probe(target)
        await probe.close()
        return result

    return asyncio.run(main())


@needs_ping
def test_an_echo_reply_is_up():
    """Loopback answers, at the first attempt and at the next."""
    assert ask(times=2) == REPLY


@needs_ping
@pytest.mark.skipif(not has_ipv6(), reason="NO IPv6 LOOPBACK on this host: the IPv6 icmp probe is not tested")
def test_an_echo_reply_over_ipv6_is_up():
    """An IPv6 address needs no brackets in `host`."""
    assert ask(LOCAL6) == REPLY


@needs_ping
def test_a_name_is_resolved():
    """`localhost` is loopback, by either family."""
    assert ask(host="localhost") == REPLY


@needs_ping
def test_a_name_that_does_not_resolve_is_unknown():
    """The target was never asked."""
    expected = ProbeResult(
        answer=Answer.UNKNOWN, answered=False, detail="name not resolved: Name or service not known"
    )

    assert expected == ask(host="no-such-host.invalid")


@needs_ping
def test_pings_at_the_same_time_do_not_take_each_others_replies():
    """Fifty probes at once over raw sockets, each of which hears all replies: every one gets its own."""

    async def main():
        probes = [IcmpProbe(IcmpSettings(host="{address}")) for _ in range(50)]
        return await asyncio.gather(*(probe(LOCAL) for probe in probes))

    assert asyncio.run(main()) == [REPLY] * 50


@needs_ping
@pytest.mark.parametrize("steps", range(8))
def test_a_cancellation_together_with_the_reply_is_not_lost(steps):
    """Whatever step of the loop it comes at, an accepted cancellation ends the attempt."""

    async def main():
        attempt = asyncio.create_task(IcmpProbe(IcmpSettings(host="{address}"))(LOCAL))
        for _ in range(steps):
            await asyncio.sleep(0)
        accepted = attempt.cancel()
        done, _ = await asyncio.wait([attempt])
        return accepted, done.pop().cancelled()

    accepted, cancelled = asyncio.run(main())

    assert accepted == cancelled


_ALLOWED = """
from eni_failover.adapters.probes import icmp
from eni_failover.adapters.probes.spec import IcmpSettings, Target

answers = {}
with IPRoute() as ip:
    ip.link("set", index=1, state="up")
sysctl("net/ipv4/ping_group_range", "0 65535")
answers["root"] = icmp.prepare().name
os.setgroups([]); os.setgid(65534); os.setuid(65534)
answers["nobody"] = icmp.prepare().name
probe = icmp.IcmpProbe(IcmpSettings(host="{address}"))
for address in ("127.0.0.1", "::1"):
    local = Target(member="alpha", address=address, instance_id="i-0aaaaaaaaaaaaaaa1")
    answers[address] = tell(asyncio.run(probe(local)))
print(json.dumps(answers))
"""

_SILENT = """
import struct
from eni_failover.adapters.probes import icmp, registry
from eni_failover.adapters.probes.spec import IcmpSettings, ProbeSpec, Target, TcpSettings
from eni_failover.core.policy import ProbePolicy
from eni_failover.core.vocabulary import ProbeType, Scope

with IPRoute() as ip:
    ip.link("set", index=1, state="up")
sysctl("net/ipv4/icmp_echo_ignore_all", 1)
local = Target(member="alpha", address="127.0.0.1", instance_id="i-0aaaaaaaaaaaaaaa1")

def descriptors():
    return sorted(os.listdir("/proc/self/fd"))

async def ask():
    probe = icmp.IcmpProbe(IcmpSettings(host="{address}"))
    before = descriptors()
    try:
        async with asyncio.timeout(0.1):
            await probe(local)
    except TimeoutError:
        return {"silence": "timeout", "unsent": probe.unsent, "leaked": before != descriptors()}

def packet(kind, code, body):
    return struct.pack("!BBH", kind, code, icmp._checksum(struct.pack("!BBH", kind, code, 0) + body)) + body

async def hear(*packets):
    # The answer when these packets come about our ping.
    icmp.secrets.randbits = lambda bits: 0x1234
    probe = icmp.IcmpProbe(IcmpSettings(host="{address}"))
    attempt = asyncio.ensure_future(probe(local))
    await asyncio.sleep(0)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as router:
        for each in packets:
            router.sendto(each, ("127.0.0.1", 0))
    async with asyncio.timeout(10):
        return tell(await attempt)

# The request as a router quotes it, behind four bytes for the reason: RFC 792.
loopback = socket.inet_aton("127.0.0.1")
header = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 1, 0) + loopback + loopback
about = bytes(4) + header + struct.pack("!BBHHH", 8, 0, 0, 0x1234, 0x1234)
redirect = packet(5, 1, about)
ours = struct.pack("!HH", 0x1234, 0x1234) + b"eni-failover"
others = struct.pack("!HH", 0x1234, 0x4321) + b"eni-failover"

sysctl("net/ipv4/ping_group_range", "1 0")
answers = {"raw": asyncio.run(ask())}
answers["unreachable"] = asyncio.run(hear(redirect, packet(3, 1, about)))
answers["time exceeded"] = asyncio.run(hear(redirect, packet(11, 0, about)))
answers["reply"] = asyncio.run(hear(packet(0, 0, others), b"short", packet(0, 0, ours)))
sysctl("net/ipv4/ping_group_range", "0 65535")
answers["datagram"] = asyncio.run(ask())

sysctl("net/ipv4/ping_group_range", "1 0")
def spec(name, kind, settings):
    policy = ProbePolicy(name=name, type=kind, scope=Scope.HOLDER, interval=1.0, fast_interval=1.0,
                         timeout=1.0, fall=3, rise=2)
    return ProbeSpec(policy=policy, settings=settings)

specs = [spec("ping", ProbeType.ICMP, IcmpSettings(host="{address}")),
         spec("port", ProbeType.TCP, TcpSettings(host="{address}", port=80)),
         spec("pong", ProbeType.ICMP, IcmpSettings(host="10.0.1.1"))]
before = descriptors()
answers["runnable"] = [registry.problems_of(each) for each in specs]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    icmp.IcmpProbe(IcmpSettings(host="{address}"))
except icmp.IcmpUnavailableError as error:
    answers["problems"] = error.problems
answers["refused"] = [registry.problems_of(each) for each in specs]
answers["leaked"] = before != descriptors()
print(json.dumps(answers))
"""


@pytest.mark.root
@needs_root
def test_the_unprivileged_socket_is_preferred():
    """Where ping_group_range has a group of ours, no capability is needed, for IPv4 and IPv6."""
    up = ["up", True, "echo reply"]
    ipv6 = (
        up if Path("/proc/net/if_inet6").exists() else ["unknown", False, "Cannot assign requested address"]
    )

    assert run_in_namespace(_ALLOWED) == {
        "root": "SOCK_DGRAM",
        "nobody": "SOCK_DGRAM",
        "127.0.0.1": up,
        "::1": ipv6,
    }


@pytest.mark.root
@needs_root
def test_without_a_reply_the_network_is_heard_and_the_deadline_comes():
    """A target that ignores pings: silence leaves no socket behind, a redirect is no answer, word that
    it is unreachable is down. A user who may not ping at all is told how to, when the probe is made."""
    problem = (
        "icmp probes need a group of this process in the sysctl net.ipv4.ping_group_range,"
        " or the capability CAP_NET_RAW"
    )

    assert issubclass(IcmpUnavailableError, ConfigError)
    silence = {"silence": "timeout", "unsent": "", "leaked": False}

    assert run_in_namespace(_SILENT) == {
        "raw": silence,
        "datagram": silence,
        "unreachable": ["down", True, "No route to host"],
        "time exceeded": ["down", True, "No route to host"],
        "reply": ["up", True, "echo reply"],
        "problems": [problem],
        "runnable": [[], [], []],
        "refused": [[problem], [], [problem]],
        "leaked": False,
    }
