"""The links of this host: what is attached here and cannot be served yet, and what the kernel took away."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Link
from eni_failover.core.state import EniObservation, State
from eni_failover.core.view import View, lost_at, not_ready
from tests.core.builders import attached, attaching, detaching, free, obs, policy


def view(*shapes, links=(), here=()) -> View:
    seen = replace(obs(*shapes), links=links)
    return View(State(started_at=0.0, here=here), seen, policy(enis=len(shapes)))


def link(number: int = 1, **changes) -> Link:
    return Link(eni_id=f"eni-{number}", **{"watched": True, "present": True, **changes})


@pytest.mark.parametrize(
    ("one", "ready"),
    [
        (link(), True),
        (link(present=False), False),
        (link(missing=("address",)), False),
        (link(present=False, missing=("address",)), False),
        (link(watched=False, present=False), True),
    ],
)
def test_a_link_is_ready_when_it_is_there_with_nothing_missing(one, ready):
    """`[network] mode = "off"` looks at no link: attached is then all there is to know."""
    assert ready is one.is_ready


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (attached("beta"), 1),
        (attaching("beta"), 0),
        (detaching("beta"), 0),
        (attached("alpha"), 0),
        (free(), 0),
    ],
)
def test_only_what_ec2_shows_attached_here_can_be_not_ready(shape, count):
    """Before `attached` there is no link to wait for."""
    assert count == len(not_ready(view(shape, links=(link(present=False),))))


def test_a_link_that_nobody_has_looked_for_is_not_ready():
    """Attached is not ready."""
    assert [eni.eni_id for eni in not_ready(view(attached("beta")))] == ["eni-1"]


def test_each_eni_has_its_own_link():
    """The second one waits, the first one serves."""
    one = view(attached("beta"), attached("beta"), links=(link(1), link(2, missing=("rule",))))

    assert [eni.eni_id for eni in not_ready(one)] == ["eni-2"]


@pytest.mark.parametrize(
    ("links", "here", "at"),
    [
        ((), ("eni-1",), None),
        ((link(),), ("eni-1",), None),
        ((link(present=False, lost_at=5.0),), ("eni-1",), 5.0),
        ((link(present=False, lost_at=5.0),), (), None),
        ((link(1, lost_at=5.0), link(2, lost_at=7.0)), ("eni-1", "eni-2"), 7.0),
    ],
)
def test_a_link_is_lost_only_if_its_eni_was_here(links, here, at):
    """The newest loss counts; a link of an ENI that EC2 shows elsewhere is no loss any more."""
    assert at == lost_at(view(attached("beta"), links=links, here=here))


@pytest.mark.parametrize(("at", "lost"), [(9.0, None), (10.0, 10.0), (11.0, 11.0)])
def test_a_loss_counts_from_the_moment_that_shows_the_attachment(at, lost):
    """One from before it was that of an earlier attachment."""
    seen_eni = EniObservation(
        eni_id="eni-1", status="attached", attachment_id="att-1", since=10.0, seen_at=10.0
    )
    seen = view(attached("beta"), links=(link(present=False, lost_at=at),), here=("eni-1",))
    seen = replace(seen, state=replace(seen.state, observed=(seen_eni,)))

    assert lost_at(seen) == lost
