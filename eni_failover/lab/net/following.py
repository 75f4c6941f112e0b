"""The links follow EC2's state, and the troubles that a test makes.

Owns: the one thread that changes the fabric once it is built. Must not know: netlink, nftables. Does not
guarantee: that a link passes through every state that EC2 passed through; each look goes straight to what
holds by then.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from eni_failover.lab.net.fabric import Fabric
from eni_failover.lab.net.hosts import Host
from eni_failover.lab.net.plugs import Plug, PlugAt, UnplugAt, plug_of
from eni_failover.lab.net.rules import Port, render
from eni_failover.lab.net.troubles import Troubles, cuts_of, losses_of
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.values import GUEST_RUNS, Eni, State
from eni_failover.lab.world import World

_PATIENCE: Final = 30.0


class Follower:
    """Keeps a fabric as the world's state and the troubles say, while its `with` block lasts."""

    def __init__(self, world: World, fabric: Fabric, *, plug_at: PlugAt, unplug_at: UnplugAt) -> None:
        self._world = world
        self._fabric = fabric
        self._plug_of = partial(plug_of, plug_at=plug_at, unplug_at=unplug_at)
        self._troubles = Troubles()
        self._turn = threading.Condition()
        self._asked = self._done = 0
        self._ending = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="net-world", daemon=True)
        # What the fabric is like. The thread alone knows.
        self._plugs = dict.fromkeys(fabric.ports, Plug())
        self._off: frozenset[str] = frozenset()
        self._stuck: frozenset[str] = frozenset()
        self._ruleset = ""

    def __enter__(self) -> Self:
        self._unsubscribe = self._world.subscribe(self._on_change)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        with self._turn:
            self._ending = True
            self._turn.notify_all()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise TimeoutError("the thread that moves the links did not end")
        if self._error and error is None:
            raise self._error

    def settled(self, timeout: float) -> None:
        """Wait until the links agree with the state and the troubles as they are now.

        Raises TimeoutError, or the error that kept the links from agreeing. Must not be called within the
        world's `locked()`.
        """
        _ = self._world.state  # what is due happens now
        with self._turn:
            asked = self._ask()
            if not self._turn.wait_for(lambda: self._done >= asked, timeout):
                raise TimeoutError("the links do not agree with EC2 yet")
            error, self._error = self._error, None
        if error:
            raise error

    def trouble(self, change: Callable[[Troubles], Troubles], timeout: float = _PATIENCE) -> None:
        """Change the troubles and wait until it is so. Raises as `settled`."""
        with self._turn:
            self._troubles = change(self._troubles)
        self.settled(timeout)

    def _on_change(self, _: StateChange) -> None:
        with self._turn:
            self._ask()

    def _ask(self) -> int:
        self._asked += 1
        self._turn.notify_all()
        return self._asked

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._ending or self._asked > self._done)
                if self._ending:
                    return
                asked, troubles = self._asked, self._troubles
            failed: Exception | None = None
            try:
                self._follow(self._world.state, troubles)
            except Exception as error:  # noqa: BLE001 - raised by `settled` and at the end
                failed = error
            with self._turn:
                self._done = asked
                self._error = self._error or failed
                self._turn.notify_all()

    # --- in the thread ------------------------------------------------------------------------------------

    def _follow(self, state: State, troubles: Troubles) -> None:
        """A host dies before anything else; a link has its new rules before it is where they count."""
        hosts = self._fabric.hosts.values()
        off = frozenset(h.name for h in hosts if h.name in troubles.dead or not _runs(h, state))
        plugs = {
            eni_id: self._plug_of(state.enis[eni_id], was) if eni_id in state.enis else Plug()
            for eni_id, was in self._plugs.items()
        }
        self._stick(state, troubles)
        for name in off - self._off:
            self._fabric.power_off(self._fabric.hosts[name])
        self._apply_rules(state, plugs, troubles)
        for eni_id, plug in plugs.items():
            self._move(eni_id, plug)
        ports = {
            self._fabric.ports[eni_id]: host.name
            for eni_id, plug in plugs.items()
            if (host := self._host_of(plug))
        }
        self._fabric.set_carriers(troubles.unplugged | off | {p for p, name in ports.items() if name in off})
        late = {p: troubles.delays[name] for p, name in ports.items() if name in troubles.delays}
        self._fabric.set_delays({**troubles.delays, **late})
        for name in self._off - off:
            self._fabric.power_on(self._fabric.hosts[name])
        self._off = off

    def _stick(self, state: State, troubles: Troubles) -> None:
        """Have plain detaches from hung members not end, and end again once an ENI has left."""
        hung = {self._fabric.hosts[name].instance_id for name in troubles.hung}
        wanted = frozenset(
            eni_id
            for eni_id in self._plugs
            if (eni := state.enis.get(eni_id))
            and eni.attachment
            and eni.attachment.instance_id in hung
            # What the test itself has made stick stays so.
            and (eni_id in self._stuck or not eni.detach_stuck)
        )
        for eni_id in wanted - self._stuck:
            self._world.stick_detach(eni_id)
        for eni_id in (self._stuck - wanted) & state.enis.keys():
            self._world.unstick_detach(eni_id)
        self._stuck = wanted

    def _apply_rules(self, state: State, plugs: Mapping[str, Plug], troubles: Troubles) -> None:
        own = {host.name: [self._host_port(host, state)] for host in self._fabric.hosts.values()}
        floating = {
            eni_id: self._eni_port(state.enis[eni_id], port)
            for eni_id, port in self._fabric.ports.items()
            if eni_id in state.enis
        }
        ports = [*(port for of_host in own.values() for port in of_host), *floating.values()]
        for eni_id, port in floating.items():
            if host := self._host_of(plugs[eni_id]):
                own[host.name].append(port)
        ruleset = render(ports, cuts_of(troubles, own), losses_of(troubles, own))
        if ruleset != self._ruleset:
            self._fabric.load(ruleset)
            self._ruleset = ruleset

    def _move(self, eni_id: str, plug: Plug) -> None:
        """Out of the one guest, even if it is to come back, and into the other."""
        was = self._plugs[eni_id]
        if plug == was:
            return
        if origin := self._host_of(was):
            self._fabric.unplug(eni_id, origin)
        self._plugs[eni_id] = Plug()
        if host := self._host_of(plug):
            self._fabric.plug(eni_id, host)
        self._plugs[eni_id] = plug

    def _host_of(self, plug: Plug) -> Host | None:
        """The host with that instance; None for nobody, and for an instance that came later."""
        if plug.instance_id is None:
            return None
        return next((h for h in self._fabric.hosts.values() if h.instance_id == plug.instance_id), None)

    def _host_port(self, host: Host, state: State) -> Port:
        eni = state.enis.get(host.eni_id) if host.eni_id else None
        if eni:
            return self._eni_port(eni, host.name)
        return Port(
            name=host.name,
            links=self._fabric.links_of(host.name),
            mac=host.mac,
            ipv4=host.addresses.ipv4,
            ipv6=host.addresses.ipv6,
        )

    def _eni_port(self, eni: Eni, name: str) -> Port:
        return Port(
            name=name,
            links=self._fabric.links_of(name),
            mac=eni.mac,
            ipv4=(*(address.ip for address in eni.addresses), *eni.ipv4_prefixes),
            ipv6=(*eni.ipv6, *eni.ipv6_prefixes),
            checked=eni.source_dest_check,
        )


def _runs(host: Host, state: State) -> bool:
    if host.instance_id is None:
        return True
    instance = state.instances.get(host.instance_id)
    return instance is not None and instance.state in GUEST_RUNS
