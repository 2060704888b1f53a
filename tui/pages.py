"""Pages: which screens there are, by name, for the help and for going there."""

from __future__ import annotations

from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.device import DevicePage
from dsmilctl.tui.screens.emergency import EmergencyPage
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.screens.journal import JournalPage
from dsmilctl.tui.screens.menu import Menu
from dsmilctl.tui.widgets.table import Table

OWNERS: dict[str, type] = {
    "fleet": FleetPage,
    "device": DevicePage,
    "journal": JournalPage,
    "emergency": EmergencyPage,
    "tables": Table,
    "write dialog": ChangeDialog,
    "menus": Menu,
}
"""Who binds keys, in the order of the help; the app's own keys come before them."""
