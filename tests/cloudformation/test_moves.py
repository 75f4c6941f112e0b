"""The notifications: which CloudTrail events the rule matches, by moto's matcher of event patterns.

The events have the shape of CloudTrail's records of EC2 (requestParameters of an attach: networkInterfaceId,
instanceId, deviceIndex; of a detach: attachmentId alone). They were written here, not recorded.
"""

from __future__ import annotations

import json

import pytest
from moto.events.models import EventPattern

from tests.cloudformation.stack import ENI, ROLE, SWITCHES, resolved

OTHER_ROLE = "arn:aws:iam::123456789012:role/deploy"


def event(call, *, role=ROLE, error="", source="aws.ec2", **request):
    """The event of one EC2 call that a role's session made."""
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
            + "/i-0aaaaaaaaaaaaaaa1",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": role, "userName": role.split("/")[-1]}
            },
        },
        "eventTime": "2026-11-27T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": call,
        "userAgent": "Boto3/1.44.5 md/Botocore#1.44.5 eni-failover/0.1.0 group/orders",
        "requestParameters": request,
    }
    if error:
        detail["errorCode"] = error
    return {"source": source, "detail-type": "AWS API Call via CloudTrail", "detail": detail}


ATTACH = {"networkInterfaceId": ENI, "instanceId": "i-0aaaaaaaaaaaaaaa1", "deviceIndex": 1}
DETACH = {"attachmentId": "eni-attach-0123456789abcdef0"}
OTHER = {**ATTACH, "networkInterfaceId": "eni-0fffffffffffffff0"}


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (True, event("AttachNetworkInterface", **ATTACH)),
        (True, event("AttachNetworkInterface", role=OTHER_ROLE, **ATTACH)),
        (True, event("DetachNetworkInterface", **DETACH)),
        (True, event("DetachNetworkInterface", force=True, **DETACH)),
        (False, event("DetachNetworkInterface", role=OTHER_ROLE, **DETACH)),
        (False, event("AttachNetworkInterface", **OTHER)),
        (False, event("AttachNetworkInterface", error="Client.DryRunOperation", **ATTACH)),
        (False, event("AttachNetworkInterface", error="Client.UnauthorizedOperation", **ATTACH)),
        (False, event("DetachNetworkInterface", error="Client.InvalidAttachmentID.NotFound", **DETACH)),
        (False, event("ModifyNetworkInterfaceAttribute", **ATTACH)),
        (False, event("AttachNetworkInterface", source="my.app", **ATTACH)),
    ],
    ids=[
        "our attach",
        "an operator's attach of this ENI",
        "our detach",
        "our detach by force",
        "a detach by another role, of an ENI that the event does not name",
        "an attach of another ENI",
        "a dry run",
        "a refused attach",
        "a detach that came too late",
        "another call",
        "another source",
    ],
)
def test_what_is_told(told, seen):
    """Each accepted attach of this ENI, by whomever, and each accepted detach by the members."""
    pattern = resolved(Notifications="yes").resources["MovesRule"]["Properties"]["EventPattern"]

    assert EventPattern.load(json.dumps(pattern)).matches_event(seen) is told


def test_a_root_users_detach_is_not_told():
    """Its event has no session issuer; the rule must not stumble over that."""
    seen = event("DetachNetworkInterface", **DETACH)
    seen["detail"]["userIdentity"] = {"type": "Root", "arn": "arn:aws:iam::123456789012:root"}
    pattern = resolved(Notifications="yes").resources["MovesRule"]["Properties"]["EventPattern"]

    assert EventPattern.load(json.dumps(pattern)).matches_event(seen) is False


def test_only_this_rule_may_publish():
    """EventBridge, on behalf of the rule; the address is subscribed when there is one."""
    stack = resolved(**SWITCHES)
    (statement,) = stack.resources["MovesTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "id-of-MovesTopic",
        "Condition": {"ArnEquals": {"aws:SourceArn": "Arn-of-MovesRule"}},
    }
    assert stack.resources["MovesEmail"]["Properties"]["Endpoint"] == "team@example.com"
    assert "MovesEmail" not in resolved(Notifications="yes").resources


def test_the_message_is_one_line_of_text():
    """The input template is a JSON string, as EventBridge asks, with group, ENI, call, time and caller."""
    (target,) = resolved(Notifications="yes").resources["MovesRule"]["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    text = json.loads(transformer["InputTemplate"])

    assert text == f"eni-failover group orders, {ENI}: <call> at <at> by <who>"
    assert set(transformer["InputPathsMap"]) == {"call", "at", "who"}
