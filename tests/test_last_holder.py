"""The last holder in a journal of before members were known by their instance ids."""

from dataclasses import replace

import pytest

from eni_failover.assembly import by_ids
from eni_failover.core.policy import Member
from eni_failover.core.state import Durable
from tests.core.builders import policy

ALPHA = Member(name="i-0bbbbbbbbbbbbbbb2", instance_id="i-0aaaaaaaaaaaaaaa1", address="10.0.1.11")
BETA = Member(name="beta", instance_id="i-0bbbbbbbbbbbbbbb2", address="10.0.1.12")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, None),
        ("beta", BETA.instance_id),
        ("gamma", "gamma"),
        (BETA.instance_id, BETA.instance_id),  # though alpha is called so
        (ALPHA.instance_id, ALPHA.instance_id),
    ],
)
def test_a_name_is_read_as_its_member_and_an_id_as_itself(written, meant):
    """Else a restart makes another member of the last holder, and a failback for nothing."""
    group = replace(policy(), members=(ALPHA, BETA), me=ALPHA)

    assert by_ids(Durable(last_had=written), group).last_had == meant
