"""One member as the explorer keeps it: the real `State`, what it sees, what it has asked of EC2.

Owns the shape of a member's local situation and its virtual clock. Nothing here decides: the real `step`
does, in `explored_pass`. All times are on the member's own monotonic clock, which no other member reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from eni_failover.core.decision import Call
from eni_failover.core.model import (
    Attempt,
    EniSurvey,
    InstanceSurvey,
    Outcome,
    PeerEni,
    Request,
    Stall,
)
from eni_failover.core.policy import MemberName, Policy
from eni_failover.core.state import Durable, State
from eni_failover.core.vocabulary import Role, Trigger
from eni_failover.history import _rebooted, _woken
from tests.core import builders

TICK = 2.25  # seconds: the bounds of the core (1, 2, 10, 60 s) fall between whole ticks, never on one
EPS = 2.0**-10  # between two things that one member does in one tick
START = 1000 * TICK
ASK = 9.0  # seconds that an operator's request lives
RIGHT = "right"  # the file that everybody should have
WRONG = "wrong"  # settings of a probe that asks for what is not there
FOREIGN = "foreign"
KEPT_ATTEMPTS = 4  # of each probe, while the member does not come to a pass


class Flight(NamedTuple):
    """A call on its way. `token` is what this member saw at that ENI, `status` how it saw it."""

    call: Call
    sent_at: float
    token: int
    status: str


class Heard(NamedTuple):
    """The explorer's own reading of one question's answers.

    `about` is the question: the probe's settings and whom it asks. `word` is the newest answer that was up or
    down, `run` how many of them in a row, `newest_at` when the newest was asked for. `is_up` is what `rise`
    ups made of it until `fall` downs; `is_down` whether the newest `fall` are all down.
    """

    about: tuple[object, ...] = ()
    word: str = ""
    run: int = 0
    newest_at: float | None = None
    is_up: bool = False
    is_down: bool = False


class Seen(NamedTuple):
    """How an ENI is shown, and since which pass: free, missing, foreign, attaching, attached or detaching."""

    word: str = ""
    attachment_id: str | None = None
    since: float = 0.0


class Met(NamedTuple):
    """A holder as one daemon has come to know it: `since` when without having seen it up, None once it has.

    `answered` is whether it has given any sign of life. `holder` has the `lock`, the first ENI; `question` is
    what the holder probe asks.
    """

    attachment_id: str
    since: float | None
    holder: str
    lock: str
    question: object
    answered: bool = False


class Intent(NamedTuple):
    """The takeover under way as it was when it began, and what the explorer knows of its calls.

    `shot` is the point of no return by the explorer's own count: no | maybe (a call is unanswered) | yes;
    `place` is which ENI that call was about, `attaches` whether it was to attach it. `fence` is what is
    known of its stop: no | asked | accepted.
    """

    trigger: Trigger
    recorded: tuple[str | None, ...]
    deadline: float | None
    born_here: bool = True
    shot: str = "no"
    shot_at: float = 0.0
    place: int = 0
    attaches: bool = False
    counted: bool = False
    fence: str = "no"


class Ghost(NamedTuple):
    """What the invariants remember of a member, counted apart from the core's own memory.

    `spoiled`: it was unfit or not running when, or since, it lost the first ENI. `ledger`: when its takeovers
    by probes or failback passed the point of no return. `causes`: since when it has seen each cause
    (probes, unowned, ec2) without a break. `told`: the last role that its hooks heard in this life. `seen`:
    each ENI as shown. `facts`: what EC2 last said of this instance; `refused_at`: when EC2 refused it an
    attach in earnest, if nothing else was said of it since. `met`: the holder; `last_up`: the newest
    attachment whose holder was seen up, in any life, by the question `last_up_by`; `last_had`: who had the
    first ENI last, and `lock` which that was; `has_looked`: whether this life has known where the ENIs are.
    `ended_at`: when its last takeover ended, of its own accord and past return, or failed. `pause`: the `at`
    of the group's pause that it knows, and until when that lasts, as it was said. `ready`: since when
    nothing has held it back from one by probes, and from taking what nobody has.
    """

    holder: Heard = Heard()
    myself: Heard = Heard()
    witness: Heard = Heard()
    intent: Intent | None = None
    ledger: tuple[float, ...] = ()
    spoiled: bool = False
    causes: tuple[float | None, float | None, float | None] = (None, None, None)
    told: Role | None = None
    seen: tuple[Seen, ...] = ()
    facts: tuple[object, ...] = ()
    refused_at: float | None = None
    met: Met | None = None
    last_up: str | None = None
    last_had: str | None = None
    lock: str | None = None
    last_up_by: object = None
    has_looked: bool = False
    ended_at: float | None = None
    pause: tuple[float, float] | None = None
    ready: tuple[float | None, float | None] = (None, None)


class Shows(NamedTuple):
    """What a member's /status tells the others; times as distances from the present tick."""

    alive: bool
    role: str
    pause: tuple[str, float, float | None, float | None] | None
    said: tuple[float, float] | None
    trigger: str
    last_trigger: str
    enis: tuple[PeerEni, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """A member. `tokens` are the ids of what its newest survey showed; `due`: there is news for a pass.

    `file` is which of `files` its host has; `policy` is the one in force. `failing` are EC2's operations that
    fail for it while all others work; `denied`: IAM has denied it an attach, and no DryRun was allowed
    since. `asleep_since`: its host sleeps since then. `asked_at` is when its probes last went out; `skew` is
    what its wall clock is wrong by.
    """

    index: int
    policy: Policy
    now: float
    state: State | None
    durable: Durable = field(default_factory=Durable)
    survey: EniSurvey
    tokens: tuple[int, ...]
    instances: InstanceSurvey
    inbox: tuple[Attempt, ...] = ()
    requests: tuple[Request, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    flights: tuple[Flight, ...] = ()
    strays: tuple[Flight, ...] = ()
    lost: tuple[float | None, ...]
    last_trigger: str = ""
    hears: str = "up"
    fit: bool = True
    witness: bool = True
    api: bool = True
    allowed: bool = True
    broken: bool = False
    files: tuple[tuple[str, Policy], ...] = ()
    file: str = RIGHT
    failing: frozenset[str] = frozenset()
    denied: bool = False
    asleep_since: float | None = None
    stalls: tuple[Stall, ...] = ()
    asked_at: float = START
    skew: float = 0.0
    due: bool = True
    ghost: Ghost = field(default_factory=Ghost)

    @property
    def name(self) -> MemberName:
        """The member's name."""
        return self.policy.me.name

    @property
    def is_awake(self) -> bool:
        """Whether a daemon runs here, and runs on."""
        return self.state is not None and self.asleep_since is None

    @property
    def wanted(self) -> Policy:
        """What the file on its host says."""
        return dict(self.files).get(self.file, self.policy)

    @property
    def base(self) -> float:
        """The beginning of the present tick: the moment that all members share."""
        return self.now // TICK * TICK

    @property
    def impaired(self) -> bool:
        """Whether this member is unfit or not running, whether it knows it or not; EC2's silence is no
        matter.
        """
        refused = self.ghost.refused_at is not None or self.denied
        return not (self.state and self.fit and self.allowed) or refused

    def _is_confirmed(self) -> bool:
        """Whether the holder has confirmed of late what EC2 said last: EC2 is then asked rarely."""
        at = self.state.confirmed_at if self.state else None
        return at is not None and self.now - at <= self.policy.observe_interval

    def may_tick(self, ticks: int) -> bool:
        """Whether so much time may pass: each call on its way is answered or given up in time."""
        later = self.base + ticks * TICK
        return all(later - one.sent_at <= self.policy.call_timeout for one in self.flights)

    def may_peek(self) -> bool:
        """Whether a pass on the survey at hand has news, and that survey is as new as the daemon keeps it."""
        if not self.is_awake or self.flights or not self.due:
            return False
        policy, moves = self.policy, self.durable.takeover is not None
        interval = policy.idle_interval if self._is_confirmed() else policy.observe_interval
        if moves:
            interval = policy.move_interval
        return self.now - self.survey.began_at <= interval + policy.call_timeout


def first_node(index: int, files: tuple[tuple[str, Policy], ...]) -> Node:
    """A member whose daemon has just started for the first time, with the right one of these files."""
    policy = dict(files)[RIGHT]
    return started(
        Node(
            index=index,
            policy=policy,
            files=files,
            now=START,
            state=None,
            survey=builders.silence(len(policy.eni_ids), at=START),
            tokens=(0,) * len(policy.eni_ids),
            instances=builders.instances(at=START, answered=False),
            lost=(None,) * len(policy.eni_ids),
        )
    )


def started(node: Node) -> Node:
    """The daemon starts, with what its journal kept."""
    durable, now = _woken(node.durable), node.now + EPS
    return replace(
        node,
        now=now,
        policy=node.wanted,
        state=State(started_at=now, durable=durable),
        durable=durable,
        survey=builders.silence(len(node.lost), at=now),
        tokens=(0,) * len(node.lost),
        instances=builders.instances(at=now, answered=False),
        due=True,
    )


def rebooted(node: Node) -> Node:
    """The machine was off for a while: the journal says so to row 11."""
    return started(replace(node, durable=_rebooted(node.durable, node.name)))


def shows(node: Node) -> Shows:
    """What the others read in this member's /status."""
    record, takeover = node.durable.pause, node.durable.takeover
    told = None
    if record is not None:
        ends_at = None if record.ends_at is None else _exact(record.ends_at - node.base)
        until = None if record.until is None else _exact(record.until - node.base)
        told = (str(record.kind), _exact(record.at - node.base), ends_at, until)
    said = node.ghost.pause
    return Shows(
        alive=node.is_awake,
        role=str(node.state.role) if node.state else "",
        pause=told,
        said=None if said is None else (_exact(said[0] - node.base), _exact(said[1] - node.base)),
        trigger=str(takeover.trigger) if takeover else "",
        last_trigger=node.last_trigger,
        enis=tuple(
            PeerEni(eni_id=seen_eni.eni_id, attachment_id=seen_eni.attachment_id)
            for seen_eni in (node.state.observed if node.state else ())
        ),
    )


def _exact(seconds: float) -> float:
    """A distance that is the same number whichever member's clock it is measured on."""
    return round(seconds * 2**20) / 2**20
