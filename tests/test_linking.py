"""What the log says of links: repairs, who is blamed for them, refusals, doubts."""

from dataclasses import dataclass, field

import pytest
import structlog

from eni_failover import linking
from eni_failover.adapters.link import KernelLink, Manager, Refusal
from eni_failover.adapters.link.keeper import Step
from eni_failover.config import NetworkMode, NetworkSettings
from eni_failover.core.model import Eni, EniSurvey
from eni_failover.linking import Linking

ENI = Eni(eni_id="eni-0ffffffffffffff01", mac="0a:ff:00:00:00:01")


def link(name, kind=""):
    return KernelLink(index=7, name=name, mac=ENI.mac, is_up=True, has_carrier=True, kind=kind)


@dataclass
class Told:
    """The parts of a daemon around the links, and a clock that the test moves."""

    now: float = 1000.0
    counted: list[str] = field(default_factory=list)
    enis: EniSurvey = field(default_factory=lambda: EniSurvey(began_at=0.0, answered=True, enis=(ENI,)))

    def linking(self):
        return Linking(
            settings=NetworkSettings(mode=NetworkMode.MANAGE, path_check=False, ipv6_router=""),
            instance_id="i-0bbbbbbbbbbbbbbb2",
            facts=self,
            clock=lambda: self.now,
            wake=lambda: None,
            on_lost=lambda: None,
            on_repair=self.counted.append,
        )


@pytest.fixture
def told():
    return Told()


def test_a_fight_is_reported_once(told, monkeypatch):
    """All of it is counted; the log has two repairs, a warning, and then nothing for ten minutes."""
    monkeypatch.setattr(linking, "find_manager", lambda: Manager.NETWORKD)
    links = told.linking()
    with structlog.testing.capture_logs() as log:
        for _ in range(500):
            links._repaired(ENI.eni_id, "route")
            told.now += 1.0
    first = [entry["event"] for entry in log]
    told.now += 103.0
    with structlog.testing.capture_logs() as again:
        links._repaired(ENI.eni_id, "route")

    assert first == ["network.link_repaired"] * 2 + ["network.repair_conflict"]
    assert len(told.counted) == 501
    assert [entry["event"] for entry in again] == ["network.repair_conflict"]
    assert again[0]["suspect"] == "systemd-networkd"
    assert "Unmanaged=yes" in again[0]["remedy"]


def test_a_repair_now_and_then_is_a_line_each(told):
    """Nobody is blamed for what an operator does twice a day."""
    links = told.linking()
    with structlog.testing.capture_logs() as log:
        for _ in range(5):
            links._repaired(ENI.eni_id, "rule")
            told.now += 301.0

    assert {entry["event"] for entry in log} == {"network.link_repaired"}


def test_a_refusal_names_everything(told):
    """The step as `ip` would name it, the ENI, the link and the errno's text."""
    refusal = Refusal(
        step=Step("rules", None), what="add rule from 10.0.1.101/32 lookup 20007", why="No buffer", number=105
    )
    with structlog.testing.capture_logs() as log:
        told.linking()._refused(ENI.eni_id, link("ens6"), refusal)

    assert log == [
        {
            "event": "network.change_refused",
            "log_level": "warning",
            "eni_id": ENI.eni_id,
            "link": "ens6",
            "what": "add rule from 10.0.1.101/32 lookup 20007",
            "error": "No buffer",
        }
    ]


@pytest.mark.parametrize(("chosen", "name"), [(link("ens6"), "ens6"), (None, "")])
def test_a_doubt_names_all_links(told, chosen, name):
    """The one that was taken, if any, and the others with what they are."""
    with structlog.testing.capture_logs() as log:
        told.linking()._doubted(ENI, chosen, (link("veth1", "veth"), link("ens9")))

    assert (log[0]["event"], log[0]["eni_id"], log[0]["link"]) == ("network.mac_shared", ENI.eni_id, name)
    assert log[0]["links"] == "veth1 (veth), ens9 (device)"
