"""Confirm: a question with the focus on Cancel."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

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
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._verb, id="go", compact=True, variant="error")

    def begin(self) -> None:
        """The focus is on Cancel."""
        super().begin()
        self.part(Button, "cancel").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")
