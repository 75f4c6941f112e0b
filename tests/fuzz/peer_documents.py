"""A /status as alpha of the group orders answers it."""

TIME = "2026-11-23T03:17:00.250000Z"
GOOD = {
    "schema": 1,
    "version": "1.2.3",
    "group": "orders",
    "member": "alpha",
    "role": "active",
    "holder": "alpha",
    "enis": [{"id": "eni-1", "status": "attached", "member": "alpha", "attachment_id": "att-1"}],
    "probes": [],
    "ready": True,
    "checks": [{"name": "slot", "result": "warn", "detail": "no_slot", "remedy": "free one"}],
    "outage": {"since": TIME, "reason": "paused", "ends_at": TIME, "remedy": "eni-failover resume"},
    "takeovers": [
        {
            "id": "t0",
            "trigger": "probes",
            "reason": "holder_down",
            "from": "beta",
            "to": "alpha",
            "started_at": TIME,
            "ended_at": TIME,
            "result": "success",
            "phases": {"detect_s": 1.5, "wait_s": 0.0},
            "detail": "",
        }
    ],
    "decision": {"action": "wait", "reason": "held", "at": TIME},
    "paused": {"until": None, "reason": "work", "by": "root@alpha", "at": TIME, "local": False},
    "pause_record": {
        "kind": "pause",
        "at": TIME,
        "until": None,
        "remaining_s": 1800.5,
        "reason": "work",
        "by": "root@alpha",
        "local": False,
    },
    "acknowledged": ["alpha"],
    "takeover": {"id": "t1", "trigger": "probes", "reason": "holder_down", "phase": "detach", "since": TIME},
    "last_takeover": {"id": "t0", "trigger": "failback", "ended_at": TIME},
    "peers": [],
    "config_hash": "c0ffee",
    "now": TIME,
}
