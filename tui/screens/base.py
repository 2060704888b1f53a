"""Base: what every screen and every dialog of the dashboard has: header, banner, footer, stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from dsmilctl.tui.command import Command
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.banner import Banner
from dsmilctl.tui.widgets.footer import Footer
from dsmilctl.tui.widgets.header import Header

if TYPE_CHECKING:
    from dsmilctl.tui.app import DashboardApp

Result = TypeVar("Result")
Part = TypeVar("Part", bound=Widget)


class Parts(Screen[Result], Generic[Result]):
    """A screen whose widgets can be asked for by kind and name as long as anybody knows the screen.

    What a worker brings may arrive while the screen is being taken down and its widgets have left the tree;
    it then changes a widget that nobody sees, instead of failing.
    """

    def __init__(self, *names: Any, **options: Any) -> None:
        super().__init__(*names, **options)
        self._widgets: tuple[Widget, ...] = ()

    def on_mount(self) -> None:
        """Begin; a screen that is opened while the app ends has no widgets and does nothing."""
        self._widgets = tuple(node for node in self.walk_children() if isinstance(node, Widget))
        if self._widgets:
            self.begin()

    def begin(self) -> None:
        """Follow the snapshots.  Called once, when the widgets are there."""
        self.watch(self.app, "snapshot", self._snapshot_changed)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def part(self, kind: type[Part], name: str = "") -> Part:
        """The widget of this kind, and of this name where there are several."""
        for widget in self._widgets:
            if isinstance(widget, kind) and (not name or widget.id == name):
                return widget
        raise LookupError(f"{self} has no {kind.__name__} {name}")

    @property
    def dashboard(self) -> DashboardApp:
        """The app."""
        return cast("DashboardApp", self.app)


class Page(Parts[None]):
    """A full screen: header, body, banner, footer.  `EXTRA` are commands without a key."""

    NAME: ClassVar[str] = ""
    EXTRA: ClassVar[tuple[Command, ...]] = ()
    INITIAL: ClassVar[str | None] = None

    def compose(self) -> ComposeResult:
        """Header, body, banner, footer."""
        yield Header(id="header")
        yield from self.body()
        yield Banner(id="banner")
        yield Footer(id="footer")

    def body(self) -> Iterable[Widget]:
        """What is between header and banner."""
        raise NotImplementedError

    def begin(self) -> None:
        """Put the focus where it begins; a page in the background sleeps."""
        super().begin()
        if self.INITIAL is not None:
            self.part(Widget, self.INITIAL).focus()

    def on_screen_resume(self) -> None:
        """Catch up with what happened in the background."""
        if self._widgets:
            self._snapshot_changed(self.dashboard.snapshot)
            self._show_keys()

    def on_resize(self) -> None:
        """The keys that fit are others."""
        if self._widgets:
            self._show_keys()

    def _show_keys(self) -> None:
        keys = [(command, f"screen.{command.action}") for command in own_commands(self)]
        elsewhere = (
            command for command in own_commands(self.app) if command.pinned or command.action != self.NAME
        )
        keys += [(command, f"app.{command.action}") for command in elsewhere]
        self.part(Footer).show_keys(keys, self.app.size.width)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        if not self.is_current:
            return
        self.part(Header).watch_snapshot(snapshot)
        self.part(Banner).watch_snapshot(snapshot)
        self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Update the body."""

    def places(self) -> Mapping[str, str]:
        """Values for the places of the command lines: device, register, selector, …"""
        return {}


class Dialog(ModalScreen[Result], Parts[Result], Generic[Result]):
    """A dialog: its own box, and below it the banner and the footer with the stop."""

    EXTRA: ClassVar[tuple[Command, ...]] = ()
    BINDINGS: ClassVar = [
        Command("escape", "cancel", "cancel", summary="Close the dialog and change nothing"),
    ]

    def compose(self) -> ComposeResult:
        """The box, banner, footer."""
        yield from self.body()
        yield Banner(id="banner")
        yield Footer(id="footer")

    def body(self) -> Iterable[Widget]:
        """The box."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """Show the keys."""
        self.on_resize()

    def on_resize(self) -> None:
        """The keys that fit are others."""
        if self._widgets:
            self._show_keys()

    def _show_keys(self) -> None:
        keys = [(command, f"screen.{command.action}") for command in own_commands(self)]
        self.part(Footer).show_keys(keys, self.app.size.width)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        self.part(Banner).watch_snapshot(snapshot)

    def action_cancel(self) -> None:
        """Close without a result."""
        self.dismiss(None)


def own_commands(owner: object) -> list[Command]:
    """The commands that a screen, a widget or the app (or its class) declares, those without a key last.

    A dialog has those of every dialog as well, unless it declares the key itself.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    found: dict[str, Command] = {}
    for ancestor in kind.__mro__:
        if ancestor is Dialog or ancestor is kind:
            declared = ancestor.__dict__.get("BINDINGS", ())
            commands = [item for item in declared if isinstance(item, Command)]
            found = {**{command.key: command for command in commands}, **found}
    return [*found.values(), *getattr(kind, "EXTRA", ())]
