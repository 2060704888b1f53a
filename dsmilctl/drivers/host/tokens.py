"""Tokens: Dell's SMBIOS tokens, read-only, from the kernel's folder or from libsmbios' tool."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.machine import Absent, Machine, Nonsense, line, printable
from dsmilctl.drivers.host.part import Part, Sensor, SensorPart
from dsmilctl.drivers.host.program import installed, run
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

SYSFS = "Source: Documentation/ABI/testing/sysfs-platform-dell-smbios"
TOOL = "Source: smbios-token-ctl --dump-tokens-csv"
FILE = r"([0-9a-fA-F]{1,8})_(location|value)"
NUMBER = r"0[xX]([0-9a-fA-F]{1,8})"
COUNT = Register("count", type="u32", unit="tokens", address=0x10000, description="tokens of this machine")


def find_tokens(machine: Machine) -> Iterable[Part]:
    """The device `tokens`; raises Absent with the reasons where there are none."""
    reasons = []
    wanted = machine.options.tokens
    if wanted in ("auto", "sysfs"):
        for folder in machine.once(token_folders):
            return [_in_folder(folder)]
        reasons.append(f"{machine.path('sys/devices/platform')}/dell-smbios.*/tokens does not exist")
    if tool_serves(machine):
        try:
            return [_by_tool(machine)]
        except (OSError, Nonsense) as error:
            reasons.append(str(error.strerror if isinstance(error, OSError) else error))
    raise Absent("; ".join(reasons))


def token_folders(machine: Machine) -> list[Path]:
    """The kernel's folders of tokens: one, or none."""
    return sorted(machine.path("sys/devices/platform").glob("dell-smbios*/tokens"))


def tool_serves(machine: Machine) -> bool:
    """Whether libsmbios' tool is asked: it was ordered, or this is a Dell, it is there and may run."""
    if machine.options.tokens != "auto":
        return machine.options.tokens == "tool"
    vendor = line(machine.path("sys/class/dmi/id/sys_vendor"))
    return (
        machine.real
        and vendor.startswith("Dell")
        and os.geteuid() == 0
        and installed(machine.options.token_tool)
    )


def _device(registers: Sequence[Register], source: str) -> Device:
    return Device(
        "tokens", "SMBIOS tokens", "host", (COUNT, *registers), group="system", default_register="count",
        key_registers=("count",), facts=(("source", source),),
    )  # fmt: skip


def _in_folder(folder: Path) -> Part:
    """Tokens of the kernel's folder: what the firmware's table says of each, not how it is set now."""
    registers: list[Register] = []
    sensors: dict[str, Sensor] = {}
    found = [(match, entry.name) for entry in folder.iterdir() if (match := re.fullmatch(FILE, entry.name))]
    for match, entry in sorted(found, key=lambda item: (int(item[0][1], 16), item[0][2] != "value")):
        token, kind = int(match[1], 16), match[2]
        what = {"value": "value that makes the token active", "location": "place that the token is kept at"}[
            kind
        ]
        name = f"0x{token:04X}_{kind}"
        registers.append(
            Register(name, token, "u32", hexadecimal=True, description=f"{what} ({entry}). {SYSFS}")
        )
        sensors[name] = Sensor(folder / entry, hexadecimal)
    return TokenFolder(_device(registers, str(folder)), folder, sensors)


def hexadecimal(field: str) -> int:
    """The number of a token's file; raises Nonsense."""
    match = re.fullmatch(NUMBER, field)
    if match is None:
        raise Nonsense(f"{printable(field)!r} is not a hexadecimal number")
    return int(match[1], 16)


class TokenFolder(SensorPart):
    """The kernel's folder of tokens."""

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """One answer per file, and how many tokens there are."""
        answers = dict(super().measure(wanted))
        if any(register.name == COUNT.name for register in wanted):
            answers[COUNT.name] = self.attempt(COUNT.name, self.anchor, self._count)
        return answers

    def _count(self) -> int:
        return len({match[1] for entry in self.anchor.iterdir() if (match := re.fullmatch(FILE, entry.name))})


def _by_tool(machine: Machine) -> Part:
    program = machine.options.token_tool
    registers = [
        Register(
            f"0x{token:04X}", token, "bool" if isinstance(value, bool) else "str",
            description=f"{what}. {TOOL}",
        )
        for token, (value, what) in dump(program).items()
    ]  # fmt: skip
    return TokenTool(_device(registers, program), machine.root, program)


class TokenTool(Part):
    """What libsmbios' tool tells of the tokens: whether each is active, or its text."""

    slow = True

    def __init__(self, device: Device, anchor: Path, program: str) -> None:
        super().__init__(device, anchor)
        self._program = program

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """All of them, by one run of the tool."""
        told = dump(self._program)
        return {COUNT.name: len(told), **{f"0x{token:04X}": value for token, (value, _) in told.items()}}


def dump(program: str) -> dict[int, tuple[bool | str, str]]:
    """Value and meaning of every token by its id; raises OSError or Nonsense."""
    import csv

    rows = list(csv.reader(run([program, "--dump-tokens-csv"]).splitlines()))
    if not rows or rows[0][:3] != ["ID", "Type", "Value"]:
        raise Nonsense(f"{program} printed no table of tokens")
    found: dict[int, tuple[bool | str, str]] = {}
    for row in rows[1:]:
        if len(row) >= 3 and row[1] in ("bool", "string"):
            what = ": ".join(printable(field) for field in row[3:5])
            value = row[2] == "true" if row[1] == "bool" else printable(row[2], 256)
            found[hexadecimal(row[0])] = (value, what or "a token without a name")
    return found
