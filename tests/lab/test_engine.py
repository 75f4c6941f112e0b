import threading

import pytest

from eni_failover.lab import Ec2Error, NoAnswerError
from eni_failover.lab.engine import CallRecord

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI = "eni-0ffffffffffffff01"
ATTACH = {"NetworkInterfaceId": ENI, "InstanceId": BETA, "DeviceIndex": 1}


def held(world):
    return world.eni(ENI).attachment.id


def status(world):
    attachment = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})["NetworkInterfaces"][
        0
    ]
    return attachment.get("Attachment", {}).get("Status", "none")


# --- DryRun and permission


def test_dry_run_comes_before_state_checks(world, code_of):
    """A permitted DryRun is DryRunOperation though the state would refuse the call, and changes nothing."""
    before = world.state

    assert code_of(world, "AttachNetworkInterface", DryRun=True, **ATTACH) == "DryRunOperation"
    assert (
        code_of(world, "DetachNetworkInterface", DryRun=True, AttachmentId=held(world)) == "DryRunOperation"
    )
    assert code_of(world, "StopInstances", DryRun=True, InstanceIds=[ALPHA]) == "DryRunOperation"
    assert before == world.state


def test_dry_run_status_codes(world):
    """DryRunOperation travels with 412, UnauthorizedOperation with 403."""
    with pytest.raises(Ec2Error) as passed:
        world.call("AttachNetworkInterface", {**ATTACH, "DryRun": True})
    world.deny("AttachNetworkInterface")
    with pytest.raises(Ec2Error) as denied:
        world.call("AttachNetworkInterface", {**ATTACH, "DryRun": True}, caller="beta")

    assert (passed.value.code, passed.value.status) == ("DryRunOperation", 412)
    assert (denied.value.code, denied.value.status) == ("UnauthorizedOperation", 403)
    assert BETA in denied.value.message


def test_dry_run_finds_ids(make_world, code_of):
    """DryRun of a mutation still refuses an unknown id; without dry_run_finds_ids it does not look."""
    gone = {"AttachmentId": "eni-attach-00000000000000bad", "DryRun": True}

    assert code_of(make_world(), "DetachNetworkInterface", **gone) == "InvalidAttachmentID.NotFound"
    world = make_world(settings={"dry_run_finds_ids": False})
    assert code_of(world, "DetachNetworkInterface", **gone) == "DryRunOperation"


def test_denied_comes_before_everything_else(world, code_of):
    """A denied call does not tell whether its ids exist."""
    world.deny("DetachNetworkInterface")

    code = code_of(world, "DetachNetworkInterface", AttachmentId="eni-attach-00000000000000bad")
    assert code == "UnauthorizedOperation"


def test_deny_and_allow(world, code_of):
    """A denial is for an action (wildcards too) and a caller, and can be taken back."""

    def codes():
        return [
            code_of(world, action, caller=caller, DryRun=True)
            for caller in ("alpha", "beta", "operator")
            for action in ("DescribeInstances", "DescribeTags")
        ]

    world.deny("DescribeInstances", "beta")
    one = codes()
    world.deny("Describe*")
    everything = codes()
    world.allow("Describe*")
    again = codes()
    world.allow()

    no, yes = "UnauthorizedOperation", "DryRunOperation"
    assert [yes, yes, no, yes, yes, yes] == one
    assert [no] * 6 == everything
    assert one == again
    assert [yes] * 6 == codes()


def test_allow_for_one_caller_leaves_the_others(world, code_of):
    """Allowing one caller does not allow another."""
    world.deny("DescribeTags", "alpha")
    world.deny("DescribeTags", "beta")
    world.allow("DescribeTags", "alpha")

    assert code_of(world, "DescribeTags", caller="alpha") == "ok"
    assert code_of(world, "DescribeTags", caller="beta") == "UnauthorizedOperation"


def test_unknown_action(world, code_of):
    """An action that the lab does not have is InvalidAction."""
    assert code_of(world, "RunInstances") == "InvalidAction"


# --- faults


def test_scripted_error(world):
    """A scripted error has its code, status and message, as often as scripted, and nothing takes effect."""
    world.fault("error", "Detach*", count=2, code="InternalError", status=500, message="oops")
    errors = []
    for _ in range(2):
        with pytest.raises(Ec2Error) as caught:
            world.call("DetachNetworkInterface", {"AttachmentId": held(world)})
        errors.append((caught.value.code, caught.value.status, caught.value.message))

    assert errors == [("InternalError", 500, "oops")] * 2
    assert status(world) == "attached"
    world.call("DetachNetworkInterface", {"AttachmentId": held(world)})
    assert status(world) == "detaching"


FAULT_MATCHES = [
    # fault's action, caller, dry_run; whether beta's DryRun of attach is hit
    (1, "AttachNetworkInterface", None, None, True),
    (2, "*", None, None, True),
    (3, "Describe*", None, None, False),
    (4, "*", "beta", None, True),
    (5, "*", "alpha", None, False),
    (6, "*", "operator", None, False),
    (7, "*", None, True, True),
    (8, "*", None, False, False),
]


