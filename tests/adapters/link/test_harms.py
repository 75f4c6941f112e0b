"""What takes a ready link's packets away though all of its rules and routes are there."""

import asyncio
import os
import subprocess

import pytest

from eni_failover.adapters.link.mode import LinkMode
from eni_failover.adapters.link.survey import survey
from eni_failover.adapters.link.watcher import LinkWatcher
from tests.adapters.link.hosts import ENI, HOST, IPV6, LINK, ip

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NEEDS ROOT: these tests make a network namespace; run them as root"
    ),
]

HOLDER = f"{HOST}{LINK}{IPV6}-6 route add 2001:db8:1::/64 dev ens6 table 20007\n"


def ip_at_once(commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input=commands, text=True, check=True)


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


def in_doubt(setup: str):
    """Whether the link of this host is ready, and the rules for some packets that the survey names."""

    async def main() -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        ip(setup)
        watcher = LinkWatcher(
            mode=LinkMode.VERIFY, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
        )
        await watcher.start()
        try:
            found = await survey([ENI])
            return watcher.state(ENI).is_ready, found.catching, found.catching_some
        finally:
            watcher.close()

    return main


@pytest.mark.parametrize("is_holder", [True, False])
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("uidrange 0-0", "from all uidrange 0-0 lookup main (IPv4)"),
        ("uidrange 997-998", "from all uidrange 997-998 lookup main (IPv4)"),
        ("fwmark 5", "from all fwmark 0x5 lookup main (IPv4)"),
        ("fwmark 0x80/0x80", "from all fwmark 0x80/0x80 lookup main (IPv4)"),
        ("to 10.9.0.0/16", "from all to 10.9.0.0/16 lookup main (IPv4)"),
        ("to 10.0.1.64/26", "from all to 10.0.1.64/26 lookup main (IPv4)"),
        ("ipproto tcp", "from all ipproto tcp lookup main (IPv4)"),
        ("ipproto udp", "from all ipproto udp lookup main (IPv4)"),
        ("sport 80", "from all sport 80 lookup main (IPv4)"),
        ("ipproto tcp sport 80-90", "from all ipproto tcp sport 80-90 lookup main (IPv4)"),
        ("ipproto udp dport 5000", "from all ipproto udp dport 5000 lookup main (IPv4)"),
        ("tos 0x10", "from all tos 0x10 lookup main (IPv4)"),
        ("from 10.0.1.0/24 sport 80", "from 10.0.1.0/24 sport 80 lookup main (IPv4)"),
        ("-6 fwmark 5", "from all fwmark 0x5 lookup main (IPv6)"),
        ("-6 ipproto tcp sport 80", "from all ipproto tcp sport 80 lookup main (IPv6)"),
        ("-6 to 2001:db8:9::/48", "from all to 2001:db8:9::/48 lookup main (IPv6)"),
    ],
)
def test_a_rule_for_some_packets_is_a_doubt_and_keeps_no_link_back(inside, rule, expected, is_holder):
    """Its owner may want it: the link is ready, and the check names the rule, beforehand too."""
    family, _, selectors = rule.rpartition("-6 ")
    add = f"{'-6 ' if family or rule.startswith('-6') else ''}rule add {selectors} lookup main priority 100\n"
    ready, catching, some = inside(in_doubt((HOLDER if is_holder else HOST) + add))

    assert (ready, catching, some) == (is_holder, (), (f"100: {expected}",))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("rule add fwmark 5 blackhole priority 100", "100: from all fwmark 0x5 blackhole (IPv4)"),
        ("-6 rule add fwmark 5 prohibit priority 100", "100: from all fwmark 0x5 prohibit (IPv6)"),
        ("rule add sport 80 unreachable priority 100", "100: from all sport 80 unreachable (IPv4)"),
    ],
)
@pytest.mark.parametrize("is_holder", [True, False])
def test_a_rule_that_refuses_some_packets_is_a_doubt(inside, rule, expected, is_holder):
    """They leave by no link at all."""
    ready, catching, some = inside(in_doubt(f"{HOLDER if is_holder else HOST}{rule}\n"))

    assert (ready, catching, some) == (is_holder, (), (expected,))


DOCKER = """
link add docker0 type bridge
link set docker0 up
address add 172.17.0.1/16 dev docker0
rule add to 172.17.0.0/16 lookup main priority 100
"""


@pytest.mark.parametrize(
    "harmless",
    [
        "rule add fwmark 5 lookup 52 priority 100",
        "rule add fwmark 5 lookup main priority 9500",
        "rule add from 10.9.0.0/16 fwmark 5 lookup main priority 100",
        "rule add iif eth0 lookup main priority 100",
        "rule add ipproto gre lookup main priority 100",
        DOCKER,
    ],
)
@pytest.mark.parametrize("is_holder", [True, False])
def test_a_rule_that_takes_no_answer_is_no_doubt(inside, harmless, is_holder):
    """Nothing in its table leads there, it comes later, is for other packets, or leads to containers."""
    ready, catching, some = inside(in_doubt(f"{HOLDER if is_holder else HOST}{harmless}\n"))

    assert (ready, catching, some) == (is_holder, (), ())


def test_a_thousand_rules_stall_nothing(inside):
    """Containers have one or two each: a daemon that looks through them has a turn of its loop after each."""
    rules = "".join(f"rule add to 10.77.{i // 250}.{i % 250} lookup main priority 512\n" for i in range(1000))

    async def main() -> tuple[int, int]:
        ip(HOST)
        ip_at_once(rules)
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.ensure_future(count())
        found = await survey([ENI])
        counting.cancel()
        return len(found.catching_some), turns

    named, turns = inside(main)

    assert named == 1000
    assert turns >= 1000


@pytest.mark.parametrize(
    "rule", ["iif lo lookup main", "not fwmark 5 lookup main", "from 10.0.1.101 blackhole"]
)
def test_a_rule_that_would_take_all_answers_is_known_beforehand(inside, rule):
    """Written by other means than `from all`."""
    _, catching, some = inside(in_doubt(f"{HOST}rule add {rule} priority 100\n"))

    assert (len(catching), some) == (1, ())
