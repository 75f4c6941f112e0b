"""The hooks, and how a run of one ends."""

from __future__ import annotations

from enum import StrEnum


class Hook(StrEnum):
    """The settings of [hooks]."""

    ON_ACTIVE = "on_active"
    ON_STANDBY = "on_standby"
    ON_FAULT = "on_fault"
    NOTIFY = "notify"


class HookResult(StrEnum):
    """How one run ended; `missing` could not be started, `dropped` never was."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MISSING = "missing"
    DROPPED = "dropped"
