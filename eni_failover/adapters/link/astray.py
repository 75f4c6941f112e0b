"""Which rules take an ENI's answers away before the rules of its addresses are asked.

For a link that is here the kernel says it, packet by packet. For one that is to come it is asked where the
same packet goes without the address, which is not here yet: it goes by the table of the rule.
"""

from __future__ import annotations

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


def find(
    links: Mapping[Eni, KernelLink | None], messages: Iterable[Message], mirror: Mirror, fib: Fib
) -> Astray:
    """Such rules of those in `messages`, for these ENIs, each with its link when that is here.

    Raises OSError.
    """
    rules = {rule for message in messages for rule in read_any_rule(message)}
    found = [
        rule
        for rule in sorted(rules, key=lambda rule: (rule.priority, rule.version, rule.text))
        if any(_takes(rule, address, index, mirror, fib) for address, index in _answered(rule, links, mirror))
    ]
    return Astray(
        of_all=tuple(rule.text for rule in found if not rule.is_for_some),
        of_some=tuple(rule.text for rule in found if rule.is_for_some),
    )


def _answered(
    rule: AnyRule, links: Mapping[Eni, KernelLink | None], mirror: Mirror
) -> Iterator[tuple[Address, int]]:
    """One address of each ENI that the rule comes before, and its link: a host may have hundreds of rules."""
    for eni, link in links.items():
        for address in needs.addresses(eni):
            if (
                address.version == rule.version
                and 0 < rule.priority < _priority(mirror, address)
                and (rule.source is None or address in rule.source)
            ):
                is_here = link is not None and mirror.address(link.index, address) is not None
                yield address, link.index if link is not None and is_here else 0
                break


def _priority(mirror: Mirror, address: Address) -> int:
    """That of the rule of this address, or of the one that mode `manage` would make."""
    own = [rule.priority for rule in mirror.rules if address in rule.source]
    return max((plan.PRIORITY, *own))


def _takes(rule: AnyRule, address: Address, index: int, mirror: Mirror, fib: Fib) -> bool:
    """Whether some answer from this address goes by the rule and not by the link; `index` is 0 before."""
    if not index and rule.source is not None and not rule.table:
        return True
    usual = (FAR[rule.version], needs.neighbour(mirror, address))
    source = address if index else None
    for destination in usual if rule.destination is None else (needs.stranger(mirror, rule.destination),):
        way = fib.way(destination, source, rule.packet)
        if way is None and not rule.table:
            return True
        if way is None or way.table != rule.table or way.link == index:
            continue
        # A way to one network that is none of EC2's, as to containers or by a tunnel, has been made for it.
        if rule.destination is None or way.link in {out.link for to in usual if (out := fib.way(to))}:
            return True
    return False
