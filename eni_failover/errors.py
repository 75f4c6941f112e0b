"""The errors this project raises, split by who must act.

    EniFailoverError
    ├── ConfigError            the user: the file or the arguments are wrong (exit 2)
    ├── StartError             this host is in the way now: a port or a lock is taken (exit 1)
    ├── AdapterError           an outside system answered badly or not at all
    │   ├── TransientError     try again with backoff; nothing happened
    │   │   └── ThrottledError the account has used up its calls of this kind for now
    │   ├── ReobserveError     the world is not what the caller believed; describe and decide
    │   ├── LostError          another instance has won; stand down
    │   ├── TerminalError      trying again cannot help until somebody changes something
    │   │   └── DeniedError    IAM says no
    │   └── UnansweredError    the call may have taken effect; describe before anything else
    └── InvariantError         a bug of ours; the process ends and systemd restarts it

Errors of libraries are raised `from` theirs, and carry the AWS error code where there is one.
"""

from __future__ import annotations


class EniFailoverError(Exception):
    """The root: catching it catches everything this project raises on purpose."""


class ConfigError(EniFailoverError):
    """The configuration or an argument is wrong; `problems` has one line for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StartError(EniFailoverError):
    """The daemon cannot start here now: another one runs, or a port or an address is not to be had.

    Not a mistake in the file: systemd tries again.
    """


class AdapterError(EniFailoverError):
    """An outside system failed; `code` is its own word for it, empty when it has none."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class TransientError(AdapterError):
    """Nothing happened, and the same call may succeed later."""


class ThrottledError(TransientError):
    """The account's quota of such calls is used up for now.

    `retry_after` is for how many seconds EC2 wants no more of them, 0 when it does not say.
    """

    def __init__(self, message: str, *, code: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class ReobserveError(AdapterError):
    """The call's premise no longer holds: look at EC2 again before deciding anything."""


class LostError(AdapterError):
    """EC2 says that another instance has what the call wanted."""


NO_CLIENT = "no_client"


class TerminalError(AdapterError):
    """The same call will fail again until an operator changes something.

    Its code is NO_CLIENT when not even the client can be made.
    """


class DeniedError(TerminalError):
    """The credentials lack a permission."""


class UnansweredError(AdapterError):
    """No usable answer came: the call may or may not have taken effect."""


class InvariantError(EniFailoverError):
    """The program contradicts itself."""
