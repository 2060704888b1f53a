"""Poll: reads devices on a fixed schedule; a slow device has a task of its own and delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from dsmilctl.clock import Clock
from dsmilctl.drivers.contract import Answer, Capability, Driver
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register

SHORTEST_INTERVAL = 0.01
Target = tuple[Managed, Sequence[Register]]


class Poll:
    """One schedule over many devices.

    Each tick asks every driver that answers in batches once and hands out one batch; devices that have to be
    asked on their own are asked at the same moment, and their answers follow as partial batches.  A device
    whose last question is still open is not asked again: it counts as late and as failed.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        lifecycle: Lifecycle,
        clock: Clock,
        publish: Callable[[Batch], None],
        *,
        interval: float,
        deadline: float,
        changes_only: bool = False,
    ) -> None:
        if interval < SHORTEST_INTERVAL:
            message = f"an interval of {interval:g} s is too short"
            raise InvalidParameter(
                message, hint=f"the shortest is {SHORTEST_INTERVAL:g} s", target="--interval"
            )
        self._groups = _by_driver(targets)
        self._lifecycle = lifecycle
        self._clock = clock
        self._publish = publish
        self._interval = interval
        self._deadline = deadline
        self._changes_only = changes_only
        self._answers: dict[DeviceId, Sequence[Answer]] = {}
        self._good: dict[tuple[DeviceId, str], Reading] = {}
        self._asking: dict[DeviceId, asyncio.Task[None]] = {}
        self._sequence = 0
        self.missed_ticks = 0

    async def run(self) -> None:
        """Poll until cancelled.  A tick that comes too late is left out and counted: no burst, no drift."""
        due = self._clock.monotonic()
        try:
            while True:
                await self._tick()
                due += self._interval
                behind = self._clock.monotonic() - due
                if behind > 0:
                    skipped = int(behind / self._interval) + 1
                    self.missed_ticks += skipped
                    due += skipped * self._interval
                await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
        finally:
            for task in self._asking.values():
                task.cancel()

    def forget(self) -> None:
        """Hand out everything at the next tick, not only what changed."""
        self._answers.clear()

    async def _tick(self) -> None:
        begun, readings = self._clock.monotonic(), list[Reading]()
        failed, pending = list[DeviceId](), list[DeviceId]()
        for driver, targets in self._groups:
            ready = [self._ready(target) for target in targets]
            answers: Sequence[Sequence[Answer] | None] = [None] * len(targets)
            if Capability.BATCH in driver.capabilities:
                answers = await driver.read_many([(managed.device, wanted) for managed, wanted in targets])
            for target, answer, asked in zip(targets, answers, ready, strict=True):
                if answer is None or not asked:
                    asking = self._ask_alone(target, readings)
                    (pending if asking else failed).append(target[0].device.device_id)
                elif not self._unchanged(target[0], answer):
                    readings.extend(self._take(target, answer, begun))
        latency = (self._clock.monotonic() - begun) * 1000
        self._hand_out(Batch(0, 0, tuple(readings), tuple(failed), latency, pending=tuple(pending)))

    def _ready(self, target: Target) -> bool:
        managed = target[0]
        return managed.connected or self._lifecycle.connect_quickly(managed)

    def _unchanged(self, managed: Managed, answer: Sequence[Answer]) -> bool:
        if not self._changes_only or managed.failures:
            return False
        last = self._answers.get(managed.device.device_id)
        if answer is last or answer == last:
            managed.last_seen = self._clock.now()
            return True
        self._answers[managed.device.device_id] = answer
        return False

    def _take(self, target: Target, answer: Sequence[Answer], begun: float) -> list[Reading]:
        readings = self._lifecycle.readings(*target, answer, begun)
        if not self._changes_only:
            for reading in readings:
                self._good[reading.device_id, reading.register] = reading
        return readings

    def _ask_alone(self, target: Target, readings: list[Reading]) -> bool:
        managed = target[0]
        device_id = managed.device.device_id
        if device_id in self._asking:
            managed.statistics.late += 1
            readings.extend(self._stale(target, "no answer yet"))
        elif not self._lifecycle.may_retry(managed):
            readings.extend(self._stale(target, managed.reason))
        else:
            self._asking[device_id] = asyncio.create_task(self._ask(target))
            return True
        return False

    async def _ask(self, target: Target) -> None:
        managed = target[0]
        begun = self._clock.monotonic()
        try:
            readings = await self._lifecycle.read(*target, deadline=self._deadline)
        finally:
            del self._asking[managed.device.device_id]
        for reading in readings:
            if reading.value is not None:
                self._good[reading.device_id, reading.register] = reading
        failed = () if managed.connected else (managed.device.device_id,)
        latency = (self._clock.monotonic() - begun) * 1000
        self._hand_out(Batch(0, 0, tuple(readings), failed, latency, partial=True))

    def _stale(self, target: Target, reason: str) -> list[Reading]:
        """What is known of a device that does not answer: its last good values, marked as such."""
        if self._changes_only:
            return []
        managed, registers = target
        now = self._clock.now()
        return [self._stale_reading(managed, register, reason, now) for register in registers]

    def _stale_reading(self, managed: Managed, register: Register, reason: str, now: int) -> Reading:
        last = self._good.get((managed.device.device_id, register.name))
        return Reading(
            device_id=managed.device.device_id,
            register=register.name,
            value=last.value if last else None,
            timestamp=last.timestamp if last else now,
            unit=register.unit,
            quality=Quality.STALE,
            error=reason,
            error_code="TIMEOUT",
        )

    def _hand_out(self, batch: Batch) -> None:
        self._sequence += 1
        self._publish(msgspec.structs.replace(batch, sequence=self._sequence, timestamp=self._clock.now()))


def _by_driver(targets: Sequence[Target]) -> list[tuple[Driver, list[Target]]]:
    groups: dict[str, tuple[Driver, list[Target]]] = {}
    for target in targets:
        driver = target[0].driver
        groups.setdefault(driver.name, (driver, []))[1].append(target)
    return list(groups.values())
