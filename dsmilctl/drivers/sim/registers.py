"""The six registers of a DSMIL device, 32 bits each.  Source: the DSMIL API, version 2."""

from __future__ import annotations

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register

ERROR_BIT = 0x8000_0000
WARNING_BIT = 0x4000_0000
ACTIVE_BIT = 0x0000_0001
MAINTENANCE = 0x8000_0000
"""The bit of CONFIG that takes a device out of service; alone it is the safe state."""

HOT = 80
"""Degrees Celsius at which a device warns."""

TOO_HOT = 95
"""Degrees Celsius at which a device reports the error OVER_TEMPERATURE."""

OVER_TEMPERATURE = 0x10
SENSOR_FAILED = 0x20

BLOCK = 64
"""Bytes behind CONFIG and DATA; the other registers are one word."""

WORD = 4

REGISTERS = (
    Register("STATUS", 0x00, hexadecimal=True, description="bit 31 error, bit 30 warning, bit 0 active"),
    Register(
        "CONFIG", 0x01, access="rw", safe=MAINTENANCE, hexadecimal=True,
        description="configuration word; bit 31 is maintenance mode",
    ),
    Register("DATA", 0x02, access="rw", safe=0, hexadecimal=True, description="data word"),
    Register(
        "TEMP", 0x03, unit="°C", minimum=0, maximum=125, high=HOT,
        description="temperature; bit 31 is a failed sensor",
    ),
    Register(
        "VOLTAGE", 0x04, unit="V", minimum=0, maximum=60, low=10, high=50,
        description="supply voltage; bit 31 is a failed sensor",
    ),
    Register("ERROR", 0xFF, hexadecimal=True, description="error code; 0 is none"),
)  # fmt: skip

POSITIONS = {register.name: position for position, register in enumerate(REGISTERS)}
"""Where a register's value stands in a state of `signals`."""


def unknown_register(name: str) -> InvalidParameter:
    """The error for a register that no device here has."""
    hint = f"registers of the simulator: {', '.join(POSITIONS)}"
    return InvalidParameter(f"no register {name!r}", hint=hint, target=name)


def require_inside(register: str, span: Span) -> None:
    """Raise InvalidParameter unless the span is 1 to 4 bytes inside the register's block."""
    size = BLOCK if register in ("CONFIG", "DATA") else WORD
    if not 1 <= span.length <= WORD:
        message = f"length {span.length} is outside 1 … {WORD}"
        raise InvalidParameter(message, hint=f"read at most {WORD} bytes at once", target="--length")
    if not 0 <= span.offset <= size - span.length:
        message = f"{span.length} bytes at offset {span.offset} are outside the {size} bytes of {register}"
        raise InvalidParameter(message, hint=f"offset 0 … {size - span.length} is inside", target="--offset")
