"""The probes on a host whose own network is broken: what it could not send is unknown.

One namespace, broken in several ways one after the other; each test reads its part.
"""

from __future__ import annotations

import pytest

from tests.adapters.probes.netns import needs_root, run_in_namespace

pytestmark = [pytest.mark.root, needs_root]

_CODE = """
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.icmp import IcmpProbe
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.adapters.probes.spec import (
    HttpSettings, IcmpSettings, PeerSettings, Target, TcpSettings,
)

def target(address):
    return Target(member="alpha", address=address, instance_id="i-0aaaaaaaaaaaaaaa1")

async def ask_all(address):
    probes = {
        "tcp": TcpProbe(TcpSettings(host="{address}", port=80)),
        "http": HttpProbe(HttpSettings(url="http://{address}/")),
        "peer": PeerProbe(PeerSettings(url="http://{address}/status", group="orders")),
        "icmp": IcmpProbe(IcmpSettings(host="{address}")),
    }
    answers = {}
    for name, probe in probes.items():
        async with asyncio.timeout(20):
            answers[name] = tell(await probe(target(address)))
        await probe.close()
    return answers

def ask(address):
    return asyncio.run(ask_all(address))

answers = {}
with IPRoute() as ip:
    answers["no route"] = ask("192.0.2.7")
    answers["no IPv6 route"] = ask("2001:db8::7")
    ip.link("set", index=1, state="up")
    for kind in ("prohibit", "unreachable"):
        ip.route("add", dst="192.0.2.7/32", type=kind)
        answers[kind] = ask("192.0.2.7")
        ip.route("del", dst="192.0.2.7/32", type=kind)

    # A neighbour that does not answer ARP: the other end of the cable has no such address.
    ip.link("add", ifname="near", kind="veth", peer="far")
    for name in ("near", "far"):
        ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
    ip.addr("add", index=ip.link_lookup(ifname="near")[0], address="192.0.2.1", prefixlen=24)
    sysctl("net/ipv4/neigh/near/mcast_solicit", 1)
    sysctl("net/ipv4/neigh/near/retrans_time_ms", 10)
    answers["dead neighbour"] = ask("192.0.2.7")

# The only ephemeral port is taken.
sysctl("net/ipv4/ip_local_port_range", "40000 40000")
with socket.create_server(("127.0.0.1", 30000)) as listener:
    with socket.create_connection(("127.0.0.1", 30000)):
        probe = TcpProbe(TcpSettings(host="{address}", port=30000))
        answers["no port"] = {"tcp": tell(asyncio.run(probe(target("127.0.0.1"))))}
print(json.dumps(answers))
"""


@pytest.fixture(name="answers", scope="module")
def _answers():
    return run_in_namespace(_CODE)


@pytest.mark.parametrize(
    ("case", "detail"),
    [("no route", "Network is unreachable"), ("no IPv6 route", "Cannot assign requested address")],
)
def test_no_route_is_unknown(answers, case, detail):
    """ENETUNREACH, and EADDRNOTAVAIL without any IPv6 address to send from: nothing was sent."""
    unknown = ["unknown", False, detail]

    assert {"tcp": unknown, "http": unknown, "peer": unknown, "icmp": unknown} == answers[case]


def test_a_prohibited_destination_is_unknown(answers):
    """EACCES: a rule of this host forbids it. icmplib calls this one a broadcast error."""
    unknown = ["unknown", False, "Permission denied"]

    assert {"tcp": unknown, "http": unknown, "peer": unknown, "icmp": unknown} == answers["prohibit"]


@pytest.mark.parametrize("case", ["unreachable", "dead neighbour"])
def test_an_unreachable_host_is_down(answers, case):
    """EHOSTUNREACH: the neighbour did not answer ARP, which is what a dead holder does."""
    down = ["down", False, "No route to host"]
    icmp = ["down", False, "Destination host unreachable"] if case == "dead neighbour" else down

    assert {"tcp": down, "http": down, "peer": down, "icmp": icmp} == answers[case]


def test_no_free_port_is_unknown(answers):
    """EADDRNOTAVAIL: this host has used up its ephemeral ports."""
    assert answers["no port"] == {"tcp": ["unknown", False, "Cannot assign requested address"]}
