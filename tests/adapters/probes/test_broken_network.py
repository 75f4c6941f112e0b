"""The probes on a host whose own network is broken: what it could not send is unknown.

One namespace, broken in several ways one after the other; each test reads its part.
"""

from __future__ import annotations

import shutil

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
    for kind in ("prohibit", "unreachable", "blackhole"):
        ip.route("add", dst="192.0.2.7/32", type=kind)
        answers[kind] = ask("192.0.2.7")
        ip.route("del", dst="192.0.2.7/32", type=kind)
        if Path("/proc/net/if_inet6").exists():
            ip.route("add", dst="2001:db8::7/128", type=kind)
            answers[kind + " IPv6"] = ask("2001:db8::7")
            ip.route("del", dst="2001:db8::7/128", type=kind)

    # A neighbour that does not answer ARP: the other end of the cable has no such address.
    ip.link("add", ifname="near", kind="veth", peer="far")
    near, far = (ip.link_lookup(ifname=name)[0] for name in ("near", "far"))
    for index in (near, far):
        ip.link("set", index=index, state="up")
    ip.addr("add", index=near, address="192.0.2.1", prefixlen=24)
    sysctl("net/ipv4/neigh/near/mcast_solicit", 1)
    sysctl("net/ipv4/neigh/near/retrans_time_ms", 10)
    answers["dead neighbour"] = ask("192.0.2.7")
    answers["still dead"] = ask("192.0.2.7")
    ip.route("add", dst="198.51.100.0/24", gateway="192.0.2.7")
    answers["dead router"] = ask("198.51.100.7")
    if Path("/proc/net/if_inet6").exists():
        sysctl("net/ipv6/neigh/near/mcast_solicit", 1)
        sysctl("net/ipv6/neigh/near/retrans_time_ms", 10)
        ip.addr("add", index=near, address="2001:db8::1", prefixlen=64, flags=2)  # IFA_F_NODAD
        answers["dead IPv6 neighbour"] = ask("2001:db8::7")
        answers["no such link"] = ask("fe80::7%none")

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


def of_each(answer: str, detail: str) -> dict[str, list[object]]:
    return {name: [answer, False, detail] for name in ("tcp", "http", "peer", "icmp")}


@pytest.mark.parametrize(
    ("case", "detail"),
    [
        ("no route", "Network is unreachable"),
        ("no IPv6 route", "Cannot assign requested address"),
        ("prohibit", "Permission denied"),
        ("unreachable", "No route to host"),
        ("blackhole", "Invalid argument"),
        ("prohibit IPv6", "Permission denied"),
        ("unreachable IPv6", "No route to host"),
        ("blackhole IPv6", "Invalid argument"),
        ("no such link", "name not resolved: No such device"),
    ],
)
def test_what_the_routes_of_this_host_refuse_is_unknown(answers, case, detail):
    """Nothing was sent, whatever the error number: EHOSTUNREACH too when an "unreachable" route gives it."""
    if case.endswith("IPv6") and "prohibit IPv6" not in answers:
        pytest.skip("NO IPv6 on this host: its routes are not tested")

    assert of_each("unknown", detail) == answers[case]


@pytest.mark.parametrize("case", ["dead neighbour", "still dead", "dead IPv6 neighbour"])
def test_a_dead_host_in_the_same_subnet_is_down(answers, case):
    """EHOSTUNREACH, because it does not answer ARP or neighbour discovery: what a dead holder does."""
    if case not in answers:
        pytest.skip("NO IPv6 on this host: its neighbours are not tested")

    assert of_each("down", "No route to host") == answers[case]


def test_a_router_that_is_dead_is_unknown(answers):
    """The same error number, from the same kernel: but it is the way that is gone, not the target."""
    assert of_each("unknown", "the router to it does not answer") == answers["dead router"]


def test_no_free_port_is_unknown(answers):
    """EADDRNOTAVAIL: this host has used up its ephemeral ports."""
    assert answers["no port"] == {"tcp": ["unknown", False, "Cannot assign requested address"]}


