"""Values: what may be asked of a register or a command, and whether a register holds what is expected."""

from __future__ import annotations

from dsmilctl.drivers.contract import Command, Driver
from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.requirements import require_command
from dsmilctl.errors import Conflict, InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register, Value, find_register

COMMANDS = {
    OperationType.CONFIG: "configure",
    OperationType.ACTIVATE: "activate",
    OperationType.DEACTIVATE: "deactivate",
}
"""The driver's command that carries out an operation which is not a write or a reset."""


def writable_register(device: Device, request: Request) -> Register:
    """The register that a request writes; raises InvalidParameter where it cannot be, or not so."""
    register = find_register(device.registers, request.register)
    if not register.writable:
        known = ", ".join(item.name for item in device.registers if item.writable) or "none"
        raise InvalidParameter(
            f"{device.shown_id} refused the write to {register.name} (read-only register)",
            hint=f"writable registers of {device.shown_id}: {known}",
            target=register.name,
        )
    if request.value is None:
        hint = f"dsmilctl device write {device.shown_id} {register.name} VALUE"
        raise InvalidParameter(f"{register.name}: no value given", hint=hint, target=register.name)
    register.check(request.value)
    if request.if_value is not None and not register.readable:
        raise InvalidParameter(
            f"{register.name} of {device.shown_id} cannot be read, so nothing can be compared",
            hint="leave --if-value out",
            target="--if-value",
        )
    return register


def require_operation(managed: Managed, request: Request) -> None:
    """Raise InvalidParameter unless the driver can do what is neither a read nor a write."""
    shown, driver = managed.device.shown_id, managed.driver
    if request.type is OperationType.READ:
        raise InvalidParameter("READ changes nothing", hint="read devices with a read", target="READ")
    if request.type is OperationType.RESET and not request.command:
        if type(driver).reset is Driver.reset:
            raise InvalidParameter(
                f"{shown} cannot be reset: driver {driver.name} has no reset", target=shown
            )
        return
    name = request.command or COMMANDS.get(request.type, "")
    require_command(managed, name)
    if request.command and request.type not in (OperationType.COMMAND, driver.commands[name].operation):
        raise InvalidParameter(
            f"command {name} is {driver.commands[name].operation}, not {request.type}",
            hint=f"dsmilctl device command {shown} {name}",
            target=name,
        )
    require_arguments(driver.commands[name], dict(request.arguments))


def require_arguments(command: Command, arguments: dict[str, Value]) -> None:
    """Raise InvalidParameter unless the arguments are those that the command declares, of the right type."""
    known = {parameter.name: parameter.type for parameter in command.parameters}
    hint = f"{command.name} takes: {', '.join(sorted(known)) or 'nothing'}"
    unknown = [] if command.any_parameter else sorted(set(arguments) - set(known))
    missing = [item.name for item in command.parameters if item.required and item.name not in arguments]
    if unknown or missing:
        what = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)}"
        raise InvalidParameter(f"command {command.name} {what}", hint=hint, target=command.name)
    for name, value in arguments.items():
        if name in known and not _fits(value, known[name]):
            message = f"command {command.name}: {name} is of type {known[name]}, not {value!r}"
            raise InvalidParameter(message, hint=hint, target=name)


def _fits(value: Value, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, {"int": int, "float": int | float, "str": str}.get(kind, bool))


def compare(device: Device, register: Register, wanted: Value, found: Reading) -> None:
    """Compare-and-set: raise Conflict unless the register holds the value that the writer expects."""
    if found.value is not None and register.confirms(wanted, found.value):
        return
    holds = f"is {register.format(found.value)}" if found.value is not None else f"is unknown ({found.error})"
    raise Conflict(
        f"{device.shown_id} {register.name} {holds}, not {register.format(wanted)}",
        device_id=device.device_id,
        hint=f"read it again: dsmilctl device read {device.shown_id} {register.name}",
    )
