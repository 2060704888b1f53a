"""Login: the dialog that asks who one is to a server; what was wrong is said in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from dsmilctl.errors import DSMILError
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import LoggedIn, Refusal
from dsmilctl.tui.screens.base import Dialog
from dsmilctl.tui.units import age_text

if TYPE_CHECKING:
    from dsmilctl.client.remote.results import AuthResult

UNDER_WAY = "◐ logging in …"


class LoginDialog(Dialog[bool]):
    """User, password, and the code of an authenticator where the server asks for one.

    Nothing typed here is shown but the user's name; a password is forgotten when it was tried.
    """

    def __init__(self, context: str, target: str, user: str = "", problem: str = "") -> None:
        super().__init__()
        self._place = context
        self._target = target
        self._user = user
        self._problem = problem

    def body(self) -> Iterable[Widget]:
        """Where, the fields, what is wrong, two buttons."""
        with Vertical(classes="box"):
            yield Static(f"Log in to {inert(self._place)}", classes="box-title", markup=False)
            yield Static(inert(self._target), classes="dim", markup=False)
            yield Static("User", classes="field-label", markup=False)
            yield Input(self._user, id="login-user", compact=True, classes="field")
            yield Static("Password", classes="field-label", markup=False)
            yield Input(id="login-password", compact=True, classes="field", password=True)
            with Vertical(id="login-second"):
                yield Static("Code of the authenticator", classes="field-label", markup=False)
                yield Input(id="login-code", compact=True, classes="field", password=True, max_length=16)
            yield Static(inert(self._problem), id="login-problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Log in", id="log-in", compact=True, variant="primary")

    def begin(self) -> None:
        """The focus is where something is missing."""
        super().begin()
        self.part(Input, "login-password" if self._user else "login-user").focus()

    @on(Input.Submitted, "#login-user")
    def _user_entered(self) -> None:
        self.part(Input, "login-password").focus()

    @on(Input.Submitted, "#login-password")
    @on(Input.Submitted, "#login-code")
    @on(Button.Pressed, "#log-in")
    def _asked(self) -> None:
        user, password, code = (
            self.part(Input, f"login-{name}").value for name in ("user", "password", "code")
        )
        if not user.strip() or not password:
            self._say("A user and a password are needed.")
            return
        self._say(UNDER_WAY)
        self.run_worker(self._log_in(user.strip(), password, code.strip()), exclusive=True)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()

    def action_cancel(self) -> None:
        """Close; the dashboard stays, and L asks again."""
        self._forget("password", "code")
        self.dismiss(False)

    async def _log_in(self, user: str, password: str, code: str) -> None:
        link = self.dashboard.link
        if link is None:
            return
        try:
            self.post_message(LoggedIn(await link.log_in(user, password, code)))
        except DSMILError as error:
            self.post_message(Refusal(error))

    @on(LoggedIn)
    def _tried(self, event: LoggedIn) -> None:
        result = event.result
        if result.success:
            self._forget("password", "code")
            self.dismiss(True)
        elif result.requires_mfa:
            second = self.part(Vertical, "login-second")
            again = second.display
            second.display = True
            self._forget("code")
            self.part(Input, "login-code").focus()
            self._say(refusal_text(result) if again else "This account has a second factor.")
        else:
            self._forget("password", "code")
            self.part(Input, "login-password").focus()
            self._say(refusal_text(result))

    @on(Refusal)
    def _failed(self, event: Refusal) -> None:
        self._say(f"{event.error.code}: {inert(event.error.message)}\n{inert(event.error.hint)}".rstrip())

    def _forget(self, *names: str) -> None:
        for name in names:
            self.part(Input, f"login-{name}").value = ""

    def _say(self, text: str) -> None:
        self.part(Static, "login-problem").update(text)


def refusal_text(result: AuthResult) -> str:
    """Why a login was refused, and when it may be tried again."""
    again = f" Again in {age_text(result.retry_after)}." if result.retry_after else ""
    return f"{result.error_code}: {inert(result.error)}.{again}".replace("..", ".")