@pytest.mark.parametrize(("number", "action", "caller", "dry_run", "hit"), FAULT_MATCHES)
def test_fault_matches(*, world, code_of, number, action, caller, dry_run, hit):
    """A fault is for an action, a caller and DryRun or not; one that does not match is kept for later."""
    world.fault("error", action, caller=caller, dry_run=dry_run, code="Unavailable")

    code = code_of(world, "AttachNetworkInterface", caller="beta", DryRun=True, **ATTACH)

    assert code == ("Unavailable" if hit else "DryRunOperation")
    assert len(world.faults) == (0 if hit else 1)


def test_faults_are_used_in_order_and_cleared(world, code_of):
    """The fault scripted first is used first; clear_faults forgets the rest."""
    world.fault("error", code="First")
    world.fault("error", code="Second", count=None)
    codes = [code_of(world, "DescribeTags") for _ in range(3)]
    world.clear_faults()

    assert codes == ["First", "Second", "Second"]
    assert code_of(world, "DescribeTags") == "ok"


NO_ANSWER = [
    (1, "close", False),
    (2, "hang", False),
    (3, "html", False),
    (4, "lost", True),
    (5, "late", True),
    (6, "truncated", True),
]


@pytest.mark.parametrize(("number", "kind", "executed"), NO_ANSWER)
def test_calls_without_an_answer(world, number, kind, executed):
    """A call without an answer took effect or did not, by the kind of its fault, and is recorded so."""
    world.fault(kind, "DetachNetworkInterface")
    with pytest.raises(NoAnswerError) as caught:
        world.call("DetachNetworkInterface", {"AttachmentId": held(world)}, caller="beta")
    record = world.calls[-1]

    assert (kind, executed) == (caught.value.kind, caught.value.executed)
    assert (executed, kind) == (record.accepted, record.fault)
    assert record.code == ("ok" if executed else kind)
    assert status(world) == ("detaching" if executed else "attached")


def test_unreachable_for_one_caller(world, code_of):
    """The API can be out of reach for one caller only."""
    world.unreachable("beta", "hang")
    with pytest.raises(NoAnswerError) as caught:
        world.call("DescribeTags", caller="beta")

    assert (caught.value.kind, caught.value.executed) == ("hang", False)
    assert code_of(world, "DescribeTags", caller="alpha") == "ok"
    world.reachable("beta")
    assert code_of(world, "DescribeTags", caller="beta") == "ok"


@pytest.mark.parametrize(("verb", "arguments"), [("fault", ["explode"]), ("unreachable", ["beta", "error"])])
def test_wrong_kinds_are_refused(world, verb, arguments):
    """A kind of fault that does not exist is a ValueError."""
    with pytest.raises(ValueError, match=r"explode|close or hang"):
        getattr(world, verb)(*arguments)


# --- lag


def test_lagging_describes(world, clock):
    """With lag a describe answers from the state that long ago; mutations see the state now."""
    world.set_lag(4.0)
    clock.advance(10)
    world.call("DetachNetworkInterface", {"AttachmentId": held(world)})  # gone at +3
    seen = []
    for _ in range(8):
        seen.append(status(world))
        clock.advance(1)

    assert seen == ["attached"] * 4 + ["detaching"] * 3 + ["none"]


def test_lag_by_action(world, clock):
    """One action can lag while the others do not."""
    world.set_lag(60.0, "DescribeInstances")
    clock.advance(100)
    world.stop_instance("alpha")
    lagging = world.call("DescribeInstances", {"InstanceIds": [ALPHA]})["Reservations"][0]["Instances"][0]
    current = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA], "IncludeAllInstances": True})

    assert lagging["State"]["Name"] == "running"
    assert current["InstanceStatuses"][0]["InstanceState"]["Name"] == "stopping"


def test_one_stale_answer(world, clock):
    """A stale fault makes one describe answer from the past, the next is current."""
    clock.advance(10)
    world.call("DetachNetworkInterface", {"AttachmentId": held(world)})
    clock.advance(3)
    world.fault("stale", "DescribeNetworkInterfaces", seconds=5.0)

    assert [status(world), status(world)] == ["attached", "none"]


def test_one_empty_answer(world, code_of):
    """An empty fault makes one describe find nothing: absent by filter, NotFound by id."""
    world.fault("empty", "Describe*", count=2)
    by_filter = world.call("DescribeInstances", {"Filters": [{"Name": "instance-id", "Values": [ALPHA]}]})
    by_id = code_of(world, "DescribeInstances", InstanceIds=[ALPHA])

    assert by_filter == {"Reservations": []}
    assert by_id == "InvalidInstanceID.NotFound"
    assert code_of(world, "DescribeInstances", InstanceIds=[ALPHA]) == "ok"


def test_history_is_bounded(make_world, clock):
    """States older than the history setting are forgotten; the oldest kept answers for what is older."""
    world = make_world(settings={"history": 10.0})
    for seconds in range(100):
        world.change_eni(ENI, description=str(seconds))
        clock.advance(1)

    assert world.state_at(0).enis[ENI].description == "88"
    assert world.state_at(clock.now - 5).enis[ENI].description == "95"


