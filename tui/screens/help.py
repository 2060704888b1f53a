"""Help: every key of every screen, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.tui.command import Command, twin_of
from dsmilctl.tui.screens.base import Page, own_commands
from dsmilctl.tui.widgets.footer import key_name
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.table import Cell, Column, Table


class Help(NamedTuple):
    """One line of the help; a heading has no summary."""

    keys: str
    summary: str
    twin: str
    impact: str


class HelpTable(Table):
    """Keys, what they do, and the command line that does the same."""

    def __init__(self, lines: Sequence[Help], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines = lines

    def columns(self) -> Sequence[Column]:
        """Key, what it does, command line."""
        return [
            Column("key", "KEY", 14),
            Column("summary", "DOES", 57),
            Column("twin", "THE SAME IN A SHELL", 20, grows=True, drop=1),
        ]

    def row_count(self) -> int:
        """How many lines."""
        return len(self.lines)

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one line."""
        line = self.lines[index]
        if not line.summary:
            return [Cell(line.keys, "strong"), Cell(""), Cell("")]
        ink = "bad" if line.impact == "danger" else "plain"
        return [Cell(line.keys, "key"), Cell(line.summary, ink), Cell(line.twin, "dim")]


class HelpPage(Page):
    """The screen of the help."""

    NAME = "help"
    INITIAL = "help"
    BINDINGS: ClassVar[list[BindingType]] = [Command("escape", "leave", "back", summary="Back")]

    def __init__(self, owners: Mapping[str, object]) -> None:
        super().__init__()
        self._lines = help_lines(owners)

    def body(self) -> Iterable[Widget]:
        """One sentence, then the table."""
        yield Line(id="help-what")
        yield HelpTable(self._lines, id="help")

    def begin(self) -> None:
        """Say what this is."""
        super().begin()
        text = " The palette (:) shows each command line with the device under the cursor."
        self.part(Line, "help-what").show([Part(text, "dim")])

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()


def help_lines(owners: Mapping[str, object]) -> list[Help]:
    """The lines for these owners of bindings, each under its heading."""
    lines: list[Help] = []
    for heading, owner in owners.items():
        lines.append(Help(heading.upper(), "", "", ""))
        lines += [
            Help(keys_text(command), command.summary, twin_of(command, {}), command.impact)
            for command in own_commands(owner)
        ]
    return lines


def keys_text(command: Command) -> str:
    """All keys of a command."""
    return " ".join(key_name(key) for key in command.key.split(",") if key)
