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


class LinkMode(StrEnum):
    """What is done about links. Both modes change nothing on this host."""

    OFF = "off"
    VERIFY = "verify"


class Manager(StrEnum):
    """A program that configures a link when an ENI is attached to a running instance."""

    NET_UTILS = "amazon-ec2-net-utils"
    CLOUD_INIT = "cloud-init"
    NETWORK_MANAGER = "NetworkManager"
    NETWORKD = "systemd-networkd"


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
    (Manager.NETWORK_MANAGER, ("run/NetworkManager",)),
    (Manager.NETWORKD, ("run/systemd/netif/links",)),
)
_UNITS = Path("etc/systemd/system")


def decide_mode(
    *, own_macs: Iterable[str], kernel_macs: Iterable[str], root: Path = Path("/")
) -> DetectedMode:
    """The mode for this host, given the MACs of the instance's own ENIs and those of the kernel.

    When the kernel shows none of the instance's ENIs it is not the instance's kernel: a container
    without the host's network, or a test. Nothing can be verified there. `root` is where the host's
    files are.
    """
    own = {mac.lower() for mac in own_macs}
    if not own & {mac.lower() for mac in kernel_macs}:
        return DetectedMode(
            mode=LinkMode.OFF,
            reason="this kernel shows none of the instance's own ENIs (a container without the host's "
            "network?): links are not watched, and an attached ENI counts as ready",
        )
    manager = _find_manager(root)
    if manager is None:
        reason = "no program that configures new links was found: something else must"
    else:
        reason = f"{manager} configures new links: they are watched until they are ready"
    return DetectedMode(mode=LinkMode.VERIFY, manager=manager, reason=reason)


def _find_manager(root: Path) -> Manager | None:
    """The first manager that left a sign; a masked unit is none."""
    return next(
        (manager for manager, signs in _SIGNS if any(_is_there(root, Path(sign)) for sign in signs)), None
    )


def _is_there(root: Path, sign: Path) -> bool:
    # `systemctl mask` puts a link to /dev/null where the administrator's units are.
    is_masked = sign.suffix == ".service" and (root / _UNITS / sign.name).is_symlink()
    return (root / sign).exists() and not is_masked
