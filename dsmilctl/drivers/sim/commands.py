"""Commands of a simulated device: what they are called, what they take, what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dsmilctl.drivers.contract import Command
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.operation import OperationType
from dsmilctl.model.register import Value

LARGEST_SETTINGS = 4096
"""Bytes of settings, as JSON, that one order may give a device."""

_COMMANDS = (
    Command(
        "configure", "Keep free settings, shown among the device's facts", "write", OperationType.CONFIG,
        any_parameter=True,
    ),
    Command("activate", "Put the device into service", "write", OperationType.ACTIVATE),
    Command("deactivate", "Take the device out of service", "write", OperationType.DEACTIVATE),
    Command("reset", "Forget everything written to the device", "danger", OperationType.RESET),
    Command("identify", "Blink, and say who it is", "read"),
)  # fmt: skip

COMMANDS: Mapping[str, Command] = {command.name: command for command in _COMMANDS}
"""Every command by name."""


def require_command(name: str, arguments: Mapping[str, Value]) -> None:
    """Raise InvalidParameter for an unknown command, and for parameters that it does not take."""
    command = COMMANDS.get(name)
    if command is None:
        hint = nearest(name, COMMANDS) or f"commands: {', '.join(COMMANDS)}"
        raise InvalidParameter(f"the simulator has no command {name!r}", hint=hint, target=name)
    if arguments and not command.any_parameter:
        unknown = ", ".join(arguments)
        raise InvalidParameter(f"{name} takes no parameters, but was given {unknown}", target=name)


def settings_of(arguments: Mapping[str, Value]) -> dict[str, Value]:
    """The settings as they can be kept; raises InvalidParameter for what no file could hold."""
    settings = dict(arguments)
    hint = f"numbers, truths and texts are kept, {LARGEST_SETTINGS:,} bytes at most"
    try:
        kept = msgspec.json.encode(settings)
        msgspec.json.decode(kept, type=dict[str, Value])
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidParameter(f"settings cannot be kept: {error}", hint=hint, target="settings") from None
    if len(kept) > LARGEST_SETTINGS:
        raise InvalidParameter(f"settings of {len(kept):,} bytes are too large", hint=hint, target="settings")
    return settings
