"""Braille: columns of least and greatest values as lines of dots, two columns and four rows a cell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dsmilctl.tui.series import DOTS

ROWS = 4
"""Rows of dots in one cell."""
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
"""The bits of the dots in a cell, from the top.  Source: Unicode, block Braille Patterns."""

Span = tuple[float, float] | None
"""The least and the greatest value of a column; None is a gap."""


def lines(columns: Sequence[Span], limits: tuple[float, float], width: int, height: int) -> list[str]:
    """The columns as `height` lines of `width` cells, between two limits; a column without a value is a gap.

    Neighbours that do not touch are joined half-way, so that a step is one stroke.
    """
    masks = _masks(_fitted(columns, width * DOTS), limits, height * ROWS)
    cells = [_column(left, right, height) for left, right in zip(masks[::2], masks[1::2], strict=True)]
    return ["".join(line) for line in zip(*cells, strict=True)]


def _fitted(columns: Sequence[Span], count: int) -> Sequence[Span]:
    """As many columns as there are dots: others come when the size has just changed."""
    if len(columns) == count:
        return columns
    return [columns[place * len(columns) // count] if columns else None for place in range(count)]


def _masks(columns: Sequence[Span], limits: tuple[float, float], rows: int) -> list[int]:
    """The dots of each column; the lowest bit is the topmost row."""
    bottom, top = limits
    scale = (rows - 1) / (top - bottom)
    masks: list[int] = []
    before: tuple[int, int] | None = None
    for span in columns:
        if span is None:
            masks.append(0)
            before = None
            continue
        first = min(max(round((top - span[1]) * scale), 0), rows - 1)
        last = min(max(round((top - span[0]) * scale), 0), rows - 1)
        mask = _stroke(first, last)
        if before is not None and first > before[1] + 1:
            half = (before[1] + first) // 2
            masks[-1] |= _stroke(before[1], half)
            mask |= _stroke(half + 1, first)
        elif before is not None and last < before[0] - 1:
            half = (last + before[0]) // 2
            masks[-1] |= _stroke(half + 1, before[0])
            mask |= _stroke(last, half)
        masks.append(mask)
        before = first, last
    return masks


def _stroke(first: int, last: int) -> int:
    """The dots from one row to another."""
    return ((1 << (last - first + 1)) - 1) << first


@lru_cache(maxsize=8192)
def _column(left: int, right: int, height: int) -> str:
    """The cells of two columns of dots, from the top; a chart that moves on meets the same ones again."""
    found = []
    for row in range(0, height * ROWS, ROWS):
        dots = sum(bit for place, bit in enumerate(_LEFT) if left >> (row + place) & 1)
        dots += sum(bit for place, bit in enumerate(_RIGHT) if right >> (row + place) & 1)
        found.append(chr(0x2800 + dots) if dots else " ")
    return "".join(found)
