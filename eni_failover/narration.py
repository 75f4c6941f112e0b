"""What has changed since the pass before, as lines of the log: pauses, verdicts of probes, takeovers.

Owns that each change is told once, with its words. Decides nothing, and counts nothing.
"""

from __future__ import annotations

import structlog

from eni_failover.core.health import Health
from eni_failover.core.model import PauseRecord
from eni_failover.core.pause import is_refused
from eni_failover.core.policy import InstanceId, Member
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State, Takeover
from eni_failover.core.vocabulary import Answer
from eni_failover.status import time_text

_Standing = tuple[Member | None, Answer]


class Narration:
    """Compares each pass with the one before it."""

    def __init__(self) -> None:
        self._pauses: tuple[PauseRecord | None, ...] = (None, None)
        self._refused: dict[InstanceId, float] = {}
        self._standings: dict[str, _Standing] = {}
        self._takeover_id = ""
        self._log = structlog.get_logger()

    def published(self, view: Snapshot, state: State) -> None:
        """A pass has decided."""
        self._tell_pauses(view)
        self._tell_refused(view)
        asked = {line.name: line.member for line in view.probes}
        for health in state.health:
            self._tell_verdict(health, about=asked[health.probe.name])

    def started(self, takeover: Takeover) -> None:
        """A takeover begins: told once, however often its first call is refused."""
        if takeover.takeover_id == self._takeover_id:
            return
        self._takeover_id = takeover.takeover_id
        said = {"detail": takeover.detail} if takeover.detail else {}
        self._log.warning("takeover.started", reason=str(takeover.reason), **said)

    def _tell_pauses(self, view: Snapshot) -> None:
        """A pause or resume of the group or of this member's own, with its author and words."""
        pauses = (view.pause, view.local_pause)
        for record, before in zip(pauses, self._pauses, strict=True):
            if record is not None and (before is None or record.at != before.at):
                until = {} if record.until is None else {"until": time_text(record.until)}
                said = {"detail": record.reason} if record.reason else {}
                self._log.info(
                    "pause.changed", kind=str(record.kind), by=record.by, local=record.local, **until, **said
                )
        self._pauses = pauses

    def _tell_refused(self, view: Snapshot) -> None:
        """A peer's record that is not followed, because one of the two clocks is far off: told once."""
        for peer in view.peers:
            record = peer.pause
            if record is None or not is_refused(record, view.pause, view.at_wall):
                self._refused.pop(peer.instance_id, None)
            elif self._refused.get(peer.instance_id) != record.at:
                self._refused[peer.instance_id] = record.at
                self._log.warning(
                    "pause.refused",
                    kind=str(record.kind),
                    peer=peer.member,
                    by=record.by,
                    at=time_text(record.at),
                    detail=f"{record.at - view.at_wall:.0f} s ahead of this host's clock: correct the clocks",
                )

    def _tell_verdict(self, health: Health, *, about: str) -> None:
        """A probe's verdict, after rise or fall. Another member to ask is no change of a verdict."""
        before, was = self._standings.get(health.probe.name, (health.member, Answer.UNKNOWN))
        if before != health.member:
            was = Answer.UNKNOWN
        self._standings[health.probe.name] = (health.member, health.verdict)
        if health.verdict is was:
            return
        keys = {"probe": health.probe.name, "to": str(health.verdict), "was": str(was)}
        if health.member is not None:
            keys["about"] = about
        if health.detail:
            keys["detail"] = health.detail
        tell = self._log.warning if health.verdict is Answer.DOWN else self._log.info
        tell("probe.changed", **keys)
