"""Whose failure an `OSError` on a socket is: the target's (down) or this host's (unknown).

Owns the list. Only what cannot but come from the target, or from the last hop to it, is down; every
other error number is unknown, those that nobody thought of included: unknown is not down.

Down, with a sign of life (connect(2), tcp(7)): ECONNREFUSED, ECONNRESET, ECONNABORTED, EPIPE, and
ESHUTDOWN, which to Python is an EPIPE.
Down, without one: ETIMEDOUT (connect(2)), EHOSTDOWN, and EHOSTUNREACH, which is how the kernel tells
of a neighbour that does not answer ARP or ND (arp(7)), that is, of a dead host in the same subnet.

This host's own, so unknown:
ENETUNREACH (no route), EADDRNOTAVAIL (no free ephemeral port), EACCES and EPERM (a local firewall
rule), EAGAIN (no routing cache entry): connect(2);
EMFILE, ENFILE, ENOBUFS, ENOMEM (out of descriptors or memory), EAFNOSUPPORT (no IPv6 on this host):
socket(2); ENETDOWN (the device is down): packet(7), netdevice(7).

Not guaranteed: a host whose own link has lost its carrier sees EHOSTUNREACH too. That is what a
witness probe is for.
"""

from __future__ import annotations

import errno
import os
import ssl

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.core.words import Answer

_SIGN_OF_LIFE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
_SILENCE = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN})


def judge(error: OSError) -> ProbeResult:
    """The answer that this error of a socket call amounts to."""
    if isinstance(error, ssl.SSLError):
        # Its errno is OpenSSL's own number (1 is no EPERM): the target spoke, but not our TLS.
        return ProbeResult(answer=Answer.DOWN, answered=True, detail=_tls_detail(error))
    # asyncio raises some kinds of ConnectionError without a number, aiohttp the number without the kind.
    if isinstance(error, ConnectionError) or error.errno in _SIGN_OF_LIFE:
        return ProbeResult(answer=Answer.DOWN, answered=True, detail=_words(error))
    answer = Answer.DOWN if error.errno in _SILENCE else Answer.UNKNOWN
    return ProbeResult(answer=answer, answered=False, detail=_words(error))


def unresolved(error: OSError) -> ProbeResult:
    """The answer when a name was not resolved: whoever is to blame, the target was not asked."""
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"name not resolved: {_words(error)}")


def _words(error: OSError) -> str:
    # Not str(error): asyncio puts the address into it, and aiohttp the host.
    if error.strerror is None or error.errno is None:
        return type(error).__name__
    return os.strerror(error.errno) if error.errno > 0 else error.strerror


def _tls_detail(error: ssl.SSLError) -> str:
    # Only OpenSSL's own errors have these two; one that Python code raises has neither.
    words = getattr(error, "verify_message", None) or getattr(error, "reason", None) or type(error).__name__
    return f"TLS failed: {words}"
