"""Inert: names and values of strangers, made harmless before a person sees them."""

from __future__ import annotations

import unicodedata

HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidirectional overrides), surrogate, private, unassigned, line and paragraph separators.

Source: Unicode Standard Annex 44, general categories.
"""


def inert(text: str) -> str:
    """The text with every character that could steer a terminal written out as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(character) for character in text)


def _written_out(character: str) -> str:
    if unicodedata.category(character) not in HARMFUL:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
