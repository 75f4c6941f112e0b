"""Where a link belongs, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eni_failover.lab.net.plugs import Plug, PlugAt, UnplugAt, plug_of
from eni_failover.lab.values import Attachment, AttachmentStatus, Eni

AWAY = Plug()
HERE = Plug(instance_id="i-1", attachment_id="eni-attach-1")
ATTACHMENT = Attachment(
    id="eni-attach-1",
    instance_id="i-1",
    device_index=1,
    status=AttachmentStatus.ATTACHED,
    attach_time=0.0,
)
ENI = Eni(id="eni-1", subnet_id="subnet-1", mac="0a:00:00:00:00:01", attachment=ATTACHMENT)


def place(eni: Eni, was: Plug, plug_at="attached", unplug_at="detaching") -> Plug:
    return plug_of(eni, was, plug_at=PlugAt(plug_at), unplug_at=UnplugAt(unplug_at))


def moving(status: str, *, forced: bool = False, stuck: bool = False) -> Eni:
    attachment = replace(ATTACHMENT, status=AttachmentStatus(status), forced=forced)
    return replace(ENI, attachment=attachment, detach_stuck=stuck)


@pytest.mark.parametrize(
    ("eni", "was", "plug_at", "unplug_at", "expected"),
    [
        pytest.param(replace(ENI, attachment=None), HERE, "attached", "detaching", AWAY, id="1 on nobody"),
        pytest.param(ENI, AWAY, "attached", "detaching", HERE, id="2 attached"),
        pytest.param(ENI, HERE, "attached", "detaching", HERE, id="3 still attached"),
        pytest.param(moving("attaching"), AWAY, "attached", "detaching", AWAY, id="4 attaching"),
        pytest.param(moving("attaching"), AWAY, "attaching", "detaching", HERE, id="5 attaching, early"),
        pytest.param(moving("detaching"), HERE, "attached", "detaching", AWAY, id="6 detaching"),
        pytest.param(moving("detaching"), HERE, "attached", "away", HERE, id="7 detaching, late"),
        pytest.param(moving("detaching", stuck=True), HERE, "attached", "detaching", HERE, id="8 stuck"),
        pytest.param(
            moving("detaching", stuck=True, forced=True), HERE, "attached", "detaching", AWAY, id="9 forced"
        ),
        pytest.param(
            moving("detaching", stuck=True, forced=True), HERE, "attached", "away", HERE, id="10 forced, late"
        ),
        pytest.param(
            moving("detaching", stuck=True), AWAY, "attached", "detaching", AWAY, id="11 stuck, never there"
        ),
    ],
)
def test_where_a_link_belongs(eni, was, plug_at, unplug_at, expected):
    """The status of the attachment, who lets go, and the options decide."""
    assert expected == place(eni, was, plug_at, unplug_at)


@pytest.mark.parametrize("status", ["attaching", "detaching"])
def test_what_was_there_by_another_attachment_does_not_stay(status):
    """A link does not wait in the guest for the end of an attachment by which it never came."""
    elsewhere = replace(HERE, attachment_id="eni-attach-0")

    assert place(moving(status, stuck=True), elsewhere, unplug_at="away") == AWAY


def test_attached_anew_is_another_plug():
    """The same instance with another attachment id: the link has to leave and come again."""
    before = replace(HERE, attachment_id="eni-attach-0")

    assert place(ENI, before) != before
