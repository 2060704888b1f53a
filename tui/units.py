"""Units: ages, latencies, values and rates as a person reads them at a glance."""

from __future__ import annotations

from dsmilctl.model.register import Register, Value
from dsmilctl.tui.inert import inert

BYTES = frozenset({"bytes", "byte", "B"})


def age_text(seconds: float | None) -> str:
    """An age in two or three characters and a unit; what is younger than a second does not flicker."""
    if seconds is None:
        return "·"
    if seconds < 1:
        return "<1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def milliseconds_text(latency: float | None) -> str:
    """A latency in milliseconds."""
    if latency is None:
        return "·"
    return f"{latency:.1f} ms" if latency < 9.95 else f"{latency:.0f} ms"


def rate_text(count: int) -> str:
    """Bytes per second, with decimal multiples."""
    return f"{count} B/s" if count < 1000 else f"{count / 1000:.1f} kB/s"


def value_text(register: Register, value: Value | None) -> str:
    """A value short enough for a column, with as many digits from one moment to the next."""
    if value is None:
        return "·"
    if register.unit in BYTES and isinstance(value, int | float) and abs(value) >= 1000:
        return bytes_text(value)
    if isinstance(value, float):
        text = _decimal_text(value)
        return inert(f"{text} {register.unit}" if register.unit else text)
    return inert(register.format(value))


def bytes_text(count: float) -> str:
    """Bytes with decimal multiples, three digits."""
    prefixes = iter("kMGTPE")
    prefix = next(prefixes)
    count /= 1000
    while abs(count) >= 999.5:
        prefix = next(prefixes)
        count /= 1000
    return f"{count:.0f} {prefix}B" if abs(count) >= 99.5 else f"{count:.1f} {prefix}B"


def _decimal_text(value: float) -> str:
    if 10 <= abs(value) < 1e6:
        return f"{value:.1f}"
    return f"{value:.2f}" if 0.1 <= abs(value) < 10 else f"{value:.3g}"
