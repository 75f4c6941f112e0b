"""A reload and what happens while it looks at the file."""

import asyncio
from dataclasses import replace
from unittest.mock import MagicMock

from eni_failover import reloading
from eni_failover.config import load
from eni_failover.core.policy import InstanceId, Member, MemberName
from eni_failover.reloading import Reloader

TEXT = """
group = "orders"
[eni]
ids = ["eni-0ffffffffffffff0"]
[discovery]
[[probe]]
name = "web"
type = "tcp"
host = "{address}"
port = 80
[network]
mode = "off"
"""


def member(number: int) -> Member:
    return Member(
        name=MemberName(f"m{number}"),
        instance_id=InstanceId(f"i-0000000000000000{number}"),
        address=f"10.0.1.{number}",
    )


def test_members_that_are_found_while_a_file_is_looked_at_are_kept(tmp_path, monkeypatch):
    """[discovery] tells them once: the loop must not end with those of before the look."""
    path = tmp_path / "orders.toml"
    path.write_text(TEXT)
    first, mine, third = member(1), member(2), member(3)
    reloader = Reloader(
        replace(load(path, {}), members=(first, mine)), MagicMock(), env={}, notifier=MagicMock()
    )
    parts, handed = MagicMock(), []
    parts.me = mine
    parts.reconciler.take_policy = lambda policy, _: handed.append([each.name for each in policy.members])
    reloader.connect(parts)

    async def look(_: object) -> tuple[str, ...]:
        reloader.take_members((mine, third))
        return ()

    monkeypatch.setattr(reloading, "why_not_runnable", look)
    monkeypatch.setattr(reloading, "configure_log", lambda *_, **__: None)

    assert asyncio.run(reloader.reload()) == ()
    assert handed == [["m2", "m3"], ["m2", "m3"]]
