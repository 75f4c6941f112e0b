"""Whether a network manager would configure an ENI's link, by the files that it reads."""

import subprocess

import pytest

from eni_failover.adapters import unmanaged
from eni_failover.adapters.unmanaged import network_manager_leaves, networkd_file

MAC = "0a:ff:00:00:00:01"
OTHER = "0a:ff:00:00:00:02"
NETWORKD = "etc/systemd/network"
NM = "etc/NetworkManager"


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def networkd(root):
    """The file that counts, from the root on."""
    found = networkd_file(MAC, root)
    return None if found is None else str(found.relative_to(root))


@pytest.mark.parametrize(
    "match",
    [
        "Name=ens*",
        "Name=eth0 e*",
        "Name=!docker* veth*",
        "Type=ether",
        "Type=ether\nKind=!*",
        "Driver=ena",
        "Driver=vif\nDriver=ena",
        "MACAddress=0A-FF-00-00-00-01",
        f"PermanentMACAddress={OTHER} {MAC}",
        "Virtualization=!container\nName=*",
        "Path=pci-*",
    ],
)
def test_a_file_of_networkd_that_matches_the_link_counts(tmp_path, match):
    """What cannot be judged before the link is here is taken to hold."""
    write(tmp_path, f"{NETWORKD}/80-all.network", f"[Match]\n{match}\n[Network]\nDHCP=yes\n")

    assert networkd(tmp_path) == f"{NETWORKD}/80-all.network"


@pytest.mark.parametrize(
    "match",
    [
        "",
        "#Name=*",
        "Name=docker0",
        "Name=!e*",
        "Type=bridge",
        "Kind=veth",
        "Driver=virtio_net",
        f"MACAddress={OTHER}",
        "Name=*\nSSID=home",
        "Name=*\nVirtualization=container",
    ],
)
def test_a_file_for_other_links_does_not(tmp_path, match):
    """One without a condition is ignored by networkd as well."""
    write(tmp_path, f"{NETWORKD}/80-other.network", f"[Match]\n{match}\n[Network]\nDHCP=yes\n")

    assert networkd(tmp_path) is None


def test_the_first_file_by_name_counts(tmp_path):
    """Of all directories together: our own stands before what netplan and others write."""
    write(tmp_path, "run/systemd/network/10-netplan-all.network", "[Match]\nName=e*\n")
    write(tmp_path, f"{NETWORKD}/99-late.network", f"[Match]\nMACAddress={MAC}\n[Link]\nUnmanaged=yes\n")
    late = networkd(tmp_path)
    write(tmp_path, f"{NETWORKD}/00-ours.network", f"[Match]\nMACAddress={MAC}\n[Link]\nUnmanaged=yes\n")

    assert (late, networkd(tmp_path)) == ("run/systemd/network/10-netplan-all.network", None)


def test_a_masked_file_and_one_that_is_hidden_by_another_do_not_count(tmp_path):
    """/etc hides a file of the same name in /usr."""
    write(tmp_path, "usr/lib/systemd/network/80-a.network", "[Match]\nName=*\n")
    write(tmp_path, "usr/lib/systemd/network/81-b.network", "[Match]\nName=*\n")
    write(tmp_path, f"{NETWORKD}/80-a.network", "[Match]\nName=lo\n")
    (tmp_path / NETWORKD / "81-b.network").symlink_to("/dev/null")

    assert networkd(tmp_path) is None


def run_remedy(root, command):
    """The command of a remedy below this root, without the part that wakes the manager."""
    printing, _, _ = command.partition(" && ")
    path = printing.rpartition(" > /")[2]
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["sh", "-c", printing.replace(" > /", f" > {root}/")], check=True)


def test_what_the_remedy_for_networkd_writes_is_what_is_asked_for(tmp_path):
    """It is one command, and names all ENIs of the group."""
    write(tmp_path, "usr/lib/systemd/network/80-ec2.network", "[Match]\nDriver=ena\n[Network]\nDHCP=yes\n")
    before = networkd(tmp_path)
    run_remedy(tmp_path, unmanaged.networkd_remedy([OTHER, MAC]))

    assert (before, networkd(tmp_path)) == ("usr/lib/systemd/network/80-ec2.network", None)
    assert networkd_file(OTHER, tmp_path) is None


def test_the_shipped_file_is_that_of_the_remedy(tmp_path, request):
    """deploy/systemd/00-eni-failover.network, with the group's MACs filled in."""
    shipped = request.config.rootpath / "deploy/systemd/00-eni-failover.network"
    write(tmp_path, f"{NETWORKD}/80-all.network", "[Match]\nName=*\n")
    write(tmp_path, unmanaged.NETWORKD_FILE[1:], shipped.read_text().replace("0a:00:00:00:00:00", MAC))

    assert networkd(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        f"[keyfile]\nunmanaged-devices=mac:{MAC}\n",
        f"[keyfile]\nunmanaged-devices=interface-name:docker0;mac:{MAC.upper()}\n",
        f"[keyfile]\nunmanaged-devices+=mac:{MAC}\n",
        "[keyfile]\nunmanaged-devices=*,except:interface-name:eth0\n",
        "[keyfile]\nunmanaged-devices=type:ethernet\n",
        f"[device-eni]\nmatch-device=mac:{MAC}\nmanaged=0\n",
    ],
)
def test_network_manager_may_be_told_in_several_ways(tmp_path, text):
    """By MAC is the one that this project documents."""
    write(tmp_path, f"{NM}/conf.d/eni.conf", text)

    assert network_manager_leaves(MAC, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"[keyfile]\nunmanaged-devices=mac:{OTHER}\n",
        f"[main]\nunmanaged-devices=mac:{MAC}\n",
        f"[keyfile]\nunmanaged-devices=*;except:mac:{MAC}\n",
        f"[device-eni]\nmatch-device=mac:{MAC}\nmanaged=1\n",
    ],
)
def test_network_manager_that_was_told_nothing_of_the_kind_configures_it(tmp_path, text):
    """An exception takes the link out again."""
    write(tmp_path, f"{NM}/NetworkManager.conf", text)

    assert not network_manager_leaves(MAC, tmp_path)


def test_the_administrators_files_come_last_and_hide_others(tmp_path):
    """A value that is not written with += replaces what was read before."""
    write(tmp_path, "usr/lib/NetworkManager/conf.d/10-a.conf", f"[keyfile]\nunmanaged-devices=mac:{MAC}\n")
    shipped = network_manager_leaves(MAC, tmp_path)
    write(tmp_path, f"{NM}/conf.d/20-b.conf", "[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:09\n")
    replaced = network_manager_leaves(MAC, tmp_path)
    (tmp_path / NM / "conf.d/20-b.conf").unlink()
    write(tmp_path, f"{NM}/conf.d/10-a.conf", "")

    assert (shipped, replaced, network_manager_leaves(MAC, tmp_path)) == (True, False, False)


def test_what_the_remedy_for_network_manager_writes_is_what_is_asked_for(tmp_path):
    """It adds to what an administrator has written."""
    write(tmp_path, f"{NM}/NetworkManager.conf", "[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:09\n")
    run_remedy(tmp_path, unmanaged.network_manager_remedy([OTHER, MAC]))

    assert network_manager_leaves(MAC, tmp_path)
    assert network_manager_leaves(OTHER, tmp_path)
    assert network_manager_leaves("02:00:00:00:00:09", tmp_path)
