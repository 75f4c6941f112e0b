"""A member's file, the real control server with a desk that plays a part, and the program in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import rich.console  # noqa: F401 - here before `run` is, which would keep it out of this process

from eni_failover.__main__ import main
from eni_failover.control import Servers, TakeoverAnswer, TakeoverState
from eni_failover.core.model import PauseRecord, PauseRequest, Peer
from eni_failover.core.policy import AttachmentId, EniId, InstanceId, MemberName
from eni_failover.core.snapshot import Check, DecisionLine, EniLine, ProbeLine, Snapshot
from eni_failover.core.vocabulary import Action, Answer, CheckResult, Reason, Role, Scope
from eni_failover.lab import LabThread, Settings, World, demo_places
from tests.pair_file import MEMBERS

WALL = 1_800_000_000.25

_HEAD = """\
config_version = 1
group = "orders"

[eni]
ids = ["eni-0ffffffffffffff01"]

"""
_REST = """
[[probe]]
name = "web"
type = "http"
url = "http://{{address}}:8080/healthz"
interval = "2s"
fast_interval = "500ms"
timeout = "1s"
fall = 3

[control]
socket = "{directory}/orders.sock"
role_file = "{directory}/orders.role"
[state]
directory = "{directory}/state"
"""
FILE = _HEAD + MEMBERS + _REST


@dataclass(eq=False)
class Desk:
    """A daemon that plays its part: `script` are the views, one for each look at it, the last one stays."""

    script: list[Snapshot | None]
    takeover_answer: TakeoverAnswer
    pause_record: PauseRecord | None = None
    problems: tuple[str, ...] = ()
    orders: list[object] = field(default_factory=list)

    def snapshot(self) -> Snapshot | None:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def last_pass_ended(self) -> float:
        return 0.0

    def metrics_page(self) -> bytes:
        return b""

    async def takeover(self, *, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - the protocol's
        self.orders.append((reason, timeout))
        return self.takeover_answer

    async def pause(self, request: PauseRequest) -> PauseRecord | None:
        self.orders.append(request)
        return self.pause_record

    async def reload(self) -> tuple[str, ...]:
        self.orders.append("reload")
        return self.problems


@dataclass
class Result:
    """What one run of the program gave."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Member:
    """Beta's file, and what its daemon would show while alpha holds the group."""

    config: Path
    socket: Path
    state: Path


@pytest.fixture
def member(tmp_path_factory: pytest.TempPathFactory) -> Member:
    """A file in a directory of its own; its control socket's path is short enough."""
    directory = tmp_path_factory.mktemp("m")
    config = directory / "orders.toml"
    config.write_text(FILE.format(directory=directory))
    return Member(config=config, socket=directory / "orders.sock", state=directory / "state")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENI_FAILOVER_CONFIG", "ENI_FAILOVER_MEMBER", "ENI_FAILOVER_LOG_LEVEL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs the program with these arguments."""

    def run_it(*arguments: object) -> Result:
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Result(code=code, out=out, err=err)

    return run_it


@pytest.fixture
def standby() -> Callable[..., Snapshot]:
    """Builds what beta shows: alpha holds, its web is up, beta is ready; `changes` are fields of Snapshot."""
    view = Snapshot(
        version="0.1.0",
        group="orders",
        member=MemberName("beta"),
        instance_id="i-0bbbbbbbbbbbbbbb2",
        config_hash="abc123",
        role=Role.STANDBY,
        holder="alpha",
        at_wall=WALL,
        enis=(
            EniLine(
                eni_id=EniId("eni-0ffffffffffffff01"),
                status="attached",
                member="alpha",
                attachment_id=AttachmentId("eni-attach-01"),
            ),
        ),
        probes=(
            ProbeLine(
                name="web", scope=Scope.HOLDER, member="alpha", state=Answer.UP, consecutive=7, detail="200"
            ),
        ),
        ready=True,
        checks=(Check(name="ec2_api", result=CheckResult.PASS),),
        decision=DecisionLine(action=Action.WAIT, reason=Reason.HOLDER_UP, at_wall=WALL),
        peers=(
            Peer(
                member=MemberName("alpha"),
                instance_id=InstanceId("i-alpha"),
                reachable=True,
                role="active",
                version="0.1.0",
                config_hash="abc123",
            ),
        ),
    )
    return lambda **changes: replace(view, **changes)


@pytest.fixture
def desk(standby: Callable[..., Snapshot]) -> Desk:
    """A daemon at rest that accepts everything."""
    accepted = TakeoverAnswer(state=TakeoverState.STARTED, reason="operator", request_id="r1")
    return Desk(script=[standby()], takeover_answer=accepted)


@pytest.fixture
def daemon(member: Member, desk: Desk, serve: Callable[..., None]) -> Desk:
    """The control server on the member's socket, with the desk behind it."""
    serve(desk, member.socket)
    return desk


@pytest.fixture
def serve() -> Iterator[Callable[..., None]]:
    """Serves a desk on this socket's path, and on TCP at `host` and `port` (0: any free one)."""
    with ExitStack() as stack:

        def serve_it(
            desk: Desk, path: Path, *, host: str = "127.0.0.1", port: int = 0, config: Path | None = None
        ) -> None:
            stack.enter_context(_serving(desk, path, host, port, config))

        yield serve_it


@pytest.fixture
def world() -> World:
    """Alpha holds floating-1, beta stands by, on addresses of loopback; EC2 answers at once."""
    return World.pair(addresses=demo_places.loopback_addresses(), settings=Settings(latency=0.0))


@pytest.fixture
def on_beta(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabThread]:
    """This process runs on beta, a member of the world; nothing of the machine's AWS settings is left."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO")) or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
            monkeypatch.delenv(name)
    with LabThread(world) as lab:
        # Both spellings of no_proxy are set, so that what the program writes there is undone as well.
        for name, value in {**lab.env("beta"), "no_proxy": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        # What this machine's network is managed by is not the world's.
        monkeypatch.setattr("eni_failover.preflight.host.find_manager", lambda _: None)
        yield lab


@pytest.fixture
def lab_member(member: Member) -> Member:
    """The member's file with the addresses of the world's members, in a mode whose links somebody routes."""
    text = member.config.read_text()
    for old, new in zip(("10.0.1.11", "10.0.1.12"), demo_places.loopback_addresses(), strict=True):
        text = text.replace(old, new)
    member.config.write_text(text + '[network]\nmode = "manage"\n')
    return member


@contextmanager
def _serving(desk: Desk, path: Path, host: str, port: int, config: Path | None) -> Iterator[None]:
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        servers = Servers(desk=desk, host=host, port=port, socket_path=path, interval=10.0, config=config)
        await servers.start()
        ready.set()
        await stop.wait()
        await servers.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def ctrl_c_is_heard():
    """Programs started meanwhile end by it, also below a background job, which a shell lets ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
