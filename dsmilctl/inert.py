"""Inert: names and values of strangers, made harmless before a person sees them."""

from __future__ import annotations

import re
import unicodedata

HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidirectional overrides), surrogate, private, unassigned, line and paragraph separators.

Source: Unicode Standard Annex 44, general categories.
"""

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What steers a terminal: control characters but tab and line feed, and what turns or breaks a line.

Source: ECMA-48; Unicode Standard Annex 9, Bidi_Control.
"""
_ASCII = bytes(range(0x7F))
_STEERING_UTF8 = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
"""The same in UTF-8, but for what stands escaped in all JSON."""


def inert(text: str) -> str:
    """The text with every character that could steer a terminal written out as an escape."""
    if text.isprintable():
        return text
    return "".join(_written_out(character) for character in text)


def inert_lines(text: str) -> str:
    """The same, but tabs and line feeds stay."""
    if text.isprintable():
        return text
    return "".join(part if part in ("\t", "\n") else inert(part) for part in re.split("([\t\n])", text))


def is_harmless(encoded: bytes) -> bool:
    """Whether nothing steers a terminal in JSON of one line; quick, for every line of a stream is asked."""
    if encoded.isascii():
        return b"\x7f" not in encoded
    return _STEERING_UTF8.search(encoded.translate(None, _ASCII)) is None


def escaped(text: str) -> str:
    """The text with everything that steers a terminal as JSON escapes it; JSON stays the same JSON."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
