"""Admittance: when the dashboard asks for a login, and how it tells where nobody logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsmilctl.tui.link import LinkState
from dsmilctl.tui.screens.base import Page

if TYPE_CHECKING:
    from dsmilctl.tui.app import DashboardApp
    from dsmilctl.tui.link import Link

HERE = "This context is on this machine: nobody logs in here."


def ask_once(app: DashboardApp) -> None:
    """Ask once for each time that the server did not know who asks, and never over another dialog."""
    link = app.link
    if link is None or link.state is not LinkState.LOGIN or not isinstance(app.screen, Page):
        return
    if link.problem is not app.asked_login_for:
        app.asked_login_for = link.problem
        _open(app, link, link.problem.message if link.problem else "")


def ask_again(app: DashboardApp) -> None:
    """Ask because somebody wants to log in, again or as somebody else."""
    link = app.link
    if link is None or not link.remote:
        app.notify(HERE, markup=False)
    elif isinstance(app.screen, Page):
        _open(app, link)


def _open(app: DashboardApp, link: Link, problem: str = "") -> None:
    from dsmilctl.tui.screens.login import LoginDialog

    user = link.identity.user if link.identity else ""
    target = link.context.target if link.context else ""
    app.push_screen(LoginDialog(app.context_name, target, user, problem))
