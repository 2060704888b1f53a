"""Finding: whether one condition holds at one register or device just now, and why."""

from __future__ import annotations

import msgspec

from dsmilctl.fleet.thresholds import Threshold
from dsmilctl.model.alarm import LATCHING, PRIORITIES, Alarm, AlarmEvent, Condition, alarm_id_of
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register, Value


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one condition; without a `register` it is about the device, and `reason` says why."""

    device: Device
    condition: Condition
    holds: bool
    register: Register | None = None
    value: Value | None = None
    limit: float | None = None
    reason: str = ""

    @property
    def alarm_id(self) -> str:
        """The id of the alarm that this is about."""
        name = "" if self.register is None else self.register.name
        return alarm_id_of(self.device.device_id, name, self.condition)

    @property
    def event(self) -> AlarmEvent:
        """What happens to the alarm where this is news."""
        if self.holds:
            return AlarmEvent.RAISE
        return AlarmEvent.LATCH if self.condition in LATCHING else AlarmEvent.CLEAR

    def normal(self) -> Alarm:
        """The alarm before anything has happened."""
        return Alarm(
            id=self.alarm_id,
            device_id=self.device.device_id,
            register="" if self.register is None else self.register.name,
            condition=self.condition,
            priority=PRIORITIES[self.condition],
            limit=self.limit,
            unit="" if self.register is None else self.register.unit,
        )

    def message(self) -> str:
        """What a person is told."""
        shown = show_id(self.device.device_id)
        if self.register is None:
            return self.reason
        told = f"{shown} {self.register.name}"
        if self.value is None:
            return f"{told}: {self.reason}"
        told = f"{told} is {self.register.format(self.value)}"
        if self.limit is None:
            return f"{told}, {self.reason}"
        limit = self.register.format(self.limit)
        if not self.holds:
            return f"{told}, back behind {limit}"
        return f"{told}, {'below' if self.condition is Condition.LOW else 'above'} {limit}"


def bad_value(device: Device, register: Register, reading: Reading) -> Finding:
    """Whether a device that answers gives a value that cannot be, or none for this register."""
    answered = reading.value is not None or reading.error_code == "HARDWARE_ERROR"
    holds = reading.quality is Quality.BAD and answered
    return Finding(
        device=device,
        register=register,
        condition=Condition.BAD_VALUE,
        holds=holds,
        value=reading.value,
        reason=reading.error or ("bad" if holds else "which can be"),
    )


def beyond(
    device: Device, register: Register, threshold: Threshold, value: float, *, before: bool
) -> Finding:
    """Whether a value is beyond a limit; `before` is whether it was until now."""
    return Finding(
        device=device,
        register=register,
        condition=threshold.condition,
        holds=threshold.holds(value, before=before),
        value=value,
        limit=threshold.limit,
    )
