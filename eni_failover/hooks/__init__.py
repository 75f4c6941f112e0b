"""The user's programs that run after a change of role: one change at a time, in order.

Owns the queue, the processes and their environment. Must not know why a role changed. Nothing here
holds a pass up: a change is put down at once, and a program that hangs costs only its own time-out.
Does not guarantee that every change is told: of more than a hundred waiting the oldest is dropped,
loudly, because the last role is the one that counts. A change is told once per process; what was
waiting when the daemon stopped is lost, and a program should say what is, not what changed.

At the daemon's stop a running program has two seconds to end by itself, then its process group is
killed. Programs that a hook leaves running in the background live on; they must not keep writing to
the hook's output, which is closed when the hook ends.
"""

from eni_failover.hooks.runner import Commands, HookRunner, priority_of
from eni_failover.hooks.words import Hook, HookResult

__all__ = ["Commands", "Hook", "HookResult", "HookRunner", "priority_of"]
