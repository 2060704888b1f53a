"""Device: one device with its registers, a live chart, its lifecycle and what was done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Batch
from dsmilctl.model.register import Register
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import HistoryRead, Read, Sampled
from dsmilctl.tui.operations import OPERATIONS
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.chart import Chart
from dsmilctl.tui.widgets.fleet_table import state_cell
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.records import RecordTable
from dsmilctl.tui.widgets.registers import RegisterTable
from dsmilctl.tui.widgets.table import Table

INTERVALS = (0.05, 0.1, 0.2, 0.5, 1.0)
WINDOWS = (10.0, 30.0, 60.0, 120.0, 300.0)
HISTORY_EVERY = 3.0
NO_NUMBER = "A number that can be read would be charted here: no register of this device is one."
NOT_READ = "This device is quarantined and not read, so there is no chart: esc goes back to the others."


class DevicePage(Page):
    """The screen of one device."""

    NAME = "device"
    INITIAL = "registers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "w",
            "write",
            "write",
            summary="Write the register under the cursor, after a dry run",
            twin="dsmilctl -C {context} device write {device} {register} VALUE --justification TEXT",
            impact="write",
        ),
        Command(
            "o",
            "operate",
            "operate",
            summary="Operate on the device",
            twin="dsmilctl -C {context} device connect {device}",
            impact="write",
        ),
        Command(
            "enter",
            "chart",
            "chart",
            summary="Chart the register under the cursor",
            twin="dsmilctl -C {context} stream devices {device} {register} --interval {interval}",
            impact="read",
        ),
        Command("plus,equals_sign", "window(1)", "longer", summary="More seconds on the chart"),
        Command("minus", "window(-1)", "shorter", show=False, summary="Fewer seconds on the chart"),
        Command("right_square_bracket", "pace(-1)", "faster", summary="More samples per second"),
        Command("left_square_bracket", "pace(1)", "slower", show=False, summary="Fewer samples per second"),
        Command("p", "pause", "pause", summary="Hold the chart still, or let it run"),
        Command(
            "tab",
            "other_table",
            "history",
            show=False,
            summary="Between the registers and what was done to the device",
            twin="dsmilctl -C {context} device history {device}",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back to the fleet"),
    ]

    EXTRA = OPERATIONS

    def __init__(self, device: Device, *, interval: float = 0.2) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal")]
        self.device = device
        self._interval = interval
        self._seconds = 60.0
        self._paused = False
        self._charted: Register | None = None
        self._ends: dict[str, Callable[[], None]] = {}
        self._history_at = 0.0

    def body(self) -> Iterable[Widget]:
        """Title, registers beside what was done, the chart below."""
        yield Line(id="device-title")
        with Horizontal(id="device-tables"):
            yield RegisterTable(self.device, id="registers")
            yield RecordTable(brief=True, id="history")
        yield Chart(id="chart")

    def begin(self) -> None:
        """Begin to read."""
        super().begin()
        readable = [register.name for register in self.device.registers if register.readable]
        if readable and not self.device.quarantined:
            self._follow("registers", readable, self.dashboard.tick, self._take_read)
        self._chart(self._first_to_chart())

    def on_unmount(self) -> None:
        """Read no more."""
        for end in self._ends.values():
            end()

    def _take_read(self, batch: Batch) -> None:
        self.post_message(Read(batch))

    def _follow(
        self, name: str, registers: list[str], interval: float, take: Callable[[Batch], None]
    ) -> None:
        if name in self._ends:
            self._ends.pop(name)()
        link = self.dashboard.link
        if link is not None:
            self._ends[name] = link.follow(self.device, registers, interval, take)

    def _first_to_chart(self) -> Register | None:
        wanted = (*self.device.key_registers, self.device.default_register)
        numbers = [register for register in self.device.registers if can_be_charted(register)]
        named = [register for name in wanted for register in numbers if register.name == name]
        return next(iter([*named, *numbers]), None)

    def _chart(self, register: Register | None) -> None:
        self._charted = register
        chart = self.part(Chart)
        if register is None or self.device.quarantined:
            chart.say(NO_NUMBER if register is None else NOT_READ)
            return
        chart.seconds = self._seconds
        chart.begin(inert(register.name), self._chart_text(register), (register.low, register.high))
        series, clock, name = chart.series, self.dashboard.clock, register.name

        def take(batch: Batch) -> None:
            for reading in batch.readings:
                good = reading.register == name and isinstance(reading.value, int | float)
                if good and reading.value is not None:
                    series.add(clock.monotonic(), float(reading.value))
            self.post_message(Sampled())

        self._follow("chart", [name], self._interval, take)

    def _chart_text(self, register: Register) -> str:
        pace = f"{self._seconds:g} s, {1 / self._interval:g} per second"
        return f"{inert(register.unit)}  {pace}{'  ‖ held' if self._paused else ''}".strip()

    @on(Read)
    def _show_read(self, event: Read) -> None:
        self.part(RegisterTable).take(event.batch)

    @on(Sampled)
    def _show_sampled(self) -> None:
        if not self._paused and self.is_current:
            self.part(Chart).draw(self.dashboard.clock.monotonic())

    def show(self, snapshot: Snapshot) -> None:
        """The title, and now and then what was done."""
        self._show_title(snapshot)
        if snapshot.monotonic - self._history_at >= HISTORY_EVERY:
            self._history_at = snapshot.monotonic
            self.run_worker(self._read_history(), exclusive=True, group="history", exit_on_error=False)

    def _show_title(self, snapshot: Snapshot) -> None:
        device, store = self.device, self.dashboard.store
        parts = [Part(f" {inert(device.shown_id)}  ", "strong"), Part(f"{inert(device.name)}   ", "plain")]
        row = -1 if store is None else store.row_of.get(device.device_id, -1)
        if store is not None and row >= 0:
            status, condition = store.statuses[row], store.condition(row, live=snapshot.live)
            state, ink = state_cell(store, row, condition)
            parts.append(Part(state, ink))
            since = f" since {rfc3339(status.since)[11:19]}Z" if status.since else ""
            parts.append(Part(since, "dim"))
            if status.reason:
                parts.append(Part(f" ({inert(status.reason)})", "dim"))
        facts = [device.risk.value, device.group, *(f"{name} {value}" for name, value in device.facts)]
        parts.append(Part("   " + " · ".join(inert(fact) for fact in facts if fact), "dim"))
        self.part(Line, "device-title").show(parts)

    async def _read_history(self) -> None:
        query = HistoryQuery(device_id=self.device.device_id, limit=100)
        try:
            records = await self.dashboard.ask(lambda client: client.audit(query))
        except DSMILError:
            return  # the banner says what is wrong with the context
        self.post_message(HistoryRead(records))

    @on(HistoryRead)
    def _show_history(self, event: HistoryRead) -> None:
        self.part(RecordTable).take(event.records)

    @on(Table.Chosen, "#registers")
    def _chosen(self) -> None:
        self.action_chart()

    @on(Table.Chosen, "#history")
    def _record_chosen(self) -> None:
        record: AuditRecord | None = self.part(RecordTable).record
        if record is not None:
            self.dashboard.show_record(record)

    def action_chart(self) -> None:
        """Chart the register under the cursor."""
        register = self.part(RegisterTable).register
        if register is not None and can_be_charted(register):
            self._chart(register)
        elif register is not None:
            self.notify(f"{inert(register.name)} is not a number that can be read", markup=False)

    def action_window(self, step: int) -> None:
        """More or fewer seconds."""
        place = WINDOWS.index(self._seconds) + step
        self._seconds = WINDOWS[max(0, min(place, len(WINDOWS) - 1))]
        chart = self.part(Chart)
        chart.seconds = self._seconds
        self._retitle()

    def action_pace(self, step: int) -> None:
        """Faster or slower sampling."""
        place = INTERVALS.index(self._interval) + step
        self._interval = INTERVALS[max(0, min(place, len(INTERVALS) - 1))]
        self._chart(self._charted)

    def action_pause(self) -> None:
        """Hold the chart still; samples go on being taken."""
        self._paused = not self._paused
        self._retitle()

    def _retitle(self) -> None:
        if self._charted is not None:
            self.part(Chart).retitle(self._chart_text(self._charted))

    def action_other_table(self) -> None:
        """Between registers and history."""
        tables = [self.part(RegisterTable), self.part(RecordTable)]
        focused = tables[1] if tables[0].has_focus and tables[1].display else tables[0]
        focused.focus()

    def action_write(self) -> None:
        """The write dialog for the register under the cursor."""
        register = self.part(RegisterTable).register
        self.dashboard.write(self.device, register.name if register and register.writable else "")

    def action_operate(self) -> None:
        """The menu of lifecycle verbs and operations."""
        self.dashboard.operate([self.device])

    def action_carry_out(self, name: str) -> None:
        """An operation of the palette."""
        self.dashboard.carry_out(name, [self.device])

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The device and the register under the cursor."""
        register = self.part(RegisterTable).register
        return {
            "device": self.device.shown_id,
            "selector": self.device.shown_id,
            "chosen": self.device.shown_id,
            "register": register.name if register else "",
            "interval": f"{self._interval:g}",
        }


def can_be_charted(register: Register) -> bool:
    """Whether the register is a number that can be read."""
    return register.readable and register.type not in ("str", "bool")
