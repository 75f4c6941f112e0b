"""The real core keeps its promises in every interleaving of small groups, up to a bound.

And the explorer does what it says: it is deterministic, and what it remembers changes nothing.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from eni_failover.core.decision import Attach, Detach
from eni_failover.core.model import Verdict
from eni_failover.core.state import RecentTakeover
from tests.sim import explore, explored_ec2, explored_key
from tests.sim.explore_configs import CONFIGS, Config
from tests.sim.explore_events import faults, going_on
from tests.sim.explore_search import Finding, Limits, Report, Search
from tests.sim.explored_book import Book
from tests.sim.explored_ec2 import FREE, Truth
from tests.sim.explored_key import key
from tests.sim.explored_starts import moments
from tests.sim.explored_world import Event, Walker, World, beginning

SMALL = Limits(states=1200, settle_every=40, walks=4)
RUNNING = ("running", "running")
HELD = (Truth("attached", 1, 0, 1),)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_promise_holds_in_a_small_bound(name):
    """The states nearest to each moment of a takeover; the rest is for `python -m tests.sim.explore`."""
    report = Search(CONFIGS[name], SMALL).run()

    assert report.finding is None, f"{report.finding.why}\n{report.finding.story()}"
    assert report.states >= SMALL.states


def test_the_command_says_how_much_it_has_seen(capsys):
    """One line at the end, and status 0 while nothing new is broken."""
    status = explore.main(["--config", "stuck", "--states", "300", "--walks", "2", "--jobs", "1"])
    last = capsys.readouterr().out.splitlines()[-1].split()

    assert status == 0
    assert (last[1:3], last[-2:]) == (["distinct", "states,"], ["0", "broken"])
    assert int(last[0]) >= 300


def test_the_command_fails_with_the_story_of_a_broken_promise(capsys, monkeypatch):
    """The story is played again before it is believed."""
    finding = Finding(name="a_promise", why="a_promise: it broke", events=(("look", 0, None),))
    report = Report(config="pair", states=1, transitions=1, finding=finding)
    monkeypatch.setattr(explore, "explore", lambda name, limits, tolerate: report)
    monkeypatch.setattr(explore, "ProcessPoolExecutor", lambda **_: ThreadPoolExecutor(max_workers=1))
    status = explore.main(["--config", "pair"])
    said = capsys.readouterr().out

    assert status == 1
    assert (
        "BROKEN: a_promise: it broke\n    1 alpha: look\nplayed again, each step made anew: NOT BROKEN"
        in said
    )


def test_the_same_search_sees_the_same():
    """Nothing in it is random, and nothing depends on the time that it takes."""
    reports = [Search(CONFIGS["both"], Limits(states=800, settle_every=50)).run() for _ in range(2)]
    seen = [(one.states, one.transitions, one.members, one.depth, one.checks) for one in reports]

    assert seen[0] == seen[1]


def stroll(config: Config, seed: int, steps: int) -> list[Event]:
    """Events taken at random from those that may come."""
    chance = random.Random(seed)  # noqa: S311 - a walk that can be walked again, no secret
    walker, world, taken = Walker(Book()), beginning(config.policies()), []
    for _ in range(steps):
        may_come = list(going_on(world, config))
        if chance.random() < 0.1:
            may_come = list(faults(world, config)) or may_come
        if not may_come:
            break
        taken.append(chance.choice(may_come))
        world = walker.apply(world, taken[-1])
    return taken


def keys(world: World) -> tuple[object, ...]:
    return (world._replace(nodes=()), *(key(node) for node in world.nodes))


@pytest.mark.parametrize("name", ["pair", "both", "trio", "failback", "machines"])
def test_what_the_book_remembers_changes_nothing(name):
    """A local step taken from the book ends where one made anew ends, along a long walk."""
    config = CONFIGS[name]
    kept, anew = Walker(Book()), Walker(Book(keeps=False))
    one, other = beginning(config.policies()), beginning(config.policies())
    differ = []
    for event in stroll(config, seed=7, steps=250):
        one, other = kept.apply(one, event), anew.apply(other, event)
        if keys(one) != keys(other):
            differ.append(event)

    assert differ == []


@pytest.mark.parametrize("name", CONFIGS)
def test_a_walk_begins_at_each_moment_that_it_names(name):
    """And each is another state."""
    config = CONFIGS[name]
    worlds = [world for world, _ in moments(config, Walker(Book()))]

    assert len({keys(world) for world in worlds}) == len(config.starts)


def test_a_field_of_the_core_that_the_key_does_not_know_is_told(monkeypatch):
    """Else two members that differ in it would count as one."""
    words = explored_key._KINDS[RecentTakeover]
    monkeypatch.setitem(explored_key._KINDS, RecentTakeover, words.replace("forgiven:keep", ""))

    with pytest.raises(LookupError, match="forgiven"):
        explored_key._read_tables()


# EC2's rules ---------------------------------------------------------------------------------------


def test_a_detach_names_an_attachment_and_only_that():
    """Any other id is gone, and the ENI stays."""
    good = explored_ec2.detach(HELD, Detach(eni_id="eni-1", attachment_id="att-1"))
    bad = explored_ec2.detach(HELD, Detach(eni_id="eni-1", attachment_id="att-2"))

    assert (good.verdict, good.truth.status) == (Verdict.ACCEPTED, "detaching")
    assert (bad.verdict, bad.truth) == (Verdict.GONE, None)


@pytest.mark.parametrize(
    ("enis", "machines", "verdict"),
    [
        (HELD, RUNNING, Verdict.IN_USE),
        ((Truth("detaching", 1, 0, 1),), RUNNING, Verdict.IN_USE),
        ((Truth(FREE, 2),), ("running", "stopped"), Verdict.BAD_STATE),
        ((Truth(FREE, 2), Truth("attached", 3, 1, 1)), RUNNING, Verdict.INDEX_TAKEN),
        ((Truth(FREE, 2),), RUNNING, Verdict.ACCEPTED),
    ],
)
def test_an_attach_is_refused_without_an_effect_unless_all_is_free(enis, machines, verdict):
    """In use, not running, index taken."""
    effect = explored_ec2.attach(enis, machines, Attach(eni_id="eni-1", device_index=1), 1, 9)

    assert effect.verdict is verdict
    assert (effect.truth is not None) is (verdict is Verdict.ACCEPTED)


def test_what_is_detaching_still_has_its_link_and_what_is_attaching_has_none_yet():
    """The kernel has what EC2 has not taken away."""
    enis = tuple(
        Truth(status, at, 0, at) for at, status in enumerate(("attaching", "attached", "detaching"), 1)
    )

    assert explored_ec2.linked(enis, 0) == (False, True, True)
    assert explored_ec2.linked(enis, 1) == (False, False, False)
