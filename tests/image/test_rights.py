"""What a container of the image may do, with which options: the kernel is asked, not the configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from image_container import CAPABLE, NET_ADMIN, PLAIN, UID, Container

from eni_failover import __version__

pytestmark = [pytest.mark.root, pytest.mark.image]

ROOT = Path(__file__).parents[2]
LINK = "enif-image"
# What `docker run` leaves without options, as far as a network needs it: NET_ADMIN is not among it.
DOCKERS_OWN = ("CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETPCAP")

ADD_ADDRESS = f"""
import os, socket
from pyroute2 import IPRoute, NetlinkError
print(os.getuid(), os.getgid())
with IPRoute() as kernel:
    (index,) = kernel.link_lookup(ifname="{LINK}")
    try:
        kernel.addr("add", index=index, address="192.0.2.1", prefixlen=24)
        print("added")
    except NetlinkError as error:
        print(error)
"""
PING = """
import socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    print("open")
except PermissionError as error:
    print(error.strerror)
"""
CHILD = """
import subprocess
print(open("/proc/self/status").read().split("CapPrm:")[1].split()[0])
print(subprocess.run(["grep", "^Cap[PEA]", "/proc/self/status"], capture_output=True, text=True).stdout)
"""


@pytest.fixture
def link():
    """A network namespace with one link that has no address; its path, and what addresses there are now."""
    name = "enif-image-rights"

    def ip(*words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "add", LINK, "type", "veth")
        yield Path("/run/netns", name), lambda: ip("-n", name, "-brief", "address", "show", "dev", LINK)
    finally:
        ip("netns", "delete", name)


def configured(directory, mode):
    """The mount of a whole configuration with this mode of the network."""
    text = (ROOT / "tests" / "configs" / "good_minimal.toml").read_text()
    folder = directory / "etc"
    folder.mkdir()
    (folder / "config.toml").write_text(f'{text}\n[network]\nmode = "{mode}"\n')
    return folder, "/etc/eni-failover"


@pytest.mark.parametrize("user", [UID, 4711])
def test_the_program_runs_with_dockers_own_rights(image, tmp_path, user):
    """Without --cap-add the kernel refuses the capable interpreter: the plain one answers, to any user."""
    done = Container(image, tmp_path, "eni-failover", "--version", capabilities=DOCKERS_OWN, user=user).run()

    assert (done.returncode, done.stdout, done.stderr) == (0, f"eni-failover {__version__}\n", "")


@pytest.mark.parametrize(("mode", "status"), [("manage", 0), ("no such mode", 2)])
def test_a_mounted_configuration_is_checked(image, tmp_path, mode, status):
    """`check --offline` reads the file of the volume, without any capability."""
    mount = configured(tmp_path, mode)
    done = Container(image, tmp_path, "eni-failover", "check", "--offline", mounts=[mount]).run()

    assert done.returncode == status, done.stderr
    assert ("mode" in done.stderr) == (status == 2)


def test_net_admin_alone_changes_a_link(image, tmp_path, link):
    """As the image's user, with NET_ADMIN in the bounding set and nothing else: the address is there."""
    namespace, addresses = link
    words = (CAPABLE, "-I", "-c", ADD_ADDRESS)
    done = Container(image, tmp_path, *words, capabilities=NET_ADMIN, network=namespace).run()

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{UID} {UID}\nadded\n", "")
    assert "192.0.2.1/24" in addresses()


@pytest.mark.parametrize(
    ("python", "options"),
    [
        (PLAIN, {"capabilities": NET_ADMIN}),
        (CAPABLE, {"capabilities": NET_ADMIN, "no_new_privileges": True}),
        (PLAIN, {}),
    ],
    ids=["by the plain interpreter", "with no-new-privileges", "without NET_ADMIN"],
)
def test_else_the_kernel_refuses(image, tmp_path, link, python, options):
    """The plain interpreter, no-new-privileges, a bounding set without NET_ADMIN: no address is added."""
    namespace, addresses = link
    words = (python, "-I", "-c", ADD_ADDRESS)
    done = Container(image, tmp_path, *words, network=namespace, **options).run()

    assert done.stdout == f"{UID} {UID}\n(1, 'Operation not permitted')\n"
    assert "192.0.2.1" not in addresses()


@pytest.mark.parametrize(
    "options",
    [{}, {"capabilities": NET_ADMIN, "no_new_privileges": True}],
    ids=["dropped", "no-new-privileges"],
)
def test_a_daemon_that_may_not_manage_says_so(image, tmp_path, options):
    """Mode `manage` without the right: exit status 1 and one line that names the options."""
    mounts = [configured(tmp_path, "manage")]
    words = (*image.config["Entrypoint"], *image.config["Cmd"], "--member", "alpha")
    done = Container(image, tmp_path, *words, mounts=mounts, **options).run()

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "--cap-add NET_ADMIN" in line
    assert "no-new-privileges" in line


@pytest.mark.parametrize(("groups", "said"), [("1 0", "Permission denied"), (f"0 {UID}", "open")])
def test_icmp_probes_need_the_hosts_sysctl(image, tmp_path, link, groups, said):
    """NET_ADMIN sends no ping: the network's ping_group_range has to have the image's group."""
    namespace, _ = link
    write = f"echo {groups} > /proc/sys/net/ipv4/ping_group_range"
    subprocess.run(["ip", "netns", "exec", namespace.name, "sh", "-c", write], timeout=10, check=True)
    words = (CAPABLE, "-I", "-c", PING)
    done = Container(image, tmp_path, *words, capabilities=NET_ADMIN, network=namespace).run()

    assert done.stdout == f"{said}\n"


def test_what_the_daemon_starts_inherits_nothing(image, tmp_path):
    """Hooks and exec probes: the capability is the file's, so a child's sets are empty."""
    done = Container(image, tmp_path, CAPABLE, "-I", "-c", CHILD, capabilities=NET_ADMIN).run()
    own, *child = done.stdout.split("\n", 1)

    assert int(own, 16) == 1 << 12
    assert [int(line.split()[1], 16) for line in child[0].split("\n") if line] == [0, 0, 0]
