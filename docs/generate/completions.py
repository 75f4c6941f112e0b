"""The files by which shells complete: those that the command-line library prints, made to lie in a folder.

Owns where each shell looks for its file below share/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PLACES: Mapping[str, Path] = {
    "bash": Path("share/bash-completion/completions/eni-failover"),
    "zsh": Path("share/zsh/site-functions/_eni-failover"),
    "fish": Path("share/fish/vendor_completions.d/eni-failover.fish"),
}

# zsh runs the file itself at the first press of the key: then it must answer, not only register.
_REGISTERED = "compdef _eni_failover_completion eni-failover\n"
_ANSWERED = f"""\
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _eni_failover_completion "$@"
else
  {_REGISTERED.strip()}
fi
"""


def script(shell: str) -> str:
    """The file for this shell."""
    done = subprocess.run(
        [sys.executable, "-m", "eni_failover"],
        env={**os.environ, "_ENI_FAILOVER_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    text = done.stdout.strip() + "\n"
    return text.replace(_REGISTERED, _ANSWERED) if shell == "zsh" else text
