"""Which rules take an ENI's answers away before the rules of its addresses are asked.

For a link that is here the kernel says it, packet by packet. For one that is to come it is asked where the
same packet goes without the address, which is not here yet: it goes by the table of the rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from eni_failover.adapters.link import needs, plan
from eni_failover.adapters.link.fib import FAR, Fib
from eni_failover.adapters.link.kernel import Address, KernelLink, Message
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.adapters.link.rules import AnyRule, read_any_rule
from eni_failover.core.model import Eni


class Astray(NamedTuple):
    """As `ip rule` shows them: the rules for all answers, and those for some of them."""

    of_all: tuple[str, ...]
    of_some: tuple[str, ...]


class _Sender(NamedTuple):
    """An address that answers, by the link with this index, 0 before it is here.

    `priority` is that of its rule, or of the one that mode `manage` would make; `clients` are a far and a
    near one, `outside` the links by which this host reaches them by itself.
    """

    address: Address
    link: int
    priority: int
    clients: tuple[Address, Address]
    outside: frozenset[int]


async def find(
    links: Mapping[Eni, KernelLink | None], messages: Iterable[Message], mirror: Mirror, fib: Fib
) -> Astray:
    """Such rules of those in `messages`, for these ENIs, each with its link when that is here.

    A host of containers has a thousand rules, and nobody waits for the answer. Raises OSError.
    """
    senders = [tuple(_senders(eni, link, mirror, fib)) for eni, link in links.items()]
    found: set[AnyRule] = set()
    for message in messages:
        for rule in read_any_rule(message):
            if any(_takes(rule, sender, mirror, fib) for sender in _concerned(rule, senders)):
                found.add(rule)
        await asyncio.sleep(0)
    in_order = sorted(found, key=lambda rule: (rule.priority, rule.version, rule.text))
    return Astray(
        of_all=tuple(rule.text for rule in in_order if not rule.is_for_some),
        of_some=tuple(rule.text for rule in in_order if rule.is_for_some),
    )


def _senders(eni: Eni, link: KernelLink | None, mirror: Mirror, fib: Fib) -> Iterator[_Sender]:
    for address in needs.addresses(eni):
        is_here = link is not None and mirror.address(link.index, address) is not None
        clients = (FAR[address.version], needs.neighbour(mirror, address))
        yield _Sender(
            address=address,
            link=link.index if link is not None and is_here else 0,
            priority=max((plan.PRIORITY, *_priorities(mirror, address))),
            clients=clients,
            outside=frozenset(way.link for client in clients if (way := fib.way(client))),
        )


def _priorities(mirror: Mirror, address: Address) -> Iterator[int]:
    return (rule.priority for rule in mirror.rules if address in rule.source)


def _concerned(rule: AnyRule, senders: Iterable[Iterable[_Sender]]) -> Iterator[_Sender]:
    """One address of each ENI that the rule comes before: it does the same to the others."""
    for of_eni in senders:
        for sender in of_eni:
            if (
                sender.address.version == rule.version
                and 0 < rule.priority < sender.priority
                and (rule.source is None or sender.address in rule.source)
            ):
                yield sender
                break


def _takes(rule: AnyRule, sender: _Sender, mirror: Mirror, fib: Fib) -> bool:
    """Whether some answer goes by the rule and not by the link."""
    if not sender.link and rule.source is not None and not rule.table:
        return True
    source = sender.address if sender.link else None
    clients = sender.clients if rule.destination is None else (needs.stranger(mirror, rule.destination),)
    for client in clients:
        way = fib.way(client, source, rule.packet)
        if way is None and not rule.table:
            return True
        if way is None or way.table != rule.table or way.link == sender.link:
            continue
        # A way to one network that is none of EC2's, as to containers or by a tunnel, has been made for it.
        if rule.destination is None or way.link in sender.outside:
            return True
    return False
