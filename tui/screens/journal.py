"""Journal: every change that was asked for, by whom, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.errors import DSMILError, InvalidParameter, nearest
from dsmilctl.model.audit import AuditVerdict
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import HistoryRead, Verified
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.records import RecordTable
from dsmilctl.tui.widgets.table import Table

READ_EVERY = 2.0
LIMIT = 500
FIELDS = ("device", "action", "outcome", "user")


class JournalPage(Page):
    """The screen of the journal."""

    NAME = "journal"
    INITIAL = "records"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "v",
            "verify",
            "verify",
            summary="Check the chain of the whole journal",
            twin="dsmilctl audit verify",
            impact="read",
        ),
        Command(
            "slash",
            "filter",
            "filter",
            summary="Show only some records, such as outcome=DENIED,device=0x8000",
            twin="dsmilctl -C {context} audit log {options}",
            impact="read",
        ),
        Command(
            "enter",
            "show",
            "show",
            summary="Show the whole record",
            twin="dsmilctl audit show {sequence}",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._filter: dict[str, str] = {}
        self._read_at = 0.0

    def body(self) -> Iterable[Widget]:
        """The verdict, the records, the line for the filter."""
        yield Line(id="verdict")
        yield RecordTable(id="records")
        with Horizontal(id="ask"):
            yield Line(id="ask-label")
            yield Input(id="ask-input", compact=True)

    def show(self, snapshot: Snapshot) -> None:
        """Read again now and then."""
        if snapshot.monotonic - self._read_at >= READ_EVERY:
            self._read_at = snapshot.monotonic
            self._read()

    def _read(self) -> None:
        self.run_worker(self._read_now(), exclusive=True, group="journal", exit_on_error=False)

    async def _read_now(self) -> None:
        try:
            query = query_of(self._filter)
            self.post_message(HistoryRead(await self.dashboard.ask(lambda client: client.audit(query))))
        except DSMILError as error:
            self.post_message(HistoryRead([], error))

    @on(HistoryRead)
    def _show_records(self, event: HistoryRead) -> None:
        line = self.part(Line, "verdict")
        if event.problem is not None:
            line.show(
                [
                    Part(f" {inert(event.problem.message)}", "bad"),
                    Part(f"  {inert(event.problem.hint)}", "dim"),
                ]
            )
            return
        text = ",".join(f"{name}={value}" for name, value in self._filter.items())
        table = self.part(RecordTable)
        table.filter = text
        table.take(event.records)
        if self._filter:
            line.show(
                [
                    Part(" /", "key"),
                    Part(f" {inert(text)}", "accent"),
                    Part(f"  {len(event.records)} records", "dim"),
                ]
            )

    def action_verify(self) -> None:
        """Check the chain."""
        self.part(Line, "verdict").show([Part(" ◐ checking the chain …", "dim")])
        self.run_worker(self._verify(), exclusive=True, group="verify", exit_on_error=False)

    async def _verify(self) -> None:
        try:
            self.post_message(Verified(await self.dashboard.ask(lambda client: client.audit_verify())))
        except DSMILError as error:
            self.post_message(HistoryRead([], error))

    @on(Verified)
    def _show_verdict(self, event: Verified) -> None:
        self.part(Line, "verdict").show(verdict_parts(event.verdict))

    def action_filter(self) -> None:
        """Ask for conditions."""
        self.part(Horizontal, "ask").display = True
        self.part(Line, "ask-label").show([Part(" /", "key")])
        field = self.part(Input, "ask-input")
        field.value = ",".join(f"{name}={value}" for name, value in self._filter.items())
        field.focus()

    @on(Input.Submitted, "#ask-input")
    def _entered(self, event: Input.Submitted) -> None:
        try:
            self._filter = conditions(event.value)
        except InvalidParameter as error:
            self.notify(f"{inert(error.message)}. {inert(error.hint)}", severity="warning", markup=False)
            return
        self._close_ask()
        self.part(Line, "verdict").show([])
        self._read()

    def _close_ask(self) -> None:
        self.part(Horizontal, "ask").display = False
        self.part(RecordTable).focus()

    def action_leave(self) -> None:
        """Leave the line, then the filter, then the screen."""
        if self.part(Horizontal, "ask").display:
            self._close_ask()
        elif self._filter:
            self._filter = {}
            self.part(Line, "verdict").show([])
            self._read()
        else:
            self.app.pop_screen()

    @on(Table.Chosen, "#records")
    def action_show(self) -> None:
        """The whole record."""
        record = self.part(RecordTable).record
        if record is not None:
            self.dashboard.show_record(record)

    def places(self) -> Mapping[str, str]:
        """The record under the cursor, and the filter as options."""
        record = self.part(RecordTable).record
        return {"sequence": str(record.sequence) if record else ""}


def conditions(text: str) -> dict[str, str]:
    """`outcome=DENIED,user=ada` as a dictionary; raises InvalidParameter."""
    found: dict[str, str] = {}
    for term in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = term.partition("=")
        if not equals or name not in FIELDS:
            hint = nearest(name, FIELDS) or f"conditions: {', '.join(FIELDS)}, each NAME=VALUE"
            raise InvalidParameter(f"no condition {term!r}", hint=hint, target=term)
        found[name] = value
    return found


def query_of(found: Mapping[str, str]) -> HistoryQuery:
    """The query of these conditions."""
    options: dict[str, Any] = {name: value for name, value in found.items() if name != "device"}
    if "device" in found:
        shown = found["device"]
        options["device_id"] = int(shown, 0) if shown[:1].isdigit() else shown
    return HistoryQuery(limit=LIMIT, **options)


def verdict_parts(verdict: AuditVerdict) -> list[Part]:
    """The verdict in words."""
    if verdict.intact:
        parts = [Part(f" ✓ intact: {verdict.records} records in {len(verdict.files)} files", "good")]
        parts.append(Part(f"  last hash {verdict.last_hash[:16]}…", "dim"))
        if verdict.unfinished:
            parts.append(Part(f"  {len(verdict.unfinished)} without outcome", "warn"))
        return parts
    where = f"{verdict.file} line {verdict.line}" if verdict.file else ""
    return [
        Part(f" ✕ NOT INTACT: record {verdict.first_bad} is the first bad one", "bad"),
        Part(f"  {inert(where)}: {inert(verdict.problem)}", "warn"),
    ]
