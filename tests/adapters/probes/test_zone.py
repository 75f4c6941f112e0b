"""Link-local addresses, which need the link by which they are reached (RFC 4007)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.probes.netns import needs_root, run_in_namespace

pytestmark = [
    pytest.mark.root,
    needs_root,
    pytest.mark.skipif(
        not Path("/proc/net/if_inet6").exists(), reason="NO IPv6 on this host: link-local is not tested"
    ),
]

_CODE = r"""
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.icmp import IcmpProbe
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.adapters.probes.spec import HttpSettings, IcmpSettings, Target, TcpSettings

with IPRoute() as ip:
    ip.link("add", ifname="near", kind="veth", peer="far")
    for name in ("near", "far"):
        sysctl(f"net/ipv6/conf/{name}/accept_dad", 0)
        ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
    near = ip.link_lookup(ifname="near")[0]
    # Link-local addresses are the links' own: two ends of a cable in one namespace speak by the cable.
    ip.addr("add", index=ip.link_lookup(ifname="far")[0], address="fe80::1", prefixlen=64)
    sysctl("net/ipv6/neigh/near/mcast_solicit", 1)
    sysctl("net/ipv6/neigh/near/retrans_time_ms", 10)

async def answer(reader, writer):
    requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()

async def ask(probe, member):
    try:
        async with asyncio.timeout(0.2):
            return tell(await probe(member))
    except TimeoutError:
        return ["no answer", probe.unsent]
    finally:
        await probe.close()

async def main():
    server = await asyncio.start_server(answer, "::", 8080)
    answers = {}
    for host in ("fe80::1%near", f"fe80::1%{near}", "fe80::7%near"):
        member = Target(member="alpha", address=host, instance_id="i-0aaaaaaaaaaaaaaa1")
        answers[host.replace(str(near), "number")] = [
            await ask(TcpProbe(TcpSettings(host="{address}", port=8080)), member),
            await ask(HttpProbe(HttpSettings(url="http://{address}:8080/")), member),
            await ask(HttpProbe(HttpSettings(url=f"http://[{host.replace('%', '%25')}]:8080/")), member),
            await ask(IcmpProbe(IcmpSettings(host="{address}")), member),
        ]
    server.close()
    answers["hosts"] = sorted({request.split("\r\n")[1] for request in requests})
    return answers

requests = []
print(json.dumps(asyncio.run(main())))
"""


def test_a_link_local_address_is_asked_by_its_link():
    """By the link's name or number, in a host and in a URL; the zone is this host's own, and is not sent.

    A dead one is silent, down at the deadline: a socket that is bound to a link hears no error about it.
    """
    up = [["up", True, "connected"], *[["up", True, "status 200"]] * 2, ["up", True, "echo reply"]]

    assert run_in_namespace(_CODE) == {
        "fe80::1%near": up,
        "fe80::1%number": up,
        "fe80::7%near": [["no answer", ""]] * 4,
        "hosts": ["Host: [fe80::1]:8080"],
    }
