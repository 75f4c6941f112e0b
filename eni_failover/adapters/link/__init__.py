"""The kernel's links of our ENIs: who configures them, what they lack, when they come and go."""

from eni_failover.adapters.link.mode import DetectedMode, LinkMode, Manager, decide_mode
from eni_failover.adapters.link.watcher import LinkWatcher, detect_mode

__all__ = ["DetectedMode", "LinkMode", "LinkWatcher", "Manager", "decide_mode", "detect_mode"]
