"""Scale: a range of round numbers around values, that does not move with every sample."""

from __future__ import annotations

import math

SHRINK_BELOW = 0.45
"""The range shrinks only when the values fill less than this part of it."""


def round_step(span: float, steps: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten with which `steps` steps cover `span`."""
    raw = span / max(1, steps)
    power = 10.0 ** math.floor(math.log10(raw))
    return next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= raw * 0.999), 10 * power)


def round_range(low: float, high: float, steps: int = 4) -> tuple[float, float, float]:
    """Round limits around `low` … `high`, and the step between the labels."""
    span = max(high - low, 0.04 * max(abs(low), abs(high)), 1e-6)
    step = round_step(span, steps)
    bottom = math.floor((low + high - span) / 2 / step + 1e-9) * step
    top = math.ceil((low + high + span) / 2 / step - 1e-9) * step
    return bottom, max(top, bottom + step), step


def steady_range(
    before: tuple[float, float, float] | None, low: float, high: float
) -> tuple[float, float, float]:
    """The range before, unless the values leave it or have become small in it."""
    if before is None or low < before[0] or high > before[1]:
        return round_range(low, high)
    wanted = round_range(low, high)
    small = (wanted[1] - wanted[0]) < SHRINK_BELOW * (before[1] - before[0])
    return wanted if small else before


def label(value: float, step: float) -> str:
    """A number on the axis with as many decimals as the step needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    if step * 10**decimals % 1 > 1e-6:
        decimals += 1
    text = f"{value:.{decimals}f}"
    return text if abs(value) < 1e7 else f"{value:.4g}"
