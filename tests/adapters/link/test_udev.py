"""Whether a new link has still to be named."""

import pytest

from eni_failover.adapters.link.kernel import KernelLink
from eni_failover.adapters.link.udev import awaits_name


def link(kind=""):
    return KernelLink(index=7, name="eth1", mac="", is_up=False, has_carrier=False, kind=kind)


@pytest.mark.parametrize(
    ("files", "expected"),
    [((), False), (("control",), True), (("control", "data/n7"), False), (("control", "data/n8"), True)],
)
def test_a_device_is_named_when_udev_has_a_record_of_it(tmp_path, files, expected):
    """Where no udev runs nobody names links."""
    for file in files:
        path = tmp_path / "run/udev" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert awaits_name(link(), tmp_path) is expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [("I:1\nE:ID_NET_NAME=ens6\nE:ID_RENAMING=1\n", True), ("I:1\nE:ID_NET_NAME=ens6\n", False)],
)
def test_a_name_that_is_under_way_is_waited_for(tmp_path, record, expected):
    """As udev 252 writes it, before the kernel tells of the new name and after."""
    (tmp_path / "run/udev/data").mkdir(parents=True)
    (tmp_path / "run/udev/control").touch()
    (tmp_path / "run/udev/data/n7").write_text(record)

    assert awaits_name(link(), tmp_path) is expected


def test_a_record_that_cannot_be_read_is_not_waited_for(tmp_path):
    """It may never be readable; a name under which nobody looks is the smaller loss."""
    (tmp_path / "run/udev/data/n7").mkdir(parents=True)
    (tmp_path / "run/udev/control").touch()

    assert awaits_name(link(), tmp_path) is False


def test_an_end_of_a_pair_is_named_by_who_made_it(tmp_path):
    """It may be in a network namespace, of which the host's udev knows nothing."""
    (tmp_path / "run/udev").mkdir(parents=True)
    (tmp_path / "run/udev/control").touch()

    assert awaits_name(link("veth"), tmp_path) is False
