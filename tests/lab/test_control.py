"""Directing a lab over HTTP, as a person with curl would."""

import http.client
import json

import pytest

from eni_failover.lab.control import VERBS
from eni_failover.lab.world import World

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI = "eni-0ffffffffffffff01"


@pytest.fixture
def curl(lab):
    """(status, JSON) of a request to the lab."""

    def ask(method, path, body=None):
        connection = http.client.HTTPConnection(lab.ec2_url.removeprefix("http://"), timeout=5)
        try:
            connection.request(
                method, path, body if isinstance(body, str) or body is None else json.dumps(body)
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return ask


def test_state(curl, clock):
    """/_lab/state is the whole world as strict JSON: what never ends is null."""
    status, shown = curl("GET", "/_lab/state")

    assert status == 200
    assert (clock.now, 0.0, 3.0) == (
        shown["now"],
        shown["settings"]["latency"],
        shown["settings"]["durations"]["detach"],
    )
    assert tuple(
        shown["state"]["enis"][ENI]["attachment"][key] for key in ("instance_id", "status", "ends_at")
    ) == (ALPHA, "attached", None)
    assert {ALPHA, BETA} == set(shown["state"]["instances"])


def test_calls(curl, world):
    """/_lab/calls are the calls from the N-th on."""
    world.call("DescribeTags")
    world.call("DescribeSubnets", caller="beta")

    assert [call["action"] for call in curl("GET", "/_lab/calls")[1]] == ["DescribeTags", "DescribeSubnets"]
    later = curl("GET", "/_lab/calls?since=1")[1]
    assert [(c["action"], c["caller"], c["code"]) for c in later] == [("DescribeSubnets", BETA, "ok")]
    assert curl("GET", "/_lab/calls?since=x")[0] == 400


def test_verbs_are_listed(curl):
    """/_lab/verbs tells each verb's arguments and what it does."""
    status, listed = curl("GET", "/_lab/verbs")

    assert (200, set(VERBS)) == (status, set(listed))
    assert "action" in listed["fault"]["arguments"]
    assert all(entry["does"] for entry in listed.values())


def test_every_verb_is_a_method():
    """Each verb open to HTTP is a public method of the world."""
    assert [verb for verb in VERBS if not callable(getattr(World, verb, None))] == []


STORIES = [
    # verb, arguments, what the world shows then
    ("stop_instance", {"instance": "alpha"}, lambda w: w.instance("alpha").state == "stopping"),
    (
        "set_state",
        {"instance": "alpha", "state": "stopped"},
        lambda w: w.instance("alpha").state == "stopped",
    ),
    ("terminate_instance", {"instance": "alpha"}, lambda w: w.instance("alpha").state == "shutting-down"),
    ("stick_detach", {"eni": "floating-1"}, lambda w: w.eni(ENI).detach_stuck),
    ("set_durations", {"target": ENI, "detach": None}, lambda w: w.eni(ENI).durations.detach == float("inf")),
    ("set_durations", {"attach": 9}, lambda w: w.settings.durations.attach == 9),
    (
        "configure",
        {"durations": {"detach": 7}, "throttle": False},
        lambda w: w.settings.durations.detach == 7,
    ),
    ("configure", {"moving_status": "transitional"}, lambda w: w.settings.moving_status == "transitional"),
    ("set_latency", {"seconds": 0.5}, lambda w: w.settings.latency == 0.5),
    (
        "set_lag",
        {"seconds": 3, "action": "DescribeInstances"},
        lambda w: w.settings.lag_by_action["DescribeInstances"] == 3,
    ),
    ("fault", {"kind": "lost", "action": "Attach*", "caller": "beta"}, lambda w: w.faults[0].caller == BETA),
    ("deny", {"action": "AttachNetworkInterface"}, lambda w: w._denied == {("AttachNetworkInterface", None)}),
    ("unreachable", {"caller": "beta"}, lambda w: BETA in w._unreachable),
    (
        "impair",
        {"instance": "alpha", "system": "impaired"},
        lambda w: w.instance("alpha").system_check == "impaired",
    ),
    ("take", {"eni": ENI}, lambda w: w.eni(ENI).attachment.instance_id == "i-0deadbeefdeadbeef"),
    (
        "add_instance",
        {"instance_id": "i-0ddddddddddddddd4", "address": "10.0.1.14"},
        lambda w: "i-0ddddddddddddddd4" in w.state.instances,
    ),
    (
        "add_eni",
        {"eni_id": "eni-0ffffffffffffff07", "addresses": ["10.0.1.107"]},
        lambda w: "eni-0ffffffffffffff07" in w.state.enis,
    ),
    ("change_eni", {"eni": ENI, "description": "new"}, lambda w: w.eni(ENI).description == "new"),
    ("expire_credentials", {"instance": "beta"}, lambda w: True),
]


@pytest.mark.parametrize(("verb", "arguments", "so"), STORIES)
def test_verbs_over_http(curl, world, verb, arguments, so):
    """A verb over HTTP does what the method does."""
    status, answer = curl("POST", f"/_lab/{verb}", arguments)

    assert (200, {"result"}) == (status, set(answer)), answer
    assert so(world)


def test_place_answers_with_the_attachment_id(curl, world):
    """The result of a verb comes back as JSON."""
    answer = curl("POST", "/_lab/place", {"eni": ENI, "instance": "beta", "index": 2})[1]

    assert {"result": world.eni(ENI).attachment.id} == answer
    assert (world.eni(ENI).attachment.instance_id, world.eni(ENI).attachment.device_index) == (BETA, 2)


def test_imds_down_over_http_is_done_with_the_answer(curl, lab):
    """When the answer to imds_down is there, connections to that IMDS are refused."""
    url = lab.imds_url("beta")
    curl("POST", "/_lab/imds_down", {"instance": "beta"})
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    with pytest.raises(ConnectionRefusedError):
        connection.connect()


REFUSALS = [
    # verb, body, status, part of the message
    (1, "make_coffee", {}, 404, "make_coffee"),
    (2, "call", {"action": "DescribeTags"}, 404, "call"),
    (3, "stop_instance", {}, 400, "instance"),
    (4, "stop_instance", {"instance": "nobody"}, 400, "nobody"),
    (5, "stop_instance", {"instance": "alpha", "gently": True}, 400, "gently"),
    (6, "fault", {"kind": "explode"}, 400, "explode"),
    (7, "set_latency", {"seconds": "fast"}, 400, "fast"),
    (8, "set_durations", {"detach": -1}, 400, "-1"),
    (9, "set_durations", {"teleport": 1}, 400, "teleport"),
    (10, "configure", {"throttle": "no"}, 400, "throttle"),
    (11, "configure", {"colour": "red"}, 400, "colour"),
    (12, "add_eni", {"eni_id": "eni-0ffffffffffffff07", "subnet_id": "subnet-x"}, 400, "subnet-x"),
    (13, "add_instance", {"instance_id": "i-0ddddddddddddddd4", "instance_type": "q1.huge"}, 400, "q1.huge"),
    (14, "set_state", {"instance": "alpha", "state": "asleep"}, 400, "asleep"),
    (15, "stop_instance", "[]", 400, "object"),
    (16, "stop_instance", "{", 400, "Expecting"),
]


@pytest.mark.parametrize(("number", "verb", "body", "status", "text"), REFUSALS)
def test_verb_refusals(*, curl, world, number, verb, body, status, text):
    """What is no verb, no argument or no value is refused with a message, and nothing changes."""
    before = (world.state, world.settings)
    answered, answer = curl("POST", f"/_lab/{verb}", body)

    assert status == answered
    assert text in answer["message"]
    assert before == (world.state, world.settings)


def test_ec2s_own_refusal_is_409(curl, world):
    """A verb that EC2's rules refuse answers 409 with EC2's code."""
    world.set_state("alpha", "terminated")

    status, answer = curl("POST", "/_lab/start_instance", {"instance": "alpha"})

    assert (status, answer["error"]) == (409, "IncorrectInstanceState")
