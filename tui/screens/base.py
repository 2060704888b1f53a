"""Base: what every screen and every dialog of the dashboard has: header, banner, footer, stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

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


class Page(Screen[None]):
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

    @property
    def dashboard(self) -> DashboardApp:
        """The app."""
        return cast("DashboardApp", self.app)

    def on_mount(self) -> None:
        """Follow the snapshots; a page in the background sleeps."""
        if self.INITIAL is not None:
            self.query_one(self.INITIAL).focus()
        self.watch(self.app, "snapshot", self._snapshot_changed)

    def on_screen_resume(self) -> None:
        """Catch up with what happened in the background."""
        self._snapshot_changed(self.dashboard.snapshot)
        self._show_keys()

    def on_resize(self) -> None:
        """The keys that fit are others."""
        self._show_keys()

    def _show_keys(self) -> None:
        commands = [*own_commands(self), *own_commands(self.app)]
        shown = [command for command in commands if command.show]
        self.query_one(Footer).show_keys(shown, self.app.size.width)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        if not self.is_current:
            return
        self.query_one(Header).watch_snapshot(snapshot)
        self.query_one(Banner).watch_snapshot(snapshot)
        self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Update the body."""

    def places(self) -> Mapping[str, str]:
        """Values for the places of the command lines: device, register, selector, …"""
        return {}


class Dialog(ModalScreen[Result], Generic[Result]):
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

    @property
    def dashboard(self) -> DashboardApp:
        """The app."""
        return cast("DashboardApp", self.app)

    def on_mount(self) -> None:
        """Follow the snapshots."""
        self.watch(self.app, "snapshot", self._snapshot_changed)

    def on_screen_resume(self) -> None:
        """Show the keys."""
        self._show_keys()

    def on_resize(self) -> None:
        """The keys that fit are others."""
        self._show_keys()

    def _show_keys(self) -> None:
        shown = [command for command in own_commands(self) if command.show]
        self.query_one(Footer).show_keys(shown, self.app.size.width)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        self.query_one(Banner).watch_snapshot(snapshot)

    def action_cancel(self) -> None:
        """Close without a result."""
        self.dismiss(None)


def own_commands(owner: object) -> list[Command]:
    """The commands that a screen, a widget or the app (or its class) declares, those without a key last."""
    kind = owner if isinstance(owner, type) else type(owner)
    declared = kind.__dict__.get("BINDINGS", ())
    return [*(item for item in declared if isinstance(item, Command)), *getattr(kind, "EXTRA", ())]
