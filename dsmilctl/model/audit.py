"""Audit record: one line of the journal, as a person asks for it."""

from __future__ import annotations

from typing import Any

import msgspec


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of evidence.

    `decision` is ALLOWED or DENIED, `outcome` INTENT, SUCCESS, FAILED, TIMEOUT, DENIED or UNKNOWN;
    `operation_id` ties an outcome to its intent; `previous` and `hash` chain the records (SHA-256, hex).
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
