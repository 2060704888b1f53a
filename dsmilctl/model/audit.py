"""Audit record: one line of the journal, as a person asks for it."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.model.operation import OperationType

ACTIONS = (
    *(f"device.{kind.lower()}" for kind in OperationType),
    "device.initialize",
    "device.connect",
    "device.disconnect",
    "device.cleanup",
    "emergency.stop",
    "emergency.release",
    "driver.enable",
    "driver.disable",
    "driver.forget",
    "alarm.acknowledge",
    "alarm.shelve",
    "alarm.unshelve",
    "alarm.reset",
    "journal.recover",
    "journal.restart",
)
"""Every action that a record may be about."""

OUTCOMES = ("INTENT", "SUCCESS", "FAILED", "TIMEOUT", "DENIED", "UNKNOWN")
"""Every outcome that a record may tell."""


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of evidence.

    `action` is one of ACTIONS, `decision` ALLOWED or DENIED, `outcome` one of OUTCOMES; `operation_id` ties
    an outcome to its intent; `previous` and `hash` chain the records (SHA-256, hex).
    """

    sequence: int
    time: int
    user: str
    host: str
    context: str
    action: str
    target: str
    parameters: dict[str, Any] = {}
    decision: str = "ALLOWED"
    outcome: str = ""
    operation_id: str = ""
    previous: str = ""
    hash: str = ""


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What `audit verify` found: how many records, where the first bad one is, and why."""

    intact: bool
    records: int
    files: tuple[str, ...]
    first_bad: int | None = None
    file: str = ""
    line: int | None = None
    problem: str = ""
    last_hash: str = ""
    unfinished: tuple[str, ...] = ()
