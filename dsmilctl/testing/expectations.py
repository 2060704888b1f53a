"""Expectations: what the conformance suite asks of a device's answers, registers and safe state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dsmilctl.drivers.contract import Answer, Command, Driver
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.register import FLOATS, INTEGER_RANGES, Register, Value

KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(INTEGER_RANGES, (int,)),
    **dict.fromkeys(FLOATS, (int, float)),
    "bool": (bool,),
    "str": (str,),
}
"""The Python types that hold a value of each register type."""

SAMPLES: Mapping[str, Value] = {"int": 1, "float": 1.0, "bool": True, "str": "sample"}
"""A value for each type of a command's parameter."""


def another_value(register: Register, current: object) -> Value:
    """A value that may be written to a register and, where possible, differs from the current one."""
    candidates: tuple[Value, ...] = register.choices
    if not candidates and register.type == "bool":
        candidates = (True, False)
    if not candidates and register.type == "str":
        candidates = ("sample", "another")
    if not candidates:
        candidates = _numbers(register)
    return next((value for value in candidates if value != current), candidates[0])


def _numbers(register: Register) -> tuple[Value, ...]:
    low = 0 if register.minimum is None else register.minimum
    step = 1 if register.step is None else register.step
    numbers = [low, low + step]
    if register.maximum is not None and numbers[1] > register.maximum:
        numbers = [low]
    if register.type in FLOATS:
        return tuple(float(number) for number in numbers)
    return tuple(int(number) for number in numbers)


def arguments_of(command: Command) -> dict[str, Value]:
    """A value for every parameter that a command requires."""
    return {item.name: SAMPLES[item.type] for item in command.parameters if item.required}


def implements(kind: type[Driver], method: str) -> bool:
    """Whether a driver has a method of its own, not only the contract's."""
    return getattr(kind, method) is not getattr(Driver, method)


def readable(device: Device) -> tuple[Register, ...]:
    """The registers of a device that can be read."""
    return tuple(register for register in device.registers if register.readable)


def safe(device: Device) -> list[Register]:
    """The registers of a device that an emergency stop writes."""
    return [item for item in device.registers if item.safe is not None and item.writable]


async def read_all(subject: Driver, device: Device) -> Sequence[Answer]:
    """Everything that a device can tell."""
    return await subject.read(device, readable(device))


async def require_readable(subject: Driver, device: Device) -> None:
    """Fail unless a device answers every readable register with its type or an error of ours."""
    registers = readable(device)
    answers = await subject.read(device, registers)
    assert len(answers) == len(registers)
    for pair in zip(registers, answers, strict=True):
        of_type(*pair)


def of_type(register: Register, answer: Answer) -> bool:
    """Whether there is a value at all; fails when it is of another type than the register."""
    if isinstance(answer, DSMILError):
        return False
    fits = isinstance(answer, KINDS[register.type]) and isinstance(answer, bool) == (register.type == "bool")
    assert fits, f"{register.name} is {register.type}, but answered {answer!r}"
    return True


def require_described(device: Device) -> None:
    """Fail unless the registers of a device fit together."""
    names = [register.name for register in device.registers]
    assert len(set(names)) == len(names)
    assert not device.default_register or device.default_register in names
    assert set(device.key_registers) <= set(names)
    for register in device.registers:
        assert register.name
        assert register.type in KINDS
        assert register.access in ("ro", "rw", "wo")
        if register.safe is not None:
            assert register.writable
            register.check(register.safe)


async def write_and_put_back(subject: Driver, device: Device, register: Register) -> None:
    """Fail unless a register takes another value and shows it."""
    (old,) = await subject.read(device, [register])
    value = another_value(register, old)
    await subject.write(device, register, value)
    (read,) = await subject.read(device, [register])
    assert not isinstance(read, DSMILError)
    assert register.confirms(value, read), f"{register.name} was written {value!r} and reads {read!r}"
    if not isinstance(old, DSMILError):
        await subject.write(device, register, old)


async def require_safe(subject: Driver, device: Device) -> None:
    """Fail unless every register with a safe value shows it."""
    for register in safe(device):
        if register.readable and register.safe is not None:
            (read,) = await subject.read(device, [register])
            assert not isinstance(read, DSMILError)
            assert register.confirms(register.safe, read), f"{register.name} reads {read!r}"


def require_alike(registers: Sequence[Register], one: Sequence[Answer], other: Sequence[Answer]) -> None:
    """Fail unless two sets of answers are the same where nothing moves by itself."""
    assert len(one) == len(other) == len(registers)
    for register, left, right in zip(registers, one, other, strict=True):
        if not (of_type(register, left) and of_type(register, right)):
            continue
        if register.writable and not register.volatile:
            assert left == right, f"{register.name}: {left!r} in the batch, {right!r} alone"
