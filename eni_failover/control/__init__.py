"""The daemon's two HTTP servers: read-only on TCP, the same and the operators' orders on a Unix socket.

Owns what clients may ask and how the answer is spelled in HTTP. Must not know EC2, decide anything,
or change anything itself: an order is handed to the `Desk`, which puts it before the next pass. Does
not guarantee that a client gets an answer: connections are few, short and cut off when they dawdle.
"""

from eni_failover.control.desk import Desk, TakeoverAnswer, TakeoverState
from eni_failover.control.limits import Limits
from eni_failover.control.listen import SocketTaken
from eni_failover.control.servers import Servers

__all__ = ["Desk", "Limits", "Servers", "SocketTaken", "TakeoverAnswer", "TakeoverState"]
