"""Listing: `device list`, `show` and `registers`: which devices there are, and what each of them is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import DEVICE_COLUMNS, device_row, register_columns, register_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import OneDevice, OptionalTargets, noted, one_device, selector_of
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import DeviceState, Risk
from dsmilctl.model.register import Register

app = Noun("device")


class ListOptions(msgspec.Struct, frozen=True):
    """Which devices are wanted."""

    selector: str
    group: str
    risk: str
    status: str
    quarantined: bool


@app.command("list", impact="read")
def list_(
    targets: OptionalTargets = "",
    group: Annotated[str, typer.Option(metavar="NAME", help="only this group")] = "",
    risk: Annotated[str, typer.Option(metavar="LEVEL", help="only LOW, MEDIUM, HIGH or CRITICAL")] = "",
    status: Annotated[str, typer.Option(metavar="STATE", help="only devices in this state")] = "",
    quarantined: Annotated[bool, typer.Option("--quarantined", help="quarantined devices, too")] = False,
) -> None:
    """List devices.

    The state is the last known one: a device that nothing has spoken to yet is `discovered`.

    Example: dsmilctl -C sim device list risk=CRITICAL --quarantined
    Example: dsmilctl -C local device list
    """
    options = ListOptions(
        selector=targets,
        group=group,
        risk=_one_of("--risk", risk.upper(), [level.value for level in Risk]),
        status=_one_of("--status", status.casefold(), [state.value for state in DeviceState]),
        quarantined=quarantined,
    )
    run(list_devices, options, schema="device.list/1", columns=DEVICE_COLUMNS, empty="no devices")


def _one_of(option: str, word: str, known: list[str]) -> str:
    if word and word not in known:
        hint = nearest(word, known) or f"one of {', '.join(known)}"
        raise InvalidParameter(f"{option} cannot be {word!r}", hint=hint, target=option)
    return word


async def list_devices(client: Client, options: ListOptions) -> list[dict[str, Any]]:
    """The devices asked for with their last known states."""
    found = await client.devices(selector_of(options.selector), quarantined=options.quarantined)
    if not options.selector:
        noted(client, found)
    statuses = await client.statuses(found)
    return [
        device_row(device, status)
        for device, status in zip(found, statuses, strict=True)
        if options.group.casefold() in ("", device.group.casefold())
        and options.risk in ("", device.risk)
        and options.status in ("", status.state)
    ]


@app.command(impact="read")
def show(device: OneDevice) -> None:
    """Show one device with its registers, their limits, and the commands that it takes.

    Example: dsmilctl -C sim device show 0x8001
    """
    run(show_device, device, schema="device.show/1")


async def show_device(client: Client, text: str) -> Result:
    """Everything that is known of one device."""
    device = await one_device(client, text)
    status = (await client.statuses([device]))[0]
    driver = {info.name: info for info in await client.drivers()}.get(device.driver)
    found = {
        **device_row(device, status),
        "reason": status.reason or None,
        "capabilities": list(driver.capabilities) if driver else [],
        "commands": list(driver.commands) if driver else [],
        "default_register": device.default_register,
        "registers": [register.name for register in device.registers],
        "hardware": dict(device.facts),
    }
    limits = {register.name: _limits(register) for register in device.registers}
    shown = {register.name: _shown_limits(register) for register in device.registers}
    return Result({**found, "limits": limits}, page={**found, "limits": shown})


LIMITS = {"min": "minimum", "max": "maximum", "low": "low", "high": "high", "safe": "safe"}


def _limits(register: Register) -> dict[str, Any]:
    limits = {"access": register.access, "unit": register.unit or None}
    return limits | {name: getattr(register, field) for name, field in LIMITS.items()}


def _shown_limits(register: Register) -> dict[str, str]:
    """The limits as people read them: with their units, and bits in hexadecimal."""
    limits = {name: register.format(getattr(register, field)) for name, field in LIMITS.items()}
    return {"access": register.access, **limits}


@app.command(impact="read")
def registers(device: OneDevice) -> None:
    """Show the registers of one device: address, type, unit, access and limits.

    Example: dsmilctl -C sim device registers 0x8001
    """
    run(show_registers, device, schema="device.registers/1", empty="no registers")


async def show_registers(client: Client, text: str) -> Result:
    """The registers of one device."""
    found = (await one_device(client, text)).registers
    return Result([register_row(register) for register in found], columns=register_columns(found))
