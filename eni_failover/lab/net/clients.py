"""Clients that keep talking to a floating address, and what they saw: the gap, and who answered.

Owns: the clients' processes and the reading of what they wrote. Must not know: EC2, daemons.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from eni_failover.lab.net.networld import NetWorld

SERVICE_PORT: Final = 8080
_HERE: Final = Path(__file__).parent
PROTOCOLS: Final = ("tcp", "udp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: seconds of the monotonic clock at which it was asked for and came, and whose it was."""

    number: int
    asked: float
    at: float
    protocol: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without answers: `began` is the last answer before it, `ended` the first one after it."""

    began: float
    ended: float
    before: str
    after: str

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


class Client:
    """One client on one host, asking one address every `interval` seconds from now on."""

    def __init__(
        self, net: NetWorld, host: str, address: str, notes: Path, *, interval: float = 0.01
    ) -> None:
        self.host, self.address = host, address
        self._notes = notes
        with notes.open("wb") as output:
            self._process = net.spawn(
                host,
                [sys.executable, "-I", str(_HERE / "asking.py"), address, str(SERVICE_PORT), str(interval)],
                stdout=output,
            )

    def stop(self) -> None:
        """Ask no more; the answers stay."""
        self._process.kill()
        self._process.wait()

    def answers(self, protocol: str) -> list[Answer]:
        """The answers so far, in the order in which they came."""
        return [one for one in self._read() if one.protocol == protocol]

    def last(self, protocol: str) -> Answer | None:
        """The newest answer."""
        found = self.answers(protocol)
        return found[-1] if found else None

    def gap(self, protocol: str) -> Gap | None:
        """The time between the first change of who answered, None when it never changed."""
        found = self.answers(protocol)
        for before, after in pairwise(found):
            if before.name != after.name:
                return Gap(began=before.at, ended=after.at, before=before.name, after=after.name)
        return None

    def longest_silence(self, protocol: str) -> float:
        """The longest time between two answers, seconds."""
        times = [one.at for one in self.answers(protocol)]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def lost(self, protocol: str) -> int:
        """How many questions between the first and the last answered one have no answer."""
        numbers = [one.number for one in self.answers(protocol)]
        return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0

    def _read(self) -> Iterator[Answer]:
        # The last line may be one that is being written.
        for line in self._notes.read_text().split("\n")[:-1]:
            at, protocol, number, asked, name = line.split()
            yield Answer(number=int(number), asked=float(asked), at=float(at), protocol=protocol, name=name)


def service(name: str) -> Sequence[str]:
    """The command of a service that says `name`, for `NetWorld.spawn`."""
    return [sys.executable, "-I", str(_HERE / "answering.py"), name, str(SERVICE_PORT)]
