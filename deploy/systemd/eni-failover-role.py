"""eni-failover-role.py GROUP: starts or stops eni-failover-active@GROUP.target, as the role file says.

For root, from eni-failover-role@.service. `taking` and `fault` change nothing: what runs goes on until the
role is active or standby. Nor does the daemon's end, which leaves the file as it is.
"""

import subprocess
import sys
import time
from pathlib import Path

VERBS = {"active": "start", "standby": "stop"}

group = sys.argv[1]
# Twice: eni-failover-role-changed@.service says why.
for pause in (0, 2):
    time.sleep(pause)
    try:
        role = Path(f"/run/eni-failover/{group}.role").read_text(encoding="utf-8").strip()
    except OSError:  # no daemon has told a role yet
        continue
    if role in VERBS:
        unit = f"eni-failover-active@{group}.target"
        subprocess.run(["systemctl", "--no-block", VERBS[role], unit], check=True)  # noqa: S603, S607 - no shell
