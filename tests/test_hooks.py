"""The user's programs: real ones, in order, bounded, with nothing of ours they should not have."""

import asyncio
import os
import shlex
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from eni_failover import programs
from eni_failover.core.vocabulary import Reason, Role, Trigger
from eni_failover.hooks import Hook, HookResult, HookRunner, priority_of
from eni_failover.metrics import vocabulary


@dataclass(frozen=True, kw_only=True)
class Table:
    """A [hooks] table."""

    on_active: tuple[str, ...] = ()
    on_standby: tuple[str, ...] = ()
    on_fault: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    timeout: float = 20.0


@dataclass
class Runs:
    """What the runner reported, and a way to wait for it."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, hook: str, result: str) -> None:
        self.seen.append((hook, result))
        self.changed.set()

    async def reach(self, count: int) -> list[tuple[str, str]]:
        while len(self.seen) < count:
            self.changed.clear()
            await self.changed.wait()
        return self.seen


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes an executable shell script and gives its path."""

    def make(name: str, body: str) -> str:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\nhere={shlex.quote(str(tmp_path))}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


def tell(runner: HookRunner, role: Role, reason: str = Reason.HELD) -> None:
    """This member's role is now this."""
    runner.enqueue(
        role=role,
        reason=reason,
        trigger=Trigger.PROBES,
        eni_ids=("eni-1", "eni-2"),
        addresses=("10.0.1.101", "10.0.1.102"),
    )


def with_runner(
    table: Table,
    scenario: Callable[[HookRunner, Runs], Awaitable[None]],
    environment: dict[str, str] | None = None,
) -> list[dict]:
    """Run the scenario beside a runner, stop it, and give what was logged."""

    async def main() -> None:
        runs = Runs()
        runner = HookRunner(
            commands=table,
            group="orders",
            member="beta",
            priority=99,
            environment=environment if environment is not None else {"PATH": os.environ["PATH"]},
            on_run=runs,
        )
        async with asyncio.timeout(30):
            eternal = asyncio.ensure_future(runner.run())
            try:
                await scenario(runner, runs)
            finally:
                eternal.cancel()
                await asyncio.wait([eternal])

    with capture_logs() as logs:
        asyncio.run(main())
    return logs


def test_each_role_runs_its_program_then_notify_with_keepalived_arguments(tmp_path, script) -> None:
    """Each role runs its program, then notify in keepalived's order of arguments; taking runs none."""
    table = Table(
        on_active=(script("active", 'echo "active $*" >> "$here/told"'), "with", "two words"),
        on_standby=(script("standby", 'echo "standby $*" >> "$here/told"'),),
        on_fault=(script("fault", 'echo "fault $*" >> "$here/told"'),),
        notify=(script("notify", 'echo "notify $*" >> "$here/told"'), "mine"),
    )

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        for role in (Role.STANDBY, Role.TAKING, Role.ACTIVE, Role.FAULT):
            tell(runner, role)
        await runs.reach(6)

        assert runs.seen == [
            ("on_standby", "success"),
            ("notify", "success"),
            ("on_active", "success"),
            ("notify", "success"),
            ("on_fault", "success"),
            ("notify", "success"),
        ]

    with_runner(table, scenario)
    expected = [
        "standby ",
        "notify mine GROUP orders BACKUP 99",
        "active with two words",
        "notify mine GROUP orders MASTER 99",
        "fault ",
        "notify mine GROUP orders FAULT 99",
    ]

    assert expected == (tmp_path / "told").read_text().splitlines()


