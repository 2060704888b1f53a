"""The conformance suite for drivers: subclass DriverConformance in a test module and run pytest.

It needs pytest and nothing else.

    class TestMyDriver(DriverConformance):
        driver_class = MyDriver
        options = {"host": "127.0.0.1"}
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from dsmilctl.drivers.contract import API, Capability, Driver
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register
from dsmilctl.model.selector import parse_selector, select
from dsmilctl.testing.expectations import (
    another_value,
    arguments_of,
    implements,
    of_type,
    read_all,
    readable,
    require_alike,
    require_described,
    require_readable,
    require_safe,
    safe,
    write_and_put_back,
)
from dsmilctl.testing.stand import Stand

METHODS = {
    Capability.DISCOVER: ("discover",),
    Capability.READ: ("read",),
    Capability.WRITE: ("write",),
    Capability.SUBSCRIBE: ("subscribe",),
    Capability.BATCH: ("read_many", "safe_many"),
}
"""What a driver with a capability has to implement, and one without it has not."""

REFUSALS = (DSMILError, NotImplementedError)
"""How a driver may refuse what it cannot do."""


class DriverConformance:
    """What every driver has to pass.  Set `driver_class`, and `options` or the fixture `driver_options`.

    `secrets` are those that the options refer to.
    Devices are written to and driven to their safe state: never point it at one that matters.
    """

    driver_class: ClassVar[type[Driver]]
    options: ClassVar[Mapping[str, Any]] = {}
    secrets: ClassVar[Mapping[str, str]] = {}
    most_devices: ClassVar[int] = 6
    deadline: ClassVar[float] = 20.0

    @pytest.fixture
    def driver_options(self) -> Mapping[str, Any]:
        """The driver's options; override it to start what the driver talks to."""
        return self.options

    @pytest.fixture
    def stand(self, tmp_path: Path, driver_options: Mapping[str, Any]) -> Stand:
        """A stand for the driver with a state folder of its own."""
        return Stand(
            self.driver_class,
            driver_options,
            tmp_path / "state",
            deadline=self.deadline,
            most_devices=self.most_devices,
            secrets=self.secrets,
        )

    def test_it_says_who_it_is(self) -> None:
        """A name that can be typed, a version, a line of summary, and the contract that is spoken here."""
        kind = self.driver_class
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", kind.name)
        assert kind.version
        assert kind.summary
        assert "\n" not in kind.summary
        assert kind.api == API
        assert all(isinstance(package, str) for package in kind.required)

    def test_its_options_refuse_what_they_do_not_know(self) -> None:
        """Options are a frozen struct, and an unknown one is an error and no silence."""
        options = self.driver_class.options
        assert options.__struct_config__.frozen
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"no_such_option": 1}, options)

    def test_it_implements_what_it_declares_and_declares_what_it_implements(self) -> None:
        """Every capability has its methods, and no method lacks its capability."""
        kind = self.driver_class
        assert Capability.DISCOVER in kind.capabilities
        assert kind.capabilities <= frozenset(Capability)
        for capability, methods in METHODS.items():
            needed = [
                name for name in methods if name != "safe_many" or Capability.WRITE in kind.capabilities
            ]
            for name in needed:
                assert implements(kind, name) == (capability in kind.capabilities), f"{capability}: {name}"
        controls = implements(kind, "command") or implements(kind, "reset")
        assert controls == (Capability.CONTROL in kind.capabilities)

    def test_its_commands_are_described(self) -> None:
        """Each command has its own name, a description, an impact and parameters of known types."""
        for name, command in self.driver_class.commands.items():
            assert command.name == name
            assert command.description
            assert command.impact in ("read", "write", "danger")
            assert all(item.type in ("int", "float", "bool", "str") for item in command.parameters)
        if self.driver_class.commands:
            assert Capability.CONTROL in self.driver_class.capabilities

    def test_discovery_finds_the_same_devices_again(self, stand: Stand) -> None:
        """A second look finds the same ids in the same order, each once, and so does another driver."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            first = [device.device_id for device in await subject.discover()]
            second = [device.device_id for device in await subject.discover()]
            other = stand.make()
            third = [device.device_id for device in await other.discover()]
            await other.shutdown()
            assert first == second == third
            assert len(set(first)) == len(first)

        stand.tell(story, opened=False)

    def test_its_devices_are_well_described(self, stand: Stand) -> None:
        """Registers have unique names and known types; defaults, keys and safe values fit them."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                assert device.driver == subject.name
                assert device.name
                require_described(device)

        stand.tell(story, opened=False)

    def test_each_device_can_be_named_by_its_id(self, stand: Stand) -> None:
        """The id as shown is a selector that names exactly this device."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                named = select(parse_selector(device.shown_id), devices, lambda _: None)
                assert named == [device]

        stand.tell(story, opened=False)

    def test_a_device_can_be_closed_and_opened_again_and_again(self, stand: Stand) -> None:
        """Open and close any number of times; closing what is closed does no harm."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                await subject.initialize(device)
                for _ in range(3):
                    await subject.open(device)
                    await subject.close(device)
                await subject.close(device)
                await subject.open(device)
                await require_readable(subject, device)
                await subject.close(device)

        stand.tell(story, opened=False)

    def test_every_readable_register_answers_with_its_type(self, stand: Stand) -> None:
        """One answer per register, of the register's type or an error of ours; some device answers."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            good = 0
            for device in devices:
                registers = readable(device)
                answers = await subject.read(device, registers)
                assert len(answers) == len(registers)
                good += sum(of_type(*pair) for pair in zip(registers, answers, strict=True))
            assert good, "no register of any device could be read"

        stand.tell(story)

    def test_answers_come_in_the_order_of_the_questions(self, stand: Stand) -> None:
        """Asked in reverse, the answers are reversed too, and a register asked twice answers twice."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                registers = readable(device)
                asked = [*reversed(registers), *registers]
                answers = await subject.read(device, asked)
                assert len(answers) == len(asked)
                for pair in zip(asked, answers, strict=True):
                    of_type(*pair)

        stand.tell(story)

    def test_an_unknown_register_is_an_error_and_no_crash(self, stand: Stand) -> None:
        """It is refused, or answered with an error, and the device goes on answering."""
        unknown = Register("NO_SUCH_REGISTER", 0x7FFF_FFFF)

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                try:
                    (answer,) = await subject.read(device, [unknown])
                except DSMILError:
                    answer = DSMILError("refused")
                assert isinstance(answer, DSMILError)
                await require_readable(subject, device)

        stand.tell(story)

    def test_what_is_written_is_read_back(self, stand: Stand) -> None:
        """Every writable register takes another value, shows it, and takes the old one again."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                for register in readable(device):
                    if register.writable and not register.volatile:
                        await write_and_put_back(subject, device, register)

        self._needs(Capability.WRITE)
        stand.tell(story)

    def test_what_cannot_be_written_is_refused(self, stand: Stand) -> None:
        """A write to a read-only register is refused, and so is any write without the capability."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                for register in device.registers:
                    if not register.writable:
                        with pytest.raises(REFUSALS):
                            await subject.write(device, register, another_value(register, None))

        stand.tell(story)

    def test_declared_commands_are_accepted_and_others_refused(self, stand: Stand) -> None:
        """Every declared command runs with what it requires; an undeclared one is refused."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                for name, command in subject.commands.items():
                    result = await subject.command(device, name, arguments_of(command))
                    assert result is None or isinstance(result, int | float | str | bool)
                with pytest.raises(REFUSALS):
                    await subject.command(device, "no_such_command", {})
                await require_readable(subject, device)

        stand.tell(story)

    def test_a_reset_device_answers(self, stand: Stand) -> None:
        """After a reset a device still answers."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                await subject.reset(device)
                await require_readable(subject, device)

        if not implements(self.driver_class, "reset"):
            pytest.skip("this driver does not reset")
        stand.tell(story)

    def test_the_safe_state_is_reached_from_anywhere_and_stays(self, stand: Stand) -> None:
        """Driven there twice, every register with a safe value shows it each time."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                for register in safe(device):
                    await subject.write(device, register, another_value(register, register.safe))
                for _ in range(2):
                    await subject.safe_state(device)
                    await require_safe(subject, device)

        stand.tell(story)

    def test_a_read_that_is_cut_off_leaves_the_device_usable(self, stand: Stand) -> None:
        """Cancelled at the start and in the middle, the next read answers its own question."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            for device in devices:
                for pause in (0.0, 0.001):
                    cut = asyncio.ensure_future(read_all(subject, device))
                    await asyncio.sleep(pause)
                    cut.cancel()
                    await asyncio.gather(cut, return_exceptions=True)
                    await require_readable(subject, device)

        stand.tell(story)

    def test_a_batch_answers_as_single_questions_do(self, stand: Stand) -> None:
        """A batch has an answer or None per device; what does not move by itself is the same both ways."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            batch = await subject.read_many([(device, readable(device)) for device in devices])
            assert len(batch) == len(devices)
            for device, answers in zip(devices, batch, strict=True):
                if answers is not None:
                    require_alike(readable(device), answers, await read_all(subject, device))

        self._needs(Capability.BATCH)
        stand.tell(story)

    def test_a_batch_stop_reaches_every_device_or_says_which_not(self, stand: Stand) -> None:
        """True means that the device shows its safe state; None and errors leave it to be driven alone."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            outcomes = await subject.safe_many(devices)
            assert len(outcomes) == len(devices)
            for device, outcome in zip(devices, outcomes, strict=True):
                if outcome is True:
                    await require_safe(subject, device)
                else:
                    assert outcome is None or isinstance(outcome, DSMILError)

        self._needs(Capability.BATCH)
        self._needs(Capability.WRITE)
        stand.tell(story)

    def test_a_subscription_brings_values_until_it_is_closed(self, stand: Stand) -> None:
        """The first values come, of devices and registers that were asked for, and closing ends it."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            names = [register.name for register in readable(devices[0])]
            values = aiter(subject.subscribe(devices, names, 0.05))
            first = await anext(values)
            assert first
            for device, register, value in first:
                assert device in devices
                assert register.name in names
                assert of_type(register, value)
            close = getattr(values, "aclose", None)
            if close is not None:
                await close()

        self._needs(Capability.SUBSCRIBE)
        stand.tell(story)

    def test_it_names_what_is_absent_and_forgets_what_it_keeps(self, stand: Stand) -> None:
        """Absent parts have reasons; after forgetting there is nothing more to forget."""

        async def story(subject: Driver, devices: Sequence[Device]) -> None:
            assert all(part and reason for part, reason in (await subject.absent()).items())
            await subject.forget()
            assert await subject.forget() == 0

        stand.tell(story)

    def _needs(self, capability: Capability) -> None:
        if capability not in self.driver_class.capabilities:
            pytest.skip(f"this driver does not {capability}")
