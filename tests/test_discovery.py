"""Members by their tag: who is one, what it is called, in which order; what a silent EC2 changes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.adapters.ec2_roster import TaggedInstance, read_tagged
from eni_failover.config.identity import member_name
from eni_failover.core.model import Attachment, AttachmentStatus, Eni, EniSurvey, InstanceState
from eni_failover.core.policy import Member
from eni_failover.discovery import Discovery, first_members, members_of
from eni_failover.errors import TransientError
from eni_failover.lab import World
from eni_failover.roster_file import remember, remembered

ZONE = "eu-central-1a"
ENI = "eni-1"


def one(number, *, name="", rank="", state="running", zone=ZONE, launched=0.0, address=None, enis=()):
    return TaggedInstance(
        instance_id=f"i-{number}",
        state=InstanceState(state),
        zone=zone,
        address=f"10.0.1.{number}" if address is None else address,
        launched=launched,
        name_tag=name,
        rank_tag=rank,
        eni_ids=enis,
    )


def names(*found, **options):
    return [member.name for member in members_of(found, zone=ZONE, eni_ids=(ENI,), **options)]


def test_members_are_ordered_by_rank_then_launch_then_id():
    """Numbers by value, then words, then those without a rank."""
    found = [
        one(1, launched=5.0),
        one(2, launched=4.0),
        one(3, launched=4.0),
        one(4, rank="b"),
        one(5, rank="10"),
        one(6, rank="9"),
    ]

    assert names(*found) == ["i-6", "i-5", "i-4", "i-2", "i-3", "i-1"]


def test_a_member_is_called_by_its_name_tag_when_that_is_its_alone():
    """In an Auto Scaling group all have the same one: then by their ids."""
    assert names(one(1, name="alpha"), one(2, name="web"), one(3, name="web"), one(4)) == [
        "alpha",
        "i-2",
        "i-3",
        "i-4",
    ]


def test_a_known_member_keeps_its_name():
    """A newcomer with the same Name tag is called by its id, and nobody is renamed."""
    known = (Member(name="web", instance_id="i-1", address="10.0.1.1"),)

    assert names(one(1, name="web"), one(2, name="web"), known=known) == ["web", "i-2"]


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("web server (1)", "web-server-1"),
        ("  alpha ", "alpha"),
        ("none", "i-1"),
        ("foreign", "i-1"),
        ("unknown", "i-1"),
        ("i-2", "i-1"),
        ("I-0FF", "i-1"),
        ("<b>alpha</b>", "b-alpha-b"),
        ("al\npha", "i-1"),
        ("al\x00pha", "i-1"),
        ("al\u200bpha", "i-1"),  # a space that is not seen
        ("\u202eahpla", "i-1"),  # written from right to left
        ("\u0430lpha", "i-1"),  # a Cyrillic letter
        ("x" * 256, "x" * 63),
        ("...", "i-1"),
    ],
)
def test_a_name_tag_is_shown_in_the_form_of_a_name(tag, shown):
    """What could be taken for another member, for nobody, or for something else on the line, is no name."""
    assert names(one(1, name=tag), one(2, name="beta")) == [shown, "beta"]


def test_two_tags_that_look_alike_once_shown_are_nobodys_name():
    """As two that are the same."""
    assert names(one(1, name="web 1"), one(2, name="web/1")) == ["i-1", "i-2"]
    assert names(one(1, name="x" * 70), one(2, name="x" * 80)) == ["i-1", "i-2"]


@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from(["none", "i-1", "i-2", "a b", "a-b"]))))
def test_no_two_members_have_one_name_and_none_has_anothers_id(tags):
    """Whatever tags say, a name means one member, and stands in no label for nobody."""
    found = members_of([one(number, name=tag) for number, tag in enumerate(tags)], zone=ZONE, eni_ids=(ENI,))
    shown = [member.name for member in found]

    assert len(set(shown)) == len(shown)
    for member in found:
        assert member.name == member.instance_id or member_name(member.name) == member.name
        assert member.name not in {other.instance_id for other in found if other is not member}


@pytest.mark.parametrize("state", ["stopping", "stopped", "shutting-down", "terminated", "unknown"])
def test_an_instance_that_does_not_run_is_no_member(state):
    """Nor is one of another zone, whose probes and turns would be for nothing."""
    assert names(one(1), one(2, state=state), one(3, zone="eu-central-1b")) == ["i-1"]


@pytest.mark.parametrize("state", ["stopped", "terminated"])
def test_a_holder_stays_a_member_whatever_its_state(state):
    """It is down, and no foreign instance, whose ENI nobody may touch."""
    by_instance = names(one(1), one(2, state=state, enis=(ENI,)))
    by_eni = names(one(1), one(2, state=state), holders=("i-2",))
    of_another = names(one(1), one(2, state=state, enis=("eni-9",)))

    assert by_instance == by_eni == ["i-1", "i-2"]
    assert of_another == ["i-1"]


def test_a_terminated_holder_keeps_the_address_that_was_known():
    """EC2 describes it without one."""
    known = (Member(name="two", instance_id="i-2", address="10.0.1.2"),)
    found = (one(1), one(2, state="terminated", address=""))
    members = members_of(found, zone=ZONE, eni_ids=(ENI,), holders=("i-2",), known=known)

    assert members[1] == known[0]
    assert [member.name for member in members] == ["i-1", "two"]


def test_an_answer_of_ec2_is_understood():
    """The lab's own, by the tag that every member of its usual cast has."""
    world = World.pair(members=2)
    filters = [{"Name": "tag:eni-failover-group", "Values": ["orders"]}]
    answer = world.call("DescribeInstances", {"Filters": filters})
    found = read_tagged(raw for each in answer["Reservations"] for raw in each["Instances"])

    assert [(each.name_tag, each.address, each.rank_tag, each.state) for each in found] == [
        ("alpha", "10.0.1.11", "1", InstanceState.RUNNING),
        ("beta", "10.0.1.12", "2", InstanceState.RUNNING),
    ]
    assert "eni-0ffffffffffffff01" in found[0].eni_ids
    assert read_tagged([{}]) == ()


