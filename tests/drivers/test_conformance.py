"""The conformance suite itself: a good driver passes, and each way to break the contract is caught."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import msgspec
import pytest

from dsmilctl.drivers.contract import Answer, Capability, Command, Driver, DriverContext
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value
from dsmilctl.testing.conformance import DriverConformance
from dsmilctl.testing.stand import Stand

HEAT = Register("HEAT", 0, type="f64", unit="°C", minimum=0, maximum=120)
POWER = Register("POWER", 1, type="u16", access="rw", maximum=2000, safe=0)
LABEL = Register("LABEL", 2, type="str", access="rw")
LID = Register("LID", 3, type="bool", access="rw", choices=(True, False))


class KettleOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many kettles."""

    kettles: int = 2


class Kettles(Driver):
    """A driver that does everything right."""

    name = "kettles"
    summary = "kettles that live in memory"
    options: ClassVar[type[msgspec.Struct]] = KettleOptions
    capabilities = frozenset(
        {
            Capability.DISCOVER,
            Capability.READ,
            Capability.WRITE,
            Capability.CONTROL,
            Capability.BATCH,
            Capability.SUBSCRIBE,
        }
    )
    commands: ClassVar[Mapping[str, Command]] = {"boil": Command("boil", "Boil the water")}

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self.values: dict[str, dict[str, Value]] = {}

    def device(self, number: int) -> Device:
        registers = (HEAT, POWER, LABEL, LID)
        return Device(f"kettle-{number}", f"Kettle {number}", "kettles", registers, default_register="HEAT")

    def of(self, device: Device) -> dict[str, Value]:
        start: dict[str, Value] = {"HEAT": 20.5, "POWER": 1000, "LABEL": "tea", "LID": True}
        return self.values.setdefault(device.name, start)

    async def discover(self) -> Sequence[Device]:
        return [self.device(number) for number in range(self.settings.kettles)]

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        await asyncio.sleep(0)
        unknown = InvalidParameter("a kettle has no such register")
        return [self.of(device).get(register.name, unknown) for register in registers]

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        return [[self.of(device)[register.name] for register in registers] for device, registers in wanted]

    async def write(self, device: Device, register: Register, value: Value) -> None:
        if not register.writable:
            raise InvalidParameter(f"{register.name} cannot be written")
        self.of(device)[register.name] = value

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        if name not in self.commands:
            raise InvalidParameter(f"a kettle cannot {name}")
        return "boiling"

    async def reset(self, device: Device) -> None:
        self.values.pop(device.name, None)

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        for device in devices:
            self.of(device)["POWER"] = 0
        return [True for _ in devices]

    async def subscribe(
        self, devices: Sequence[Device], registers: Sequence[str], interval: float
    ) -> AsyncIterator[Sequence[tuple[Device, Register, Value]]]:
        while True:
            await asyncio.sleep(interval)
            yield [(device, HEAT, 20.5) for device in devices]


class TestKettles(DriverConformance):
    driver_class = Kettles


class Shouting(Kettles):
    name = "KETTLES"


class Outdated(Kettles):
    api = 2


class TakesAnything(msgspec.Struct, frozen=True):
    kettles: int = 2


class Permissive(Kettles):
    options = TakesAnything


class Boastful(Kettles):
    capabilities = Kettles.capabilities | {Capability.PUSH}
    read_many = Driver.read_many


class Modest(Kettles):
    capabilities = Kettles.capabilities - {Capability.WRITE}


class Mumbling(Kettles):
    commands: ClassVar[Mapping[str, Command]] = {"boil": Command("boil", "")}


class Shuffling(Kettles):
    turns = 0

    async def discover(self) -> Sequence[Device]:
        Shuffling.turns += 1
        return [self.device(0), self.device(1)][:: 1 if Shuffling.turns % 2 else -1]


class Twins(Kettles):
    def device(self, number: int) -> Device:
        return super().device(0)


class Unsafe(Kettles):
    def device(self, number: int) -> Device:
        return msgspec.structs.replace(super().device(number), registers=(Register("HEAT", safe=0),))


class Unnameable(Kettles):
    def device(self, number: int) -> Device:
        return msgspec.structs.replace(super().device(number), device_id=f"kettle,{number}")


class OnceOnly(Kettles):
    opened = 0

    async def open(self, device: Device) -> None:
        OnceOnly.opened += 1
        assert OnceOnly.opened < 3


class Stringly(Kettles):
    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        return [str(answer) for answer in await super().read(device, registers, span)]


class Sorting(Kettles):
    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        return await super().read(device, sorted(registers, key=lambda register: register.address), span)


class Inventive(Kettles):
    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        return [0 if isinstance(answer, DSMILError) else answer
                for answer in await super().read(device, registers, span)]  # fmt: skip


