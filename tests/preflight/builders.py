"""Facts about a group in health, as beta sees it, and ways to change one thing in them."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail, InterfaceDetail
from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.imds import ImdsInterface
from eni_failover.adapters.link import DetectedMode, KernelLink, LinkMode, LinkSurvey
from eni_failover.adapters.networkd_conf import NetworkdSettings
from eni_failover.config.build import build
from eni_failover.config.reading import read
from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    Instance,
    InstanceState,
    Peer,
    TypeLimits,
)
from eni_failover.core.policy import EniId
from eni_failover.core.vocabulary import Answer, Scope
from eni_failover.preflight.facts import (
    Api,
    Cloud,
    Disk,
    Facts,
    Host,
    Identity,
    LockState,
    Missed,
    Place,
    PortState,
    ProbeFact,
)
from tests.pair_file import GROUP, MEMBERS

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI, ENI2 = "eni-0ffffffffffffff01", "eni-0ffffffffffffff02"
ZONE, VPC, SUBNET = "eu-central-1a", "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
WALL = 1_800_000_000.0
SILENCE = Missed(why="EC2 did not answer")
DENIED = Missed(why="You are not authorized", code="UnauthorizedOperation", denied=True)

FILE = f"""\
{GROUP}{MEMBERS}[[probe]]
name = "web"
type = "http"
url = "http://{{address}}:8080/healthz"
"""


def config(text: str = FILE, **changes):
    """What this file means; `changes` are fields of Config."""
    return replace(
        build(read(tomllib.loads(text))[0].document, path=Path("orders.toml"), level=None), **changes
    )


def attachment(instance_id: str | None = ALPHA, **changes) -> Attachment:
    held = Attachment(
        attachment_id="eni-attach-01",
        instance_id=instance_id,
        status=AttachmentStatus.ATTACHED,
        device_index=1,
    )
    return replace(held, **changes)


def eni(eni_id: str = ENI, *, of_eni: dict | None = None, **changes) -> EniDetail:
    """A floating ENI on alpha; `of_eni` are fields of the core's Eni, `changes` of the detail."""
    core = Eni(
        eni_id=eni_id,
        attachment=attachment(),
        zone=ZONE,
        mac="0a:ff:00:00:00:01",
        subnet_id=SUBNET,
        addresses=("10.0.1.101",),
    )
    detail = EniDetail(
        eni=replace(core, **(of_eni or {})),
        vpc_id=VPC,
        owner_id="123456789012",
        instance_owner="123456789012",
        interface_type="interface",
    )
    return replace(detail, **changes)


def interface(instance_id: str, address: str, *, index: int = 0, card: int = 0) -> InterfaceDetail:
    return InterfaceDetail(
        eni_id=f"eni-{instance_id[2:]}{index}",
        mac=f"0a:00:00:00:{card:02x}:{index:02x}",
        card_index=card,
        device_index=index,
        addresses=(address,),
    )


def instance(instance_id: str, address: str, *, of_instance: dict | None = None, **changes) -> InstanceDetail:
    core = Instance(
        instance_id=instance_id,
        state=InstanceState.RUNNING,
        zone=ZONE,
        instance_type="m5.large",
        eni_indexes=((EniId("eni-primary"), 0),),
    )
    detail = InstanceDetail(
        instance=replace(core, **(of_instance or {})),
        vpc_id=VPC,
        subnet_id=SUBNET,
        interfaces=(interface(instance_id, address),),
        imds_tokens="required",
        imds_hop_limit=1,
    )
    return replace(detail, **changes)


def alpha(**changes) -> InstanceDetail:
    return instance(ALPHA, "10.0.1.11", **changes)


def beta(**changes) -> InstanceDetail:
    return instance(BETA, "10.0.1.12", **changes)


def limits(**changes) -> TypeLimits:
    """Those of an m5.large."""
    return replace(TypeLimits(interfaces=3, ipv4_per_interface=10, ipv6_per_interface=10), **changes)


def _cloud() -> Cloud:
    yes = Permission(allowed=True)
    return Cloud(
        credentials_until=WALL + 6 * 3600,
        clock_skew=0.2,
        api=Api(
            latency=0.04, region="eu-central-1", asked="ec2.eu-central-1.amazonaws.com", source="10.0.1.12"
        ),
        enis=(eni(),),
        instances=(alpha(), beta()),
        limits=limits(),
        subnets=frozenset({SUBNET}),
        listed=(ImdsInterface(mac="0a:00:00:00:00:00", device_index=0),),
        attach={ENI: yes},
        detach={ENI: yes},
        keep={ENI: yes},
    )


def kernel_link(name: str, kind: str = "", **changes) -> KernelLink:
    """A link with the MAC of the floating ENI."""
    made = KernelLink(index=7, name=name, mac="0a:ff:00:00:00:01", is_up=True, has_carrier=True, kind=kind)
    return replace(made, **changes)


def _host(file) -> Host:
    return Host(
        link_mode=DetectedMode(mode=LinkMode.MANAGE, reason=""),
        networkd=NetworkdSettings(removes_rules=False, removes_routes=False),
        links=links(),
        peers=(peer(config_hash=file.config_hash),),
        disk=disk(),
        probes=(
            probe(),
            probe(name="own-web", scope=Scope.SELF, about="beta"),
            probe(name="router", scope=Scope.WITNESS, about="beta"),
        ),
        listen=Place(what="[server] listen 10.0.1.12:10177", state=PortState.FREE),
        control=Place(what="[control] socket /run/eni-failover/orders.sock", state=PortState.FREE),
    )


def links(**changes) -> LinkSurvey:
    """A kernel that carries and routes both families."""
    both = frozenset({4, 6})
    return replace(LinkSurvey(carried=both, routed=both), **changes)


def peer(**changes) -> Peer:
    return replace(
        Peer(member="alpha", instance_id="i-alpha", reachable=True, role="active", version="0.1.0"), **changes
    )


def disk(**changes) -> Disk:
    found = Disk(
        path=Path("/var/lib/eni-failover/orders"),
        exists=True,
        is_ours=True,
        free_bytes=10**9,
        write_seconds=0.002,
        lock=LockState.FREE,
    )
    return replace(found, **changes)


def probe(**changes) -> ProbeFact:
    fact = ProbeFact(name="web", scope=Scope.HOLDER, about="alpha", answer=Answer.UP, detail="status 200")
    return replace(fact, **changes)


def facts(file=None, *, identity=None, of_cloud: dict | None = None, of_host: dict | None = None) -> Facts:
    """Everything in health, with these fields of Cloud and Host changed."""
    file = file or config()
    return Facts(
        config=file,
        identity=identity or Identity(instance_id=BETA, member=file.members[1]),
        cloud=replace(_cloud(), **(of_cloud or {})),
        host=replace(_host(file), **(of_host or {})),
        wall=WALL,
    )


def said(check) -> tuple[str, str]:
    """A check's result and detail."""
    return str(check.result), check.detail


class MovingGate:
    """Lets every EC2 call through; before the n-th `move` is called, for each n of `before`, from 1."""

    def __init__(self, move, *, before: tuple[int, ...]) -> None:
        self._move = move
        self._before = before
        self._calls = 0

    async def __aenter__(self) -> None:
        self._calls += 1
        if self._calls in self._before:
            self._move()

    async def __aexit__(self, *_: object) -> None:
        pass
