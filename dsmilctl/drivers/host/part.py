"""Part: one device of this machine, how its registers are measured and how failures are told."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.machine import Nonsense, line, printable, text
from dsmilctl.errors import DSMILError, HardwareError, PermissionDenied
from dsmilctl.model.device import Device
from dsmilctl.model.register import FLOATS, INTEGER_RANGES, Register

NO_VALUE_NOW = frozenset({errno.EAGAIN, errno.ENODATA, errno.ENXIO, errno.EIO, errno.EINVAL})
GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTDIR})


class Part:
    """One device of this machine.  Subclasses know where its values are.

    A `slow` part may wait for a sensor, so it is read aside, in a thread; `anchor` is the file or folder
    without which the part is gone.
    """

    slow = False

    def __init__(self, device: Device, anchor: Path) -> None:
        self.device = device
        self.anchor = anchor

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """Answers by register name, None for what was not told; raises OSError or Nonsense if all failed."""
        raise NotImplementedError

    def pause(self, wanted: Sequence[Register]) -> float:
        """Seconds to let pass before `measure` can answer."""
        del wanted
        return 0.0

    def close(self) -> None:
        """Let go of what the part holds open."""

    def read(self, wanted: Sequence[Register]) -> list[Answer]:
        """One answer per register: a value of the register's type, or an error.

        Raises HardwareError when the part as a whole is gone.
        """
        try:
            answers = self.measure(wanted)
        except (OSError, Nonsense) as error:
            answers = {register.name: self.failure(register.name, self.anchor, error) for register in wanted}
        told = [self._checked(register, answers.get(register.name)) for register in wanted]
        if told and all(isinstance(answer, DSMILError) for answer in told) and self.vanished():
            raise self.gone()
        return told

    def vanished(self) -> bool:
        """Whether the part is not there any more."""
        try:
            self.anchor.stat()
        except OSError as error:
            return error.errno in GONE
        return False

    def gone(self) -> HardwareError:
        """The error that says that the part has vanished since it was discovered."""
        return HardwareError(
            f"{self.device.shown_id} is gone: it is no longer at {self.anchor}",
            device_id=self.device.device_id,
            hint=f"dsmilctl device scan {self.device.shown_id}",
        )

    def failure(self, register: str, path: Path, error: Exception) -> DSMILError:
        """What went wrong with one file, as an error that names the register, the file and the reason."""
        where = f"{self.device.shown_id} {register}"
        if isinstance(error, PermissionError):
            message = f"{where}: {path} may not be read by this user"
            return PermissionDenied(message, hint="run as root, or ask for the right", target=where)
        return HardwareError(
            f"{where}: {_reason(path, error)}",
            device_id=self.device.device_id,
            hint=_hint(error),
            target=where,
        )

    def attempt(self, register: str, path: Path, ask: Callable[..., Answer], *arguments: object) -> Answer:
        """What `ask` answers, or its failure as an error of that register."""
        try:
            return ask(*arguments)
        except (OSError, Nonsense) as error:
            return self.failure(register, path, error)

    def _checked(self, register: Register, answer: Answer | None) -> Answer:
        if answer is None:
            return self.failure(register.name, self.anchor, Nonsense("it does not tell this value"))
        if isinstance(answer, DSMILError) or fits(register, answer):
            return answer
        wrong = Nonsense(f"{printable(str(answer))!r} is not of type {register.type}")
        return self.failure(register.name, self.anchor, wrong)


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return f"{path} gives {errno.errorcode.get(error.errno, 'an error')} ({error.strerror})"
    return error.strerror or "" if isinstance(error, OSError) else f"{path}: {error}"


def _hint(error: Exception) -> str:
    if not isinstance(error, OSError):
        return "dsmilctl device read kernel last_error may tell what is wrong with it"
    if error.errno in GONE:
        return "it vanished since it was discovered; dsmilctl device scan looks again"
    if error.errno in NO_VALUE_NOW:
        return "the part has no value at the moment; try again"
    return ""


def fits(register: Register, answer: object) -> bool:
    """Whether a value is of the register's type and within the type's range."""
    if register.type == "str":
        return isinstance(answer, str)
    if register.type == "bool":
        return isinstance(answer, bool)
    if register.type in FLOATS:
        return isinstance(answer, float) and math.isfinite(answer)
    low, high = INTEGER_RANGES[register.type]
    return isinstance(answer, int) and not isinstance(answer, bool) and low <= answer <= high


class Sensor(msgspec.Struct, frozen=True):
    """One file that holds one value, and how its text is understood.

    `fault` is a file that says whether the sensor is broken.
    """

    path: Path
    convert: Callable[[str], Answer]
    fault: Path | None = None

    def value(self) -> Answer:
        """The value now; raises OSError or Nonsense."""
        if self.fault is not None and line(self.fault) == "1":
            raise Nonsense("the sensor reports a fault")
        return self.convert(text(self.path, 4096).strip())


class SensorPart(Part):
    """A part whose registers are one file each, so that one that fails leaves the others good."""

    slow = True

    def __init__(self, device: Device, anchor: Path, sensors: Mapping[str, Sensor]) -> None:
        super().__init__(device, anchor)
        self._sensors = sensors

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """One answer per file."""
        return {
            register.name: self.attempt(register.name, sensor.path, sensor.value)
            for register in wanted
            if (sensor := self._sensors.get(register.name)) is not None
        }


def numbered(registers: Sequence[Register]) -> tuple[Register, ...]:
    """Registers with their place as address."""
    return tuple(msgspec.structs.replace(register, address=index) for index, register in enumerate(registers))
