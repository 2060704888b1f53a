"""Registers: every register of one device with its value, limits and access."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.model.device import Device
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.tui.inert import inert
from dsmilctl.tui.widgets.table import Cell, Column, Table

ACCESS = {"ro": "read", "rw": "read, write", "wo": "write"}


class RegisterTable(Table):
    """The registers of the device on the screen."""

    def __init__(self, device: Device, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.device = device
        self.readings: dict[str, Reading] = {}

    def take(self, batch: Batch) -> None:
        """Show what was read."""
        for reading in batch.readings:
            self.readings[reading.register] = reading
        self.repaint_changed()

    @property
    def register(self) -> Register | None:
        """The register under the cursor."""
        registers = self.device.registers
        return registers[self.cursor] if self.cursor < len(registers) else None

    def columns(self) -> Sequence[Column]:
        """Register, value, limits, alarm limits, access, description."""
        longest = max((len(register.name) for register in self.device.registers), default=8)
        return [
            Column("register", "REGISTER", max(8, min(longest, 20))),
            Column("value", "VALUE", 16, right=True),
            Column("quality", "", 8),
            Column("range", "MAY BE", 16, drop=2),
            Column("alarm", "ALARM BEYOND", 16, drop=3),
            Column("access", "ACCESS", 11, drop=1),
            Column("address", "ADDRESS", 8, right=True, drop=5),
            Column("description", "", 10, grows=True, drop=4),
        ]

    def row_count(self) -> int:
        """How many registers the device has."""
        return len(self.device.registers)

    def nothing(self) -> str:
        """A device may have operations only."""
        return "This device has no registers: o lists what can be done with it."

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one register."""
        register = self.device.registers[index]
        value, quality = self._value_cells(register)
        return [
            Cell(inert(register.name), "strong" if register.writable else "plain"),
            value,
            quality,
            Cell(_limits(register, register.minimum, register.maximum), "dim"),
            Cell(_limits(register, register.low, register.high), "dim"),
            Cell(ACCESS.get(register.access, register.access), "plain" if register.writable else "dim"),
            Cell(f"0x{register.address:04X}", "dim"),
            Cell(inert(register.description), "dim"),
        ]

    def _value_cells(self, register: Register) -> tuple[Cell, Cell]:
        reading = self.readings.get(register.name)
        if not register.readable:
            return Cell("·", "dim"), Cell("unread", "dim")
        if reading is None:
            return Cell("·", "dim"), Cell("", "dim")
        if reading.value is None:
            return Cell("·", "dim"), Cell(inert(reading.error_code or reading.error), "warn")
        text = inert(register.format(reading.value))
        if reading.quality is not Quality.GOOD:
            return Cell(text, "dim"), Cell(f"? {reading.quality.value}", "warn")
        beyond = _beyond(register, reading)
        return Cell(text, "warn" if beyond else "plain"), Cell(beyond, "warn")


def _limits(register: Register, low: float | None, high: float | None) -> str:
    if register.choices and (low, high) == (register.minimum, register.maximum):
        return inert(" ".join(str(choice) for choice in register.choices))
    if low is None and high is None:
        return ""
    if high is None:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if low is None else f"{low:g} … {high:g}"


def _beyond(register: Register, reading: Reading) -> str:
    if isinstance(reading.value, str | bool) or reading.value is None:
        return ""
    if register.high is not None and reading.value > register.high:
        return "! high"
    if register.low is not None and reading.value < register.low:
        return "! low"
    return ""