def test_environment_is_ours_and_a_few_of_the_services(tmp_path, script) -> None:
    """A program gets the ENI_FAILOVER_* variables and the listed inherited ones, and no AWS_*."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/var/lib/eni-failover",
        "LANG": "C.UTF-8",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_PROFILE": "prod",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "ENI_FAILOVER_CONFIG": "/etc/x.toml",
        "LD_PRELOAD": "/opt/x.so",
    }

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE, Reason.HOLDER_DOWN)
        await runs.reach(1)

    with_runner(Table(on_active=(script("env", 'env > "$here/env"'),)), scenario, environment)
    actual = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    for set_by_the_shell in ("PWD", "SHLVL", "_", "OLDPWD"):
        actual.pop(set_by_the_shell, None)

    assert actual == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/var/lib/eni-failover",
        "LANG": "C.UTF-8",
        "ENI_FAILOVER_GROUP": "orders",
        "ENI_FAILOVER_MEMBER": "beta",
        "ENI_FAILOVER_ROLE": "active",
        "ENI_FAILOVER_REASON": "holder_down",
        "ENI_FAILOVER_TRIGGER": "probes",
        "ENI_FAILOVER_ENI_IDS": "eni-1 eni-2",
        "ENI_FAILOVER_ADDRESSES": "10.0.1.101 10.0.1.102",
    }


def test_program_leads_its_own_group_without_input(tmp_path, script) -> None:
    """A program runs in a session of its own, from /, with nothing to read."""
    body = 'ps -o sid= -p $$ | tr -d " " > "$here/sid"; echo $$ > "$here/pid"; pwd > "$here/cwd"; cat'

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)

        assert await runs.reach(1) == [("on_active", "success")]

    with_runner(Table(on_active=(script("own", body),)), scenario)

    assert (tmp_path / "sid").read_text() == (tmp_path / "pid").read_text()
    assert (tmp_path / "cwd").read_text() == "/\n"


def test_argv_is_not_given_to_a_shell(tmp_path, script) -> None:
    """Shell characters in an argument reach the program as they are."""
    told = script("told", 'printf "%s\\n" "$1" > "$here/told"')

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        await runs.reach(1)

    with_runner(Table(on_active=(told, "$(id); `id` > /dev/null &")), scenario)

    assert (tmp_path / "told").read_text() == "$(id); `id` > /dev/null &\n"


@pytest.mark.parametrize(
    ("body", "detail"), [("exit 7", "exit status 7"), ("kill -9 $$", "killed by signal 9")]
)
def test_failure_is_counted_and_logged_with_its_output(script, body: str, detail: str) -> None:
    """A program that fails is `failed`; what it said, on both streams, is in the log line."""
    table = Table(on_fault=(script("bad", f"echo said; echo why >&2; {body}"),))

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.FAULT)

        assert await runs.reach(1) == [("on_fault", "failed")]

    logs = with_runner(table, scenario)

    assert logs == [
        {
            "event": "hook.ended",
            "log_level": "error",
            "hook": "on_fault",
            "role": "fault",
            "result": "failed",
            "detail": detail,
            "output": "said\nwhy",
        }
    ]


@pytest.mark.parametrize("kind", ["absent", "not executable", "no interpreter", "nul"])
def test_program_that_cannot_start_is_missing(tmp_path: Path, script, kind: str) -> None:
    """What cannot be started is `missing`, and the next one runs all the same."""
    plain = tmp_path / "plain"
    plain.write_text("true\n")
    odd = tmp_path / "odd"
    odd.write_text("#!/nonexistent/sh\n")
    odd.chmod(0o755)
    argv = {
        "absent": (str(tmp_path / "absent"),),
        "not executable": (str(plain),),
        "no interpreter": (str(odd),),
        "nul": (script("fine", "true"), "a\0b"),
    }[kind]

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)

        assert await runs.reach(2) == [("on_active", "missing"), ("notify", "success")]

    with_runner(Table(on_active=argv, notify=(script("ok", "true"),)), scenario)


def test_program_that_hangs_is_ended_with_everything_it_started(tmp_path, script) -> None:
    """After the time-out the whole group gets SIGTERM, then SIGKILL: also a child that ignores SIGTERM."""
    body = """
sh -c 'trap "" TERM; echo $$ > "$0/child"; while :; do sleep 0.05; done' "$here" &
while [ ! -s "$here/child" ]; do sleep 0.01; done
echo started; wait
"""

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)

        assert await runs.reach(2) == [("on_active", "timeout"), ("notify", "success")]

    table = Table(on_active=(script("hang", body),), notify=(script("ok", "true"),), timeout=0.5)
    logs = with_runner(table, scenario)

    assert (logs[0]["result"], logs[0]["detail"], logs[0]["output"]) == (
        "timeout",
        "ran longer than 0.5 s",
        "started",
    )
    assert goes(int((tmp_path / "child").read_text()))


def is_gone(pid: int) -> bool:
    """Whether this process runs no more; a zombie that nobody reaps here counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def goes(pid: int) -> bool:
    """Whether this process, which was killed, is gone soon: the kernel ends it when it gets to it."""
    deadline = time.monotonic() + 10
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_gone(pid)


def test_background_program_does_not_hold_its_hook_up(tmp_path, script) -> None:
    """A hook that leaves a program behind, its output still open, has ended; the program lives on."""
    body = 'sleep 60 & echo $! > "$here/left"'

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)

        assert await runs.reach(1) == [("on_active", "success")]

    with_runner(Table(on_active=(script("leaves", body),), timeout=5.0), scenario)
    left = int((tmp_path / "left").read_text())
    lives = not is_gone(left)
    os.kill(left, signal.SIGKILL)

    assert lives


def test_output_is_cut_to_its_end(script) -> None:
    """Of a flood the last two KiB are kept, whatever bytes they are."""
    table = Table(on_active=(script("flood", "head -c 300000 /dev/zero; printf 'the\\377end\\n'"),))

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        await runs.reach(1)

    logs = with_runner(table, scenario)

    assert logs[0]["output"].endswith("the\ufffdend")
    assert len(logs[0]["output"]) <= 2048


def test_runs_do_not_overlap(tmp_path, script) -> None:
    """The next program starts when the one before it has ended."""
    body = 'mkdir "$here/busy" || exit 1; sleep 0.05; rmdir "$here/busy"'
    busy = script("busy.sh", body)

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        for _ in range(3):
            tell(runner, Role.ACTIVE)

        assert {result for _, result in await runs.reach(6)} == {"success"}

    with_runner(Table(on_active=(busy,), notify=(busy,)), scenario)


