"""The checks of a running daemon: in virtual time without EC2, and one round against the lab."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from eni_failover.adapters.imds import Imds
from eni_failover.core.policy import FenceMode
from eni_failover.core.vocabulary import CheckResult
from eni_failover.lab.world import floating_eni_id
from eni_failover.preflight import repeat
from eni_failover.preflight.repeat import Pace, RepeatedChecks, Sources
from tests.preflight.builders import ALPHA, BETA, ENI, MovingGate, config, facts
from tests.virtual_loop import run


class Scripted(RepeatedChecks):
    """Facts come from a list, one for each round; the last one stays."""

    def __init__(self, *rounds) -> None:
        self.at: list[float] = []
        self.changes: list[float] = []
        super().__init__(
            SimpleNamespace(calm=calm),
            me=config().members[1],
            on_change=lambda: self.changes.append(asyncio.get_running_loop().time()),
        )
        self._rounds = list(rounds)

    async def _facts(self):
        self.at.append(asyncio.get_running_loop().time())
        found = self._rounds.pop(0) if len(self._rounds) > 1 else self._rounds[0]
        if isinstance(found, Exception):
            raise found
        return found


def results(checks: RepeatedChecks) -> dict[str, CheckResult]:
    return {one.name: one.result for one in checks.checks if one.result is not CheckResult.PASS}


async def calm() -> None:
    """Nothing moves."""


def lasting(checks: RepeatedChecks, seconds: float) -> None:
    async def scene():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await checks.run()

    run(scene())


def test_nothing_is_known_before_the_first_round():
    """A daemon that has just started shows what its passes find."""
    checks = Scripted(facts())
    lasting(checks, 29.0)

    assert (checks.checks, checks.at, checks.changes) == ((), [], [])


def test_rounds_follow_each_other():
    """The first after half a minute, each other one five minutes after the one before."""
    checks = Scripted(facts())
    lasting(checks, 631.0)

    assert checks.at == [30.0, 330.0, 630.0]


def test_a_change_of_a_result_is_told():
    """The first results, and each that differs; a detail alone is no change."""
    checks = Scripted(
        facts(),
        facts(of_cloud={"credentials_until": facts().wall + 3600}),
        facts(of_cloud={"clock_skew": 400.0}),
        facts(of_cloud={"clock_skew": 401.0}),
        facts(),
    )
    lasting(checks, 1229.0)

    assert checks.changes == [30.0, 630.0]
    assert results(checks) == {"clock": CheckResult.FAIL}
    assert [one.detail for one in checks.checks if one.name == "clock"] == [
        "401 s ahead of EC2: it refuses more than 300 s"
    ]


def test_a_bug_is_logged_once_and_the_next_round_is_another_try():
    """Its text may hold a secret: the class and the place are shown."""
    checks = Scripted(RuntimeError("token=never"), RuntimeError("token=never"), facts())
    with capture_logs() as logs:
        lasting(checks, 331.0)
        stuck = results(checks)
        lasting(checks, 31.0)

    assert [(one["event"], one["error"]) for one in logs] == [("checks.crashed", "RuntimeError")]
    assert "token" not in str(logs)
    assert stuck == {"repeated_checks": CheckResult.WARN}
    assert results(checks) == {}


def test_calls_keep_their_distance():
    """One at a time, each a pause after the end of the one before."""
    began = []

    async def call(gate):
        async with gate:
            began.append(asyncio.get_running_loop().time())
            await asyncio.sleep(1.0)

    async def scene():
        gate = Pace(20.0, calm)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(call(gate))

    run(scene())

    assert began == [0.0, 21.0, 42.0]


def test_a_cancelled_wait_lets_the_next_call_through():
    """The gate is not left locked."""

    async def scene():
        gate = Pace(20.0, calm)
        async with gate:
            pass
        waiting = asyncio.create_task(gate.__aenter__(), name="waiting")
        await asyncio.sleep(1.0)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with gate:
            return asyncio.get_running_loop().time()

    assert run(scene()) == 20.0


@pytest.fixture
def repeated(make_ec2, on_beta, world, tmp_path):
    """Makes the real thing, without pauses; `file` is its configuration."""

    def make(**changes):
        file = config(**{"state_directory": tmp_path, **changes})
        ec2 = make_ec2()
        sources = Sources(
            config=lambda: file,
            ec2=lambda: ec2,
            peers=lambda: facts(file).host.peers,
            imds=Imds({"AWS_EC2_METADATA_SERVICE_ENDPOINT": on_beta.imds_url("beta")}),
            calm=calm,
            may_manage=True,
        )
        world.clear_calls()
        return RepeatedChecks(sources, me=file.members[1], on_change=lambda: None, interval=0.0, pause=0.0)

    return make


def rounds(checks: RepeatedChecks, count: int) -> list[dict[str, str]]:
    """The details after each of so many rounds."""

    async def scene():
        seen = []
        for _ in range(count):
            checks._take(await checks._checked())
            seen.append({one.name: one.detail for one in checks.checks})
        return seen

    return asyncio.run(scene())


def test_a_round_finds_what_is_wrong_in_ec2(repeated, world):
    """A role without Detach, an ENI that dies with its instance."""
    world.deny("DetachNetworkInterface", "beta")
    world.place("floating-1", "alpha", index=1, delete_on_termination=True)
    checks = repeated()
    rounds(checks, 1)

    assert [name for name, result in results(checks).items() if result is CheckResult.FAIL] == [
        "delete_on_termination",
        "detach_permission",
    ]


def test_imds_out_of_reach_is_a_warning_to_a_running_daemon(repeated, world, on_beta):
    """It knows who it is, and has its credentials."""
    checks = repeated()
    world.imds_down("beta")
    on_beta.sync()
    rounds(checks, 1)

    assert results(checks)["imds"] is CheckResult.WARN


def test_each_round_tries_the_permissions_of_another_eni(repeated, world):
    """What earlier rounds have found out is kept: three rounds for three ENIs, then none for an hour."""
    ids = tuple(floating_eni_id(number) for number in (1, 2, 3))
    for number, eni_id in enumerate(ids[1:], start=2):
        world.add_eni(eni_id, addresses=[f"10.0.1.{100 + number}"])
        world.place(eni_id, ALPHA, index=number)
    first, _, last, _ = rounds(repeated(eni_ids=ids), 4)

    assert first["detach_permission"] == f"allowed for {ENI}"
    assert last["detach_permission"] == f"allowed for {', '.join(ids)}"
    assert len(world.calls) == 4 * 2 + 3 * 2


def test_what_is_denied_is_tried_in_each_round_and_keeps_no_other_from_its_turn(repeated, world):
    """A corrected policy is noticed soon."""
    second = floating_eni_id(2)
    world.add_eni(second, addresses=["10.0.1.102"])
    world.place(second, ALPHA, index=2)
    world.deny("ModifyNetworkInterfaceAttribute", "beta")
    checks = repeated(eni_ids=(ENI, second))

    rounds(checks, 2)
    world.allow("*")
    checks._gate = Pace(0.0, calm)  # of another event loop
    rounds(checks, 3)

    tried = [one.action for one in world.calls if one.dry_run]
    assert "modify_permission" not in results(checks)
    assert sorted(tried) == ["DetachNetworkInterface"] * 4 + ["ModifyNetworkInterfaceAttribute"] * 4


def test_the_dry_run_of_a_stop_is_made_once_an_hour(repeated, world):
    """Both rounds know it."""
    said = rounds(repeated(fence=FenceMode.STOP), 2)

    assert [one["stop_permission"] for one in said] == ["allowed for alpha"] * 2
    assert [one.action for one in world.calls].count("StopInstances") == 1


def test_no_call_is_made_during_a_move():
    """The gate opens when nothing moves any more."""
    moving = asyncio.Event()
    passed = []

    async def scene():
        async def call() -> None:
            async with Pace(0.0, moving.wait):
                passed.append(asyncio.get_running_loop().time())

        calling = asyncio.create_task(call())
        await asyncio.sleep(30.0)
        moving.set()
        await calling

    run(scene())

    assert passed == [30.0]


def test_a_move_in_the_middle_of_a_round_is_no_warning(repeated, world):
    """The attachment described before it is no more: what the round before has found out still stands."""
    holders = itertools.cycle((BETA, ALPHA))
    checks = repeated()
    rounds(checks, 1)
    checks._due.clear()
    checks._gate = MovingGate(
        lambda: world.place("floating-1", next(holders), index=1), before=tuple(range(3, 20))
    )
    [said] = rounds(checks, 1)

    assert {one.code for one in world.calls if one.action == "DetachNetworkInterface"} == {
        "DryRunOperation",
        "InvalidAttachmentID.NotFound",
    }
    assert said["detach_permission"] == f"allowed for {ENI}"


def test_a_round_makes_no_more_than_three_calls_a_minute():
    """Together with the passes a standby at rest stays below fifteen."""
    assert 60.0 / repeat.PAUSE <= 3
