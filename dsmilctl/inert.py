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
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def encodable(text: str) -> str:
    """The text with what no encoding has (lone surrogates, from bytes that are not UTF-8) as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
