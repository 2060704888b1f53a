"""Inert: names and values of strangers, made harmless for a terminal before they are shown."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, chop_cells

LONGEST = 512
ROOM_FOR_A_HEAD = 5
"""Cells that have to be left of a text, beside the number at its end."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Cc control, Cf format (bidirectional overrides, zero width), Cs surrogate, Co private, Cn unassigned,
# Zl and Zp line and paragraph separators: none of them has a place in a cell of a table.
HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@lru_cache(maxsize=65_536)
def inert(text: str) -> str:
    """The text with every character that could steer a terminal replaced, and at most LONGEST long."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if unicodedata.category(character) in HARMFUL else character for character in text
    )


@lru_cache(maxsize=65_536)
def fit_ending(text: str, width: int) -> str:
    """As `fit`, but a text that ends with a number keeps it: `Interfa… 07`."""
    head, space, number = text.rpartition(" ")
    if not space or not number.isalnum() or not number[-1:].isdigit() or cell_len(text) <= width:
        return fit(text, width)
    room = width - cell_len(number) - 1
    return f"{fit(head, room)} {number}" if room >= ROOM_FOR_A_HEAD else fit(text, width)


@lru_cache(maxsize=65_536)
def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly `width` cells: cut with an ellipsis, or padded on the left when `right`."""
    taken = len(text) if text.isascii() else cell_len(text)
    if taken > width:
        head = chop_cells(text, width - 1)[0] if width > 1 else ""
        text = head + "…" if width > 0 else ""
        taken = cell_len(text)
    padding = " " * (width - taken)
    return padding + text if right else text + padding
