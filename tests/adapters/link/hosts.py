"""A host with its primary link, and the link of a floating ENI, as lines of ip(8)."""

import subprocess

from eni_failover.core.model import Eni

ENI = Eni(
    eni_id="eni-1",
    mac="02:00:00:00:00:01",
    addresses=("10.0.1.101",),
    ipv6_addresses=("2001:db8:1::101",),
)
HOST = """
link set lo up
link add eth0 type veth peer name eth0far
link set eth0 up
link set eth0far up
address add 10.0.1.11/24 dev eth0
address add 2001:db8:1::11/64 dev eth0 nodad
route add default via 10.0.1.1 dev eth0
-6 route add default via fe80::7 dev eth0
"""
LINK = """
link add ens6 address 02:00:00:00:00:01 type veth peer name ens6far
link set ens6 up
link set ens6far up
address add 10.0.1.101/24 dev ens6 noprefixroute
route add 10.0.1.0/24 dev ens6 table 20007
route add default via 10.0.1.1 dev ens6 table 20007
rule add from 10.0.1.101 lookup 20007 priority 9000
"""
IPV6 = """
address add 2001:db8:1::101/128 dev ens6 nodad
-6 route add default via fe80::7 dev ens6 table 20007
-6 rule add from 2001:db8:1::101 lookup 20007 priority 9000
"""


def ip(commands: str) -> None:
    """Run ip(8) for each line."""
    for line in filter(None, commands.splitlines()):
        subprocess.run(["ip", *line.split()], check=True)
