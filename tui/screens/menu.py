"""Menu: a list to choose from, narrowed by typing; the palette, the contexts and the operations are menus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.binding import BindingType
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widget import Widget
from textual.widgets import Input

from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.screens.base import Dialog
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.table import Cell, Column, Table

IMPACT_INK = {"write": "warn", "danger": "bad"}


HIGHEST, AROUND = 24, 9
"""Lines of a list at most, and the lines above and below it: border, field, command line, banner, footer."""


class Entry(NamedTuple):
    """One line of a menu: its key, what it is, and the command line that does the same."""

    value: str
    title: str
    key: str = ""
    twin: str = ""
    impact: str = ""


class MenuTable(Table):
    """The entries that match what was typed."""

    HEAD = 0

    def __init__(self, entries: Sequence[Entry], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entries = list(entries)
        self._all = list(entries)

    def narrow(self, letters: str) -> None:
        """Show only what matches, the best first."""
        if letters:
            matcher = Matcher(letters)
            scored = [(matcher.match(f"{entry.title} {entry.key}"), entry) for entry in self._all]
            scored = [pair for pair in scored if pair[0] > 0]
            self.entries = [entry for _, entry in sorted(scored, key=lambda pair: -pair[0])]
        else:
            self.entries = list(self._all)
        self.cursor = 0
        self.rebuild()

    @property
    def entry(self) -> Entry | None:
        """The entry under the cursor."""
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    def columns(self) -> Sequence[Column]:
        """What it does, its key, its impact."""
        return [
            Column("title", "", 20, grows=True),
            Column("key", "", 10, drop=1),
            Column("impact", "", 6, drop=2),
        ]

    def row_count(self) -> int:
        """How many entries match."""
        return len(self.entries)

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one entry."""
        entry = self.entries[index]
        impact = entry.impact if entry.impact in ("read", "write", "danger") else ""
        return [
            Cell(inert(entry.title)),
            Cell(entry.key, "key"),
            Cell(impact, IMPACT_INK.get(impact, "dim")),
        ]


class Menu(Dialog[str]):
    """A menu; the result is the value of the entry that was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Command("escape", "cancel", "close", summary="Close the menu"),
        Command("down,ctrl+n", "move(1)", "down", show=False, priority=True, summary="The next entry"),
        Command("up,ctrl+p", "move(-1)", "up", show=False, priority=True, summary="The entry before"),
        Command("ctrl+y", "copy", "copy command line", summary="Copy the command line of the entry"),
    ]

    def __init__(self, title: str, entries: Sequence[Entry], *, chosen: str = "") -> None:
        super().__init__()
        self._title = title
        self._entries = entries
        self._chosen = chosen

    def body(self) -> Iterable[Widget]:
        """The field, the entries, the command line of the one under the cursor."""
        with Vertical(classes="box menu"):
            yield Input(placeholder=self._title, id="letters", compact=True, classes="field")
            yield MenuTable(self._entries, id="entries")
            yield Line(id="twin")

    def begin(self) -> None:
        """The field has the focus, the arrow keys move in the list."""
        super().begin()
        self.part(Input).focus()
        self.on_resize()
        values = [entry.value for entry in self._entries]
        if self._chosen in values:
            self.part(MenuTable).cursor = values.index(self._chosen)
        self._show_twin()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.part(MenuTable).narrow(event.value.strip())
        self._show_twin()

    @on(Table.Moved)
    def _moved(self) -> None:
        self._show_twin()

    def _show_twin(self) -> None:
        entry = self.part(MenuTable).entry
        line = self.part(Line, "twin")
        if entry is None:
            line.show([Part(" nothing matches: fewer letters find more, esc closes", "dim")])
        elif entry.twin:
            line.show([Part(" $ ", "dim"), Part(inert(entry.twin), "accent")])
        else:
            line.show([Part(" on the screen only", "dim")])

    def on_resize(self) -> None:
        """The list gives way where the screen is low: its field and the command line stay."""
        super().on_resize()
        if self._widgets:
            self.part(MenuTable).styles.max_height = max(1, min(HIGHEST, self.size.height - AROUND))

    def action_move(self, rows: int) -> None:
        """Move in the list while the field has the focus."""
        self.part(MenuTable).action_move(rows)

    def action_copy(self) -> None:
        """Copy the command line."""
        entry = self.part(MenuTable).entry
        if entry is not None and entry.twin:
            self.app.copy_to_clipboard(entry.twin)
            self.notify("Copied")

    @on(Input.Submitted)
    @on(Table.Chosen)
    def _take(self) -> None:
        entry = self.part(MenuTable).entry
        self.dismiss(entry.value if entry else None)
