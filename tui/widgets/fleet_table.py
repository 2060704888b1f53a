"""Fleet table: one row per device, with its state in words, its key readings, its last minute and its age."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from dsmilctl.model.device import Risk
from dsmilctl.model.reading import Reading
from dsmilctl.tui.inert import inert
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.ring import GAP, SECONDS, blocks
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.store import LONGEST_NAME, Condition, FleetStore
from dsmilctl.tui.units import age_text, milliseconds_text, value_text
from dsmilctl.tui.widgets.table import Cell, Column, Table

SPARK_CELLS = 20
SECONDS_A_CELL = SECONDS // SPARK_CELLS
MIXED_MOST = 30
"""Cells for the name of a register and its value, where every device shows another register."""

MARKED_HEAD = len("DEVICE ▲")
SIGNS = {
    Condition.QUARANTINE: ("⊘ quarantine", "dim"),
    Condition.ERROR: ("✕ error", "bad"),
    Condition.STALE: ("◌ stale", "warn"),
    Condition.WAITING: ("○ waiting", "dim"),
}
RISK_INK = {Risk.CRITICAL: "plain", Risk.HIGH: "plain", Risk.MEDIUM: "dim", Risk.LOW: "dim"}
DIMMED = (Condition.QUARANTINE, Condition.STALE, Condition.ERROR, Condition.WAITING)


class FleetTable(Table):
    """The devices of a context, in the order that filter and sorting gave them."""

    class SortAsked(Message):
        """Somebody clicked on a head."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, sparks: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self.store: FleetStore | None = None
        self.order: list[int] = []
        self.marked: set[int] = set()
        self.sort_key = "device"
        self.sort_reversed = False
        self.filter = ""
        self._sparks = sparks
        self._snapshot = Snapshot()

    def open(self, store: FleetStore | None) -> None:
        """Show another fleet."""
        self.store = store
        self.order = list(range(len(store.devices))) if store else []
        self.marked = set()
        self.cursor = 0
        self.rebuild()

    def put_in_order(self, order: list[int]) -> None:
        """Show these rows in this order, with the cursor on the device it was on."""
        here = self.row
        self.order = order
        if here in order:
            self.cursor = order.index(here)
        self.rebuild()

    @property
    def row(self) -> int:
        """The row of the store under the cursor, -1 when there is none."""
        return self.order[self.cursor] if 0 <= self.cursor < len(self.order) else -1

    def show(self, snapshot: Snapshot) -> None:
        """Paint what the snapshot changed on the screen."""
        before, self._snapshot = self._snapshot, snapshot
        store = self.store
        follows = snapshot.number == before.number + 1  # else changes of other snapshots were not seen
        if store is None or not store.devices or not follows or _mark(before) != _mark(snapshot):
            self.repaint_changed()
        else:
            moved = snapshot.changed | store.failing
            self.repaint_changed(lambda index: self.order[index] in moved)

    def columns(self) -> Sequence[Column]:
        """Device, name, state, risk, the fleet's key registers, the last minute, age and latency."""
        keys = self.store.columns if self.store else ()
        longest = self.store.longest_name if self.store else LONGEST_NAME
        return [
            Column("device", "DEVICE", self._id_width()),
            Column("name", "NAME", 12, grows=True, drop=3, most=max(12, longest), ending=True),
            Column("state", "STATE", 12),
            Column("risk", "RISK", 8, drop=6),
            *(
                Column(
                    f"key{place}",
                    inert(key.title),
                    20 if key.mixed else 10,
                    right=not key.mixed,
                    drop=2 * place,
                    grows=key.mixed,
                    most=MIXED_MOST,
                )
                for place, key in enumerate(keys)
            ),
            *([Column("minute", "LAST 60 s", SPARK_CELLS, drop=5)] if self._sparks else []),
            Column("age", "AGE", 6, right=True, drop=4),
            Column("latency", "LATENCY", 8, right=True, drop=7),
        ]

    def _id_width(self) -> int:
        if self.store is None or not self.store.devices:
            return MARKED_HEAD
        longest = max(len(device.shown_id) for device in self.store.devices[:200])
        return max(MARKED_HEAD, min(longest, 18))

    def head(self, column: Column) -> str:
        """The title, with the mark of the order."""
        title = f"{column.title}  " if column.key.startswith("key") and column.right else column.title
        if column.key != self.sort_key:
            return title
        return f"{title.rstrip()} {'▼' if self.sort_reversed else '▲'}"

    def row_count(self) -> int:
        """How many devices pass the filter."""
        return len(self.order)

    def nothing(self) -> str:
        """Why no device is shown."""
        context, store = inert(self._snapshot.context), self.store
        if store is not None and store.devices:
            return (
                f"No device matches {inert(self.filter)}: esc shows all {len(store.devices)}, / asks again."
            )
        if store is not None:
            return f"{context} has no devices: dsmilctl -C {context} doctor says why, c switches the context."
        if self._snapshot.link is LinkState.LOST:
            return f"The devices of {context} appear here when it answers: ctrl+r tries now, c switches."
        return f"The devices of {context} appear here as soon as it is open." if context else ""

    def mark(self, index: int) -> str:
        """`*` before a marked device."""
        return "*" if self.order[index] in self.marked else " "

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one device."""
        store, row = self.store, self.order[index]
        if store is None:
            return []
        device = store.devices[row]
        condition = store.condition(row, live=self._snapshot.live)
        ink = "dim" if condition in DIMMED else "plain"
        state, state_ink = state_cell(store, row, condition)
        return [
            Cell(inert(device.shown_id), ink),
            Cell(inert(device.name), ink),
            Cell(state, state_ink),
            Cell(device.risk.value, "dim" if ink == "dim" else RISK_INK[device.risk]),
            *(self._key_cell(store, row, place, ink) for place in range(len(store.columns))),
            *([self._minute(store, row, condition, ink)] if self._sparks else []),
            Cell(
                age_text(store.age(row, self._snapshot.monotonic)),
                "warn" if condition is Condition.STALE else "dim",
            ),
            self._latency(store, row, condition),
        ]

    def _key_cell(self, store: FleetStore, row: int, place: int, ink: str) -> Cell:
        if len(store.keys[row]) <= place:
            return Cell("", ink)
        register = store.keys[row][place]
        reading = store.readings[place][row]
        text = value_text(register, None if reading is None else reading.value)
        if store.columns[place].mixed:
            text = f"{inert(register.name)} {text}"
        if reading is not None and store.beyond(row, place):
            return Cell(text + (" ?" if not reading.good else " !"), "warn")
        return Cell(text if store.columns[place].mixed else f"{text}  ", ink)

    def _minute(self, store: FleetStore, row: int, condition: Condition, ink: str) -> Cell:
        age = store.age(row, self._snapshot.monotonic)
        if condition in (Condition.STALE, Condition.ERROR) and age is not None and age >= 1:
            return Cell(f"last good {age_text(age)} ago", "warn")
        if condition is Condition.QUARANTINE:
            return Cell(GAP * SPARK_CELLS, "faint")
        second = store.spark_second(row, self._snapshot.monotonic)
        return Cell(blocks(store.rings[row], second, SPARK_CELLS), "spark" if ink == "plain" else "faint")

    def _latency(self, store: FleetStore, row: int, condition: Condition) -> Cell:
        if condition in (Condition.STALE, Condition.ERROR) and row in store.failing:
            problem = store.problems.get(row, "")
            return Cell("timeout" if "TIMEOUT" in problem else "no reply", "warn")
        reading: Reading | None = next(
            (cells[row] for cells in store.readings if cells[row] is not None), None
        )
        return Cell(milliseconds_text(None if reading is None else reading.latency_ms), "dim")

    def action_sort_by(self, key: str) -> None:
        """A click on a head sorts by it."""
        self.post_message(self.SortAsked(key))


def _mark(snapshot: Snapshot) -> tuple[object, ...]:
    """What concerns every row: another link, another stop, another cell of the last minute."""
    return snapshot.live, snapshot.silent_for, snapshot.stops, int(snapshot.monotonic) // SECONDS_A_CELL


def state_cell(store: FleetStore, row: int, condition: Condition) -> tuple[str, str]:
    """The state in words with its sign; a stopped device keeps the sign of what else is wrong with it."""
    text, ink = SIGNS.get(condition, (f"● {store.statuses[row].state.value}", "good"))
    if store.is_stopped(row):
        return (f"■ stopped {text[0]}" if ink != "good" else "■ stopped"), "bad"
    return text, ink
