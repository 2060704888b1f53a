"""Confirm: a question with the focus on Cancel, and one whose yes counts only while writes are armed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from dsmilctl.tui.arming import UNARMED_AGAIN
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.screens.base import Dialog


class ConfirmDialog(Dialog[bool]):
    """True when somebody went to the other button and pressed it."""

    def __init__(self, title: str, text: str, verb: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._verb = verb

    def body(self) -> Iterable[Widget]:
        """The question and two buttons."""
        with Vertical(classes="box"):
            yield Static(inert(self._title), classes="box-title", markup=False)
            yield Static(inert(self._text), classes="dim", markup=False)
            yield from self.remarks()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._verb, id="go", compact=True, variant="error")

    def remarks(self) -> Iterable[Widget]:
        """What comes between the question and the buttons."""
        return ()

    def begin(self) -> None:
        """The focus is on Cancel."""
        super().begin()
        self.part(Button, "cancel").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "go":
            self.confirmed()
        else:
            self.dismiss(False)

    def confirmed(self) -> None:
        """Somebody said yes."""
        self.dismiss(True)


class ArmedDialog(ConfirmDialog):
    """A question about a change: true only when writes are armed at the moment of the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Command("a", "arm", "arm", show=False, summary="Arm writes again"),
    ]

    def remarks(self) -> Iterable[Widget]:
        """A line for what stands in the way."""
        line = Static("", id="problem", classes="problem", markup=False)
        line.display = False
        yield line

    def confirmed(self) -> None:
        """Let the change be made, or say how to arm again."""
        if self.dashboard.arming.left:
            self.dismiss(True)
            return
        self._say(UNARMED_AGAIN)
        self.part(Button, "cancel").focus()

    def action_arm(self) -> None:
        """Arm again, from within the dialog."""
        self.dashboard.action_arm()
        self._say("")

    def _say(self, text: str) -> None:
        line = self.part(Static, "problem")
        line.update(text)
        line.display = bool(text)
