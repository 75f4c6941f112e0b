"""The log: one line for one event, on standard output.

Owns the format, the keys that every line has, the redaction, and the way out of the process. Must not
know what is logged. Does not guarantee that a line arrives: standard output that is full, gone or
stuck costs lines, never the daemon; the next line that gets through says how many (`lines_lost`).
"""

from eni_failover.log.setup import configure, lines_lost

__all__ = ["configure", "lines_lost"]
