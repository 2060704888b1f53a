"""A client over devices in memory, deterministic, on a clock that stands still unless it is moved."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.client.interface import BulkOptions, Client, ContextInfo, DriverInfo, HistoryQuery
from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import (
    DeviceQuarantined,
    EmergencyStopActive,
    JustificationRequired,
    NotFound,
    ReadOnly,
)
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk
from dsmilctl.model.emergency import REASON_PREFIX, Confirmation, Stop, StopOutcome
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import BulkResult, Operation, OperationStatus, OperationType, Request
from dsmilctl.model.reading import Batch, Gap, Reading, Span
from dsmilctl.model.register import Register, find_register
from dsmilctl.model.selector import EVERYTHING, Selector, select

START = 1_760_000_000 * NANOSECONDS

REGISTERS = (
    Register("STATUS", 0, description="bit 0 active, bit 1 fault", hexadecimal=True),
    Register("CONFIG", 4, access="rw", minimum=0, maximum=255, safe=0, description="operating mode"),
    Register("DATA", 8, access="rw", hexadecimal=True, volatile=True),
    Register("TEMP", 12, type="f32", unit="°C", minimum=-40, maximum=150, low=0, high=70),
    Register("VOLTAGE", 16, type="f32", unit="V", minimum=0, maximum=60, low=10, high=14),
)


class FakeClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.elapsed = 100.0

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return START + int(self.elapsed * NANOSECONDS)

    def monotonic(self) -> float:
        """Seconds."""
        return self.elapsed


class World:
    """What is behind every fake client: devices, values, faults, stops and the journal."""

    def __init__(self, devices: Sequence[Device] | None = None, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.devices = tuple(devices if devices is not None else some_devices(12))
        self.silent: set[DeviceId] = set()
        self.states: dict[DeviceId, DeviceStatus] = {}
        self.written: dict[tuple[DeviceId, str], Any] = {}
        self.wire: list[str] = []
        self.stops: list[Stop] = []
        self.past_stops: list[Stop] = []
        self.journal: list[AuditRecord] = []
        self.broken = ""
        self.tampered = False
        self.gap = 0
        self.hushed = False

    def value(self, device: Device, register: Register) -> Any:
        """The value of a register now."""
        key = (device.device_id, register.name)
        if key in self.written:
            return self.written[key]
        number = device.device_id if isinstance(device.device_id, int) else len(device.name)
        wave = math.sin(self.clock.elapsed / 9 + number)
        base = {"TEMP": 43 + number % 7 * 4.5 + 3 * wave, "VOLTAGE": 12 + wave / 5, "STATUS": 1, "CONFIG": 1}
        return base.get(register.name, 0xC0FFEE)

    def note(self, action: str, target: str, decision: str, outcome: str, **parameters: Any) -> None:
        """Append a record to the journal."""
        number = len(self.journal) + 1
        record = AuditRecord(
            sequence=number,
            time=self.clock.now(),
            user="ada",
            host="bench",
            context="plant",
            action=action,
            target=target,
            parameters=parameters,
            decision=decision,
            outcome=outcome,
            operation_id=f"op-{number}",
            previous=f"{number - 1:064x}",
            hash=f"{number:064x}",
        )
        self.journal.append(record)


class FakeClient(Client):
    """One open context over a World."""

    def __init__(self, world: World, *, name: str = "plant", read_only: bool = False) -> None:
        self.world = world
        self.context = ContextInfo(name, "local", "fake devices", read_only)
        self.identity = Identity("ada", "bench")

    async def open(self) -> None:
        if self.world.broken:
            raise ConnectionError(self.world.broken)

    async def close(self) -> None:
        pass

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        return select(selector, self.world.devices, self._status_of, quarantined=quarantined)

    def _status_of(self, device_id: DeviceId) -> DeviceStatus:
        known = self.world.states.get(device_id)
        return known or DeviceStatus(device_id, DeviceState.ACTIVE, "", START, START)

    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        return [self._status_of(device.device_id) for device in devices]

    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        return [reading for device in devices for reading in self._readings(device, registers)]

    def _readings(self, device: Device, names: Sequence[str]) -> list[Reading]:
        wanted = [register for register in device.registers if not names or register.name in names]
        return [self._reading(device, register) for register in wanted]

    def _reading(self, device: Device, register: Register) -> Reading:
        return Reading(
            device.device_id,
            register.name,
            self.world.value(device, register),
            self.world.clock.now(),
            unit=register.unit,
            latency_ms=11.0 + (device.device_id if isinstance(device.device_id, int) else 3) % 5,
        )

    async def change(self, request: Request) -> Operation:
        device = next(item for item in self.world.devices if item.device_id == request.device_id)
        self._check(request, device)
        register = find_register(device.registers, request.register) if request.register else None
        old = self.world.value(device, register) if register else None
        status = OperationStatus.PLANNED if request.dry_run else OperationStatus.SUCCESS
        if not request.dry_run:
            self.world.wire.append(f"{request.type} {device.shown_id} {request.register} {request.value}")
            self.world.written[device.device_id, request.register] = request.value
            self.world.note("device.write", device.shown_id, "ALLOWED", "SUCCESS", value=request.value)
        return Operation(
            operation_id="op-1",
            type=request.type,
            status=status,
            device_id=device.device_id,
            register=request.register,
            old=old,
            new=request.value,
            read_back=None if request.dry_run else request.value,
            user="ada",
            timestamp=self.world.clock.now(),
            duration_ms=3.0,
        )

    def _check(self, request: Request, device: Device) -> None:
        if any(stop.covers(device.device_id) for stop in self.world.stops):
            raise EmergencyStopActive(
                f"{device.shown_id} is under an emergency stop", hint="dsmilctl emergency release"
            )
        if self.context.read_only:
            raise ReadOnly("this session is read-only", hint="open it without --read-only")
        if device.quarantined:
            raise DeviceQuarantined(f"{device.shown_id} is quarantined", device_id=device.device_id)
        if len(request.justification.strip()) < 10:
            raise JustificationRequired(
                "a justification of 10 characters or more is asked for", hint="say why, for the journal"
            )
        if request.type is OperationType.WRITE and request.value is not None:
            find_register(device.registers, request.register).check(request.value)

    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        raise NotFound("no bulks here")

    async def bulk(self, bulk_id: str) -> BulkResult:
        raise NotFound("no bulks here")

    async def undo_requests(self, bulk_id: str) -> list[Request]:
        raise NotFound("no bulks here")

    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        if self.context.read_only and verb not in ("scan", "state"):
            raise ReadOnly("this session is read-only")
        after = {"disconnect": DeviceState.DISCONNECTED, "connect": DeviceState.CONNECTED}.get(verb)
        if after is not None:
            self.world.wire.append(f"{verb} {len(devices)}")
            for device in devices:
                now = self.world.clock.now()
                self.world.states[device.device_id] = DeviceStatus(device.device_id, after, "asked to", now)
        return await self.statuses(devices)

    async def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        sequence = 0
        while not self.world.broken:
            while self.world.hushed and not self.world.broken:
                await asyncio.sleep(0.01)
            sequence += 1
            if self.world.gap:
                yield Gap(self.world.gap)
                self.world.gap = 0
            living = [device for device in devices if device.device_id not in self.world.silent]
            readings = await self.read(living, registers)
            failed = tuple(device.device_id for device in devices if device.device_id in self.world.silent)
            yield Batch(sequence, self.world.clock.now(), tuple(readings), failed, 12.0)
            await asyncio.sleep(min(interval, 0.05))
        raise ConnectionError(self.world.broken)

    async def events(self) -> AsyncGenerator[Event | Gap, None]:
        await asyncio.Event().wait()
        yield Gap(0)

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        wanted = self.world.devices if devices is None else devices
        confirmations = []
        for device in wanted:
            silent = device.device_id in self.world.silent
            outcome = StopOutcome.UNCONFIRMED if silent else StopOutcome.STOPPED
            error = "no answer within 2 s" if silent else ""
            confirmations.append(Confirmation(device.device_id, outcome, 2000.0 if silent else 4.0, 1, error))
            if report is not None:
                report(confirmations[-1])
        stop = Stop(
            stop_id=f"stop-{len(self.world.stops) + 1}",
            scope=scope,
            reason=REASON_PREFIX + reason,
            triggered_by="ada",
            triggered_at=self.world.clock.now(),
            devices=() if devices is None else tuple(device.device_id for device in devices),
            confirmations=tuple(confirmations),
            latched_ms=3.0,
        )
        self.world.stops.append(stop)
        self.world.note("emergency.stop", scope, "ALLOWED", "SUCCESS", reason=reason)
        return stop

    async def stops(self) -> list[Stop]:
        return list(self.world.stops)

    async def stop_history(self, limit: int = 50) -> list[Stop]:
        return [*reversed(self.world.stops), *self.world.past_stops][:limit]

    async def release(
        self,
        stop_id: str = "",
        *,
        justification: str,
        approval: str = "",
        standing: Sequence[str] | None = None,
    ) -> list[Stop]:
        if self.context.read_only:
            raise ReadOnly("this session is read-only")
        ended = [stop for stop in self.world.stops if not stop_id or stop.stop_id == stop_id]
        if standing is not None and not stop_id:
            ended = [stop for stop in ended if stop.stop_id in standing]
        now = self.world.clock.now()
        released = [msgspec.structs.replace(stop, released_by="ada", released_at=now) for stop in ended]
        self.world.stops = [stop for stop in self.world.stops if stop not in ended]
        self.world.past_stops = [*released, *self.world.past_stops]
        self.world.note("emergency.release", "@all", "ALLOWED", "SUCCESS", justification=justification)
        return released

    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        records = [record for record in reversed(self.world.journal) if _matches(record, query)]
        return records[: query.limit]

    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        bad = 3 if self.world.tampered else None
        return AuditVerdict(
            intact=bad is None,
            records=len(self.world.journal),
            files=("journal.jsonl",),
            first_bad=bad,
            file="journal.jsonl" if bad else "",
            line=bad,
            problem="the record was changed" if bad else "",
            last_hash=f"{len(self.world.journal):064x}",
        )

    async def audit_export(self, destination: Path) -> dict[str, Any]:
        raise NotFound("no journal to export here")

    async def audit_restart(self, reason: str) -> AuditRecord:
        raise NotFound("no journal to restart here")

    async def forget(self) -> int:
        self.world.written.clear()
        return 0

    async def drivers(self) -> list[DriverInfo]:
        return []

    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        raise NotFound(f"no driver {name}")

    async def system_status(self) -> dict[str, Any]:
        return {"devices": len(self.world.devices)}

    async def capabilities(self) -> dict[str, Any]:
        return {}

    async def health(self) -> dict[str, Any]:
        return {}


def _matches(record: AuditRecord, query: HistoryQuery) -> bool:
    target = query.device_id
    shown = f"0x{target:04X}" if isinstance(target, int) else target
    return (
        (shown is None or record.target == shown)
        and (not query.action or record.action == query.action)
        and (not query.outcome or record.outcome == query.outcome)
        and (not query.user or record.user == query.user)
    )


NAMES = ("Master coordination", "Thermal monitoring", "Power status", "Fan control", "Wipe controller")
RISKS = (Risk.CRITICAL, Risk.HIGH, Risk.MEDIUM, Risk.LOW)


def some_devices(count: int) -> list[Device]:
    """Devices as the simulator's look; the fifth is quarantined."""
    return [
        Device(
            0x8000 + number,
            NAMES[number] if number < len(NAMES) else f"Interface {number}",
            "fake",
            REGISTERS,
            group="controllers" if number < 4 else "interfaces",
            risk=RISKS[min(number // 3, 3)],
            quarantined=number == 4,
            default_register="STATUS",
            key_registers=("TEMP", "VOLTAGE"),
            facts=(("model", "fake 1"),),
        )
        for number in range(count)
    ]


class SlowClient(FakeClient):
    """A client whose stop latches, and ends when its world is let go."""

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        stop = await super().stop(devices, reason=reason, scope=scope, report=report)
        while self.world.hushed:
            await asyncio.sleep(0.005)
        return stop
