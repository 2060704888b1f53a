"""Poll: reads devices on a fixed schedule; a slow device has a task of its own and delays nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from dsmilctl.clock import Clock
from dsmilctl.drivers.contract import Answer, Capability, Driver
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device, DeviceId, DeviceState
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register

LOGGER = logging.getLogger("dsmilctl.fleet.poll")

SHORTEST_INTERVAL = 0.01
LONGEST_INTERVAL = 7 * 86400.0
COLLECTING = 0.02
"""Seconds in which answers of devices asked alone are collected into one batch."""

CONNECTED = DeviceState.CONNECTED
Target = tuple[Managed, Sequence[Register]]


class Group:
    """The devices of one driver: what they are asked, what they answered last, and who asks them now."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.targets: list[Target] = []
        self.questions: list[tuple[Device, Sequence[Register]]] = []
        self.asking: asyncio.Task[Sequence[Sequence[Answer] | None]] | None = None
        self.last: list[Sequence[Answer] | None] = []

    async def ask(self, deadline: float) -> Sequence[Sequence[Answer] | None]:
        """The answers of all devices, None for each that has to be asked on its own."""
        nothing: list[Sequence[Answer] | None] = [None] * len(self.targets)
        if Capability.BATCH not in self.driver.capabilities:
            return nothing
        try:
            async with asyncio.timeout(deadline):
                answers = await self.driver.read_many(self.questions)
        except Exception as error:  # whatever it was, the devices are asked one by one and tell it each
            LOGGER.warning("driver %s failed on a batch of reads: %r", self.driver.name, error)
            return nothing
        return answers if len(answers) == len(nothing) else nothing

    def forget(self) -> None:
        """Take whatever comes next as changed."""
        self.last = [None] * len(self.targets)


class Tick:
    """What one round has brought so far."""

    def __init__(self, begun: float, now: int) -> None:
        self.begun = begun
        self.now = now
        self.readings: list[Reading] = []
        self.failed: list[DeviceId] = []
        self.pending: list[DeviceId] = []


