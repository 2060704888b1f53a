"""Palette: the menu of every command, and the menu of contexts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from dsmilctl.errors import ConfigError
from dsmilctl.tui.command import Command, twin_of
from dsmilctl.tui.screens.base import own_commands
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.widgets.footer import key_name

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from dsmilctl.tui.app import DashboardApp


def open_commands(app: DashboardApp) -> None:
    """Every command of the page and of the app, each with the command line that does the same."""
    from dsmilctl.tui.screens.menu import Entry, Menu

    page, places = app.page, app.places()
    commands: list[tuple[Command, DOMNode]] = [(command, page) for command in own_commands(page)]
    commands += [(command, app) for command in own_commands(app)]
    entries = [
        Entry(
            value=str(number),
            title=command.summary,
            key=key_name(command.key) if command.key else "",
            twin=twin_of(command, places),
            impact=command.impact,
        )
        for number, (command, _) in enumerate(commands)
    ]

    async def run(chosen: str | None) -> None:
        if chosen is not None:
            command, owner = commands[int(chosen)]
            await app.run_action(command.action, owner)

    app.push_screen(Menu("What do you want to do?", entries), run)


def open_contexts(app: DashboardApp) -> None:
    """The contexts that the dashboard was told of; choosing one opens it here."""
    from dsmilctl.tui.screens.menu import Entry, Menu

    names = dict.fromkeys((*(app.contexts or known_contexts()), app.context_name))
    entries = [Entry(name, name, twin=f"dsmilctl context use {shlex.quote(name)}") for name in names]

    def switch(chosen: str | None) -> None:
        if chosen is not None and chosen != app.context_name:
            while not isinstance(app.screen, FleetPage):
                app.pop_screen()
            app.open_context(chosen)

    app.push_screen(Menu("Which context?", entries, chosen=app.context_name), switch)


def known_contexts() -> list[str]:
    """Every configured context; none where the configuration cannot be read."""
    from dsmilctl.config.contexts import contexts

    try:
        return [context.name for context in contexts()]
    except ConfigError:
        return []
