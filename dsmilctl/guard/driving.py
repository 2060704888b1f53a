"""Driving: one run of an emergency stop over all devices at once, until each confirms or time is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from dsmilctl.clock import Clock
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, NotFound, OperationTimeout
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Confirmation, StopOutcome
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

LOGGER = logging.getLogger("dsmilctl.guard.stop")

ATTEMPT = 0.5
"""Seconds that the first attempt on one device may take; each further one may take twice as long."""

PAUSE = 0.02
"""Seconds before the second attempt; each further pause is twice as long, up to LONGEST_PAUSE."""

LONGEST_PAUSE = 0.32
LAST_MOMENT = 0.1
"""Seconds after the deadline in which calls that were broken off may end."""

MOMENT = 0.001

Report = Callable[[Confirmation], None]


def silence(confirmation: Confirmation) -> None:
    """Report to nobody."""
    del confirmation


Find = Callable[[], Awaitable[Sequence[Managed]]]
"""Finds the devices of one driver, or raises why there are none."""


class Crew(msgspec.Struct, frozen=True):
    """The devices of one driver, which may have to be found first; `wanted` None is all of them.

    A driver that names no devices in time is told as UNCONFIRMED, unless it is `quiet`: one that is only
    asked whether it has what is looked for.  What was looked for in vain is `missing`, each with the reason;
    it is asked when the run is over.
    """

    driver: str
    find: Find
    wanted: frozenset[DeviceId] | None = None
    quiet: bool = False
    missing: Callable[[], Mapping[DeviceId, str]] = dict


def crews_of(
    parts: Sequence[tuple[str, Find]], devices: Sequence[Device] | None, part_of: Callable[[Device], str]
) -> list[Crew]:
    """A crew for each driver, or for those alone that have one of the devices."""
    if devices is None:
        return [Crew(name, find) for name, find in parts]
    wanted: dict[str, set[DeviceId]] = {}
    for device in devices:
        wanted.setdefault(part_of(device), set()).add(device.device_id)
    crews = [Crew(name, find, frozenset(wanted.pop(name, ()))) for name, find in parts]
    strangers = [Crew(name, partial(_nobody, name), frozenset(ids)) for name, ids in wanted.items()]
    return crews + strangers


def _tell_fault(crew: asyncio.Task[None]) -> None:
    """Log what ended a crew before its time: its devices are UNCONFIRMED, and nobody else hears of it."""
    if not crew.cancelled() and (fault := crew.exception()) is not None:
        LOGGER.error("%s was given up: %r", crew.get_name(), fault, exc_info=fault)


async def _nobody(name: str) -> list[Managed]:
    raise NotFound(f"this fleet has no driver {name}", hint="dsmilctl driver list", target=name)


class Driving:
    """One run.  A driver that hangs or fails holds up its own devices only."""

    def __init__(self, lifecycle: Lifecycle, clock: Clock, deadline: float, report: Report = silence) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._deadline = deadline
        self._begun = clock.monotonic()
        self._report = report
        self._members: dict[str, Sequence[Managed]] = {}
        self._known: dict[int, Confirmation] = {}
        self._tried: dict[int, tuple[int, str]] = {}
        self._strays: list[Confirmation] = []
        self._over = False

    async def all(self, crews: Sequence[Crew]) -> None:
        """Drive the devices of every driver; returns at the deadline, whatever a driver does."""
        self._members = {crew.driver: () for crew in crews}
        tasks = [asyncio.create_task(self._crew(crew), name=f"driver {crew.driver}") for crew in crews]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._left() + LAST_MOMENT)
        finally:
            self._over = True
            for task in tasks:
                task.cancel()
                task.add_done_callback(_tell_fault)
            for name, why in [item for crew in crews for item in crew.missing().items()]:
                self._stray(name, why)

    def confirmations(self) -> list[Confirmation]:
        """What is known of each device, in the fleet's order, and of each driver that named none."""
        elapsed = (self._clock.monotonic() - self._begun) * 1000
        return self._strays + [
            self._known.get(id(managed)) or self._unfinished(managed, elapsed)
            for devices in self._members.values()
            for managed in devices
        ]

    def _unfinished(self, managed: Managed, elapsed: float) -> Confirmation:
        """What is known of a device that was still being tried when time was over."""
        attempts, error = self._tried.get(id(managed), (0, ""))
        said = error or "no answer in time"
        return Confirmation(managed.device.device_id, StopOutcome.UNCONFIRMED, elapsed, attempts, said)

    async def _crew(self, crew: Crew) -> None:
        devices: Sequence[Managed] = ()
        if crew.wanted == frozenset():
            return
        try:
            async with asyncio.timeout(self._left()):
                devices = await crew.find()
        except TimeoutError:
            self._nameless(crew, f"it did not name its devices within {self._deadline:g} s")
        except Exception as error:  # a driver may fail with anything; the others are driven all the same
            self._nameless(crew, str(error) or type(error).__name__)
        if crew.wanted is not None:
            devices = [managed for managed in devices if managed.device.device_id in crew.wanted]
            missing = crew.wanted - {managed.device.device_id for managed in devices}
            for device_id in sorted(missing, key=str):
                self._stray(device_id, f"driver {crew.driver} does not know it now")
        self._members[crew.driver] = devices
        await self._devices(devices)

    async def _devices(self, devices: Sequence[Managed]) -> None:
        """Those of a driver that takes batches in one go, every other one on its own."""
        drivable = []
        for managed in devices:
            if managed.stoppable:
                drivable.append(managed)
            else:
                self._note(managed, StopOutcome.NOT_APPLICABLE, 0)
        answers = await self._lifecycle.apply_safe_many(drivable, self._left(ATTEMPT))
        told = [managed for managed, answer in zip(drivable, answers, strict=True) if answer is True]
        alone = [managed for managed, answer in zip(drivable, answers, strict=True) if answer is not True]
        await asyncio.gather(self._confirm(told), *(self._drive(managed) for managed in alone))

    async def _confirm(self, devices: Sequence[Managed]) -> None:
        """Read back what was told; those that do not show their safe state are driven again, each alone."""
        if not devices:
            return
        if devices[0].driver.confirms_stops:
            for managed in devices:
                self._note(managed, StopOutcome.STOPPED, 1)
            return
        tables: dict[int, tuple[Register, ...]] = {}  # devices of one model share theirs
        for item in devices:
            if id(item.device.registers) not in tables:
                tables[id(item.device.registers)] = readable_safe_registers(item)
        wanted = [(managed, tables[id(managed.device.registers)]) for managed in devices]
        answers = await self._lifecycle.read_many(wanted, deadline=self._left(ATTEMPT))
        rest = []
        for (managed, registers), readings in zip(wanted, answers, strict=True):
            if in_safe_state(registers, readings):
                self._note(managed, StopOutcome.STOPPED, 1)
            else:
                rest.append(managed)
        await asyncio.gather(*(self._drive(managed) for managed in rest))

    async def _drive(self, managed: Managed) -> None:
        """Try until it confirms; a slow device gets a longer attempt each time."""
        attempts, pause, time, error = 0, PAUSE, ATTEMPT, ""
        while True:
            attempts += 1
            self._tried[id(managed)] = (attempts, error)
            outcome, error = await self._attempt(managed, time)
            if outcome is StopOutcome.STOPPED or self._left() <= pause:
                break
            LOGGER.debug("%s: attempt %d: %s", managed.device.shown_id, attempts, error)
            await asyncio.sleep(pause)
            pause, time = min(pause * 2, LONGEST_PAUSE), time * 2
        self._note(managed, outcome, attempts, error)

    async def _attempt(self, managed: Managed, time: float) -> tuple[StopOutcome, str]:
        """One write of the safe state and one look whether it is there, each within `time` seconds."""
        registers = readable_safe_registers(managed)
        try:
            await self._lifecycle.apply_safe_state(managed, self._left(time))
            if managed.driver.confirms_stops:
                return StopOutcome.STOPPED, ""
            readings = await self._lifecycle.read(managed, registers, deadline=self._left(time))
        except OperationTimeout as error:
            return StopOutcome.UNCONFIRMED, error.message
        except DSMILError as error:
            return StopOutcome.FAILED, error.message
        if in_safe_state(registers, readings):
            return StopOutcome.STOPPED, ""
        return StopOutcome.UNCONFIRMED, why(registers, readings)

    def _left(self, most: float = float("inf")) -> float:
        """Seconds until the deadline, at least a moment: every device is told at least once."""
        return max(MOMENT, min(most, self._begun + self._deadline - self._clock.monotonic()))

    def _note(self, managed: Managed, outcome: StopOutcome, attempts: int, error: str = "") -> None:
        if not self._over:
            self._known[id(managed)] = self._tell(managed.device.device_id, outcome, attempts, error)

    def _nameless(self, crew: Crew, error: str) -> None:
        if not crew.quiet:
            self._stray(f"driver {crew.driver}", error)

    def _stray(self, name: DeviceId, error: str) -> None:
        self._strays.append(self._tell(name, StopOutcome.UNCONFIRMED, 0, error))

    def _tell(self, name: DeviceId, outcome: StopOutcome, attempts: int, error: str) -> Confirmation:
        elapsed = (self._clock.monotonic() - self._begun) * 1000
        confirmation = Confirmation(name, outcome, elapsed, attempts, error)
        try:
            self._report(confirmation)
        except Exception:  # a screen or a pipe that is gone must not keep a device from being stopped
            LOGGER.exception("a confirmation could not be told")
        return confirmation


def safe_registers(managed: Managed) -> tuple[Register, ...]:
    """The registers that have a safe value."""
    return tuple(item for item in managed.device.registers if item.safe is not None and item.writable)


def readable_safe_registers(managed: Managed) -> tuple[Register, ...]:
    """The registers whose safe value can be read back."""
    return tuple(item for item in safe_registers(managed) if item.readable and not item.volatile)


def in_safe_state(registers: Iterable[Register], readings: Iterable[Reading]) -> bool:
    """Whether the readings show every register at its safe value."""
    return all(
        reading.value is not None
        and register.safe is not None
        and register.confirms(register.safe, reading.value)
        for register, reading in zip(registers, readings, strict=True)
    )


def why(registers: Iterable[Register], readings: Iterable[Reading]) -> str:
    """What is wrong with the first register that does not show its safe value."""
    for register, reading in zip(registers, readings, strict=True):
        if reading.value is None:
            return f"it was told, but {reading.error}"
        if register.safe is not None and not register.confirms(register.safe, reading.value):
            return f"{register.name} still reads {register.format(reading.value)}"
    return ""
