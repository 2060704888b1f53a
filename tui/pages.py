"""Pages: which screens there are, by name, for the help and for going there."""

from __future__ import annotations

from dsmilctl.tui.screens.approvals import ApprovalsPage
from dsmilctl.tui.screens.backups import BackupsPage
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.device import DevicePage
from dsmilctl.tui.screens.emergency import EmergencyPage
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.screens.help import HelpPage
from dsmilctl.tui.screens.journal import JournalPage
from dsmilctl.tui.screens.login import LoginDialog
from dsmilctl.tui.screens.menu import Menu
from dsmilctl.tui.screens.recording import RecordingPage
from dsmilctl.tui.screens.recordings import RecordingsPage
from dsmilctl.tui.screens.replay import ReplayPage
from dsmilctl.tui.screens.sessions import SessionsPage
from dsmilctl.tui.widgets.table import Table

OWNERS: dict[str, type] = {
    "fleet": FleetPage,
    "device": DevicePage,
    "journal": JournalPage,
    "emergency": EmergencyPage,
    "approvals": ApprovalsPage,
    "sessions": SessionsPage,
    "recordings": RecordingsPage,
    "recording": RecordingPage,
    "replay": ReplayPage,
    "backups": BackupsPage,
    "tables": Table,
    "write dialog": ChangeDialog,
    "login": LoginDialog,
    "menus": Menu,
}
"""Who binds keys, in the order of the help; the app's own keys come before them."""


def page_of(name: str, app: object) -> Page:
    """A page that lies beside the fleet, by its name."""
    if name == HelpPage.NAME:
        return HelpPage({"everywhere": type(app), **OWNERS})
    sides: dict[str, type[Page]] = {
        page.NAME: page
        for page in (JournalPage, EmergencyPage, ApprovalsPage, SessionsPage, RecordingsPage, BackupsPage)
    }
    return sides[name]()
