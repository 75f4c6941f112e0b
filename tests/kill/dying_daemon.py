"""A daemon that ends, or stands still, at one point of its first takeover.

    python dying_daemon.py TRACE POINT SIGNAL run --config ...

A point is `SIDE:WHAT:NUMBER`: before or after the NUMBER-th (from 1) EC2 call of that name, or journal
write ("journal"), since the write of the takeover's intent. SIGNAL is what the daemon sends itself there.
Every point passed is appended to TRACE; the point "none" is never reached.
"""

import os
import signal
import sys
from collections import Counter
from threading import Lock

from botocore.client import BaseClient

from eni_failover.__main__ import main
from eni_failover.journal_file import JournalFile

TRACE, POINT, SIGNAL = sys.argv[1], sys.argv[2], signal.Signals[sys.argv[3]]

_passed: Counter[str] = Counter()
_lock = Lock()
_append, _call = JournalFile.append, BaseClient._make_api_call


def _pass(what, work):
    """Do the work between the two points on its sides."""
    with _lock:
        _passed[what] += 1
        name = f"{what}:{_passed[what]}"
    _reach(f"before:{name}")
    result = work()
    _reach(f"after:{name}")
    return result


def _reach(point):
    trace = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(trace, f"{point}\n".encode())
    os.close(trace)
    if point == POINT:
        os.kill(os.getpid(), SIGNAL)


def _is_intent(line):
    return line["kind"] == "memory" and line["data"]["takeover"] is not None


def _append_or_die(self, lines, kept):
    if _passed["journal"] or any(map(_is_intent, lines)):
        return _pass("journal", lambda: _append(self, lines, kept))
    return _append(self, lines, kept)


def _call_or_die(self, operation, parameters):
    if _passed["journal"] and not parameters.get("DryRun"):
        return _pass(operation, lambda: _call(self, operation, parameters))
    return _call(self, operation, parameters)


JournalFile.append = _append_or_die
BaseClient._make_api_call = _call_or_die
sys.argv = ["eni-failover", *sys.argv[4:]]
main()
