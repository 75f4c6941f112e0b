"""The kernel's links of our ENIs: who configures them, what they lack, when they come and go."""

from eni_failover.adapters.link.announce import announce
from eni_failover.adapters.link.capabilities import Capability, has
from eni_failover.adapters.link.choice import STACKED
from eni_failover.adapters.link.keeper import Refusal
from eni_failover.adapters.link.kernel import KernelLink
from eni_failover.adapters.link.manager import LinkManager
from eni_failover.adapters.link.mode import DetectedMode, LinkMode, Manager, decide_mode, find_manager
from eni_failover.adapters.link.needs import versions
from eni_failover.adapters.link.services import is_running
from eni_failover.adapters.link.survey import LinkSurvey, survey
from eni_failover.adapters.link.udev import awaits_name
from eni_failover.adapters.link.watcher import LinkWatcher, detect_mode, links_with

__all__ = [
    "STACKED",
    "Capability",
    "DetectedMode",
    "KernelLink",
    "LinkManager",
    "LinkMode",
    "LinkSurvey",
    "LinkWatcher",
    "Manager",
    "Refusal",
    "announce",
    "awaits_name",
    "decide_mode",
    "detect_mode",
    "find_manager",
    "has",
    "is_running",
    "links_with",
    "survey",
    "versions",
]
