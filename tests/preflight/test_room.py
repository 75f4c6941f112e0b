"""The checks of this member's instance and the room on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eni_failover.adapters.imds import ImdsInterface
from eni_failover.core.model import InstanceState, TypeLimits
from eni_failover.preflight import room
from tests.preflight.builders import (
    BETA,
    ENI,
    FILE,
    alpha,
    attachment,
    beta,
    config,
    eni,
    facts,
    interface,
    said,
)

FIXED = config(FILE.replace("[[member]]", "device_index = 2\n[[member]]", 1))


def own(instance, file=None, **of_cloud):
    return facts(file, of_cloud={"instances": (alpha(), instance), **of_cloud})


def with_interfaces(*indexes, card=0):
    return beta(
        interfaces=tuple(
            interface(BETA, f"10.0.1.{20 + index}", index=index, card=card) for index in indexes
        ),
        of_instance={"eni_indexes": tuple((f"eni-{index}", index) for index in indexes)},
    )


def test_an_instance_that_does_not_run_fails():
    """EC2 says so, though this process runs: it is not to be trusted with a takeover."""
    check = room.instance(own(beta(of_instance={"state": InstanceState.STOPPING})))

    assert said(check) == ("fail", "EC2 says stopping")


def test_an_instance_without_a_free_slot_fails():
    """Three of three are used, and one is to come."""
    check = room.slot(own(with_interfaces(0, 1, 2)))

    assert said(check) == ("fail", "3 of 3 used on m5.large, 1 to come")


def test_an_eni_that_is_here_needs_no_slot():
    """The holder's own check passes with all slots used."""
    here = eni(of_eni={"attachment": attachment(BETA)})
    check = room.slot(own(with_interfaces(0, 1, 2), enis=(here,)))

    assert said(check) == ("pass", "3 of 3 used on m5.large, 0 to come")


def test_another_network_cards_interfaces_need_no_slot_of_ours():
    """ENIs are attached to network card 0."""
    second = interface(BETA, "10.0.1.30", index=1, card=1)
    check = room.slot(own(beta(interfaces=(*with_interfaces(0, 1).interfaces, second))))

    assert said(check) == ("pass", "2 of 3 used on m5.large, 1 to come")


def test_an_unknown_limit_is_not_vouched_for():
    """EC2 may not know the type's limit."""
    limits = TypeLimits()

    assert room.slot(facts(of_cloud={"limits": limits})).result == "warn"


def test_a_taken_device_index_fails():
    """The file fixes it, and another ENI has it."""
    check = room.device_index(own(with_interfaces(0, 2), FIXED))

    assert ("fail", f"taken: 2 for {ENI}") == said(check)


def test_a_free_device_index_passes():
    """The file fixes it, and nobody has it."""
    assert said(room.device_index(own(with_interfaces(0, 1), FIXED))) == ("pass", "2")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"addresses": ("10.0.1.101",) * 10, "prefixes": ("10.0.2.0/28",)},
            f"{ENI} has 11 IPv4, m5.large takes 10",
        ),
        ({"ipv6_addresses": ("2001:db8::1",) * 11}, f"{ENI} has 11 IPv6, m5.large takes 10"),
    ],
)
def test_more_addresses_than_the_type_takes_fail(changes, expected):
    """Delegated prefixes count like addresses."""
    check = room.addresses_per_interface(facts(of_cloud={"enis": (eni(of_eni=changes),)}))

    assert ("fail", expected) == said(check)


STALE = ImdsInterface(mac="0a:ff:00:00:00:01", device_index=2)


def test_an_index_that_imds_still_shows_used_is_a_warning():
    """With "auto" an index that EC2 refuses is skipped."""
    check = room.poisoned_index(facts(of_cloud={"listed": (STALE,)}))

    assert said(check) == ("warn", "IMDS still lists 0a:ff:00:00:00:01 at index 2, which EC2 does not")


def test_the_fixed_index_that_imds_still_shows_used_fails():
    """There is no other index to take."""
    check = room.poisoned_index(facts(FIXED, of_cloud={"listed": (STALE,)}))

    assert check.result == "fail"


def test_a_stale_interface_without_its_index_is_a_warning():
    """IMDS may have forgotten the number already."""
    check = room.poisoned_index(facts(FIXED, of_cloud={"listed": (replace(STALE, device_index=None),)}))

    assert check.result == "warn"
    assert "at index ?" in check.detail
