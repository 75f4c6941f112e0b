"""A net world: the fake EC2 with real hosts, links and packets around it.

Owns: putting the parts together. Must not know: how a link is moved or a rule written. Does not guarantee:
more of a host than its network and its processes: users, files, the clock and the kernel's boot id are
those of the machine.
"""

import itertools
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from eni_failover.lab.net.adverts import Advertiser
from eni_failover.lab.net.fabric import Fabric
from eni_failover.lab.net.following import Follower
from eni_failover.lab.net.namespaces import PATIENCE, Namespace, sweep
from eni_failover.lab.net.plan import (
    API_ADDRESS,
    API_PORT,
    IMDS_ADDRESS,
    IMDS_PORT,
    MEMBERS_SUBNET,
    Size,
    make_world,
)
from eni_failover.lab.net.plugs import PlugAt, UnplugAt
from eni_failover.lab.net.programs import Programs
from eni_failover.lab.net.verbs import Verbs
from eni_failover.lab.settings import Settings
from eni_failover.lab.thread import LabThread

_SETTLES_WITHIN: Final = 10.0
_numbers = itertools.count()
T = TypeVar("T")


class NetWorld(Verbs):
    """Everything is there while the `with` block lasts, and nothing of it afterwards.

    `ipv6`: an address on every host and ENI, and router advertisements. `secondary`: more addresses of each
    family on every floating ENI. `prefixes`: a delegated prefix of each family on each of them.
    `instance_type` None: one that takes all the ENIs. `rp_filter`: what every guest's kernel begins with.
    `plug_at` ("attaching", "attached") and `unplug_at` ("detaching", "away"): when a guest sees a link come
    and go.

    Entering raises OSError without root's rights.
    """

    def __init__(
        self,
        *,
        members: int = 2,
        enis: int = 1,
        ipv6: bool = False,
        secondary: int = 0,
        prefixes: bool = False,
        instance_type: str | None = None,
        settings: Settings | None = None,
        rp_filter: int = 1,
        plug_at: str = "attached",
        unplug_at: str = "detaching",
    ) -> None:
        size = Size(members=members, enis=enis, ipv6=ipv6, secondary=secondary, prefixes=prefixes)
        world = make_world(size, settings, instance_type)
        fabric = Fabric(next(_numbers), world.state, rp_filter=rp_filter)
        follower = Follower(world, fabric, plug_at=PlugAt(plug_at), unplug_at=UnplugAt(unplug_at))
        super().__init__(world, fabric, follower)
        self.lab = LabThread(
            world, port=API_PORT, imds_ports=dict.fromkeys(self.members, IMDS_PORT), listen=self._listen
        )
        self._programs = Programs(fabric)
        self._ipv6 = ipv6
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        sweep()
        with ExitStack() as stack:
            stack.callback(self._fabric.remove)
            self._fabric.build()
            if self._ipv6:
                stack.enter_context(Advertiser(self._fabric.vpc, MEMBERS_SUBNET))
            stack.enter_context(self.lab)
            stack.enter_context(self._follower)
            stack.enter_context(self._programs)
            self.settled()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members: alpha, beta, ..."""
        return tuple(host.name for host in self._fabric.hosts.values() if host.instance_id)

    @property
    def clients(self) -> tuple[str, ...]:
        """Names of the clients: client-same, client-other, client-outside."""
        return tuple(host.name for host in self._fabric.hosts.values() if not host.instance_id)

    def namespace(self, host: str) -> Path:
        """The namespace of a host, or of the VPC ("vpc"), as a file; its name is for `ip netns exec`."""
        return self._namespace(host).path

    def run(self, host: str, work: Callable[[], T], timeout: float = PATIENCE) -> T:
        """The result of `work`, run in a thread inside a host's namespace, or the VPC's ("vpc").

        Sockets made there stay there. Raises what `work` raises, and TimeoutError.
        """
        return self._namespace(host).run(work, timeout)

    def env(self, host: str) -> dict[str, str]:
        """What a program on a host needs to find EC2; a client is an operator with a key of its own.

        IMDS is at its real address, so nothing says where.
        """
        member = host if self._fabric.hosts[host].instance_id else None
        variables = self.lab.env(member)
        variables.pop("AWS_EC2_METADATA_SERVICE_ENDPOINT", None)
        return variables

    def spawn(
        self,
        host: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        capabilities: Sequence[str] = (),
        **popen: Any,
    ) -> subprocess.Popen[Any]:
        """Start a program on a host, with `env(host)` and then `env` over a clean environment.

        As `user`, a name, it has no capabilities but those given ("net_admin"). `popen`: options of Popen.
        It and what it starts is killed when the host dies and when the net world ends.
        """
        return self._programs.spawn(
            host,
            argv,
            env={**self.env(host), **(env or {})},
            user=user,
            capabilities=capabilities,
            **popen,
        )

    def settled(self, timeout: float = _SETTLES_WITHIN) -> None:
        """Wait until the links agree with what EC2 says now. Raises TimeoutError after so many seconds.

        Not to be called within the world's `locked()`.
        """
        self._follower.settled(timeout)

    def dropped(self, name: str) -> int:
        """How many packets the source check has dropped: of a host's primary link, or of an ENI's."""
        return self._fabric.dropped(self._port(name))

    def _namespace(self, host: str) -> Namespace:
        return self._fabric.vpc if host == "vpc" else self._fabric.hosts[host].namespace

    def _listen(self, instance_id: str | None, port: int) -> socket.socket:
        """EC2 is in the VPC, IMDS in each guest; that of an instance that came later is out of reach."""
        if instance_id is None:
            return self.run("vpc", lambda: socket.create_server((API_ADDRESS, port)))
        for host in self._fabric.hosts.values():
            if host.instance_id == instance_id:
                return host.namespace.run(lambda: socket.create_server((IMDS_ADDRESS, port)))
        return self.run("vpc", lambda: socket.create_server(("127.0.0.1", port)))
