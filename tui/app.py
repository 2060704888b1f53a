"""App: one window on one context at a time; it owns the link, the stop, the arming and the snapshot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from rich.console import RenderableType
from textual import on
from textual.app import App
from textual.binding import BindingType
from textual.reactive import reactive
from textual.screen import Screen

from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, Clock, rfc3339
from dsmilctl.errors import DSMILError, NetworkError, UsageError
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device
from dsmilctl.tui import admittance, operations, palette
from dsmilctl.tui.arming import Arming
from dsmilctl.tui.command import Command, twin_of
from dsmilctl.tui.inert import inert
from dsmilctl.tui.keys import EVERYWHERE, PAGE_TWINS
from dsmilctl.tui.link import Link, LinkState
from dsmilctl.tui.messages import StatesRead, StopMoved, Ticked
from dsmilctl.tui.meter import Meter
from dsmilctl.tui.pen import sparing
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.stop import Phase, Stopper, StopProgress
from dsmilctl.tui.store import FleetStore
from dsmilctl.tui.terminal import Terminal
from dsmilctl.tui.theme import THEMES
from dsmilctl.tui.widgets.banner import end_text

T = TypeVar("T")
TICK, SLOW_TICK = 1.0, 5.0
LOAD_AFTER = 1.0
"""Seconds until the pages that are not on the screen are loaded, so that none of them keeps a key waiting."""

SILENT_AFTER = 3.0
"""Ticks without a batch after which everything on the screen counts as stale."""


def load_pages() -> None:
    """Load every page."""
    import_module("dsmilctl.tui.pages")


SIDE_PAGES = ("journal", "emergency", "approvals", "sessions", "recordings", "backups", "help")
"""Pages that lie beside each other: going from one to another leaves the first."""

READ_ONLY_TEXT = "This session is read-only: start the dashboard without --read-only to change anything."
UNARMED_TEXT = "Writes are off: press a to arm them for a minute, then try again."


class DashboardApp(App[int]):
    """The dashboard."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "dsmilctl"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]

    snapshot: reactive[Snapshot] = reactive(Snapshot(), init=False, repaint=False)
    """What the widgets show."""

    def __init__(
        self,
        open_client: Callable[[str], Client],
        context: str,
        *,
        contexts: Sequence[str] = (),
        read_only: bool = False,
        low_bandwidth: bool = False,
        clock: Clock = SYSTEM,
        refresh: float = TICK,
        theme: str = "dark",
        arm_seconds: float = 60.0,
    ) -> None:
        if not context:
            # Without a name the stop key would mean whichever context is in force when it is pressed.
            raise UsageError("the dashboard needs the name of a context", hint="dsmilctl context list")
        super().__init__(driver_class=Terminal)
        self.animation_level = "none"
        self.open_client = open_client
        self.context_name = context
        self.contexts = tuple(contexts)
        self.read_only = read_only
        self.low_bandwidth = low_bandwidth
        self.clock = clock
        self.arming = Arming(clock, arm_seconds)
        self.meter = Meter(clock)
        self.tick = max(refresh, SLOW_TICK) if low_bandwidth else refresh
        self.link: Link | None = None
        self.stopper = Stopper(open_client, self._stop_moved, clock)
        self.progress: StopProgress | None = None
        self._ticked_at = 0.0
        self.asked_login_for: DSMILError | None = None
        for item in THEMES:
            self.register_theme(item)
        self.theme = theme

    def _stop_moved(self, progress: StopProgress) -> None:
        here = progress.context == self.context_name
        if here and progress.stop is not None and self.link is not None:
            self.link.note_stop(progress.stop)
        self.post_message(StopMoved(progress))

    def leave(self, status: int) -> None:
        """End with this exit status; may be called from any thread and from a signal handler."""
        loop = self._loop
        if loop is None:
            raise SystemExit(status)
        loop.call_soon_threadsafe(self.exit, status, status)

    def paint_again(self) -> None:
        """Paint the whole screen; may be called from a signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self.refresh(layout=True))

    @property
    def failure(self) -> BaseException | None:
        """The fault that ended the dashboard, if one did."""
        return self._exception

    def _fatal_error(self) -> None:
        """End without the framework's traceback, which shows every local variable: the caller reports."""
        self._close_messages_no_wait()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write what changed, in fewer bytes than the framework would."""
        super()._display(screen, cast("RenderableType | None", sparing(renderable)))

    @property
    def store(self) -> FleetStore | None:
        """What is known of the fleet, once it is open."""
        return self.link.store if self.link else None

    def get_default_screen(self) -> FleetPage:
        """The fleet is what everything else lies on."""
        return FleetPage(sparks=not self.low_bandwidth)

    def on_mount(self) -> None:
        """Show the empty screen first; then open the context, begin to tick, and load what comes next."""
        self.call_after_refresh(self.open_context, self.context_name)
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.set_interval(self.tick, self._time_went_by)
        self.set_timer(LOAD_AFTER, self._load_the_rest)

    def _load_the_rest(self) -> None:
        self.run_worker(load_pages, thread=True, group="loading", exit_on_error=False)

    def on_unmount(self) -> None:
        """Let the context go."""
        if self.link is not None:
            self.link.close()

    def open_context(self, name: str) -> None:
        """Leave the context that is open and open another one."""
        if self.link is not None:
            old = self.link
            self.run_worker(old.close, thread=True, group="closing", exit_on_error=False)
        self.context_name = name
        self.arming.disarm()
        self.progress = None
        self.link = Link(lambda: self.open_client(name), self._tell, self.clock, interval=self.tick)
        self.link.start()
        self.post_message(Ticked())

    def _tell(self) -> None:
        self.post_message(Ticked())

    def _time_went_by(self) -> None:
        if self.clock.monotonic() - self._ticked_at >= 0.75 * self.tick:
            self.post_message(Ticked())

    @on(Ticked)
    def _take_snapshot(self) -> None:
        now = self.clock.monotonic()
        self._ticked_at = now
        link, store = self.link, self.store
        driver = self._driver
        self.meter.note(driver.written if isinstance(driver, Terminal) else 0)
        context = link.context if link else None
        remote = context is not None and context.kind == "remote"
        silent = 0.0
        if store is not None and store.reached_at is not None:
            silent = now - store.reached_at
        self.snapshot = Snapshot(
            number=self.snapshot.number + 1,
            now=self.clock.now(),
            monotonic=now,
            context=self.context_name,
            user=link.identity.user if remote and link and link.identity else "",
            target=context.target if remote and context else "",
            read_only=self.is_read_only,
            link=link.state if link else LinkState.CONNECTING,
            problem=str(link.problem or "") if link else "",
            retry_in=max(0.0, link.retry_at - now) if link else 0.0,
            silent_for=silent if silent > SILENT_AFTER * self.tick else 0.0,
            armed_for=self.arming.left,
            bytes_per_second=self.meter.rate,
            stop=self.progress,
            **(store.counts() if store else {}),
        )
        admittance.ask_once(self)

    def action_log_in(self) -> None:
        """Log in again, or as somebody else."""
        admittance.ask_again(self)

    @property
    def is_read_only(self) -> bool:
        """Whether the client was opened read-only, or the context is."""
        context = self.link.context if self.link else None
        return self.read_only or (context is not None and context.read_only)

    async def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Put a question to the client, in its own thread."""
        if self.link is None:
            raise NetworkError("no context is open")
        return await self.link.ask(question)

    def pull_stop(self) -> None:
        """Stop everything.  Called from any thread; waits for nothing."""
        self.stopper.pull(self.context_name)

    def action_stop_everything(self) -> None:
        """The stop key, where the driver did not see it first, or a click on the footer."""
        self.pull_stop()

    @on(StopMoved)
    def _show_stop(self, event: StopMoved) -> None:
        if event.progress.context != self.context_name:
            if event.progress.phase in (Phase.ENDED, Phase.BROKEN):
                self.notify(end_text(event.progress), severity="error", timeout=60, markup=False)
            return
        begins = self.progress is None or self.progress.number != event.progress.number
        self.progress = event.progress
        self._take_snapshot()
        if begins:
            self.action_emergency()

    def action_interrupt(self) -> None:
        """Copy what is selected, else quit as after SIGINT."""
        selected = self.screen.get_selected_text()
        if selected:
            self.copy_to_clipboard(selected)
        else:
            self.exit(130, 130)

    def action_back_or_quit(self) -> None:
        """Back to the fleet; from there, quit."""
        if isinstance(self.screen, FleetPage):
            self.exit(0)
        else:
            self.pop_screen()

    def action_arm(self) -> None:
        """Arm writes, or say why not."""
        if self.is_read_only:
            self.notify(
                "This session is read-only: start the dashboard without --read-only", severity="warning"
            )
            return
        self.arming.arm()
        self._take_snapshot()

    def action_disarm(self) -> None:
        """Writes off."""
        self.arming.disarm()
        self._take_snapshot()

    def action_reconnect(self) -> None:
        """Open again without waiting for the countdown."""
        if self.link is not None:
            self.link.try_now()

    def action_next_theme(self) -> None:
        """Dark, light, ANSI, and round again."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    @property
    def page(self) -> Page:
        """The page on top, below any dialog."""
        pages = [screen for screen in self.screen_stack if isinstance(screen, Page)]
        return pages[-1]

    def open_device(self, device: Device) -> None:
        """The screen of one device."""
        from dsmilctl.tui.screens.device import DevicePage

        self.push_screen(DevicePage(device))

    def action_journal(self) -> None:
        """The screen of the journal."""
        self._go("journal")

    def action_emergency(self) -> None:
        """The screen of the emergency stops."""
        self._go("emergency")

    def action_approvals(self) -> None:
        """The screen of the approvals."""
        self._go("approvals")

    def action_sessions(self) -> None:
        """The screen of the sessions."""
        self._go("sessions")

    def action_recordings(self) -> None:
        """The screen of the recordings."""
        self._go("recordings")

    def action_backups(self) -> None:
        """The screen of the backups."""
        self._go("backups")

    def action_help(self) -> None:
        """The screen of the help."""
        self._go("help")

    def _go(self, name: str) -> None:
        from dsmilctl.tui.pages import page_of

        here = self.screen
        if isinstance(here, Page) and name == here.NAME:
            return
        if isinstance(here, Page) and here.NAME in SIDE_PAGES:
            self.switch_screen(page_of(name, self))
        else:
            self.push_screen(page_of(name, self))

    def show_record(self, record: AuditRecord) -> None:
        """One record of the journal, whole."""
        from dsmilctl.tui.screens.record import RecordDialog

        self.push_screen(RecordDialog(record))

    def places(self) -> dict[str, str]:
        """Values for the places of the command lines, here and now."""
        return {"context": self.context_name, **self.page.places()}

    def action_copy_twin(self) -> None:
        """Copy the command line that shows the same as this page."""
        twin = twin_of(Command("y", "", twin=PAGE_TWINS[self.page.NAME]), self.places())
        self.copy_to_clipboard(twin)
        self.notify(f"Copied: {inert(twin)}", markup=False)

    def action_commands(self) -> None:
        """The palette: every command of this page and of the app."""
        palette.open_commands(self)

    def action_contexts(self) -> None:
        """Switch to another context."""
        palette.open_contexts(self)

    def may_write(self) -> bool:
        """Whether writes are armed; says what to do where they are not."""
        if self.is_read_only:
            self.notify(READ_ONLY_TEXT, severity="warning")
        elif not self.arming.left:
            self.notify(UNARMED_TEXT, severity="warning")
        else:
            return True
        return False

    def write(self, device: Device, register: str = "") -> None:
        """The write dialog, when writes are armed."""
        operations.write(self, device, register)

    def operate(self, devices: Sequence[Device]) -> None:
        """The menu of lifecycle verbs and operations."""
        operations.open_menu(self, devices)

    def carry_out(self, name: str, devices: Sequence[Device]) -> None:
        """Begin an operation."""
        operations.carry_out(self, name, devices)

    @on(StatesRead)
    def _show_states(self, event: StatesRead) -> None:
        self.notify(inert(operations.states_text(event.statuses)), markup=False)

    def action_screenshot_here(self) -> None:
        """Save a picture of the screen in the current folder."""
        name = f"dsmilctl-{self.context_name}-{rfc3339(self.clock.now())[:19].replace(':', '')}Z.svg"
        try:
            path = self.save_screenshot(name, str(Path.cwd()))
        except OSError as error:
            self.notify(f"No picture: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved {path}", markup=False)
