"""How much time the daemon adds to a takeover, beside the loop that people write today.

Usage: .venv/bin/python benchmarks/takeover.py [RUNS]

Each run starts a lab (API 40 ms, detach 3 s, attach 2 s) and two real daemons (one tcp probe each
second, fall 3), kills the holder's service and waits for the standby's `/active`. What detection takes
is known from outside: the service saw the last probe, so the third missing one is due three seconds
after it. Added = total - detection - EC2's own five seconds. The loop of today is a boto3 script on the
same lab: detach, ask every second until available, attach, ask every second until attached.
"""

from __future__ import annotations

import http.client
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path

import boto3

from eni_failover.lab import Durations, LabThread, Settings, World

_spec = importlib.util.spec_from_file_location(
    "e2e_harness", Path(__file__).parents[1] / "tests" / "e2e" / "harness.py"
)
harness = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(harness)

SETTINGS = Settings(latency=0.04, durations=Durations(attach=2.0, detach=3.0))
EC2_SECONDS = 5.0
PROBE = """
[[probe]]
name = "web"
type = "tcp"
scope = "holder"
host = "{{address}}"
port = {service}
interval = "1s"
timeout = "1s"
fall = 3
"""


def daemon_run(enis: int) -> float:
    """Seconds that the daemon added to one takeover."""
    with (
        tempfile.TemporaryDirectory(prefix="enif") as name,
        harness.running_group(Path(name), enis=enis, settings=SETTINGS) as group,
    ):
        group.configure(PROBE, "")
        group.start()
        group.beta.until(lambda one: one["probes"][0]["state"] == "up", "up")
        group.alpha.service.shut()
        active = until_active(group.beta)
        third_down = group.alpha.service.asked_at + 3.0
        return active - third_down - EC2_SECONDS


def until_active(member) -> float:
    """When /active answered 200, asked every 5 ms over TCP."""
    while True:
        connection = http.client.HTTPConnection(member.address, member.group.listen_port, timeout=2)
        connection.request("GET", "/active")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            return time.monotonic()
        time.sleep(0.005)


def script_run() -> float:
    """Seconds that the usual loop adds to detach and attach (its detection left out)."""
    with LabThread(World.pair(settings=SETTINGS)) as lab:
        env = lab.env()
        ec2 = boto3.client(
            "ec2",
            endpoint_url=lab.ec2_url,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
        eni = "eni-0ffffffffffffff01"
        target = lab.world.instance("beta").id

        def look():
            return ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]

        began = time.monotonic()
        ec2.detach_network_interface(AttachmentId=look()["Attachment"]["AttachmentId"])
        while look()["Status"] != "available":
            time.sleep(1)
        ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=target, DeviceIndex=1)
        while look().get("Attachment", {}).get("Status") != "attached":
            time.sleep(1)
        return time.monotonic() - began - EC2_SECONDS


def show(name: str, values: list[float]) -> float:
    """Prints one row and returns its median."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    median = statistics.median(ordered)
    figures = f"median {median * 1000:7.0f} ms   p95 {p95 * 1000:7.0f} ms   n={len(values)}"
    print(f"{name:28} {figures}", flush=True)
    return median


def main() -> None:
    """Runs everything and prints the rows and ratios."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    one = show("daemon, 1 ENI: added", [daemon_run(1) for _ in range(runs)])
    eight = show("daemon, 8 ENIs: added", [daemon_run(8) for _ in range(max(1, runs // 2))])
    script = show("boto3 loop, 1 ENI: added", [script_run() for _ in range(max(1, runs // 2))])
    print(f"ratio 8 ENIs / 1 ENI, whole EC2 part: {(EC2_SECONDS + eight) / (EC2_SECONDS + one):.3f}")
    print(f"ratio daemon / boto3 loop, added time: {one / script:.2f}")


if __name__ == "__main__":
    main()