class Answers:
    """EC2's answers, one after another; the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def warm(self):
        """Always ready."""

    async def describe_tagged(self, tag, value):
        self.asked.append((tag, value))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def hurried(monkeypatch):
    """Waits take a turn of the loop each."""
    monkeypatch.setattr("eni_failover.discovery.RETRY_FIRST", 0.0)


def test_a_joiner_waits_until_it_is_a_member(hurried):
    """EC2 silent, then without it, then with it; each wait is said."""
    said = []
    roster = Answers(TransientError("no answer"), (one(1),), (one(1), one(2)))

    members = asyncio.run(
        first_members(
            roster, tag="t", group="orders", zone=ZONE, eni_ids=(ENI,), me="i-2", waiting=said.append
        )
    )

    assert [member.instance_id for member in members] == ["i-1", "i-2"]
    assert roster.asked == [("t", "orders")] * 3
    assert ["no answer" in said[0], "does not have the tag t = orders" in said[1]] == [True, True]


class Watched:
    """A discovery with what it tells."""

    def __init__(self, *answers, holder=None):
        self.told, self.left = [], []
        self.roster = Answers(*answers)
        attachment = holder and Attachment(
            attachment_id="a", instance_id=holder, status=AttachmentStatus.ATTACHED, device_index=1
        )
        enis = EniSurvey(began_at=0.0, answered=True, enis=(Eni(eni_id=ENI, attachment=attachment),))
        self.discovery = Discovery(
            lambda: self.roster,
            tag="t",
            group="orders",
            zone=ZONE,
            me="i-1",
            members=members_of((one(1), one(2)), zone=ZONE, eni_ids=(ENI,)),
            enis=lambda: enis,
            interval=lambda: 0.0,
            on_members=lambda members: self.told.append([member.name for member in members]),
            on_left=self.left.append,
        )

    def after(self, looks):
        async def main():
            running = asyncio.ensure_future(self.discovery.run())
            while len(self.roster.asked) < looks:  # noqa: ASYNC110 - the looks are what is waited for
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(main())
        return self


def test_a_replacement_is_told_once(hurried):
    """An Auto Scaling group ends one instance and starts another."""
    watched = Watched((one(1), one(2)), (one(1), one(2, state="shutting-down"), one(3))).after(5)

    assert watched.told == [["i-1", "i-3"]]


def test_a_terminated_holder_is_forgotten_when_it_has_nothing_any_more(hurried):
    """Until then it is a member, so that its ENI is not a foreign instance's."""
    gone = (one(1), one(2, state="terminated", address=""))

    assert Watched(gone, holder="i-2").after(3).told == []
    assert Watched(gone).after(3).told == [["i-1"]]


