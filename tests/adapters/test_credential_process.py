"""Helper programs of the AWS configuration that hang: ended in time, and asked again."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from eni_failover.adapters import credential_process
from eni_failover.adapters.ec2 import Ec2
from eni_failover.errors import TransientError
from eni_failover.lab import LabThread

ENI = "eni-0ffffffffffffff01"
GRANT = '{"Version": 1, "AccessKeyId": "AKIDHELPER", "SecretAccessKey": "secret", "SessionToken": "t"}'
HELPER = """#!/bin/sh
echo $$ >> {directory}/started
if [ $(wc -l < {directory}/started) -le {hangs} ]; then
    sleep 1000 &
    echo $! >> {directory}/children
    wait
fi
echo '{grant}'
"""
DIRECT = """[default]
credential_process = {helper}
"""
BY_ROLE = """[default]
role_arn = arn:aws:iam::123456789012:role/orders
source_profile = base
[profile base]
credential_process = {helper}
"""


class Helper:
    """A credential process that hangs the first times that it is started, with a child of its own."""

    def __init__(self, directory: Path, config: str, *, hangs: int) -> None:
        self.directory = directory
        self.config = directory / "config"
        self._program = directory / "helper"
        self._program.write_text(HELPER.format(directory=directory, grant=GRANT, hangs=hangs))
        self._program.chmod(0o755)
        self.config.write_text(config.format(helper=self._program))

    def pids(self, kind: str) -> list[int]:
        return [int(line) for line in (self.directory / kind).read_text().split()]

    def wait_for_child(self) -> None:
        deadline = time.monotonic() + 10
        while not (self.directory / "children").exists() or not self.pids("children"):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """A zombie that nobody has reaped yet has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pids: list[int]) -> None:
    """A killed process leaves /proc a moment after the signal."""
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def member(aws_environment, monkeypatch):
    """Makes an Ec2 of the lab whose credentials come from the configuration file alone."""
    monkeypatch.setattr(credential_process, "TIMEOUT", 0.5)
    with LabThread() as lab:
        ec2s = []

        def make(helper: Helper) -> Ec2:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                aws_environment.delenv(name)
            aws_environment.setenv("AWS_CONFIG_FILE", str(helper.config))
            aws_environment.setenv("AWS_ENDPOINT_URL_EC2", lab.env("alpha")["AWS_ENDPOINT_URL_EC2"])
            ec2s.append(
                Ec2(
                    region="eu-central-1",
                    group="orders",
                    version="1",
                    connect_timeout=1,
                    read_timeout=2,
                    on_request=lambda report: None,
                )
            )
            return ec2s[-1]

        yield make
        for ec2 in ec2s:
            ec2.close()


def test_a_helper_that_hangs_once_is_ended_with_its_children_and_started_again(member, tmp_path):
    """The second start gives the credentials with which the next call is answered."""
    helper = Helper(tmp_path, DIRECT, hangs=1)
    ec2 = member(helper)

    with pytest.raises(TransientError, match=r"credential_process gave no answer within 0\.5 s"):
        asyncio.run(ec2.warm())
    hung = helper.pids("started") + helper.pids("children")
    asyncio.run(ec2.refresh_credentials())
    surveyed = asyncio.run(ec2.describe_enis((ENI,)))

    assert surveyed.survey.answered
    assert len(helper.pids("started")) == 2
    wait_for_end(hung)


def test_the_helper_of_a_source_profile_is_ended_as_well(member, tmp_path):
    """A role that is assumed with the credentials of a helper: botocore starts that one elsewhere."""
    helper = Helper(tmp_path, BY_ROLE, hangs=1)
    ec2 = member(helper)

    with pytest.raises(TransientError, match="credential_process gave no answer"):
        asyncio.run(ec2.warm())

    wait_for_end(helper.pids("started") + helper.pids("children"))


def test_a_helper_still_running_at_the_end_is_ended(member, tmp_path, monkeypatch):
    """Closing the client leaves no process behind."""
    monkeypatch.setattr(credential_process, "TIMEOUT", 1000.0)
    helper = Helper(tmp_path, DIRECT, hangs=9)
    ec2 = member(helper)

    async def begin_and_close() -> None:
        warming = asyncio.create_task(ec2.warm())
        await asyncio.to_thread(helper.wait_for_child)
        ec2.close()
        with pytest.raises(TransientError):
            await warming

    asyncio.run(begin_and_close())

    wait_for_end(helper.pids("started") + helper.pids("children"))


def test_a_helper_is_asked_without_a_terminal(tmp_path):
    """One that asks a question gets no answer, instead of waiting for one."""
    process = credential_process.HelperProcess(["sh", "-c", "read answer || echo none"], stdout=-1, stderr=-1)

    assert process.communicate() == (b"none\n", b"")
    assert os.getpgid(0) != process.pid


@pytest.mark.parametrize("output", ["", ">&2"])
def test_a_helper_that_writes_without_end_is_ended(output):
    """Neither its answer nor its complaints may fill our memory; who writes so is killed."""
    process = credential_process.HelperProcess(["sh", "-c", f"exec yes {output}"], stdout=-1, stderr=-1)

    with pytest.raises(TransientError, match="credential_process wrote more than 256 KiB"):
        process.communicate()

    wait_for_end([process.pid])


def test_a_helper_that_closes_its_outputs_and_stays_is_ended(monkeypatch):
    """Its deadline is for its end, too."""
    monkeypatch.setattr(credential_process, "TIMEOUT", 0.2)
    process = credential_process.HelperProcess(["sh", "-c", "exec sleep 1000 >&- 2>&-"], stdout=-1, stderr=-1)

    with pytest.raises(TransientError, match="gave no answer within"):
        process.communicate()

    wait_for_end([process.pid])
