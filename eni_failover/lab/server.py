"""A world on sockets: the EC2 endpoint and one IMDS endpoint for each instance.

Owns: listening sockets and their life. Must not know: EC2's rules, what a request means. Does not
guarantee: TLS, or a limit on load; it is for one machine and its tests.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from eni_failover.lab.control import control_routes
from eni_failover.lab.credentials import OPERATOR_KEY
from eni_failover.lab.faults import ImdsCondition, ImdsKind
from eni_failover.lab.frontend import Ec2Frontend
from eni_failover.lab.imds import Imds
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.values import GUEST_RUNS
from eni_failover.lab.wire import Wire
from eni_failover.lab.world import World

_SHUTDOWN = 1.0
_SHORTEST_NAP = 0.005
_LONGEST_NAP = 60.0

Listen = Callable[[str | None, int], socket.socket]
"""Makes the listening socket of an instance's IMDS (by id) or of EC2 (None) on a port (0: any free one)."""


def listen_on(host: str) -> Listen:
    """A `Listen` that gives every endpoint a port of one address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return lambda _who, port: socket.create_server((host, port), family=family, backlog=128)


class _Endpoint:
    """One application on one port; it can stop listening and take the same port again."""

    def __init__(self, app: web.Application, listen: Callable[[int], socket.socket], port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        self._listen = listen
        self._site: web.SockSite | None = None
        self.host = ""
        self._port = port

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}"

    async def open(self) -> None:
        await self._runner.setup()
        await self.set_listening(wanted=True)

    async def set_listening(self, *, wanted: bool) -> None:
        if wanted and self._site is None:
            listener = self._listen(self._port)
            self.host, self._port = listener.getsockname()[:2]
            self._site = web.SockSite(self._runner, listener)
            await self._site.start()
        elif not wanted and self._site is not None:
            site, self._site = self._site, None
            await site.stop()

    async def close(self) -> None:
        await self._runner.cleanup()


class Lab:
    """Serves a world while its `async with` block lasts.

    `port` and `imds_ports` (by instance id or name) wish for ports; 0 is any free one. Entering raises
    OSError when one is taken.
    """

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        imds_ports: Mapping[str, int] | None = None,
        listen: Listen | None = None,
    ) -> None:
        self.world = world
        self._imds_ports = {world.instance(ref).id: wish for ref, wish in (imds_ports or {}).items()}
        self._listen = listen or listen_on("127.0.0.1")
        self._wire = Wire()
        app = web.Application()
        app.add_routes(control_routes(world, self.sync))
        app.router.add_route("*", "/", Ec2Frontend(world, self._wire).handle)
        self._ec2 = _Endpoint(app, lambda wish: self._listen(None, wish), port)
        self._imds: dict[str, _Endpoint] = {}
        self._changed = asyncio.Event()
        self._syncing = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self._ec2.open()
            loop = asyncio.get_running_loop()

            def on_change(_: StateChange) -> None:
                loop.call_soon_threadsafe(self._changed.set)

            stack.callback(self.world.subscribe(on_change))
            await self.sync()
            keeper = asyncio.create_task(self._keep(), name="lab-keeper")
            stack.push_async_callback(self._end, keeper)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def ec2_url(self) -> str:
        """The EC2 endpoint; `/_lab/` is there too."""
        return self._ec2.url

    def imds_url(self, instance: str) -> str:
        """The IMDS endpoint of an instance. Raises KeyError for one that was never there."""
        return self._imds[self.world.instance(instance).id].url

    def env(self, instance: str | None = None) -> dict[str, str]:
        """Environment for a process on a member (None: an operator's process), to be laid over its own.

        Static credentials in the environment come before IMDS for every AWS tool: remove AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_PROFILE from what a member's process gets.
        """
        region = self.world.settings.region
        variables = {
            "AWS_ENDPOINT_URL_EC2": self.ec2_url,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": f"127.0.0.1,localhost,169.254.169.254,{self._ec2.host}",
        }
        if instance is None:
            return variables | {"AWS_ACCESS_KEY_ID": OPERATOR_KEY, "AWS_SECRET_ACCESS_KEY": "lab"}
        return variables | {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds_url(instance),
            "AWS_EC2_METADATA_V1_DISABLED": "true",
        }

    async def sync(self) -> None:
        """Have exactly those IMDS endpoints listen whose instance is there, runs and does not refuse."""
        async with self._syncing:
            for instance in self.world.state.instances.values():
                condition = self.world.imds_condition(instance.id)
                wanted = instance.state in GUEST_RUNS and not _refuses(condition)
                if instance.id not in self._imds:
                    await self._add_imds(instance.id)
                await self._imds[instance.id].set_listening(wanted=wanted)
            for gone in self._imds.keys() - self.world.state.instances.keys():
                await self._imds[gone].set_listening(wanted=False)

    async def _add_imds(self, instance_id: str) -> None:
        service = Imds(self.world, instance_id)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve_imds(service, instance_id, request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        wish = self._imds_ports.get(instance_id, 0)
        endpoint = _Endpoint(app, lambda port: self._listen(instance_id, port), wish)
        self._imds[instance_id] = endpoint
        await endpoint.open()

    async def _serve_imds(self, service: Imds, instance_id: str, request: web.Request) -> web.StreamResponse:
        condition = self.world.imds_condition(instance_id)
        instance = self.world.state.instances.get(instance_id)
        if _refuses(condition) or instance is None or instance.state not in GUEST_RUNS:
            return self._wire.cut(request)
        if condition and condition.kind is ImdsKind.HANG:
            return await self._wire.hang(request)
        if condition and condition.kind is ImdsKind.SLOW:
            await self._wire.pause(condition.seconds)
        answer = service.answer(request.method, request.path, request.headers)
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    async def _keep(self) -> None:
        """Notice what is due when it is due, for those who subscribed, and keep the endpoints in step."""
        while not self._wire.closing:
            self._changed.clear()
            await self.sync()
            due = self.world.next_change() - self.world.now
            nap = min(max(due, _SHORTEST_NAP), _LONGEST_NAP)
            with suppress(TimeoutError):
                async with asyncio.timeout(nap):
                    await self._changed.wait()

    async def _end(self, keeper: asyncio.Task[None]) -> None:
        """Let the keeper finish: an endpoint that is cancelled while it opens would leak its socket."""
        self._wire.close()
        self._changed.set()
        async with asyncio.timeout(_SHUTDOWN):
            await keeper

    async def _close(self) -> None:
        self._wire.close()
        await self._ec2.close()
        for endpoint in self._imds.values():
            await endpoint.close()


def _refuses(condition: ImdsCondition | None) -> bool:
    return condition is not None and condition.kind is ImdsKind.REFUSED
