"""What a probe is told: the settings of each type, and the member it asks.

Owns the shapes that the configuration builds and the probes read. Knows nothing of sockets, clocks
or verdicts, and imports nothing heavy: the configuration loads it in every command. Checks nothing:
the configuration does. Does not guarantee that a template has a placeholder in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eni_failover.core.policy import InstanceId, Member, MemberName, ProbePolicy

PLACEHOLDERS = ("address", "member", "instance_id")
# After a dollar sign it is a variable of a shell's.
PLACEHOLDER = re.compile(r"(?<!\$)\{(" + "|".join(PLACEHOLDERS) + r")\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSettings:
    """A TCP connection is made and closed. `host` is a template."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """One HTTP request on a new connection. `url` and the values of `headers` are templates.

    `expect_status` are inclusive ranges. `expect_body` is a regular expression searched in the first
    64 KiB of the body; None means that the body is not looked at. `tls_server_name` is a template of what
    the server is called in TLS and in the Host field, None: as in `url`. Files are read anew when they
    change, because tokens and certificates rotate; without `client_key_file` the key is in the
    certificate's file.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    bearer_token_file: Path | None = None
    expect_status: tuple[tuple[int, int], ...] = ((200, 399),)
    expect_body: str | None = None
    tls_verify: bool = True
    tls_server_name: str | None = None
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    follow_redirects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpSettings:
    """One ICMP echo request. `host` is a template."""

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSettings:
    """A program, run without a shell. Each word of `command` is a template."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """The probed member's own daemon. `url` is the template of its /status.

    `group` is this configuration's group: an answer that names another one is not the peer's.
    """

    url: str
    group: str


ProbeSettings = TcpSettings | HttpSettings | IcmpSettings | ExecSettings | PeerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """One configured probe: when it runs (`policy`) and what it does (`settings`)."""

    policy: ProbePolicy
    settings: ProbeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The member that one attempt asks."""

    member: MemberName
    address: str
    instance_id: InstanceId

    @classmethod
    def of(cls, member: Member) -> Target:
        """The target that this member is."""
        return cls(member=member.name, address=member.address, instance_id=member.instance_id)

    def fill(self, template: str) -> str:
        """`template` with {address}, {member} and {instance_id} filled in; other braces stay.

        In a template with a scheme ("://") an IPv6 address comes out in brackets (RFC 3986, section
        3.2.2), whether or not the template has written them, and its zone as %25zone (RFC 6874).
        """
        address = self.address
        if "://" in template:
            template = template.replace("[{address}]", "{address}")
            address = f"[{address.replace('%', '%25')}]" if ":" in address else address
        values = {"address": address, "member": self.member, "instance_id": self.instance_id}
        return PLACEHOLDER.sub(lambda found: values[found[1]], template)
