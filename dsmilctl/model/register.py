"""Register: one named value of a device, with its type, unit, limits and access."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping

import msgspec

from dsmilctl.errors import InvalidParameter, nearest

Value = int | float | str | bool
"""What a register holds."""

INTEGER_RANGES: Mapping[str, tuple[int, int]] = {
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
FLOATS = frozenset({"f32", "f64"})
FLOAT_RANGES: Mapping[str, tuple[float, float]] = {
    "f32": (-3.4028234663852886e38, 3.4028234663852886e38),
    "f64": (-sys.float_info.max, sys.float_info.max),
}
F32_ROUNDING = 2.0**-23
"""The part of a value that a device may lose by keeping it as a 32-bit float.  Source: IEEE 754."""

LARGEST_SHOWN = 10**40
LONGEST = 80
"""Characters of a number that is worth parsing."""

TRUTHS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


class Register(msgspec.Struct, frozen=True, gc=False):
    """What is known of one register.

    `type` is one of `u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool str`; `minimum`, `maximum` and `step` are in
    `unit` and bound what may be written; `low` and `high` are the alarm limits of what is read; `access` is
    `ro`, `rw` or `wo`; `safe` is the value an emergency stop drives the register to; `mask` are the bits that
    a read-back must show as written and `tolerance` the largest difference it may have (C5: devices round);
    a `volatile` register changes by itself and is not read back; `hexadecimal` registers are shown as hex.
    """

    name: str
    address: int = 0
    type: str = "u32"
    unit: str = ""
    access: str = "ro"
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Value, ...] = ()
    safe: Value | None = None
    mask: int | None = None
    tolerance: float = 0.0
    volatile: bool = False
    hexadecimal: bool = False
    low: float | None = None
    high: float | None = None
    description: str = ""

    @property
    def readable(self) -> bool:
        """Whether the register can be read."""
        return self.access != "wo"

    @property
    def writable(self) -> bool:
        """Whether the register can be written."""
        return self.access != "ro"

    def parse(self, text: str) -> Value:
        """The value that `text` means for this register; raises InvalidParameter."""
        if self.type == "str":
            return text
        if len(text) > LONGEST:
            raise self._invalid(f"{text[:LONGEST]!r}… is too long")
        if self.type == "bool":
            return self._parse_truth(text)
        if self.type in FLOATS:
            return self._parse_float(text)
        return self._parse_integer(text)

    def check(self, value: Value) -> None:
        """Raise InvalidParameter unless `value` may be written: type, range, choices and step."""
        self._check_type(value)
        if self.choices and value not in self.choices:
            raise self._invalid(f"{_shown(value)!r} is not one of {', '.join(map(str, self.choices))}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_range(value)
            self._check_step(value)

    def confirms(self, written: Value, read: Value) -> bool:
        """Whether a read-back of `read` shows that `written` arrived, within `mask` and `tolerance`."""
        if isinstance(written, int) and isinstance(read, int) and self.mask is not None:
            return written & self.mask == read & self.mask
        if written == read or isinstance(written, str) or isinstance(read, str):
            return written == read
        try:
            tolerance = max(self.tolerance, abs(written) * F32_ROUNDING if self.type == "f32" else 0.0)
            return abs(written - read) <= tolerance
        except OverflowError:
            return False  # a whole number beyond every float is not near anything

    def format(self, value: Value | None) -> str:
        """The value as a person reads it, with its unit."""
        if value is None:
            return ""
        if self.hexadecimal and isinstance(value, int) and abs(value) < LARGEST_SHOWN:
            return f"{'-' if value < 0 else ''}0x{abs(value):08X}"
        text = f"{value:.6g}" if isinstance(value, float) else _shown(value)
        return f"{text} {self.unit}" if self.unit else text

    def _parse_truth(self, text: str) -> bool:
        if text.casefold() not in TRUTHS:
            raise self._invalid(f"{text!r} is neither true nor false")
        return TRUTHS[text.casefold()]

    def _parse_float(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self._invalid(f"{text!r} is not a number") from None

    def _parse_integer(self, text: str) -> int:
        try:
            return int(text, 0)
        except ValueError:
            raise self._invalid(f"{text!r} is not a whole number (decimal, 0x… or 0b…)") from None

    def _check_type(self, value: Value) -> None:
        expected: tuple[type, ...] = (int,)
        if self.type in FLOATS:
            expected = (int, float)
        elif self.type == "str":
            expected = (str,)
        elif self.type == "bool":
            expected = (bool,)
        if not isinstance(value, expected) or (isinstance(value, bool) and self.type != "bool"):
            raise self._invalid(f"{_shown(value)!r} is not of type {self.type}")

    def _check_range(self, value: float) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            raise self._invalid(f"{value} is not a finite number")
        low, high = INTEGER_RANGES.get(self.type) or FLOAT_RANGES.get(self.type, (-math.inf, math.inf))
        low = low if self.minimum is None else max(low, self.minimum)
        high = high if self.maximum is None else min(high, self.maximum)
        if not low <= value <= high:
            raise self._invalid(f"{self.format(value)} is outside {self.format(low)} … {self.format(high)}")

    def _check_step(self, value: float) -> None:
        if self.step is None:
            return
        steps = (value - (self.minimum or 0)) / self.step
        if not math.isfinite(steps) or abs(steps - round(steps)) > 1e-9 * max(1.0, abs(steps)):
            raise self._invalid(f"{self.format(value)} is not a multiple of {self.format(self.step)}")

    def _invalid(self, what: str) -> InvalidParameter:
        return InvalidParameter(
            f"{self.name}: {what}",
            hint=f"{self.name} is {self.type}{self._limits()}",
            target=self.name,
        )

    def _limits(self) -> str:
        if self.minimum is None and self.maximum is None:
            return ""
        low = "" if self.minimum is None else self.format(self.minimum)
        high = "" if self.maximum is None else self.format(self.maximum)
        return f", {low} … {high}"


def _shown(value: Value) -> str:
    """A value that is no float as text, however large it is."""
    if isinstance(value, int) and abs(value) >= LARGEST_SHOWN:
        return f"a number of {value.bit_length()} bits"
    return str(value)


def find_register(registers: Iterable[Register], name: str) -> Register:
    """The register of that name (any case) or address (`0x0003`); raises InvalidParameter."""
    known = tuple(registers)
    for register in known:
        if register.name.casefold() == name.casefold():
            return register
    try:
        address = int(name, 0)
    except ValueError:
        address = None
    for register in known:
        if register.address == address:
            return register
    names = [register.name for register in known]
    hint = nearest(name, names) or f"Registers here: {', '.join(names[:12])}"
    raise InvalidParameter(f"no register {name!r}", hint=hint, target=name)
