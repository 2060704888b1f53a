"""Record: one line of the journal, whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from dsmilctl.clock import rfc3339
from dsmilctl.model.audit import AuditRecord
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.screens.base import Dialog


class RecordDialog(Dialog[None]):
    """Everything that the journal knows of one step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Command("escape", "cancel", "close", summary="Close the record"),
    ]

    def __init__(self, record: AuditRecord) -> None:
        super().__init__()
        self._record = record

    def body(self) -> Iterable[Widget]:
        """Name and value, line by line."""
        with Vertical(classes="box record"):
            yield Static(f"Record {self._record.sequence}", classes="box-title", markup=False)
            with VerticalScroll(classes="lines"):
                yield Static(record_text(self._record), markup=False)

    def begin(self) -> None:
        """Long records scroll."""
        super().begin()
        self.part(VerticalScroll).focus()


def record_text(record: AuditRecord) -> str:
    """The record as lines of name and value."""
    pairs = [
        ("time", rfc3339(record.time, 6)),
        ("who", f"{record.user} on {record.host}"),
        ("context", record.context),
        ("action", record.action),
        ("target", record.target),
        ("decision", record.decision),
        ("outcome", record.outcome),
        ("operation", record.operation_id),
        *((name, _value_text(value)) for name, value in record.parameters.items()),
        ("previous", record.previous),
        ("hash", record.hash),
    ]
    return "\n".join(f"{inert(name):<11} {inert(value)}" for name, value in pairs if value)


def _value_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
