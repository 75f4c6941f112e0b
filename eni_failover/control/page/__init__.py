"""The status page at `/`: the facts as HTML, kept up to date by the event stream.

Owns how a snapshot looks to people. Must not know HTTP servers, EC2 or the loop, and changes nothing.
Does not guarantee that every takeover is seen while it runs: the page shows passes, and only their newest.
"""

from eni_failover.control.page.pages import Pages

__all__ = ["Pages"]
