"""The probes in a process that has no file descriptor left: whatever they ask, the answer is unknown."""

from __future__ import annotations

import json
import subprocess
import sys

_CODE = """
import asyncio, json, os, resource, tempfile
from pathlib import Path
from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.icmp import IcmpProbe, IcmpUnavailableError
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.adapters.probes.spec import (
    ExecSettings, HttpSettings, IcmpSettings, PeerSettings, Target, TcpSettings,
)

LOCAL = Target(member="alpha", address="127.0.0.1", instance_id="i-0aaaaaaaaaaaaaaa1")
URL = "http://{address}:1/"

async def main():
    with tempfile.NamedTemporaryFile() as token:
        token.write(b"token")
        token.flush()
        probes = {
            "tcp": TcpProbe(TcpSettings(host="{address}", port=1)),
            "http": HttpProbe(HttpSettings(url=URL)),
            "token": HttpProbe(HttpSettings(url=URL, bearer_token_file=Path(token.name))),
            "peer": PeerProbe(PeerSettings(url=URL, group="orders")),
            "exec": ExecProbe(ExecSettings(command=("/bin/true",))),
        }
        try:
            probes["icmp"] = IcmpProbe(IcmpSettings(host="{address}"))
        except IcmpUnavailableError:
            pass  # not for this user
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, limit[1]))
        answers = {}
        for name, probe in probes.items():
            async with asyncio.timeout(10):
                result = await probe(LOCAL)
            answers[name] = [str(result.answer), result.answered, result.detail]
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for probe in probes.values():
            await probe.close()
    print(json.dumps(answers))

asyncio.run(main())
"""


def test_without_a_descriptor_left_every_answer_is_unknown():
    """EMFILE is this process's own trouble, in each probe, and for the token file too."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _CODE], capture_output=True, text=True, check=False, timeout=50
    )
    answers = json.loads(done.stdout) if not done.returncode else done.stderr
    unknown = ["unknown", False, "Too many open files"]
    expected = {
        "tcp": unknown,
        "http": unknown,
        "token": ["unknown", False, "bearer_token_file is not readable, or holds no token"],
        "peer": unknown,
        "exec": ["unknown", False, "not started: Too many open files"],
    }
    if "icmp" in answers:
        expected["icmp"] = unknown

    assert expected == answers
