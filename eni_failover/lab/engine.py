"""The way of one call through a world, from arrival to answer.

Owns: the order in which a call meets faults, credentials, the token bucket, permission, DryRun and the
rules, and the record of calls. Must not know: sockets, asyncio, XML. Does not guarantee: latency; that is
the server's.

    arrives: unreachable? -> fault? -> credentials -> token bucket        (`admit`)
    acts:    permission -> ids -> DryRun -> rules -> new state            (`execute`)
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from time import monotonic, time
from typing import Any

from eni_failover.lab.buckets import Buckets, bucket_of
from eni_failover.lab.changing import CHANGES
from eni_failover.lab.credentials import ANONYMOUS, OPERATOR, Keyring
from eni_failover.lab.errors import Ec2Error, NoAnswerError, dry_run_passed, throttled, unauthorized
from eni_failover.lab.faults import UNANSWERED, UNEXECUTED, Fault, FaultKind, Faults, ImdsCondition
from eni_failover.lab.reading import DESCRIBES, View
from eni_failover.lab.replies import Reply
from eni_failover.lab.settings import Settings
from eni_failover.lab.timeline import Timeline
from eni_failover.lab.values import State

_CALLS_KEPT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it arrives. In-process callers set `caller`, those with a wire `access_key_id`."""

    action: str
    parameters: Mapping[str, Any]
    caller: str | None = None
    access_key_id: str | None = None
    user_agent: str = ""
    unreadable: Ec2Error | None = None
    """What is wrong with the request itself; answered after faults and throttling, as EC2 would."""

    @property
    def dry_run(self) -> bool:
        """Whether the call asks for permission only."""
        return bool(self.parameters.get("DryRun", False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A call that has arrived: whose it is, which fault applies, and what refuses it already."""

    call: Call
    caller: str
    at: float
    fault: Fault | None
    refusal: Ec2Error | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call, for tests and for `/_lab/calls`. `at` and `decided_at` on the world's clock."""

    at: float
    decided_at: float
    action: str
    parameters: Mapping[str, Any]
    caller: str
    code: str
    """`ok`, the AWS error code, or the kind of the fault that kept the call from being decided."""
    user_agent: str
    dry_run: bool
    accepted: bool
    """Whether a mutation took effect (whatever the caller got to see of it)."""
    fault: FaultKind | None = None


class Engine(Timeline):
    """A timeline that takes calls."""

    def __init__(
        self,
        state: State | None = None,
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        super().__init__(state, settings=settings, clock=clock, wall=wall)
        self._calls: deque[CallRecord] = deque(maxlen=_CALLS_KEPT)
        self._attachments_made = 0
        self._faults = Faults()
        self._buckets = Buckets()
        self._keyring = Keyring()
        self._denied: set[tuple[str, str | None]] = set()
        self._unreachable: dict[str, FaultKind] = {}
        self._imds: dict[str, ImdsCondition] = {}

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """The calls so far, in the order in which they were decided."""
        with self._lock:
            return tuple(self._calls)

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        with self._lock:
            self._calls.clear()

    def call(
        self,
        action: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        caller: str = OPERATOR,
        user_agent: str = "",
    ) -> Reply:
        """Make a call in this process, at once: parameters and answer as in boto3, no latency.

        `caller` is an instance (id or name) or "operator". Delays of faults are the caller's to simulate.
        Raises Ec2Error when EC2 refuses; NoAnswerError when a fault keeps the answer from the caller.
        """
        who = caller if caller == OPERATOR else self.instance(caller).id
        call = Call(action=action, parameters=parameters or {}, caller=who, user_agent=user_agent)
        admission = self.admit(call)
        kind = admission.fault.kind if admission.fault else None
        if kind in UNEXECUTED and kind is not FaultKind.ERROR:
            raise NoAnswerError(str(kind), executed=False)
        reply = self.execute(admission)
        if kind in UNANSWERED:
            raise NoAnswerError(str(kind), executed=True)
        return reply

    def admit(self, call: Call) -> Admission:
        """Let a call arrive. A call that a fault keeps from being decided is recorded here."""
        with self._lock:
            now = self._clock()
            caller, expired = (call.caller, False) if call.caller else self._identify(call, now)
            fault = self._fault_for(call, caller)
            refusal = self._refusal(call, caller, fault, now=now, expired=expired)
            admission = Admission(call=call, caller=caller, at=now, fault=fault, refusal=refusal)
            if fault and fault.kind in UNEXECUTED and fault.kind is not FaultKind.ERROR:
                self._record(admission, str(fault.kind), accepted=False)
            return admission

    def execute(self, admission: Admission) -> Reply:
        """Decide an admitted call, now. Raises Ec2Error when EC2 refuses it."""
        with self._lock:
            now = self._clock()
            self._settle(now)
            try:
                if admission.refusal:
                    raise admission.refusal
                reply = self._act(admission, now)
            except Ec2Error as error:
                self._record(admission, error.code, accepted=False)
                raise
            self._record(admission, "ok", accepted=admission.call.action in CHANGES)
            return reply

    def _identify(self, call: Call, now: float) -> tuple[str, bool]:
        return self._keyring.identify(call.access_key_id, now)

    def _fault_for(self, call: Call, caller: str) -> Fault | None:
        if caller in self._unreachable:
            return Fault(kind=self._unreachable[caller])
        return self._faults.take(call.action, caller, dry_run=call.dry_run)

    def _refusal(
        self, call: Call, caller: str, fault: Fault | None, *, now: float, expired: bool
    ) -> Ec2Error | None:
        settings = self._settings
        if fault and fault.kind is FaultKind.ERROR:
            return Ec2Error(fault.code, fault.message, status=fault.status)
        if caller == ANONYMOUS and settings.strict_credentials:
            return Ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials")
        if expired:
            return Ec2Error(settings.expired_code, "Request has expired.")
        bucket = bucket_of(call.action, call.parameters)
        if settings.throttle and not self._buckets.take(bucket, now, settings.buckets):
            return throttled()
        return call.unreadable

    def _act(self, admission: Admission, now: float) -> Reply:
        call = admission.call
        self._check_permission(call.action, admission.caller)
        if call.action in DESCRIBES:
            if call.dry_run:
                raise dry_run_passed()
            return DESCRIBES[call.action](self._view(admission, now), call.parameters)
        if call.action not in CHANGES:
            raise Ec2Error("InvalidAction", f"The action {call.action} is not valid for this web service.")
        return self._change(call, now)

    def _change(self, call: Call, now: float) -> Reply:
        change = CHANGES[call.action]
        moment = self._moment()
        if not call.dry_run or self._settings.dry_run_finds_ids:
            change.find(self._state, call.parameters, moment)
        if call.dry_run:
            raise dry_run_passed()
        after, reply = change.apply(self._state, call.parameters, moment, self._next_attachment_id())
        self._move_to(after, now)
        return reply

    def _check_permission(self, action: str, caller: str) -> None:
        for pattern, who in self._denied:
            if fnmatchcase(action, pattern) and who in (None, caller):
                raise unauthorized(action, self._principal(caller))

    def _principal(self, caller: str) -> str:
        account = self._settings.account
        instance = self._state.instances.get(caller)
        if instance is None:
            return f"arn:aws:iam::{account}:user/{caller}"
        return f"arn:aws:sts::{account}:assumed-role/{instance.role}/{instance.id}"

    def _view(self, admission: Admission, now: float) -> View:
        settings = self._settings
        fault = admission.fault
        lag = settings.lag_by_action.get(admission.call.action, settings.lag)
        if fault and fault.kind is FaultKind.STALE:
            lag = fault.seconds
        state = self.state_at(now - lag) if lag > 0 else self._state
        if fault and fault.kind is FaultKind.EMPTY:
            state = replace(state, instances={}, enis={})
        return View(state=state, now=now - lag, settings=settings)

    def _next_attachment_id(self) -> str:
        self._attachments_made += 1
        return f"eni-attach-0{self._attachments_made:016x}"

    def _record(self, admission: Admission, code: str, *, accepted: bool) -> None:
        call = admission.call
        self._calls.append(
            CallRecord(
                at=admission.at,
                decided_at=self._clock(),
                action=call.action,
                parameters=call.parameters,
                caller=admission.caller,
                code=code,
                user_agent=call.user_agent,
                dry_run=call.dry_run,
                accepted=accepted,
                fault=admission.fault.kind if admission.fault else None,
            )
        )
