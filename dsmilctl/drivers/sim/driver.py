"""The simulator as a driver: registers from signals, writes into the store, faults in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.contract import Answer, Capability, Command, Driver, DriverContext
from dsmilctl.drivers.sim.commands import COMMANDS, require_command, settings_of
from dsmilctl.drivers.sim.faults import Fault, Faults
from dsmilctl.drivers.sim.kept import Edit, activated, cleared, configured, edit
from dsmilctl.drivers.sim.options import SimOptions
from dsmilctl.drivers.sim.registers import (
    ERROR_BIT,
    MAINTENANCE,
    POSITIONS,
    SENSOR_FAILED,
    WORD,
    require_inside,
    unknown_register,
)
from dsmilctl.drivers.sim.roster import Facts, roster
from dsmilctl.drivers.sim.signals import Signals, State
from dsmilctl.drivers.sim.store import Store
from dsmilctl.drivers.sim.wire import Wire
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value

if TYPE_CHECKING:
    from dsmilctl.drivers.sim.past import Past

Pick = Callable[[State], Sequence[Answer]]


class SimDriver(Driver):
    """Simulated DSMIL devices.  Source of the device table and registers: the DSMIL API, version 2."""

    name = "sim"
    summary = "simulated DSMIL devices: deterministic signals, faults on demand"
    options = SimOptions
    made_up = True
    policy = "dsmil"
    capabilities = frozenset(
        {
            Capability.DISCOVER,
            Capability.READ,
            Capability.WRITE,
            Capability.CONTROL,
            Capability.BATCH,
            Capability.SPAN,
        }
    )
    commands: ClassVar[Mapping[str, Command]] = COMMANDS

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self._faults = Faults(options.faults, options.layout)
        folder = context.state_folder if options.persist else None
        self._store = Store(folder, context.logger, self._changed)
        self._signals = Signals(options.seed, options.period, options.layout, self._store.get)
        self._wire = Wire(options.wire_log, context.clock)
        self._past: Past | None = None
        if options.past_days:
            from dsmilctl.drivers.sim.past import Past

            self._past = Past(options, context.clock.now())
            self.past_end = self._past.end

    def past(
        self, device: Device, register: Register, since: int | None, until: int | None
    ) -> Iterator[tuple[int, Answer]]:
        """What the signals were before the simulator began, with the failures planted in them."""
        return iter(()) if self._past is None else self._past.values(device, register, since, until)

    async def discover(self) -> Sequence[Device]:
        """Every simulated device in the order of the ids, with the settings it keeps among its facts."""
        self._store.refresh()
        return roster(self.settings.devices, self.settings.layout, self._kept_settings)

    def plain(self, device: Device) -> bool:
        """A device has a conversation to open only where a fault can refuse it."""
        fault = self._faults.of(_number(device))
        return fault is None or fault.kind not in ("disconnect", "flapping")

    async def open(self, device: Device) -> None:
        """Raises ConnectionError where a fault refuses the conversation."""
        self._refuse(device, self._faults.of(_number(device)))

    async def shutdown(self) -> None:
        """Finish what is being written."""
        await self._store.close()
        self._wire.close()

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        """The registers now; with a span the bytes of it, little-endian; an unknown register is an error."""
        await self._suffer(device)
        self._store.refresh()
        state = self._state(_number(device), self._moment())
        if span is not None:
            return [self._part(device, register, state, span) for register in registers]
        return _picker(registers)(state)

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        """The registers of many devices now; None for a device that a fault makes wait or fail."""
        self._store.refresh()
        moment, faulty = self._moment(), bool(self._faults)
        compute = self._state if faulty else self._signals.state
        answers: list[Sequence[Answer] | None] = []
        asked: Sequence[Register] | None = None
        pick: Pick = _picker(())
        for device, registers in wanted:
            if faulty and self._waits(device):
                answers.append(None)
                continue
            if registers is not asked:
                asked, pick = registers, _picker(registers)
            answers.append(pick(compute(_number(device), moment)))
        return answers

    async def write(self, device: Device, register: Register, value: Value) -> None:
        """Keep a value of CONFIG or DATA; raises InvalidParameter for any other register or value."""
        if register.name not in ("CONFIG", "DATA"):
            message = f"{register.name} of {device.shown_id} is read-only"
            raise InvalidParameter(message, hint="CONFIG and DATA can be written", target=register.name)
        register.check(value)
        await self._suffer(device)
        self._wire.note([(_number(device), register.name, value)])
        await self._keep(device, edit(self.context.clock.now(), **{register.name.lower(): value}))

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        """Carry out one of the commands; `identify` returns the device's name, `configure` its settings."""
        require_command(name, arguments)
        settings = settings_of(arguments)
        await self._suffer(device)
        if name == "identify":
            return f"{device.shown_id} {device.name}"
        self._wire.note([(_number(device), name, settings)])
        now = self.context.clock.now()
        edits = {
            "configure": configured(now, settings),
            "activate": activated(now),
            "deactivate": edit(now, active=False),
            "reset": cleared,
        }
        await self._keep(device, edits[name])
        if name != "configure":
            return None
        return " ".join(f"{key}={value}" for key, value in self._kept_settings(_number(device)))

    async def reset(self, device: Device) -> None:
        """Forget everything written to the device."""
        await self.command(device, "reset", {})

    async def safe_state(self, device: Device) -> None:
        """Maintenance mode and DATA 0."""
        await self._suffer(device)
        await self._make_safe([device])

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        """Safe state of many devices with one write of the store; None where a fault makes wait or fail."""
        waits = [self._waits(device) for device in devices]
        await self._make_safe([device for device, wait in zip(devices, waits, strict=True) if not wait])
        return [None if wait else True for wait in waits]

    async def forget(self) -> int:
        """Drop everything ever written to simulated devices; how many kept something."""
        return await self._store.forget()

    async def _make_safe(self, devices: Sequence[Device]) -> None:
        if not devices:
            return
        for register in ("CONFIG", "DATA"):
            value = MAINTENANCE if register == "CONFIG" else 0
            self._wire.note((_number(device), register, value) for device in devices)
        safe = edit(self.context.clock.now(), config=MAINTENANCE, data=0)
        await self._store.put((_number(device), safe) for device in devices)

    async def _keep(self, device: Device, change: Edit) -> None:
        await self._store.put([(_number(device), change)])

    def _moment(self) -> float:
        return self.context.clock.now() / NANOSECONDS

    def _state(self, number: int, moment: float) -> State:
        state = self._signals.state(number, moment)
        fault = self._faults.of(number)
        return _wrong(state) if fault is not None and fault.kind == "wrong" else state

    def _changed(self, device_ids: Iterable[int] | None) -> None:
        if device_ids is None:
            self._signals.all_changed()
        else:
            self._signals.changed(device_ids)

    def _part(self, device: Device, register: Register, state: State, span: Span) -> Answer:
        position = POSITIONS.get(register.name)
        if position is None:
            return unknown_register(register.name)
        require_inside(register.name, span)
        block = state[position].to_bytes(WORD, "little")
        if span.offset + span.length > WORD:
            words = (
                self._signals.word(_number(device), register.address, at) for at in range(WORD, 64, WORD)
            )
            block += b"".join(word.to_bytes(WORD, "little") for word in words)
        return int.from_bytes(block[span.offset : span.offset + span.length], "little")

    def _kept_settings(self, device_id: int) -> Facts:
        kept = self._store.get(device_id)
        return tuple((key, str(value)) for key, value in kept.settings.items()) if kept else ()

    def _waits(self, device: Device) -> bool:
        """Whether the device has to be asked on its own, because its fault takes time or fails."""
        fault = self._faults.of(_number(device))
        return fault is not None and (fault.kind in ("silent", "slow") or self._refused(fault))

    async def _suffer(self, device: Device) -> None:
        """Wait or fail as the device's fault wants."""
        fault = self._faults.of(_number(device))
        if fault is None:
            return
        self._refuse(device, fault)
        if fault.kind == "silent":
            await asyncio.Event().wait()
        if fault.kind == "slow":
            await asyncio.sleep(fault.argument)

    def _refuse(self, device: Device, fault: Fault | None) -> None:
        if fault is not None and self._refused(fault):
            raise ConnectionError(f"connection to {device.shown_id} refused (simulated)")

    def _refused(self, fault: Fault) -> bool:
        if fault.kind == "flapping":
            return int(self._moment() / fault.argument) % 2 == 0
        return fault.kind == "disconnect"


def _number(device: Device) -> int:
    if isinstance(device.device_id, int):
        return device.device_id
    raise InvalidParameter(f"{show_id(device.device_id)} is not a simulated device", target=device.device_id)


def _picker(registers: Sequence[Register]) -> Pick:
    positions = [POSITIONS.get(register.name) for register in registers]
    if len(positions) > 1 and None not in positions:
        return itemgetter(*positions)
    return lambda state: [
        unknown_register(register.name) if position is None else state[position]
        for register, position in zip(registers, positions, strict=True)
    ]


def _wrong(state: State) -> State:
    """A state that cannot be: failed sensors, and an error that says so."""
    status, config, data, temperature, voltage, _ = state
    return status | ERROR_BIT, config, data, temperature | ERROR_BIT, voltage | ERROR_BIT, SENSOR_FAILED
