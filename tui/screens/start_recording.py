"""Start recording: the dialog that asks what is recorded, and under which name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.selector import parse_selector
from dsmilctl.times import duration
from dsmilctl.tui.inert import inert
from dsmilctl.tui.screens.base import Dialog

FIELDS = {"name": "Name", "devices": "Devices (nothing: all)", "registers": "Registers, such as TEMP,VOLTAGE"}


class Wish(NamedTuple):
    """What is to be recorded."""

    name: str
    devices: str
    registers: str
    interval: str

    @property
    def options(self) -> list[str]:
        """The same as the line of `record start`."""
        registers = self.registers.replace(",", " ").split()
        return [self.devices or "@all", *registers, f"--name={self.name}", f"--interval={self.interval}"]


class StartDialog(Dialog[Wish]):
    """A name, the devices, the registers, and from one reading to the next."""

    def __init__(self, context: str, devices: str = "") -> None:
        super().__init__()
        self._place = context
        self._devices = devices

    def body(self) -> Iterable[Widget]:
        """The fields, what is wrong, two buttons."""
        values = {"devices": self._devices}
        with Vertical(classes="box"):
            yield Static(f"Record {inert(self._place)}", classes="box-title", markup=False)
            for name, label in FIELDS.items():
                yield Static(label, classes="field-label", markup=False)
                yield Input(values.get(name, ""), id=f"start-{name}", compact=True, classes="field")
            yield Static("From one reading to the next", classes="field-label", markup=False)
            yield Input("1s", id="start-interval", compact=True, classes="field")
            yield Static("", id="start-problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Record", id="start", compact=True, variant="primary")

    def begin(self) -> None:
        """The focus is on the name."""
        super().begin()
        self.part(Input, "start-name").focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def _asked(self) -> None:
        wish = Wish(*(self.part(Input, f"start-{name}").value.strip() for name in Wish._fields))
        try:
            check(wish)
        except InvalidParameter as error:
            self.part(Static, "start-problem").update(f"{inert(error.message)}. {inert(error.hint)}".strip())
            return
        self.dismiss(wish)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()


def check(wish: Wish) -> None:
    """Raise InvalidParameter for what cannot be recorded whatever the devices are."""
    if not wish.name:
        raise InvalidParameter("a recording needs a name", hint="such as night-shift")
    if wish.devices:
        parse_selector(wish.devices)
    if duration(wish.interval or "1s") <= 0:
        raise InvalidParameter("readings need time between them", hint="1s or 100ms")