class Poll:
    """One schedule over many devices.

    Each tick asks every driver that answers in batches once and hands out one batch; devices that have to be
    asked on their own are asked at the same moment, and their answers follow as partial batches, as do those
    of a driver that takes longer than the others.  A device whose last question is still open is not asked
    again: it counts as late and as failed.
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
        if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
            hint = f"{SHORTEST_INTERVAL:g} s to {LONGEST_INTERVAL:g} s are possible"
            raise InvalidParameter(f"no interval of {interval:g} s", hint=hint, target="--interval")
        self._groups = _by_driver(targets)
        self._lifecycle = lifecycle
        self._clock = clock
        self._publish = publish
        self._interval = interval
        self._deadline = deadline
        self._changes_only = changes_only
        self._good: dict[DeviceId, list[Reading]] = {}
        self._codes: dict[DeviceId, str] = {}
        self._asking: dict[DeviceId, asyncio.Task[None]] = {}
        self._late: Tick | None = None
        self._handing_out: asyncio.TimerHandle | None = None
        self._sequence = 0
        self.missed_ticks = 0

    async def run(self) -> None:
        """Poll until cancelled.  A tick that comes too late is left out and counted: no burst, no drift."""
        due = self._clock.monotonic()
        try:
            while True:
                await self.tick()
                due += self._interval
                behind = self._clock.monotonic() - due
                if behind > 0:
                    skipped = int(behind / self._interval) + 1
                    self.missed_ticks += skipped
                    due += skipped * self._interval
                await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
        finally:
            await self.end()

    async def end(self) -> None:
        """Call off every question that is open, and return when nobody asks any more."""
        tasks = [*self._asking.values(), *(group.asking for group in self._groups if group.asking)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._handing_out is not None:
            self._handing_out.cancel()

    def forget(self) -> None:
        """Hand out everything at the next tick, not only what changed."""
        for group in self._groups:
            group.forget()

    async def tick(self) -> None:
        """Ask everybody once, and hand out what came."""
        tick = Tick(self._clock.monotonic(), self._clock.now())
        if len(self._groups) == 1:
            self._take(self._groups[0], await self._groups[0].ask(self._deadline), tick)
        else:
            await self._side_by_side(tick)
        self._hand_out(tick)

    async def _side_by_side(self, tick: Tick) -> None:
        """Ask several drivers; one that is not done after half the interval is waited for by nobody."""
        begun = [group for group in self._groups if group.asking is None]
        for group in begun:
            group.asking = asyncio.create_task(group.ask(self._deadline))
        asked = [group.asking for group in begun if group.asking]
        if asked:
            await asyncio.wait(asked, timeout=self._interval / 2)
        for group in self._groups:
            if group in begun and group.asking is not None and group.asking.done():
                self._take(group, group.asking.result(), tick)
                group.asking = None
            elif group in begun and group.asking is not None:
                tick.pending.extend(managed.device.device_id for managed, _ in group.targets)
                group.asking.add_done_callback(partial(self._take_late, group))
            else:
                self._still_asking(group.targets, tick)

    def _take_late(self, group: Group, task: asyncio.Task[Sequence[Sequence[Answer] | None]]) -> None:
        group.asking = None
        if not task.cancelled():
            tick = Tick(self._clock.monotonic(), self._clock.now())
            self._take(group, task.result(), tick)
            self._hand_out(tick, partial=True)

    def _take(self, group: Group, answers: Sequence[Sequence[Answer] | None], tick: Tick) -> None:
        """Sort the answers of one driver: unchanged, new, or to be asked for alone.

        This is what ten thousand devices cost each second, so the two usual cases come first.
        """
        changes_only, last = self._changes_only, group.last
        now, latency = self._lifecycle.moment(tick.begun)
        for index, answer in enumerate(answers):
            target = group.targets[index]
            managed = target[0]
            if answer is None or not (managed.state is CONNECTED or self._is_ready(managed)):
                last[index] = None
                self._ask_alone(target, tick)
            elif changes_only and answer == last[index] and not managed.failures:
                managed.last_seen = tick.now
            else:
                last[index] = answer
                readings = self._lifecycle.readings(managed, target[1], answer, now, latency)
                self._keep(managed, readings, tick)

    def _is_ready(self, managed: Managed) -> bool:
        return managed.connected or self._lifecycle.connect_quickly(managed)

    def _keep(self, managed: Managed, readings: list[Reading], tick: Tick) -> None:
        """Put what a device answered into the tick; its last good values are kept for when it is silent."""
        tick.readings += readings
        if self._changes_only:
            return
        device_id, good = managed.device.device_id, readings
        for reading in readings:
            if reading.value is None:
                good = _newest(self._good.get(device_id, ()), readings)
                break
        self._good[device_id] = good

    def _ask_alone(self, target: Target, tick: Tick) -> None:
        managed = target[0]
        device_id = managed.device.device_id
        if device_id in self._asking:
            self._still_asking([target], tick)
        elif not self._lifecycle.may_retry(managed):
            tick.failed.append(device_id)
            tick.readings.extend(self._stale(target, managed.reason))
        else:
            tick.pending.append(device_id)
            self._asking[device_id] = asyncio.create_task(self._ask(target))

    def _still_asking(self, targets: Sequence[Target], tick: Tick) -> None:
        for target in targets:
            target[0].statistics.late += 1
            tick.failed.append(target[0].device.device_id)
            tick.readings.extend(self._stale(target, "no answer yet"))

    async def _ask(self, target: Target) -> None:
        managed = target[0]
        begun = self._clock.monotonic()
        try:
            readings = await self._lifecycle.read(*target, deadline=self._deadline)
        finally:
            del self._asking[managed.device.device_id]
        tick = self._collected(begun)
        if managed.connected:
            self._keep(managed, readings, tick)
        else:
            tick.failed.append(managed.device.device_id)
            self._codes[managed.device.device_id] = next((item.error_code for item in readings), "")
            tick.readings.extend(self._stale(target, managed.reason) or readings)

    def _collected(self, begun: float) -> Tick:
        """Where answers of devices asked alone are put: a thousand at once are one batch, not a thousand."""
        if self._late is None:
            self._late = Tick(begun, self._clock.now())
            delay = min(COLLECTING, self._interval / 4)
            self._handing_out = asyncio.get_running_loop().call_later(delay, self._hand_out_late)
        return self._late

    def _hand_out_late(self) -> None:
        tick, self._late = self._late, None
        if tick is not None:
            self._hand_out(tick, partial=True)

    def _stale(self, target: Target, reason: str) -> list[Reading]:
        """What is known of a device that does not answer: its last good values, marked as such."""
        if self._changes_only:
            return []
        managed, registers = target
        now = self._clock.now()
        return [self._stale_reading(managed, register, reason, now) for register in registers]

    def _stale_reading(self, managed: Managed, register: Register, reason: str, now: int) -> Reading:
        known = self._good.get(managed.device.device_id, ())
        last = next((reading for reading in known if reading.register == register.name), None)
        return Reading(
            device_id=managed.device.device_id,
            register=register.name,
            value=last.value if last else None,
            timestamp=last.timestamp if last else now,
            unit=register.unit,
            quality=Quality.STALE if last else Quality.BAD,
            error=reason,
            error_code=self._codes.get(managed.device.device_id, "TIMEOUT"),
        )

    def _hand_out(self, tick: Tick, *, partial: bool = False) -> None:
        self._sequence += 1
        latency = (self._clock.monotonic() - tick.begun) * 1000
        batch = Batch(
            self._sequence, self._clock.now(), tuple(tick.readings), tuple(tick.failed), latency, partial,
            tuple(tick.pending),
        )  # fmt: skip
        self._publish(batch)


def _newest(before: Sequence[Reading], now: Sequence[Reading]) -> list[Reading]:
    """The last reading of each register that has a value."""
    known = {reading.register: reading for reading in (*before, *now) if reading.value is not None}
    return list(known.values())


def _by_driver(targets: Sequence[Target]) -> list[Group]:
    groups: dict[int, Group] = {}  # a fleet may have several drivers of one name, one for each server or bus
    for target in targets:
        driver = target[0].driver
        groups.setdefault(id(driver), Group(driver)).targets.append(target)
    for group in groups.values():
        group.questions = [(managed.device, registers) for managed, registers in group.targets]
        group.forget()
    return list(groups.values())
