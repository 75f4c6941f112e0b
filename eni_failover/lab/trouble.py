"""Verbs that make trouble: faults, denials, unreachable callers, a sick IMDS, credentials that end.

Owns: the script of what goes wrong from now on. Must not know: how the wire carries a fault out. Does not
guarantee: anything about calls that were admitted before the verb returned.

A caller is an instance by id or name, or "operator"; None is everybody.
"""

from eni_failover.lab.buckets import UNFILTERED
from eni_failover.lab.credentials import OPERATOR, Credentials
from eni_failover.lab.fate import Fate
from eni_failover.lab.faults import Fault, FaultKind, ImdsCondition, ImdsKind


class Trouble(Fate):
    """A scene in which calls go wrong."""

    def _caller(self, ref: str | None) -> str | None:
        return ref if ref is None or ref == OPERATOR else self.instance(ref).id

    def fault(
        self,
        kind: str,
        action: str = "*",
        *,
        caller: str | None = None,
        count: int | None = 1,
        dry_run: bool | None = None,
        code: str = "InternalError",
        status: int | None = None,
        message: str = "An internal error has occurred",
        seconds: float = 0.0,
    ) -> None:
        """Script a fault (`FaultKind`) for the next `count` calls of an action; None: until cleared.

        Faults are used in the order in which they were scripted. Raises ValueError for a kind that is none.
        """
        with self._lock:
            self._faults.add(
                Fault(
                    kind=FaultKind(kind),
                    action=action,
                    caller=self._caller(caller),
                    dry_run=dry_run,
                    remaining=count,
                    code=code,
                    status=status,
                    message=message,
                    seconds=seconds,
                )
            )

    def clear_faults(self) -> None:
        """Forget all scripted faults; denials and unreachable callers stay."""
        with self._lock:
            self._faults.clear()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Scripted faults that are not used up."""
        with self._lock:
            return self._faults.pending

    def deny(self, action: str, caller: str | None = None) -> None:
        """Let IAM deny an action (`*` and `?` match): UnauthorizedOperation, DryRun included."""
        with self._lock:
            self._denied.add((action, self._caller(caller)))

    def allow(self, action: str = "*", caller: str | None = None) -> None:
        """Take back denials: of this action ("*": of all) and this caller (None: of all)."""
        with self._lock:
            who = self._caller(caller)
            self._denied = {
                (pattern, denied)
                for pattern, denied in self._denied
                if (action not in ("*", pattern)) or (who is not None and who != denied)
            }

    def unreachable(self, caller: str, how: str = "close") -> None:
        """Let the API be out of reach for one caller: connections are closed ("close") or hang ("hang")."""
        with self._lock:
            kind = FaultKind(how)
            if kind not in {FaultKind.CLOSE, FaultKind.HANG}:
                raise ValueError("how: close or hang")
            self._unreachable[self._caller(caller) or OPERATOR] = kind

    def reachable(self, caller: str) -> None:
        """End `unreachable`."""
        with self._lock:
            self._unreachable.pop(self._caller(caller) or OPERATOR, None)

    def drain(self, action: str) -> None:
        """Empty the token buckets of an action, as other tenants of the account would."""
        with self._lock:
            for bucket in (action, action + UNFILTERED):
                self._buckets.drain(bucket, self._clock())

    def fill(self) -> None:
        """Fill all token buckets."""
        with self._lock:
            self._buckets.fill()

    def set_latency(self, seconds: float) -> None:
        """Set the latency of each call over HTTP."""
        self.configure(latency=seconds)

    def set_lag(self, seconds: float, action: str | None = None) -> None:
        """Let describes (one action, or all) answer from the state this long ago."""
        with self._lock:
            if action is None:
                self.configure(lag=seconds)
            else:
                self.configure(lag_by_action={**self._settings.lag_by_action, action: seconds})

    def imds_down(self, instance: str, kind: str = "refused", *, seconds: float = 0.0) -> None:
        """Make the IMDS of an instance sick in the way of `ImdsKind`."""
        with self._lock:
            target = self.instance(instance)
            self._imds[target.id] = ImdsCondition(kind=ImdsKind(kind), seconds=seconds)
            self._put(self.state)

    def imds_up(self, instance: str) -> None:
        """Make it well."""
        with self._lock:
            self._imds.pop(self.instance(instance).id, None)
            self._put(self.state)

    def imds_condition(self, instance_id: str) -> ImdsCondition | None:
        """What is wrong with the IMDS of an instance; None: nothing."""
        with self._lock:
            return self._imds.get(instance_id)

    def credentials(self, instance: str) -> Credentials:
        """What IMDS shows an instance now; new ones when it is time."""
        with self._lock:
            return self._keyring.issue(self.instance(instance).id, self._moment())

    def expire_credentials(self, instance: str, *, renew: bool = True) -> None:
        """End the credentials of an instance now; calls with them are refused.

        With `renew` IMDS hands out new ones at once; without, it goes on showing the old.
        """
        with self._lock:
            self._keyring.expire(self.instance(instance).id, self._clock(), renew=renew)