def test_one_answer_that_lacks_the_holder_drops_nobody(hurried):
    """Else its ENI were a foreign instance's, and the proof that it was up were gone."""
    both, partial = (one(1), one(2)), (one(1),)
    once = Watched(both, partial, both, partial, both, holder="i-2").after(6)
    twice = Watched(both, partial, partial, holder="i-2").after(5)

    assert once.told == []
    assert twice.told == [["i-1"]]


def test_a_silent_ec2_changes_nothing(hurried):
    """Unknown is not gone."""
    watched = Watched(TransientError("no answer")).after(4)

    assert (watched.told, watched.left) == ([], [])


def test_a_member_that_lost_its_tag_leaves_after_a_second_look(hurried):
    """One answer without it may be an old one."""
    once = Watched((one(2),), (one(1), one(2))).after(4)
    for_good = Watched((one(2),)).after(4)

    assert once.left == []
    assert for_good.left[0] == "this instance, i-1, is no member of orders any more"
    assert for_good.told == []


def test_a_doubt_brings_the_next_look_forward(monkeypatch):
    """A group at rest is looked for rarely; within five seconds of a doubt it is not."""
    naps, now, every = [], [0.0], [150.0, 150.0, 30.0, 30.0, 30.0, 30.0, 30.0]

    async def nap(seconds):
        naps.append(seconds)
        now[0] += seconds

    async def main():
        discovery = Watched((one(1), one(2))).discovery
        discovery._interval = lambda: every.pop(0)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
        monkeypatch.setattr("eni_failover.discovery.asyncio.sleep", nap)
        await discovery._rest()
        monkeypatch.undo()

    asyncio.run(main())

    assert sum(naps) == 30.0
    assert set(naps) == {5.0}


def started(*answers, remembered=()):
    """The first members of i-1, with what it remembers."""
    roster, said = Answers(*answers), []
    found = first_members(
        roster,
        tag="t",
        group="orders",
        zone=ZONE,
        eni_ids=(ENI,),
        me="i-1",
        waiting=said.append,
        remembered=remembered,
    )
    return asyncio.run(found), said


def test_a_start_without_ec2s_word_goes_by_the_members_told_last(hurried):
    """DescribeInstances alone fails: a daemon that waits for it serves nobody."""
    known = members_of((one(1), one(2)), zone=ZONE, eni_ids=(ENI,))

    assert started(TransientError("no answer"), (one(1),), remembered=known) == (known, [])


def test_what_ec2_says_outranks_what_is_remembered(hurried):
    """Also that this instance is no member any more."""
    known = members_of((one(1), one(2)), zone=ZONE, eni_ids=(ENI,))
    members, said = started((one(2),), (one(1), one(3)), remembered=known)

    assert [member.instance_id for member in members] == ["i-1", "i-3"]
    assert "does not have the tag" in said[0]


def test_members_are_remembered_by_the_machine_that_wrote_them(tmp_path):
    """An image of an instance carries its state directory along."""
    known = members_of((one(1), one(2)), zone=ZONE, eni_ids=(ENI,))
    remember(tmp_path, "i-1", known)

    assert remembered(tmp_path, "i-1") == known
    assert remembered(tmp_path, "i-2") == ()
    assert [file.name for file in tmp_path.iterdir()] == ["members.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"instance_id": "i-1"}', '{"instance_id": "i-1", "members": [1]}', "[" * 9999]
)
def test_a_damaged_memory_of_members_is_none(tmp_path, text):
    """Then the start waits for EC2, as the first one did."""
    (tmp_path / "members.json").write_text(text)

    assert remembered(tmp_path, "i-1") == ()


def test_members_that_cannot_be_remembered_cost_nothing_else(tmp_path):
    """No directory, or something else in the file's place."""
    remember(tmp_path / "absent", "i-1", ())
    (tmp_path / "members.json").mkdir()
    remember(tmp_path, "i-1", ())

    assert remembered(tmp_path, "i-1") == ()
