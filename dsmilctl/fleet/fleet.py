"""Fleet: the devices of a context, opened through their drivers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.contract import Driver, DriverContext
from dsmilctl.drivers.lifecycle import DEADLINE, Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import ConfigError, Conflict, InvalidParameter, NotFound
from dsmilctl.fleet.bus import Bus
from dsmilctl.model.device import Device, DeviceId, DeviceStatus
from dsmilctl.model.reading import Reading, Span
from dsmilctl.model.register import Register, find_register
from dsmilctl.model.selector import Selector, select

LOGGER = logging.getLogger("dsmilctl.fleet")


class DriverSpec(msgspec.Struct, frozen=True):
    """A driver of a fleet, its options, and the folder where it may keep state."""

    driver: str
    options: Mapping[str, Any]
    state_folder: Path


class Fleet:
    """Opens drivers, knows their devices and reads them.  Changes go through the guard."""

    def __init__(
        self,
        specs: Sequence[DriverSpec],
        registry: Registry,
        *,
        clock: Clock = SYSTEM,
        reconnect: Reconnect | None = None,
        deadline: float = DEADLINE,
        disabled: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.bus = Bus()
        self.clock = clock
        self.deadline = deadline
        self.lifecycle = Lifecycle(clock=clock, reconnect=reconnect, announce=self.bus.events.send)
        self.drivers: dict[str, Driver] = {}
        self._specs = specs
        self._registry = registry
        self._disabled = disabled
        self._devices: dict[DeviceId, Managed] | None = None
        self._discovering = asyncio.Lock()

    async def open(self) -> None:
        """Load the drivers; raises ConfigError, NotFound or MissingExtraError for one that cannot."""
        switched_off = self._disabled()
        for spec in self._specs:
            if spec.driver in switched_off:
                LOGGER.warning("driver %s is disabled: %s", spec.driver, switched_off[spec.driver])
            elif spec.driver not in self.drivers:
                self.drivers[spec.driver] = self._make(spec)

    def _make(self, spec: DriverSpec) -> Driver:
        kind = self._registry.load(spec.driver)
        try:
            options = msgspec.convert(dict(spec.options), kind.options)
        except msgspec.ValidationError as error:
            known = ", ".join(kind.options.__struct_fields__) or "none"
            message = f"driver {spec.driver}: options: {error}"
            raise ConfigError(
                message, hint=f"options of {spec.driver}: {known}", target=spec.driver
            ) from error
        logger = logging.getLogger(f"dsmilctl.drivers.{spec.driver}")
        return kind(options, DriverContext(spec.state_folder, self.clock, logger))

    async def close(self) -> None:
        """Close every device and driver; what fails on the way out is logged and holds nothing up."""
        managed = [item for item in (self._devices or {}).values() if item.connected and not item.plain]
        for outcome in await asyncio.gather(
            *(self.lifecycle.disconnect(item, self.deadline) for item in managed), return_exceptions=True
        ):
            if isinstance(outcome, BaseException):
                LOGGER.warning("closing a device: %s", outcome)
        for driver in self.drivers.values():
            await driver.shutdown()
        self.bus.close()

    @property
    def discovered(self) -> bool:
        """Whether the drivers were asked for their devices."""
        return self._devices is not None

    async def all(self) -> dict[DeviceId, Managed]:
        """Every device by id; the first call asks the drivers."""
        if self._devices is None:
            async with self._discovering:
                if self._devices is None:
                    self._devices = await self._discover()
        return self._devices

    async def _discover(self) -> dict[DeviceId, Managed]:
        now = self.clock.now()
        found: dict[DeviceId, Managed] = {}
        for driver in self.drivers.values():
            for device in await driver.discover():
                if device.device_id in found:
                    other = found[device.device_id].driver.name
                    message = f"{device.shown_id} is offered by {other} and by {driver.name}"
                    raise Conflict(message, device_id=device.device_id, hint="give one of them another id")
                found[device.device_id] = Managed(device, driver, now)
        return found

    async def select(self, selector: Selector, *, quarantined: bool = False) -> list[Device]:
        """The devices that a selector names."""
        devices = await self.all()
        known = [managed.device for managed in devices.values()]

        def status(device_id: DeviceId) -> DeviceStatus | None:
            return devices[device_id].status if device_id in devices else None

        return select(selector, known, status, quarantined=quarantined)

    async def managed(self, device_id: DeviceId) -> Managed:
        """One device; raises NotFound."""
        devices = await self.all()
        if device_id not in devices:
            raise NotFound(f"no device {device_id}", hint="dsmilctl device list", target=str(device_id))
        return devices[device_id]

    async def read(
        self,
        wanted: Sequence[tuple[Managed, Sequence[Register]]],
        *,
        span: Span | None = None,
        concurrency: int = 0,
    ) -> list[Reading]:
        """Readings in the order asked for; devices that fail give bad readings and delay nobody."""
        if span is not None or concurrency:
            return await self._read_singly(wanted, span, concurrency or len(wanted))
        results: list[list[Reading]] = [[] for _ in wanted]
        groups: dict[str, list[int]] = {}
        for index, (managed, _) in enumerate(wanted):
            groups.setdefault(managed.driver.name, []).append(index)
        answers = await asyncio.gather(
            *(
                self.lifecycle.read_many([wanted[index] for index in group], deadline=self.deadline)
                for group in groups.values()
            )
        )
        for group, readings in zip(groups.values(), answers, strict=True):
            for index, result in zip(group, readings, strict=True):
                results[index] = result
        return [reading for result in results for reading in result]

    async def _read_singly(
        self, wanted: Sequence[tuple[Managed, Sequence[Register]]], span: Span | None, concurrency: int
    ) -> list[Reading]:
        places = asyncio.Semaphore(concurrency)

        async def read(managed: Managed, registers: Sequence[Register]) -> list[Reading]:
            async with places:
                return await self.lifecycle.read(managed, registers, span=span, deadline=self.deadline)

        results = await asyncio.gather(*(read(*item) for item in wanted))
        return [reading for result in results for reading in result]


def registers_of(devices: Sequence[Device], names: Sequence[str]) -> list[tuple[Register, ...]]:
    """For each device the registers of those names that it has; without names its default register.

    Raises InvalidParameter for a name that none of the devices has, and for one that cannot be read.
    """
    if not names:
        return [default_registers(device) for device in devices]
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
        if not register.readable:
            raise InvalidParameter(f"{register.name} is write-only", target=name)
        return
    if problem:
        raise problem


def _known(registers: Sequence[Register], names: Sequence[str]) -> tuple[Register, ...]:
    found = []
    for name in names:
        try:
            found.append(find_register(registers, name))
        except InvalidParameter:
            continue  # another device of the selection has it
    return tuple(found)
