"""Whose failure an `OSError` on a socket is: the target's (down) or this host's (unknown).

`own` is for a call that failed at once: no packet was sent, whatever the error number. `refused` is for an
error that came later, and asks the kernel where it came from. `judge` has the list for all the rest: only
what cannot but come from the target, or from the last hop to it, is down. Every other error number is
unknown, those that nobody thought of included.

Down, with a sign of life (connect(2), tcp(7)): ECONNREFUSED, ECONNRESET, ECONNABORTED, EPIPE, and
ESHUTDOWN, which to Python is an EPIPE.
Down, without one: ETIMEDOUT (connect(2)), EHOSTDOWN, and EHOSTUNREACH, which is how the kernel reports a
neighbour that does not answer ARP or ND (arp(7)), that is, a dead host in the same subnet.

This host's own, so unknown:
ENETUNREACH (no route), EADDRNOTAVAIL (no free ephemeral port), EACCES and EPERM (a local firewall
rule), EAGAIN (no routing cache entry): connect(2);
EMFILE, ENFILE, ENOBUFS, ENOMEM (out of descriptors or memory), EAFNOSUPPORT (no IPv6 on this host):
socket(2); ENETDOWN (the device is down): packet(7), netdevice(7).

Not guaranteed: a host whose own link has lost its carrier sees EHOSTUNREACH too (that is what a witness
probe is for); a filter of this host that answers in the target's name with a TCP reset is taken for it.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import struct
from dataclasses import dataclass

from eni_failover.adapters.probes import nexthop
from eni_failover.adapters.probes.names import Address, packed
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.core.vocabulary import Answer

ROUTER_SILENT = "the router to it does not answer"

_SIGN_OF_LIFE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
_SILENCE = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN})
_NEVER_RESOLVES = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})

# ip(7), ipv6(7); Python has no names for them.
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_REPORT = struct.Struct("=IBBBBII")  # struct sock_extended_err; the offender's socket address follows
_BY_ICMP = frozenset({2, 3})  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
# "Host unreachable" and "address unreachable" (type, code): what the kernel reports a silent neighbour with.
_NO_NEIGHBOUR = {socket.AF_INET: (3, 1), socket.AF_INET6: (1, 3)}
# A sandbox without AF_NETLINK: the likelier cause of such an error is a silent neighbour, then.
_NO_NETLINK = frozenset(
    {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """An ICMP error: who sent it, and what it says."""

    sender: bytes
    kind: tuple[int, int]


def judge(error: OSError) -> ProbeResult:
    """The answer that this error of a socket call amounts to."""
    if isinstance(error, ssl.SSLError):
        # Its errno is OpenSSL's own number (1 is no EPERM): the target spoke, but not our TLS.
        return ProbeResult(answer=Answer.DOWN, answered=True, detail=_tls_detail(error))
    # Python raises some kinds of ConnectionError without a number.
    if isinstance(error, ConnectionError) or error.errno in _SIGN_OF_LIFE:
        return ProbeResult(answer=Answer.DOWN, answered=True, detail=_words(error))
    answer = Answer.DOWN if error.errno in _SILENCE else Answer.UNKNOWN
    return ProbeResult(answer=answer, answered=False, detail=_words(error))


def own(error: OSError) -> ProbeResult:
    """The answer when a call failed at once: this host has refused it, and sent nothing."""
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=_words(error))


def collect(connection: socket.socket) -> None:
    """From now on the kernel keeps the ICMP errors about this socket for `refused`."""
    _set_collect(connection, 1)


def stop_collecting(connection: socket.socket) -> None:
    """Restore the default: an ICMP error does not break an established connection (tcp(7))."""
    _set_collect(connection, 0)


def refused(connection: socket.socket, address: Address, error: OSError) -> ProbeResult:
    """The answer when this error came after the packet was handed to the kernel; see `collect`."""
    report = _read_report(connection)
    if report is None:  # no ICMP: the target's own reset, or its silence
        return judge(error)
    words = _words(error)
    if report.sender == address.packed:
        return ProbeResult(answer=Answer.DOWN, answered=True, detail=words)
    if report.sender != packed(address.family, connection.getsockname()[0]):
        # A router's word: it reaches this host, but not the target.
        answer = Answer.UNKNOWN if judge(error).answer is Answer.UNKNOWN else Answer.DOWN
        return ProbeResult(answer=answer, answered=False, detail=words)
    if report.kind == _NO_NEIGHBOUR.get(address.family):
        try:
            hop = nexthop.next_hop(address)
            if nexthop.is_silent(hop):
                detail = ROUTER_SILENT if hop.is_router else words
                answer = Answer.UNKNOWN if hop.is_router else Answer.DOWN
                return ProbeResult(answer=answer, answered=False, detail=detail)
        except OSError as problem:
            return judge(error) if problem.errno in _NO_NETLINK else own(problem)
    detail = f"refused by a packet filter of this host: {words}"
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)


def is_router_silent(address: Address) -> bool:
    """Whether packets for this address wait for a router that does not answer ARP or ND."""
    try:
        hop = nexthop.next_hop(address)
        return hop.is_router and nexthop.is_silent(hop)
    except OSError:  # the kernel does not say: nothing is known against the router
        return False


def unresolved(error: OSError) -> ProbeResult:
    """The answer when a name was not resolved: whoever is to blame, the target was not asked."""
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"name not resolved: {_words(error)}")


def unresolved_redirect(error: OSError) -> ProbeResult:
    """The answer when the target has redirected to a name that was not resolved.

    There is no such name: a wrong answer of the target. Anything else is the resolver's failure.
    """
    result = unresolved(error)
    if isinstance(error, socket.gaierror) and error.errno in _NEVER_RESOLVES:
        return ProbeResult(
            answer=Answer.DOWN, answered=True, detail="redirect to a name that does not resolve"
        )
    return ProbeResult(answer=result.answer, answered=True, detail=f"redirect: {result.detail}")


def _set_collect(connection: socket.socket, value: int) -> None:
    if connection.family == socket.AF_INET6:
        connection.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, value)
    else:
        connection.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, value)


def _read_report(connection: socket.socket) -> _Report | None:
    """The ICMP error that the kernel has kept; None when there was none, or before Linux 5.9."""
    try:
        _, ancillary, _, _ = connection.recvmsg(1, 256, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) not in {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}:
            continue
        _, origin, icmp_type, icmp_code, _, _, _ = _REPORT.unpack_from(data)
        if origin not in _BY_ICMP:
            continue
        sender = data[_REPORT.size :]
        family = struct.unpack_from("=H", sender)[0]
        return _Report(
            sender=sender[8:24] if family == socket.AF_INET6 else sender[4:8], kind=(icmp_type, icmp_code)
        )
    return None


def _words(error: OSError) -> str:
    # Not str(error): asyncio puts the address into it.
    if error.strerror is None or error.errno is None:
        return type(error).__name__
    return os.strerror(error.errno) if error.errno > 0 else error.strerror


def _tls_detail(error: ssl.SSLError) -> str:
    # Only OpenSSL's own errors have these two; one that Python code raises has neither.
    words = getattr(error, "verify_message", None) or getattr(error, "reason", None) or type(error).__name__
    return f"TLS failed: {words}"