_FAR = """
import subprocess
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.icmp import IcmpProbe
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.adapters.probes.spec import (
    HttpSettings, IcmpSettings, PeerSettings, Target, TcpSettings,
)

def sh(text):
    subprocess.run(text, shell=True, check=True)

# Two more namespaces: a router, and the target behind it.
here = os.getpid()
helper = subprocess.Popen(["unshare", "-n", "sleep", "60"])
other = subprocess.Popen(["unshare", "-n", "sleep", "60"])
def namespace(pid):
    return os.readlink(f"/proc/{pid}/ns/net")
while namespace(here) in {namespace(helper.pid), namespace(other.pid)}:
    pass
try:
    sh("ip link set lo up; ip link add near type veth peer name r1; ip link add r2 type veth peer name there")
    for link, owner in (("r1", helper), ("r2", helper), ("there", other)):
        sh(f"ip link set {link} netns {owner.pid}")
    sh("ip addr add 192.0.2.1/24 dev near; ip link set near up; ip route add default via 192.0.2.254")
    router, target = f"nsenter -n -t {helper.pid} ", f"nsenter -n -t {other.pid} "
    for text in (
        "ip addr add 192.0.2.254/24 dev r1", "ip link set r1 up",
        "ip addr add 198.51.100.254/24 dev r2", "ip link set r2 up",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0",
        "sysctl -qw net.ipv4.neigh.r2.mcast_solicit=1 net.ipv4.neigh.r2.retrans_time_ms=10",
        "ip route add 203.0.113.0/24 via 198.51.100.7",
        "nft add table inet t", "nft add chain inet t f '{ type filter hook forward priority 0; }'",
        "nft add rule inet t f ip daddr 203.0.113.7 reject with icmpx type admin-prohibited",
    ):
        sh(router + text)
    for text in (
        "ip addr add 198.51.100.7/24 dev there", "ip link set there up", "ip link set lo up",
        "ip route add default via 198.51.100.254",
        "sysctl -qw net.ipv4.icmp_ratelimit=0",
        "nft add table inet t", "nft add chain inet t i '{ type filter hook input priority 0; }'",
        "nft add rule inet t i tcp dport 81 reject with icmpx type admin-prohibited",
    ):
        sh(target + text)

    def ask(address, port=80):
        async def ask_all():
            probes = {
                "tcp": TcpProbe(TcpSettings(host="{address}", port=port)),
                "http": HttpProbe(HttpSettings(url="http://{address}:%d/" % port)),
                "peer": PeerProbe(PeerSettings(url="http://{address}:%d/status" % port, group="orders")),
                "icmp": IcmpProbe(IcmpSettings(host="{address}")),
            }
            answers = {}
            for name, probe in probes.items():
                async with asyncio.timeout(10):
                    member = Target(member="alpha", address=address, instance_id="i-0aaaaaaaaaaaaaaa1")
                    answers[name] = tell(await probe(member))
                await probe.close()
            return answers
        return asyncio.run(ask_all())

    answers = {
        "refused by the target": ask("198.51.100.7"),
        "refused by the target's filter": ask("198.51.100.7", 81),
        "dead behind a router": ask("198.51.100.99"),
        "forbidden by a router": ask("203.0.113.7"),
    }

    # This host's own filter.
    sh("nft add table inet t; nft add chain inet t o '{ type filter hook output priority 0; }'")
    for verdict in (
        "reject", "reject with icmpx type host-unreachable", "reject with icmpx type admin-prohibited",
        "reject with icmpx type no-route",
    ):
        sh("nft flush chain inet t o; nft add rule inet t o ip daddr 198.51.100.7 " + verdict)
        answers[verdict] = ask("198.51.100.7")
    sh("ip addr add 2001:db8::1/64 dev near nodad")
    sh("ip -6 neigh add 2001:db8::7 lladdr 02:00:00:00:00:01 dev near")
    for verdict in ("reject", "reject with icmpx type host-unreachable"):
        sh("nft flush chain inet t o; nft add rule inet t o ip6 daddr 2001:db8::7 " + verdict)
        answers[verdict + " IPv6"] = ask("2001:db8::7")

    sh("nft flush chain inet t o; nft add rule inet t o ip daddr 198.51.100.7 drop")

    async def silent(probe, timeout):
        try:
            async with asyncio.timeout(timeout):
                return tell(await probe(
                    Target(member="alpha", address="198.51.100.7", instance_id="i-0aaaaaaaaaaaaaaa1")))
        except TimeoutError:
            return probe.unsent

    async def drop():
        long = TcpProbe(TcpSettings(host="{address}", port=80))
        short = HttpProbe(HttpSettings(url="http://{address}/"))
        peer = PeerProbe(PeerSettings(url="http://{address}/status", group="orders"))
        icmp = IcmpProbe(IcmpSettings(host="{address}"))
        found = await asyncio.gather(
            silent(long, 1.6), silent(short, 0.3), silent(peer, 0.3), silent(icmp, 0.3))
        # One second after the start of a connection it is known.
        while not (short._web._connector._dropped and peer._web._connector._dropped):
            await asyncio.sleep(0.01)
        found += await asyncio.gather(silent(long, 0.1), silent(short, 0.1), silent(peer, 0.1))
        sh("nft flush chain inet t o; ip route replace 198.51.100.7 via 192.0.2.254")
        found += await asyncio.gather(silent(long, 1.0), silent(short, 1.0), silent(peer, 1.0))
        connectors = (long._connector, short._web._connector, peer._web._connector)
        known = [len(each._dropped) for each in connectors]
        for probe in (long, short, peer, icmp):
            await probe.close()
        return [*found, known]
    answers["drop"] = asyncio.run(drop())
finally:
    for each in (helper, other):
        each.kill()
        each.wait()
print(json.dumps(answers))
"""