def test_of_too_many_the_oldest_is_dropped_loudly(tmp_path, script) -> None:
    """Enqueueing never waits; above a hundred the oldest not yet begun is dropped, counted and logged."""
    told = script("told", 'echo "$ENI_FAILOVER_REASON" >> "$here/told"')

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        for number in range(103):
            tell(runner, Role.STANDBY, f"r{number}")
        dropped = list(runs.seen)

        assert dropped == [("on_standby", "dropped")] * 3
        await runs.reach(103)

    logs = with_runner(Table(on_standby=(told,)), scenario)
    expected = [f"r{number}" for number in range(3, 103)]

    assert expected == (tmp_path / "told").read_text().splitlines()
    assert [one for one in logs if one["event"] == "hook.dropped"] == [
        {"event": "hook.dropped", "log_level": "error", "role": "standby", "waiting": 100}
    ] * 3


def test_reload_takes_effect_for_the_next_program(tmp_path, script) -> None:
    """Commands and priority set anew are what the next change sees."""
    told = script("told", 'echo "$*" >> "$here/told"')

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        await runs.reach(1)
        runner.commands = Table(notify=(told, "new"))
        runner.priority = 50
        tell(runner, Role.ACTIVE)
        await runs.reach(2)

    with_runner(Table(notify=(told, "old")), scenario)

    assert (tmp_path / "told").read_text().splitlines() == [
        "old GROUP orders MASTER 99",
        "new GROUP orders MASTER 50",
    ]


def test_stop_gives_a_running_program_two_seconds(tmp_path, script) -> None:
    """At the daemon's stop a program that ends soon ends by itself; what waited never runs, and is logged."""
    body = 'echo > "$here/begun"; sleep 0.3; echo > "$here/ended"'

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        tell(runner, Role.STANDBY)
        await until((tmp_path / "begun").exists)

    logs = with_runner(Table(on_active=(script("soon", body),), on_standby=("/bin/false",)), scenario)

    assert (tmp_path / "ended").exists()
    assert [(one["event"], one.get("waiting")) for one in logs] == [
        ("hook.ended", None),
        ("hook.discarded", 1),
    ]


def test_stop_gives_a_program_that_is_just_starting_two_seconds(tmp_path, script, monkeypatch) -> None:
    """The kernel may be slow to start it: it then ends by itself, too."""
    begun, go_on, real = threading.Event(), threading.Event(), programs.Popen

    def slow(*words, **how):
        begun.set()
        assert go_on.wait(10)
        return real(*words, **how)

    monkeypatch.setattr(programs, "Popen", slow)

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        await until(begun.is_set)
        asyncio.get_running_loop().call_later(0.05, go_on.set)  # the runner is cancelled by then

    with_runner(Table(on_active=(script("soon", 'sleep 0.1; echo > "$here/ended"'),)), scenario)

    assert (tmp_path / "ended").exists()


def test_a_program_whose_start_hangs_costs_its_timeout_only(script, monkeypatch) -> None:
    """Its file system hangs: the next program runs."""
    hangs, real = threading.Event(), programs.Popen

    def hang(argv, **how):
        if argv[0] == "/mnt/hook":
            hangs.wait(20)
        return real(argv, **how)

    monkeypatch.setattr(programs, "Popen", hang)

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)

        assert await runs.reach(2) == [("on_active", "timeout"), ("notify", "success")]

    try:
        table = Table(on_active=("/mnt/hook",), notify=(script("ok", "true"),), timeout=1.0)
        logs = with_runner(table, scenario)
    finally:
        hangs.set()

    assert logs[0]["detail"] == "was not started within 1 s"


def test_stop_kills_a_program_that_does_not_end(tmp_path, script) -> None:
    """At the daemon's stop a program that does not end is killed with its group, and reaped."""
    body = 'trap "" TERM; sleep 60 & echo $! > "$here/child"; echo $$ > "$here/pid"; wait; sleep 60'

    async def scenario(runner: HookRunner, runs: Runs) -> None:
        tell(runner, Role.ACTIVE)
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")

    logs = with_runner(Table(on_active=(script("hang", body),)), scenario)

    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert goes(int((tmp_path / "child").read_text()))
    assert [one["result"] for one in logs] == ["timeout"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does; the test's own deadline is the bound."""
    while not condition():  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)


def test_priorities_fall_from_the_primary_and_stay_valid() -> None:
    """The primary has 100, each further member one less, and none less than 1."""
    assert [priority_of(0), priority_of(1), priority_of(150)] == [100, 99, 1]


def test_every_result_has_its_series_from_the_start() -> None:
    """The metrics' words for hooks and their results are these."""
    assert set(vocabulary.HOOKS) == set(Hook)
    assert set(vocabulary.HOOK_RESULTS) == set(HookResult)
