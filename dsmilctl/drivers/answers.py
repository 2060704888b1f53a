"""Answers of a driver turned into readings, each with its quality and number."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.drivers.contract import Answer
from dsmilctl.errors import DSMILError, OperationTimeout, Unreachable
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Quality, Reading, judge
from dsmilctl.model.register import Register

UNREACHED = (Unreachable, OperationTimeout)
"""Answers that say that the device was not reached, not what it said."""


class Numbering:
    """Makes readings of one fleet; each gets the next number."""

    def __init__(self) -> None:
        self._sequence = 0

    def readings(
        self,
        device: Device,
        registers: Sequence[Register],
        answers: Sequence[Answer],
        now: int,
        latency: float,
    ) -> list[Reading]:
        """One reading per answer; an error is a reading of quality bad that carries it."""
        found = []
        for register, answer in zip(registers, answers, strict=True):
            if isinstance(answer, DSMILError):
                found.append(self._bad(device, register, answer, now, latency))
                continue
            self._sequence += 1
            quality, why = judge(register, answer)
            reading = Reading(
                device.device_id, register.name, answer, now, register.unit, quality,
                None, latency, why, "", self._sequence,
            )  # fmt: skip
            found.append(reading)
        return found

    def _bad(
        self, device: Device, register: Register, error: DSMILError, now: int, latency: float
    ) -> Reading:
        self._sequence += 1
        return Reading(
            device_id=device.device_id,
            register=register.name,
            value=None,
            timestamp=now,
            unit=register.unit,
            quality=Quality.BAD,
            latency_ms=latency,
            error=error.message,
            error_code=error.code,
            sequence=self._sequence,
        )


def nothing_read(answers: Sequence[Answer]) -> DSMILError | None:
    """The first error of a device that was not reached for any register; None when it answered."""
    if not answers or not isinstance(answers[0], UNREACHED):
        return None
    return answers[0] if all(isinstance(answer, UNREACHED) for answer in answers) else None
