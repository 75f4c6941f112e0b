"""What takes a ready link's packets away though all of its rules and routes are there."""

import asyncio
import os
import subprocess

import pytest

from eni_failover.adapters.link.mode import LinkMode
from eni_failover.adapters.link.watcher import LinkWatcher
from eni_failover.core.model import Eni

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
    ),
]

ENI = Eni(
    eni_id="eni-1", mac="02:00:00:00:00:01", addresses=("10.0.1.101",), ipv6_addresses=("2001:db8:1::101",)
)
STANDBY = """
link set lo up
link add eth0 type veth peer name eth0far
link set eth0 up
link set eth0far up
address add 10.0.1.11/24 dev eth0
address add 2001:db8:1::11/64 dev eth0 nodad
route add default via 10.0.1.1 dev eth0
-6 route add default via fe80::7 dev eth0
"""
HOLDER = f"""{STANDBY}
link add ens6 address 02:00:00:00:00:01 type veth peer name ens6far
link set ens6 up
link set ens6far up
address add 10.0.1.101/24 dev ens6 noprefixroute
address add 2001:db8:1::101/128 dev ens6 nodad
route add 10.0.1.0/24 dev ens6 table 20007
route add default via 10.0.1.1 dev ens6 table 20007
-6 route add 2001:db8:1::/64 dev ens6 table 20007
-6 route add default via fe80::7 dev ens6 table 20007
rule add from 10.0.1.101 lookup 20007 priority 9000
-6 rule add from 2001:db8:1::101 lookup 20007 priority 9000
"""


def ip(commands: str) -> None:
    for line in filter(None, commands.splitlines()):
        subprocess.run(["ip", *line.split()], check=True)


def lacking_after(harm: str, cure: str):
    """What the link lacks once this was done to it, told by events alone; it is ready before and after."""

    async def main() -> tuple[str, ...]:
        ip(HOLDER)
        changed = asyncio.Event()
        watcher = LinkWatcher(
            mode=LinkMode.VERIFY,
            clock=asyncio.get_running_loop().time,
            on_change=changed.set,
            on_error=lambda _: None,
        )
        await watcher.start()
        running = asyncio.ensure_future(watcher.run())

        async def until(is_ready: bool) -> tuple[str, ...]:
            async with asyncio.timeout(10):
                while watcher.state(ENI).is_ready != is_ready:
                    await changed.wait()
                    changed.clear()
            return watcher.state(ENI).missing

        try:
            await until(True)
            changed.clear()
            ip(harm)
            found = await until(False)
            ip(cure)
            await until(True)
            return found
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            watcher.close()

    return main


LOCAL4 = "local 10.0.1.101 dev ens6 table local proto kernel scope host src 10.0.1.101"
LOCAL6 = "local 2001:db8:1::101 dev ens6 table local proto kernel metric 0"


@pytest.mark.parametrize(
    ("harm", "cure", "missing"),
    [
        (f"route del {LOCAL4}", f"route add {LOCAL4}", ("local",)),
        (f"-6 route del {LOCAL6}", f"-6 route add {LOCAL6}", ("local",)),
        ("rule del priority 0", "rule add priority 0 lookup local", ("local",)),
        (
            "link add br0 type bridge\nlink set br0 up\nlink set ens6 master br0",
            "link set ens6 nomaster",
            ("enslaved",),
        ),
        ("link set ens6 arp off", "link set ens6 arp on", ("no_arp",)),
        (
            "route prepend blackhole default table 20007",
            "route del blackhole default table 20007",
            ("answer",),
        ),
        (
            "-6 route add unreachable default metric 1 table 20007",
            "-6 route del unreachable default metric 1 table 20007",
            ("answer",),
        ),
        (
            "rule add from 10.0.1.101 prohibit priority 100",
            "rule del from 10.0.1.101 prohibit priority 100",
            ("answer",),
        ),
        (
            "-6 rule add from 2001:db8:1::101 blackhole priority 100",
            "-6 rule del from 2001:db8:1::101 blackhole priority 100",
            ("answer",),
        ),
    ],
)
def test_a_link_by_which_nobody_can_be_served_is_not_ready(inside, harm, cure, missing):
    """Packets are not taken in, or no answer leaves, whoever asks."""
    assert inside(lacking_after(harm, cure)) == missing
