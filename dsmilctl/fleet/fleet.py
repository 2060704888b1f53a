"""Fleet: the devices of a context, opened through their drivers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.contract import Driver, DriverContext, no_secret
from dsmilctl.drivers.lifecycle import DEADLINE, Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import (
    ConfigError,
    Conflict,
    DeviceNotFound,
    DSMILError,
    HardwareError,
    NetworkError,
    StateUnavailable,
    nearest,
)
from dsmilctl.fleet.bus import Bus
from dsmilctl.fleet.polls import Polls
from dsmilctl.fleet.switches import SwitchedOff
from dsmilctl.model.device import Device, DeviceId, DeviceStatus, show_id
from dsmilctl.model.reading import Reading, Span
from dsmilctl.model.register import Register
from dsmilctl.model.selector import Selector, select

if TYPE_CHECKING:
    from dsmilctl.fleet.alarms import Alarms

LOGGER = logging.getLogger("dsmilctl.fleet")

DISCOVERY = 10.0
"""Seconds that a driver may take to name its devices."""

MOST_COMPARED = 2000
"""Names that an unknown one is compared with."""


class DriverSpec(msgspec.Struct, frozen=True):
    """A driver of a fleet, its options, and the folder where it may keep state.

    `name` tells several of one driver apart, such as one for each server; without one it is the driver's.
    `secret` finds what the options only refer to.
    """

    driver: str
    options: Mapping[str, Any]
    state_folder: Path
    name: str = ""
    secret: Callable[[str], str | None] = no_secret

    @property
    def key(self) -> str:
        """What this driver is called within its fleet."""
        return self.name or self.driver


class Fleet:
    """Opens drivers, knows their devices and reads them.  Changes go through the guard.

    `broken` are parts of it of which nobody could read what they are, each with the reason.
    """

    def __init__(
        self,
        specs: Sequence[DriverSpec],
        registry: Registry,
        *,
        clock: Clock = SYSTEM,
        reconnect: Reconnect | None = None,
        deadline: float = DEADLINE,
        disabled: Callable[[], Mapping[str, str]] = dict,
        broken: Mapping[str, str] | None = None,
    ) -> None:
        self.bus, self.polls = Bus(), Polls()
        self.alarms: Alarms | None = None  # of a fleet that somebody watches
        self.clock = clock
        self.deadline = deadline
        self.lifecycle = Lifecycle(clock=clock, reconnect=reconnect, announce=self.bus.events.send)
        self.drivers: dict[str, Driver] = {}
        self.absent: dict[str, DSMILError] = {}
        """The drivers of this fleet that bring no devices now, each with the reason and what to do."""
        self._broken = {name: ConfigError(reason, target=name) for name, reason in (broken or {}).items()}
        self.absent |= self._broken
        self._specs = specs
        self._registry = registry
        self._disabled = disabled
        self._found: dict[str, list[Managed]] = {}
        self._devices: dict[DeviceId, Managed] | None = None
        self._finding: dict[str, asyncio.Lock] = {}

    async def open(self) -> None:
        """Load the drivers; raises ConfigError, NotFound or MissingExtraError for one that cannot."""
        self.polls.open()
        for error in self.load():
            raise error

    def load(self) -> list[DSMILError]:
        """Load every driver that can be loaded, but for those somebody disabled; what stood in the way."""
        switched_off: Mapping[str, str] = {}
        problems: list[DSMILError] = [*self._broken.values()]
        try:
            switched_off = self._disabled()
        except StateUnavailable as error:
            problems.append(error)
        for spec in self._specs:
            name = spec.key
            if spec.driver in switched_off:
                self.absent[name] = SwitchedOff(spec.driver, switched_off[spec.driver])
            elif name not in self.drivers:
                try:
                    self.drivers[name] = self._make(spec)
                except DSMILError as error:
                    self.absent[name] = error
                    problems.append(error)
                else:
                    self.absent.pop(name, None)
                    LOGGER.info("driver %s loaded: %s", name, self.drivers[name].summary)
        return problems

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
        logger = logging.getLogger(f"dsmilctl.drivers.{spec.key}")
        try:
            driver = kind(options, DriverContext(spec.state_folder, self.clock, logger, spec.secret))
            if logger.isEnabledFor(logging.DEBUG):
                from dsmilctl.drivers.traced import trace

                trace(driver, logger, self.clock)
            return driver
        except DSMILError:
            raise
        except Exception as error:  # a stranger's driver may fail with anything; it must hurt only itself
            message = f"driver {spec.driver} cannot be used: {type(error).__name__}: {error}"
            hint = f"options of {spec.driver}: {', '.join(kind.options.__struct_fields__) or 'none'}"
            raise ConfigError(message, hint=hint, target=spec.driver) from error

    async def close(self) -> None:
        """End every poll, close devices and drivers; what fails then is logged and holds nothing up."""
        await self.polls.end(self.deadline)
        known = [item for found in self._found.values() for item in found]
        talking = [item for item in known if item.connected and not item.plain]
        await _all_of([self.lifecycle.disconnect(item, self.deadline) for item in talking])
        await _all_of([self._shut_down(driver) for driver in self.drivers.values()])
        self.bus.close()

    async def _shut_down(self, driver: Driver) -> None:
        async with asyncio.timeout(self.deadline):
            await driver.shutdown()

    @property
    def discovered(self) -> bool:
        """Whether the drivers were asked for their devices."""
        return self._devices is not None

    async def all(self) -> dict[DeviceId, Managed]:
        """Every device by id; the first call asks the drivers.

        A driver that fails is left out and said; raises its error where no driver brought a device, and
        Conflict where two devices have one id.
        """
        if self._devices is None:
            failed = await self._ask_drivers()
            devices = self._merged()
            if failed and not devices:
                raise failed[0]
            self._devices = devices
        return self._devices

    async def _ask_drivers(self) -> list[DSMILError]:
        async def ask(name: str) -> DSMILError | None:
            try:
                await self.find(name)
            except DSMILError as error:
                LOGGER.warning("%s: its devices are left out", error)
                return error
            return None

        return [error for error in await asyncio.gather(*map(ask, self.drivers)) if error is not None]

    def _merged(self) -> dict[DeviceId, Managed]:
        devices: dict[DeviceId, Managed] = {}
        for name in self.drivers:
            for managed in self._found.get(name, ()):
                device = managed.device
                if device.device_id in devices:
                    other = self._called(devices[device.device_id].driver)
                    message = f"{device.shown_id} is offered by {other} and by {name}"
                    raise Conflict(message, device_id=device.device_id, hint="give one of them another id")
                devices[device.device_id] = managed
        return devices

    async def find(self, name: str) -> list[Managed]:
        """The devices of one driver; the first call asks it.  Raises NetworkError or HardwareError."""
        async with self._finding.setdefault(name, asyncio.Lock()):
            if name not in self._found:
                self._found[name] = self._manage(name, await self._discover(name))
        return self._found[name]

    def part_of(self, device: Device) -> str:
        """What the driver that brought a device is called within this fleet."""
        managed = (self._devices or {}).get(device.device_id)
        return self._called(managed.driver) if managed else device.driver

    def knows_parts_of(self, devices: Iterable[Device]) -> bool:
        """Whether `part_of` is certain: before devices are found a driver may have a name of its own here."""
        renamed = {spec.driver for spec in self._specs} - {spec.key for spec in self._specs}
        return not any(self.part_of(device) in renamed for device in devices)

    def _called(self, driver: Driver) -> str:
        return next((name for name, item in self.drivers.items() if item is driver), driver.name)

    async def _discover(self, name: str) -> Sequence[Device]:
        driver = self.drivers[name]
        try:
            async with asyncio.timeout(DISCOVERY):
                devices = await driver.discover()
        except DSMILError as error:
            self.absent[name] = error
            raise
        except (OSError, TimeoutError) as error:
            what = str(error) or f"no answer within {DISCOVERY:g} s"
            problem = NetworkError(f"driver {name} finds no devices: {what}", hint="dsmilctl doctor")
            self.absent[name] = problem
            raise problem from error
        except Exception as error:  # a stranger's driver may fail with anything; it must hurt only itself
            fault = HardwareError(
                f"driver {name} failed to find devices: {type(error).__name__}: {error}",
                hint="run again with --debug for the traceback",
            )
            self.absent[name] = fault
            raise fault from error
        self.absent.pop(name, None)
        LOGGER.info("driver %s found %d devices", name, len(devices))
        return devices

    def _manage(self, name: str, devices: Sequence[Device]) -> list[Managed]:
        driver, now = self.drivers[name], self.clock.now()
        known = {item.device.device_id: item for item in self._found.get(name, ())}
        managed = []
        for device in devices:
            item = known.get(device.device_id) or Managed(device, driver, now)
            item.device = device
            managed.append(item)
        return managed

    async def rescan(self) -> None:
        """Ask every driver again: new devices join, those that are gone are closed and forgotten."""
        before = await self.all()
        for name in self.drivers:
            try:
                self._found[name] = self._manage(name, await self._discover(name))
            except DSMILError as error:
                LOGGER.warning("%s: its devices stay as they were", error)
        self._devices = self._merged()
        gone = [item for device_id, item in before.items() if device_id not in self._devices]
        await _all_of([self.lifecycle.disconnect(item, self.deadline) for item in gone if item.connected])

    async def drop(self, driver: str) -> None:
        """Close the devices of a driver, and the driver; they are gone from this fleet."""
        for spec in self._specs:
            if spec.driver == driver:
                await self._drop(spec.key)

    async def _drop(self, name: str) -> None:
        driver, found = self.drivers.pop(name, None), self._found.pop(name, [])
        if driver is None:
            return
        self.absent[name] = SwitchedOff(driver.name, "")
        if self._devices is not None:
            self._devices = self._merged()
        await _all_of([self.lifecycle.disconnect(item, self.deadline) for item in found if item.connected])
        await _all_of([self._shut_down(driver)])

    def parts(self) -> list[tuple[str, Callable[[], Awaitable[list[Managed]]]]]:
        """Each driver of this fleet with what finds its devices, or raises why the driver is absent."""
        names = [*(spec.key for spec in self._specs), *self._broken]
        return [(name, partial(self._part, name)) for name in names]

    def latched_elsewhere(self, names: Iterable[str]) -> tuple[str, ...]:
        """The other systems that latch stops of these drivers' devices themselves."""
        known = (self.drivers[name].latched_at for name in names if name in self.drivers)
        return tuple(sorted({place for place in known if place}))

    async def _part(self, name: str) -> list[Managed]:
        if name not in self.drivers:
            raise self.absent[name]
        return await self.find(name)

    async def select(self, selector: Selector, *, quarantined: bool = False) -> list[Device]:
        """The devices that a selector names; where it names none, the error says which drivers are absent."""
        devices = await self.all()
        if (only := selector.only_id) is not None and only in devices:
            return [devices[only].device]
        known = [managed.device for managed in devices.values()]

        def status(device_id: DeviceId) -> DeviceStatus | None:
            return devices[device_id].status if device_id in devices else None

        try:
            found = select(selector, known, status, quarantined=quarantined)
        except DeviceNotFound as error:
            raise self._explained(error) from None
        if not found and self.absent:
            raise self._explained(DeviceNotFound(f"{selector.text} names no device", target=selector.text))
        return found

    def _explained(self, error: DeviceNotFound) -> DeviceNotFound:
        """The same error, which says first what every driver that brings no devices needs."""
        if not self.absent:
            return error
        reasons = "; ".join(problem.message for problem in self.absent.values())
        hint = "; ".join(problem.hint for problem in self.absent.values() if problem.hint) or error.hint
        return DeviceNotFound(f"{error.message} ({reasons})", hint=hint, target=error.target)

    async def managed(self, device_id: DeviceId) -> Managed:
        """One device; raises DeviceNotFound."""
        devices = await self.all()
        if device_id not in devices:
            names = (show_id(known) for known in islice(devices, MOST_COMPARED))
            hint = nearest(show_id(device_id), names) or "dsmilctl device list"
            message = f"no device {show_id(device_id)}"
            raise self._explained(DeviceNotFound(message, device_id=device_id, hint=hint))
        return devices[device_id]

    async def managed_of(self, devices: Sequence[Device]) -> list[Managed]:
        """Those devices, in that order; raises DeviceNotFound for one that is not here."""
        known = await self.all()
        if missing := next((item for item in devices if item.device_id not in known), None):
            await self.managed(missing.device_id)
        return [known[item.device_id] for item in devices]

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
        if len(wanted) == 1:
            return (await self.lifecycle.read_many(wanted, deadline=self.deadline))[0]
        results: list[list[Reading]] = [[] for _ in wanted]
        groups: dict[int, list[int]] = {}
        for index, (managed, _) in enumerate(wanted):
            groups.setdefault(id(managed.driver), []).append(index)
        if len(groups) == 1:  # of one driver, as most are: nothing to do at the same time
            found = await self.lifecycle.read_many(wanted, deadline=self.deadline)
            return [reading for result in found for reading in result]
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


async def _all_of(ends: Sequence[Awaitable[None]]) -> None:
    for outcome in await asyncio.gather(*ends, return_exceptions=True):
        if isinstance(outcome, BaseException):
            LOGGER.warning("on the way out: %s", str(outcome) or type(outcome).__name__)
