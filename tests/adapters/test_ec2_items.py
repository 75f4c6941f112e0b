"""Which items of an answer count, and when those that are not there are proven absent."""

import pytest

from eni_failover.adapters.ec2_items import instances_asked_for, items_by_id
from eni_failover.errors import UnansweredError

ONE, TWO = {"Id": "a", "State": 1}, {"Id": "b", "State": 1}
OTHER_ONE = {"Id": "a", "State": 2}


@pytest.mark.parametrize(
    ("raws", "found", "is_sure"),
    [
        ([], [], True),
        ([ONE, TWO], ["a", "b"], True),
        ([ONE, ONE], ["a"], True),
        ([ONE, {"Id": "c"}], ["a"], False),
        ([ONE, {"State": 1}], ["a"], False),
        ([ONE, {"Id": ""}], ["a"], False),
        ([ONE, TWO, OTHER_ONE], ["b"], False),
        ([ONE, OTHER_ONE, ONE], [], False),
    ],
    ids=["none", "all", "the same twice", "another", "no id", "an empty id", "two of one", "three of one"],
)
def test_only_an_answer_without_a_doubt_proves_an_absence(raws, found, is_sure):
    """A strange item may be the one that is missed, and of two that differ none counts."""
    items = items_by_id(raws, key="Id", asked=("a", "b"))

    assert (found, is_sure) == ([*items[0]], items[1])


def test_instances_of_all_reservations_are_found():
    """A reservation may have several; one that nobody asked for makes the answer none."""
    reservations = [{"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}]

    assert [*instances_asked_for(reservations, ("i-1", "i-2", "i-3"))] == ["i-1", "i-2"]
    with pytest.raises(UnansweredError, match="does not tell its instances apart"):
        instances_asked_for(reservations, ("i-1",))


@pytest.mark.parametrize("empty", [{}, {"Instances": []}])
def test_a_reservation_without_instances_is_no_answer(empty):
    """The instance that it was made for may be the one that is asked for."""
    with pytest.raises(UnansweredError, match="without instances"):
        instances_asked_for([empty], ("i-1",))