class Forgetful(Kettles):
    async def write(self, device: Device, register: Register, value: Value) -> None:
        if not register.writable:
            raise InvalidParameter("no")


class Careless(Kettles):
    async def write(self, device: Device, register: Register, value: Value) -> None:
        self.of(device)[register.name] = value


class Obedient(Kettles):
    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        return None


class Broken(Kettles):
    async def reset(self, device: Device) -> None:
        self.values[device.name] = {"HEAT": "cold"}


class Hot(Kettles):
    async def safe_state(self, device: Device) -> None:
        """Say nothing to the device."""


class HotTogether(Kettles):
    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        return [True for _ in devices]


class Queueing(Kettles):
    """An answer that nobody fetched is taken for the answer to the next question."""

    left: ClassVar[dict[str, Sequence[Answer]]] = {}

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        answers = self.left.pop(device.name, None) or await super().read(device, registers, span)
        self.left[device.name] = [0]
        await asyncio.sleep(0.01)
        del self.left[device.name]
        return answers


class Disagreeing(Kettles):
    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        return [[20.5, 1, "coffee", True] for _ in wanted]


class Silent(Kettles):
    async def subscribe(
        self, devices: Sequence[Device], registers: Sequence[str], interval: float
    ) -> AsyncIterator[Sequence[tuple[Device, Register, Value]]]:
        yield []


class Hoarding(Kettles):
    async def forget(self) -> int:
        return 1


BROKEN: list[tuple[type[Driver], str]] = [
    (Shouting, "test_it_says_who_it_is"),
    (Outdated, "test_it_says_who_it_is"),
    (Permissive, "test_its_options_refuse_what_they_do_not_know"),
    (Boastful, "test_it_implements_what_it_declares_and_declares_what_it_implements"),
    (Modest, "test_it_implements_what_it_declares_and_declares_what_it_implements"),
    (Mumbling, "test_its_commands_are_described"),
    (Shuffling, "test_discovery_finds_the_same_devices_again"),
    (Twins, "test_discovery_finds_the_same_devices_again"),
    (Unsafe, "test_its_devices_are_well_described"),
    (Unnameable, "test_each_device_can_be_named_by_its_id"),
    (OnceOnly, "test_a_device_can_be_closed_and_opened_again_and_again"),
    (Stringly, "test_every_readable_register_answers_with_its_type"),
    (Sorting, "test_answers_come_in_the_order_of_the_questions"),
    (Inventive, "test_an_unknown_register_is_an_error_and_no_crash"),
    (Forgetful, "test_what_is_written_is_read_back"),
    (Careless, "test_what_cannot_be_written_is_refused"),
    (Obedient, "test_declared_commands_are_accepted_and_others_refused"),
    (Broken, "test_a_reset_device_answers"),
    (Hot, "test_the_safe_state_is_reached_from_anywhere_and_stays"),
    (HotTogether, "test_a_batch_stop_reaches_every_device_or_says_which_not"),
    (Queueing, "test_a_read_that_is_cut_off_leaves_the_device_usable"),
    (Disagreeing, "test_a_batch_answers_as_single_questions_do"),
    (Silent, "test_a_subscription_brings_values_until_it_is_closed"),
    (Hoarding, "test_it_names_what_is_absent_and_forgets_what_it_keeps"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN, ids=lambda item: getattr(item, "__name__", item))
def test_a_driver_that_breaks_the_contract_is_caught(broken: type[Driver], test: str, tmp_path: Path) -> None:
    suite = type("Suite", (DriverConformance,), {"driver_class": broken})()
    stand = Stand(broken, {}, tmp_path, deadline=10.0, most_devices=6)
    wants_stand = "stand" in getattr(suite, test).__code__.co_varnames

    with pytest.raises((AssertionError, DSMILError, pytest.fail.Exception)):
        getattr(suite, test)(*([stand] if wants_stand else []))


def test_every_rule_of_the_suite_is_broken_once_above() -> None:
    rules = {name for name in vars(DriverConformance) if name.startswith("test_")}

    assert rules == {test for _, test in BROKEN}


def test_a_strangers_driver_runs_the_suite_with_pytest_alone(tmp_path: Path) -> None:
    (tmp_path / "test_lamp.py").write_text(
        dedent(
            """
            from dsmilctl.drivers.contract import Capability, Driver
            from dsmilctl.testing.conformance import DriverConformance

            class Lamps(Driver):
                name = "lamps"
                summary = "no lamp at all"
                capabilities = frozenset({Capability.DISCOVER, Capability.READ})

                async def discover(self):
                    return []

                async def read(self, device, registers, span=None):
                    return []

            class TestLamps(DriverConformance):
                driver_class = Lamps
            """
        )
    )
    shell = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]

    done = subprocess.run(command, env=shell, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    assert "17 skipped" in done.stdout