# --- throttling


def test_throttling(world, clock, code_of):
    """The 51st unfiltered describe at once is RequestLimitExceeded with 503; ten a second come back."""
    codes = [code_of(world, "DescribeInstances") for _ in range(51)]
    clock.advance(0.1)
    world.fault("error", "DescribeTags", code="X")  # does not matter to this bucket

    assert codes == ["ok"] * 50 + ["RequestLimitExceeded"]
    assert code_of(world, "DescribeInstances") == "ok"
    with pytest.raises(Ec2Error) as caught:
        world.call("DescribeInstances")
    assert (caught.value.code, caught.value.status) == ("RequestLimitExceeded", 503)


def test_throttling_is_shared_and_per_action(world, code_of):
    """The bucket is the account's, not the caller's, and each action has its own."""
    for number in range(50):
        code_of(world, "DescribeInstances", caller=("alpha", "beta")[number % 2])

    assert code_of(world, "DescribeInstances", caller="operator") == "RequestLimitExceeded"
    assert code_of(world, "DescribeNetworkInterfaces") == "ok"
    assert code_of(world, "DescribeInstances", MaxResults=10) == "ok"


def test_throttled_mutation_has_no_effect(world, code_of):
    """A throttled detach does nothing; drain empties the bucket as another tenant would, fill fills it."""
    world.drain("DetachNetworkInterface")

    assert code_of(world, "DetachNetworkInterface", AttachmentId=held(world)) == "RequestLimitExceeded"
    assert status(world) == "attached"
    world.fill()
    assert code_of(world, "DetachNetworkInterface", AttachmentId=held(world)) == "ok"


def test_throttling_can_be_off(make_world, code_of):
    """With throttle off nothing is ever refused for its frequency."""
    world = make_world(settings={"throttle": False})

    assert {"ok"} == {code_of(world, "DescribeTags") for _ in range(500)}


# --- the record


def test_calls_are_recorded(world, clock):
    """Each call is recorded with when, what, who, the answer's code and whether it took effect."""
    attachment_id = held(world)
    clock.advance(5)
    world.call("DetachNetworkInterface", {"AttachmentId": attachment_id}, caller="beta", user_agent="x/1")
    with pytest.raises(Ec2Error):
        world.call("AttachNetworkInterface", {**ATTACH, "DryRun": True})

    expected = CallRecord(
        at=1005.0,
        decided_at=1005.0,
        action="DetachNetworkInterface",
        parameters={"AttachmentId": attachment_id},
        caller=BETA,
        code="ok",
        user_agent="x/1",
        dry_run=False,
        accepted=True,
    )
    assert expected == world.calls[0]
    second = world.calls[1]
    assert (
        second.code,
        second.caller,
        second.dry_run,
        second.accepted,
    ) == ("DryRunOperation", "operator", True, False)
    world.clear_calls()
    assert world.calls == ()


def test_a_describe_is_not_accepted(world):
    """Only mutations are recorded as accepted."""
    world.call("DescribeTags")

    assert [(call.code, call.accepted) for call in world.calls] == [("ok", False)]


# --- threads and listeners


def test_concurrent_attaches_have_one_winner(make_world, code_of):
    """Of many attaches from many threads exactly one is accepted."""
    world = make_world(members=6)
    world.place(ENI, None)
    start = threading.Barrier(5)
    codes = []

    def race(number):
        start.wait(10)
        instance = world.instance(("beta", "gamma", "delta", "epsilon", "zeta")[number]).id
        codes.append(code_of(world, "AttachNetworkInterface", **{**ATTACH, "InstanceId": instance}))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(codes) == ["InvalidNetworkInterface.InUse"] * 4 + ["ok"]
    assert [call.accepted for call in world.calls if call.accepted] == [True]


def test_locked_keeps_others_out(world, code_of):
    """Between two verbs within locked() no other thread's call is decided."""
    codes = []
    other = threading.Thread(
        target=lambda: codes.append(code_of(world, "DetachNetworkInterface", AttachmentId=old))
    )
    with world.locked():
        old = held(world)
        other.start()
        world.place(ENI, "beta")
        world.place(ENI, "alpha")
        untouched = not codes
    other.join(10)

    assert untouched
    assert codes == ["InvalidAttachmentID.NotFound"]


def test_listeners_hear_changes_with_their_time(world, clock):
    """A listener hears what was asked for and what became due, each with its time, until it unsubscribes."""
    heard = []
    forget = world.subscribe(
        lambda change: heard.append(
            (change.at, change.after.enis[ENI].attachment and str(change.after.enis[ENI].attachment.status))
        )
    )
    world.call("DetachNetworkInterface", {"AttachmentId": held(world)})
    clock.advance(100)
    _ = world.state
    forget()
    world.place(ENI, "beta")

    assert heard == [(1000.0, "detaching"), (1003.0, None)]
