"""The loop that careful people write: a tcp check each second, three misses, then detach and attach.

Usage: python boto3_loop.py HOST PORT ENI INSTANCE COMMAND... (COMMAND configures the link, may be absent)
"""

import contextlib
import socket
import subprocess
import sys
import time

import boto3


def main(host, port, eni, instance, *configure):
    """Watches until the third miss, moves the ENI, ends."""
    ec2 = boto3.client("ec2")

    def look():
        return ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]

    misses = 0
    while True:
        due = time.monotonic() + 1
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            misses = 0
        except OSError:
            misses += 1
        if misses == 3:
            break
        time.sleep(max(0, due - time.monotonic()))
    with contextlib.suppress(KeyError):  # nobody has it
        ec2.detach_network_interface(AttachmentId=look()["Attachment"]["AttachmentId"])
    while look()["Status"] != "available":
        time.sleep(1)
    ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    while look().get("Attachment", {}).get("Status") != "attached":
        time.sleep(1)
    if configure:
        subprocess.run(configure, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
