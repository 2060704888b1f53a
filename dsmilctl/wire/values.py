"""How single values travel: register values as hex strings, device ids as numbers or names."""

from __future__ import annotations

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import DeviceId
from dsmilctl.model.register import Value

BITS = 32
ID_HINT = "32768 or 0x8000"
HIGHEST_DEVICE = 0xFFFF_FFFF
LONGEST_NAME = 128
"""Characters of a device's id that is a name."""


def to_wire(value: Value | None) -> str | float | bool | None:
    """A register's value on the wire: whole numbers as `0x%08X`, everything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return f"0x{value:08X}" if value >= 0 else f"-0x{-value:08X}"


def from_wire(value: Value | None) -> Value | None:
    """The value that an answer means: hex or decimal text of a number is that number."""
    if not isinstance(value, str):
        return value
    try:
        return int(value, 0)
    except ValueError:
        return value


def written_value(given: Value) -> Value:
    """The value that a WRITE means: hex string, decimal string or number; raises InvalidParameter."""
    value = from_wire(given)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        raise InvalidParameter(f"value {given!r} is beyond 64 bits", target="value")
    return value if value is not None else given


def in_path(device_id: str) -> str:
    """A device's name as one part of a path: servers take `%2F` for a slash before they look for parts."""
    return device_id.replace("%", "%25").replace("/", "%2F")


def device_id_of(text: str) -> DeviceId:
    """The device that a path names: decimal or `0x` hex for DSMIL devices, else its name as of `in_path`.

    Raises InvalidParameter for what looks like a number and is none, or is out of bounds.
    """
    lowered = text.lower()
    looks_numeric = lowered.startswith("0x") or lowered.lstrip("+-").isdigit()
    if not looks_numeric or len(text) > LONGEST_NAME:
        return checked_id(text.replace("%2F", "/").replace("%25", "%"))
    try:
        number = int(lowered, 16 if lowered.startswith("0x") else 10)
    except ValueError:
        raise InvalidParameter(f"{text!r} is no device id", hint=ID_HINT, target=text) from None
    return checked_id(number)


def checked_id(device_id: DeviceId) -> DeviceId:
    """The same id; raises InvalidParameter for one that no device can have."""
    if isinstance(device_id, int):
        if not 0 <= device_id <= HIGHEST_DEVICE:
            shown = str(device_id)
            raise InvalidParameter(f"device id {shown} is out of bounds", hint=ID_HINT, target=shown)
    elif not device_id or len(device_id) > LONGEST_NAME or not device_id.isprintable():
        raise InvalidParameter("malformed device id", hint=ID_HINT, target="device_id")
    return device_id
