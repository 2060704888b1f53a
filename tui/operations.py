"""Operations: what can be done to devices from the dashboard, and what each of them asks for first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device, DeviceStatus, show_id
from dsmilctl.model.operation import OperationType
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import StatesRead

if TYPE_CHECKING:
    from dsmilctl.tui.app import DashboardApp
    from dsmilctl.tui.screens.menu import Entry

VERBS = {
    "scan": ("Look for the device again", "read"),
    "state": ("Ask for the lifecycle state", "read"),
    "initialize": ("Prepare for a conversation", "write"),
    "connect": ("Begin the conversation", "write"),
    "disconnect": ("End the conversation", "write"),
    "cleanup": ("Disconnect and forget what was prepared", "write"),
}
"""The lifecycle verbs; those that write ask for arming and a confirmation."""

CHANGES = {
    "activate": (OperationType.ACTIVATE, "Activate the device"),
    "deactivate": (OperationType.DEACTIVATE, "Deactivate the device"),
    "reset": (OperationType.RESET, "Bring the device back to its start state"),
}
"""Guarded changes without a register: each has its own dialog, for one device at a time."""

STOP_CHOSEN = "stop"

OPERATIONS = tuple(
    Command(
        "",
        f"carry_out('{name}')",
        name,
        summary=f"{name.capitalize()}: {text[0].lower()}{text[1:]}",
        twin=f"dsmilctl -C {{context}} device {name} {{chosen}}",
        impact=impact,
    )
    for name, (text, impact) in {
        **VERBS,
        **{name: (text, "write") for name, (_, text) in CHANGES.items()},
    }.items()
)
"""The same as commands of the palette, for the device under the cursor or the marked ones."""

SHOWN = 8


def open_menu(app: DashboardApp, devices: Sequence[Device]) -> None:
    """The menu of what can be done to these devices."""
    from dsmilctl.tui.screens.menu import Menu

    def chosen(name: str | None) -> None:
        if name is not None:
            carry_out(app, name, devices)

    app.push_screen(Menu("What to do?", menu_entries(devices, app.context_name)), chosen)


def menu_entries(devices: Sequence[Device], context: str) -> list[Entry]:
    """The entries for these devices, each with its command line."""
    from dsmilctl.tui.screens.menu import Entry

    selector = selector_of(devices)
    device = f"dsmilctl -C {context} device"
    entries = [
        Entry(verb, text, verb, f"{device} {verb} {selector}", impact)
        for verb, (text, impact) in VERBS.items()
    ]
    if len(devices) == 1:
        entries += [
            Entry(name, text, name, f"{device} {name} {selector} --justification TEXT", "write")
            for name, (_, text) in CHANGES.items()
        ]
    text = f"Emergency stop of {selector if len(devices) < 4 else f'{len(devices)} devices'}"
    twin = f"dsmilctl -C {context} emergency stop {selector}"
    return [*entries, Entry(STOP_CHOSEN, text, STOP_CHOSEN, twin, "danger")]


def selector_of(devices: Sequence[Device]) -> str:
    """A selector that names exactly these devices."""
    return ",".join(device.shown_id for device in devices)


def carry_out(app: DashboardApp, name: str, devices: Sequence[Device]) -> None:
    """Begin an operation of the menu: at once, or after arming and a question."""
    if name == STOP_CHOSEN:
        app.stopper.pull(app.context_name, devices, selector_of(devices))
    elif name in CHANGES:
        if app.may_write():
            open_change(app, devices[0], CHANGES[name][0])
    elif VERBS[name][1] == "read":
        walk(app, name, devices)
    elif app.may_write():
        _ask_first(app, name, devices)


def _ask_first(app: DashboardApp, verb: str, devices: Sequence[Device]) -> None:
    from dsmilctl.tui.screens.confirm import ArmedDialog

    def confirmed(go: bool | None) -> None:
        if go:
            walk(app, verb, devices)

    more = " …" if len(devices) > SHOWN else ""
    text = f"{len(devices)} devices: {selector_of(devices[:SHOWN])}{more}"
    app.push_screen(ArmedDialog(f"{verb.capitalize()}?", text, verb.capitalize()), confirmed)


def walk(app: DashboardApp, verb: str, devices: Sequence[Device]) -> None:
    """Carry out a lifecycle verb."""

    async def run() -> None:
        try:
            app.post_message(StatesRead(await app.ask(lambda client: client.lifecycle(verb, devices))))
        except DSMILError as error:
            app.notify(f"{error.code}: {inert(error.message)}", severity="error", markup=False)

    app.run_worker(run(), group="lifecycle", exit_on_error=False)


def states_text(statuses: Sequence[DeviceStatus]) -> str:
    """What became of a lifecycle verb."""
    shown = [f"{show_id(item.device_id)} {item.state.value} {item.reason}".strip() for item in statuses[:4]]
    more = f" and {len(statuses) - 4} more" if len(statuses) > 4 else ""
    return "; ".join(shown) + more


def write(app: DashboardApp, device: Device, register: str) -> None:
    """The write dialog, when there is something to write and writes are armed."""
    if not any(item.writable for item in device.registers):
        app.notify(f"{inert(device.shown_id)} has no register that can be written", markup=False)
    elif app.may_write():
        open_change(app, device, OperationType.WRITE, register)


def open_change(app: DashboardApp, device: Device, type: OperationType, register: str = "") -> None:
    """The dialog of one guarded change."""
    from dsmilctl.tui.screens.change import ChangeDialog

    app.push_screen(ChangeDialog(device, type, register))