@pytest.fixture(name="far", scope="module")
def _far():
    for tool in ("nft", "ip", "nsenter", "unshare"):
        if shutil.which(tool) is None:
            pytest.skip(f"NO {tool}: what packet filters and routers do to the probes is not tested")
    return run_in_namespace(_FAR)


def test_what_the_target_itself_refuses_is_down_and_a_sign_of_life(far):
    """By a reset, or by an ICMP error of its own packet filter."""
    sign = {"down": ["down", True], "unknown": ["unknown", True]}
    refused, filtered = far["refused by the target"], far["refused by the target's filter"]

    assert refused["tcp"] == refused["http"] == [*sign["down"], "Connection refused"]
    assert refused["peer"] == [*sign["unknown"], "Connection refused"]
    assert filtered["tcp"] == filtered["http"] == [*sign["down"], "No route to host"]
    assert filtered["peer"] == [*sign["unknown"], "No route to host"]
    assert refused["icmp"] == filtered["icmp"] == ["up", True, "echo reply"]


@pytest.mark.parametrize("case", ["dead behind a router", "forbidden by a router"])
def test_a_routers_word_that_the_target_is_unreachable_is_down(far, case):
    """The packets left this host, and the network says that they do not arrive."""
    assert of_each("down", "No route to host") == far[case]


@pytest.mark.parametrize(
    ("case", "detail"),
    [
        ("reject", "Connection refused"),
        ("reject with icmpx type host-unreachable", "No route to host"),
        ("reject with icmpx type admin-prohibited", "No route to host"),
        ("reject with icmpx type no-route", "Network is unreachable"),
        ("reject IPv6", "Connection refused"),
        ("reject with icmpx type host-unreachable IPv6", "No route to host"),
    ],
)
def test_what_a_packet_filter_of_this_host_rejects_is_unknown(far, case, detail):
    """The ICMP error comes from an address of this host, and it is not about a silent neighbour."""
    unknown = ["unknown", False, f"refused by a packet filter of this host: {detail}"]
    expected = dict.fromkeys(("tcp", "http", "peer"), unknown)
    found = dict(far[case])

    assert found.pop("icmp")[:2] == ["unknown", False]
    assert expected == found


def test_what_a_packet_filter_of_this_host_drops_is_unknown_once_it_shows(far):
    """connect(2) says nothing: the first repeat of the SYN shows it, a second after it. Short attempts learn
    it from those before, and it is forgotten with the rule."""
    dropped = "dropped by a packet filter of this host"
    refused = ["down", True, "Connection refused"]

    assert far["drop"] == [
        dropped,
        "",
        "",
        ["unknown", False, "Operation not permitted"],
        dropped,
        dropped,
        dropped,
        refused,
        refused,
        ["unknown", True, "Connection refused"],
        [0, 0, 0],
    ]
