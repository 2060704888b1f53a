"""Registers: which registers of which devices a read is about."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register, find_register


def registers_of(devices: Sequence[Device], names: Sequence[str]) -> list[tuple[Register, ...]]:
    """For each device the registers of those names that can be read; without names its default register.

    Raises InvalidParameter for a name that none of the devices has, and for one that cannot be read.
    """
    if not names:
        return [default_registers(device) for device in devices]
    if len(devices) == 1 and len(names) == 1:
        register = find_register(devices[0].registers, names[0])
        if register.readable:
            return [(register,)]
    tables: dict[int, tuple[Register, ...]] = {}
    for name in names:
        _require_register(devices, name)
    for device in devices:
        if id(device.registers) not in tables:
            tables[id(device.registers)] = _known(device.registers, names)
    return [tables[id(device.registers)] for device in devices]


def default_registers(device: Device) -> tuple[Register, ...]:
    """The register that is read when none is named."""
    if device.default_register:
        return (find_register(device.registers, device.default_register),)
    return tuple(register for register in device.registers if register.readable)[:1]


def _require_register(devices: Sequence[Device], name: str) -> None:
    problem: InvalidParameter | None = None
    for registers in {id(device.registers): device.registers for device in devices}.values():
        try:
            register = find_register(registers, name)
        except InvalidParameter as error:
            problem = problem or error
            continue
        if register.readable:
            return
        problem = InvalidParameter(f"{register.name} is write-only", hint="write it", target=name)
    if problem:
        raise problem


def _known(registers: Sequence[Register], names: Sequence[str]) -> tuple[Register, ...]:
    found = []
    for name in names:
        try:
            register = find_register(registers, name)
        except InvalidParameter:
            continue  # another device of the selection has it
        if register.readable:
            found.append(register)
    return tuple(found)
