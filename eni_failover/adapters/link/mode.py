"""Which kernel this is, and who configures a new link on it: what `[network] mode = "auto"` means.

Owns the structured facts that are looked at: the kernel's MACs, and files that network managers put in
place. Must not know netlink or what the mode is used for. Does not guarantee that the manager found
will configure the link: that is what `verify` then watches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eni_failover.adapters.link.services import is_running


class LinkMode(StrEnum):
    """What is done about links. Only `manage` changes anything on this host."""

    OFF = "off"
    VERIFY = "verify"
    MANAGE = "manage"


class Manager(StrEnum):
    """A program that has a hand in a link when an ENI is attached to a running instance."""

    NET_UTILS = "amazon-ec2-net-utils"
    CLOUD_INIT = "cloud-init"
    NM_CLOUD_SETUP = "nm-cloud-setup"
    NETWORK_MANAGER = "NetworkManager"
    NETWORKD = "systemd-networkd"
    DHCPCD = "dhcpcd"

    @property
    def routes_by_source(self) -> bool:
        """Whether it gives a new link the rules that an ENI needs; the others only ask for an address."""
        return self in {Manager.NET_UTILS, Manager.CLOUD_INIT, Manager.NM_CLOUD_SETUP}

    @property
    def truce(self) -> str:
        """What an operator changes so that it leaves a link to mode `manage`."""
        match self:
            case Manager.NETWORKD:
                return (
                    "ManageForeignRoutingPolicyRules=no and ManageForeignRoutes=no in networkd.conf(5), and "
                    "Unmanaged=yes for the ENI's MAC in a file of systemd.network(5)"
                )
            case Manager.NETWORK_MANAGER:
                return "unmanaged-devices=mac:... in NetworkManager.conf(5)"
            case Manager.DHCPCD:
                return "denyinterfaces with the link's name in dhcpcd.conf(5)"
            case _:
                return '[network] mode = "verify", or switch it off for this link'


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedMode:
    """The mode, the manager that was found, and both in one sentence for the log."""

    mode: LinkMode
    reason: str
    manager: Manager | None = None


# The first that is there is the one that owns the link: the ones before use the ones after.
# Units and rules are installed files; what lies below /run exists while the program runs.
_SIGNS: tuple[tuple[Manager, tuple[str, ...]], ...] = (
    (
        Manager.NET_UTILS,
        (
            "usr/lib/systemd/system/policy-routes@.service",
            "lib/systemd/system/policy-routes@.service",
            "etc/udev/rules.d/53-ec2-network-interfaces.rules",
        ),
    ),
    (
        Manager.CLOUD_INIT,
        ("etc/udev/rules.d/90-cloud-init-hook-hotplug.rules", "var/lib/cloud/hotplug.enabled"),
    ),
    (Manager.NM_CLOUD_SETUP, ("etc/systemd/system/timers.target.wants/nm-cloud-setup.timer",)),
    (Manager.NETWORK_MANAGER, ("run/NetworkManager",)),
    (Manager.NETWORKD, ("run/systemd/netif/links",)),
    (Manager.DHCPCD, ("run/dhcpcd", "run/dhcpcd.pid")),
)
# What they leave below /run stays when they are stopped.
_SERVICES = {
    Manager.NETWORK_MANAGER: "NetworkManager.service",
    Manager.NETWORKD: "systemd-networkd.service",
    Manager.DHCPCD: "dhcpcd.service",
}
_UNITS = Path("etc/systemd/system")


def decide_mode(
    *, own_macs: Iterable[str], kernel_macs: Iterable[str], may_manage: bool, root: Path = Path("/")
) -> DetectedMode:
    """The mode for this host, given the MACs of the instance's own ENIs and those of the kernel.

    When the kernel shows none of the instance's ENIs it is not the instance's kernel: a container
    without the host's network, or a test. Nothing can be verified there. `may_manage` is whether this
    process may change links. `root` is where the host's files are.
    """
    own = {mac.lower() for mac in own_macs}
    if not own & {mac.lower() for mac in kernel_macs}:
        return DetectedMode(
            mode=LinkMode.OFF,
            reason="this kernel shows none of the instance's own ENIs (a container without the host's "
            "network?): links are not watched, and an attached ENI counts as ready",
        )
    manager = find_manager(root)
    if manager is not None and manager.routes_by_source:
        reason = f"{manager} configures new links: they are watched until they are ready"
        return DetectedMode(mode=LinkMode.VERIFY, manager=manager, reason=reason)
    lack = "no program that routes a new link by source was found"
    if may_manage:
        reason = f"{lack}: this daemon sets links up"
        return DetectedMode(mode=LinkMode.MANAGE, manager=manager, reason=reason)
    reason = f"{lack}, and without CAP_NET_ADMIN this daemon cannot set links up: something else must"
    return DetectedMode(mode=LinkMode.VERIFY, manager=manager, reason=reason)


def find_manager(root: Path = Path("/")) -> Manager | None:
    """The first manager that left a sign; a masked unit is none, and no service that does not run."""
    return next(
        (
            manager
            for manager, signs in _SIGNS
            if any(_is_there(root, Path(sign)) for sign in signs) and not _is_stopped(manager, root)
        ),
        None,
    )


def _is_stopped(manager: Manager, root: Path) -> bool:
    service = _SERVICES.get(manager)
    return service is not None and is_running(service, root) is False


def _is_there(root: Path, sign: Path) -> bool:
    # `systemctl mask` puts a link to /dev/null where the administrator's units are.
    is_masked = sign.suffix == ".service" and (root / _UNITS / sign.name).is_symlink()
    # Another kind of unit is enabled by a link, which may lead to a unit of another root.
    return ((root / sign).exists() or (root / sign).is_symlink()) and not is_masked
