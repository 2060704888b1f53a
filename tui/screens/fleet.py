"""Fleet: every device of the context in one table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from dsmilctl.client.interface import Client
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.tui.arrange import in_order, nearest_row, rows_of
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Arranged, Found
from dsmilctl.tui.operations import OPERATIONS
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.store import FleetStore
from dsmilctl.tui.widgets.fleet_table import FleetTable
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.table import Table

ARRANGE_EVERY = 3.0
MOVING = ("state", "minute", "age", "latency")
"""Columns whose order changes by itself, as do the key registers: they are sorted again now and then."""


class FleetPage(Page):
    """The first screen."""

    NAME = "fleet"
    INITIAL = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "slash",
            "filter",
            "filter",
            summary="Show only the devices that a selector names",
            twin="dsmilctl -C {context} device list {selector}",
            impact="read",
        ),
        Command("f", "jump", "find", summary="Jump to a device by a few letters of its id or name"),
        Command("s", "sort", "sort", summary="Sort by the next column"),
        Command("S", "reverse", "reverse", show=False, summary="Reverse the order"),
        Command("space", "mark", "mark", summary="Mark the device, or take the mark away"),
        Command("U", "unmark", "unmark", show=False, summary="Take all marks away"),
        Command(
            "w",
            "write",
            "write",
            summary="Write a register of the device",
            twin="dsmilctl -C {context} device write {device} {register} VALUE --justification TEXT",
            impact="write",
        ),
        Command(
            "o",
            "operate",
            "operate",
            summary="Operate on the device or the marked ones",
            twin="dsmilctl -C {context} device connect {selector}",
            impact="write",
        ),
    ]

    EXTRA = OPERATIONS

    def __init__(self, *, sparks: bool = True) -> None:
        super().__init__()
        self._sparks = sparks
        self._filter = ""
        self._searching = False
        self._arranged_at = 0.0

    def body(self) -> Iterable[Widget]:
        """The table, and the line in which a selector is typed."""
        yield FleetTable(sparks=self._sparks, id="fleet")
        with Horizontal(id="ask"):
            yield Line(id="ask-label")
            yield Input(id="ask-input", compact=True)
        yield Line(id="filter")

    @property
    def table(self) -> FleetTable:
        """The table."""
        return self.part(FleetTable)

    @property
    def device(self) -> Device | None:
        """The device under the cursor."""
        store, row = self.table.store, self.table.row
        return store.devices[row] if store is not None and row >= 0 else None

    @property
    def chosen(self) -> list[Device]:
        """The marked devices, else the one under the cursor."""
        store = self.table.store
        if store is not None and self.table.marked:
            return [store.devices[row] for row in sorted(self.table.marked)]
        return [self.device] if self.device else []

    def show(self, snapshot: Snapshot) -> None:
        """Open another fleet, or paint what moved."""
        store = self.dashboard.store
        if store is not self.table.store:
            self.table.open(store)
            self._arrange()
        due = snapshot.monotonic - self._arranged_at >= ARRANGE_EVERY
        if due and store is not None and self._moves:
            self._arrange()
        self.table.show(snapshot)

    @property
    def _moves(self) -> bool:
        key = self.table.sort_key
        return key in MOVING or key.startswith("key") or "state" in self._filter

    def _arrange(self) -> None:
        self._arranged_at = self.dashboard.snapshot.monotonic
        store = self.table.store
        if store is not None:
            self.run_worker(self._arrange_now(store), exclusive=True, group="arrange", exit_on_error=False)

    async def _arrange_now(self, store: FleetStore) -> None:
        selector, key, reverse = self._filter, self.table.sort_key, self.table.sort_reversed

        async def arranged(client: Client) -> list[int]:
            return in_order(store, await rows_of(client, store, selector), key, reverse=reverse)

        try:
            self.post_message(Arranged(await self.dashboard.ask(arranged)))
        except DSMILError as error:
            self.post_message(Arranged([], error))

    @on(Arranged)
    def _show_arranged(self, event: Arranged) -> None:
        if event.problem is None:
            self.table.filter = self._filter
            self.table.put_in_order(event.order)
        self._say_filter(event.problem)

    def _say_filter(self, error: DSMILError | None) -> None:
        line = self.part(Line, "filter")
        line.display = bool(self._filter)
        if error is not None:
            line.show([Part(f" {inert(error.message)}", "bad"), Part(f"  {inert(error.hint)}", "dim")])
        elif self._filter:
            total = len(self.table.store.devices) if self.table.store else 0
            text = f" {inert(self._filter)}"
            line.show(
                [
                    Part(" /", "key"),
                    Part(text, "accent"),
                    Part(f"  {self.table.row_count()} of {total}", "dim"),
                ],
                [Part("esc", "key", "screen.clear_filter"), Part(" show all ", "dim")],
            )

    def action_filter(self) -> None:
        """Ask for a selector."""
        self._ask("/", self._filter)

    def action_jump(self) -> None:
        """Ask for a few letters."""
        self._ask("find", "")

    def _ask(self, label: str, text: str) -> None:
        self._searching = label == "find"
        self.part(Horizontal, "ask").display = True
        self.part(Line, "ask-label").show([Part(f" {label}", "key")])
        field = self.part(Input, "ask-input")
        with field.prevent(Input.Changed):
            field.value = text
        field.focus()

    @on(Input.Changed, "#ask-input")
    def _typed(self, event: Input.Changed) -> None:
        if self._searching:
            self._jump_to(event.value)

    @on(Input.Submitted, "#ask-input")
    def _entered(self, event: Input.Submitted) -> None:
        if not self._searching:
            self._filter = event.value.strip()
            self._arrange()
        self._close_ask()

    def _close_ask(self) -> None:
        self.part(Horizontal, "ask").display = False
        self.table.focus()

    def key_escape(self) -> None:
        """Leave the line, then the filter, then the marks."""
        if self.part(Horizontal, "ask").display:
            self._close_ask()
        elif self._filter:
            self.action_clear_filter()
        else:
            self.action_unmark()

    def action_clear_filter(self) -> None:
        """Show every device."""
        self._filter = ""
        self._say_filter(None)
        self._arrange()

    def _jump_to(self, letters: str) -> None:
        store = self.table.store
        if store is not None and letters:
            self.run_worker(self._jump_now(store, letters), exclusive=True, group="jump")

    async def _jump_now(self, store: FleetStore, letters: str) -> None:
        order = self.table.order
        with contextlib.suppress(DSMILError):  # no client now: there is nothing to jump to
            place = await self.dashboard.ask(lambda _: nearest_row(store, order, letters))
            if place is not None:
                self.post_message(Found(place))

    @on(Found)
    def _go_to_found(self, event: Found) -> None:
        self.table.cursor = event.place

    def action_sort(self) -> None:
        """By the next column."""
        keys = [column.key for column in self.table.columns()]
        place = keys.index(self.table.sort_key) if self.table.sort_key in keys else -1
        self._sort(keys[(place + 1) % len(keys)], reverse=False)

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort(self.table.sort_key, reverse=not self.table.sort_reversed)

    @on(FleetTable.SortAsked)
    def _head_clicked(self, event: FleetTable.SortAsked) -> None:
        same = event.key == self.table.sort_key
        self._sort(event.key, reverse=same and not self.table.sort_reversed)

    def _sort(self, key: str, *, reverse: bool) -> None:
        self.table.sort_key, self.table.sort_reversed = key, reverse
        self.table.refresh()
        self._arrange()

    def action_mark(self) -> None:
        """Mark the row, and go on to the next."""
        row = self.table.row
        if row >= 0:
            self.table.marked ^= {row}
            self.table.refresh()
            self.table.action_move(1)

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.table.marked = set()
        self.table.refresh()

    @on(Table.Chosen, "#fleet")
    def _opened(self) -> None:
        if self.device is not None:
            self.dashboard.open_device(self.device)

    def action_write(self) -> None:
        """Write a register of the device under the cursor."""
        if self.device is not None:
            self.dashboard.write(self.device)

    def action_operate(self) -> None:
        """The menu of lifecycle verbs and operations."""
        if self.chosen:
            self.dashboard.operate(self.chosen)

    def action_carry_out(self, name: str) -> None:
        """An operation of the palette."""
        if self.chosen:
            self.dashboard.carry_out(name, self.chosen)

    def places(self) -> Mapping[str, str]:
        """The device under the cursor, and the marked ones as a selector."""
        device = self.device
        names = ",".join(item.shown_id for item in self.chosen)
        register = self._first_writable(device) if device else ""
        return {
            "device": device.shown_id if device else "",
            "register": register,
            "selector": self._filter or (names if self.table.marked else "@all"),
            "chosen": names,
        }

    def _first_writable(self, device: Device) -> str:
        return next((register.name for register in device.registers if register.writable), "")
