"""Change: the dialog for one guarded change: what, why, a dry run that shows old → new, then the question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from dsmilctl.errors import ApprovalRequired, DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.operation import Operation, OperationType, Request
from dsmilctl.model.register import Register, find_register
from dsmilctl.tui import consents
from dsmilctl.tui.arming import UNARMED_AGAIN
from dsmilctl.tui.checks import checks_text
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Asked, Done, Planned, Refusal
from dsmilctl.tui.screens.base import Dialog

ORIGIN = "dashboard"


class ChangeDialog(Dialog[bool]):
    """One change of one device.  Every edit makes a new dry run necessary; the focus then is on Cancel."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Command("escape", "cancel", "cancel", summary="Close the dialog and change nothing"),
        Command("a", "arm", "arm", summary="Arm writes again"),
    ]

    def __init__(self, device: Device, type: OperationType, register: str = "") -> None:
        super().__init__()
        self._device = device
        self._type = type
        self._register = register or next((item.name for item in device.registers if item.writable), "")
        self._verb = type.value.capitalize()
        self._planned: Request | None = None

    def body(self) -> Iterable[Widget]:
        """The fields, the plan, the buttons."""
        with Vertical(classes="box"):
            title = (
                f"{self._type.value.capitalize()} {inert(self._device.shown_id)} {inert(self._device.name)}"
            )
            yield Static(title, classes="box-title", markup=False)
            if self._type is OperationType.WRITE:
                yield from self._value_fields()
            yield Static("Why, for the journal", classes="field-label", markup=False)
            yield Input(id="why", compact=True, classes="field")
            yield Static("", id="plan", classes="plan", markup=False)
            yield Static("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Ask a second person", id="ask-second", compact=True, classes="hidden")
                yield Button("Dry run", id="plan-button", compact=True, variant="primary")
                yield Button(
                    self._type.value.capitalize(), id="go", compact=True, variant="error", disabled=True
                )

    def _value_fields(self) -> Iterable[Widget]:
        names = [item.name for item in self._device.registers if item.writable]
        yield Static("Register", classes="field-label", markup=False)
        suggester = SuggestFromList(names, case_sensitive=False)
        yield Input(self._register, id="register", compact=True, classes="field", suggester=suggester)
        yield Static(self._range_text(), id="range", classes="field-label", markup=False)
        yield Input(id="value", compact=True, classes="field")

    def begin(self) -> None:
        """Begin with the value, or with the reason where there is no value."""
        super().begin()
        self.part(Input, "value" if self._type is OperationType.WRITE else "why").focus()

    def _range_text(self) -> str:
        register = self._known_register()
        if register is None:
            return "Value"
        low = "" if register.minimum is None else f"{register.minimum:g}"
        high = "" if register.maximum is None else f"{register.maximum:g}"
        limits = f", {low} … {high}" if low or high else ""
        return inert(f"Value ({register.type}{limits}{' ' + register.unit if register.unit else ''})")

    def _known_register(self) -> Register | None:
        try:
            return find_register(self._device.registers, self._register)
        except DSMILError:
            return None

    @on(Input.Changed)
    def _edited(self, event: Input.Changed) -> None:
        if event.input.id == "register":
            self._register = event.value.strip()
            self.part(Static, "range").update(self._range_text())
        self._planned = None
        self.part(Button, "go").disabled = True
        self.part(Button, "ask-second").add_class("hidden")
        self.part(Static, "plan").update("")
        self.part(Static, "problem").update("")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        following = {"register": "value", "value": "why"}.get(event.input.id or "")
        if following:
            self.part(Input, following).focus()
        else:
            self._plan()

    @on(Button.Pressed, "#plan-button")
    def _plan(self) -> None:
        try:
            request = self._request()
        except DSMILError as error:
            self._say(error)
            return
        self.run_worker(self._dry_run(request), exclusive=True, exit_on_error=False)

    def _request(self) -> Request:
        why = self.part(Input, "why").value.strip()
        request = Request(
            device_id=self._device.device_id, type=self._type, justification=why, dry_run=True, origin=ORIGIN
        )
        if self._type is not OperationType.WRITE:
            return request
        register = find_register(self._device.registers, self._register)
        value = register.parse(self.part(Input, "value").value.strip())
        return msgspec.structs.replace(request, register=register.name, value=value)

    async def _dry_run(self, request: Request) -> None:
        try:
            operation = await self.dashboard.ask(lambda client: client.change(request))
        except ApprovalRequired as error:
            if request.approval or not (given := await self._consent(request)):
                self.post_message(Refusal(error))
            else:
                await self._dry_run(msgspec.structs.replace(request, approval=given))
            return
        except DSMILError as error:
            self.post_message(Refusal(error))
            return
        self._planned = self._bound(request, operation)
        self.post_message(Planned(operation))

    async def _consent(self, request: Request) -> str:
        """The approval that a second person gave to exactly this, if any."""
        user = self.dashboard.snapshot.user
        return await self.dashboard.ask(lambda client: consents.approved(client, request, user))

    @on(Button.Pressed, "#ask-second")
    def _ask_second(self) -> None:
        try:
            request = self._request()
        except DSMILError as error:
            self._say(error)
            return
        self.run_worker(self._ask_now(request), exclusive=True, exit_on_error=False)

    async def _ask_now(self, request: Request) -> None:
        try:
            self.post_message(Asked(await self.dashboard.ask(lambda client: consents.ask(client, request))))
        except DSMILError as error:
            self.post_message(Refusal(error))

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        self.notify(f"Asked as {event.approval.approval_id}: A shows what becomes of it.", markup=False)
        self.dismiss(False)

    def _bound(self, request: Request, operation: Operation) -> Request:
        """What was shown is what is done: the write happens only while the register holds the old value.

        What somebody approved is done as it was approved, without that condition.
        """
        register = self._known_register()
        bound = register is not None and not register.volatile and not request.approval
        same = operation.old if bound else None
        return msgspec.structs.replace(request, dry_run=False, if_value=same)

    @on(Planned)
    def _show_plan(self, event: Planned) -> None:
        self.part(Static, "plan").update(f"{self._difference(event.operation)}\n{checks_text('')}")
        self.part(Button, "go").disabled = False
        self.part(Button, "cancel").focus()

    def _difference(self, operation: Operation) -> str:
        if self._type is not OperationType.WRITE:
            return f"{self._type.value.lower()} {inert(self._device.shown_id)}"
        register = self._known_register()
        if register is None:
            return ""
        old = register.format(operation.old) or "not readable"
        if operation.old == operation.new:
            return inert(f"{register.name}  {old}  (it holds this value already)")
        return inert(f"{register.name}  {old}  →  {register.format(operation.new)}")

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        if self._planned is None:
            return
        if not self.dashboard.arming.left:
            self.part(Static, "problem").update(UNARMED_AGAIN)
            self.part(Button, "cancel").focus()
            return
        request = self._planned
        self.part(Button, "go").disabled = True
        self.run_worker(self._carry_out(request), exclusive=True, exit_on_error=False)

    async def _carry_out(self, request: Request) -> None:
        try:
            self.post_message(Done(await self.dashboard.ask(lambda client: client.change(request))))
        except DSMILError as error:
            self.post_message(Refusal(error))

    @on(Done)
    def _done(self, event: Done) -> None:
        operation = event.operation
        if not operation.success:
            hint = f"\n{inert(operation.hint)}" if operation.hint else ""
            text = f"✕ {operation.error_code}: {inert(operation.error)}{hint}"
            self.part(Static, "problem").update(text)
            return
        register = self._known_register()
        back = ""
        if register is not None and operation.read_back is not None:
            back = f", reads back as {register.format(operation.read_back)}"
        self.notify(f"✓ {inert(self._difference(operation))}{inert(back)}", markup=False)
        self.dismiss(True)

    @on(Refusal)
    def _refused(self, event: Refusal) -> None:
        self._say(event.error)
        if isinstance(event.error, ApprovalRequired) and self.dashboard.snapshot.user:
            self.part(Button, "ask-second").remove_class("hidden")

    def _say(self, error: DSMILError) -> None:
        hint = f"\n{inert(error.hint)}" if error.hint else ""
        self.part(Static, "plan").update(checks_text(error.code))
        self.part(Static, "problem").update(f"✕ {error.code}: {inert(error.message)}{hint}")

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(False)

    def action_arm(self) -> None:
        """Arm again, from within the dialog."""
        self.dashboard.action_arm()
        self.part(Static, "problem").update("")
