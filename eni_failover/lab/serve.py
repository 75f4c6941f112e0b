"""What the command `eni-failover lab` does: a lab for a person, until interrupted.

Owns: the choice of a world, the refusal to listen elsewhere than on loopback, and the text that tells a
person how to reach it. Must not know: command line parsing. Does not guarantee: protection from other users
of this machine.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from eni_failover.lab.server import Lab, listen_on
from eni_failover.lab.settings import Settings
from eni_failover.lab.world import World, member_name

_STATIC_CREDENTIALS = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What to serve. `imds_port` is that of the first member, the others follow; port 0 is any free one."""

    members: int = 2
    enis: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    imds_port: int = 0
    imds_ports: Mapping[str, int] = field(default_factory=dict)
    """By member; `imds_port` goes before it."""
    instance_type: str = "m5.large"
    addresses: tuple[str, ...] = ()
    """Private addresses of the members; those left out are 10.0.1.11, ..."""
    attachments_made: int = 0
    """How many attachment ids an earlier lab of the same members may have used."""
    settings: Settings = field(default_factory=Settings)


async def serve(
    options: ServeOptions,
    announce: Callable[[str], None],
    describe: Callable[[Lab], str] | None = None,
) -> None:
    """Serve a lab until cancelled; `announce` gets what `describe` (default: `usage`) says once it listens.

    Raises ValueError for an address that is not loopback, OSError when a port is taken.
    """
    if not ip_address(options.host).is_loopback:
        raise ValueError(f"the lab listens on loopback only, not on {options.host}: anybody may direct it")
    world = World.pair(
        members=options.members,
        enis=options.enis,
        instance_type=options.instance_type,
        addresses=options.addresses,
        settings=options.settings,
        attachments_made=options.attachments_made,
    )
    names = [member_name(number) for number in range(1, options.members + 1)]
    ports = dict(options.imds_ports)
    if options.imds_port:
        ports |= {name: options.imds_port + place for place, name in enumerate(names)}
    async with Lab(world, port=options.port, imds_ports=ports, listen=listen_on(options.host)) as lab:
        announce((describe or usage)(lab))
        await asyncio.Event().wait()  # until cancelled: that is how a lab ends


def usage(lab: Lab) -> str:
    """How to reach a lab: a block of shell lines for the operator and one for each member."""
    blocks = [f"# fake EC2 at {lab.ec2_url}; state: curl {lab.ec2_url}/_lab/state; verbs: /_lab/verbs"]
    blocks.append("# --- operator\n" + _exports(lab.env()))
    for instance in lab.world.state.instances.values():
        exports = _exports(lab.env(instance.id))
        blocks.append(
            f"# --- on member {instance.name} ({instance.id})\nunset {_STATIC_CREDENTIALS}\n{exports}"
        )
    return "\n\n".join(blocks)


def _exports(variables: dict[str, str]) -> str:
    return "\n".join(f"export {name}={value}" for name, value in variables.items())
